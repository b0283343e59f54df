"""Library filed objects: what modules, projects, run books and teams have in common (a folder and a name in it)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from dispatcher.core.jobs import WhatKind
from dispatcher.datastore import revisions
from dispatcher.datastore.folders import Folder
from dispatcher.datastore.modules import Module
from dispatcher.datastore.projects import Project
from dispatcher.datastore.runbooks import RunBook
from dispatcher.datastore.teams import Team
from dispatcher.services.library import aliases, parameters
from dispatcher.services.library.entries import FiledEntry, ModuleEntry, ProjectEntry, RunBookEntry
from dispatcher.services.library.items import Item, Outcome
from dispatcher.services.library.names import Names
from dispatcher.services.library.sections import Exporting, Importing

FiledModel = type[Module] | type[Project] | type[RunBook] | type[Team]


def read_names(session: Session, model: FiledModel, noun: str) -> Names:
    """Return the stored objects of *model* by folder and name."""
    query = select(model.id, Folder.path, model.name).outerjoin(Folder, Folder.id == model.folder_id)
    return Names(noun, [(key, path or "", name) for key, path, name in session.execute(query)])


def claim(importing: Importing, item: Item[Any], row: Any, folder: str) -> None:
    """Give *item* the row with its id, else the one of its name in *folder*, else *row*, a new one of the same kind."""
    entry, names, model = item.entry, importing.names[item.section], type(row)
    at_place = names.at(folder, entry.name)
    wanted: UUID | None = entry.id or (at_place[0] if at_place else None)
    if at_place and at_place[0] != wanted:
        item.problem(f"{names.noun} {at_place[0]} has this name already", "name")
    elif wanted is not None and wanted in importing.claimed:
        item.problem("is given twice", "id" if entry.id else "name")
    elif wanted is not None and wanted in names:
        item.row = importing.session.scalars(select(model).where(model.id == wanted)).one()
    else:
        item.row, item.outcome = row, Outcome.CREATED
        row.id = wanted or importing.ports.new_id()
    if item.row is not None:
        importing.claimed.add(item.row.id)
        item.note("folder", names.folder_of(item.row.id), folder)
        names.put(item.row.id, folder, entry.name)
        if item.assign(folder_id=importing.folder(item.section, folder), name=entry.name):
            item.changed(importing.now, importing.caller.name)
        importing.session.add(item.row)
        # At once, because another entry of these files may get the name that this one had.
        importing.session.flush()


class WhatSection(ABC):
    """The section of something that jobs run: it has parameters, and its versions are kept as definitions."""

    name: ClassVar[str]
    noun: ClassVar[str]
    kind: ClassVar[WhatKind]
    entry: ClassVar[type[ModuleEntry] | type[ProjectEntry] | type[RunBookEntry]]
    revision = revisions.LIBRARY

    @abstractmethod
    def new_row(self) -> Any:
        """Return a row with nothing in it; id, folder, name and the note of its change are set by ``claim``."""

    @abstractmethod
    def fill_content(self, importing: Importing, item: Item[Any]) -> bool:
        """Store what is special to the kind; return whether that changed anything."""

    @abstractmethod
    def dump_content(self, exporting: Exporting, row: Any) -> dict[str, Any]:
        """Return what is special to the kind, as a library file has it."""

    def names(self, session: Session) -> Names:
        """Return what is stored."""
        return read_names(session, type(self.new_row()), self.noun)

    def check(self, item: Item[Any]) -> None:
        """Note what is wrong with the entry itself."""
        parameters.check(item, item.entry.parameters)
        aliases.check(item, item.entry.aliases, self.name)

    def claim(self, importing: Importing, item: Item[Any]) -> None:
        """Give the item its row (see ``claim``)."""
        claim(importing, item, self.new_row(), item.entry.folder)
        if item.row is not None:
            importing.touched[self.kind, item.row.id] = item

    def fill(self, importing: Importing, item: Item[Any]) -> None:
        """Make the row what the entry says."""
        entry: FiledEntry = item.entry
        changed = self.fill_content(importing, item)
        if entry.enabled is not None:
            changed |= item.assign(enabled=entry.enabled)
        if item.assign(description=entry.description) or changed:
            item.changed(importing.now, importing.caller.name)
        importing.aliases.want(item, item.row.id, entry.aliases)
        parameters.want_aliases(importing, item, self.kind, item.entry.parameters)

    def dump(self, exporting: Exporting, key: UUID) -> dict[str, Any]:
        """Return the stored object *key* as a member of the section."""
        model = type(self.new_row())
        row = exporting.session.scalars(select(model).where(model.id == key)).one()
        return {
            **dump_filed(exporting, row),
            "parameters": parameters.dump(exporting, self.kind, key),
            **self.dump_content(exporting, row),
        }


def dump_filed(exporting: Exporting, row: Any) -> dict[str, Any]:
    """Return what every filed object has, as a library file has it."""
    entry: dict[str, Any] = {"name": row.name, "id": str(row.id)}
    if row.folder_id is not None:
        entry["folder"] = exporting.session.scalars(select(Folder.path).where(Folder.id == row.folder_id)).one()
    entry["description"] = row.description
    if not row.enabled:
        entry["enabled"] = False
    entry["aliases"] = aliases.dump(exporting.aliases.get(row.id, {}))
    return entry
