"""Removals: an agent goes in one piece, its history stays or goes too, and nothing waits for it, on every database."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from job_world import LIBRARY, LINUX, RINGS, a_request, lapse, lease, on, report, work_off
from sqlalchemy import delete, func, select, update
from structlog.testing import capture_logs

from dispatcher.core.attempts import again
from dispatcher.core.errors import Busy, DispatcherError, Forbidden, InvalidValue, NotAuthenticated
from dispatcher.core.jobs import WhatKind, When, Who, WhoChoice, WhoKind
from dispatcher.core.patience import patient_for
from dispatcher.core.permissions import SYSTEM, Caller, Node, Right
from dispatcher.core.states import Event, State
from dispatcher.datastore import revisions
from dispatcher.datastore.agents import Agent
from dispatcher.datastore.jobs import JOBS
from dispatcher.datastore.runs import CHUNKS, RUNS, TASK_RESULTS
from dispatcher.datastore.settings import Alias
from dispatcher.datastore.teams import TeamMember
from dispatcher.datastore.transactions import Datastore
from dispatcher.services import removals
from dispatcher.services.enrolment import Facts
from dispatcher.services.hall import Hall, build_hall
from dispatcher.services.removals import SETTLING, AgentBusy
from dispatcher.services.reporting import Output, RunFinished, RunStarted, TaskFinished, TaskStarted
from dispatcher.services.retention import BATCH_ROWS, REST

Identity = tuple[UUID, str]


@pytest.fixture(autouse=True)
def library(load_library: Callable[[str], None]) -> None:
    load_library(LIBRARY)


@pytest.fixture
def enrolled(hall: Hall) -> Callable[[str], Identity]:
    """Enrol an agent; return its id and its secret."""

    def enrolled(name: str) -> Identity:
        token = hall.tokens.create_enrol_token(SYSTEM, once=True)
        return hall.enrolment.enrol(token, name, None, Facts(os="linux"))

    return enrolled


@pytest.fixture
def count(datastore: Datastore) -> Callable[[Any], int]:
    def count(table: Any) -> int:
        with datastore.read() as session:
            return int(session.scalar(select(func.count()).select_from(table)) or 0)

    return count


def remove(hall: Hall, agent: UUID | str, *, with_history: bool = False, caller: Caller = SYSTEM) -> Who:
    return again(lambda: hall.removals.remove(WhoChoice([agent], WhoKind.AGENT), with_history, caller), 50)


def do_a_job(hall: Hall, *agents: UUID, now: Any) -> UUID:
    job = hall.scheduling.submit(a_request(who=on(*agents)), SYSTEM)
    for agent in agents:
        (run,) = lease(hall, agent, 1)
        report(hall, agent, run, RunStarted(now), TaskStarted(0, now), Output(0, 0, b"hello\n"))
        report(hall, agent, run, TaskFinished(0, now, Event.COMPLETE, 0), RunFinished(now, Event.COMPLETE))
    return job.id


def sweep(hall: Hall, clock: Any) -> None:
    """Let everything go that may."""
    clock.turn(REST)
    while hall.retention.sweep():
        clock.moment = hall.retention.next_moment()


def names(hall: Hall) -> list[str]:
    return [who.name for who in hall.topology.who(True, False, False, False, "", SYSTEM)]


def runs_of(datastore: Datastore, job: UUID) -> dict[UUID, tuple[State, str]]:
    with datastore.read() as session:
        rows = session.execute(select(RUNS.c.agent_id, RUNS.c.state, RUNS.c.reason).where(RUNS.c.job_id == job))
        return {row.agent_id: (State(row.state), row.reason) for row in rows}


def test_nobody_finds_a_removed_agent(hall: Hall, enrolled: Any, load_library: Any, count: Any) -> None:
    agent, _ = enrolled("old")
    enrolled("other")
    load_library("teams: [{name: Listed, agents: [old, other]}]\nagents: [{name: old, primary_team: Listed}]")

    assert remove(hall, "old") == Who(agent, "old", WhoKind.AGENT, is_online=False, is_licensed=True)

    assert names(hall) == ["other"]
    assert [[who.name for who in team.agents] for team in hall.team_reports.teams(SYSTEM)][1:] == [["other"], []]
    assert (count(TeamMember), count(Alias)) == (1, 0)
    for choice in on("old"), on(agent):
        with pytest.raises(InvalidValue, match="no agent"):
            hall.scheduling.submit(a_request(who=choice), SYSTEM)
    with pytest.raises(InvalidValue, match="Agent/ID: no agent old"):
        remove(hall, "old")


def test_its_secret_is_worth_nothing_at_once(hall: Hall, enrolled: Any) -> None:
    agent, secret = enrolled("old")
    hall.enrolment.authenticate(agent, secret)
    remove(hall, agent)

    with pytest.raises(NotAuthenticated):
        hall.enrolment.authenticate(agent, secret)


def test_an_agent_that_comes_back_enrols_and_is_another_one(hall: Hall, enrolled: Any, load_library: Any) -> None:
    agent, _ = enrolled("old")
    remove(hall, agent)
    again_there, secret = enrolled("old")

    assert again_there != agent
    hall.enrolment.authenticate(again_there, secret)
    load_library("agents: [{name: never enrolled}]")
    known = remove(hall, "never enrolled").id
    assert enrolled("never enrolled")[0] != known


def test_a_library_may_bring_a_removed_agent_back_under_its_id(
    hall: Hall, enrolled: Any, load_library: Any, clock: Any
) -> None:
    agent, secret = enrolled("old")
    job = do_a_job(hall, agent, now=clock())
    remove(hall, agent)
    load_library(f"agents: [{{name: new, id: {agent}}}]")

    assert names(hall) == ["new"]
    with pytest.raises(NotAuthenticated):
        hall.enrolment.authenticate(agent, secret)
    assert enrolled("new")[0] == agent
    assert len(hall.results.collect(job, False, SYSTEM)[0].runs) == 1


def test_its_history_is_kept(hall: Hall, enrolled: Any, clock: Any) -> None:
    agent, _ = enrolled("old")
    job = do_a_job(hall, agent, now=clock())
    remove(hall, agent)

    (result,) = hall.results.collect(job, True, SYSTEM)
    assert [(run.agent.name, run.tasks[0].output) for run in result.runs] == [("old", "hello\n")]
    assert hall.output.read(job, agent, 0, 0, 100, SYSTEM).data == b"hello\n"


def test_its_history_goes_if_wanted_and_nobody_elses(hall: Hall, enrolled: Any, clock: Any, count: Any) -> None:
    (old, _), (other, _) = enrolled("old"), enrolled("other")
    both = do_a_job(hall, old, other, now=clock())
    do_a_job(hall, old, now=clock())
    remove(hall, old, with_history=True)
    sweep(hall, clock)

    assert [count(table) for table in (JOBS, RUNS, TASK_RESULTS, CHUNKS)] == [2, 1, 1, 1]
    assert [run.agent.name for run in hall.results.collect(both, False, SYSTEM)[0].runs] == ["other"]
    clock.turn(SETTLING + timedelta(seconds=1))
    assert (hall.removals.forget(), count(Agent)) == (1, 1)


def test_much_history_goes_in_parts(hall: Hall, enrolled: Any, clock: Any, count: Any, datastore: Datastore) -> None:
    old, _ = enrolled("old")
    do_a_job(hall, old, now=clock())
    with datastore.begin() as session:
        chunk = dict(session.execute(select(CHUNKS)).mappings().one())
        more = [{**chunk, "offset": offset} for offset in range(1, BATCH_ROWS + 1)]
        session.connection().execute(CHUNKS.insert(), more)
    remove(hall, old, with_history=True)
    assert count(CHUNKS) == BATCH_ROWS + 1

    assert hall.retention.sweep() == BATCH_ROWS
    assert (count(CHUNKS), count(RUNS)) == (1, 1)
    sweep(hall, clock)
    assert [count(table) for table in (JOBS, RUNS, TASK_RESULTS, CHUNKS)] == [1, 0, 0, 0]


def test_history_that_is_left_stays_when_the_agent_is_brought_back(
    hall: Hall, enrolled: Any, clock: Any, count: Any, load_library: Any
) -> None:
    old, _ = enrolled("old")
    do_a_job(hall, old, now=clock())
    remove(hall, old, with_history=True)
    load_library(f"agents: [{{name: old, id: {old}}}]")
    sweep(hall, clock)
    remove(hall, old)
    sweep(hall, clock)
    assert count(RUNS) == 1


def test_what_an_open_job_depends_on_stays(hall: Hall, enrolled: Any, clock: Any, datastore: Datastore) -> None:
    (old, _), (other, _) = enrolled("old"), enrolled("other")
    job = hall.scheduling.submit(a_request(who=on(old, other)), SYSTEM).id
    (run,) = lease(hall, old, 1)
    report(hall, old, run, RunStarted(clock()), RunFinished(clock(), Event.FAIL))
    remove(hall, old, with_history=True)
    sweep(hall, clock)
    assert set(runs_of(datastore, job)) == {old, other}
    work_off(hall, other, clock())

    assert hall.jobs.get(job, SYSTEM).state is State.COMPLETED_WITH_ERRORS
    sweep(hall, clock)
    assert set(runs_of(datastore, job)) == {other}


def test_what_waits_for_it_is_cancelled_and_the_jobs_go_on(
    hall: Hall, enrolled: Any, clock: Any, datastore: Datastore
) -> None:
    (old, _), (other, _) = enrolled("old"), enrolled("other")
    alone = hall.scheduling.submit(a_request(who=on(old)), SYSTEM).id
    both = hall.scheduling.submit(a_request(who=on(old, other)), SYSTEM).id
    remove(hall, old)

    cancelled = (State.CANCELLED, "agent old was removed")
    assert runs_of(datastore, alone) == {old: cancelled}
    assert hall.jobs.get(alone, SYSTEM).state is State.CANCELLED
    assert hall.jobs.get(both, SYSTEM).state is State.ACTIVE
    work_off(hall, other, clock())
    assert runs_of(datastore, both)[old] == cancelled
    assert hall.jobs.get(both, SYSTEM).state is State.COMPLETED_WITH_ERRORS


def test_a_run_book_goes_on_without_it(hall: Hall, enrolled: Any) -> None:
    old, _ = enrolled("two")
    job = hall.scheduling.submit(a_request(RINGS, WhatKind.RUNBOOK, who=on(old)), SYSTEM).id
    remove(hall, old)

    found = hall.runbook_jobs.get(job, SYSTEM)
    assert found.job.state not in (State.ACTIVE, State.SCHEDULED)
    assert found.steps[0].state is State.CANCELLED


def test_what_is_scheduled_for_it_alone_is_skipped_when_its_time_comes(hall: Hall, enrolled: Any, clock: Any) -> None:
    old, _ = enrolled("old")
    later = When(immediate=False, starts_at=clock() + timedelta(hours=1))
    job = hall.scheduling.submit(a_request(who=on(old), when=later), SYSTEM).id
    team = hall.scheduling.submit(a_request(who=on(LINUX, kind=WhoKind.TEAM), when=later), SYSTEM).id
    remove(hall, old)
    clock.turn(timedelta(hours=1))
    hall.clockwork.activate_due()

    assert [hall.jobs.get(one, SYSTEM).state for one in (job, team)] == [State.SKIPPED] * 2


def test_an_agent_that_is_online_stays(hall: Hall, enrolled: Any, clock: Any) -> None:
    agent, secret = enrolled("busy")
    hall.enrolment.note_contacts({agent: clock()}, {})
    with pytest.raises(AgentBusy, match="agent busy cannot be removed: it is online"):
        remove(hall, agent)
    hall.enrolment.authenticate(agent, secret)
    hall.enrolment.note_contacts({}, {agent: clock()})
    remove(hall, agent)


def test_an_agent_that_holds_a_run_stays_until_its_lease_is_over(
    hall: Hall, enrolled: Any, clock: Any, datastore: Datastore
) -> None:
    agent, _ = enrolled("busy")
    job = hall.scheduling.submit(a_request(who=on(agent)), SYSTEM).id
    (run,) = lease(hall, agent, 1)
    report(hall, agent, run, RunStarted(clock()), TaskStarted(0, clock()))
    with pytest.raises(AgentBusy, match="has a run whose end it has not reported yet"):
        remove(hall, agent)
    assert runs_of(datastore, job)[agent][0] is State.ACTIVE
    lapse(hall, clock)
    remove(hall, agent)
    assert runs_of(datastore, job)[agent][0] is State.FAILED


def test_the_right_is_needed(hall: Hall, enrolled: Any) -> None:
    enrolled("old")
    with pytest.raises(Forbidden, match="no Modify right on Topology/Agents"):
        remove(hall, "old", caller=Caller("reader", {Node.AGENTS: Right.READ, Node.TEAMS: Right.MODIFY}))
    assert names(hall) == ["old"]


def test_a_job_is_done_again_only_where_there_is_an_agent(hall: Hall, enrolled: Any, clock: Any) -> None:
    (old, _), (other, _) = enrolled("old"), enrolled("other")
    job = hall.scheduling.submit(a_request(who=on(old, other)), SYSTEM).id
    for agent in (old, other):
        (run,) = lease(hall, agent, 1)
        report(hall, agent, run, RunStarted(clock()), RunFinished(clock(), Event.FAIL))
    remove(hall, old)
    assert [who.name for who in hall.rerun.rerun(job, True, SYSTEM).who] == ["other"]


def test_what_is_kept_of_an_agent_goes_when_its_last_run_has_gone(
    hall: Hall, enrolled: Any, clock: Any, count: Any, load_library: Any
) -> None:
    load_library("agents: [{name: idle}]")
    old, _ = enrolled("old")
    do_a_job(hall, old, now=clock())
    remove(hall, "old")
    remove(hall, "idle")
    assert hall.removals.forget() == 0
    clock.turn(SETTLING + timedelta(seconds=1))
    assert (hall.removals.forget(), count(Agent)) == (1, 1)
    hall.settings.set("retention.jobs_days", "1", SYSTEM)
    clock.turn(timedelta(days=2))
    while hall.retention.sweep():
        clock.moment = hall.retention.next_moment()
    assert (count(RUNS), hall.removals.forget(), count(Agent)) == (0, 1, 0)


def test_runs_that_come_to_it_meanwhile_do_not_wait(
    hall: Hall, enrolled: Any, clock: Any, datastore: Datastore
) -> None:
    """As when another dispatcher has chosen the agent just before it goes, and makes the run just after."""
    old, _ = enrolled("old")
    job = hall.scheduling.submit(a_request(who=on(old)), SYSTEM).id
    with datastore.begin() as session:
        row = dict(session.execute(select(RUNS)).mappings().one())
        session.execute(RUNS.delete())
    remove(hall, old)
    with datastore.begin() as session:
        session.execute(RUNS.insert(), row)
    clock.turn(2 * SETTLING)  # however late it is seen
    assert (hall.removals.settle(), hall.removals.settle()) == (1, 0)
    assert hall.jobs.get(job, SYSTEM).state is State.CANCELLED


def come_late(hall: Hall, datastore: Datastore, *agents: UUID) -> None:
    """Remove the agents, and have their runs made only then."""
    mine = RUNS.c.agent_id.in_(agents)
    with datastore.begin() as session:
        rows = [dict(row) for row in session.execute(select(RUNS).where(mine)).mappings()]
        session.execute(RUNS.delete().where(mine))
    for agent in agents:
        remove(hall, agent)
    with datastore.begin() as session:
        session.execute(RUNS.insert(), rows)


def test_a_batch_of_removed_agents_is_over_and_the_next_one_begins(
    hall: Hall, enrolled: Any, clock: Any, datastore: Datastore
) -> None:
    one, two, three, last = (enrolled(name)[0] for name in ("a", "b", "c", "d"))
    job = hall.scheduling.submit(a_request(who=on(one, two, three, last), options={"batch_size": 1}), SYSTEM).id
    come_late(hall, datastore, two, three)
    work_off(hall, one, clock())

    gone = (State.CANCELLED, "agent was removed")
    assert [runs_of(datastore, job)[agent] for agent in (two, three)] == [gone, gone]
    work_off(hall, last, clock())
    assert runs_of(datastore, job)[last][0] is State.COMPLETED
    assert hall.jobs.get(job, SYSTEM).state is State.COMPLETED_WITH_ERRORS


def test_late_runs_in_batches_are_settled(hall: Hall, enrolled: Any, datastore: Datastore) -> None:
    agents = [enrolled(name)[0] for name in ("a", "b", "c")]
    job = hall.scheduling.submit(a_request(who=on(*agents), options={"batch_size": 1}), SYSTEM).id
    come_late(hall, datastore, *agents)
    while hall.removals.settle():
        pass
    assert {state for state, _ in runs_of(datastore, job).values()} == {State.CANCELLED}
    assert hall.jobs.get(job, SYSTEM).state is State.CANCELLED


def test_a_job_that_cannot_go_on_keeps_no_other_one_from_being_settled(
    hall: Hall, enrolled: Any, datastore: Datastore
) -> None:
    one, two, other = (enrolled(name)[0] for name in ("a", "b", "c"))
    broken = hall.scheduling.submit(a_request(who=on(one, two), options={"batch_size": 1}), SYSTEM).id
    sound = hall.scheduling.submit(a_request(who=on(other)), SYSTEM).id
    come_late(hall, datastore, one, two, other)
    with datastore.begin() as session:
        session.execute(update(JOBS).where(JOBS.c.id == broken).values(options={"batch_size": [], "stop_after": []}))

    with capture_logs() as logged:
        assert hall.removals.settle() == 1
    assert {entry["event"] for entry in logged if entry["log_level"] == "error"} == {"removal.not_settled"}
    assert hall.jobs.get(sound, SYSTEM).state is State.CANCELLED
    assert hall.jobs.get(broken, SYSTEM).state is State.ACTIVE


def test_who_removed_what_is_in_the_log(hall: Hall, enrolled: Any) -> None:
    agent, _ = enrolled("old")
    with capture_logs() as logged:
        remove(hall, agent, with_history=True, caller=Caller("admin", dict.fromkeys(Node, Right.MODIFY)))
    (entry,) = [entry for entry in logged if entry["event"] == "agent.removed"]
    said = {"by": "admin", "agent": str(agent), "name": "old", "with_history": True}
    assert entry == {"event": "agent.removed", "log_level": "info", **said}


def test_an_entry_is_taken_over_or_removed_but_not_both(
    hall: Hall, load_library: Any, datastore: Datastore, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_library("agents: [{name: known}]")
    token = hall.tokens.create_enrol_token(SYSTEM, once=True)
    find, failures = hall.enrolment._known, []

    def take_away() -> None:
        try:
            with patient_for(0.1):
                hall.removals.remove(WhoChoice(["known"], WhoKind.AGENT), False, SYSTEM)
        except DispatcherError as error:
            failures.append(error)

    remover = threading.Thread(target=take_away)

    def find_and_be_overtaken(*arguments: Any) -> Any:
        found = find(*arguments)
        remover.start()
        if not datastore.traits.single_writer:  # there it waits for this transaction to end
            remover.join(60)
        return found

    monkeypatch.setattr(hall.enrolment, "_known", find_and_be_overtaken)
    identity = hall.enrolment.enrol(token, "known", None, Facts(os="linux"))
    remover.join(60)

    assert hall.enrolment.are_proven([identity]) == [names(hall) == ["known"]]
    if not datastore.traits.single_writer:
        assert [type(error) for error in failures] == [Busy]


def test_no_secret_proves_a_removed_agent(hall: Hall, enrolled: Any, clock: Any, datastore: Datastore) -> None:
    identity = enrolled("old")
    with datastore.begin() as session:
        session.execute(update(Agent).values(removed_at=clock()))
        revisions.bump(session, revisions.TOPOLOGY)
    assert hall.enrolment.are_proven([identity]) == [False]


def test_what_a_library_has_just_brought_back_is_not_forgotten(
    hall: Hall, enrolled: Any, clock: Any, load_library: Any, datastore: Datastore, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, _ = enrolled("old")
    remove(hall, old)
    clock.turn(SETTLING + timedelta(seconds=1))
    importer = threading.Thread(target=load_library, args=(f"agents: [{{name: back, id: {old}}}]",))

    def delete_late(table: Any) -> Any:
        importer.start()
        if not datastore.traits.single_writer:  # there it waits for this transaction to end
            importer.join(60)
        return delete(table)

    monkeypatch.setattr(removals, "delete", delete_late)
    hall.removals.forget()
    importer.join(60)
    assert names(hall) == ["back"]


def test_agents_go_while_work_comes_for_them(
    hall: Hall, enrolled: Any, datastore: Datastore, ports: Any, secrets: Any
) -> None:
    """Whatever wins: every run of a removed agent has ended, and with them every job."""
    halls = [hall, build_hall(datastore, ports, secrets, lease=timedelta(seconds=30))]
    agents = [enrolled(f"agent {number}")[0] for number in range(6)]
    barrier, failures, submitted = threading.Barrier(3), list[DispatcherError](), threading.Event()

    def submit(one: Hall) -> None:
        barrier.wait(30)
        for agent in agents:
            try:
                request = a_request(who=on(*agents[-2:], agent))
                again(lambda request=request: one.scheduling.submit(request, SYSTEM), 50)  # type: ignore[misc]
                submitted.set()
            except InvalidValue:
                pass  # it is gone already
            except DispatcherError as error:
                failures.append(error)

    def take_away() -> None:
        barrier.wait(30)
        submitted.wait(30)
        for agent in agents:
            try:
                remove(hall, agent)
            except DispatcherError as error:
                failures.append(error)

    threads = [threading.Thread(target=submit, args=(one,)) for one in halls] + [threading.Thread(target=take_away)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert failures == []
    assert submitted.is_set()
    hall.removals.settle()
    with datastore.read() as session:
        assert set(session.scalars(select(RUNS.c.state))) <= {State.CANCELLED}
        assert State.ACTIVE not in set(session.scalars(select(JOBS.c.state)))
