"""What callers may do is judged where the things stand, and nothing is read for those whose nodes say it all."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest
from sqlalchemy import select
from statements import statements

from dispatcher.core.errors import Forbidden
from dispatcher.core.jobs import WhatKind, Who, WhoKind
from dispatcher.core.permissions import Caller, Node, Right, RoleRights
from dispatcher.datastore.agents import Agent
from dispatcher.datastore.teams import Team
from dispatcher.datastore.transactions import Datastore
from dispatcher.services import access
from dispatcher.services.access import may_who, readable_agents, readable_teams, require_what, require_who

DENY, READ, MODIFY = Right.DENY, Right.READ, Right.MODIFY
MODULE, ONE, TWO, RING, GONE = (UUID(int=(7 << 76) | (2 << 62) | number) for number in range(1, 6))
LIBRARY = f"""
modules: [{{name: List, id: {MODULE}, folder: Demo/Files}}]
agents: [{{name: PC-1, id: {ONE}, primary_team: Ring}}, {{name: PC-2, id: {TWO}}}]
teams: [{{name: Ring, id: {RING}, folder: Rings/First}}]
"""
AGENTS = [Who(key, name, WhoKind.AGENT) for key, name in ((ONE, "PC-1"), (TWO, "PC-2"), (GONE, "gone"))]
TEAM = Who(RING, "Ring", WhoKind.TEAM)
WHAT = {"kind": WhatKind.MODULE, "id": str(MODULE)}


def caller(grants: dict[tuple[Node, UUID | str | None], Right], *, inherits: bool = False) -> Caller:
    return Caller.of("bob", [RoleRights("Helpdesk", grants)], inherits)


@pytest.fixture(autouse=True)
def library(load_library: Callable[[str], None]) -> None:
    load_library(LIBRARY)


def test_each_agent_and_team_is_judged_by_its_own_grants(datastore: Datastore) -> None:
    bob = caller({(Node.AGENTS, None): READ, (Node.AGENTS, TWO): DENY, (Node.TEAMS, "rings"): MODIFY})
    with datastore.read() as session:
        assert may_who(session, READ, [*AGENTS, TEAM], bob) == [True, False, True, True]
        assert may_who(session, MODIFY, [TEAM, *AGENTS], bob) == [True, False, False, False]
        require_who(session, READ, [AGENTS[0], TEAM], bob)
        with pytest.raises(Forbidden, match=f"Read right on Topology/Agents/{TWO}"):
            require_who(session, READ, AGENTS, bob)


def test_an_agent_has_the_rights_on_its_primary_team(datastore: Datastore) -> None:
    bob = caller({(Node.TEAMS, "rings/first"): READ}, inherits=True)
    with datastore.read() as session:
        assert may_who(session, READ, AGENTS, bob) == [True, False, False]


def test_what_is_judged_by_its_folder_and_what_is_gone_by_the_node(datastore: Datastore) -> None:
    by_folder, gone = caller({(Node.MODULES, "demo"): READ}), {**WHAT, "id": str(GONE)}
    with datastore.read() as session:
        require_what(session, [WHAT], by_folder)
        with pytest.raises(Forbidden):
            require_what(session, [WHAT, gone], by_folder)
        require_what(session, [gone], caller({(Node.MODULES, None): READ, (Node.MODULES, "demo"): DENY}))


def test_lists_show_what_may_be_read(datastore: Datastore) -> None:
    bob = caller({(Node.TEAMS, RING): READ, (Node.AGENTS, TWO): READ})
    with datastore.read() as session:
        agents, teams = session.scalars(select(Agent)).all(), session.scalars(select(Team)).all()
        assert [agent.id for agent in readable_agents(session, agents, bob)] == [TWO]
        assert [team.id for team in readable_teams(session, teams, bob)] == [RING]
        assert not [*readable_agents(session, agents, caller({})), *readable_teams(session, teams, caller({}))]


def test_nothing_is_read_for_rights_on_whole_nodes(datastore: Datastore) -> None:
    bob = caller({(Node.MODULES, None): READ, (Node.AGENTS, None): READ})
    with datastore.read() as session, statements(datastore) as seen:
        require_what(session, [WHAT], bob)
        require_who(session, READ, AGENTS, bob)
        with pytest.raises(Forbidden, match=r"Read right on Topology/Teams$"):
            require_who(session, READ, [TEAM], bob)
    assert not [one for one in seen if one.startswith("SELECT")]


def test_what_a_job_runs_is_judged_by_one_query_a_kind(
    datastore: Datastore, load_library: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    modules = [UUID(int=(7 << 76) | (2 << 62) | 100 + number) for number in range(5)]
    entries = ", ".join(f"{{name: M{one.int % 50}, id: {one}, folder: Demo/{one.int % 2}}}" for one in modules)
    project = UUID(int=(7 << 76) | (2 << 62) | 99)
    load_library(f"modules: [{entries}]\nprojects: [{{name: P, id: {project}, modules: []}}]")
    what = [{"kind": WhatKind.MODULE, "id": str(one)} for one in modules]
    what.append({"kind": WhatKind.PROJECT, "id": str(project)})
    bob = caller({(Node.MODULES, "demo"): READ, (Node.PROJECTS, None): READ, (Node.PROJECTS, MODULE): DENY})
    with datastore.read() as session, statements(datastore) as sent:
        require_what(session, what, bob)
    assert len([one for one in sent if "FROM module" in one]) == 1
    assert len([one for one in sent if "FROM project" in one]) == 1
    denied = caller({(Node.MODULES, "demo"): READ, (Node.MODULES, "demo/1"): DENY, (Node.PROJECTS, None): READ})
    monkeypatch.setattr(access, "_MANY", 2)
    with datastore.read() as session:
        first = next(one for one in modules if one.int % 2)
        with pytest.raises(Forbidden, match=f"Read right on Library/Modules/{first}"):
            require_what(session, what, denied)
        require_what(session, [one for one in what if UUID(one["id"]).int % 2 == 0], denied)
