"""Schedules: every due time comes into the ledger once, with the job it became or the reason why it did not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from job_world import LIBRARY, NOBODY, RINGS, a_request, lease, on, work_off
from schedule_world import MINUTES, NOON, QUARTER, QUARTERS, World
from sqlalchemy import func, select

from dispatcher.core.errors import Forbidden, InvalidMove, InvalidValue, JobNotFound
from dispatcher.core.jobs import GivenSet, Invoker, Stage, WhatKind, When, WhoKind
from dispatcher.core.parameters import GivenValue
from dispatcher.core.permissions import SYSTEM, Caller, Node, Right
from dispatcher.core.schedules import BOOT, Misfire, Outcome, Overlap, RecurrenceRequest
from dispatcher.core.states import State
from dispatcher.datastore.jobs import JOBS
from dispatcher.datastore.schedules import OCCURRENCES
from dispatcher.datastore.transactions import Datastore
from dispatcher.engine.clock import Clock
from dispatcher.engine.duties import duties_of
from dispatcher.services import occurrences
from dispatcher.services.hall import Hall
from dispatcher.services.schedules import NotRecurring


@pytest.fixture
def world(hall: Hall, clock: Any, enrol: Callable[..., UUID], load_library: Callable[[str], None]) -> World:
    load_library(LIBRARY)
    return World(hall, clock, enrol("one"))


def test_recurring_job_is_shown_as_the_pattern_of_its_occurrences(world: World) -> None:
    world.clock.turn(timedelta(minutes=1))
    job = world.recur()

    assert (job.is_recurring, job.state, job.invoker) == (True, State.SCHEDULED, Invoker.USER)
    assert job.started_at == NOON + QUARTER
    assert world.hall.jobs.get(job.id, SYSTEM) == job
    assert [one.id for one in world.hall.jobs.page(Stage.SCHEDULED, False, False, 1, 10, SYSTEM).items] == [job.id]


def test_engine_fires_what_is_due_and_sleeps_until_the_next_due_time(world: World) -> None:
    job = world.recur(MINUTES)
    engine = Clock(duties_of(world.hall), world.clock, lambda: None)

    engine.turn()
    assert world.outcomes(job) == [("12:00", "FIRED")]

    world.clock.turn(timedelta(seconds=58))
    assert engine.turn() == 2.0
    world.clock.turn(timedelta(seconds=2))
    engine.turn()
    assert world.outcomes(job) == [("12:00", "FIRED"), ("12:01", "FIRED")]


def test_due_time_becomes_a_job_like_the_recurring_one(world: World) -> None:
    given = [GivenSet(None, [GivenValue("Who", "all"), GivenValue("Password", "hidden")])]
    job = world.recur(parameters=given, description="Quarterly", tags="t", options={"timeout_s": 60.0})

    world.turn()

    (fired,) = world.jobs(job)
    assert (fired.invoker, fired.recurring_id, fired.is_recurring) == (Invoker.RECURRENCE, job.id, False)
    assert (fired.description, fired.tags, fired.options) == ("Quarterly", "t", {"timeout_s": 60.0})
    assert fired.state is State.ACTIVE
    assert fired.when.starts_at == NOON
    (run,) = lease(world.hall, world.agent, 9)
    assert {p.name: p.value1 for p in run.modules[0].parameters} == {"Who": "all", "Password": "hidden"}
    assert world.ledger(job) == [("12:00", "FIRED", "")]
    assert world.hall.jobs.get(job.id, SYSTEM).started_at == NOON + QUARTER


def test_occurrences_are_listed_only_when_asked_for(world: World) -> None:
    job = world.recur()
    world.turn()

    def listed(recurring_jobs: bool) -> set[UUID]:
        return {one.id for one in world.hall.jobs.page(Stage.ALL, False, recurring_jobs, 1, 10, SYSTEM).items}

    assert listed(False) == {job.id}
    assert listed(True) == {job.id, world.jobs(job)[0].id}


def test_every_due_time_fires_once_and_no_second_time(world: World) -> None:
    job = world.recur()

    for _ in range(4):
        world.turn()
        world.turn(QUARTER)

    assert world.outcomes(job) == [(f"{12 + n // 4}:{n % 4 * 15:02}", "FIRED") for n in range(5)]
    assert len({one.id for one in world.jobs(job)}) == 5


def test_occurrence_runs_the_version_that_was_scheduled(world: World, load_library: Callable[[str], None]) -> None:
    job = world.recur()
    load_library(LIBRARY.replace("name: greet", "name: changed"))

    world.turn()

    (run,) = lease(world.hall, world.agent, 9)
    assert run.modules[0].document["tasks"][0]["name"] == "greet"
    assert world.jobs(job)[0].state is State.ACTIVE


def test_run_book_recurs(world: World) -> None:
    target = [GivenSet(None, [GivenValue("Target", "one")])]
    job = world.recur(what=RINGS, kind=WhatKind.RUNBOOK, parameters=target)

    world.turn()
    work_off(world.hall, world.agent, NOON)

    assert [one.state for one in world.jobs(job)] == [State.COMPLETED]


def test_occurrence_without_any_agent_is_skipped_with_its_reason(world: World) -> None:
    job = world.recur(who=on(NOBODY, kind=WhoKind.TEAM))

    world.turn()

    (fired,) = world.jobs(job)
    assert (fired.state, fired.reason) == (State.SKIPPED, "no agent: Nobody has no members")


def test_job_whose_rule_ends_is_completed(world: World) -> None:
    job = world.recur(QUARTERS + ";COUNT=50")
    assert world.hall.schedules.get(job.id, SYSTEM).next_due_at == NOON

    world.turn()
    assert world.state(job) is State.SCHEDULED
    world.turn(QUARTER)

    assert world.state(job) is State.COMPLETED
    assert world.hall.schedules.get(job.id, SYSTEM).next_due_at is None
    assert world.outcomes(job) == [("12:00", "FIRED"), ("12:15", "FIRED")]


def test_aborted_recurring_job_occurs_no_more(world: World) -> None:
    job = world.recur()
    world.turn()

    world.hall.aborting.abort(job.id, SYSTEM)
    world.turn(QUARTER)

    assert world.state(job) is State.CANCELLED
    assert world.outcomes(job) == [("12:00", "FIRED")]
    assert world.jobs(job)[0].state is State.ACTIVE


def test_ordinary_activation_leaves_recurring_jobs_alone(world: World) -> None:
    job = world.recur()

    assert world.hall.clockwork.activate_due() == 0
    assert world.hall.clockwork.next_moment() is None
    assert world.state(job) is State.SCHEDULED
    assert world.hall.occurrences.next_moment() == NOON


@pytest.mark.parametrize(
    ("misfire", "expected"),
    [
        (Misfire.SKIP, ["SKIPPED"] * 4),
        (Misfire.ONCE, ["SKIPPED"] * 3 + ["FIRED"]),
        (Misfire.ALL, ["SKIPPED"] + ["FIRED"] * 3),
    ],
)
def test_due_times_missed_by_a_downtime_follow_the_misfire_rule(
    world: World, misfire: Misfire, expected: list[str]
) -> None:
    job = world.recur(misfire=misfire, misfire_window=timedelta(minutes=40))

    world.turn(timedelta(minutes=50))
    assert [outcome for _, outcome in world.outcomes(job)] == expected
    assert all(reason.startswith("missed: ") for _, outcome, reason in world.ledger(job) if outcome == "SKIPPED")

    world.turn(timedelta(minutes=10))
    assert world.ledger(job)[-1] == ("13:00", "FIRED", "")


def test_jobs_for_missed_due_times_come_in_their_order(world: World) -> None:
    job = world.recur(misfire=Misfire.ALL)

    world.turn(timedelta(minutes=50))

    fired = world.jobs(job)
    assert [one.when.starts_at for one in fired] == [NOON + n * QUARTER for n in range(4)]
    assert sorted(one.number for one in fired) == [one.number for one in fired]


def test_due_time_noticed_within_a_minute_was_not_missed(world: World) -> None:
    job = world.recur(misfire=Misfire.SKIP)

    world.turn(timedelta(minutes=1))
    assert world.outcomes(job) == [("12:00", "FIRED")]

    world.turn(QUARTER + timedelta(microseconds=1))
    assert world.outcomes(job)[1:] == [("12:15", "SKIPPED")]
    assert world.ledger(job)[-1][2] == "missed: noticed 1 min late, and nothing is made up for"


@pytest.mark.parametrize("misfire", Misfire)
def test_long_downtime_of_a_frequent_schedule_is_no_flood(
    world: World, misfire: Misfire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(occurrences, "ROWS_EACH", 60)
    job = world.recur(MINUTES, misfire=misfire, misfire_window=timedelta(days=1))

    world.clock.turn(timedelta(hours=6, seconds=-1))
    assert world.hall.occurrences.fire_due() == 1
    assert len(world.ledger(job)) == 60
    world.turn()

    outcomes = [outcome for _, outcome in world.outcomes(job)]
    fired = {Misfire.SKIP: 1, Misfire.ONCE: 2, Misfire.ALL: 101}[misfire]  # and the one of this minute
    assert outcomes == ["SKIPPED"] * (360 - fired) + ["FIRED"] * fired


def test_one_turn_writes_a_bounded_number_of_rows(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(occurrences, "ROWS_A_TURN", 40)
    jobs = [world.recur(MINUTES) for _ in range(3)]
    world.clock.turn(timedelta(minutes=29, seconds=30))

    assert world.hall.occurrences.fire_due() == 2
    assert sorted(len(world.ledger(job)) for job in jobs) == [0, 10, 30]
    world.turn()

    assert [len(world.ledger(job)) for job in jobs] == [30, 30, 30]


def test_clock_that_is_put_back_fires_nothing_again(world: World) -> None:
    job = world.recur()
    world.turn(QUARTER)
    before = world.ledger(job)

    for _ in range(4):
        world.turn(-timedelta(minutes=20))
        world.turn(timedelta(minutes=20))

    assert world.ledger(job) == before


def test_due_times_in_a_pause_are_skipped(world: World) -> None:
    job = world.recur()
    world.turn()
    paused = world.hall.schedules.pause(job.id, NOON + timedelta(minutes=31), SYSTEM)
    assert paused.is_paused

    for _ in range(3):
        world.turn(QUARTER)

    assert [outcome for _, outcome in world.outcomes(job)] == ["FIRED", "SKIPPED", "SKIPPED", "FIRED"]
    assert world.ledger(job)[1][2] == "paused until 2026-03-01 12:31:00 UTC"
    assert not world.hall.schedules.get(job.id, SYSTEM).is_paused


def test_disabled_job_skips_its_due_times_until_it_is_resumed(world: World) -> None:
    job = world.recur()
    world.turn()
    world.hall.schedules.pause(job.id, None, SYSTEM)
    assert world.state(job) is State.DISABLED
    world.turn(QUARTER)

    world.hall.schedules.resume(job.id, SYSTEM)
    world.turn(QUARTER)

    assert world.ledger(job) == [("12:00", "FIRED", ""), ("12:15", "SKIPPED", "disabled"), ("12:30", "FIRED", "")]


def test_resuming_ends_a_pause_early_and_makes_up_for_nothing(world: World) -> None:
    job = world.recur(misfire=Misfire.ALL)
    world.turn()
    world.hall.schedules.pause(job.id, NOON + timedelta(days=1), SYSTEM)
    world.clock.turn(timedelta(minutes=20))

    world.hall.schedules.resume(job.id, SYSTEM)
    world.turn(timedelta(minutes=10))

    assert [outcome for _, outcome in world.outcomes(job)] == ["FIRED", "SKIPPED", "FIRED"]


def test_pause_without_end_has_none_though_there_was_one_before(world: World) -> None:
    job = world.recur(misfire=Misfire.ALL)
    world.hall.schedules.pause(job.id, NOON + timedelta(hours=1), SYSTEM)
    world.hall.schedules.resume(job.id, SYSTEM)

    paused = world.hall.schedules.pause(job.id, None, SYSTEM)

    assert (paused.is_paused, paused.recurrence.paused_until) == (True, None)


@pytest.mark.parametrize("way", ["resume", "enable", "pause until"])
def test_nothing_is_made_up_for_that_was_due_while_it_was_disabled_and_nobody_was_there(world: World, way: str) -> None:
    job = world.recur(misfire=Misfire.ALL, misfire_window=timedelta(hours=2))
    world.turn()
    world.hall.schedules.pause(job.id, None, SYSTEM)
    world.clock.turn(timedelta(minutes=40))

    if way == "resume":
        world.hall.schedules.resume(job.id, SYSTEM)
    elif way == "enable":
        world.hall.aborting.enable(job.id, SYSTEM)
    else:
        world.hall.schedules.pause(job.id, world.clock() + timedelta(minutes=1), SYSTEM)
    world.turn(timedelta(minutes=5))

    assert [outcome for _, outcome in world.outcomes(job)] == ["FIRED", "SKIPPED", "SKIPPED", "FIRED"]


def test_job_can_be_scheduled_paused(world: World) -> None:
    job = world.recur(paused_until=NOON + QUARTER)

    world.turn()
    world.turn(timedelta(minutes=30))

    assert [outcome for _, outcome in world.outcomes(job)] == ["SKIPPED", "SKIPPED", "FIRED"]


def test_defect_of_one_schedule_does_not_keep_the_others(world: World, datastore: Datastore) -> None:
    broken, sound = world.recur(), world.recur()
    with datastore.begin() as session:
        session.execute(JOBS.update().where(JOBS.c.id == broken.id).values(who=[{"kind": "no number"}]))

    world.turn()

    assert world.outcomes(sound) == [("12:00", "FIRED")]
    assert [one.state for one in world.jobs(sound)] == [State.ACTIVE]
    with datastore.read() as session:
        row = session.execute(select(JOBS).where(JOBS.c.recurring_id == broken.id)).one()
    assert (row.state, row.reason) == (State.FAILED, "it could not be started: see the log")


def test_schedule_that_nobody_can_read_fails_alone(world: World, datastore: Datastore) -> None:
    broken, sound = world.recur(), world.recur()
    with datastore.begin() as session:
        schedules = OCCURRENCES.metadata.tables["schedule"]
        session.execute(schedules.update().where(schedules.c.job_id == broken.id).values(rule="nonsense"))

    world.turn()

    assert world.outcomes(sound) == [("12:00", "FIRED")]
    failed = world.hall.jobs.get(broken.id, SYSTEM)
    assert (failed.state, failed.reason) == (State.FAILED, "it could not be fired: see the log")


def test_job_for_every_boot_has_no_due_times(world: World) -> None:
    job = world.recur(BOOT)

    world.turn(timedelta(days=400))

    assert world.ledger(job) == []
    assert world.hall.occurrences.next_moment() is None
    assert job.when.starts_at is None
    assert world.hall.schedules.get(job.id, SYSTEM).next_due_at is None


def test_ledger_comes_in_pages_latest_first(world: World) -> None:
    job = world.recur()
    for _ in range(3):
        world.turn()
        world.clock.turn(QUARTER)

    page = world.hall.schedules.ledger(job.id, 2, 2, SYSTEM)

    assert (page.total, page.page, page.page_size) == (3, 2, 2)
    assert [(one.due_at, one.outcome) for one in page.items] == [(NOON, Outcome.FIRED)]
    assert world.hall.schedules.ledger(job.id, 3, 2, SYSTEM).items == []
    with pytest.raises(InvalidValue, match="page"):
        world.hall.schedules.ledger(job.id, 0, 2, SYSTEM)


def test_schedule_is_returned_as_it_was_asked_for(world: World) -> None:
    request = RecurrenceRequest(MINUTES, misfire=Misfire.ALL, misfire_window=timedelta(hours=2), overlap=Overlap.SKIP)
    job = world.hall.scheduling.submit(a_request(who=on(world.agent), when=When(recurrence=request)), SYSTEM)

    found = world.hall.schedules.get(job.id, SYSTEM)

    assert found.recurrence == request
    assert job.when.recurrence == request
    assert world.hall.jobs.page(Stage.ALL, False, False, 1, 1, SYSTEM).items == [job]
    assert (found.next_due_at, found.last_due_at, found.is_paused) == (NOON, None, False)


def test_what_is_no_recurring_job_is_refused(world: World) -> None:
    plain = world.hall.scheduling.submit(a_request(who=on(world.agent)), SYSTEM)
    ended = world.recur()
    world.hall.aborting.abort(ended.id, SYSTEM)

    with pytest.raises(NotRecurring):
        world.hall.schedules.get(plain.id, SYSTEM)
    with pytest.raises(JobNotFound):
        world.hall.schedules.ledger(UUID(int=9), 1, 10, SYSTEM)
    with pytest.raises(InvalidMove):
        world.hall.schedules.resume(ended.id, SYSTEM)
    with pytest.raises(InvalidValue, match="until"):
        world.hall.schedules.pause(ended.id, NOON, SYSTEM)


def test_who_may_not_read_what_a_job_runs_is_not_told_whether_it_recurs(world: World) -> None:
    plain = world.hall.scheduling.submit(a_request(who=on(world.agent)), SYSTEM)
    blind = Caller("blind", {Node.SCHEDULING: Right.MODIFY, Node.AGENTS: Right.READ})

    with pytest.raises(Forbidden):
        world.hall.schedules.pause(plain.id, None, blind)
    with pytest.raises(Forbidden):
        world.hall.schedules.resume(plain.id, blind)
    with pytest.raises(NotRecurring):
        world.hall.schedules.pause(plain.id, None, SYSTEM)


@pytest.mark.parametrize(
    ("recurrence", "member"),
    [
        (RecurrenceRequest("RRULE:FREQ=DAILY"), "recurrence"),
        (RecurrenceRequest("DTSTART:20200101T000000Z\nRRULE:FREQ=DAILY;COUNT=3"), "When/RecurringSchedule"),
        (RecurrenceRequest(QUARTERS, misfire_window=timedelta(days=400)), "When/MisfireWindow"),
    ],
)
def test_impossible_recurrence_is_refused_and_nothing_is_stored(
    world: World, datastore: Datastore, recurrence: RecurrenceRequest, member: str
) -> None:
    with pytest.raises(InvalidValue) as refusal:
        world.hall.scheduling.submit(a_request(who=on(world.agent), when=When(recurrence=recurrence)), SYSTEM)

    assert refusal.value.member == member
    with datastore.read() as session:
        assert session.scalar(select(func.count()).select_from(JOBS)) == 0
