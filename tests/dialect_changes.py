"""Every change that the audit records of what clients of the JSON dialects do, as those in ``audit_world``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from audit_world import ANN, LATER, Told, World
from job_world import GREET, LINUX, NOBODY

from dispatcher.core.permissions import SYSTEM
from dispatcher.services.ivanti_endpoint_security.new_patch_lists import NewPatch, NewPatchList, NewPatchLists
from dispatcher.services.library.importing import import_texts
from dispatcher.services.opsramp.categories import Category
from dispatcher.services.opsramp.job_types import APP_INSTALL, MANUAL
from dispatcher.services.opsramp.jobs import ShownJob
from dispatcher.services.opsramp.orders import Entity, Order, Timing
from dispatcher.services.opsramp.patterns import Pattern, Repeat
from dispatcher.services.opsramp.resources import NewResource
from dispatcher.services.opsramp.script_library import NewScript
from dispatcher.services.opsramp.scripts import Script
from dispatcher.services.opsramp.suite import OpsRamp, build_opsramp
from dispatcher.services.symantec_ccs.orders import CcsJobView, JobOrder
from dispatcher.services.symantec_ccs.suite import SymantecCcs, build_symantec_ccs

#: A tenant of OpsRamp: the team's name.
TENANT = "Nobody"
ORDER = JobOrder("J", "CollectionJob", [str(GREET)], [str(LINUX)])


INSTALL = """
modules:
  - name: Install
    aliases: {opsramp: {job_type: appinstall}}
    tasks: [{type: command, name: install, settings: {command: 'true'}}]
