"""The clock: one thread that sleeps until something is due, or until it is woken."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

import structlog

from dispatcher.core.ports import Now
from dispatcher.services.clockwork import BATCH, Clockwork
from dispatcher.services.leasing import Leasing

log = structlog.get_logger(__name__)

#: The longest sleep: other processes may schedule something without being able to wake this one.
LONGEST_SLEEP = timedelta(seconds=10)
#: How often launch timeouts are looked at.
OVERDUE_EVERY = timedelta(minutes=1)
#: The shortest sleep after the datastore was out of order.
PAUSE_S = 1.0


class Clock:
    """Starts due jobs and takes expired leases back, in a thread of its own."""

    def __init__(self, clockwork: Clockwork, leasing: Leasing, now: Now, grace: timedelta) -> None:
        self._clockwork = clockwork
        self._leasing = leasing
        self._now = now
        self._grace = grace
        self._next_overdue = now()
        self._woken = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def start(self) -> None:
        """Begin. Leases that ran out while no server was there are extended first by the grace time."""
        self._leasing.extend_all(self._grace)
        self._thread.start()

    def wake(self) -> None:
        """Look at once whether something is due. May be called from any thread."""
        self._woken.set()

    def stop(self) -> None:
        """End the thread and wait for it."""
        self._stopping = True
        self._woken.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping:
            self._woken.clear()
            self._woken.wait(self._turn())

    def _turn(self) -> float:
        """Do what is due; return how long to sleep, in seconds. One duty that fails does not keep the others."""
        duties = self._activate_due, self._leasing.take_back, self._cancel_overdue
        done = [self._is_done(duty) for duty in duties]
        if not all(done):
            return PAUSE_S
        try:
            moment = self._clockwork.next_moment()
        except Exception:
            log.exception("engine.failed")
            return PAUSE_S
        left = LONGEST_SLEEP if moment is None else min(moment - self._now(), LONGEST_SLEEP)
        return max(left.total_seconds(), 0.0)

    def _activate_due(self) -> None:
        while self._clockwork.activate_due() == BATCH and not self._stopping:
            pass

    def _cancel_overdue(self) -> None:
        """Look for what waited too long, now and then: launch timeouts are long and need no punctuality."""
        if self._now() >= self._next_overdue:
            self._next_overdue = self._now() + OVERDUE_EVERY
            self._clockwork.cancel_overdue()

    def _is_done(self, duty: Callable[[], object]) -> bool:
        try:
            duty()
        except Exception:  # neither a dead datastore nor a defect may end the clock
            log.exception("engine.failed")
            return False
        return True
