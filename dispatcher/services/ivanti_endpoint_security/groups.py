"""Groups: teams, and the endpoints that belong to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from dispatcher.core.errors import NotFound
from dispatcher.core.jobs import Who, WhoKind
from dispatcher.core.permissions import Caller, Node, Right
from dispatcher.datastore.folders import Folder
from dispatcher.datastore.teams import Team
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.access import readable_teams
from dispatcher.services.ivanti_endpoint_security.numbers import GROUP, find, numbers_of
from dispatcher.services.topology import Topology

_TEAMS = select(Team, Folder.path).outerjoin(Folder, Folder.id == Team.folder_id).where(Team.enabled)


class GroupNotFound(NotFound):
    """The caller may see no group with this number."""

    code = "ies.group_not_found"
    kind = "group"


@dataclass(frozen=True, slots=True)
class Group:
    """A group; ``path`` is where it stands, with ``/`` between the names."""

    number: int
    id: UUID
    name: str
    path: str
    description: str
    changed_at: datetime


class Groups:
    """Shows groups."""

    def __init__(self, datastore: Datastore, topology: Topology) -> None:
        self._datastore = datastore
        self._topology = topology

    def all(self, caller: Caller) -> list[Group]:
        """Return the groups that *caller* may read, by number."""
        if not caller.may_some(Right.READ, Node.TEAMS):
            return []
        with self._datastore.read() as session:
            return sorted(_groups(session, caller), key=lambda one: one.number)

    def get(self, number: int, caller: Caller) -> Group:
        """Return the group.

        :raises GroupNotFound: if there is none with this number that *caller* may read.
        """
        caller.require_some(Right.READ, Node.TEAMS)
        with self._datastore.read() as session:
            key = find(session, GROUP, [number]).get(number)
            row = None if key is None else session.execute(_TEAMS.where(Team.id == key)).first()
            if row is not None:
                for team in readable_teams(session, [row.Team], caller):
                    return _group(number, team, row.path)
        raise GroupNotFound(str(number))

    def members(self, number: int, caller: Caller) -> Sequence[UUID]:
        """Return the agents that belong to the group now, by name.

        :raises GroupNotFound: as ``get``.
        """
        group = self.get(number, caller)
        with self._datastore.read() as session:
            targets = self._topology.targets_of(session, [Who(group.id, group.name, WhoKind.TEAM)])
        return [target.id for target in targets]


def _groups(session: Session, caller: Caller) -> list[Group]:
    rows, numbers = session.execute(_TEAMS).all(), numbers_of(session, GROUP)
    paths = {row.Team.id: row.path for row in rows}
    teams = readable_teams(session, [row.Team for row in rows], caller)
    return [_group(numbers[one.id], one, paths[one.id]) for one in teams if one.id in numbers]


def _group(number: int, team: Team, path: str | None) -> Group:
    return Group(number, team.id, team.name, path or "", team.description, team.updated_at)
