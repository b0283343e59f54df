"""Contents: bytes that were received whole, and measured on their way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO


@dataclass(frozen=True, slots=True)
class Content:
    """The bytes of an open file, from its beginning on: how many there are, and their SHA-256."""

    stream: BinaryIO
    size: int
    sha256: bytes
