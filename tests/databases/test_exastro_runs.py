"""Conductor runs on every database: read for many at once, changed by one of those who ask at the same time."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest
from exastro_runs import RunWorld, a_run_world
from exastro_world import a_scope
from runbook_world import a_book, a_library, a_step
from sqlalchemy import func, select

from dispatcher.core.permissions import SYSTEM
from dispatcher.core.states import Event
from dispatcher.datastore.exastro_ita import ITA_RUNS
from dispatcher.services.exastro_ita.messages import ItaError, Message
from dispatcher.services.exastro_ita.runs import RunRecords
from dispatcher.services.hall import Hall

INNER = a_book(a_step("x", "wait_for_approval: true"), name="Inner", key=UUID(int=7))
OUTER = a_book(a_step("a", "on_error: continue"), a_step("b", "parallel: true"), a_step("c", what="runbook: Inner"))


@pytest.fixture
def world(hall: Hall, clock: Any, enrol: Callable[..., UUID], load_library: Callable[[str], None]) -> RunWorld:
    load_library(a_library(INNER, OUTER))
    return a_run_world(hall, clock, enrol, hosts=2)


def listed(world: RunWorld) -> dict[str, str]:
    """Return the ids of the states of all runs, by the names of their conductors, latest first."""
    with world.hall.datastore.read() as session:
        found = RunRecords(world.hall.plans).read(a_scope(session, world.workspace))
        return {one.values["conductor_instance_name"]: one.values["status_id"] for one in found}


def test_a_run_from_its_start_to_its_end(world: RunWorld) -> None:
    run = world.run()
    world.end("a", Event.FAIL)
    world.end("b")
    assert listed(world) == {"Inner": "5", "R": "3"}
    inner = str(world.jobs()["c"].id)
    assert world.nodes(run)[-2:] == [("call", "3"), ("end", "1")]
    world.release(inner, "node-2")
    world.end("x")
    assert listed(world) == {"Inner": "6", "R": "8"}
    assert [status for _, status in world.nodes(run)] == ["5", "5", "6", "5", "5", "5", "5"]


def test_of_many_who_ask_at_once_one_is_heard(world: RunWorld, clock: Any) -> None:
    run = world.run(booked_for=clock() + timedelta(hours=1))
    together = Barrier(4)

    def ask(_: int) -> Message | str:
        together.wait()
        try:
            return world.ita.run_actions.cancel(world.workspace, run, SYSTEM)
        except ItaError as error:
            return error.result

    with ThreadPoolExecutor(4) as threads:
        heard = list(threads.map(ask, range(4)))
    assert sorted(heard, key=str) == [*["499-00808"] * 3, Message("MSG-40001", (run, ""))]
    assert world.status(run) == "10"


def test_a_run_goes_with_its_job(world: RunWorld, clock: Any) -> None:
    run = world.run()
    world.running()
    world.ita.run_actions.scram(world.workspace, run, SYSTEM)
    assert world.status(run) == "3"
    world.end("a")
    world.end("b")
    assert world.status(run) == "9"
    world.hall.settings.set("retention.jobs_days", "1", SYSTEM)
    clock.turn(timedelta(days=2))
    for _ in range(5):
        world.hall.retention.sweep()
        clock.turn(timedelta(seconds=1))
    with world.hall.datastore.read() as session:
        assert session.scalar(select(func.count()).select_from(ITA_RUNS)) == 0
    assert listed(world) == {}
