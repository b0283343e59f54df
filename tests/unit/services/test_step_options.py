"""Options of steps: how the job of a step is spread, limited and timed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from runbook_world import World, a_book, a_library, a_step, rows

from dispatcher.core.jobs import When
from dispatcher.core.states import Event
from dispatcher.datastore.jobs import JOBS
from dispatcher.datastore.runs import RUNS
from dispatcher.services.hall import Hall

Load = Callable[[str], None]


@pytest.fixture
def world(hall: Hall, enrol: Callable[..., UUID], clock: Any) -> World:
    return World(hall, clock, [enrol("one"), enrol("two"), enrol("three")])


def test_a_step_gives_its_options_to_its_job(world: World, load_library: Load, datastore: Any) -> None:
    spread = "batch: {share: 0.5}, stop_at_share: 0.3, offline_agents_next_boot: true"
    load_library(
        a_library(
            a_book(
                a_step("a", "timeout_s: 60, wake_on_lan: true, launch_window: continue, select_one_agent: true"),
                a_step("b", f"parallel: true, {spread}"),
            )
        )
    )
    world.start()
    stored = rows(datastore)
    a, b = stored["a"], stored["b"]
    assert (a["use_wake_on_lan"], a["outside_launch_window"]) == (True, "continue")
    assert a["options"] == {"timeout_s": 60, "select_one": True}
    assert (b["use_wake_on_lan"], b["outside_launch_window"]) == (False, None)
    assert b["options"] == {"batch_share": 0.5, "stop_at_share": 0.3, "offline_agents_next_boot": True}


def test_a_step_with_a_time_limit_gets_its_deadline_when_it_starts(
    world: World, load_library: Load, datastore: Any, clock: Any
) -> None:
    inner = a_book(a_step("x"), name="Inner", key=UUID(int=7))
    nested = a_step("nested", "timeout_s: 90", what="runbook: Inner")
    load_library(a_library(inner, a_book(a_step("a", "timeout_s: 60"), nested)))
    world.start()
    assert rows(datastore)["a"]["ends_by"] == clock() + timedelta(seconds=60)
    clock.turn(timedelta(seconds=10))
    world.end("a")
    stored = rows(datastore)
    assert stored["nested"]["ends_by"] == clock() + timedelta(seconds=90)
    assert stored["x"]["ends_by"] is None


def test_one_of_the_agents_is_selected(world: World, load_library: Load) -> None:
    load_library(a_library(a_book(a_step("a", "select_one_agent: true"), a_step("b"))))
    world.start(*world.agents)
    world.running()
    assert len(world.held["a"]) == 1
    world.end("a")
    world.running()
    assert len(world.held["b"]) == 3


def test_a_batch_is_done_before_the_next_one(world: World, load_library: Load) -> None:
    load_library(a_library(a_book(a_step("a", "batch: {size: 2}"))))
    world.start(*world.agents)
    world.running()
    assert len(world.held["a"]) == 2
    world.end("a")
    world.running()
    assert len(world.held["a"]) == 1


def test_steps_have_the_options_of_the_run_book_job_unless_they_have_their_own(
    world: World, load_library: Load, datastore: Any, clock: Any
) -> None:
    load_library(a_library(a_book(a_step("a"), a_step("b", "parallel: true, select_one_agent: true"), a_step("c"))))
    job = world.start(when=When(immediate=False, starts_at=clock() + timedelta(hours=1)))
    with datastore.begin() as session:
        options = {"launch_timeout_s": 60, "boot": "next", "batch_size": 2, "timeout_s": 600}
        session.execute(JOBS.update().where(JOBS.c.id == job.id).values(options=options))
    clock.turn(timedelta(hours=1))
    world.hall.clockwork.activate_due()
    stored = rows(datastore)
    assert stored["R"]["ends_by"] == clock() + timedelta(seconds=600)
    assert stored["a"]["options"] == {"launch_timeout_s": 60, "boot": "next", "batch_size": 2}
    assert stored["b"]["options"] == {"launch_timeout_s": 60, "boot": "next", "select_one": True}
    with datastore.begin() as session:
        session.execute(RUNS.update().values(hold=None))
    world.end("a")
    world.end("b")
    assert rows(datastore)["c"]["options"] == {"launch_timeout_s": 60, "batch_size": 2}


def test_a_nested_run_book_that_takes_too_long_is_ended_with_all_its_steps(
    world: World, load_library: Load, clock: Any
) -> None:
    inner = a_book(a_step("x"), a_step("y", "parallel: true"), a_step("z"), name="Inner", key=UUID(int=7))
    nested = a_step("nested", "timeout_s: 90, on_error: continue", what="runbook: Inner")
    load_library(a_library(inner, a_book(nested, a_step("after"))))
    world.start()
    world.running()
    clock.turn(timedelta(seconds=91))
    world.hall.clockwork.time_out()
    assert world.states() == {"R": "active", "nested": "aborting", "x": "aborting", "y": "aborting"}
    world.end("x", Event.CONFIRM_ABORT)
    world.end("y", Event.CONFIRM_ABORT)
    assert world.states()["nested"] == "timed_out"
    assert world.running() == {"after"}


def test_a_step_that_takes_too_long_stops_the_run_book(world: World, load_library: Load, clock: Any) -> None:
    load_library(a_library(a_book(a_step("a", "timeout_s: 90"), a_step("b"))))
    world.start()
    world.running()
    clock.turn(timedelta(seconds=91))
    world.hall.clockwork.time_out()
    world.end("a", Event.CONFIRM_ABORT)
    assert world.states() == {"R": "stopped", "a": "timed_out"}


def test_a_run_book_job_that_takes_too_long_ends_when_all_of_its_steps_are_gone(
    world: World, load_library: Load, clock: Any
) -> None:
    load_library(a_library(a_book(a_step("a"), a_step("b", "parallel: true"), a_step("c"))))
    world.start(options={"timeout_s": 60})
    world.running()
    clock.turn(timedelta(seconds=61))
    world.hall.clockwork.time_out()
    world.end("a", Event.CONFIRM_ABORT)
    assert world.states() == {"R": "aborting", "a": "aborted", "b": "aborting"}
    world.end("b", Event.CONFIRM_ABORT)
    assert world.states() == {"R": "timed_out", "a": "aborted", "b": "aborted"}
