"""The clock: one thread that sleeps until something is due, or until it is woken."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from dispatcher.core.ports import Now

log = structlog.get_logger(__name__)

#: The longest sleep: other processes may schedule something without being able to wake this one.
LONGEST_SLEEP = timedelta(seconds=10)
#: The shortest sleep after the datastore was out of order.
PAUSE_S = 1.0


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

    *first* is done once, before everything else.
    """

    def __init__(self, duties: Sequence[Duty], now: Now, first: Callable[[], object]) -> None:
        self._duties = duties
        self._first = first
        self._now = now
        self._woken = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def start(self) -> None:
        """Do what comes first, and begin."""
        self._first()
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
            self._woken.clear()
            self._woken.wait(self.turn())

    def turn(self) -> float:
        """Do what is due; return how long there is nothing to do, in seconds."""
        moments = [self._do(duty) for duty in self._duties]
        left = min([moment - self._now() for moment in moments if moment is not None] + [LONGEST_SLEEP])
        return max(left.total_seconds(), 0.0)

    def _do(self, duty: Duty) -> datetime | None:
        """Do *duty* if it is time; return when to look again."""
        now = self._now()
        if duty.not_before is not None and now < duty.not_before:
            return duty.not_before
        try:
            done = duty.work()
            while done == duty.batch and done and not self._stopping:
                done = duty.work()
            duty.not_before = None if duty.every is None else now + duty.every
            return duty.not_before if duty.next_moment is None else duty.next_moment()
        except Exception:  # neither a dead datastore nor a defect may end the clock
            log.exception("engine.failed")
            return now + timedelta(seconds=PAUSE_S)
