"""Workspace section: the ``workspaces`` of library files: teams with their own records."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from dispatcher.datastore import revisions
from dispatcher.datastore.exastro_ita import ItaWorkspace
from dispatcher.services.exastro_ita import workspace_folders
from dispatcher.services.exastro_ita.menu_entries import WorkspaceEntry
from dispatcher.services.exastro_ita.workspaces import folder_of
from dispatcher.services.library import aliases
from dispatcher.services.library.claiming import claim_named
from dispatcher.services.library.items import Item, Outcome
from dispatcher.services.library.names import Names
from dispatcher.services.library.sections import Exporting, Importing


class WorkspaceSection:
    """Workspaces. The organisation is to a workspace what a folder is to other objects."""

    name = "workspaces"
    entry = WorkspaceEntry
    revision = revisions.LIBRARY

    def names(self, session: Session) -> Names:
        """Return what is stored."""
        stored = session.execute(select(ItaWorkspace.id, ItaWorkspace.organization, ItaWorkspace.name))
        return Names("workspace", stored.tuples())

    def check(self, item: Item[WorkspaceEntry]) -> None:
        """Note aliases, which workspaces cannot have."""
        aliases.check(item, item.entry.aliases, self.name)

    def claim(self, importing: Importing, item: Item[WorkspaceEntry]) -> None:
        """Give the item the workspace with its id, else that of its names, else a new one."""
        claim_named(importing, item, ItaWorkspace(), item.entry.organization)

    def fill(self, importing: Importing, item: Item[WorkspaceEntry]) -> None:
        """Make the row what the entry says; what lies in its library folder goes along with its names."""
        entry = item.entry
        team_id = importing.find("teams", entry.team, item, "team")
        if team_id is None:
            return
        if item.outcome is not Outcome.CREATED:
            before = folder_of(item.row.organization, item.row.name)
            workspace_folders.move(importing, item, before, folder_of(entry.organization, entry.name))
        if item.assign(organization=entry.organization, name=entry.name, team_id=team_id):
            item.changed(importing.now, importing.caller.name)
            revisions.bump(importing.session, revisions.LIBRARY)
        importing.session.add(item.row)
        # At once, because another entry of these files may get the names that this one had.
        importing.session.flush()

    def dump(self, exporting: Exporting, key: UUID) -> dict[str, Any]:
        """Return the stored workspace *key* as a member of the section."""
        row = exporting.session.get_one(ItaWorkspace, key)
        team = exporting.names["teams"].shortest(row.team_id)
        return {"name": row.name, "id": str(row.id), "organization": row.organization, "team": team}
