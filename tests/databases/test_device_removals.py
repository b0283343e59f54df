"""Removed devices and gateways, on every database: nothing is done for them any more; what was done goes or stays."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from device_world import LIBRARY, ONE, TWO, show
from job_world import lease, report
from sqlalchemy import func, insert, select, update

from dispatcher.core.attempts import again
from dispatcher.core.jobs import Who, WhoChoice, WhoKind
from dispatcher.core.permissions import SYSTEM
from dispatcher.core.states import Event, State
from dispatcher.datastore.agents import AGENTS
from dispatcher.datastore.configurations import CONFIGURATION_PARTS, CONFIGURATIONS
from dispatcher.datastore.credential_sets import CredentialUse
from dispatcher.datastore.runs import CHUNKS, RUNS
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.hall import Hall
from dispatcher.services.removals import SETTLING, AgentBusy
from dispatcher.services.reporting import Output, RunFinished, RunStarted, TaskFinished, TaskStarted
from dispatcher.services.retention import REST
from dispatcher.services.run_orders import LeasedRun

USES: Any = CredentialUse.__table__
SETS = "credential_sets: [{name: One, user: backup, password: o-pass, agents: [sw-1, sw-2]}]"


@pytest.fixture
def gateway(load_library: Callable[[str], None], enrol: Callable[..., UUID]) -> UUID:
    """The only agent of the team."""
    load_library(LIBRARY)
    load_library(SETS)
    agent = enrol("gateway")
    load_library("agents: [{name: gateway, primary_team: Switches}]")
    return agent


@pytest.fixture
def count(datastore: Datastore) -> Callable[..., int]:
    def count(table: Any, *which: Any) -> int:
        with datastore.read() as session:
            return int(session.scalar(select(func.count()).select_from(table).where(*which)) or 0)

    return count


@pytest.fixture
def keep(datastore: Datastore, new_id: Callable[[], UUID], clock: Any) -> Callable[[UUID], None]:
    """Keep a configuration of the computer."""

    def keep(computer: UUID) -> None:
        row = {"id": new_id(), "agent_id": computer, "name": "running", "job_id": new_id(), "size": 3}
        row |= {"sha256": b"s" * 32, "compared": b"s" * 32, "taken_at": clock(), "seen_at": clock()}
        with datastore.begin() as session:
            session.connection().execute(insert(CONFIGURATIONS), row)
            part = {"configuration_id": row["id"], "offset": 0, "data": b"abc"}
            session.connection().execute(insert(CONFIGURATION_PARTS), part)

    return keep


def remove(hall: Hall, agent: UUID, *, with_history: bool = False) -> Who:
    return again(lambda: hall.removals.remove(WhoChoice([agent], WhoKind.AGENT), with_history, SYSTEM))


def do(hall: Hall, gateway: UUID, clock: Any, *computers: UUID) -> UUID:
    """Let a job be done for the computers, with output; return its id."""
    job = hall.scheduling.submit(show(*computers), SYSTEM)
    for run in lease(hall, gateway, 5):
        now = clock()
        written = Output(0, 0, b"hello")
        report(hall, gateway, run, RunStarted(now), TaskStarted(0, now), written, TaskFinished(0, now, Event.COMPLETE))
        report(hall, gateway, run, RunFinished(now, Event.COMPLETE))
    return job.id


def sweep(hall: Hall, clock: Any) -> None:
    clock.turn(REST)
    while hall.retention.sweep():
        clock.moment = hall.retention.next_moment()


def names(hall: Hall, job: UUID) -> list[str]:
    return [run.agent.name for run in hall.results.collect(job, False, SYSTEM)[0].runs]


def test_what_waits_for_a_removed_device_is_cancelled_and_nobody_logs_in_to_it(
    hall: Hall, gateway: UUID, count: Callable[..., int]
) -> None:
    lonely = hall.scheduling.submit(show(ONE), SYSTEM)
    both = hall.scheduling.submit(show(ONE, TWO), SYSTEM)
    remove(hall, ONE)

    (run,) = lease(hall, gateway, 5)
    assert (run.job_id, run.device and run.device.name) == (both.id, "sw-2")
    (result,) = hall.results.collect(lonely.id, False, SYSTEM)
    assert (result.job.state, result.runs[0].reason) == (State.CANCELLED, "agent sw-1 was removed")
    assert count(USES) == 1  # that of the other one


def test_a_device_that_is_being_worked_for_stays(hall: Hall, gateway: UUID, clock: Any) -> None:
    hall.scheduling.submit(show(ONE), SYSTEM)
    hall.scheduling.submit(show(ONE), SYSTEM)
    (run,) = lease(hall, gateway, 1)
    with pytest.raises(AgentBusy, match="sw-1 cannot be removed: it has a gateway that is doing a run for it"):
        remove(hall, ONE)
    report(hall, gateway, run, RunStarted(clock()), RunFinished(clock(), Event.COMPLETE))
    assert len(lease(hall, gateway, 1)) == 1  # what waits was not touched by the attempt


def test_a_device_stays_if_a_run_for_it_is_fetched_during_its_removal(
    hall: Hall, gateway: UUID, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if database == "sqlite":
        pytest.skip("there is one writer at a time")
    job = hall.scheduling.submit(show(ONE), SYSTEM)
    fetched: list[LeasedRun] = []
    mark = hall.removals._mark

    def mark_late(*details: Any) -> None:
        gateway_asks = threading.Thread(target=lambda: fetched.extend(lease(hall, gateway, 1)))
        gateway_asks.start()
        gateway_asks.join(60)
        mark(*details)

    monkeypatch.setattr(hall.removals, "_mark", mark_late)
    if database == "mariadb":  # it locks the job, too, and the run is left out
        remove(hall, ONE)
    else:
        with pytest.raises(AgentBusy, match="it has a gateway that is doing a run for it"):
            remove(hall, ONE)
    assert [run.job_id for run in fetched] == ([] if database == "mariadb" else [job.id])


def test_a_run_that_was_made_while_the_device_was_removed_is_not_done(
    hall: Hall, gateway: UUID, datastore: Datastore, clock: Any
) -> None:
    job = hall.scheduling.submit(show(ONE), SYSTEM)
    late = hall.scheduling.submit(show(ONE), SYSTEM)
    with datastore.read() as session:
        row = dict(session.execute(select(RUNS).where(RUNS.c.job_id == late.id)).mappings().one())
    remove(hall, ONE)
    with datastore.begin() as session:  # as of a transaction that began before, and ends now
        session.connection().execute(update(RUNS).where(RUNS.c.id == row["id"]).values(state=State.PENDING))
    assert lease(hall, gateway, 5) == []
    assert hall.removals.settle() == 1
    assert hall.removals.settle() == 0
    assert hall.jobs.get(job.id, SYSTEM).state is State.CANCELLED
    with datastore.read() as session:
        assert session.scalar(select(RUNS.c.state).where(RUNS.c.id == row["id"])) == State.CANCELLED


def test_the_history_of_a_device_goes_if_wanted_and_nobody_elses(
    hall: Hall, gateway: UUID, clock: Any, count: Callable[..., int], keep: Callable[[UUID], None]
) -> None:
    job = do(hall, gateway, clock, ONE, TWO, gateway)
    keep(ONE)
    keep(TWO)
    remove(hall, ONE, with_history=True)
    sweep(hall, clock)

    assert names(hall, job) == ["gateway", "sw-2"]
    assert (count(CHUNKS), count(CONFIGURATIONS, CONFIGURATIONS.c.agent_id == TWO)) == (2, 1)
    assert count(CONFIGURATION_PARTS) == 1
    clock.turn(SETTLING + timedelta(seconds=1))
    assert (hall.removals.forget(), count(AGENTS, AGENTS.c.id == ONE)) == (1, 0)


def test_the_history_of_a_device_is_kept_until_it_is_too_old(
    hall: Hall,
    gateway: UUID,
    clock: Any,
    count: Callable[..., int],
    keep: Callable[[UUID], None],
    datastore: Datastore,
) -> None:
    job = do(hall, gateway, clock, ONE)
    keep(ONE)
    remove(hall, ONE)
    sweep(hall, clock)
    clock.turn(SETTLING + timedelta(seconds=1))
    assert (hall.removals.forget(), names(hall, job), count(CONFIGURATIONS)) == (0, ["sw-1"], 1)
    assert hall.output.read(job, ONE, 0, 0, 100, SYSTEM).data == b"hello"

    hall.settings.set("retention.jobs_days", "1", SYSTEM)
    clock.turn(timedelta(days=2))
    sweep(hall, clock)
    sweep(hall, clock)  # the configurations go when the last run has gone
    assert (count(RUNS), count(CONFIGURATIONS), count(CONFIGURATION_PARTS)) == (0, 0, 0)
    assert hall.removals.forget() == 1


def test_the_history_of_a_gateway_is_not_that_of_its_devices(
    hall: Hall, gateway: UUID, clock: Any, count: Callable[..., int]
) -> None:
    job = do(hall, gateway, clock, ONE, gateway)
    waiting = hall.scheduling.submit(show(TWO), SYSTEM)
    remove(hall, gateway, with_history=True)
    sweep(hall, clock)

    assert names(hall, job) == ["sw-1"]
    assert hall.output.read(job, ONE, 0, 0, 100, SYSTEM).data == b"hello"
    assert hall.jobs.get(waiting.id, SYSTEM).state is State.CANCELLED
    clock.turn(SETTLING + timedelta(seconds=1))
    assert (hall.removals.forget(), count(AGENTS, AGENTS.c.id == gateway)) == (0, 1)  # its runs for others name it
