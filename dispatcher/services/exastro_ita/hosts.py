"""Hosts: the agents in the team of a workspace, enrolled or not, but for those that are discarded there."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from dispatcher.core.jobs import Who, WhoKind
from dispatcher.datastore.agents import AGENTS
from dispatcher.datastore.exastro_ita import ITA_DETAILS
from dispatcher.datastore.naming import stored_key
from dispatcher.datastore.teams import Team, TeamMember
from dispatcher.services.access import readable_agents
from dispatcher.services.exastro_ita.records import Scope
from dispatcher.services.exastro_ita.workspaces import Workspace
from dispatcher.services.portions import portions
from dispatcher.services.topology import Topology

#: The REST name of the menu that hosts are the records of.
DEVICE_LIST = "device_list"

#: What no database keeps: no agent is called so, and some cannot even be asked.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_MEMBERS: Any = TeamMember.__table__
_ALL = select(*(AGENTS.c[name] for name in ("id", "name", "address", "primary_team_id", "updated_at", "updated_by")))
_COLUMNS = _ALL.where(AGENTS.c.removed_at.is_(None))


class Host(NamedTuple):
    """An agent of the team of a workspace."""

    id: UUID
    name: str
    address: str
    primary_team_id: UUID | None
    updated_at: datetime
    updated_by: str


class Hosts:
    """Finds the hosts of workspaces. May be used by many threads."""

    def __init__(self, topology: Topology) -> None:
        self._topology = topology

    def of(self, scope: Scope) -> dict[UUID, str]:
        """Return the names of the hosts that are live in the workspace and that the caller may read, by name.

        Names may repeat.
        """
        return {host.id: host.name for host in self.readable(scope)}

    def live(self, session: Session, workspace: Workspace) -> dict[UUID, str]:
        """Return the names of all hosts that are live in the workspace, whoever may read them, by name."""
        gone = discarded(session, workspace)
        return {host.id: host.name for host in self.members(session, workspace) if host.id not in gone}

    def readable(self, scope: Scope) -> list[Host]:
        """Return the hosts that are live in the workspace and that the caller may read, by name."""
        gone = discarded(scope.session, scope.workspace)
        found: Any = [host for host in self.members(scope.session, scope.workspace) if host.id not in gone]
        return list(readable_agents(scope.session, found, scope.caller))  # type: ignore[arg-type]

    def members(self, session: Session, workspace: Workspace, ids: Collection[UUID] | None = None) -> list[Host]:
        """Return the agents in the team, those with *ids* only if given, discarded or not, by name."""
        found: list[Host] = []
        for some in portions(self._in_team(session, workspace, ids)):
            rows = session.connection().execute(_COLUMNS.where(AGENTS.c.id.in_(some)))
            found += (Host(*row) for row in rows)
        # Not by the database: each of them sorts texts in another way.
        return sorted(found, key=lambda host: (host.name, host.id))

    def named(self, session: Session, workspace: Workspace, names: Collection[str]) -> list[Host]:
        """Return the agents in the team that have one of *names*, discarded or not, by name."""
        wanted, candidates = {name for name in names if not _UNSTORABLE.search(name)}, set()
        for some in portions({stored_key(name) for name in wanted}):
            query = select(AGENTS.c.id, AGENTS.c.name).where(AGENTS.c.name_key.in_(some), AGENTS.c.removed_at.is_(None))
            # In other words alike are names that differ in case, and more where keys are cut off.
            candidates |= {key for key, name in session.connection().execute(query) if name in wanted}
        return self.members(session, workspace, candidates) if candidates else []

    def _in_team(self, session: Session, workspace: Workspace, ids: Collection[UUID] | None) -> set[UUID]:
        """Return who is in the team: listed there, or fit for its rule; of *ids* only if given."""
        by_rule = session.scalar(select(Team.rule).where(Team.id == workspace.team_id))
        if ids is None or by_rule:
            team = Who(workspace.team_id, workspace.name, WhoKind.TEAM)
            members = {target.id for target in self._topology.targets_of(session, [team])}
            return members if ids is None else members & set(ids)
        listed = select(_MEMBERS.c.agent_id).where(_MEMBERS.c.team_id == workspace.team_id)
        return {
            key
            for some in portions(ids)
            for key in session.connection().execute(listed.where(_MEMBERS.c.agent_id.in_(some))).scalars()
        }


class HostNames:
    """The list of choices of hosts: those that are live, and that the caller may read."""

    def __init__(self, hosts: Hosts) -> None:
        self._hosts = hosts

    def all(self, scope: Scope) -> Mapping[str, str]:
        """Return the names by their ids, by name."""
        return {str(key): name for key, name in self._hosts.of(scope).items()}

    def find(self, scope: Scope, text: str) -> Sequence[str]:
        """Return the ids of those that are called *text*."""
        found: Any = self._hosts.named(scope.session, scope.workspace, [text])
        gone = discarded(scope.session, scope.workspace) if found else set()
        return [str(host.id) for host in readable_agents(scope.session, found, scope.caller) if host.id not in gone]


def discarded(session: Session, workspace: Workspace) -> set[UUID]:
    """Return the agents that are discarded in the workspace, as hosts of it."""
    of_workspace = (ITA_DETAILS.c.workspace_id == workspace.id) & (ITA_DETAILS.c.menu == DEVICE_LIST)
    query = select(ITA_DETAILS.c.object_id).where(of_workspace, ITA_DETAILS.c.is_discarded)
    return set(session.connection().execute(query).scalars())


def unreadable(scope: Scope, ids: Collection[UUID]) -> set[UUID]:
    """Return those of *ids* that are agents, removed ones too, which the caller may not read."""
    found: Any = []
    for some in portions(ids):
        rows = scope.session.connection().execute(_ALL.where(AGENTS.c.id.in_(some)))
        found += (Host(*row) for row in rows)
    return {host.id for host in found} - {host.id for host in readable_agents(scope.session, found, scope.caller)}
