"""Pacing: how many questions of a kind are sent in a second, however many wait for answers."""

from __future__ import annotations

import asyncio


class Pace:
    """Lets *per_s* pass in a second, on average; up to *burst* of them at once after a pause.

    Who calls it from several tasks sees to their order itself: it is meant to be awaited by one at a time.
    """

    def __init__(self, per_s: int, burst: int) -> None:
        self._step_s = 1 / per_s
        self._burst_s = burst / per_s
        self._at = 0.0  #: when the next one is due, by the loop's clock

    async def turn(self) -> None:
        """Wait until the next one may pass."""
        now = asyncio.get_running_loop().time()
        self._at = max(self._at, now - self._burst_s) + self._step_s
        if self._at > now:
            await asyncio.sleep(self._at - now)
