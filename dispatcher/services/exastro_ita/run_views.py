"""Run views: what clients are shown of one conductor run (menu ``conductor_confirmation``, contract section 3.6).

Members and their order are those of the vendor's ``get_instance_data`` and ``get_instance_info_data``
(``conductor/classes/exec_util.py``). A state is shown twice: its name as ``status``, its id as ``status_id``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, tzinfo
from typing import Any, cast

from dispatcher.core.definitions import RunBookDocument, StepDocument
from dispatcher.core.jobs import WhatKind
from dispatcher.core.permissions import Caller, Node, Right
from dispatcher.core.ports import Ports
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.exastro_ita import graph, own_operations
from dispatcher.services.exastro_ita.columns import Label
from dispatcher.services.exastro_ita.messages import ItaError
from dispatcher.services.exastro_ita.nodes import NodeView, look
from dispatcher.services.exastro_ita.operations import to_id
from dispatcher.services.exastro_ita.own_operations import OwnOperation
from dispatcher.services.exastro_ita.records import Scope
from dispatcher.services.exastro_ita.rights import CONDUCTOR_CONFIRMATION, Privilege, Rights
from dispatcher.services.exastro_ita.run_jobs import Family, RunJob
from dispatcher.services.exastro_ita.runs import Run, find, operation_names
from dispatcher.services.exastro_ita.states import CONDUCTOR_NAMES, NODE_NAMES
from dispatcher.services.exastro_ita.values import moment_text
from dispatcher.services.exastro_ita.workspaces import Workspace
from dispatcher.services.plans import Plans
from dispatcher.services.settings import Settings

#: The menu that runs are shown and changed in.
MENU = "conductor_confirmation"
#: What there is no run for.
UNKNOWN = "499-00806"
#: Where the web pages of the vendor show what a node has done: a movement, and all others.
_OF_MOVEMENTS, _OF_CONDUCTORS = "check_operation_status_ansible_legacy", "conductor_confirmation"
#: How often those pages ask, in milliseconds.
_REFRESH = 1_000


class RunViews:
    """Shows conductor runs."""

    def __init__(self, datastore: Datastore, ports: Ports, *, plans: Plans, settings: Settings, rights: Rights) -> None:
        self._datastore = datastore
        self._ports = ports
        self._plans = plans
        self._settings = settings
        self._rights = rights

    def state(self, workspace: Workspace, run: str, caller: Caller, language: str = "ja") -> dict[str, Any]:
        """Return how the run with the id *run* stands, and its nodes.

        :raises ItaError: 401-00001 if the caller may not read in the menu; 499-00806 if the workspace has no such run.
        :raises Forbidden: without Read on Jobs/Scheduling.
        """
        self._require(workspace, caller)
        with self._datastore.read() as session:
            scope = Scope(session, workspace, caller, self._ports.now(), language)
            found = find(scope, self._plans, run)
            if found is None:
                raise ItaError(UNKNOWN, run)
            return _state(scope, *found, self._settings.site_zone())

    def info(self, workspace: Workspace, run: str, caller: Caller, language: str = "ja") -> dict[str, Any]:
        """Return the names of states, of kinds of nodes, and of what the run deals with; of an unknown run none.

        :raises ItaError: 401-00001 if the caller may not read in the menu.
        :raises Forbidden: without Read on Jobs/Scheduling.
        """
        self._require(workspace, caller)
        with self._datastore.read() as session:
            scope = Scope(session, workspace, caller, self._ports.now(), language)
            found = find(scope, self._plans, run)
            nothing: Mapping[str, Mapping[str, str]] = {"conductor": {}, "operation": {}, "movement": {}}
            return _lists({**_fixed(language), **(nothing if found is None else _named(scope, *found))})

    def _require(self, workspace: Workspace, caller: Caller) -> None:
        caller.require(Right.READ, Node.SCHEDULING)
        self._rights.check(workspace, MENU, caller, Privilege.READ, CONDUCTOR_CONFIRMATION)


def _state(scope: Scope, family: Family, run: Run, zone: tzinfo) -> dict[str, Any]:
    document = cast("RunBookDocument", family.document(run.job))
    drawn = graph.to_graph(document["steps"])
    views = look(family, run.job, drawn)
    operations = own_operations.of_steps(scope, run.job, family.steps(run.job), document["steps"])
    ids = {at: one.id for at, one in operations.items()}
    return {
        "conductor_class": graph.to_class(drawn, document, note=run.remarks or "", operations=ids),
        "conductor": _conductor(family, run, zone, scope.language),
        "node": {view.node.name: _node(view, document["steps"], operations, zone, scope.language) for view in views},
    }


def _conductor(family: Family, run: Run, zone: tzinfo, language: str) -> dict[str, Any]:
    state, standing = family.state(run.job), run.job.standing
    return {
        "conductor_instance_id": str(run.id),
        "conductor_name": run.conductor_name,
        "status": named(CONDUCTOR_NAMES[state], language),
        "status_id": state.value,
        "execution_user": run.user,
        "abort_execute_flag": str(standing.is_stopped),
        "operation_id": run.operation_id and str(run.operation_id),
        "operation_name": run.operation_name,
        "time_book": _moment(run.booked_for, zone),
        "time_start": _moment(run.job.started_at, zone),
        "time_end": _moment(run.job.stopped_at, zone),
        "execution_log": _log(family, run.job),
        "remarks": run.remarks,
    }


def _log(family: Family, job: RunJob) -> list[str]:
    """Return why the run ended as it did, and why steps of it could not start, in the words of the core."""
    steps = family.document(job)["steps"]
    found = [job.standing.reason] if job.standing.reason else []
    for at, child in sorted(family.steps(job).items()):
        if child.standing.could_not_start:
            found.append(f"step {steps[at]['name']}: {child.standing.reason}")
    return found


def _node(
    view: NodeView,
    steps: list[StepDocument],
    operations: Mapping[int, OwnOperation],
    zone: tzinfo,
    language: str,
) -> dict[str, Any]:
    is_movement = view.node.kind == graph.MOVEMENT
    is_work = is_movement or view.node.kind == graph.CALL
    execution = str(view.job.id) if is_work and view.is_executed and view.job else None
    menu, parameter = (_OF_MOVEMENTS, "execution_no") if is_movement else (_OF_CONDUCTORS, "conductor_instance_id")
    operation = operations.get(view.node.steps.start) if is_work else None
    note = steps[view.node.steps.start]["name"] if is_work else None
    return {
        "node_instance_id": str(view.id),
        "node_name": view.node.name,
        "node_type": view.node.kind,
        "status": named(NODE_NAMES[view.state], language),
        "status_id": view.state.value,
        "status_file": None,
        "skip": "False",  # no step is left out by its definition
        "remarks": note,
        "time_start": _moment(view.started_at, zone),
        "time_end": _moment(view.stopped_at, zone),
        "operation_id": operation and operation.id,
        "operation_name": operation and operation.name,
        "jump": {"menu_id": menu, "execution_id": execution},
        "jump_url": f"menu={menu}&{parameter}={execution}" if execution else None,
    }


def _operations_of(scope: Scope, jobs: Iterable[RunJob]) -> dict[str, str]:
    """Return the names of the operations that *jobs* are for, by their ids."""
    ids = {key for job in jobs if (key := to_id(job.inputs_of)) is not None}
    return {str(key): name for key, name in operation_names(scope, ids).items()}


def _fixed(language: str) -> dict[str, Mapping[str, str]]:
    return {
        "conductor_status": {str(key): named(label, language) for key, label in CONDUCTOR_NAMES.items()},
        "node_status": {str(key): named(label, language) for key, label in NODE_NAMES.items()},
        "node_type": {kind: kind for kind in graph.KINDS},
        "orchestra": graph.ORCHESTRATORS,
    }


def _named(scope: Scope, family: Family, run: Run) -> dict[str, Mapping[str, str]]:
    """Return the conductors, operations and movements that *run* deals with, by id."""
    document = cast("RunBookDocument", family.document(run.job))
    conductors = {str(run.conductor_id): run.conductor_name}
    if run.parent is not None:  # the vendor has the run here, not what it is a run of
        conductors[str(run.parent.id)] = run.parent.conductor_name
    movements: dict[str, str] = {}
    for step in document["steps"]:
        names = conductors if step["kind"] == WhatKind.RUNBOOK else movements
        names.setdefault(step["what"]["id"], step["what"]["name"])
    operations = {str(run.operation_id): run.operation_name} if run.operation_id else {}
    operations |= _operations_of(scope, family.steps(run.job).values())
    return {"conductor": conductors, "operation": operations, "movement": movements}


def _lists(names: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """Return *names* (by kind and id) in the three forms that the vendor gives."""
    return {
        "list": {kind: [{"id": key, "name": name} for key, name in one.items()] for kind, one in names.items()},
        "dict": {kind: dict(one) for kind, one in names.items()},
        "dict_name": {kind: {name: key for key, name in one.items()} for kind, one in names.items()},
        "refresh_interval": _REFRESH,
    }


def named(label: Label, language: str) -> str:
    """Return *label* in *language*."""
    return label.en if language == "en" else label.ja


def _moment(moment: datetime | None, zone: tzinfo) -> str | None:
    return None if moment is None else moment_text(moment, zone)
