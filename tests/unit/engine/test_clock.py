"""The clock: wakes for what is due, survives a datastore that is away, gives agents time after a pause."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from dispatcher.core.jobs import JobRequest, WhatChoice, WhatKind, When, WhoChoice, WhoKind
from dispatcher.core.permissions import SYSTEM
from dispatcher.core.states import State
from dispatcher.engine.clock import Clock
from dispatcher.services.hall import Hall

MODULE = UUID("00000000-0000-4000-8000-000000000001")
LIBRARY = (
    f"modules: [{{name: Greet, id: {MODULE}, tasks: [{{type: command, name: a, settings: {{command: 'true'}}}}]}}]"
)


@pytest.fixture
def engine(hall: Hall, clock: Any) -> Iterator[Clock]:
    engine = Clock(hall.clockwork, hall.leasing, clock, grace=timedelta(minutes=1))
    yield engine
    engine.stop()


def submit(hall: Hall, agent: UUID, when: When) -> UUID:
    request = JobRequest([WhatChoice(MODULE, WhatKind.MODULE)], [WhoChoice([agent], WhoKind.AGENT)], when)
    return hall.scheduling.submit(request, SYSTEM).id


def wait_until(condition: Callable[[], bool]) -> None:
    passed = threading.Event()
    for _ in range(1_000):
        if condition():
            return
        passed.wait(0.01)
    raise AssertionError("it did not happen")


def test_a_due_job_is_started_when_the_clock_is_woken(
    hall: Hall, engine: Clock, clock: Any, enrol: Callable[..., UUID], load_library: Callable[[str], None]
) -> None:
    load_library(LIBRARY)
    engine.start()
    job = submit(hall, enrol("one"), When(False, clock() + timedelta(hours=1)))
    engine.wake()
    assert hall.jobs.get(job, SYSTEM).state is State.SCHEDULED
    clock.turn(timedelta(hours=1))
    engine.wake()
    wait_until(lambda: hall.jobs.get(job, SYSTEM).state is State.ACTIVE)


def test_leases_that_ran_out_while_no_server_was_there_get_time(
    hall: Hall, engine: Clock, clock: Any, enrol: Callable[..., UUID], load_library: Callable[[str], None]
) -> None:
    load_library(LIBRARY)
    agent = enrol("one")
    submit(hall, agent, When())
    [run] = hall.leasing.lease(agent, 1)
    clock.turn(timedelta(hours=1))
    engine.start()
    assert hall.leasing.take_back() == 0
    assert hall.leasing.standing(agent, [(run.id, run.fence)]).lost == []


def test_a_turn_that_fails_is_not_the_last_one(hall: Hall, engine: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dispatcher.engine.clock.PAUSE_S", 0.01)
    turns: list[int] = []

    def fail_twice() -> int:
        turns.append(1)
        if len(turns) < 3:
            raise ConnectionError("the datastore is away")
        return 0

    monkeypatch.setattr(hall.clockwork, "activate_due", fail_twice)
    engine.start()
    wait_until(lambda: len(turns) >= 3)
