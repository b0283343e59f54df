"""Job counts: the total of every list is exact, whatever was added, has ended or was removed since the last one."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from job_world import LIBRARY, RINGS, a_request, on, work_off
from sqlalchemy import func, select, update

from dispatcher.core.jobs import Stage, WhatKind
from dispatcher.core.permissions import SYSTEM
from dispatcher.core.states import FINISHED, State
from dispatcher.datastore.jobs import JOBS
from dispatcher.datastore.transactions import Datastore
from dispatcher.services import job_counts
from dispatcher.services.hall import Hall, build_hall

STATES = {
    Stage.ALL: set(State),
    Stage.HISTORY: set(FINISHED),
    Stage.ACTIVE: {State.ACTIVE, State.ABORTING, State.PENDING},
    Stage.SCHEDULED: {State.SCHEDULED, State.DISABLED},
}
ALL = list(itertools.product(STATES, (False, True), (False, True)))


def expected(datastore: Datastore, stage: Stage, runbook_jobs: bool, recurring_jobs: bool) -> int:
    with datastore.read() as session:
        rows = session.execute(select(JOBS.c.state, JOBS.c.parent_id, JOBS.c.recurring_id)).all()
    return sum(
        row.state in STATES[stage]
        and (runbook_jobs or row.parent_id is None)
        and (recurring_jobs or row.recurring_id is None)
        for row in rows
    )


def totals(hall: Hall) -> list[int]:
    return [hall.jobs.page(*one, 1, 1, SYSTEM).total for one in ALL]


class Life:
    """What changes totals: here, and in another process."""

    def __init__(self, hall: Hall, other: Hall, agents: list[UUID], clock: Any) -> None:
        self.hall, self.other, self.agents, self.clock = hall, other, agents, clock

    def submit_here(self) -> None:
        for _ in range(3):
            self.hall.scheduling.submit(a_request(who=on(self.agents[0])), SYSTEM)

    def submit_there(self) -> None:
        self.other.scheduling.submit(a_request(RINGS, WhatKind.RUNBOOK, who=on(self.agents[1])), SYSTEM)

    def occur(self) -> None:
        """Add a job that a schedule made, as far as lists can tell."""
        job = self.other.scheduling.submit(a_request(who=on(self.agents[1])), SYSTEM)
        with self.other.jobs._datastore.begin() as session:
            session.execute(update(JOBS).where(JOBS.c.id == job.id).values(recurring_id=UUID(int=7)))

    def finish(self) -> None:
        for agent in self.agents:
            work_off(self.hall, agent, self.clock())

    def remove(self) -> None:
        self.clock.turn(timedelta(days=40))
        while self.other.retention.sweep():
            self.clock.turn(timedelta(minutes=1))


@pytest.fixture
def other(datastore: Datastore, ports: Any, secrets: Any) -> Iterator[Hall]:
    """The services of another process over the same datastore."""
    elsewhere = Datastore(datastore.url)
    yield build_hall(elsewhere, ports, secrets, lease=timedelta(seconds=30))
    elsewhere.close()


def test_totals_stay_exact(
    hall: Hall,
    other: Hall,
    datastore: Datastore,
    clock: Any,
    enrol: Callable[..., UUID],
    load_library: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(job_counts, "MOST_NEW", 2)
    load_library(LIBRARY)
    hall.settings.set("retention.jobs_days", "30", SYSTEM)
    life = Life(hall, other, [enrol("one"), enrol("two")], clock)
    every = [life.submit_here, life.submit_there, life.occur, life.finish, life.remove]
    steps = [*every, life.submit_here, *random.Random(3).choices(every, k=10), life.finish, life.remove]
    for step in steps:
        step()
        assert totals(hall) == [expected(datastore, *which) for which in ALL], step.__name__
    assert expected(datastore, Stage.HISTORY, True, True) == 0


def test_what_is_rolled_back_is_not_counted(
    hall: Hall,
    datastore: Datastore,
    enrol: Callable[..., UUID],
    load_library: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(job_counts, "MOST_NEW", 0)
    load_library(LIBRARY)
    agent = enrol("one")
    hall.scheduling.submit(a_request(who=on(agent)), SYSTEM)

    class ChangedMind(Exception):
        pass

    with pytest.raises(ChangedMind), datastore.begin():
        hall.scheduling.submit(a_request(who=on(agent)), SYSTEM)
        assert hall.jobs.page(Stage.ALL, True, True, 1, 1, SYSTEM).total == 2
        raise ChangedMind
    assert hall.jobs.page(Stage.ALL, True, True, 1, 1, SYSTEM).total == 1
    hall.scheduling.submit(a_request(who=on(agent)), SYSTEM)
    assert hall.jobs.page(Stage.ALL, True, True, 1, 1, SYSTEM).total == 2


def test_who_began_before_others_counted_counts_what_there_was(
    hall: Hall, datastore: Datastore, enrol: Callable[..., UUID], load_library: Callable[[str], None], monkeypatch: Any
) -> None:
    monkeypatch.setattr(job_counts, "MOST_NEW", 0)
    load_library(LIBRARY)
    who = on(enrol("one"))
    counts = job_counts.JobCounts(datastore)

    def add_and_count() -> int:
        hall.scheduling.submit(a_request(who=who), SYSTEM)
        with datastore.read() as session:
            return counts.count(session, Stage.ALL, True, True)

    assert add_and_count() == 1
    with datastore.read() as early, ThreadPoolExecutor(1) as others:
        seen = early.scalar(select(func.count()).select_from(JOBS)) if datastore.traits.single_writer else None
        assert others.submit(add_and_count).result() == 2
        assert counts.count(early, Stage.ALL, True, True) == (seen or 2)
    assert add_and_count() == 3
