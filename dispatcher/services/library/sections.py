"""Library sections: the parts of a library file, and what they share while files are imported or exported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, runtime_checkable
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from dispatcher.core.jobs import WhatKind
from dispatcher.core.permissions import SYSTEM, Caller
from dispatcher.core.ports import Ports
from dispatcher.datastore.folders import Folder
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.library.aliases import AliasStore
from dispatcher.services.library.entries import NamedEntry
from dispatcher.services.library.items import Item
from dispatcher.services.library.names import Names
from dispatcher.services.secrets import Secrets


class Section(Protocol):
    """A part of a library file. Everything is called inside one transaction, sections in their order.

    First every section claims all its items, so that all names are known; then every section fills its items.
    """

    @property
    def name(self) -> str:
        """Its key in the file."""

    @property
    def entry(self) -> type[NamedEntry]:
        """The model of its members."""

    @property
    def revision(self) -> str:
        """The revision (``datastore.revisions``) that its changes raise."""

    def names(self, session: Session) -> Names:
        """Return what is stored."""

    def check(self, item: Item[Any]) -> None:
        """Note what is wrong with the entry itself. An item with problems is not claimed."""

    def claim(self, importing: Importing, item: Item[Any]) -> None:
        """Give the item the row with its id, else its place, else a new one; leave it None if that cannot be.

        The row has an ``id``, and for ``item.changed`` the columns of ``Updated``.
        """

    def fill(self, importing: Importing, item: Item[Any]) -> None:
        """Make the row what the entry says; ``item.changed`` if it was not."""

    def dump(self, exporting: Exporting, key: UUID) -> dict[str, Any]:
        """Return the stored object *key* as a member of the section."""


@runtime_checkable
class PreparingSection(Protocol):
    """A section with something too large for one transaction."""

    def prepare(self, item: Item[Any], datastore: Datastore, ports: Ports) -> None:
        """Store that, before the transaction of the import and in others of its own; ``item.prepared`` may hold it."""


@dataclass(slots=True)
class Importing:
    """What sections share while files are imported."""

    session: Session
    ports: Ports
    secrets: Secrets
    names: Mapping[str, Names]
    aliases: AliasStore
    now: datetime
    caller: Caller = SYSTEM  #: who does it, as the audit has it
    #: Modules, projects and run books whose definition may have changed.
    touched: dict[tuple[WhatKind, UUID], Item[Any]] = field(default_factory=dict)
    claimed: set[UUID] = field(default_factory=set)
    filled: set[UUID] = field(default_factory=set)
    depth: int = 0  #: of run books that are filled because another contains them
    _folders: dict[tuple[str, str], UUID] = field(default_factory=dict)

    def find(self, section: str, text: str, item: Item[Any], *path: str | int) -> UUID | None:
        """Return the object of *section* that *text* names; None, with a problem at *path*, if there is none."""
        names = self.names[section]
        try:
            return names.find(text)
        except LookupError as error:
            if not names.is_broken(text):
                item.problem(str(error), *path)
            return None

    def folder(self, kind: str, path: str) -> UUID | None:
        """Return the id of the folder *path*, which is made if need be; None for the root."""
        if not path:
            return None
        if not self._folders:
            stored = self.session.execute(select(Folder.kind, Folder.path, Folder.id))
            self._folders.update(((one, text.casefold()), key) for one, text, key in stored)
        place = (kind, path.casefold())
        if place not in self._folders:
            self._folders[place] = self.ports.new_id()
            self.session.add(Folder(id=self._folders[place], kind=kind, path=path))
            self.session.flush()
        return self._folders[place]


@dataclass(slots=True)
class Exporting:
    """What sections share while a datastore is exported."""

    session: Session
    names: Mapping[str, Names]
    aliases: Mapping[UUID, dict[str, dict[str, Any]]]
