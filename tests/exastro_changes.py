"""Every change that the audit records of what clients of Exastro IT Automation do, as those in ``audit_world``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from audit_world import ANN, Told, World
from exastro_world import LIBRARY_OF_RIGHTS

from dispatcher.core.jobs import WhoChoice, WhoKind
from dispatcher.core.permissions import SYSTEM
from dispatcher.services.exastro_ita.suite import ExastroIta, build_exastro_ita
from dispatcher.services.exastro_ita.workspaces import Workspace
from dispatcher.services.library.importing import import_texts

OPERATION = {"operation_name": "op-1", "scheduled_date_for_execution": "2031/06/01 02:00"}


def ita(world: World) -> tuple[ExastroIta, Workspace]:
    """Return the dialect, and a workspace with an operation."""
    files = {"exastro.yaml": LIBRARY_OF_RIGHTS.encode()}
    import_texts(world.datastore, world.ports, world.hall.secrets, files)
    suite = build_exastro_ita(world.hall)
    workspace = suite.workspaces.enter("org9", "ws2", SYSTEM)
    suite.maintenance.change(workspace, "operation_list", [{"type": "Register", "parameter": OPERATION}], ANN)
    return suite, workspace


def a_run(world: World, conductor: str, **more: str) -> tuple[ExastroIta, Workspace, str]:
    suite, workspace = ita(world)
    order = {"conductor_class_name": conductor, "operation_name": "op-1", **more}
    return suite, workspace, str(suite.apply.apply(workspace, order, ANN))


def _records_changed(world: World) -> Told:
    ita(world)
    return "record.changed", "operation_list", None, {"workspace": "org9/ws2", "Register": 1}


def _record_deleted(world: World) -> Told:
    suite, workspace = ita(world)
    [found] = suite.records.filter(workspace, "operation_list", None, ANN)
    known = {name: found["parameter"][name] for name in ("operation_id", "last_update_date_time")}
    suite.maintenance.change(workspace, "operation_list", [{"type": "Delete", "parameter": known}], ANN)
    entry = world.entries()[-1]
    assert entry.old is not None
    return "record.removed", "operation_list", entry.old, None


def _privilege_given(world: World) -> Told:
    suite, workspace = ita(world)
    given = {"role_name": "Read Only", "menu_name": "基本コンソール:オペレーション一覧", "associate": "閲覧のみ"}
    suite.maintenance.change(workspace, "role_menu_link_list", [{"type": "Register", "parameter": given}], ANN)
    place, (role, record) = {"workspace": "org9/ws2"}, world.told()[-2:]
    assert role[:3] == ("role_menu.changed", "operation_list", None)
    assert role[3] == {**place, "role_name": role[3]["role_name"], "menu_name": "operation_list"} | {
        "associate": "2",
        "discarded": False,
    }
    return record


def _run_cancelled(world: World) -> Told:
    suite, workspace, run = a_run(world, "nightly", schedule_date="2031/06/01 02:00")
    suite.run_actions.cancel(workspace, run, ANN)
    return "job.aborted", "nightly", {"state": "Scheduled"}, {"state": "Cancelled"}


def _run_stopped(world: World) -> Told:
    suite, workspace, run = a_run(world, "waiting")
    suite.run_actions.scram(workspace, run, ANN)
    return "job.aborted", "waiting", {"state": "Active"}, {"state": "Aborted"}


def _run_released(world: World) -> Told:
    suite, workspace, run = a_run(world, "waiting")
    nodes: Any = suite.runs.state(workspace, run, ANN)["node"].values()
    pause = next(node["node_instance_id"] for node in nodes if node["node_type"] == "pause")
    suite.run_actions.release(workspace, run, pause, ANN)
    return "job.approved", "one", {"approval": "required"}, {"approval": "given"}


def _taken_out(world: World) -> Told:
    _, workspace = ita(world)
    [host] = [one for one in world.hall.topology.who(True, False, False, False, "", ANN) if one.name == "h1"]
    team, agent = WhoChoice([workspace.team_id], WhoKind.TEAM), WhoChoice([host.id], WhoKind.AGENT)
    world.hall.memberships.take_out(team, [agent], ANN)
    return "agent.teams", "h1", {"teams": [f"Ring 1 ({workspace.team_id})"]}, {"teams": []}


def _unused_removed(world: World) -> Told:
    import_texts(world.datastore, world.ports, world.hall.secrets, {"x.yaml": b"agents: [{name: spare}]"})
    [host] = [one for one in world.hall.topology.who(True, False, False, False, "", ANN) if one.name == "spare"]
    assert world.hall.removals.remove_unused([host.id], ANN) == {host.id}
    return "agent.removed", "spare", {"address": ""}, None


#: How each change is made, by the method of the service that makes it; and what is recorded of it.
CHANGES: dict[str, Callable[[World], Told]] = {
    "Maintenance.change": _records_changed,
    "Maintenance.change deletes": _record_deleted,
    "Maintenance.change privileges": _privilege_given,
    "Memberships.take_out": _taken_out,
    "Removals.remove_unused": _unused_removed,
    "RunActions.cancel": _run_cancelled,
    "RunActions.release": _run_released,
    "RunActions.scram": _run_stopped,
}
