"""Runs for devices while they live, on every database: windows, time limits, lost leases, gateways that are away."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from device_world import LIBRARY, LOCAL, LONE, ONE, SHOW, SWITCHES, TWO, WINDOWS, show
from job_world import a_request, lapse, lease, on, report
from sqlalchemy import select, update
from statements import statements

from dispatcher.core.jobs import WhoKind
from dispatcher.core.permissions import SYSTEM
from dispatcher.core.states import Event, State
from dispatcher.datastore.agents import AGENTS
from dispatcher.datastore.jobs import JOBS
from dispatcher.datastore.runs import RUNS
from dispatcher.datastore.transactions import Datastore
from dispatcher.services import relief
from dispatcher.services.hall import Hall
from dispatcher.services.locking import lock_agents
from dispatcher.services.reporting import RunFinished, RunStarted, TaskFinished, TaskStarted
from dispatcher.services.run_orders import LeasedRun

#: The clock of the tests stands at noon.
NIGHT = "launch_window: 'Mon-Sun 03:00-03:30'"
DEVICES_AT_NIGHT = f"agents: [{{name: sw-1, {NIGHT}}}, {{name: sw-2, {NIGHT}}}]"
TO_THREE = timedelta(hours=15)


@pytest.fixture
def gateway(load_library: Callable[[str], None], enrol: Callable[..., UUID]) -> UUID:
    """The only agent of the team."""
    load_library(LIBRARY)
    agent = enrol("gateway")
    load_library("agents: [{name: gateway, primary_team: Switches}]")
    return agent


@pytest.fixture
def contact(datastore: Datastore, clock: Any) -> Callable[..., None]:
    """Let agents be online now, or offline."""

    def contact(*agents: UUID, online: bool = True) -> None:
        with datastore.begin() as session:
            known = update(AGENTS).where(AGENTS.c.id.in_(agents))
            session.connection().execute(known.values(online=online, last_contact=clock()))

    return contact


def finish(hall: Hall, agent: UUID, run: LeasedRun, clock: Any) -> None:
    report(hall, agent, run, RunStarted(clock()), RunFinished(clock(), Event.COMPLETE))


def names(runs: list[LeasedRun]) -> list[str]:
    return [run.device.name if run.device else "" for run in runs]


def reason(hall: Hall, job_id: UUID) -> tuple[State, str]:
    (run,) = hall.results.collect(job_id, False, SYSTEM)[0].runs
    return run.state, run.reason


def begin(hall: Hall, agent: UUID, clock: Any) -> LeasedRun:
    """Let the agent fetch a run and begin its first task."""
    (run,) = lease(hall, agent, 5)
    report(hall, agent, run, RunStarted(clock()), TaskStarted(0, clock()))
    return run


def test_what_may_not_be_done_twice_is_not_whatever_platform_the_gateway_has(
    hall: Hall, gateway: UUID, clock: Any
) -> None:
    job = hall.scheduling.submit(show(ONE, what=WINDOWS), SYSTEM)
    begin(hall, gateway, clock)
    assert lapse(hall, clock) == 1
    assert lease(hall, gateway, 5) == []
    assert reason(hall, job.id) == (State.FAILED, "outcome unknown: no news from the agent for 30 s")


def test_a_task_that_is_not_known_any_more_is_not_done_twice(
    hall: Hall, gateway: UUID, clock: Any, datastore: Datastore
) -> None:
    hall.scheduling.submit(show(ONE, what=WINDOWS), SYSTEM)
    begin(hall, gateway, clock)
    with datastore.begin() as session:  # for Linux there is nothing in it
        session.connection().execute(update(AGENTS).where(AGENTS.c.id == ONE).values(os="linux"))
    assert lapse(hall, clock) == 1
    assert lease(hall, gateway, 5) == []


def test_what_has_not_begun_waits_again_for_the_device(hall: Hall, gateway: UUID, clock: Any) -> None:
    hall.scheduling.submit(show(ONE), SYSTEM)
    lease(hall, gateway, 5)
    assert lapse(hall, clock) == 1
    assert names(lease(hall, gateway, 5)) == ["sw-1"]


def test_every_batch_keeps_to_the_window_of_its_device(
    hall: Hall, gateway: UUID, clock: Any, load_library: Callable[[str], None]
) -> None:
    load_library(f"agents: [{{name: sw-2, {NIGHT}}}]")
    hall.scheduling.submit(show(ONE, TWO, options={"batch_size": 1}), SYSTEM)
    (first,) = lease(hall, gateway, 5)
    finish(hall, gateway, first, clock)
    assert lease(hall, gateway, 5) == []
    clock.turn(TO_THREE)
    assert hall.holds.release_due() == 1
    assert names(lease(hall, gateway, 5)) == ["sw-2"]


def test_what_is_approved_keeps_to_the_window_and_its_time_begins_then(
    hall: Hall, gateway: UUID, clock: Any, load_library: Callable[[str], None], datastore: Datastore
) -> None:
    load_library(DEVICES_AT_NIGHT)
    options: Any = {"approval": "required", "timeout_s": 60}
    job = hall.scheduling.submit(show(ONE, TWO, options=options), SYSTEM)
    hall.approvals.approve(job.id, SYSTEM)
    assert lease(hall, gateway, 5) == []
    clock.turn(TO_THREE)
    assert hall.clockwork.time_out() == 0
    hall.holds.release_due()
    assert names(lease(hall, gateway, 5)) == ["sw-1", "sw-2"]
    with datastore.read() as session:
        assert session.scalar(select(JOBS.c.ends_by)) == clock() + timedelta(seconds=60)


def test_the_turn_in_a_queue_comes_to_nothing_when_the_window_is_closed(
    hall: Hall, gateway: UUID, clock: Any, load_library: Callable[[str], None]
) -> None:
    load_library(DEVICES_AT_NIGHT)
    clock.turn(TO_THREE)
    for _ in range(2):
        hall.scheduling.submit(show(TWO, options={"queued": True}), SYSTEM)
    hall.queues.advance()
    (first,) = lease(hall, gateway, 5)
    clock.turn(timedelta(hours=2))
    finish(hall, gateway, first, clock)
    hall.queues.advance()
    assert lease(hall, gateway, 5) == []
    clock.turn(timedelta(hours=22))
    assert hall.holds.release_due() == 1
    hall.queues.advance()
    assert names(lease(hall, gateway, 5)) == ["sw-2"]


def test_the_window_of_the_gateway_is_not_that_of_its_devices(
    hall: Hall, gateway: UUID, load_library: Callable[[str], None]
) -> None:
    load_library(f"agents: [{{name: gateway, {NIGHT}}}]")
    hall.scheduling.submit(show(ONE, gateway), SYSTEM)
    assert names(lease(hall, gateway, 5)) == ["sw-1"]


def test_a_window_that_is_changed_counts_at_once_for_its_own_runs(
    hall: Hall, gateway: UUID, load_library: Callable[[str], None]
) -> None:
    load_library(DEVICES_AT_NIGHT)
    hall.scheduling.submit(show(ONE, TWO), SYSTEM)
    load_library(f"agents: [{{name: gateway, {NIGHT}}}]")
    assert hall.holds.release_due() == 0
    load_library("agents: [{name: sw-2, launch_window: ''}]")
    assert hall.holds.release_due() == 1
    assert names(lease(hall, gateway, 5)) == ["sw-2"]


def test_a_closed_window_is_seen_when_the_run_is_fetched(
    hall: Hall, gateway: UUID, load_library: Callable[[str], None]
) -> None:
    hall.scheduling.submit(show(ONE), SYSTEM)
    load_library(DEVICES_AT_NIGHT)
    assert lease(hall, gateway, 5) == []


def test_nobody_becomes_a_gateway_by_what_it_says_of_itself(
    hall: Hall, load_library: Callable[[str], None], enrol: Callable[..., UUID]
) -> None:
    load_library(LIBRARY.replace("""'primary_team == "Switches"'""", "'true'"))
    rogue, listed = enrol("a rogue"), enrol("listed")
    job = hall.scheduling.submit(show(ONE), SYSTEM)
    assert reason(hall, job.id) == (State.FAILED, "no agent is there that could work for sw-1")
    load_library("teams: [{name: Switches, agents: [listed]}]")
    hall.scheduling.submit(show(ONE, TWO), SYSTEM)
    assert lease(hall, rogue, 5) == []
    assert names(lease(hall, listed, 5)) == ["sw-1", "sw-2"]


def test_runs_of_a_gateway_that_is_away_are_given_to_another_one(
    hall: Hall,
    gateway: UUID,
    clock: Any,
    load_library: Callable[[str], None],
    enrol: Callable[..., UUID],
    contact: Callable[..., None],
    wakeup: Any,
) -> None:
    contact(gateway)
    fetched = hall.scheduling.submit(show(ONE), SYSTEM)
    lease(hall, gateway, 1)  # and is never heard of again
    hall.scheduling.submit(show(ONE, TWO, gateway), SYSTEM)
    load_library("agents: [{name: lone, gateway: gateway}]")
    hall.scheduling.submit(show(LONE), SYSTEM)
    other = enrol("other")
    load_library("agents: [{name: other, primary_team: Switches}]")
    contact(other)
    assert hall.relief.relieve() == 0  # it is still there

    clock.turn(timedelta(seconds=91))
    assert hall.relief.relieve() == 0  # nobody else is
    contact(other)
    wakeup.agent_ids.clear()
    lapse(hall, clock)
    contact(other)
    assert hall.relief.relieve() == 2
    assert other in wakeup.agent_ids
    given = lease(hall, other, 5)
    assert names(given) == ["sw-1", "sw-2"]
    # Its own run, what only it may do, and what it may be doing, though it cannot say so.
    assert sorted(names(lease(hall, gateway, 5))) == ["", "lone", "sw-1"]
    assert fetched.id not in {run.job_id for run in given}
    assert hall.relief.relieve() == 0


def test_nothing_is_given_to_an_agent_that_is_removed_meanwhile(
    hall: Hall,
    gateway: UUID,
    clock: Any,
    load_library: Callable[[str], None],
    enrol: Callable[..., UUID],
    contact: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    contact(gateway)
    hall.scheduling.submit(show(ONE), SYSTEM)
    other = enrol("other")
    load_library("agents: [{name: other, primary_team: Switches}]")
    clock.turn(timedelta(seconds=91))
    contact(other)

    def lock(session: Any, agent_ids: Collection[UUID]) -> None:
        session.execute(update(AGENTS).where(AGENTS.c.id == other).values(removed_at=clock()))
        lock_agents(session, agent_ids)

    monkeypatch.setattr(relief, "lock_agents", lock)
    assert hall.relief.relieve() == 0
    assert names(lease(hall, gateway, 5)) == ["sw-1"]


def test_relief_looks_no_further_where_there_are_no_devices(
    hall: Hall, enrol: Callable[..., UUID], load_library: Callable[[str], None], datastore: Datastore
) -> None:
    load_library(LIBRARY)
    hall.scheduling.submit(a_request(LOCAL, who=on(enrol("one"))), SYSTEM)
    with statements(datastore) as sent:
        assert hall.relief.relieve() == 0
    assert len([text for text in sent if text.startswith("SELECT")]) == 1


def test_nobody_waits_for_the_boot_of_a_device(hall: Hall, gateway: UUID) -> None:
    job = hall.scheduling.submit(show(ONE, options={"boot": "next"}), SYSTEM)
    assert reason(hall, job.id) == (State.FAILED, "sw-1 has no agent that could tell of its boot")
    hall.scheduling.submit(show(ONE, options={"offline_agents_next_boot": True}), SYSTEM)
    assert names(lease(hall, gateway, 5)) == ["sw-1"]


def test_of_several_a_device_is_chosen_as_its_gateway_is(
    hall: Hall, gateway: UUID, enrol: Callable[..., UUID], contact: Callable[..., None]
) -> None:
    offline = enrol("an agent that is offline")
    contact(gateway)
    one_of = {"select_one": True}
    hall.scheduling.submit(show(offline, LONE, TWO, options=one_of), SYSTEM)
    assert names(lease(hall, gateway, 5)) == ["sw-2"]


def test_a_team_has_its_devices_done_by_its_own(hall: Hall, gateway: UUID) -> None:
    hall.scheduling.submit(a_request(SHOW, who=on(SWITCHES, kind=WhoKind.TEAM)), SYSTEM)
    assert sorted(names(lease(hall, gateway, 5))) == ["", "sw-1", "sw-2"]


#: How many statements of SQLAlchemy an ordinary job took before there were devices, to be submitted, lent and reported.
#: In SQLite its driver begins transactions, and reads the marks.
BEFORE = {"sqlite": (0, 4, 13), "postgresql": (3, 6, 16), "mariadb": (3, 6, 16)}


def test_an_ordinary_job_costs_no_statement_more(
    hall: Hall,
    database: str,
    enrol: Callable[..., UUID],
    load_library: Callable[[str], None],
    datastore: Datastore,
    clock: Any,
) -> None:
    load_library(LIBRARY)
    agent = enrol("one")
    for _ in range(2):  # once to know everything that is kept
        with statements(datastore) as submitting:
            hall.scheduling.submit(a_request(LOCAL, who=on(agent)), SYSTEM)
        with statements(datastore) as lending:
            (run,) = lease(hall, agent, 1)
        now = clock()
        with statements(datastore) as reporting:
            report(hall, agent, run, RunStarted(now), TaskStarted(0, now))
            report(hall, agent, run, TaskFinished(0, now, Event.COMPLETE), RunFinished(now, Event.COMPLETE))
    assert tuple(len(sent) for sent in (submitting, lending, reporting)) == BEFORE[database]
    with datastore.read() as session:
        assert session.scalar(select(RUNS.c.device)) == 0
