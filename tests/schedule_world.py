"""Recurring jobs on a small library, and the clock that lets them occur: what the tests of schedules share."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from job_world import GREET, a_request, on

from dispatcher.core.jobs import Job, WhatKind, When
from dispatcher.core.permissions import SYSTEM
from dispatcher.core.schedules import RecurrenceRequest
from dispatcher.core.states import State
from dispatcher.services.hall import Hall

#: Twelve o'clock, the first moment of the tests' clock, is on the quarter.
QUARTERS = "DTSTART:20260301T000000Z\nRRULE:FREQ=MINUTELY;INTERVAL=15"
MINUTES = "DTSTART:20260301T000000Z\nRRULE:FREQ=MINUTELY"
QUARTER = timedelta(minutes=15)
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class World:
    """A hall with a library and an agent, and its recurring jobs."""

    def __init__(self, hall: Hall, clock: Any, agent: UUID) -> None:
        self.hall, self.clock, self.agent = hall, clock, agent

    def recur(self, rule: str = QUARTERS, what: UUID = GREET, kind: WhatKind = WhatKind.MODULE, **rest: Any) -> Job:
        names = ("misfire", "misfire_window", "overlap", "gap", "fold", "paused_until")
        request = RecurrenceRequest(rule, **{name: rest.pop(name) for name in names if name in rest})
        rest.setdefault("who", on(self.agent))
        return self.hall.scheduling.submit(a_request(what, kind, when=When(recurrence=request), **rest), SYSTEM)

    def turn(self, by: timedelta = timedelta()) -> None:
        """Let time pass, and do what is due then."""
        self.clock.turn(by)
        while self.hall.occurrences.fire_due():
            pass
        self.hall.occurrences.release_held()

    def ledger(self, job: Job) -> list[tuple[str, str, str]]:
        page = self.hall.schedules.ledger(job.id, 1, 1_000, SYSTEM)
        assert page.total == len(page.items)
        return [(f"{one.due_at:%H:%M}", one.outcome.name, one.reason) for one in reversed(page.items)]

    def outcomes(self, job: Job) -> list[tuple[str, str]]:
        return [(due, outcome) for due, outcome, _ in self.ledger(job)]

    def jobs(self, job: Job) -> list[Job]:
        page = self.hall.schedules.ledger(job.id, 1, 1_000, SYSTEM)
        return [self.hall.jobs.get(one.job_id, SYSTEM) for one in reversed(page.items) if one.job_id]

    def state(self, job: Job) -> State:
        return self.hall.jobs.get(job.id, SYSTEM).state
