"""Workspaces: which team stands behind the organisation and workspace that a path names, and who may enter it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from dispatcher.core.jobs import Who, WhoKind
from dispatcher.core.permissions import Caller, Right
from dispatcher.datastore import revisions
from dispatcher.datastore.exastro_ita import ItaWorkspace
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.access import may_who
from dispatcher.services.exastro_ita.messages import ItaError

#: What is told of workspaces that are not there, and of those that the caller may not enter: no difference.
NO_WORKSPACE = "403-00001"


@dataclass(frozen=True, slots=True)
class Workspace:
    """A workspace of an organisation. Its hosts are the members of its team."""

    id: UUID
    organization: str
    name: str
    team_id: UUID

    @property
    def folder(self) -> str:
        """The library folder of what was made in this workspace: others do not see it."""
        return folder_of(self.organization, self.name)


def folder_of(organization: str, name: str) -> str:
    """Return the library folder of the workspace *name* of *organization*."""
    return f"Exastro/{organization}/{name}"


@dataclass(frozen=True, slots=True)
class _Known:
    """The workspaces at one revision of the library, by organisation and name."""

    revision: int
    workspaces: Mapping[tuple[str, str], Workspace]


class Workspaces:
    """Finds workspaces. Safe to share between threads: what is known is kept until the library changes."""

    def __init__(self, datastore: Datastore) -> None:
        self._datastore = datastore
        self._known: _Known | None = None

    def enter(self, organization: str, name: str, caller: Caller) -> Workspace:
        """Return the workspace *name* of *organization*, which *caller* enters: who may read its team may do that.

        :raises ItaError: 403-00001 if there is none, or the caller may not.
        """
        workspace = self._current().get((organization, name))
        if workspace is None:
            raise ItaError(NO_WORKSPACE)
        team = Who(workspace.team_id, "", WhoKind.TEAM)
        with self._datastore.read() as session:
            if not all(may_who(session, Right.READ, [team], caller)):
                raise ItaError(NO_WORKSPACE)
        return workspace

    def is_organization(self, organization: str) -> bool:
        """Whether there is any workspace of *organization*."""
        return any(known == organization for known, _ in self._current())

    def _current(self) -> Mapping[tuple[str, str], Workspace]:
        known = self._known
        if known is not None and known.revision == self._datastore.revisions()[revisions.LIBRARY]:
            return known.workspaces
        with self._datastore.read() as session:
            revision = revisions.current(session)[revisions.LIBRARY]
            known = _Known(revision, _stored(session))
            if not revisions.is_changing(session, revisions.LIBRARY):
                self._known = known
        return known.workspaces


def _stored(session: Session) -> dict[tuple[str, str], Workspace]:
    query = select(ItaWorkspace.id, ItaWorkspace.organization, ItaWorkspace.name, ItaWorkspace.team_id)
    rows = session.execute(query).tuples()
    return {(organization, name): Workspace(key, organization, name, team) for key, organization, name, team in rows}
