"""Queues on every database: one after another on a resource, in order, whatever else happens."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from job_world import GREET, LIBRARY, LINUX, RINGS, a_request, lapse, lease, on, report, work_off
from sqlalchemy import select

from dispatcher.core.attempts import again
from dispatcher.core.holds import Hold
from dispatcher.core.jobs import Options, WhatKind, When, WhoKind
from dispatcher.core.permissions import SYSTEM
from dispatcher.core.ports import Ports
from dispatcher.core.schedules import RecurrenceRequest
from dispatcher.core.states import Event, State
from dispatcher.datastore.queues import QUEUED
from dispatcher.datastore.runs import RUNS
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.hall import Hall, build_hall
from dispatcher.services.reporting import RunFinished, RunStarted
from dispatcher.services.secrets import Secrets

IN_QUEUE: Options = {"queued": True}


@pytest.fixture(autouse=True)
def library(load_library: Callable[[str], None]) -> None:
    load_library(LIBRARY)


@pytest.fixture
def submit(hall: Hall) -> Callable[..., UUID]:
    """Submit a queued job for agents; return its id."""

    def submit(*agents: UUID, **options: Any) -> UUID:
        return hall.scheduling.submit(a_request(who=on(*agents), options={**IN_QUEUE, **options}), SYSTEM).id

    return submit


def finish(hall: Hall, agent: UUID, run: Any, clock: Any, event: Event = Event.COMPLETE) -> None:
    report(hall, agent, run, RunStarted(clock()), RunFinished(clock(), event))


def drain(hall: Hall, agent: UUID, clock: Any) -> list[UUID]:
    """Let the agent and the engine work until nothing is left; never is there more than one run at a time."""
    done = []
    while True:
        again(hall.queues.advance)
        runs = lease(hall, agent, 5)
        if not runs:
            return done
        (run,) = runs
        assert again(hall.queues.advance) == 0
        assert lease(hall, agent, 5) == []
        finish(hall, agent, run, clock)
        done.append(run.job_id)


def test_they_are_done_in_order_one_at_a_time(
    hall: Hall, submit: Callable[..., UUID], enrol: Callable[..., UUID], clock: Any, datastore: Datastore
) -> None:
    agent = enrol("one")
    jobs = [submit(agent) for _ in range(4)]
    assert lease(hall, agent, 5) == []  # nobody has given a turn
    (result,) = hall.results.collect(jobs[0], False, SYSTEM)
    assert result.runs[0].activity == "Waiting in the queue"
    plain = hall.scheduling.submit(a_request(who=on(agent)), SYSTEM).id
    assert [run.job_id for run in work_off(hall, agent, clock())] == [plain]  # what is not queued waits for nobody
    assert drain(hall, agent, clock) == jobs
    assert hall.queues.clean() == 4
    with datastore.read() as session:
        assert session.execute(select(QUEUED)).all() == []


def test_each_resource_has_its_own_queue(
    hall: Hall, submit: Callable[..., UUID], enrol: Callable[..., UUID], clock: Any
) -> None:
    one, two = enrol("one"), enrol("two")
    both, only_one, only_two = submit(one, two), submit(one), submit(two)
    assert hall.queues.advance() == 2
    (first,) = lease(hall, one, 5)
    (second,) = lease(hall, two, 5)
    assert first.job_id == second.job_id == both
    finish(hall, two, second, clock)
    assert hall.queues.advance() == 1
    assert [run.job_id for run in lease(hall, two, 5)] == [only_two]
    finish(hall, one, first, clock)
    assert drain(hall, one, clock) == [only_one]


@pytest.mark.parametrize("end", [Event.FAIL, Event.TIME_OUT])
def test_the_next_one_follows_whatever_became_of_the_one_before(
    hall: Hall, submit: Callable[..., UUID], enrol: Callable[..., UUID], clock: Any, wakeup: Any, end: Event
) -> None:
    agent = enrol("one")
    failing, aborted_waiting, aborted_active, lost, last = (submit(agent) for _ in range(5))
    hall.queues.advance()
    (run,) = lease(hall, agent, 1)
    wakeup.engine_calls = 0
    finish(hall, agent, run, clock, end)
    assert wakeup.engine_calls
    assert run.job_id == failing
    hall.aborting.abort(aborted_waiting, SYSTEM)
    hall.queues.advance()
    (run,) = lease(hall, agent, 1)
    assert run.job_id == aborted_active
    report(hall, agent, run, RunStarted(clock()))
    hall.aborting.abort(aborted_active, SYSTEM)
    assert hall.queues.advance() == 0  # it is still being aborted
    report(hall, agent, run, RunFinished(clock(), Event.CONFIRM_ABORT))
    assert hall.queues.advance() == 1
    (run,) = lease(hall, agent, 1)
    assert run.job_id == lost
    report(hall, agent, run, RunStarted(clock()))
    assert lapse(hall, clock)
    assert hall.queues.advance() == 0  # given back: it keeps its turn
    (run,) = lease(hall, agent, 1)
    assert run.job_id == lost
    finish(hall, agent, run, clock)
    assert drain(hall, agent, clock) == [last]


def test_what_is_held_for_another_reason_lets_others_by(
    hall: Hall, submit: Callable[..., UUID], enrol: Callable[..., UUID], clock: Any, load_library: Callable[[str], None]
) -> None:
    agent = enrol("one", boot_id="a")
    booting, plain = submit(agent, boot="next"), submit(agent)
    assert drain(hall, agent, clock) == [plain]
    hall.enrolment.note_facts(agent, _facts(boot_id="b"))
    after = submit(agent)
    assert lease(hall, agent, 5) == []  # let go, but not past the queue
    assert drain(hall, agent, clock) == [booting, after]

    # A window that has closed since the turn was given takes the turn away.
    load_library("agents: [{name: one, launch_window: 'Mon-Fri 20:00-21:00'}]")
    waiting = submit(agent)
    assert drain(hall, agent, clock) == []
    clock.turn(timedelta(days=1, hours=8))
    assert hall.holds.release_due() == 1
    assert drain(hall, agent, clock) == [waiting]


def _facts(**facts: str) -> Any:
    from dispatcher.services.enrolment import Facts

    return Facts(os="linux", **facts)


def test_batches_and_queues_do_not_block_each_other(
    hall: Hall, submit: Callable[..., UUID], enrol: Callable[..., UUID], clock: Any
) -> None:
    one, two = enrol("one"), enrol("two")
    forth = submit(one, two, batch_size=1)
    back = submit(two, one)
    for _ in range(6):
        hall.queues.advance()
        for agent in (one, two):
            for run in lease(hall, agent, 1):
                finish(hall, agent, run, clock)
    assert {hall.jobs.get(job, SYSTEM).state for job in (forth, back)} == {State.COMPLETED}


def test_steps_of_run_books_and_occurrences_stand_in_line(
    hall: Hall, submit: Callable[..., UUID], enrol: Callable[..., UUID], clock: Any, datastore: Datastore
) -> None:
    agent, _ = enrol("one"), enrol("two")
    book = a_request(RINGS, WhatKind.RUNBOOK, who=on(agent), options=IN_QUEUE)
    hall.scheduling.submit(book, SYSTEM)
    rule = "DTSTART:20260301T120000Z\nRRULE:FREQ=HOURLY;COUNT=1"
    when = When(recurrence=RecurrenceRequest(rule))
    hall.scheduling.submit(a_request(GREET, who=on(LINUX, kind=WhoKind.TEAM), options=IN_QUEUE, when=when), SYSTEM)
    hall.occurrences.fire_due()
    with datastore.read() as session:
        holds = session.execute(select(RUNS.c.hold).where(RUNS.c.agent_id == agent)).scalars().all()
    assert holds == [Hold.QUEUE, Hold.QUEUE]
    assert len(drain(hall, agent, clock)) == 2


def test_several_dispatchers_give_one_turn(
    hall: Hall,
    others: list[Hall],
    datastore: Datastore,
    submit: Callable[..., UUID],
    enrol: Callable[..., UUID],
    clock: Any,
) -> None:
    agents = [enrol(f"agent-{number}") for number in range(3)]
    jobs = [submit(*agents) for _ in range(4)]
    done: dict[UUID, list[UUID]] = {agent: [] for agent in agents}
    with all_the_time(*(other.queues.advance for other in others)) as problems:
        for _ in range(2_000):
            for agent in agents:
                runs = lease(hall, agent, 5)
                assert len(runs) <= 1
                for run in runs:
                    assert free_runs(datastore, agent) == 1
                    finish(hall, agent, run, clock)
                    done[agent].append(run.job_id)
            if all(len(one) == len(jobs) for one in done.values()):
                break
    assert problems == []
    assert all(one == jobs for one in done.values())


@pytest.fixture
def others(datastore: Datastore, ports: Ports, secrets: Secrets) -> list[Hall]:
    """More dispatchers on the same datastore."""
    return [build_hall(datastore, ports, secrets, lease=timedelta(seconds=30)) for _ in range(3)]


@contextmanager
def all_the_time(*bodies: Callable[[], Any]) -> Iterator[list[Exception]]:
    """Call each of *bodies* again and again, in threads of their own; give the exceptions that ended them."""
    stop, problems = threading.Event(), list[Exception]()

    def repeat(body: Callable[[], Any]) -> None:
        while not stop.is_set():
            try:
                again(body)
            except Exception as error:
                problems.append(error)
                return

    threads = [threading.Thread(target=repeat, args=(body,)) for body in bodies]
    for thread in threads:
        thread.start()
    try:
        yield problems
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)


def free_runs(datastore: Datastore, agent: UUID) -> int:
    """Return how many runs of the agent have their turn."""
    free = (RUNS.c.agent_id == agent) & RUNS.c.hold.is_(None) & RUNS.c.stopped_at.is_(None)
    with datastore.read() as session:
        return len(session.execute(select(RUNS.c.id).where(free)).all())
