"""Access: where the things stand that callers ask for, so that their rights on them can be judged.

Nothing is read for callers whose rights on whole nodes say it all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from dispatcher.core.errors import Forbidden
from dispatcher.core.jobs import WhatKind, Who, WhoKind
from dispatcher.core.permissions import Caller, Node, Right, Thing
from dispatcher.datastore.agents import Agent
from dispatcher.datastore.folders import Folder
from dispatcher.datastore.teams import Team
from dispatcher.services.library.versions import MODELS

WHAT_NODES = {WhatKind.MODULE: Node.MODULES, WhatKind.PROJECT: Node.PROJECTS, WhatKind.RUNBOOK: Node.RUNBOOKS}
WHO_NODES = {WhoKind.AGENT: Node.AGENTS, WhoKind.TEAM: Node.TEAMS}

#: How many ids one statement names.
_MANY = 1_000
#: The id of each team, and the path of its folder.
_TEAMS = select(Team.id, Folder.path).outerjoin(Folder, Folder.id == Team.folder_id)
#: The id of each agent, and the same of its primary team.
_AGENTS = (
    select(Agent.id, Team.id, Folder.path)
    .outerjoin(Team, Team.id == Agent.primary_team_id)
    .outerjoin(Folder, Folder.id == Team.folder_id)
)


def may_who(session: Session, right: Right, who: Sequence[Who], caller: Caller) -> list[bool]:
    """Return for each of the agents and teams whether *caller* has *right* on it, by one query a kind at most."""
    if not caller.fine:
        return [caller.may(right, WHO_NODES[one.kind]) for one in who]
    found: dict[WhoKind, dict[UUID, Thing]] = {}
    for kind, read in ((WhoKind.AGENT, _agents), (WhoKind.TEAM, _teams)):
        ids = [one.id for one in who if one.kind is kind]
        found[kind] = read(session, ids) if ids and WHO_NODES[kind] in caller.fine else {}
    return [caller.may(right, found[one.kind].get(one.id) or _thing(one)) for one in who]


def require_who(session: Session, right: Right, who: Sequence[Who], caller: Caller) -> None:
    """Check that *caller* has *right* on each of the agents and teams.

    :raises Forbidden: if not.
    """
    for one, may in zip(who, may_who(session, right, who, caller), strict=True):
        if not may:
            thing = _thing(one)
            on = str(thing) if thing.node in caller.fine else thing.node.value
            raise Forbidden(caller.name, right.name.capitalize(), on)


def require_what(session: Session, what: Iterable[Mapping[str, Any]], caller: Caller) -> None:
    """Check that *caller* may read what a job runs, as it is stored, by one query a kind at most.

    Of what is no longer there the node decides.

    :raises Forbidden: if not.
    """
    keys = [(WhatKind(item["kind"]), UUID(item["id"])) for item in what]
    folders: dict[UUID, str] = {}
    for kind in {kind for kind, _ in keys if WHAT_NODES[kind] in caller.fine}:
        folders |= _folders(session, kind, list({key for one, key in keys if one is kind}))
    for kind, key in keys:
        caller.require(Right.READ, Thing(WHAT_NODES[kind], key, folders.get(key, "")))


def readable_agents(session: Session, agents: Iterable[Agent], caller: Caller) -> Iterable[Agent]:
    """Return those of *agents* that *caller* may read, by one query more at most."""
    if Node.AGENTS not in caller.fine:
        return agents if caller.may(Right.READ, Node.AGENTS) else ()
    teams = _teams(session) if caller.inherits else {}

    def thing(agent: Agent) -> Thing:
        return Thing(Node.AGENTS, agent.id, team=teams.get(agent.primary_team_id) if agent.primary_team_id else None)

    return [agent for agent in agents if caller.may(Right.READ, thing(agent))]


def readable_teams(session: Session, teams: Iterable[Team], caller: Caller) -> Iterable[Team]:
    """Return those of *teams* that *caller* may read, by one query more at most."""
    if Node.TEAMS not in caller.fine:
        return teams if caller.may(Right.READ, Node.TEAMS) else ()
    things = _teams(session)
    return [team for team in teams if caller.may(Right.READ, things[team.id])]


def _thing(who: Who) -> Thing:
    return Thing(WHO_NODES[who.kind], who.id)


def _agents(session: Session, ids: Sequence[UUID]) -> dict[UUID, Thing]:
    found: dict[UUID, Thing] = {}
    for start in range(0, len(ids), _MANY):
        rows = session.execute(_AGENTS.where(Agent.id.in_(ids[start : start + _MANY]))).tuples()
        for key, team, path in rows:
            found[key] = Thing(Node.AGENTS, key, team=Thing(Node.TEAMS, team, path or "") if team else None)
    return found


def _teams(session: Session, ids: Sequence[UUID] | None = None) -> dict[UUID, Thing]:
    """Return the teams by id: all of them, unless *ids* are given."""
    parts = (
        [_TEAMS]
        if ids is None
        else [_TEAMS.where(Team.id.in_(ids[start : start + _MANY])) for start in range(0, len(ids), _MANY)]
    )
    rows = (row for part in parts for row in session.execute(part).tuples())
    return {key: Thing(Node.TEAMS, key, path or "") for key, path in rows}


def _folders(session: Session, kind: WhatKind, ids: Sequence[UUID]) -> dict[UUID, str]:
    """Return the paths of the folders of modules, projects or run books by id; those in the root are left out."""
    model: Any = MODELS[kind]
    query = select(model.id, Folder.path).join(Folder, model.folder_id == Folder.id)
    parts = (query.where(model.id.in_(ids[start : start + _MANY])) for start in range(0, len(ids), _MANY))
    return {key: path for part in parts for key, path in session.execute(part).tuples()}
