"""Once: a record that is written once in each form, however often it is sent."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

#: A longer text is written anew each time: it would need much memory.
LONGEST = 16_384


class Once:
    """Stands for *record* in what is to be encoded, and remembers what it was encoded as.

    Whoever keeps it, to send it again, may not change *record*. May be used by many threads.
    """

    __slots__ = ("_written", "record")

    def __init__(self, record: Any) -> None:
        self.record = record
        self._written: dict[Hashable, Any] = {}

    def written(self, form: Hashable, write: Callable[[Any], Any]) -> Any:
        """Return what *write* makes of the record; it is not asked again for the same *form*."""
        text = self._written.get(form)
        if text is None:
            text = write(self.record)
            if len(text) <= LONGEST:
                self._written[form] = text
        return text
