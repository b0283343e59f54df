"""Inputs: values that a run gets for its agent from elsewhere than the parameters of what it does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

#: Shorter lines, such as those of braces, may stand anywhere.
_LONG = 16


@dataclass(frozen=True, slots=True)
class Input:
    """A value by its name: a text, a number, a list or whatever JSON has.

    Of a file ``value`` is its name, and ``sha256`` that of its content, in hex: the task sees a path to it.
    """

    name: str
    value: Any = field(default="", repr=False)
    is_secret: bool = False  #: a text that must not show
    sha256: str = ""

    def secrets(self) -> Iterator[str]:
        """Give what must not show; of several lines each long one, too, for output may break them elsewhere."""
        if self.is_secret:
            yield self.value
            yield from (line for line in self.value.splitlines() if len(line) >= _LONG)
