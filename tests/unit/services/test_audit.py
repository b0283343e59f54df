"""Audit: every change leaves an entry with what was before and what is now, and nothing else does."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import dialect_changes
import exastro_changes
import pytest
from audit_world import ANN, LIBRARY, World
from audit_world import CHANGES as CORE_CHANGES
from job_world import NOBODY
from schedule_world import NOON

from dispatcher import services
from dispatcher.core.errors import Forbidden, InvalidValue
from dispatcher.core.permissions import SYSTEM, Caller, Node, Right
from dispatcher.core.ports import Ports
from dispatcher.datastore.transactions import Datastore
from dispatcher.services import audit
from dispatcher.services.audit import Audit, Subject
from dispatcher.services.hall import Hall

CHANGES = CORE_CHANGES | dialect_changes.CHANGES | exastro_changes.CHANGES
#: What callers may ask for that changes nothing.
READING = {
    *("Apply.check", "Apply.check_execution"),
    *("Categories.find", "Categories.numbered", "Categories.tree", "CcsJobs.all", "CcsJobs.get"),
    *("CcsJobs.named", "CcsRuns.latest", "Evaluations.get", "Inventory.asset", "Inventory.assets", "Inventory.group"),
    *("Inventory.groups", "Inventory.members", "Inventory.standards", "OpsRampJobs.get", "OpsRampJobs.search"),
    *("OpsRampJobs.types", "Requests.make", "Results.of_agent"),
    *("Resources.accounts", "Resources.accounts_of", "Resources.all", "Resources.get", "Resources.search"),
    *("ScriptLibrary.get", "ScriptLibrary.in_category", "ScriptOutputs.search", "Tenants.find", "Verified.remember"),
    *("Alerts.list", "Configurations.content", "Configurations.versions"),
    *("CredentialSets.of_client", "CredentialSets.of_resource"),
    *("Audit.list", "Dispatchers.list", "Jobs.get", "Jobs.page", "Library.inputs", "Library.outputs", "Library.whats"),
    *("Logins.list", "Output.read", "Results.collect", "Roles.explain", "Roles.list", "Roles.show", "RunBookJobs.get"),
    *("RunBookWho.require", "RunBookWho.require_job", "Schedules.get", "Schedules.ledger", "Selections.find"),
    *("TeamReports.teams", "Topology.who", "Uploads.admit", "UsageReports.jobs", "Use.user"),
    *("MenuInfo.candidates", "MenuInfo.columns", "MenuInfo.info", "MenuInfo.pulldown", "RecordQueries.count"),
    *("RecordQueries.filter", "RecordQueries.journal", "Rights.check", "Rights.readable", "RunViews.info"),
    *("RunViews.state", "UserMenus.groups", "Workspaces.enter"),
    *("Deployments.get", "Deployments.page", "Endpoints.all", "Endpoints.get", "Endpoints.page"),
    *("Groups.all", "Groups.get", "InputProvider.require", "JobInputs.require", "PatchList.is_for"),
    *("PatchLists.ordered", "Results.failures", "RunInputs.require", "RunValues.require", "Survey.page"),
    *("Groups.members", "IesJobs.get", "IesJobs.page", "PatchLists.all", "PatchLists.get", "PatchLists.made"),
    "Policies.all",
}
#: What makes new jobs: each of these says itself who made it, and when.
SUBMITTING = {
    *(
        "Apply.apply",
        "Apply.execute",
        "CcsJobs.create",
        "CcsRuns.execute",
        "Deployments.create",
        "IesJobs.create",
        "OnDemand.run",
        "OpsRampJobs.create",
        "OpsRampJobs.run",
        "Rerun.rerun",
    ),
    *("Scheduling.submit", "Submits.once", "Submits.once_id"),
}
#: What changes something without a caller, and is recorded.
WITHOUT_CALLER = {"Enrolment.enrol"}
#: What is recorded of things that have no id: settings, and menus.
WITHOUT_ID = {"Settings.set", "Maintenance.change", "Maintenance.change privileges"}
#: Modules that change what others keep by heart, where others record it or nobody does: an import records what its
#: sections do, and what is too old goes by a setting that is recorded.
UNRECORDED = {
    *("library/resources.py", "library/versions.py", "library/importing.py", "retention.py"),
    *("exastro_ita/menu_section.py", "exastro_ita/workspace_section.py"),
}


@pytest.fixture
def world(hall: Hall, datastore: Datastore, ports: Ports, load_library: Callable[[str], None]) -> World:
    load_library(LIBRARY)
    return World(hall, datastore, ports)


def methods() -> Iterator[tuple[str, Any]]:
    """Give the public methods of all services that are told who calls."""
    for found in pkgutil.walk_packages(services.__path__, "dispatcher.services."):
        module = importlib.import_module(found.name)
        for kind in vars(module).values():
            if inspect.isclass(kind) and kind.__module__ == found.name:
                for name, method in vars(kind).items():
                    is_public = inspect.isfunction(method) and not name.startswith("_")
                    if is_public and "caller" in inspect.signature(method).parameters:
                        yield f"{kind.__name__}.{name}", method


def test_it_is_known_of_every_operation_whether_it_changes_anything() -> None:
    recorded = {name.partition(" ")[0] for name in CHANGES}
    assert {name for name, _ in methods()} == READING | SUBMITTING | (recorded - WITHOUT_CALLER)
    assert recorded >= WITHOUT_CALLER


def test_what_only_reads_begins_no_transaction() -> None:
    reading = {name: inspect.getsource(method) for name, method in methods() if name in READING}
    assert [name for name, source in reading.items() if ".begin(" in source] == []


def test_what_changes_what_others_keep_is_recorded() -> None:
    folder = Path(services.__path__[0])
    changing = {path for path in folder.rglob("*.py") if "revisions.bump(" in path.read_text(encoding="utf-8")}
    records = re.compile(r"audit\.record(_all)?\(")
    silent = {path for path in changing if not records.search(path.read_text(encoding="utf-8"))}
    assert {path.relative_to(folder).as_posix() for path in silent} == UNRECORDED


@pytest.mark.parametrize("name", sorted(CHANGES))
def test_a_change_is_recorded_with_old_and_new_values(world: World, name: str) -> None:
    expected = CHANGES[name](world)
    assert world.told()[-1] == expected
    entry = world.entries()[-1]
    by = ("enrolment", "") if name == "Enrolment.enrol" else (ANN.name, ANN.address)
    assert (entry.login, entry.address, entry.at) == (*by, NOON)
    assert (entry.subject.kind, entry.subject.id is None) == (entry.action.partition(".")[0], name in WITHOUT_ID)


@pytest.mark.parametrize("name", sorted(CHANGES))
def test_a_change_that_is_rolled_back_is_not_recorded(world: World, name: str) -> None:
    before = world.stored()
    with pytest.raises(ZeroDivisionError), world.datastore.begin():
        CHANGES[name](world)
        assert world.stored() != before
        raise ZeroDivisionError
    assert world.stored() == before


def test_what_changes_nothing_is_not_recorded(world: World) -> None:
    world.enrol()
    world.login()
    key, job, recurring = world.upload(), world.later(), world.recurring()
    world.hall.aborting.abort(job.id, SYSTEM)
    world.hall.settings.set("webapi.realm", "x", SYSTEM)
    before = world.told()
    world.hall.aborting.abort(job.id, ANN)
    world.hall.aborting.enable(recurring.id, ANN)
    world.hall.schedules.resume(recurring.id, ANN)
    world.hall.settings.set("webapi.realm", "x", ANN)
    world.logins.enable("bob", ANN)
    world.upload(overwrite=True)
    world.upload(resource_id=key)
    world.teams()
    assert world.told()[len(before) :] == []


def test_submitting_is_told_by_the_job_alone(world: World) -> None:
    before = world.told()
    world.job()
    world.later()
    assert world.told() == before


def test_an_agent_that_goes_from_team_to_team(world: World) -> None:
    world.enrol()
    world.teams((NOBODY, True, True))
    world.teams((NOBODY, False, False))
    nobody = f"Nobody ({NOBODY})"
    old, new = {"teams": [nobody], "primary_team": nobody}, {"teams": [], "primary_team": None}
    assert world.told()[-1] == ("agent.teams", "one", old, new)


def test_only_what_differs_is_kept(world: World, datastore: Datastore) -> None:
    with datastore.begin() as session:
        for old, new in (({"a": 1, "b": [2]}, {"a": 1, "b": [3], "c": "x" * 3_000}), ({"a": 1}, {"a": 1}), ({}, {})):
            audit.record(session, NOON, ANN, "thing.changed", Subject("thing", "n" * 300), old=old, new=new)
    (entry,) = world.entries(action="thing")
    assert entry.old == {"b": [2]}
    assert entry.new == {"b": [3], "c": "x" * 2_000 + "… (3000 characters)"}
    assert entry.subject.name == "n" * 255


def test_entries_are_found_by_what_they_tell(world: World, datastore: Datastore, clock: Any) -> None:
    start = len(world.entries())
    agent = world.enrol()
    clock.turn(timedelta(hours=1))
    world.hall.settings.set("webapi.realm", "x", ANN)
    listed = Audit(datastore).list(SYSTEM, limit=2)
    assert [entry.action for entry in listed] == ["setting.changed", "agent.enrolled"]
    older = Audit(datastore).list(SYSTEM, before=listed[-1].number)
    assert [entry.action for entry in older][:1] == ["token.created"]
    assert len(older) == start + 1

    def found(**which: Any) -> list[str]:
        return [entry.action for entry in world.entries(**which)]

    assert found(since=clock()) == ["setting.changed"]
    assert found(login="ann") == ["setting.changed"]
    assert found(subject="webapi.realm") == ["setting.changed"]
    assert found(subject=str(agent).upper()) == found(subject="one") == ["agent.enrolled"]
    assert found(action="agent") == found(action="agent.enrolled") == ["agent.enrolled"]
    assert found(action="agen") == found(action="%") == []


def test_reading_needs_the_right_to_read_security(datastore: Datastore) -> None:
    assert Audit(datastore).list(Caller("x", {Node.SECURITY: Right.READ})) == []
    with pytest.raises(Forbidden):
        Audit(datastore).list(Caller("x", dict.fromkeys(set(Node) - {Node.SECURITY}, Right.MODIFY)))
    for limit in (0, 1_001):
        with pytest.raises(InvalidValue):
            Audit(datastore).list(SYSTEM, limit=limit)
