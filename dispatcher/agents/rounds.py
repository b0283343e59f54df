"""Rounds: when the foreman began to look around it, and how late that was. For so long no slot can be blamed."""

from __future__ import annotations

import selectors
import time

#: How long the work of a round may take before the next one is late, in seconds.
ROUND_S = 1.0


class Rounds:
    """A thread's rounds: each begins when its selector wakes it."""

    def __init__(self) -> None:
        self.began_at = time.monotonic()  #: when the last one began, of the monotonic clock

    def begin(
        self, selector: selectors.BaseSelector, timeout_s: float | None
    ) -> tuple[list[tuple[selectors.SelectorKey, int]], float]:
        """Wait for *selector*, and begin a round; return what is ready, and how many seconds late that is.

        Late is what the round before has taken longer than ``ROUND_S`` (the disk was slow), and what this thread has
        overslept (it was stopped).
        """
        asleep_at = time.monotonic()
        ready = selector.select(timeout_s)
        late_s = max(0.0, asleep_at - self.began_at - ROUND_S)
        self.began_at = time.monotonic()
        if timeout_s is not None:
            late_s += max(0.0, self.began_at - asleep_at - timeout_s)
        return ready, late_s
