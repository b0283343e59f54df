"""Lines: what a discovery writes about targets: one each, or one for neighbours; tabs part target, status, detail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from dispatcher.core.computers import FoundComputer
from dispatcher.tasks.discovering.findings import clean
from dispatcher.tasks.discovering.targets import Span

#: How the line on how far the sweep has come begins.
PROGRESS = "# so far: "
_MOST_TARGET, _MOST_DETAIL = 300, 1000


class Status(StrEnum):
    """What became of a target."""

    FOUND = "Found"
    NO_ANSWER = "No answer"
    REFUSED = "Refused by policy"
    NOT_RESOLVED = "Not resolved"
    FAILED = "Failed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a target, and why; and the computer that was found."""

    status: Status
    detail: str = ""
    computer: FoundComputer | None = None


def line(target: object, outcome: Outcome) -> str:
    """Return the line about *target*. What others have written stays in its column."""
    return f"{clean(str(target), _MOST_TARGET)}\t{outcome.status}\t{clean(outcome.detail, _MOST_DETAIL)}"


class Stretch:
    """The outcomes of the addresses of a *span*, which come in any order, and their lines.

    The line of a computer that was found is written at once. Of the others neighbours with the same outcome become one
    line, written when it is known where that ends. Only what is between the first address without an outcome and the
    last one with one is held, and of that the ends.
    """

    def __init__(self, span: Span, write: Callable[[str], None]) -> None:
        self._span = span
        self._write = write
        self._next = span.first  #: all before it have passed
        self._ahead: dict[int, tuple[int, Outcome | None]] = {}  #: by their first, what has not: their last, and what
        self._firsts: dict[int, int] = {}  #: the same by their last
        self._open: tuple[int, Outcome] | None = None  #: the first of those that the next line is about

    @property
    def is_done(self) -> bool:
        """Whether all outcomes are known, and told."""
        return self._next > self._span.last

    def settle(self, number: int, outcome: Outcome | None) -> None:
        """Note the *outcome* of an address; None if another line tells it."""
        kept = outcome
        if outcome is not None and outcome.status is Status.FOUND:
            self._write(line(self._span.address(number), outcome))
            kept = None
        first = last = number
        before = self._firsts.get(number - 1)
        if before is not None and self._ahead[before][1] == kept:
            first = before
            del self._firsts[number - 1]
        after = self._ahead.get(number + 1)
        if after is not None and after[1] == kept:
            last = after[0]
            del self._ahead[number + 1]
        self._ahead[first], self._firsts[last] = (last, kept), first
        while self._next in self._ahead:
            self._pass(self._next)
        if self.is_done:
            self._end_line()

    def close(self) -> None:
        """Write what is still held: no more outcomes come."""
        for first in sorted(self._ahead):
            if first != self._next:
                self._end_line()
            self._pass(first)
        self._end_line()

    def _pass(self, first: int) -> None:
        last, outcome = self._ahead.pop(first)
        del self._firsts[last]
        self._next = first
        if self._open is not None and self._open[1] != outcome:
            self._end_line()
        if outcome is not None and self._open is None:
            self._open = first, outcome
        self._next = last + 1

    def _end_line(self) -> None:
        if self._open is not None:
            first, outcome = self._open
            self._write(line(self._span.part(first, self._next - 1), outcome))
            self._open = None
