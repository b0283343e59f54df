"""Library records: run books and modules as records of menus. What is changed here is changed in the library itself.

What was made in a workspace lies in its folder; a workspace sees what lies in that of no other one. A discarded record
is an object that is disabled. In the vendor's product its name is free for another record then, in a folder of the
library it is not: when the name is wanted, the disabled object gets another one, and ``ItaDetail`` keeps the first.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar, NamedTuple
from uuid import UUID

from sqlalchemy import Select, delete, func, insert, select

from dispatcher.core.jobs import WhatKind
from dispatcher.core.permissions import Right, Thing
from dispatcher.core.ports import Ports
from dispatcher.datastore import revisions
from dispatcher.datastore.exastro_ita import ITA_DETAILS, ItaWorkspace
from dispatcher.datastore.folders import Folder
from dispatcher.datastore.revisions import Revision
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.access import WHAT_NODES
from dispatcher.services.exastro_ita.messages import NO_COLUMN, Message
from dispatcher.services.exastro_ita.records import Action, Change, Found, Record, Scope
from dispatcher.services.exastro_ita.sent_values import told
from dispatcher.services.exastro_ita.workspaces import Workspace
from dispatcher.services.library.exporting import entries, to_yaml
from dispatcher.services.library.importing import import_texts
from dispatcher.services.library.problems import LibraryErrors
from dispatcher.services.library.versions import MODELS
from dispatcher.services.portions import portions
from dispatcher.services.secrets import Secrets

Entry = dict[str, Any]
"""A member of a section of library files."""

_DUPLICATE = "MSG-00025"
#: What the library itself has against a record, in its own words.
_REFUSED = "499-00201"


#: What names are in the library (``library.entries``), beside that they may not be blank.
_PRINTABLE = re.compile(r"^[^\x00-\x1f\x7f]*$")


class Place(NamedTuple):
    """A stored object, as far as all kinds have the same."""

    id: UUID
    name: str
    description: str
    enabled: bool
    updated_at: datetime
    updated_by: str
    folder: str


class LibraryRecords(ABC):
    """The records of a menu that are objects of the library."""

    kind: ClassVar[WhatKind]
    section: ClassVar[str]  #: of library files
    menu: ClassVar[str]
    name: ClassVar[str]  #: the column with the name

    def __init__(self, datastore: Datastore, ports: Ports, secrets: Secrets) -> None:
        self._datastore = datastore
        self._ports = ports
        self._secrets = secrets

    @abstractmethod
    def only(self, query: Select[Any]) -> Select[Any]:
        """Return *query*, for the columns of ``Place``, for those objects only that are records of the menu."""

    @abstractmethod
    def own_values(self, scope: Scope, places: Sequence[Place]) -> Mapping[UUID, Mapping[str, Any]]:
        """Return the values of the columns beside the name and the remarks."""

    @abstractmethod
    def changed(self, change: Change, entry: Entry | None, scope: Scope) -> Entry:
        """Return *entry*, None for a new one, with what *change* says of the columns beside name and remarks."""

    def faults(self, change: Change) -> Mapping[str, list[Message]]:  # noqa: ARG002 - some have none
        """Return what is wrong with the change itself, by column."""
        return {}

    def read(self, scope: Scope, ids: Collection[UUID] | None = None) -> Iterator[Record]:
        """Give the records that the caller may see, those with *ids* only if given, as they were made."""
        places = self._places(scope, ids)
        own, names = self.own_values(scope, places), self._names(scope, places)
        for one in places:
            name = one.name if one.enabled else names.get(one.id, one.name)
            values = {self.name: name, "remarks": one.description or None, **own[one.id]}
            yield Record(one.id, values, not one.enabled, one.updated_at, one.updated_by)

    def lock_first(self, scope: Scope) -> None:
        """Let nobody else change the library until the transaction ends: an import locks workspaces when it has it."""
        mark = select(Revision.value).where(Revision.name == revisions.LIBRARY)
        scope.session.execute(mark.with_for_update())

    def lock(self, scope: Scope, ids: Collection[UUID]) -> Mapping[UUID, Record]:
        """Return those of the records that are there; nobody else changes the library until the transaction ends."""
        self.lock_first(scope)
        return {record.id: record for record in self.read(scope, ids)}

    def taken(self, scope: Scope, column: str, values: Collection[str]) -> Mapping[str, UUID]:
        """Return which live record has each of the names, whatever their case; first those of the own folder."""
        if column != self.name:
            return {}
        wanted = {text.casefold() for text in values}
        live = [one for one in self._places(scope) if one.enabled and one.name.casefold() in wanted]
        mine = scope.workspace.folder.casefold()
        live.sort(key=lambda one: one.folder.casefold() == mine)  # of two with one name the last one counts
        found = {one.name.casefold(): one.id for one in live}
        return {text: found[text.casefold()] for text in values if text.casefold() in found}

    def write(self, scope: Scope, changes: Sequence[Change]) -> Found:
        """Change the library, each object in one piece: what it is after the last of its changes.

        :raises Forbidden: without Modify on one of the objects, or on the folder of the workspace.
        """
        found: Found = {
            change.index: faults
            for change in changes
            if (faults := {**self._faults_of_name(change), **self.faults(change)})
        }
        if found:
            return found
        last = _merged(changes)
        new = {change.id for change in changes if change.before is None}
        places = {one.id: one for one in self._places(scope, [key for key in last if key not in new])}
        self._require(scope, last, places)
        gone = [change for key, change in last.items() if change.action is Action.DELETE]
        stays = [change for key, change in last.items() if change.action is not Action.DELETE]
        found = self.remove(scope, [change for change in gone if change.id in places])
        return found or self._store(scope, stays, places)

    def remove(self, scope: Scope, changes: Sequence[Change]) -> Found:  # noqa: ARG002 - not of all kinds
        """Remove what *changes* delete; return what keeps some of it from that."""
        return {}

    def _faults_of_name(self, change: Change) -> dict[str, list[Message]]:
        if change.action is Action.DELETE or change.values.get(self.name) is None:
            return {}
        message = text_fault(change.values[self.name])
        return {} if message is None else {self.name: [message]}

    def _require(self, scope: Scope, last: Iterable[UUID], places: Mapping[UUID, Place]) -> None:
        for key in last:
            folder = places[key].folder if key in places else scope.workspace.folder
            scope.caller.require(Right.MODIFY, Thing(WHAT_NODES[self.kind], key, folder))

    def _store(self, scope: Scope, changes: Sequence[Change], places: Mapping[UUID, Place]) -> Found:
        """Import what the objects are after *changes*."""
        if not changes:
            return {}
        hiding = self._in_the_way(scope, changes, places)
        stored = entries(scope.session, self.section, [*places.keys() & {one.id for one in changes}, *hiding])
        files: dict[str, bytes] = {}
        by_id = {change.id: change for change in changes}
        for key in [*hiding, *(one.id for one in changes if one.id not in hiding)]:  # first what makes room for others
            entry, change = stored.get(key), by_id.get(key)
            if change is not None:
                entry = self._entry(change, entry, scope)
            if key in hiding:
                entry = {**(entry or {}), "name": f"{hiding[key][:200]} (discarded {key})"}
            elif change is not None and change.is_discarded and key in places:
                entry = {**(entry or {}), "name": places[key].name}  # another one, if somebody has its own by now
            files[f"hidden {key}" if change is None else str(change.index)] = self._file(entry or {})
        found = self._import(scope, files, {change.index: change for change in changes})
        self.note_hidden(scope, hiding, [change.id for change in changes if not change.is_discarded])
        return found

    def _entry(self, change: Change, entry: Entry | None, scope: Scope) -> Entry:
        after = change.after
        common = {
            "name": after[self.name],
            "description": after.get("remarks") or "",
            "enabled": not change.is_discarded,
        }
        return {**self.changed(change, entry, scope), **common}

    def _file(self, entry: Entry) -> bytes:
        return to_yaml({self.section: [entry]}).encode()

    def _import(self, scope: Scope, files: Mapping[str, bytes], changes: Mapping[int, Change]) -> Found:
        found: Found = {}
        try:
            import_texts(self._datastore, self._ports, self._secrets, files, caller=scope.caller)
        except LibraryErrors as error:
            for problem in error.problems:
                index = int(problem.file) if problem.file.isdigit() else next(iter(changes))
                is_name = problem.path.endswith("].name") and "already" in problem.text
                message = Message(_REFUSED, (problem.text,))
                if is_name:
                    message = Message(_DUPLICATE, (str(changes[index].id), changes[index].after[self.name]))
                found.setdefault(index, {}).setdefault(self.name if is_name else NO_COLUMN, []).append(message)
        return found

    def _places(self, scope: Scope, ids: Collection[UUID] | None = None) -> list[Place]:
        """Return the objects that are records of the menu, visible in the workspace and to the caller, as made."""
        node, caller = WHAT_NODES[self.kind], scope.caller
        if not caller.may_some(Right.READ, node):
            return []
        model: Any = MODELS[self.kind]
        columns = (model.id, model.name, model.description, model.enabled, model.updated_at, model.updated_by)
        query = self.only(
            select(*columns, func.coalesce(Folder.path, "")).outerjoin(Folder, Folder.id == model.folder_id)
        )
        query = query.order_by(model.number)
        parts = [query] if ids is None else [query.where(model.id.in_(some)) for some in portions(ids)]
        rows = (Place(*row) for part in parts for row in scope.session.execute(part).tuples())
        others = folders_of_others(scope)
        visible = (one for one in rows if not others or not is_below(one.folder, others))
        if node not in caller.fine:
            return list(visible)
        return [one for one in visible if caller.may(Right.READ, Thing(node, one.id, one.folder))]

    def _names(self, scope: Scope, places: Iterable[Place]) -> dict[UUID, str]:
        """Return the names of those that had to give theirs to others."""
        if all(one.enabled for one in places):
            return {}
        detail = ITA_DETAILS.c
        query = select(detail.object_id, detail["values"]).where(detail.menu == self.menu, detail.is_discarded)
        return {key: values[self.name] for key, values in scope.session.execute(query).tuples() if self.name in values}

    def _in_the_way(self, scope: Scope, changes: Iterable[Change], places: Mapping[UUID, Place]) -> dict[UUID, str]:
        """Return those, with their names, that are disabled after *changes* and have a name that one of these wants."""
        wanted: set[tuple[str, str]] = set()
        disabled: dict[UUID, bool] = {}
        for one in changes:
            folder = places[one.id].folder if one.id in places else scope.workspace.folder
            disabled[one.id] = one.is_discarded
            if not one.is_discarded:
                wanted.add((folder.casefold(), one.after[self.name].casefold()))
        return {
            one.id: one.name
            for one in (self._places(scope) if wanted else ())
            if disabled.get(one.id, not one.enabled) and (one.folder.casefold(), one.name.casefold()) in wanted
        }

    def note_hidden(self, scope: Scope, hidden: Mapping[UUID, str], live: Sequence[UUID]) -> None:
        """Keep the names of what was hidden; forget those of what is *live*, or gone."""
        connection, detail = scope.session.connection(), ITA_DETAILS.c
        for some in portions([*live, *hidden]):
            connection.execute(delete(ITA_DETAILS).where(detail.menu == self.menu, detail.object_id.in_(some)))
        stamp = {"changed_at": scope.now, "changed_by": scope.caller.name[:255], "is_discarded": True}
        place = {"workspace_id": scope.workspace.id, "menu": self.menu}
        rows = [{**place, **stamp, "object_id": key, "values": {self.name: name}} for key, name in hidden.items()]
        if rows:
            connection.execute(insert(ITA_DETAILS), rows)


def _merged(changes: Iterable[Change]) -> dict[UUID, Change]:
    """Return by record one change that does what all of its *changes*, in their order, do."""
    found: dict[UUID, Change] = {}
    for change in changes:
        earlier = found.get(change.id)
        if earlier is not None:
            values, files = {**earlier.values, **change.values}, {**earlier.files, **change.files}
            change = replace(change, values=values, files=files)
        found[change.id] = change
    return found


def text_fault(text: str) -> Message | None:
    """Return why the library takes no object that is called *text*, as the vendor says it; None if it does."""
    if not text.strip():
        return Message("MSG-00030")
    return None if _PRINTABLE.fullmatch(text) else Message("MSG-00009", (_PRINTABLE.pattern, told(text)))


def folders_of_others(scope: Scope) -> set[str]:
    """Return the library folders of all other workspaces, in lower case."""
    own = scope.workspace.folder.casefold()
    rows = scope.session.execute(
        select(ItaWorkspace.id, ItaWorkspace.organization, ItaWorkspace.name, ItaWorkspace.team_id)
    )
    return {Workspace(*row).folder.casefold() for row in rows.tuples()} - {own}


def is_below(folder: str, others: Collection[str]) -> bool:
    """Whether *folder* is one of *others*, or in one of them."""
    path = folder.casefold()
    while path:
        if path in others:
            return True
        path = path.rpartition("/")[0]
    return False
