"""Conductor runs are called off, stopped and let go on: what is done then, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from exastro_runs import EN, RunWorld, a_run_world
from exastro_world import a_workspace
from runbook_world import a_book, a_library, a_step
from sqlalchemy import select

from dispatcher.core.errors import Forbidden
from dispatcher.core.permissions import SYSTEM, Caller, Node, Right
from dispatcher.core.states import Event, State
from dispatcher.datastore.audit import AUDIT
from dispatcher.services.approvals import OwnJob
from dispatcher.services.exastro_ita.messages import ItaError, Message
from dispatcher.services.hall import Hall

Load = Callable[[str], None]
PAUSE = "wait_for_approval: true"
INNER = a_book(a_step("x", PAUSE), a_step("y"), name="Inner", key=UUID(int=7))


@pytest.fixture
def world(hall: Hall, clock: Any, enrol: Callable[..., UUID], load_library: Load) -> RunWorld:
    load_library(a_library(INNER, a_book(a_step("a"), a_step("b", PAUSE))))
    return a_run_world(hall, clock, enrol)


def refused(world: RunWorld, action: str, run: str, *more: str, language: str = "ja") -> tuple[str, tuple[Any, ...]]:
    with pytest.raises(ItaError) as caught:
        getattr(world.ita.run_actions, action)(world.workspace, run, *more, SYSTEM, language)
    return caught.value.result, caught.value.values


def test_a_booked_run_is_called_off(world: RunWorld, clock: Any) -> None:
    run = world.run(booked_for=clock() + timedelta(hours=2))
    told = world.ita.run_actions.cancel(world.workspace, run, SYSTEM)
    assert told == Message("MSG-40001", (run, ""))
    shown = world.state(run)["conductor"]
    assert (shown["status_id"], shown["abort_execute_flag"]) == ("10", "False")
    assert refused(world, "cancel", run) == ("499-00808", (run, "予約取消"))
    assert refused(world, "scram", run, language=EN) == ("499-00809", (run, "Schedule cancellation"))
    clock.turn(timedelta(hours=3))
    world.hall.clockwork.activate_due()
    assert world.status(run) == "10"


def test_a_run_that_goes_on_is_stopped_once(world: RunWorld) -> None:
    run = world.run()
    world.running()
    assert refused(world, "cancel", run, language=EN) == ("499-00808", (run, "Executing"))
    assert world.ita.run_actions.scram(world.workspace, run, SYSTEM) == Message("MSG-40002", (run, ""))
    shown = world.state(run)["conductor"]
    assert (shown["status_id"], shown["abort_execute_flag"]) == ("3", "True")
    assert refused(world, "scram", run) == ("499-00810", (run, "実行中", "True"))
    world.end("a")
    assert world.nodes(run) == [("start", "5"), ("movement", "8"), ("pause", "1"), ("movement", "1"), ("end", "1")]
    assert world.status(run) == "9"
    assert refused(world, "scram", run) == ("499-00809", (run, "緊急停止"))


def test_a_run_that_waits_is_stopped(world: RunWorld) -> None:
    run = world.run()
    world.end("a")
    assert world.status(run) == "5"
    world.ita.run_actions.scram(world.workspace, run, SYSTEM)
    assert world.nodes(run) == [("start", "5"), ("movement", "5"), ("pause", "8"), ("movement", "1"), ("end", "1")]
    assert world.status(run) == "9"


def test_a_pause_is_released_once_and_nothing_else_is(world: RunWorld) -> None:
    run = world.run()
    pause = world.state(run)["node"]["node-3"]["node_instance_id"]
    assert refused(world, "release", run, pause) == ("499-00813", (run, pause, "未実行"))
    world.end("a")
    assert refused(world, "release", run, "node-2") == ("499-00811", (run, "node-2", "movement"))
    unknown = str(uuid4())
    assert refused(world, "release", run, unknown) == ("499-00807", ("", run, unknown))
    told = world.ita.run_actions.release(world.workspace, run, pause, SYSTEM)
    assert told == Message("MSG-40003", (run, pause))
    assert refused(world, "release", run, pause) == ("499-00812", (run, pause))
    world.end("b")
    assert world.status(run) == "6"
    assert refused(world, "release", run, pause) == ("499-00812", (run, pause))


def test_a_pause_of_a_called_conductor_is_its_own(world: RunWorld, load_library: Load) -> None:
    load_library(a_library(INNER, a_book(a_step("c", what="runbook: Inner"))))
    run = world.run()
    inner = str(world.jobs()["c"].id)
    assert (world.status(run), world.status(inner)) == ("3", "5")
    world.release(inner, "node-2")
    world.end("x")
    world.end("y")
    assert (world.status(run), world.status(inner)) == ("6", "6")


def test_a_called_conductor_that_is_stopped_stops_its_caller_unless_the_step_goes_on(
    world: RunWorld, load_library: Load
) -> None:
    for more, status, nodes in (("", "9", ["5", "8", "1", "1"]), ("on_error: continue", "8", ["5", "8", "5", "5"])):
        load_library(a_library(INNER, a_book(a_step("c", *filter(None, [more]), what="runbook: Inner"), a_step("d"))))
        run = world.run()
        called = str(world.jobs()["c"].id)
        world.ita.run_actions.scram(world.workspace, called, SYSTEM)
        if more:
            world.end("d")
        shown = world.state(run)["conductor"]
        assert (shown["status_id"], shown["abort_execute_flag"]) == (status, "False")
        assert [state for _, state in world.nodes(run)] == nodes
        assert world.state(called)["conductor"]["abort_execute_flag"] == "True"


@pytest.mark.parametrize("follows", [True, False])
def test_nothing_waits_beside_a_step_that_has_failed(world: RunWorld, load_library: Load, follows: bool) -> None:
    steps = [a_step("a"), a_step("b", "parallel: true"), a_step("c", f"parallel: true, {PAUSE}")]
    load_library(a_library(INNER, a_book(*steps, *[a_step("d")] * follows)))
    run = world.run()
    world.end("a", Event.FAIL)
    assert world.status(run) == "5"  # b is under way
    world.end("b")
    shown = dict(zip(["start", "branch", "a", "b", "pause", "c", "merge"], world.nodes(run), strict=False))
    assert (world.status(run), shown["pause"], shown["c"]) == ("7", ("pause", "6"), ("movement", "1"))
    assert refused(world, "release", run, "node-5")[0] == "499-00813"
    assert world.running() == set()
    assert world.jobs()["c"].reason == "step a: Failed"


def test_a_pause_goes_on_waiting_beside_what_may_fail_or_is_under_way(world: RunWorld, load_library: Load) -> None:
    steps = [a_step("a", "on_error: continue"), a_step("b", f"parallel: true, {PAUSE}"), a_step("d", "parallel: true")]
    load_library(a_library(INNER, a_book(*steps)))
    run = world.run()
    world.end("a", Event.FAIL)
    world.release(run, "node-4")
    world.end("d", Event.FAIL)
    assert world.status(run) == "3"
    world.end("b")
    assert world.status(run) == "7"


def test_a_call_that_waits_beside_a_failure_is_never_made(world: RunWorld, load_library: Load) -> None:
    first = a_step("a", "operation: none")  # it fails before anything has begun
    load_library(a_library(INNER, a_book(first, a_step("c", f"parallel: true, {PAUSE}", what="runbook: Inner"))))
    run = world.run()
    assert world.status(run) == "7"
    assert {name: job.state for name, job in world.jobs().items() if name in "cx"} == dict.fromkeys(
        "cx", State.CANCELLED
    )
    assert ("pause", "6") in world.nodes(run)
    assert world.running() == set()


def test_a_pause_inside_a_call_waits_on_beside_a_failure(world: RunWorld, load_library: Load) -> None:
    load_library(a_library(INNER, a_book(a_step("a"), a_step("c", "parallel: true", what="runbook: Inner"))))
    run = world.run()
    world.end("a", Event.FAIL)
    inner = str(world.jobs()["c"].id)
    assert (world.status(run), world.status(inner)) == ("3", "5")
    world.release(inner, "node-2")
    world.end("x")
    world.end("y")
    assert (world.status(inner), world.status(run)) == ("6", "7")


def test_other_ways_lead_to_the_same(world: RunWorld) -> None:
    run = world.run()
    world.end("a")
    assert world.hall.approvals.approve(UUID(run), SYSTEM).state is State.ACTIVE
    assert refused(world, "release", run, "node-3")[0] == "499-00812"
    world.hall.aborting.abort(UUID(run), SYSTEM)
    assert world.state(run)["conductor"]["abort_execute_flag"] == "True"


@pytest.mark.parametrize(("action", "more"), [("cancel", ()), ("scram", ()), ("release", ("node-3",))])
def test_a_run_of_nobody_or_of_another_workspace(world: RunWorld, action: str, more: tuple[str, ...]) -> None:
    theirs = world.run(workspace=a_workspace(world.hall.datastore, "ws3", hosts=()))
    for run in (theirs, str(uuid4()), "x", ""):
        assert refused(world, action, run, *more) == ("499-00806", (run,))
    assert world.hall.jobs.get(UUID(theirs), SYSTEM).state is State.ACTIVE


def test_who_may_not_schedule_changes_nothing(world: RunWorld) -> None:
    run = world.run()
    world.end("a")
    reader = Caller("anna", rights={Node.SCHEDULING: Right.READ})
    for action, more in (("cancel", ()), ("scram", ()), ("release", ("node-3",))):
        with pytest.raises((ItaError, Forbidden)) as caught:
            getattr(world.ita.run_actions, action)(world.workspace, run, *more, reader)
        assert isinstance(caught.value, Forbidden) or caught.value.result == "401-00001"
    assert world.status(run) == "5"


def test_the_one_who_has_ordered_a_run_may_have_to_ask_another(world: RunWorld) -> None:
    world.hall.settings.set("jobs.approved_by_invoker", "NO", SYSTEM)
    run = world.run()
    world.end("a")
    with pytest.raises(OwnJob):
        world.release(run, "node-3")
    assert world.status(run) == "5"


def test_it_is_noted_who_did_what(world: RunWorld, clock: Any) -> None:
    run = world.run()
    world.end("a")
    world.release(run, "node-3")
    world.ita.run_actions.scram(world.workspace, run, SYSTEM)
    booked = world.run(booked_for=clock() + timedelta(hours=2))
    world.ita.run_actions.cancel(world.workspace, booked, SYSTEM)
    with world.hall.datastore.read() as session:
        noted = list(session.scalars(select(AUDIT.c.action).order_by(AUDIT.c.number)))
    assert [one for one in noted if one in ("job.approved", "job.aborted")] == [
        "job.approved",
        "job.aborted",
        "job.aborted",
    ]
