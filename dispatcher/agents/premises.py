"""Premises: what an agent lets its tasks use, written down in its home for their worker processes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel

from dispatcher.agents.content import CACHE_BYTES
from dispatcher.core.networks import PRIVATE

FILE = "premises.json"


class Premises(BaseModel):
    """How dispatchers are reached, and what the policy of this computer is."""

    dispatchers: list[str] = []
    ca_file: str | None = None
    pin: str = ""
    allowed_targets: Sequence[str] = PRIVATE
    allows_power: bool = False
    cache_bytes: int = CACHE_BYTES


def load(home: Path) -> Premises:
    """Return the premises in *home*; the defaults, which allow least, if there are none.

    :raises ValueError: if the file is damaged.
    """
    file = home / FILE
    return Premises.model_validate_json(file.read_bytes()) if file.exists() else Premises()


def save(home: Path, premises: Premises) -> None:
    """Store *premises* in *home*, whole or not at all."""
    temporary = home / f"{FILE}.new"
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(premises.model_dump_json().encode())
    temporary.replace(home / FILE)
