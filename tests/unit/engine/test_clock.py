"""The clock: wakes for what is due, survives a datastore that is away, gives agents time after a pause."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from job_world import lease, standing

from dispatcher.core.errors import Unavailable
from dispatcher.core.jobs import JobRequest, WhatChoice, WhatKind, When, WhoChoice, WhoKind
from dispatcher.core.permissions import SYSTEM
from dispatcher.core.states import State
from dispatcher.engine.clock import Clock, Duty
from dispatcher.engine.duties import duties_of
from dispatcher.services.hall import Hall

MODULE = UUID("00000000-0000-4000-8000-000000000001")
LIBRARY = (
    f"modules: [{{name: Greet, id: {MODULE}, tasks: [{{type: command, name: a, settings: {{command: 'true'}}}}]}}]"
)


@pytest.fixture
def engine(hall: Hall, clock: Any) -> Iterator[Clock]:
    first = partial(hall.recovery.extend_all, timedelta(minutes=1))
    engine = Clock(duties_of(hall), clock, first)
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
    [run] = lease(hall, agent, 1)
    clock.turn(timedelta(hours=1))
    engine.start()
    assert hall.recovery.take_back() == 0
    assert standing(hall, agent, [(run.id, run.fence)]).lost == []


def test_a_duty_that_fails_is_done_again_and_keeps_no_other(clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dispatcher.engine.clock.PAUSE_S", 0.01)
    turns: list[int] = []
    others: list[int] = []

    def fail_twice() -> int:
        turns.append(1)
        if len(turns) < 3:
            raise ConnectionError("the datastore is away")
        return 0

    engine = Clock([Duty(fail_twice), Duty(lambda: others.append(1))], clock, first=lambda: None)
    engine.start()
    wait_until(lambda: len(turns) >= 3)
    engine.stop()
    assert len(others) >= 2


def test_a_duty_is_done_again_at_once_while_its_batches_are_full(clock: Any) -> None:
    left = [3, 3, 1]
    engine = Clock([Duty(lambda: left.pop(0), batch=3)], clock, first=lambda: None)
    engine.turn()
    assert left == []


def test_a_duty_with_a_period_is_not_done_oftener(clock: Any) -> None:
    done: list[int] = []
    engine = Clock([Duty(lambda: done.append(1), every=timedelta(minutes=1))], clock, first=lambda: None)
    engine.turn()
    clock.turn(timedelta(seconds=59))
    assert engine.turn() == 1.0
    clock.turn(timedelta(seconds=1))
    engine.turn()
    assert len(done) == 2


def test_it_ends_when_it_is_stopped_at_the_very_moment_it_waits_no_more(
    clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []
    engine = Clock([Duty(lambda: looks.append(1))], clock, first=lambda: None, longest_sleep=timedelta(hours=1))
    clear, stopper = engine._woken.clear, threading.Thread(target=engine.stop, daemon=True)

    def stop_then_clear() -> None:
        stopper.start()
        wait_until(lambda: engine._stopping)
        clear()

    monkeypatch.setattr(engine._woken, "clear", stop_then_clear)
    engine.start()
    engine.wake()
    wait_until(lambda: stopper.ident is not None)
    stopper.join(20)
    assert not stopper.is_alive()
    assert looks


def test_agents_get_time_when_the_clock_was_set(clock: Any) -> None:
    resumed: list[int] = []
    engine = Clock([], clock, lambda: None, resumed=lambda: resumed.append(1))
    engine.turn()
    assert resumed == []
    for jump in (timedelta(days=1), timedelta(days=-1)):
        clock.turn(jump)
        engine.turn()
        engine.turn()
    assert resumed == [1, 1]


def test_duty_is_not_put_off_by_a_clock_that_was_set_back(clock: Any) -> None:
    done: list[int] = []
    engine = Clock([Duty(lambda: done.append(1), every=timedelta(minutes=1))], clock, lambda: None)
    engine.turn()
    engine.turn()
    assert done == [1]
    clock.turn(timedelta(days=-1))
    engine.turn()
    assert done == [1, 1]


def test_agents_get_time_when_the_datastore_is_back(clock: Any) -> None:
    calls: list[str] = []
    is_away = True

    def work() -> None:
        if is_away:
            raise Unavailable("away")
        calls.append("work")

    def resumed() -> None:
        if is_away:
            raise Unavailable("away")
        calls.append("resumed")

    engine = Clock([Duty(work)], clock, lambda: None, resumed=resumed)
    engine.turn()
    engine.turn()
    is_away = False
    engine.turn()
    engine.turn()
    assert calls == ["resumed", "work", "work"]


def test_agents_get_time_when_this_process_stood_still(clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    resumed: list[int] = []
    steady = 100.0
    monkeypatch.setattr("dispatcher.engine.clock.time.monotonic", lambda: steady)
    engine = Clock([], clock, lambda: None, resumed=lambda: resumed.append(1))
    slept_s = engine.turn()
    steady += slept_s
    clock.turn(timedelta(seconds=slept_s))
    engine.turn()
    assert resumed == []
    steady += slept_s + 60
    clock.turn(timedelta(seconds=slept_s + 60))
    engine.turn()
    assert resumed == [1]
