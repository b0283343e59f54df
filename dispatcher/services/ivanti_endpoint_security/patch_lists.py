"""Custom patch lists: projects, of which each module is a patch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from dispatcher.core.errors import Forbidden, InvalidValue, NotFound
from dispatcher.core.jobs import What, WhatKind
from dispatcher.core.permissions import Caller, Node, Right, Thing
from dispatcher.datastore.modules import Module
from dispatcher.datastore.projects import Project, ProjectModule
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.ivanti_endpoint_security.numbers import PATCH_LIST, find, number_of, numbers_of
from dispatcher.services.library.catalogue import Library

_PROJECTS = select(Project.id, Project.updated_at, Project.updated_by)
_PATCHES = (
    select(ProjectModule.project_id, Module.name)
    .join(Module, Module.id == ProjectModule.module_id)
    .where(Module.enabled)  # what is disabled is left out of what contains it
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
    enabled: bool = True

    def is_for(self, caller: Caller) -> bool:
        """Whether *caller* sees it: nobody does while it is disabled."""
        return self.enabled and caller.may(Right.READ, self.thing)

    @property
    def thing(self) -> Thing:
        """What rights are judged by."""
        return Thing(Node.PROJECTS, self.id, self.folder)


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
            _patch_list(numbers[key], what, rows[key], patches.get(key, ()))
            for key, what in visible.items()
            if key in rows and key in numbers
        ]
        return sorted(found, key=lambda one: one.number)

    def made(self, key: UUID, caller: Caller) -> PatchList:
        """Return the custom patch list with the id *key*.

        :raises PatchListNotFound: if it has gone since it was made, or *caller* may not read it.
        """
        with self._datastore.read() as session:
            number = number_of(session, PATCH_LIST, key)
            found = None if number is None else self._one(session, number, key)
        if found is None or not found.is_for(caller):
            raise PatchListNotFound(key)
        return found

    def get(self, number: int, caller: Caller) -> PatchList:
        """Return the custom patch list.

        :raises PatchListNotFound: if there is none with this number that *caller* may read.
        """
        caller.require_some(Right.READ, Node.PROJECTS)
        with self._datastore.read() as session:
            found = self._numbered(session, number)
        if found is None or not found.is_for(caller):
            raise PatchListNotFound(str(number))
        return found

    def ordered(self, session: Session, number: int, caller: Caller) -> PatchList:
        """Return the custom patch list that a deployment names.

        A number is easily guessed: whoever may not read all projects is refused one that is nobody's in the words for
        one that he may not read, as names are (``services.chosen``).

        :raises InvalidValue: if there is none with this number, or it is disabled.
        :raises Forbidden: without Read on it.
        """
        caller.require_some(Right.READ, Node.PROJECTS)
        found = self._numbered(session, number)
        is_for = caller.may_all(Right.READ, Node.PROJECTS) if found is None else caller.may(Right.READ, found.thing)
        if not is_for:
            raise Forbidden(caller.name, "Read", f"{Node.PROJECTS.value}/{number}")
        if found is None:
            raise InvalidValue("CustomPatchListId", f"there is no custom patch list {number}")
        if not found.enabled:
            raise InvalidValue("CustomPatchListId", f"the custom patch list {number} is disabled")
        return found

    def _numbered(self, session: Session, number: int) -> PatchList | None:
        key = find(session, PATCH_LIST, [number]).get(number)
        return None if key is None else self._one(session, number, key)

    def _one(self, session: Session, number: int, key: UUID) -> PatchList | None:
        """Return the custom patch list, whoever may read it, and though it be disabled; None if there is none."""
        entry = self._library.definition(session, WhatKind.PROJECT, key)
        row = session.execute(_PROJECTS.where(Project.id == key)).first()
        if entry is None or row is None:
            return None
        patches = [name for _, name in session.execute(_PATCHES.where(ProjectModule.project_id == key)).tuples()]
        return _patch_list(number, entry.what, row, patches, enabled=entry.enabled)


def _patch_list(number: int, what: What, row: Any, patches: Sequence[str], *, enabled: bool = True) -> PatchList:
    return PatchList(
        number=number,
        id=what.id,
        name=what.name,
        description=what.description,
        folder=what.folder,
        patches=patches,
        changed_at=row.updated_at,
        changed_by=row.updated_by,
        enabled=enabled,
    )


def _patches(session: Session) -> dict[UUID, list[str]]:
    found: defaultdict[UUID, list[str]] = defaultdict(list)
    for project_id, name in session.execute(_PATCHES).tuples():
        found[project_id].append(name)
    return found
