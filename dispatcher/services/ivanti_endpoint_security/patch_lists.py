"""Custom patch lists: projects, of which each module is a patch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from dispatcher.core.errors import NotFound
from dispatcher.core.jobs import WhatKind
from dispatcher.core.permissions import Caller, Node, Right
from dispatcher.datastore.modules import Module
from dispatcher.datastore.projects import Project, ProjectModule
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.ivanti_endpoint_security.numbers import PATCH_LIST, numbers_of
from dispatcher.services.library.catalogue import Library

_PROJECTS = select(Project.id, Project.updated_at, Project.updated_by)
_PATCHES = (
    select(ProjectModule.project_id, Module.name)
    .join(Module, Module.id == ProjectModule.module_id)
    .order_by(ProjectModule.project_id, ProjectModule.position)
)


class PatchListNotFound(NotFound):
    """The caller may see no custom patch list with this number."""

    code = "ies.patch_list_not_found"
    kind = "custom patch list"


@dataclass(frozen=True, slots=True)
class PatchList:
    """A custom patch list; ``patches`` are the names of its patches in order."""

    number: int
    id: UUID
    name: str
    description: str
    folder: str
    patches: Sequence[str]
    changed_at: datetime
    changed_by: str


class PatchLists:
    """Shows custom patch lists."""

    def __init__(self, datastore: Datastore, library: Library) -> None:
        self._datastore = datastore
        self._library = library

    def all(self, caller: Caller) -> list[PatchList]:
        """Return the custom patch lists that *caller* may read, by number."""
        visible = {what.id: what for what in self._library.whats(WhatKind.PROJECT, caller)}
        if not visible:
            return []
        with self._datastore.read() as session:
            rows = {row.id: row for row in session.execute(_PROJECTS)}
            numbers, patches = numbers_of(session, PATCH_LIST), _patches(session)
        found = [
            PatchList(
                numbers[key],
                key,
                what.name,
                what.description,
                what.folder,
                patches.get(key, ()),
                rows[key].updated_at,
                rows[key].updated_by,
            )
            for key, what in visible.items()
            if key in rows
        ]
        return sorted(found, key=lambda one: one.number)

    def made(self, key: UUID, caller: Caller) -> PatchList:
        """Return the custom patch list with the id *key*.

        :raises PatchListNotFound: if it has gone since it was made, or *caller* may not read it.
        """
        for one in self.all(caller):
            if one.id == key:
                return one
        raise PatchListNotFound(key)

    def get(self, number: int, caller: Caller) -> PatchList:
        """Return the custom patch list.

        :raises PatchListNotFound: if there is none with this number that *caller* may read.
        """
        caller.require_some(Right.READ, Node.PROJECTS)
        for one in self.all(caller):
            if one.number == number:
                return one
        raise PatchListNotFound(str(number))


def _patches(session: Session) -> dict[UUID, list[str]]:
    found: defaultdict[UUID, list[str]] = defaultdict(list)
    for project_id, name in session.execute(_PATCHES).tuples():
        found[project_id].append(name)
    return found
