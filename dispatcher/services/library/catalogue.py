"""Catalogue: the modules, projects and run books that jobs run, as callers and the scheduler see them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from dispatcher.core import definitions, references
from dispatcher.core.errors import WhatNotFound
from dispatcher.core.jobs import ParameterSet, What, WhatKind
from dispatcher.core.parameters import Form, Parameter
from dispatcher.core.permissions import Caller, Right, Thing
from dispatcher.core.references import Kind, Reference
from dispatcher.datastore import revisions
from dispatcher.datastore.folders import Folder
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.access import WHAT_NODES
from dispatcher.services.lasting import Lasting
from dispatcher.services.library import versions
from dispatcher.services.secrets import Secrets

_VARIABLE = re.compile(r"PARAM_\w+")
_PASSWORD = "_PASSWORD"  # noqa: S105 - the end of a variable's name


@dataclass(frozen=True, slots=True)
class LibraryEntry:
    """The newest version of something that jobs run. Entries are shared: nothing in one may be changed.

    ``document`` is described in ``core.definitions``; ``form`` has its declared parameters, secrets open.
    """

    what: What
    enabled: bool
    definition_id: UUID
    document: Mapping[str, Any]
    form: Form
    alias: tuple[str, str, str] | None = None  #: by which it is to be found when a job starts (``services.late``)

    @property
    def id(self) -> UUID:
        """The id of the module, project or run book."""
        return self.what.id

    @property
    def kind(self) -> WhatKind:
        """What it is."""
        return self.what.kind

    @property
    def name(self) -> str:
        """Its name."""
        return self.what.name

    @property
    def parameters(self) -> Sequence[Parameter]:
        """Its declared parameters."""
        return self.form.declared

    @property
    def thing(self) -> Thing:
        """What rights are judged by."""
        return _thing(self.what)


@dataclass(slots=True)
class _Kept:
    """What was read at one revision of the library."""

    entries: dict[tuple[WhatKind, UUID], LibraryEntry] = field(default_factory=dict)
    whats: dict[WhatKind, list[What]] = field(default_factory=dict)


class Library:
    """Reads the library. May be used by many threads."""

    def __init__(self, datastore: Datastore, secrets: Secrets) -> None:
        self._datastore = datastore
        self._secrets = secrets
        self._kept = Lasting(_Kept, revisions.LIBRARY)

    def whats(self, kind: WhatKind, caller: Caller) -> list[What]:
        """Return the enabled modules, projects or run books that *caller* may read, by name (contract section 2.7)."""
        node = WHAT_NODES[kind]
        if not caller.may_some(Right.READ, node):
            return []
        with self._datastore.read() as session:
            kept = self._kept.of(session)
            if kind not in kept.whats:
                kept.whats[kind] = _whats(session, kind)
            whats = list(kept.whats[kind])
        return [what for what in whats if caller.may(Right.READ, _thing(what))] if node in caller.fine else whats

    def inputs(self, kind: WhatKind, what_id: UUID, caller: Caller) -> ParameterSet:
        """Return the parameters to be asked at scheduling, in declared order, secrets masked (contract section 2.8).

        Those are the input parameters that a task, a link or a step uses.

        :raises Forbidden: without Read on it.
        :raises WhatNotFound: if there is no such object of this kind.
        """
        entry = self._readable(kind, what_id, caller)
        used = _used(kind, entry.document)
        return _parameter_set(entry, [one for one in entry.parameters if one.is_input and one.name in used])

    def outputs(self, kind: WhatKind, what_id: UUID, caller: Caller) -> ParameterSet:
        """Return the output parameters in declared order, secrets masked; ``value1`` is the default.

        :raises Forbidden: without Read on it.
        :raises WhatNotFound: if there is no such object of this kind.
        """
        entry = self._readable(kind, what_id, caller)
        return _parameter_set(entry, [one for one in entry.parameters if one.is_output])

    def definition(self, session: Session, kind: WhatKind, what_id: UUID) -> LibraryEntry | None:
        """Return the newest version of the object, enabled or not; None if there is no such object of this kind.

        It is kept in memory until the library changes.
        """
        kept = self._kept.of(session)
        key = (kind, what_id)
        entry = kept.entries.get(key)
        if entry is None:
            entry = self._read(session, kind, what_id)
            if entry is not None:
                kept.entries[key] = entry
        return entry

    def _readable(self, kind: WhatKind, what_id: UUID, caller: Caller) -> LibraryEntry:
        caller.require_some(Right.READ, WHAT_NODES[kind])
        with self._datastore.read() as session:
            entry = self.definition(session, kind, what_id)
        if entry is None:
            raise WhatNotFound(what_id)
        caller.require(Right.READ, entry.thing)
        return entry

    def _read(self, session: Session, kind: WhatKind, what_id: UUID) -> LibraryEntry | None:
        row = versions.row_of(session, (kind, what_id))
        if row is None:
            return None
        definition = versions.newest(session, kind, what_id, row.version)
        if definition is None:
            return None
        folder = session.scalar(select(Folder.path).where(Folder.id == row.folder_id)) if row.folder_id else ""
        what = What(row.id, row.name, kind, row.description, folder or "")
        parameters = definitions.to_parameters(definition.document["parameters"], self._secrets.open)
        return LibraryEntry(what, row.enabled, definition.id, definition.document, Form(parameters))


def _thing(what: What) -> Thing:
    return Thing(WHAT_NODES[what.kind], what.id, what.folder)


def _whats(session: Session, kind: WhatKind) -> list[What]:
    model = versions.MODELS[kind]
    query = (
        select(model.id, model.name, model.description, Folder.path)
        .outerjoin(Folder, Folder.id == model.folder_id)
        .where(model.enabled)
    )
    found = [What(key, name, kind, description, path or "") for key, name, description, path in session.execute(query)]
    return sorted(found, key=lambda what: (what.name.casefold(), what.id))


def _parameter_set(entry: LibraryEntry, parameters: list[Parameter]) -> ParameterSet:
    return ParameterSet.of(entry.what, [one.masked() for one in parameters], identifier=entry.definition_id)


def _used(kind: WhatKind, document: Mapping[str, Any]) -> set[str]:
    """Return the names of the parameters that *document* uses."""
    if kind is WhatKind.MODULE:
        return _used_in_tasks(document) | _used_in_conditions(document["tasks"])
    parts = document["modules"] if kind is WhatKind.PROJECT else document["steps"]
    used = {name for part in parts for text in part["parameters"].values() for name in definitions.links_in(text)}
    used |= _used_in_conditions(parts)
    return used | {who["parameter"] for part in parts for who in part.get("who", ()) if "parameter" in who}


def _used_in_conditions(parts: Iterable[Mapping[str, Any]]) -> set[str]:
    return {name for part in parts if "condition" in part for name in definitions.links_in(part["condition"]["if"])}


def _used_in_tasks(document: Mapping[str, Any]) -> set[str]:
    """Return the names that the tasks refer to, by reference or, as scripts may, by environment variable."""
    texts = [text for task in document["tasks"] for text in _texts(task["settings"])]
    used = {one.name for text in texts for one in references.find(text) if one.kind is Kind.PARAMETER}
    variables = {match for text in texts for match in _VARIABLE.findall(text)}
    for parameter in document["parameters"]:
        variable = Reference(Kind.PARAMETER, parameter["name"]).variable
        if variable in variables or variable + _PASSWORD in variables:
            used.add(parameter["name"])
    return used


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)
