"""Conductor runs as records, and each by itself."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from exastro_runs import EN, RunWorld, a_run_world
from exastro_world import NOW, a_scope, a_workspace, an_operation
from runbook_world import BOOK, a_book, a_library, a_step
from sqlalchemy import select, update
from statements import statements

from dispatcher.core.errors import Forbidden
from dispatcher.core.permissions import SYSTEM, Caller, Node, Right, RoleRights
from dispatcher.core.states import Event
from dispatcher.datastore.exastro_ita import ITA_RECORDS, ItaRoleMenu
from dispatcher.datastore.logins import Role
from dispatcher.services.exastro_ita.messages import ItaError
from dispatcher.services.exastro_ita.records import Record
from dispatcher.services.exastro_ita.runs import RunRecords
from dispatcher.services.hall import Hall
from dispatcher.services.step_jobs import NOBODY_HAS_INPUTS

Load = Callable[[str], None]
INNER = a_book(a_step("x"), a_step("y"), name="Inner", key=UUID(int=7))


@pytest.fixture
def world(hall: Hall, clock: Any, enrol: Callable[..., UUID]) -> RunWorld:
    return a_run_world(hall, clock, enrol)


def records(world: RunWorld, *ids: str, caller: Caller = SYSTEM) -> list[Record]:
    source = RunRecords(world.hall.plans)
    with world.hall.datastore.read() as session:
        wanted = [UUID(one) for one in ids] or None
        return list(source.read(a_scope(session, world.workspace, caller), wanted))


def test_a_run_is_a_record(world: RunWorld, load_library: Load, clock: Any) -> None:
    load_library(a_library(a_book(a_step("a"))))
    booked_for = clock() + timedelta(hours=2)
    run = world.run(booked_for=booked_for)
    [booked] = records(world)
    assert booked.id == UUID(run)
    assert booked.values["status_id"] == "2"
    assert booked.values["time_book"] == booked_for.isoformat()
    assert (booked.values["time_start"], booked.values["time_end"]) == (None, None)
    clock.turn(timedelta(hours=2))
    world.hall.clockwork.activate_due()
    world.end("a")
    [ended] = records(world)
    assert ended.values == {
        "conductor_instance_id": run,
        "conductor_instance_name": "R",
        "instance_source_class_id": str(BOOK),
        "instance_source_class_name": "R",
        "instance_source_remarks": None,
        "status_id": "6",
        "operation_id": str(world.operation),
        "operation_name": "op-1",
        "execution_user": "system",
        "parent_conductor_instance_id": None,
        "parent_conductor_instance_name": None,
        "top_conductor_instance_id": None,
        "top_conductor_instance_name": None,
        "abort_execute_flag": "0",
        "time_register": (booked_for - timedelta(hours=2)).isoformat(),
        "time_book": booked_for.isoformat(),
        "time_start": booked_for.isoformat(),
        "time_end": booked_for.isoformat(),
        "notification_log": None,
        "remarks": None,
    }
    assert ended.changed_at > booked.changed_at


@pytest.mark.parametrize(("who", "status"), [("ask: true", "7"), ("agent: h2", "3")])
def test_a_booked_run_fails_where_it_asks_and_no_host_has_records_any_more(
    world: RunWorld, load_library: Load, enrol: Callable[..., UUID], clock: Any, who: str, status: str
) -> None:
    enrol("h2")
    load_library(a_library(a_book(a_step("a", who=who))))
    run = world.run(booked_for=clock() + timedelta(hours=2))
    with world.hall.datastore.begin() as session:
        session.execute(update(ITA_RECORDS).where(ITA_RECORDS.c.menu == "sheet_a").values(is_discarded=True))
    clock.turn(timedelta(hours=2))
    world.hall.clockwork.activate_due()
    assert world.status(run) == status
    assert (world.jobs()["a"].reason == NOBODY_HAS_INPUTS) is (status == "7")


def test_called_conductors_are_runs_of_their_own(world: RunWorld, load_library: Load) -> None:
    other = an_operation(world.hall.datastore, world.workspace, "op-2")
    middle = a_book(a_step("deep", what="runbook: Inner"), name="Middle", key=UUID(int=8))
    own = a_step("own", "operation: op-2", what="runbook: Inner")
    load_library(a_library(INNER, middle, a_book(a_step("call", what="runbook: Middle"), own)))
    run = world.run()
    world.end("x")
    world.end("y")
    jobs = {name: str(job.id) for name, job in world.jobs().items()}
    found = {str(one.id): one.values for one in records(world)}
    assert found.keys() == {run, jobs["call"], jobs["deep"], jobs["own"]}
    deep, called = found[jobs["deep"]], found[jobs["own"]]
    assert deep["parent_conductor_instance_id"] == jobs["call"]
    assert deep["parent_conductor_instance_name"] == "Middle"
    assert (deep["top_conductor_instance_id"], deep["top_conductor_instance_name"]) == (run, "R")
    assert (deep["operation_id"], deep["operation_name"]) == (str(world.operation), "op-1")
    assert (called["operation_id"], called["operation_name"]) == (str(other), "op-2")
    assert deep["status_id"] == "6"

    [alone] = records(world, jobs["deep"])
    assert alone.values == deep
    shown = world.state(jobs["own"])["conductor"]
    assert (shown["conductor_name"], shown["operation_name"]) == ("Inner", "op-2")
    node = world.state(run)["node"]["node-3"]
    assert (node["operation_id"], node["operation_name"]) == (str(other), "op-2")


def test_what_is_called_is_a_run_when_it_begins(world: RunWorld, load_library: Load) -> None:
    left_out = a_step("l", "condition: 'previous == \"failed\"'", what="runbook: Inner")
    held = a_step("h", "wait_for_approval: true", what="runbook: Inner")
    load_library(a_library(INNER, a_book(a_step("a"), left_out, held)))
    run = world.run()
    world.end("a")
    assert [str(one.id) for one in records(world)] == [run]
    jobs = {name: str(job.id) for name, job in world.jobs().items()}
    for name in "lh":
        assert records(world, jobs[name]) == []
        with pytest.raises(ItaError, match="499-00806"):
            world.state(jobs[name])
    assert [
        node["jump"]["execution_id"] for node in world.state(run)["node"].values() if node["node_type"] == "call"
    ] == [
        None,
        None,
    ]
    world.release(run, "node-4")
    assert {str(one.id) for one in records(world)} == {run, jobs["h"]}
    assert world.nodes(run) == [
        ("start", "5"),
        ("movement", "5"),
        ("call", "13"),
        ("pause", "5"),
        ("call", "3"),
        ("end", "1"),
    ]


def test_a_workspace_sees_no_runs_of_another(world: RunWorld, load_library: Load) -> None:
    load_library(a_library(a_book(a_step("a"))))
    run = world.run(workspace=a_workspace(world.hall.datastore, "ws3", hosts=()))
    assert records(world) == records(world, run) == []
    with pytest.raises(ItaError, match="499-00806"):
        world.state(run)
    world.run()
    assert records(world, caller=Caller("anna")) == []
    with pytest.raises(Forbidden):
        world.ita.runs.state(world.workspace, run, Caller("anna"))


def test_a_run_is_shown_to_roles_with_a_privilege_in_its_menu(world: RunWorld, load_library: Load) -> None:
    load_library(a_library(a_book(a_step("a"))))
    run, datastore = world.run(), world.hall.datastore
    anna = Caller.of("anna", [RoleRights("one", {(Node.SCHEDULING, None): Right.READ})])
    assert world.ita.runs.state(world.workspace, run, anna)["conductor"]["status_id"] == "3"
    with datastore.begin() as session:
        role_id = session.scalars(select(Role.id).where(Role.name == "Full Access")).one()
        given = {"role_id": role_id, "menu": "conductor_confirmation", "privilege": 2, "is_discarded": False}
        stamp = {"updated_at": NOW, "updated_by": "test"}
        session.add(ItaRoleMenu(id=uuid4(), workspace_id=world.workspace.id, **given, **stamp))
    for show in (world.ita.runs.state, world.ita.runs.info):
        with pytest.raises(ItaError, match="401-00001"):
            show(world.workspace, run, anna)


@pytest.mark.parametrize("run", ["", "x", "node-1", "987219c8-28b3-4a6b-af94-f6de4cafcee9", "0" * 32, "é"])
def test_what_is_no_run_is_told_so(world: RunWorld, load_library: Load, run: str) -> None:
    load_library(a_library(a_book(a_step("a"))))
    world.run()
    with pytest.raises(ItaError, match="499-00806"):
        world.state(run)
    info = world.ita.runs.info(world.workspace, run, SYSTEM)
    assert info["dict"]["conductor"] == {}


def test_a_step_is_no_run(world: RunWorld, load_library: Load) -> None:
    load_library(a_library(a_book(a_step("a"))))
    world.run()
    with pytest.raises(ItaError, match="499-00806"):
        world.state(str(world.jobs()["a"].id))


def test_the_latest_come_first_and_are_not_asked_for_one_by_one(
    world: RunWorld, load_library: Load, clock: Any
) -> None:
    load_library(a_library(INNER, a_book(a_step("a"), a_step("b", what="runbook: Inner"))))
    runs = []
    for _ in range(4):
        clock.turn(timedelta(seconds=1))
        runs.append(world.run())
        world.end("a")
    with statements(world.hall.datastore) as before:
        few = [str(one.id) for one in records(world)]
    assert [one for one in few if one in runs] == runs[::-1]
    for _ in range(20):
        runs.append(world.run())
        world.end("a", Event.FAIL)
    with statements(world.hall.datastore) as after:
        assert len(records(world)) == 28
    assert len(after) == len(before)


def test_the_answer_for_a_run(world: RunWorld, load_library: Load, clock: Any) -> None:
    load_library(a_library(a_book(a_step("a"))))
    world.hall.settings.set("webapi.site_time_zone", "Asia/Tokyo", SYSTEM)
    run = world.run(booked_for=clock() + timedelta(hours=2))
    shown = world.state(run)
    assert shown.keys() == {"conductor_class", "conductor", "node"}
    assert shown["conductor"] == {
        "conductor_instance_id": run,
        "conductor_name": "R",
        "status": "未実行(予約)",
        "status_id": "2",
        "execution_user": "system",
        "abort_execute_flag": "False",
        "operation_id": str(world.operation),
        "operation_name": "op-1",
        "time_book": "2026/03/01 23:00:00",
        "time_start": None,
        "time_end": None,
        "execution_log": [],
        "remarks": None,
    }
    assert [status for _, status in world.nodes(run)] == ["1", "1", "1"]
    assert world.state(run, EN)["conductor"]["status"] == "Unexecuted (schedule)"
    assert world.state(run, EN)["node"]["node-2"]["status"] == "Unexecuted"


def test_why_steps_could_not_start_is_told(world: RunWorld, load_library: Load) -> None:
    first = a_step("a", "operation: none, on_error: continue", what="runbook: Inner")
    load_library(a_library(INNER, a_book(first, a_step("b", "on_error: continue"), a_step("c", "operation: nil"))))
    run = world.run()
    world.end("b", Event.FAIL)
    shown = world.state(run)["conductor"]
    assert (shown["status_id"], [status for _, status in world.nodes(run)]) == ("7", ["5", "12", "6", "12", "1"])
    assert [line.split(":")[0] for line in shown["execution_log"]] == ["step a", "step c"]
    assert ["there is no operation none" in shown["execution_log"][0], "nil" in shown["execution_log"][1]] == [True] * 2


def test_a_step_shows_the_operation_that_it_calls_and_no_other(world: RunWorld, load_library: Load) -> None:
    there = str(an_operation(world.hall.datastore, world.workspace, "op-2"))
    steps = [
        a_step("a", "operation: op-1"),
        a_step("b", "operation: op-2", what="runbook: Inner", who="agent: h1"),
        a_step("c", "operation: none, on_error: continue"),
        a_step("d", "operation: op-2, condition: 'previous == \"completed\"'", who="agent: h1"),
        a_step("e", "wait_for_approval: true"),
        a_step("f", "operation: op-2", who="agent: h1"),
    ]
    load_library(a_library(INNER.replace("ask: true", "agent: h1"), a_book(*steps)))
    run = world.run()
    for name in "axy":
        world.end(name)
    shown = world.state(run)
    expected = [
        (str(world.operation), "op-1"),
        (there, "op-2"),
        (None, "none"),  # it failed for want of it
        (there, "op-2"),  # it was left out before that
        (None, None),
        (there, "op-2"),  # it has not begun
    ]
    for nodes in (shown["node"], {name: shown["conductor_class"][name] for name in shown["node"]}):
        found = [(one["operation_id"], one["operation_name"]) for one in nodes.values() if _works(one)]
        assert found == expected
    with world.hall.datastore.begin() as session:
        renamed = {"operation_name": "new", "scheduled_date_for_execution": NOW.isoformat()}
        session.execute(update(ITA_RECORDS).where(ITA_RECORDS.c.id == world.operation).values(values=renamed))
    node = world.state(run)["node"]["node-2"]
    assert (node["operation_id"], node["operation_name"]) == (str(world.operation), "new")


def _works(node: dict[str, Any]) -> bool:
    return node.get("node_type", node.get("type")) in ("movement", "call")


def test_the_remarks_of_conductors_are_those_of_their_runs(world: RunWorld, load_library: Load) -> None:
    def describe(text: str) -> None:
        books = INNER, a_book(a_step("a"), a_step("b", what="runbook: Inner"))
        load_library(a_library(*(one.replace("    id:", f"    description: {text}\n    id:") for one in books)))

    describe("as it was")
    order = {"conductor_class_name": "R", "operation_name": "op-1"}
    run = str(world.ita.apply.apply(world.workspace, order, SYSTEM))
    world.job = UUID(run)
    world.end("a")
    describe("as it is")
    inner = str(world.jobs()["b"].id)
    found = {str(one.id): one.values for one in records(world)}
    for key in (run, inner):
        assert (found[key]["remarks"], found[key]["instance_source_remarks"]) == ("as it was", "as it was")
        shown = world.state(key)
        assert shown["conductor"]["remarks"] == shown["conductor_class"]["conductor"]["note"] == "as it was"


def test_the_names_that_go_with_a_run(world: RunWorld, load_library: Load) -> None:
    load_library(a_library(INNER, a_book(a_step("a"), a_step("b", what="runbook: Inner"))))
    info = world.ita.runs.info(world.workspace, world.run(), SYSTEM, EN)
    assert info["dict"]["conductor"] == {str(BOOK): "R", str(UUID(int=7)): "Inner"}
    assert info["dict"]["operation"] == {str(world.operation): "op-1"}
    assert [one["name"] for one in info["list"]["movement"]] == ["M"]
    assert info["list"]["conductor_status"][1] == {"id": "2", "name": "Unexecuted (schedule)"}
    assert info["dict_name"]["node_status"]["On hold"] == "11"
    assert info["dict"]["node_type"]["parallel-branch"] == "parallel-branch"
