"""Due: which of many schedules are due when. The same plan is put to Dispatcher and to its peer."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

#: How long after the start the first moment that counts comes at the earliest, in seconds.
SETTLE_S = 5.0
_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Plan:
    """So many schedules in all, of which some are due at once, every few seconds.

    The first ``groups`` times ``due`` of them recur every ``period_s`` seconds, each group a little after the one
    before it; so there is a group that is due every ``apart_s`` seconds. All others are due once a day, and not now.
    Times are in seconds of the computer's clock; ``begin`` is a whole minute.
    """

    schedules: int
    due: int
    begin: float
    groups: int = 4
    period_s: int = 60

    @property
    def apart_s(self) -> float:
        """How far apart two moments are at which schedules are due."""
        return self.period_s / self.groups

    def is_due(self, number: int) -> bool:
        """Whether schedule *number* is one of those that are due every minute."""
        return number < self.groups * self.due

    def start_of(self, number: int) -> float:
        """Return when schedule *number* is due for the first time."""
        if self.is_due(number):
            return self.begin + number % self.groups * self.apart_s
        # All over a day, but not in the hour in which this is measured.
        return self.begin + 3_600 + number * 7_919 % (_DAY_S - 7_200)

    def members(self, moment: float) -> set[int]:
        """Return the schedules that are due at *moment*."""
        group = round((moment - self.begin) / self.apart_s) % self.groups
        return set(range(group, self.groups * self.due, self.groups))

    def moments(self, now: float, count: int) -> list[float]:
        """Return the next *count* moments at which schedules are due and that count, if it is *now*."""
        first = max(0, math.ceil((now + SETTLE_S - self.begin) / self.apart_s))
        return [self.begin + place * self.apart_s for place in range(first, first + count)]

    def last_due(self, number: int, at: float) -> float:
        """Return when schedule *number*, one of those that recur every ``period_s``, was last due before *at*."""
        start = self.start_of(number)
        return start + (at - start) // self.period_s * self.period_s

    def check(self, moments: Sequence[float], seen: Iterable[tuple[int, float, float]]) -> None:
        """Check that each of *moments* gave every schedule that was due one job; *seen* is number, due time, and when.

        :raises RuntimeError: if one gave none, or two, or came for a schedule that was not due.
        """
        times = Counter((number, due_at) for number, due_at, _ in seen if moments[0] <= due_at <= moments[-1])
        expected = {(number, moment) for moment in moments for number in self.members(moment)}
        lost, extra = len(expected - times.keys()), len(times.keys() - expected)
        twice = sum(count > 1 for count in times.values())
        if lost or extra or twice:
            raise RuntimeError(f"of {len(expected)} due times {lost} gave no job, {twice} several; {extra} too many")

    def seconds(self, count: int) -> float:
        """Return how long *count* moments take at most, when ``begin`` is the next whole minute or over."""
        return self.period_s + SETTLE_S + (count + 1) * self.apart_s