"""


def opsramp(world: World) -> OpsRamp:
    return build_opsramp(world.hall)


def ccs(world: World) -> SymantecCcs:
    return build_symantec_ccs(world.hall)


def a_category(world: World, name: str = "Tools") -> Category:
    return opsramp(world).categories.create(TENANT, name, None, ANN)


def a_script(world: World) -> tuple[int, Script]:
    number = a_category(world).number
    new = NewScript(name="Say", execution_type="COMMAND", command="echo 1", platforms=["LINUX"])
    return number, opsramp(world).scripts.create(TENANT, number, new, ANN)[1]


def an_order(world: World, name: str = "J") -> Order:
    (root,) = (one for one in opsramp(world).categories.tree(TENANT, ANN) if not one.path)
    scripts = {one.name: one for _, one in opsramp(world).scripts.in_category(TENANT, root.number, ANN)}
    timing = Timing(start=LATER, pattern=Pattern(repeat=Repeat.EVERY_DAY))
    return Order(name=name, job_type="custom", script=scripts["Greet"].number, timing=timing)


def a_job(world: World) -> ShownJob:
    return opsramp(world).jobs.create(TENANT, an_order(world), ANN)


def a_ccs_job(world: World, **rest: Any) -> CcsJobView:
    return ccs(world).jobs.create(replace(ORDER, **rest), ANN)[0]


def _folder_created(world: World) -> Told:
    a_category(world)
    return "folder.created", "Tools", None, {"path": "Tools"}


def _folder_moved(world: World) -> Told:
    opsramp(world).categories.rename(TENANT, a_category(world).number, "Things", None, ANN)
    return "folder.moved", "Tools", {"path": "Tools"}, {"path": "Things"}


def _folder_hidden(world: World) -> Told:
    opsramp(world).categories.remove(TENANT, a_category(world).number, ANN)
    return "folder.hidden", "Tools", {"hidden": False}, {"hidden": True}


def _folder_shown(world: World) -> Told:
    opsramp(world).categories.remove(TENANT, a_category(world).number, ANN)
    a_category(world)
    return "folder.shown", "Tools", {"hidden": True}, {"hidden": False}


def _resource_made(world: World) -> Told:
    opsramp(world).resources.create(TENANT, NewResource("two", "10.0.0.2"), ANN)
    return "agent.created", "two", None, {"address": "10.0.0.2", "primary_team": "Nobody"}


def _script_made(world: World) -> Told:
    a_script(world)
    new = {"folder": "Tools", "name": "Say", "platforms": ["LINUX"], "version": 1}
    return "module.created", "Say", None, new


def _script_changed(world: World) -> Told:
    category, script = a_script(world)
    opsramp(world).scripts.change(TENANT, category, script.number, NewScript(command="echo 2"), ANN)
    member = "tasks/Say/settings/text"
    return "module.changed", "Say", {"version": 1, member: "echo 1"}, {"version": 2, member: "echo 2"}


def _script_removed(world: World) -> Told:
    category, script = a_script(world)
    opsramp(world).scripts.remove(TENANT, category, script.number, ANN)
    name = f"Say (removed, {script.number})"
    old, new = {"name": "Say", "enabled": True, "version": 1}, {"name": name, "enabled": False, "version": 2}
    return "module.changed", name, old, new


def _patch_list_made(world: World) -> Told:
    new = NewPatchList("Autumn", "", [NewPatch("curl", package="curl")])
    NewPatchLists(world.hall.datastore, world.hall.ports, world.hall.secrets, world.hall.submits).create(new, ANN)
    return "project.created", "Autumn", None, {"folder": "Custom patch lists", "name": "Autumn", "version": 1}


def _job_changed(world: World) -> Told:
    opsramp(world).jobs.change(TENANT, str(a_job(world).id), an_order(world, "K"), ANN)
    return "job.changed", "K", {"description": "J"}, {"description": "K"}


def _job_removed(world: World) -> Told:
    opsramp(world).jobs.remove(TENANT, str(a_job(world).id), ANN)
    return "job.aborted", "J", {"state": "Scheduled"}, {"state": "Cancelled"}


def _job_approved(world: World) -> Told:
    import_texts(world.datastore, world.ports, world.hall.secrets, {"more": INSTALL.encode()}, caller=SYSTEM)
    agent = world.enrol()
    world.teams((NOBODY, True, False))
    rest = {"entities": [Entity(id=str(agent))], "approval": {"approvalType": MANUAL}}
    order = an_order(world).model_copy(update={"job_type": APP_INSTALL, "script": None} | rest)
    jobs = opsramp(world).jobs
    job = jobs.create(TENANT, order, ANN)
    jobs.run(TENANT, str(job.id), "", ANN)
    jobs.approve(TENANT, str(job.id), ANN)
    return "job.approved", "J", {"approval": "required"}, {"approval": "given"}


def _ccs_job_changed(world: World) -> Told:
    ccs(world).jobs.update(a_ccs_job(world).id, lambda _: replace(ORDER, name="K"), ANN)
    return "job.changed", "K", {"description": "J"}, {"description": "K"}


def _ccs_job_deleted(world: World) -> Told:
    ccs(world).jobs.delete(a_ccs_job(world).id, ANN)
    return "job.aborted", "J", {"state": "Scheduled"}, {"state": "Cancelled"}


def _ccs_history_deleted(world: World) -> Told:
    ccs(world).jobs.delete(a_ccs_job(world).id, ANN, keeps_job=True)
    return "job.runs_hidden", "J", None, {"hidden_runs": 0}


def _run_aborted(world: World) -> Told:
    world.enrol()
    run = ccs(world).runs.execute(a_ccs_job(world).id, ANN)
    ccs(world).runs.abort(run.id, ANN)
    return "job.aborted", "J", {"state": "Active"}, {"state": "Aborted"}


#: How each change is made, by the method of the service that makes it; and what is recorded of it.
CHANGES: dict[str, Callable[[World], Told]] = {
    "Categories.create": _folder_created,
    "Categories.create again": _folder_shown,
    "Categories.remove": _folder_hidden,
    "Categories.rename": _folder_moved,
    "CcsJobs.delete": _ccs_job_deleted,
    "CcsJobs.delete history": _ccs_history_deleted,
    "CcsJobs.update": _ccs_job_changed,
    "CcsRuns.abort": _run_aborted,
    "OpsRampJobs.approve": _job_approved,
    "OpsRampJobs.change": _job_changed,
    "OpsRampJobs.remove": _job_removed,
    "Resources.create": _resource_made,
    "ScriptLibrary.change": _script_changed,
    "NewPatchLists.create": _patch_list_made,
    "ScriptLibrary.create": _script_made,
    "ScriptLibrary.remove": _script_removed,
}

__all__ = ["CHANGES"]
