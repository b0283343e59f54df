"""Roles on every database: what is granted holds from the next request on, down to folders and objects."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from role_world import KEYS, LIBRARY, given, modules, schedule, who
from statements import statements

from dispatcher.core.console import Console
from dispatcher.core.contents import Content
from dispatcher.core.errors import (
    Conflict,
    Forbidden,
    InvalidValue,
    NotFound,
    WhatNotFound,
)
from dispatcher.core.jobs import WhatKind, When, Who, WhoChoice, WhoKind
from dispatcher.core.permissions import SYSTEM, Caller, Node, Right
from dispatcher.core.schedules import RecurrenceRequest
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.enrolment import Facts
from dispatcher.services.hall import Hall
from dispatcher.services.memberships import Change
from dispatcher.services.roles import Roles
from dispatcher.services.uploads import Upload

DENY, READ, MODIFY = Right.DENY, Right.READ, Right.MODIFY


@pytest.fixture(autouse=True)
def library(load_library: Callable[[str], None]) -> None:
    load_library(LIBRARY)


def test_nearest_grant_decides_and_lists_show_what_may_be_read(hall: Hall, bob: Any) -> None:
    assert modules(hall, bob()) == []
    assert modules(hall, bob({"library/modules/DEMO/": READ})) == ["Copy files", "List files"]
    assert modules(hall, bob({"Library/Modules/Demo/Files/List files": DENY})) == ["Copy files"]
    assert modules(hall, bob({"Library/Modules": READ})) == ["Copy files", "Restart"]
    assert modules(hall, bob({"Library/Modules/Demo/": None})) == ["Copy files", "Restart"]
    assert modules(hall, bob({"Library/Modules/Demo/Files/": DENY})) == ["Restart"]
    assert modules(hall, bob({str(KEYS["list"]): READ})) == ["List files", "Restart"]


def test_roles_add_up(hall: Hall, bob: Any, roles: Roles) -> None:
    roles.add("Reader", SYSTEM)
    roles.give("Reader", "bob", SYSTEM)
    bob({"Library/Modules": READ, "Library/Modules/Restart": DENY})
    assert modules(hall, bob({"Library/Modules/Restart": READ}, "Reader")) == ["Copy files", "List files", "Restart"]
    roles.take("Reader", "bob", SYSTEM)
    assert modules(hall, bob()) == ["Copy files", "List files"]


def test_single_objects_are_refused(hall: Hall, bob: Any) -> None:
    caller = bob({"Library/Modules/Demo/": READ})
    assert hall.library.inputs(WhatKind.MODULE, KEYS["list"], caller).parameters == []
    with pytest.raises(Forbidden, match=str(KEYS["root"])):
        hall.library.outputs(WhatKind.MODULE, KEYS["root"], caller)
    with pytest.raises(WhatNotFound):
        hall.library.inputs(WhatKind.MODULE, UUID(int=99), caller)
    with pytest.raises(Forbidden):
        hall.library.inputs(WhatKind.RUNBOOK, UUID(int=99), caller)


def test_scheduling_asks_for_what_and_who(hall: Hall, bob: Any) -> None:
    with pytest.raises(Forbidden, match="Modify right on Jobs/Scheduling"):
        schedule(hall, bob({"Library/Modules/Demo/": READ, "Topology/Agents/PC-1": READ}), "list", "PC-1")
    caller = bob({"Jobs/Scheduling": MODIFY})
    job = schedule(hall, caller, "list", "PC-1")
    for what, name in (("root", "PC-1"), ("list", "PC-2"), ("list", "Ring 1")):
        with pytest.raises(Forbidden):
            schedule(hall, caller, what, name)
    caller = bob({"Topology/Teams/Rings/": READ, "Topology/Agents/PC-1": DENY})
    schedule(hall, caller, "list", "Ring 1")
    with pytest.raises(Forbidden):
        schedule(hall, caller, "list", "PC-1")
    with pytest.raises(Forbidden):
        hall.aborting.abort(job.id, caller)
    hall.aborting.abort(job.id, bob({"Topology/Agents/PC-1": None, "Topology/Agents": READ}))
    with pytest.raises(Forbidden):
        hall.rerun.rerun(job.id, False, bob({"Library/Modules/Demo/Files/": DENY}))
    assert hall.rerun.rerun(job.id, False, bob({"Library/Modules/Demo/Files/": READ})).id


@pytest.mark.parametrize(("value", "may"), [("PC-1", True), (str(KEYS["two"]), False), ("PC-2", False), ("new", False)])
def test_a_parameter_names_only_whom_the_caller_may_read(hall: Hall, bob: Any, value: str, may: bool) -> None:
    rights = {"Jobs/Scheduling": MODIFY, "Library/Run Books/Rings": READ, "Topology/Teams": READ}
    assert schedule(hall, bob({**rights, "Topology/Agents": READ}), **given(value)).id
    caller = bob({"Topology/Agents/PC-2": DENY})
    if may:
        assert schedule(hall, caller, **given(value)).id
        return
    # Of a name that is nobody's yet: the one who gets it may be one who is denied.
    with pytest.raises(Forbidden):
        schedule(hall, caller, **given(value))


@pytest.fixture
def all_but_pc_2(bob: Any) -> Caller:
    """Bob, who may read and schedule everything but PC-2."""
    nodes = ("Library/Modules", "Library/Run Books", "Topology/Agents", "Topology/Teams")
    caller: Caller = bob({**dict.fromkeys(nodes, READ), "Jobs/Scheduling": MODIFY, "Topology/Agents/PC-2": DENY})
    return caller


def test_jobs_are_changed_by_who_may_read_whom_their_parameters_name(hall: Hall, all_but_pc_2: Caller) -> None:
    mine, other = (schedule(hall, SYSTEM, **given(name)).id for name in ("PC-1", "PC-2"))
    for change in (hall.aborting.abort, hall.aborting.disable, hall.aborting.enable):
        with pytest.raises(Forbidden):
            change(other, all_but_pc_2)
    hall.aborting.abort(other, SYSTEM)
    with pytest.raises(Forbidden):
        hall.rerun.rerun(other, False, all_but_pc_2)
    hall.aborting.abort(mine, all_but_pc_2)
    assert hall.rerun.rerun(mine, False, all_but_pc_2).id


def test_schedules_are_changed_by_who_may_read_whom_they_will_run_on(hall: Hall, all_but_pc_2: Caller) -> None:
    daily = When(recurrence=RecurrenceRequest("DTSTART:20300101T060000Z\nRRULE:FREQ=DAILY"))
    by_id, by_name, other = (
        schedule(hall, SYSTEM, **given(name), when=daily).id for name in (str(KEYS["one"]), "PC-1", "PC-2")
    )
    for change in (hall.aborting.disable, hall.aborting.enable, hall.schedules.resume):
        with pytest.raises(Forbidden):
            change(other, all_but_pc_2)
    with pytest.raises(Forbidden):
        hall.schedules.pause(other, None, all_but_pc_2)
    for job in (by_id, by_name):
        hall.schedules.pause(job, None, all_but_pc_2)
        hall.aborting.disable(job, all_but_pc_2)
    hall.schedules.resume(by_id, all_but_pc_2)
    hall.aborting.enable(by_id, all_but_pc_2)
    for change in (hall.aborting.enable, hall.schedules.resume):
        with pytest.raises(Forbidden):  # the name may be another one's by then
            change(by_name, all_but_pc_2)


def test_what_starts_later_names_by_id_unless_all_may_be_read(hall: Hall, bob: Any, all_but_pc_2: Caller) -> None:
    daily = When(recurrence=RecurrenceRequest("DTSTART:20300101T060000Z\nRRULE:FREQ=DAILY"))
    for when in (When(False, datetime(2099, 1, 1, tzinfo=UTC)), daily):
        assert schedule(hall, all_but_pc_2, **given(f"{{{KEYS['one']}}}"), when=when).id
        with pytest.raises(Forbidden, match="Parameters/Ring"):
            schedule(hall, all_but_pc_2, **given("PC-1"), when=when)
    assert schedule(hall, bob({"Topology/Agents/PC-2": READ}), **given("PC-1"), when=daily).id


def test_a_part_of_a_name_takes_the_right_to_read_all(hall: Hall, bob: Any, all_but_pc_2: Caller) -> None:
    assert schedule(hall, all_but_pc_2, "part", "PC-1").id
    for name, value in (("Number", "2"), ("Whole", "PC-1")):
        with pytest.raises(Forbidden):
            schedule(hall, all_but_pc_2, **given(value, name, "part"))
    assert schedule(hall, bob({"Topology/Agents/PC-2": READ}), **given("2", "Number", "part")).id


def test_a_user_is_judged_by_the_agent_that_the_run_book_takes(hall: Hall, clock: Any, all_but_pc_2: Caller) -> None:
    def sits_at(agent: str, user: str) -> None:
        hall.enrolment.note_facts(KEYS[agent], Facts(os="linux", console=Console(user, user, clock())))

    sits_at("one", "anna")
    sits_at("two", "ben")
    assert schedule(hall, all_but_pc_2, **given("anna", "RunBookWho", "user")).id
    later = When(False, datetime(2099, 1, 1, tzinfo=UTC))
    for user, when in (("ben", When()), ("nobody", When()), ("anna", later)):
        with pytest.raises(Forbidden, match="Parameters/RunBookWho"):
            schedule(hall, all_but_pc_2, **given(user, "RunBookWho", "user"), when=when)


def test_a_name_that_is_denied_is_refused_as_one_that_is_nobodys(hall: Hall, bob: Any) -> None:
    team = WhoChoice(["Ring 1"], WhoKind.TEAM)
    caller = bob(
        {
            **dict.fromkeys(("Jobs/Scheduling", "Topology/Teams", "Topology/Agents/PC-1"), MODIFY),
            **dict.fromkeys(("Library/Modules", "Library/Run Books"), READ),
        }
    )

    def said(name: str) -> list[str]:
        choice = WhoChoice([name], WhoKind.AGENT)
        texts = []
        for ask in (
            lambda: schedule(hall, caller, "list", name),
            lambda: schedule(hall, caller, "list", name, "nobody"),
            lambda: schedule(hall, caller, **given(name)),
            lambda: hall.removals.remove(choice, False, caller),
            lambda: hall.memberships.change(team, [Change(choice, "Agents[0]/ID")], caller),
        ):
            with pytest.raises(Forbidden) as refused:
                ask()
            texts.append(refused.value.message.replace(name, "it"))
        return texts

    assert said("PC-2") == said("Twin") == said("nobody")
    for name in ("nobody", str(UUID(int=99))):  # who may read all is told, and an id is no secret
        with pytest.raises(InvalidValue):
            schedule(hall, SYSTEM, "list", name)
    with pytest.raises(InvalidValue):
        hall.removals.remove(WhoChoice([UUID(int=99)], WhoKind.AGENT), False, caller)
    with pytest.raises(Forbidden, match=str(KEYS["two"])):
        hall.removals.remove(WhoChoice([KEYS["two"]], WhoKind.AGENT), False, caller)


def test_agents_and_teams_are_listed_as_far_as_they_may_be_read(hall: Hall, bob: Any) -> None:
    assert who(hall, bob({"Topology/Agents/PC-2": READ, "Topology/Teams/Rings/": READ})) == ["PC-2", "Ring 1"]
    report = {team.name: [one.name for one in team.agents] for team in hall.team_reports.teams(bob())}
    assert report == {"Ring 1": ["PC-2"]}
    caller = bob({"Topology/Agents": READ, "Topology/Teams": READ, "Topology/Teams/Ring 1": DENY})
    report = {team.name: [one.name for one in team.agents] for team in hall.team_reports.teams(caller)}
    assert report == {"Ring 2": ["PC-1", "PC-2", "Twin", "Twin"]}


def test_agents_may_have_the_permissions_of_their_primary_team(hall: Hall, bob: Any) -> None:
    caller = bob({"Topology/Teams/Rings/First/": READ, "Jobs/Scheduling": MODIFY, "Library/Modules": READ})
    assert who(hall, caller) == ["Ring 1"]
    with pytest.raises(Forbidden):
        schedule(hall, caller, "list", "PC-1")
    hall.settings.set("agents.inherit_permissions", "yes", SYSTEM)
    assert who(hall, bob()) == ["PC-1", "Ring 1"]
    assert schedule(hall, bob(), "list", "PC-1").id
    with pytest.raises(Forbidden):
        schedule(hall, bob(), "list", "PC-2")
    assert who(hall, bob({"Topology/Agents/PC-1": DENY})) == ["Ring 1"]
    hall.settings.set("agents.inherit_permissions", "NO", SYSTEM)
    assert who(hall, bob({"Topology/Agents/PC-1": None, "Topology/Agents": READ})) == [
        "PC-1",
        "PC-2",
        "Twin",
        "Twin",
        "Ring 1",
    ]


def test_memberships_need_modify_on_each_agent_and_team(hall: Hall, bob: Any) -> None:
    def leaves(agent: str, team: str, caller: Caller) -> list[Who]:
        change = Change(WhoChoice([team], WhoKind.TEAM), "Teams[0]/ID", joins=False)
        return hall.memberships.change(WhoChoice([agent], WhoKind.AGENT), [change], caller)

    caller = bob({"Topology/Agents/PC-1": MODIFY, "Topology/Teams/Ring 1": READ})
    with pytest.raises(Forbidden, match="Topology/Teams"):
        leaves("PC-1", "Ring 1", caller)
    caller = bob({"Topology/Teams/Ring 1": MODIFY})
    for agent, team in (("PC-2", "Ring 1"), ("PC-1", "Ring 2")):
        with pytest.raises(Forbidden):
            leaves(agent, team, caller)
    assert [team.name for team in leaves("PC-1", "Ring 1", caller)] == ["Ring 1"]


def test_removal_needs_modify_on_the_agent(hall: Hall, bob: Any, roles: Roles) -> None:
    caller = bob({"Topology/Agents/PC-1": MODIFY, "Topology/Agents": READ})
    with pytest.raises(Forbidden):
        hall.removals.remove(WhoChoice(["PC-2"], WhoKind.AGENT), False, caller)
    assert hall.removals.remove(WhoChoice(["PC-1"], WhoKind.AGENT), False, caller).id == KEYS["one"]
    assert [one.object for one in roles.show("Helpdesk", SYSTEM)] == [
        "Topology/Agents",
        f"Topology/Agents/{KEYS['one']}",
    ]


def test_resources_are_changed_where_the_caller_may(hall: Hall, bob: Any) -> None:
    def put(caller: Caller, **upload: Any) -> UUID:
        data = Content(io.BytesIO(b"data"), 4, hashlib.sha256(b"data").digest())
        return hall.uploads.store(Upload(**upload), data, caller)

    tool, other = (
        put(SYSTEM, file_name=name, folder=folder) for name, folder in (("tool", "Tools"), ("other", "Other"))
    )
    caller = bob({"Library/Resources/Tools/": MODIFY, "Library/Resources/Other/other": READ})
    new = put(caller, file_name="new", folder="tools/Below")
    assert put(caller, file_name="tool", folder="Tools", overwrite=True) == tool
    assert put(caller, resource_id=tool, description="told") == tool
    hall.uploads.delete(new, caller)
    for upload in (
        {"file_name": "new"},
        {"file_name": "new", "folder": "Other"},
        {"resource_id": other, "description": "told"},
        {"resource_id": tool, "folder": "Other"},
        {"resource_id": other, "folder": "Tools"},
        {"file_name": "other", "folder": "Other", "overwrite": True},
    ):
        with pytest.raises(Forbidden):
            hall.uploads.admit(Upload(**upload), caller)
    with pytest.raises(Forbidden):
        hall.uploads.delete(other, caller)
    with pytest.raises(NotFound):
        hall.uploads.delete(UUID(int=99), caller)
    caller = bob({f"Library/Resources/{other}": MODIFY})
    assert put(caller, resource_id=other, folder="Tools") == other
    hall.uploads.delete(other, caller)


def test_lists_take_no_more_statements_for_more_objects(
    hall: Hall, bob: Any, datastore: Datastore, load_library: Callable[[str], None]
) -> None:
    def sent(caller: Caller) -> int:
        with statements(datastore) as seen:
            who(hall, caller)
            hall.team_reports.teams(caller)
            modules(hall, caller)
        return sum(statement.startswith("SELECT") for statement in seen)

    hall.settings.set("agents.inherit_permissions", "YES", SYSTEM)
    caller = bob({"Topology/Teams/Rings/": READ, "Library/Modules/Demo/": READ})
    before = sent(caller)
    agents = ", ".join(f"{{name: PC-{number}, primary_team: Ring 1}}" for number in range(10, 40))
    more = ", ".join(f"{{name: M{number}, folder: Demo/D{number}}}" for number in range(20))
    load_library(f"agents: [{agents}]\nmodules: [{more}]")
    assert len(who(hall, caller)) == 32
    assert sent(caller) == before


def test_who_has_rights_on_nodes_only_causes_no_more_statements(hall: Hall, bob: Any, datastore: Datastore) -> None:
    def sent(caller: Caller) -> list[str]:
        with statements(datastore) as seen:
            schedule(hall, caller, "list", "PC-1")
            hall.topology.who(True, True, False, False, "", caller)
            job = schedule(hall, caller, **given("PC-1")).id
            hall.aborting.abort(job, caller)
            hall.rerun.rerun(job, False, caller)
        return [re.sub(r"savepoint_\d+", "", statement) for statement in seen]

    caller = bob({node.value: MODIFY for node in Node})
    hall.topology.who(True, True, False, False, "", caller)
    sent(SYSTEM)
    assert sent(caller) == sent(SYSTEM)


def test_who_needs_a_resource_is_told_only_to_who_may_read_it(
    hall: Hall, bob: Any, load_library: Callable[[str], None]
) -> None:
    def library(task: str) -> str:
        return f"modules: [{{name: Secret, id: {KEYS['list']}, folder: Demo/Files, tasks: [{{name: t, {task}}}]}}]"

    data = Content(io.BytesIO(b"data"), 4, hashlib.sha256(b"data").digest())
    tool = hall.uploads.store(Upload(file_name="tool", folder="Tools"), data, SYSTEM)
    load_library(library("type: download, settings: {resource: tool, target: x}"))
    schedule(hall, SYSTEM, "list", "PC-1")
    rights = {"Library/Resources": MODIFY, "Library/Modules/Restart": READ, "Jobs/Scheduling": READ}
    with pytest.raises(Conflict, match=r"^a module needs a resource that it calls 'tool'"):
        hall.uploads.admit(Upload(file_name="tool", folder="Other"), bob(rights))
    with pytest.raises(Conflict, match=r"^module Secret needs"):
        hall.uploads.admit(Upload(file_name="tool", folder="Other"), bob({"Library/Modules/Demo/": READ}))
    load_library(library("type: command, settings: {command: 'true'}"))
    with pytest.raises(Conflict, match=r"needed by job [0-9a-f-]{36}$"):
        hall.uploads.delete(tool, bob())
    with pytest.raises(Conflict, match=r"needed by a job$"):
        hall.uploads.delete(tool, bob({"Jobs/Scheduling": None}))
