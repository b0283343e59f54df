"""Once: what is written once in each form, however often it is sent: records and lists, or all but the texts in one."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from secrets import token_hex
from typing import Any, AnyStr

#: A longer text is written anew each time: it would need much memory.
LONGEST = 16_384
#: Stands where a text will be. Nobody can guess it, so nobody can have sent it.
GAP = token_hex(16)


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


class Blanks:
    """A record that is sent again and again with other texts where ``GAP`` stands in it: of its members, or deeper.

    Whoever keeps it may not change the *record*. May be used by many threads.
    """

    __slots__ = ("pieces", "record")

    def __init__(self, record: Any) -> None:
        self.record = record
        #: What the record was encoded as, by form, in pieces; between each two stands what is to be replaced by a text.
        self.pieces: dict[Hashable, list[Any]] = {}


class Filled:
    """Stands for the record of *blanks* in what is to be encoded, with *texts* in its gaps, in the order of these."""

    __slots__ = ("blanks", "texts")

    def __init__(self, blanks: Blanks, texts: Sequence[str]) -> None:
        self.blanks = blanks
        self.texts = texts

    def written(self, form: Hashable, gap: AnyStr, write: Callable[[Any], AnyStr], encoded: Iterable[AnyStr]) -> AnyStr:
        """Return the record with its texts as they are *encoded*; *write* writes it in this form with *gap* for each.

        What was written is remembered unless it is too long.
        """
        pieces = self.blanks.pieces.get(form)
        if pieces is None:
            around = write(self.blanks.record)
            pieces = [piece for fixed in around.split(gap) for piece in (fixed, gap)][:-1]
            if len(around) <= LONGEST:
                self.blanks.pieces[form] = pieces
        filled = pieces.copy()
        filled[1::2] = encoded
        return gap[:0].join(filled)
