"""Crowds: what many agents ask and tell at once is answered as if each had come alone, by a few statements."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from job_world import BOTH, GREET, LIBRARY, a_request, lapse, lease, on
from sqlalchemy import event, select
from statements import statements

from dispatcher.core.errors import Deadlock, Unavailable
from dispatcher.core.jobs import WhatKind
from dispatcher.core.permissions import SYSTEM
from dispatcher.core.states import Event, State
from dispatcher.datastore.agents import Agent
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.enrolment import Facts
from dispatcher.services.hall import Hall
from dispatcher.services.leasing import Ask
from dispatcher.services.reporting import News, Output, Report, RunFinished, RunStarted, TaskFinished, TaskStarted
from dispatcher.services.run_orders import LeasedRun


@pytest.fixture(autouse=True)
def library(load_library: Callable[[str], None]) -> None:
    load_library(LIBRARY)


@pytest.fixture
def agents(enrol: Callable[..., UUID]) -> list[UUID]:
    return [enrol(f"agent {number}", os="windows" if number == 3 else "linux") for number in range(4)]


def submit(hall: Hall, *agents: UUID, what: UUID = GREET, kind: WhatKind = WhatKind.MODULE) -> UUID:
    return hall.scheduling.submit(a_request(what, kind, who=on(*agents)), SYSTEM).id


def lend(hall: Hall, agents: list[UUID], free: int = 1) -> list[LeasedRun]:
    """Let each of *agents* fetch one run."""
    given = hall.leasing.orders_of([Ask(agent, free, []) for agent in agents])
    return [run for runs, _ in given for run in runs]


def held(run: LeasedRun) -> list[tuple[UUID, int]]:
    return [(run.id, run.fence)]


def done(agent: UUID, run: LeasedRun, now: Any, end: Event = Event.COMPLETE) -> Report:
    events = [
        RunStarted(now),
        TaskStarted(0, now),
        Output(0, 0, b"out"),
        TaskFinished(0, now, end),
        RunFinished(now, end),
    ]
    return Report(agent, [News(run.id, run.fence, one) for one in events], held(run))


def test_each_agent_is_given_its_own_runs(hall: Hall, agents: list[UUID]) -> None:
    many = submit(hall, *agents, what=BOTH, kind=WhatKind.PROJECT)
    single = submit(hall, agents[1])
    given = hall.leasing.orders_of([Ask(agent, 2, []) for agent in agents])
    assert [[run.job_id for run in runs] for runs, _ in given] == [[many], [many, single], [many], [many]]
    names = [[module.document["name"] for module in runs[0].modules] for runs, _ in given]
    assert names == [["Greet"]] * 3 + [["Greet", "Only Windows"]]
    assert lend(hall, agents) == []


def test_no_agent_gets_more_than_it_has_room_for(hall: Hall, agents: list[UUID]) -> None:
    hall.settings.set("agents.parallel_runs", "2", SYSTEM)
    for _ in range(3):
        submit(hall, *agents[:2])
    assert len(lend(hall, agents[:1])) == 1
    given = hall.leasing.orders_of([Ask(agents[0], 5, []), Ask(agents[1], 5, []), Ask(agents[2], 5, [])])
    assert [len(runs) for runs, _ in given] == [1, 2, 0]


def test_each_agent_is_told_of_its_own_losses_and_aborts(hall: Hall, agents: list[UUID]) -> None:
    jobs = [submit(hall, agent) for agent in agents]
    runs = lend(hall, agents)
    hall.aborting.abort(jobs[1], SYSTEM)
    says = [held(runs[0]), [], [(runs[2].id, runs[2].fence - 1)], held(runs[0])]
    given = hall.leasing.orders_of([Ask(agent, 0, said) for agent, said in zip(agents, says, strict=True)])
    told = [(standing.aborts, standing.lost) for _, standing in given]
    assert told == [([], []), ([runs[1].id], []), ([], [runs[2].id]), ([], [runs[0].id])]
    receipts = hall.reporting.report_all([Report(agent, [], said) for agent, said in zip(agents, says, strict=True)])
    assert [(standing.aborts, standing.lost) for standing in receipts] == told


@pytest.mark.parametrize("reports", [False, True])
def test_only_what_is_the_agents_own_is_renewed(hall: Hall, agents: list[UUID], clock: Any, reports: bool) -> None:
    submit(hall, *agents[:2])
    first, second = lend(hall, agents[:2])
    clock.turn(timedelta(seconds=20))
    if reports:
        hall.reporting.report_all([Report(agents[0], [], held(first)), Report(agents[2], [], held(second))])
    else:
        hall.leasing.orders_of([Ask(agents[0], 0, held(first)), Ask(agents[2], 0, held(second))])
    assert lapse(hall, clock, timedelta(seconds=20)) == 1
    assert lend(hall, agents[:2])[0].id == second.id


def test_only_what_never_reached_its_agent_waits_again(hall: Hall, agents: list[UUID], clock: Any) -> None:
    submit(hall, *agents)
    runs = lend(hall, agents)
    now = clock.steady()
    hall.leasing.reclaim_of(
        [
            Ask(agents[0], 1, [], now),
            Ask(agents[1], 1, held(runs[1]), now),
            Ask(agents[2], 1, [], now - 1.0),
            Ask(agents[3], 1, []),
        ]
    )
    assert hall.leasing.with_business(agents) == set(agents)
    again = hall.leasing.orders_of([Ask(agent, 1, []) for agent in agents])
    assert [[run.id for run in given] for given, _ in again] == [[runs[0].id], [], [], []]


def test_a_job_whose_runs_end_in_one_batch_ends_once(hall: Hall, agents: list[UUID], clock: Any) -> None:
    many, single = submit(hall, *agents), submit(hall, agents[0])
    runs = lend(hall, agents)
    [other] = lease(hall, agents[0], 1)
    ends = [Event.COMPLETE, Event.FAIL, Event.COMPLETE, Event.COMPLETE]
    told = [done(agent, run, clock(), end) for agent, run, end in zip(agents, runs, ends, strict=True)]
    for _ in range(2):
        standings = hall.reporting.report_all([*told, done(agents[0], other, clock())])
        assert [one.lost for one in standings] == [[run.id] for run in (*runs, other)]
    jobs = [hall.jobs.get(job, SYSTEM) for job in (many, single)]
    assert [job.state for job in jobs] == [State.COMPLETED_WITH_ERRORS, State.COMPLETED]


def test_news_of_another_agents_run_changes_nothing(hall: Hall, agents: list[UUID], clock: Any) -> None:
    job = submit(hall, *agents[:2])
    first, second = lend(hall, agents[:2])
    strange = done(agents[1], first, clock(), Event.FAIL)
    standings = hall.reporting.report_all([strange, Report(agents[0], [], held(first))])
    assert [one.lost for one in standings] == [[first.id], []]
    hall.reporting.report_all([done(agents[0], first, clock()), done(agents[1], second, clock())])
    assert hall.jobs.get(job, SYSTEM).state is State.COMPLETED


def test_two_reports_of_one_agent_count_in_their_order(hall: Hall, agents: list[UUID], clock: Any) -> None:
    job = submit(hall, agents[0])
    [run] = lend(hall, agents[:1])
    whole = done(agents[0], run, clock())
    begin = Report(agents[0], whole.news[:3], whole.held)
    standings = hall.reporting.report_all([begin, whole])
    assert [one.lost for one in standings] == [[run.id]] * 2
    assert hall.jobs.get(job, SYSTEM).state is State.COMPLETED


def test_facts_of_many_are_stored_each_with_its_agent(hall: Hall, agents: list[UUID]) -> None:
    hall.enrolment.note_facts_of(
        {agents[0]: Facts(os="windows"), agents[1]: Facts(os="linux"), UUID(int=1): Facts(os="macos")}
    )
    with hall.topology._datastore.read() as session:
        targets = hall.topology.targets(session, agents)
    assert [targets[agent].os for agent in agents] == ["windows", "linux", "linux", "windows"]


def test_secrets_of_many_are_looked_at_each_by_itself(hall: Hall) -> None:
    token = hall.tokens.create_enrol_token(SYSTEM)
    (one, secret), (two, other) = (hall.enrolment.enrol(token, name, None, Facts()) for name in ("a", "b"))
    claims = [(one, secret), (two, secret), (UUID(int=1), secret), (two, other), (one, other)]
    for _ in range(2):
        assert hall.enrolment.are_proven(claims) == [True, False, False, True, False]


def test_a_crowd_takes_hardly_more_statements_than_one(
    hall: Hall, datastore: Datastore, enrol: Callable[..., UUID], clock: Any
) -> None:
    agents = [enrol(f"one of {number}") for number in range(21)]
    submit(hall, *agents)
    counts = []
    for some in (agents[:1], agents[1:]):
        with statements(datastore) as sent:
            assert hall.leasing.with_business(some) == set(some)
            hall.leasing.reclaim_of([Ask(agent, 1, [], clock.steady()) for agent in some])
            runs = lend(hall, some)
        lending = len(sent)
        with statements(datastore) as sent:
            hall.reporting.report_all([done(agent, run, clock()) for agent, run in zip(some, runs, strict=True)])
        counts.append((lending, len(sent)))
    (lend_one, report_one), (lend_many, report_many) = counts
    assert lend_many - lend_one <= len(agents) - 2  # what waits for an agent is asked for agent by agent
    assert report_many - report_one <= 4  # the end of the job


@pytest.mark.parametrize("error", [Deadlock("again and again"), Unavailable("gone"), ValueError("a defect")])
def test_a_run_that_cannot_be_failed_keeps_nobody_from_what_was_lent(
    hall: Hall, agents: list[UUID], clock: Any, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    submit(hall, *agents)
    usual = hall.leasing._run_orders._plans.run

    def only_linux(session: Any, what: Any, parameters: Any, os: str) -> Any:
        if os == "windows":
            raise Unavailable("its secrets cannot be opened")
        return usual(session, what, parameters, os)

    def broken(*_: Any) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(hall.leasing._run_orders._plans, "run", only_linux)
        patch.setattr(hall.leasing._activation, "run_ended", broken)
        assert len(lend(hall, agents)) == 3
    assert lend(hall, agents) == []
    lapse(hall, clock)
    assert len(lend(hall, agents[3:])) == 1


def test_contacts_are_noted_once_all_of_their_agents_are_locked(
    hall: Hall, datastore: Datastore, agents: list[UUID], clock: Any
) -> None:
    if datastore.traits.single_writer:
        pytest.skip("there is nothing to lock")
    unlocked: list[list[UUID]] = []

    def look(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("UPDATE agent"):
            with datastore.engine.connect() as other:
                query = select(Agent.id).where(Agent.id.in_(agents))
                unlocked.append(list(other.scalars(query.with_for_update(key_share=True, skip_locked=True))))

    event.listen(datastore.engine, "before_cursor_execute", look)
    try:
        hall.enrolment.note_contacts(dict.fromkeys(agents[2:], clock()), dict.fromkeys(agents[:2], clock()))
    finally:
        event.remove(datastore.engine, "before_cursor_execute", look)
    assert unlocked
    assert unlocked[0] == []
