"""On demand: a recurring job occurs when somebody asks for it, and stays when its due times are over."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from job_world import GREET, LIBRARY, a_request, lease, on, report, work_off
from schedule_world import NOON, QUARTER, World
from sqlalchemy import select

from dispatcher.core.errors import Conflict, Forbidden, InvalidMove, InvalidValue, JobNotFound
from dispatcher.core.jobs import GivenSet, Invoker, WhatChoice, WhatKind, When
from dispatcher.core.parameters import GivenValue
from dispatcher.core.permissions import SYSTEM, Caller, Node, Right, everything
from dispatcher.core.schedules import DEMAND, Misfire, RecurrenceRequest
from dispatcher.core.states import State
from dispatcher.datastore.jobs import JOBS
from dispatcher.services.hall import Hall
from dispatcher.services.reporting import RunStarted

ONCE = "DTSTART:20260301T121500Z"
ANN = Caller("ann", everything(Right.MODIFY))


@pytest.fixture
def world(hall: Hall, clock: Any, enrol: Callable[..., UUID], load_library: Callable[[str], None]) -> World:
    load_library(LIBRARY)
    return World(hall, clock, enrol("one"))


def test_a_job_on_demand_has_no_due_time_and_never_ends_by_itself(world: World) -> None:
    job = world.recur(DEMAND)

    assert world.hall.schedules.get(job.id, SYSTEM).next_due_at is None
    assert job.when.starts_at is None
    world.turn(timedelta(days=400))
    assert (world.state(job), world.ledger(job)) == (State.SCHEDULED, [])


def test_running_it_makes_a_job_with_a_row_in_the_ledger(world: World) -> None:
    pattern = world.recur(DEMAND)
    made = world.hall.on_demand.run(pattern.id, ANN)

    assert (made.state, made.recurring_id, made.invoker, made.invoker_info) == (
        State.ACTIVE,
        pattern.id,
        Invoker.USER,
        "ann",
    )
    assert world.ledger(pattern) == [("12:00", "FIRED", "asked for by ann")]
    assert world.jobs(pattern) == [made]
    work_off(world.hall, world.agent, world.clock())
    assert world.state(made) is State.COMPLETED


def test_it_may_be_run_many_times_in_one_moment(world: World) -> None:
    pattern = world.recur(DEMAND)
    made = [world.hall.on_demand.run(pattern.id, SYSTEM).id for _ in range(3)]
    assert [job.id for job in world.jobs(pattern)] == made


def test_due_times_stay_as_they_are(world: World) -> None:
    pattern = world.recur("DTSTART:20260301T120000Z\nRRULE:FREQ=MINUTELY;INTERVAL=15")
    world.hall.on_demand.run(pattern.id, SYSTEM)  # at the very moment of the first one, which nobody has fired yet
    world.turn()
    world.turn(QUARTER)

    assert [(due, reason) for due, _, reason in world.ledger(pattern)] == [
        ("12:00", ""),
        ("12:00", "asked for by system"),
        ("12:15", ""),
    ]


def test_what_stays_may_be_run_after_its_last_due_time(world: World) -> None:
    pattern = world.recur(ONCE, options={"stays": True})
    world.turn(QUARTER)
    assert (world.state(pattern), len(world.jobs(pattern))) == (State.SCHEDULED, 1)
    assert world.hall.schedules.get(pattern.id, SYSTEM).next_due_at is None

    world.turn(timedelta(days=400))
    world.hall.on_demand.run(pattern.id, SYSTEM)
    assert len(world.jobs(pattern)) == 2


def test_what_waited_for_the_job_before_it_does_not_end_what_stays(world: World) -> None:
    rule = "DTSTART:20260301T120000Z\nRRULE:FREQ=MINUTELY;COUNT=2"
    pattern = world.recur(rule, overlap="queue", options={"stays": True})
    world.turn()
    world.turn(timedelta(minutes=1))
    work_off(world.hall, world.agent, world.clock())
    world.turn()
    assert [outcome for _, outcome in world.outcomes(pattern)] == ["FIRED", "FIRED"]
    assert world.state(pattern) is State.SCHEDULED


def test_what_does_not_stay_ends_with_its_last_due_time_and_may_still_be_run(world: World) -> None:
    pattern = world.recur(ONCE)
    world.turn(QUARTER)
    assert world.state(pattern) is State.COMPLETED
    assert world.hall.on_demand.run(pattern.id, SYSTEM).recurring_id == pattern.id


def test_what_ends_as_its_last_one_does_is_active_until_then(world: World) -> None:
    pattern = world.recur(ONCE, options={"ends_as_last": True})
    world.turn(QUARTER)
    world.hall.on_demand.run(pattern.id, SYSTEM)
    assert (world.state(pattern), len(world.jobs(pattern))) == (State.ACTIVE, 2)
    first = world.jobs(pattern)[0]
    world.hall.aborting.abort(first.id, SYSTEM)
    world.hall.occurrences.release_held()
    assert world.state(pattern) is State.ACTIVE
    assert world.hall.occurrences.held_moment() is not None

    work_off(world.hall, world.agent, world.clock())
    world.hall.occurrences.release_held()
    assert (world.state(pattern), world.hall.occurrences.held_moment() is None) == (State.COMPLETED, False)
    world.hall.occurrences.release_held()
    assert world.hall.occurrences.held_moment() is None


def test_what_cannot_be_run_is_refused(world: World) -> None:
    plain = world.hall.scheduling.submit(a_request(who=on(world.agent)), SYSTEM)
    with pytest.raises(JobNotFound):
        world.hall.on_demand.run(plain.id, SYSTEM)
    with pytest.raises(JobNotFound):
        world.hall.on_demand.run(UUID(int=5), SYSTEM)

    pattern = world.recur(DEMAND)
    world.hall.aborting.disable(pattern.id, SYSTEM)
    with pytest.raises(Conflict, match="Disabled"):
        world.hall.on_demand.run(pattern.id, SYSTEM)
    world.hall.aborting.abort(pattern.id, SYSTEM)
    with pytest.raises(Conflict, match="Cancelled"):
        world.hall.on_demand.run(pattern.id, SYSTEM)
    assert world.ledger(pattern) == []


@pytest.mark.parametrize("node", [Node.SCHEDULING, Node.MODULES, Node.AGENTS])
def test_it_takes_the_rights_that_scheduling_does(world: World, node: Node) -> None:
    pattern = world.recur(DEMAND)
    caller = Caller("ann", {**everything(Right.MODIFY), node: Right.DENY})
    with pytest.raises(Forbidden):
        world.hall.on_demand.run(pattern.id, caller)
    assert world.ledger(pattern) == []


def test_changing_a_job_leaves_its_due_time_and_what_has_been(world: World, enrol: Callable[..., UUID]) -> None:
    pattern = world.recur()
    world.turn()
    world.clock.turn(QUARTER)  # the next one is due, and nobody has fired it yet
    other = enrol("two")
    kept = world.hall.schedules.get(pattern.id, SYSTEM).recurrence
    wanted = a_request(who=on(other), when=When(recurrence=kept), description="other")
    changed = world.hall.scheduling.change(pattern.id, wanted, ANN)

    assert (changed.id, changed.number, changed.description) == (pattern.id, pattern.number, "other")
    assert (changed.invoker_info, changed.started_at) == (pattern.invoker_info, NOON + QUARTER)
    world.turn()
    assert world.outcomes(pattern) == [("12:00", "FIRED"), ("12:15", "FIRED")]
    assert [[who.name for who in job.who] for job in world.jobs(pattern)] == [["one"], ["two"]]


@pytest.mark.parametrize("alias", [None, ("opsramp", "job_type", "nothing has it")])
def test_what_a_job_was_asked_for_changes_nothing_of_it(world: World, alias: tuple[str, str, str] | None) -> None:
    values = [GivenValue("Who", "me"), GivenValue("Password", "t0psecret")]
    made = a_request(
        what=GREET,
        who=on(world.agent),
        when=When(recurrence=RecurrenceRequest(DEMAND, misfire=Misfire.ALL), use_wake_on_lan=True),
        description="" if alias else "my own words",
        parameters=[GivenSet(None, values)],
        in_parallel=True,
        outside_launch_window="wait",
        tags="a;b",
        options={"timeout_s": 77},
    )
    made.what = [WhatChoice(GREET, WhatKind.MODULE, alias)]
    pattern = world.hall.scheduling.submit(made, SYSTEM)
    for _ in range(2):
        with world.hall.datastore.read() as session:
            row = session.execute(select(JOBS).where(JOBS.c.id == pattern.id)).mappings().one()
            request = world.hall.scheduling.requested(session, pattern.id)
        assert [(one.name, one.value1) for one in request.parameters[0].values] == [
            (one.name, one.value1) for one in values
        ]
        assert request.options == {"timeout_s": 77}
        assert world.hall.scheduling.change(pattern.id, request, ANN) == pattern
        with world.hall.datastore.read() as session:
            again = session.execute(select(JOBS).where(JOBS.c.id == pattern.id)).mappings().one()
        # What is sealed is sealed anew.
        assert {**again, "parameters": None} == {**row, "parameters": None}


def test_another_recurrence_holds_from_now_on(world: World) -> None:
    pattern = world.recur()
    world.clock.turn(QUARTER)
    hourly = RecurrenceRequest("DTSTART:20260301T003000Z\nRRULE:FREQ=HOURLY")
    world.hall.scheduling.change(pattern.id, a_request(who=on(world.agent), when=When(recurrence=hourly)), SYSTEM)
    world.turn()
    world.turn(QUARTER)
    assert world.outcomes(pattern) == [("12:30", "FIRED")]


def test_only_what_recurs_and_lives_is_changed(world: World) -> None:
    plain = world.hall.scheduling.submit(a_request(who=on(world.agent)), SYSTEM)
    wanted = a_request(who=on(world.agent), when=When(recurrence=RecurrenceRequest(DEMAND)))
    with pytest.raises(JobNotFound):
        world.hall.scheduling.change(plain.id, wanted, SYSTEM)
    with pytest.raises(InvalidValue):
        world.hall.scheduling.change(plain.id, a_request(who=on(world.agent)), SYSTEM)
    pattern = world.recur(DEMAND)
    world.hall.aborting.abort(pattern.id, SYSTEM)
    with pytest.raises(InvalidMove):
        world.hall.scheduling.change(pattern.id, wanted, SYSTEM)


def test_a_change_that_is_refused_changes_nothing(world: World) -> None:
    pattern = world.recur(DEMAND)
    wanted = a_request(UUID(int=9), who=on(world.agent), when=When(recurrence=RecurrenceRequest(ONCE)))
    with pytest.raises(InvalidValue):
        world.hall.scheduling.change(pattern.id, wanted, SYSTEM)
    assert world.hall.jobs.get(pattern.id, SYSTEM) == pattern
    with pytest.raises(Forbidden):
        world.hall.scheduling.change(
            pattern.id,
            a_request(who=on(world.agent), when=When(recurrence=RecurrenceRequest(ONCE))),
            Caller("ann", {**everything(Right.MODIFY), Node.AGENTS: Right.DENY}),
        )
    assert world.hall.jobs.get(pattern.id, SYSTEM) == pattern


def test_pause_outlives_a_change(world: World) -> None:
    pattern = world.recur()
    world.hall.schedules.pause(pattern.id, NOON + 2 * QUARTER, SYSTEM)
    hourly = RecurrenceRequest("DTSTART:20260301T003000Z\nRRULE:FREQ=HOURLY")
    world.hall.scheduling.change(pattern.id, a_request(who=on(world.agent), when=When(recurrence=hourly)), SYSTEM)
    assert world.hall.schedules.get(pattern.id, SYSTEM).is_paused
    world.turn(2 * QUARTER)
    assert world.outcomes(pattern) == [("12:30", "SKIPPED")]

    world.hall.schedules.pause(pattern.id, NOON + 8 * QUARTER, SYSTEM)
    until = NOON + 12 * QUARTER
    longer = RecurrenceRequest(hourly.rule, paused_until=until)
    world.hall.scheduling.change(pattern.id, a_request(who=on(world.agent), when=When(recurrence=longer)), SYSTEM)
    assert world.hall.schedules.get(pattern.id, SYSTEM).recurrence.paused_until == until


def test_job_that_is_over_is_changed_and_goes_on_by_another_rule(world: World) -> None:
    pattern = world.recur(ONCE)
    world.turn(QUARTER)
    kept = world.hall.schedules.get(pattern.id, SYSTEM).recurrence
    wanted = a_request(who=on(world.agent), when=When(recurrence=kept), description="other")
    changed = world.hall.scheduling.change(pattern.id, wanted, SYSTEM)
    assert (changed.description, changed.state) == ("other", State.COMPLETED)

    wanted.when = When(recurrence=RecurrenceRequest("DTSTART:20260301T123000Z"))
    changed = world.hall.scheduling.change(pattern.id, wanted, SYSTEM)
    assert (changed.state, changed.stopped_at, changed.started_at) == (State.SCHEDULED, None, NOON + 2 * QUARTER)
    world.turn(QUARTER)
    assert world.outcomes(pattern) == [("12:15", "FIRED"), ("12:30", "FIRED")]
    assert world.state(pattern) is State.COMPLETED

    wanted.when = When(recurrence=RecurrenceRequest("DTSTART:20260301T120000Z"))
    with pytest.raises(InvalidValue, match="is over"):
        world.hall.scheduling.change(pattern.id, wanted, SYSTEM)


def test_job_that_is_over_waits_for_changes_of_a_computer_from_now_on(world: World) -> None:
    pattern = world.recur(ONCE)
    world.turn(QUARTER)
    kept = world.hall.schedules.get(pattern.id, SYSTEM).recurrence
    wanted = a_request(who=on(world.agent), when=When(recurrence=kept), options={"on_change": True})
    assert world.hall.scheduling.change(pattern.id, wanted, SYSTEM).state is State.SCHEDULED
    world.turn(QUARTER)
    assert world.outcomes(pattern) == [("12:15", "FIRED")]


@pytest.mark.parametrize("options", [{}, {"stays": True}])
def test_what_is_over_from_the_first_is_refused(world: World, options: Any) -> None:
    with pytest.raises(InvalidValue, match="is over"):
        world.recur("DTSTART:20260301T114500Z", options=options)


def test_the_first_due_time_is_sought_from_the_moment_of_the_request(world: World) -> None:
    now = world.clock()
    world.clock.turn(timedelta(milliseconds=300))
    when = When(recurrence=RecurrenceRequest("DTSTART:20260301T120000Z"), since=now)
    pattern = world.hall.scheduling.submit(a_request(who=on(world.agent), when=when), SYSTEM)
    world.turn()
    assert world.outcomes(pattern) == [("12:00", "FIRED")]


@pytest.mark.parametrize(("overlap", "outcome"), [("skip", "SKIPPED"), ("queue", "HELD"), ("cancel", "FIRED")])
def test_jobs_on_demand_hide_nothing_from_the_overlap_rule(world: World, overlap: str, outcome: str) -> None:
    pattern = world.recur(overlap=overlap)
    world.turn()
    (run,) = lease(world.hall, world.agent, 1)
    report(world.hall, world.agent, run, RunStarted(world.clock()))
    world.hall.on_demand.run(pattern.id, SYSTEM)
    work_off(world.hall, world.agent, world.clock())
    world.turn(QUARTER)

    assert [one for due, one in world.outcomes(pattern) if due == "12:15"] == [outcome]
    assert world.jobs(pattern)[0].state is (State.ABORTING if overlap == "cancel" else State.ACTIVE)


@pytest.mark.parametrize("overlap", ["skip", "queue", "cancel"])
def test_jobs_on_demand_keep_no_due_time(world: World, overlap: str) -> None:
    pattern = world.recur("DTSTART:20260301T121500Z\nRRULE:FREQ=HOURLY", overlap=overlap)
    made = world.hall.on_demand.run(pattern.id, SYSTEM)
    world.turn(QUARTER)
    assert world.outcomes(pattern) == [("12:00", "FIRED"), ("12:15", "FIRED")]
    assert world.state(made) is State.ACTIVE
