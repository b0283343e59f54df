"""Conductor runs as clients see them: contract section 3.6 line by line."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from cheap_passwords import cheap_passwords
from exastro_client import AddLogin, Ita, refusal
from exastro_world import an_operation
from runbook_world import a_book, a_library, a_step

from dispatcher.core.permissions import SYSTEM, Right
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.exastro_ita.workspaces import Workspace
from dispatcher.services.hall import Hall
from dispatcher.services.logins import Logins
from dispatcher.web.app import WebApp

RUNS = "menu/conductor_confirmation/conductor"
EXECUTE = "menu/conductor_class_edit/conductor/execute/"


@pytest.fixture(autouse=True)
def conductors(workspace: Workspace, datastore: Datastore, load_library: Callable[[str], None]) -> None:
    team = {"who": "team: ws2"}
    waiting = a_book(a_step("a", "wait_for_approval: true", **team), name="waiting")
    load_library(a_library(a_book(a_step("a", **team), name="nightly", key=UUID(int=9)), waiting))
    an_operation(datastore, workspace)


def start(ita: Ita, conductor: str = "nightly", **more: str) -> str:
    """Run the conductor for the operation that is there; return the id of the run."""
    order = {"conductor_class_name": conductor, "operation_name": "op-1", **more}
    run: str = ita.post("apply/", order)["conductor_instance_id"]
    return run


def test_a_booked_run_is_told_of_and_called_off(ita: Ita) -> None:
    run = start(ita, schedule_date="2031/06/01 02:00")
    conductor = ita.get(f"{RUNS}/{run}/")["conductor"]
    assert (conductor["status"], conductor["status_id"]) == ("未実行(予約)", "2")
    assert conductor["time_book"] == "2031/06/01 02:00:00"
    [listed] = ita.post("menu/conductor_list/filter/", {"conductor_instance_id": {"LIST": [run]}})
    assert listed["parameter"]["status_id"] == "未実行(予約)"
    assert listed["parameter"]["time_book"] == "2031/06/01 02:00:00"
    assert listed["parameter"]["abort_execute_flag"] == "False"

    said = ita.call("PATCH", f"{RUNS}/{run}/cancel/").json()
    assert (said["result"], said["message"]) == ("000-00000", "SUCCESS")
    assert said["data"] == f"予約取消を受け付けました。ステータスをご確認下さい。(ConductorインスタンスID:{run})"
    assert ita.get(f"{RUNS}/{run}/")["conductor"]["status_id"] == "10"
    again = refusal(ita.call("PATCH", f"{RUNS}/{run}/cancel/"))
    assert again == (
        499,
        "499-00808",
        f"未実行(予約)ではありません。(ConductorインスタンスID:{run}, ステータス:予約取消)",
    )


def test_a_run_is_stopped(ita: Ita) -> None:
    run = start(ita)
    assert ita.get(f"{RUNS}/{run}/")["conductor"]["status"] == "実行中"
    said = ita.call("PATCH", f"{RUNS}/{run}/scram/").json()
    assert said["data"] == f"緊急停止を受け付けました。ステータスをご確認下さい。(ConductorインスタンスID.:{run})"
    conductor = ita.get(f"{RUNS}/{run}/")["conductor"]
    assert (conductor["status"], conductor["abort_execute_flag"]) == ("緊急停止", "True")  # no agent had it yet
    assert refusal(ita.call("PATCH", f"{RUNS}/{run}/scram/"))[:2] == (499, "499-00809")


def test_a_pause_is_released(ita: Ita) -> None:
    run = start(ita, "waiting")
    shown = ita.get(f"{RUNS}/{run}/")
    assert shown["conductor"]["status"] == "一時停止"
    assert {name: (node["node_type"], node["status_id"]) for name, node in shown["node"].items()} == {
        "node-1": ("start", "5"),
        "node-2": ("pause", "11"),
        "node-3": ("movement", "1"),
        "node-4": ("end", "1"),
    }
    pause = shown["node"]["node-2"]["node_instance_id"]
    said = ita.call("PATCH", f"{RUNS}/{run}/node/{pause}/relese/", {}).json()
    assert said["data"] == (
        "一時停止解除を受け付けました。ステータスをご確認下さい。"
        f"(ConductorインスタンスID:{run},ノードインスタンスID:{pause})"  # noqa: RUF001
    )
    assert ita.get(f"{RUNS}/{run}/")["node"]["node-3"]["status_id"] == "3"
    again = refusal(ita.call("PATCH", f"{RUNS}/{run}/node/{pause}/relese/"))
    assert again[:2] == (499, "499-00812")
    other = shown["node"]["node-3"]["node_instance_id"]
    assert refusal(ita.call("PATCH", f"{RUNS}/{run}/node/{other}/relese/")) == (
        499,
        "499-00811",
        "指定された対象がpauseではありません。"
        f"(ConductorインスタンスID:{run},NodeインスタンスID:{other},ノード種別:movement)",
    )


def test_whoever_may_only_look_at_runs_stops_none(add: AddLogin) -> None:
    """The vendor asks for no more than View only there: see the differences in the documentation."""
    root = add("boss")
    run, waiting = start(root, schedule_date="2031/06/01 02:00"), start(root, "waiting")
    ann = add("ann", (Right.READ, "Topology/Teams"), (Right.MODIFY, "Jobs/Scheduling"))
    menu = {"role_name": "role of ann", "menu_name": "Conductor:Conductor confirmation", "associate": "View only"}
    root.post("menu/role_menu_link_list/maintenance/all/", [{"type": "Register", "parameter": menu}])
    pause = ann.get(f"{RUNS}/{waiting}/")["node"]["node-2"]["node_instance_id"]
    for action in (f"{run}/cancel/", f"{waiting}/scram/", f"{waiting}/node/{pause}/relese/"):
        assert refusal(ann.call("PATCH", f"{RUNS}/{action}")) == (
            401,
            "401-00001",
            "You do not have access privileges to the target menu. (menu: conductor_confirmation)",
        )
    assert [ann.get(f"{RUNS}/{one}/")["conductor"]["status_id"] for one in (run, waiting)] == ["2", "5"]


def test_executed_by_name_it_is_a_run_as_well(ita: Ita, hall: Hall, clock: Any) -> None:
    order = {"conductor_class_name": "nightly", "operation_name": "op-1", "schedule_date": "2026/03/01 13:00:00"}
    run = ita.post(EXECUTE, order)["conductor_instance_id"]
    assert ita.get(f"{RUNS}/{run}/")["conductor"]["status_id"] == "2"
    clock.turn(timedelta(hours=1))
    hall.clockwork.activate_due()
    assert ita.get(f"{RUNS}/{run}/")["conductor"]["status_id"] == "3"
    assert ita.get(f"{RUNS}/info/{run}/")["dict"]["operation"].popitem()[1] == "op-1"


@pytest.mark.parametrize("run", ["987219c8-28b3-4a6b-af94-f6de4cafcee9", "x", "%E3%81%82"])
def test_what_is_no_run(ita: Ita, run: str) -> None:
    for method, path in (("GET", ""), ("PATCH", "cancel/"), ("PATCH", "scram/"), ("PATCH", "node/node-1/relese/")):
        status, result, message = refusal(ita.call(method, f"{RUNS}/{run}/{path}"))
        assert (status, result) == (499, "499-00806")
        assert message.startswith("Conductor作業情報の取得に失敗しました。(ConductorインスタンスID:")


def test_runs_are_looked_at_in_their_menu_only(ita: Ita) -> None:
    run = start(ita)
    for menu, result in (("operation_list", "499-00001"), ("nothing", "499-00002")):
        assert refusal(ita.call("GET", f"menu/{menu}/conductor/{run}/"))[:2] == (499, result)


def test_nothing_is_changed_in_maintenance_mode(ita: Ita, hall: Hall) -> None:
    run = start(ita, "waiting")
    hall.settings.set("exastro_ita.maintenance_mode", "ON", SYSTEM)
    codes = {"cancel/": "498-00007", "scram/": "498-00008", "node/node-2/relese/": "498-00009"}
    for path, result in codes.items():
        assert refusal(ita.call("PATCH", f"{RUNS}/{run}/{path}"))[:2] == (498, result)
    assert ita.get(f"{RUNS}/{run}/")["conductor"]["status_id"] == "5"


def test_all_is_said_in_the_language_of_the_login(web: WebApp, datastore: Datastore, ports: Any) -> None:
    Logins(datastore, ports, cheap_passwords()).add("ann", "pass word", SYSTEM, roles=["Full Access"], language="en")
    ita = Ita(web, "ann", "pass word")
    run = start(ita, schedule_date="2031/06/01 02:00:30")
    shown = ita.get(f"{RUNS}/{run}/")
    assert shown["conductor"]["status"] == "Unexecuted (schedule)"
    assert shown["conductor"]["execution_user"] == "ann"
    assert shown["node"]["node-1"]["status"] == "Unexecuted"
    assert refusal(ita.call("PATCH", f"{RUNS}/{run}/scram/")) == (
        499,
        "499-00809",
        "It is not a status in which an emergency stop can be executed. "
        f"(Conductor instance ID:{run}, status:Unexecuted (schedule))",
    )
