"""Occurrences: what becomes of a due time while the job of the one before it is still active."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from job_world import LIBRARY, on, work_off
from schedule_world import NOON, QUARTER, QUARTERS, World

from dispatcher.core.permissions import SYSTEM
from dispatcher.core.schedules import Overlap
from dispatcher.core.states import State
from dispatcher.services import occurrences
from dispatcher.services.hall import Hall


@pytest.fixture
def world(hall: Hall, clock: Any, enrol: Callable[..., UUID], load_library: Callable[[str], None]) -> World:
    load_library(LIBRARY)
    return World(hall, clock, enrol("one"))


def test_overlap_allow_starts_another_job_beside_it(world: World) -> None:
    job = world.recur(overlap=Overlap.ALLOW)

    world.turn()
    world.turn(QUARTER)

    assert [one.state for one in world.jobs(job)] == [State.ACTIVE, State.ACTIVE]


def test_overlap_skip_waits_for_the_next_due_time(world: World) -> None:
    job = world.recur(overlap=Overlap.SKIP)
    world.turn()
    world.turn(QUARTER)
    work_off(world.hall, world.agent, NOON)
    world.turn(QUARTER)

    assert world.ledger(job) == [
        ("12:00", "FIRED", ""),
        ("12:15", "SKIPPED", "overlap: the job before it was active"),
        ("12:30", "FIRED", ""),
    ]


def test_overlap_queue_holds_due_times_until_the_job_before_has_ended(world: World) -> None:
    job = world.recur(overlap=Overlap.QUEUE)
    world.turn()
    world.turn(QUARTER)
    world.turn(QUARTER)
    assert [outcome for _, outcome in world.outcomes(job)] == ["FIRED", "HELD", "HELD"]
    assert world.hall.occurrences.held_moment() == world.clock() + occurrences.HELD_EVERY

    work_off(world.hall, world.agent, NOON)
    world.turn()
    assert [outcome for _, outcome in world.outcomes(job)] == ["FIRED", "FIRED", "HELD"]

    work_off(world.hall, world.agent, NOON)
    world.turn()
    work_off(world.hall, world.agent, NOON)
    world.turn()
    assert [outcome for _, outcome in world.outcomes(job)] == ["FIRED", "FIRED", "FIRED"]
    assert [one.state for one in world.jobs(job)] == [State.COMPLETED] * 3
    assert world.hall.occurrences.held_moment() is None


def test_end_of_a_job_wakes_the_engine_for_what_waits(world: World, wakeup: Any) -> None:
    world.recur(overlap=Overlap.QUEUE)
    world.turn()
    world.turn(QUARTER)
    before = wakeup.engine_calls

    work_off(world.hall, world.agent, NOON)

    assert wakeup.engine_calls > before


def test_no_more_wait_than_may(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(occurrences, "MAX_HELD", 2)
    job = world.recur(overlap=Overlap.QUEUE)

    for _ in range(4):
        world.turn()
        world.clock.turn(QUARTER)

    assert [outcome for _, outcome in world.outcomes(job)] == ["FIRED", "HELD", "HELD", "SKIPPED"]
    assert world.ledger(job)[-1][2] == "overlap: 2 waited already"


def test_what_waits_occurs_also_after_the_last_due_time(world: World) -> None:
    job = world.recur(QUARTERS + ";COUNT=50", overlap=Overlap.QUEUE)
    world.turn()
    world.turn(QUARTER)
    assert world.state(job) is State.SCHEDULED
    assert world.hall.schedules.get(job.id, SYSTEM).next_due_at is None

    work_off(world.hall, world.agent, NOON)
    world.turn()

    assert [outcome for _, outcome in world.outcomes(job)] == ["FIRED", "FIRED"]
    assert world.state(job) is State.COMPLETED


def test_what_waits_is_skipped_when_the_recurring_job_is_aborted(world: World) -> None:
    job = world.recur(overlap=Overlap.QUEUE)
    world.turn()
    world.turn(QUARTER)

    world.hall.aborting.abort(job.id, SYSTEM)
    world.turn()

    assert world.ledger(job)[-1] == ("12:15", "SKIPPED", "the recurring job ended before")


def test_overlap_cancel_aborts_the_job_before(world: World) -> None:
    job = world.recur(overlap=Overlap.CANCEL)
    world.turn()
    world.turn(QUARTER)

    first, second = world.jobs(job)
    assert (first.state, first.reason) == (State.ABORTED, "the next occurrence was due")
    assert second.state is State.ACTIVE


@pytest.mark.parametrize("free", [0, 1])
def test_what_waits_long_does_not_keep_others_from_being_released(
    world: World, enrol: Callable[..., UUID], monkeypatch: pytest.MonkeyPatch, free: int
) -> None:
    monkeypatch.setattr(occurrences, "BATCH", 1)
    agents = [world.agent, enrol("two")]
    jobs = [world.recur(overlap=Overlap.QUEUE, who=on(agent)) for agent in agents]
    world.turn()
    world.turn(QUARTER)
    assert [[outcome for _, outcome in world.outcomes(job)] for job in jobs] == [["FIRED", "HELD"]] * 2

    work_off(world.hall, agents[free], NOON)
    world.turn()

    assert [outcome for _, outcome in world.outcomes(jobs[free])] == ["FIRED", "FIRED"]
    assert [outcome for _, outcome in world.outcomes(jobs[1 - free])] == ["FIRED", "HELD"]
