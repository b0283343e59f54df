"""Once: a record or a list that is written once in each form, however often it is sent."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

#: A longer text is written anew each time: it would need much memory.
LONGEST = 16_384


class Once:
    """Stands for *value* in what is to be encoded, and remembers what it was encoded as.

    Whoever keeps it, to send it again, may not change *value*. May be used by many threads.
    """

    __slots__ = ("value", "written")

    def __init__(self, value: Any) -> None:
        self.value = value
        #: What the value was encoded as, by form.
        self.written: dict[Hashable, Any] = {}

    def keep(self, form: Hashable, written: Any, length: int) -> Any:
        """Remember what the value was encoded as, a text of this *length*, unless it is too long; return it."""
        if length <= LONGEST:
            self.written[form] = written
        return written
