"""The clock: one thread that sleeps until something is due, or until it is woken."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from dispatcher.core.attempts import again
from dispatcher.core.errors import Unavailable
from dispatcher.core.ports import Now

log = structlog.get_logger(__name__)

#: The longest sleep: other processes may schedule something without being able to wake this one.
LONGEST_SLEEP = timedelta(seconds=10)
#: The shortest sleep after the datastore was out of order.
PAUSE_S = 1.0
#: By how much the clock may be set, or this process oversleep, before it counts as having been away, in seconds.
AWAY_S = 1.0


@dataclass(slots=True)
class Duty:
    """Something to look after. *work* does what is due and returns how much that was.

    As long as that is *batch*, it is called again. *next_moment* says when there will be more (None: nobody knows);
    with *every* the work is done that often and no oftener.
    """

    work: Callable[[], int | None]
    next_moment: Callable[[], datetime | None] | None = None
    batch: int | None = None
    every: timedelta | None = None
    not_before: datetime | None = None


class Clock:
    """Does its *duties* when they are due, in a thread of its own. One that fails does not keep the others.

    *first* is done once, before everything else. It never sleeps longer than *longest_sleep*.
    *resumed* is done before anything else when this process or the datastore stood still or the clock was set:
    nobody could be heard meanwhile, or the moments that were noted mean something else now.
    """

    def __init__(
        self,
        duties: Sequence[Duty],
        now: Now,
        first: Callable[[], object],
        longest_sleep: timedelta = LONGEST_SLEEP,
        resumed: Callable[[], object] = lambda: None,
    ) -> None:
        self._resumed = resumed
        self._looked_at = (now(), time.monotonic())
        self._due_at = time.monotonic()
        self._was_away = False
        self._failed = self._succeeded = 0  #: duties of this turn
        self._duties = duties
        self._first = first
        self._now = now
        self._longest_sleep = longest_sleep
        self._woken = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def start(self) -> None:
        """Do what comes first, and begin."""
        self._first()
        self._looked_at = (self._now(), time.monotonic())
        self._due_at = time.monotonic()
        self._thread.start()

    def wake(self) -> None:
        """Look at once whether something is due. May be called from any thread."""
        self._woken.set()

    def stop(self) -> None:
        """End the thread and wait for it."""
        self._stopping = True
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping:
            self._woken.wait(self.turn())
            self._woken.clear()  # before the look at what is due, and at whether it is time to end

    def turn(self) -> float:
        """Do what is due; return how long there is nothing to do, in seconds."""
        if not self._catch_up():
            return PAUSE_S
        self._failed = self._succeeded = 0
        moments = [self._do(duty) for duty in self._duties]
        self._was_away = bool(self._failed) and not self._succeeded
        left = min([moment - self._now() for moment in moments if moment is not None] + [self._longest_sleep])
        sleep_s = max(left.total_seconds(), 0.0)
        self._due_at = time.monotonic() + sleep_s
        return sleep_s

    def _catch_up(self) -> bool:
        """Do what has to be done after an absence; return whether that succeeded, or there was none."""
        wall, steady = self._now(), time.monotonic()
        before, steady_before = self._looked_at
        self._looked_at = (wall, steady)
        jump_s = (wall - before).total_seconds() - (steady - steady_before)
        overslept_s = steady - self._due_at
        if self._was_away or abs(jump_s) > AWAY_S or overslept_s > AWAY_S:
            log.warning("engine.resumed", jump_s=round(jump_s, 3), overslept_s=round(max(overslept_s, 0.0), 3))
            self._was_away = True
            for duty in self._duties if jump_s < -AWAY_S else ():
                duty.not_before = None  # by a clock that was set back it is long until then
            try:
                self._resumed()
            except Unavailable as error:
                log.warning("engine.not_resumed", error=error.message)
                return False
        return True

    def _do(self, duty: Duty) -> datetime | None:
        """Do *duty* if it is time; return when to look again."""
        now = self._now()
        if duty.not_before is not None and now < duty.not_before:
            return duty.not_before
        try:
            done = again(duty.work)
            while done == duty.batch and done and not self._stopping:
                done = again(duty.work)
            duty.not_before = None if duty.every is None else now + duty.every
            next_moment = duty.not_before if duty.next_moment is None else duty.next_moment()
            self._succeeded += 1
            return next_moment
        except Exception:  # neither a dead datastore nor a defect may end the clock
            log.exception("engine.failed")
            self._failed += 1
            return now + timedelta(seconds=PAUSE_S)
