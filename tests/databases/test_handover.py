"""Handover: an agent that waits is lent the run of a new job by the commit that makes it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from job_world import LIBRARY, LINUX, a_request, lapse, lease, on, reclaim, report, work_off
from sqlalchemy import func, select
from statements import statements

from dispatcher.core.attempts import again
from dispatcher.core.errors import Unavailable
from dispatcher.core.jobs import Job, Options, When, WhoKind
from dispatcher.core.permissions import SYSTEM
from dispatcher.core.states import Event, State
from dispatcher.datastore.runs import RUNS
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.hall import Hall, build_hall
from dispatcher.services.locking import lock_agents
from dispatcher.services.reporting import RunFinished, RunStarted


@pytest.fixture(autouse=True)
def library(load_library: Callable[[str], None]) -> None:
    load_library(LIBRARY)


@pytest.fixture
def agent(enrol: Callable[..., UUID], wakeup: Any) -> UUID:
    """An agent that waits here with a free slot."""
    agent = enrol("one")
    wakeup.slots.add(agent)
    return agent


def submit(hall: Hall, *agents: UUID, when: When | None = None, **options: Any) -> Job:
    return hall.scheduling.submit(a_request(who=on(*agents), when=when or When(), options=Options(**options)), SYSTEM)


def handed(wakeup: Any) -> list[UUID]:
    return [run_id for _, run_id in wakeup.handed]


def columns(datastore: Datastore) -> list[Any]:
    with datastore.read() as session:
        found = session.execute(select(RUNS.c.state, RUNS.c.fence, RUNS.c.attempt, RUNS.c.leased_until))
        return [tuple(row) for row in found]


def test_agent_that_waits_is_lent_the_run_at_once(
    hall: Hall, agent: UUID, datastore: Datastore, wakeup: Any, clock: Any
) -> None:
    job = submit(hall, agent)

    assert [to for to, _ in wakeup.handed] == [agent]
    assert wakeup.agent_ids == []
    assert columns(datastore) == [(State.PENDING, 1, 1, clock() + timedelta(seconds=30))]
    with statements(datastore) as sent:
        [run] = hall.leasing.lent(handed(wakeup))[agent]
    assert [one for one in sent if one.startswith(("UPDATE", "INSERT"))] == []
    assert (run.job_id, run.fence, [one.document["name"] for one in run.modules]) == (job.id, 1, ["Greet"])
    report(hall, agent, run, RunStarted(clock()), RunFinished(clock(), Event.COMPLETE))
    assert hall.jobs.get(job.id, SYSTEM).state is State.COMPLETED


def test_run_that_never_reached_the_agent_is_lent_again(hall: Hall, agent: UUID, wakeup: Any) -> None:
    submit(hall, agent)
    reclaim(hall, agent, [])
    assert hall.leasing.lent(handed(wakeup)) == {}
    [run] = lease(hall, agent, 1)
    assert (run.id, run.fence) == (handed(wakeup)[0], 3)
    assert hall.leasing.lent(handed(wakeup)) == {}


def test_run_that_nobody_was_told_of_waits_again_when_its_lease_is_over(
    hall: Hall, agent: UUID, wakeup: Any, clock: Any
) -> None:
    submit(hall, agent)
    assert lapse(hall, clock) == 1
    assert wakeup.agent_ids == [agent]
    assert hall.leasing.lent(handed(wakeup)) == {}
    assert len(lease(hall, agent, 1)) == 1


def test_older_runs_are_not_overtaken(hall: Hall, agent: UUID, wakeup: Any) -> None:
    wakeup.slots.clear()
    first = submit(hall, agent)
    wakeup.slots.add(agent)
    second = submit(hall, agent)
    assert (handed(wakeup), wakeup.agent_ids) == ([], [agent, agent])
    assert [run.job_id for run in lease(hall, agent, 5)] == [first.id, second.id]


def test_run_that_is_held_is_no_older_one(hall: Hall, agent: UUID, wakeup: Any) -> None:
    submit(hall, agent, boot="next")
    submit(hall, agent)
    assert len(handed(wakeup)) == 1


def test_agent_has_no_more_runs_than_it_may_have(hall: Hall, agent: UUID, wakeup: Any) -> None:
    hall.settings.set("agents.parallel_runs", "2", SYSTEM)
    for _ in range(3):
        submit(hall, agent)
    assert len(handed(wakeup)) == 2
    assert lease(hall, agent, 5) == []


def test_what_is_held_is_not_lent(hall: Hall, agent: UUID, wakeup: Any, clock: Any) -> None:
    submit(hall, agent, boot="next")
    submit(hall, agent, when=When(immediate=False, starts_at=clock() + timedelta(hours=1)))
    hall.settings.set("jobs.launch_window", "Mon-Fri 00:00-24:00", SYSTEM)  # it is Sunday
    submit(hall, agent)
    assert (handed(wakeup), wakeup.agent_ids) == ([], [])


def test_jobs_for_several_agents_go_the_usual_way(
    hall: Hall, agent: UUID, enrol: Callable[..., UUID], wakeup: Any
) -> None:
    two = enrol("two")
    wakeup.slots.add(two)
    submit(hall, agent, two)
    hall.scheduling.submit(a_request(who=on(LINUX, kind=WhoKind.TEAM)), SYSTEM)
    assert (handed(wakeup), sorted(wakeup.agent_ids)) == ([], sorted([agent, two] * 2))


def test_the_one_that_is_selected_is_lent_the_run(
    hall: Hall, agent: UUID, enrol: Callable[..., UUID], wakeup: Any, clock: Any
) -> None:
    submit(hall, enrol("a busy one"), agent, select_one=True)
    assert (wakeup.handed, len(wakeup.agent_ids)) == ([], 1)
    hall.enrolment.note_contacts({agent: clock()}, {})
    submit(hall, enrol("another"), agent, select_one=True)
    assert [to for to, _ in wakeup.handed] == [agent]


def test_transaction_that_fails_hands_nothing_over(
    hall: Hall, agent: UUID, wakeup: Any, datastore: Datastore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(hall.scheduling._jobs, "to_job", broken)
    with pytest.raises(RuntimeError):
        submit(hall, agent)
    assert (wakeup.handed, columns(datastore)) == ([], [])


def test_run_whose_secrets_cannot_be_opened_fails(
    hall: Hall, agent: UUID, wakeup: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = submit(hall, agent)

    def broken(*_: Any) -> None:
        raise Unavailable("another key")

    monkeypatch.setattr(hall.leasing._run_orders._plans, "run", broken)
    assert hall.leasing.lent(handed(wakeup)) == {}
    assert hall.jobs.get(job.id, SYSTEM).state is State.FAILED


def test_nobody_waits_for_an_agent_that_is_locked(hall: Hall, agent: UUID, wakeup: Any, datastore: Datastore) -> None:
    if datastore.engine.dialect.name != "postgresql":
        pytest.skip("there is nothing to lock, or every new run waits for the lock")
    is_locked, is_submitted = threading.Event(), threading.Event()

    def lend_elsewhere() -> None:
        with datastore.begin() as session:
            lock_agents(session, [agent])
            is_locked.set()
            is_submitted.wait(30)

    thread = threading.Thread(target=lend_elsewhere)
    thread.start()
    try:
        assert is_locked.wait(30)
        submit(hall, agent)
        assert (handed(wakeup), wakeup.agent_ids) == ([], [agent])
    finally:
        is_submitted.set()
        thread.join(30)


def test_agent_that_is_asked_for_by_two_dispatchers_has_no_more_than_it_may_have(
    hall: Hall, agent: UUID, datastore: Datastore, ports: Any, secrets: Any, wakeup: Any, clock: Any
) -> None:
    other = build_hall(datastore, ports, secrets, lease=timedelta(seconds=30))
    hall.settings.set("agents.parallel_runs", "3", SYSTEM)
    barrier = threading.Barrier(6)
    failed: list[Exception] = []

    def work(number: int, one: Hall) -> None:
        barrier.wait()
        try:
            for _ in range(3):
                again(lambda: submit(one, agent) if number % 3 else lease(one, agent, 2))
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(number, (hall, other)[number % 2])) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert failed == []
    with datastore.read() as session:
        assert session.scalar(select(func.count()).where(RUNS.c.leased_until.is_not(None))) <= 3
    wakeup.slots.clear()
    lapse(hall, clock)
    assert len(work_off(hall, agent, clock())) == 12
