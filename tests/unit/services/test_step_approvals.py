"""Approvals of steps: a run book waits where it is told to, until somebody lets it go on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import yaml
from runbook_world import World, a_book, a_library, a_step, rows
from sqlalchemy import select

from dispatcher.core.errors import Conflict
from dispatcher.core.permissions import SYSTEM
from dispatcher.core.states import Event, State
from dispatcher.datastore.jobs import JOBS
from dispatcher.datastore.runs import RUNS
from dispatcher.services.hall import Hall
from dispatcher.services.library.exporting import export

Load = Callable[[str], None]
PAUSE = "wait_for_approval: true"


@pytest.fixture
def world(hall: Hall, enrol: Callable[..., UUID], clock: Any) -> World:
    return World(hall, clock, [enrol("one"), enrol("two")])


def test_a_run_book_waits_before_the_step_until_the_step_is_approved(
    world: World, load_library: Load, clock: Any
) -> None:
    load_library(a_library(a_book(a_step("a"), a_step("b", f"{PAUSE}, timeout_s: 60"), a_step("c"))))
    world.start()
    world.end("a")
    assert world.running() == set()
    assert world.states() == {"R": "active", "a": "completed", "b": "active"}

    clock.turn(timedelta(days=40))
    world.hall.clockwork.time_out()
    world.hall.clockwork.cancel_overdue()
    world.hall.approvals.approve(world.jobs()["b"].id, SYSTEM)
    assert world.running() == {"b"}  # no time has run meanwhile
    with pytest.raises(Conflict):
        world.hall.approvals.approve(world.jobs()["b"].id, SYSTEM, if_it_waits=True)
    world.end("b")
    world.end("c")
    assert world.jobs()["R"].state is State.COMPLETED


def test_the_run_book_stands_for_what_waits_in_it_also_deep_inside(world: World, load_library: Load) -> None:
    inner = a_book(a_step("x"), a_step("y"), name="Inner", key=UUID(int=7))
    nested = a_step("nested", PAUSE, what="runbook: Inner")
    load_library(a_library(inner, a_book(nested, a_step("b", f"parallel: true, {PAUSE}"), a_step("c"))))
    job = world.start()
    assert world.running() == set()
    world.hall.approvals.approve(job.id, SYSTEM)
    assert world.running() == {"x", "b"}
    world.end("x")
    assert world.running() == {"b", "y"}  # the whole inner one has been approved


def test_an_approval_of_the_run_book_is_none_of_a_later_step(world: World, load_library: Load, datastore: Any) -> None:
    load_library(a_library(a_book(a_step("a"), a_step("b", PAUSE))))
    job = world.start(options={"approval": "required"})
    world.hall.approvals.approve(job.id, SYSTEM)
    world.end("a")
    assert world.running() == set()
    assert rows(datastore)["b"]["options"]["approval"] == "required"


def test_a_run_book_that_waits_can_be_aborted(world: World, load_library: Load) -> None:
    load_library(a_library(a_book(a_step("a", PAUSE), a_step("b"))))
    job = world.start()
    assert world.hall.aborting.abort(job.id, SYSTEM).state is State.ABORTED
    assert world.running() == set()


def test_a_step_that_is_for_nobody_waits_for_nobody(world: World, load_library: Load) -> None:
    load_library("teams: [{name: Empty}]")
    load_library(a_library(a_book(a_step("a", PAUSE, who="team: Empty"), a_step("b"))))
    world.start()
    assert world.running() == {"b"}
    assert world.states()["a"] == "skipped"


def test_the_library_gives_it_back(load_library: Load, datastore: Any) -> None:
    load_library(a_library(a_book(a_step("a", PAUSE), a_step("b"))))
    exported = yaml.safe_load(export(datastore))
    assert [step.get("wait_for_approval") for step in exported["runbooks"][0]["steps"]] == [True, None]


@pytest.mark.parametrize(
    ("options", "states"), [(None, ["active", "active"]), ({"ends_waiting": True}, ["stopped", "cancelled"])]
)
def test_what_waits_beside_a_failure_ends_only_where_the_job_says_so(
    world: World, load_library: Load, options: Any, states: list[str]
) -> None:
    load_library(a_library(a_book(a_step("a"), a_step("b", f"parallel: true, {PAUSE}"), a_step("c"))))
    world.start(options=options)
    world.end("a", Event.FAIL)
    assert [world.states()[name] for name in "Rb"] == states
    with world.hall.datastore.read() as session:
        [left] = session.scalars(select(RUNS.c.state).join(JOBS, JOBS.c.id == RUNS.c.job_id).where(JOBS.c.step == 1))
    assert left == (State.PENDING if options is None else State.CANCELLED)
