"""Library sealing: the texts that projects and run books give to passwords are encrypted at rest, as passwords are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from dispatcher.core.definitions import SealedText, is_all_links, links_in
from dispatcher.core.jobs import WhatKind
from dispatcher.core.parameters import ParameterType
from dispatcher.datastore.base import Base
from dispatcher.datastore.parameters import Parameter
from dispatcher.datastore.projects import ProjectModule
from dispatcher.datastore.runbooks import RunBookStep
from dispatcher.services.library import children
from dispatcher.services.library.children import Row
from dispatcher.services.library.items import Item
from dispatcher.services.library.sections import Importing
from dispatcher.services.secrets import Secrets

Text = str | SealedText
Document = Mapping[str, Any]
_Passwords = Mapping[tuple[int, UUID], set[str]]  # the names of the passwords of what is held

#: What holds others: its rows, and their column that names it.
HOLDERS: dict[WhatKind, tuple[type[Base], str]] = {
    WhatKind.PROJECT: (ProjectModule, "project_id"),
    WhatKind.RUNBOOK: (RunBookStep, "runbook_id"),
}
_MEMBERS = {WhatKind.PROJECT: "modules", WhatKind.RUNBOOK: "steps"}


@dataclass(slots=True)
class Sealer:
    """Seals texts. The same one of the same place in a project or run book is sealed once: its definitions agree."""

    secrets: Secrets
    _sealed: dict[tuple[UUID, UUID, str, str], SealedText] = field(default_factory=dict)

    def seal_all(
        self, holder_id: UUID, inner_id: UUID, texts: Mapping[str, Text], passwords: Collection[str]
    ) -> dict[str, Text]:
        """Return what the holder gives to *inner*, its *passwords* sealed. What was sealed for another type is gone."""
        return {
            name: text if name not in passwords else self._seal((holder_id, inner_id, name), text)
            for name, text in texts.items()
            if name in passwords or isinstance(text, str)
        }

    def _seal(self, place: tuple[UUID, UUID, str], text: Text) -> Text:
        if not isinstance(text, str) or is_all_links(text):
            return text
        key = (*place, text)
        if key not in self._sealed:
            self._sealed[key] = SealedText(sealed=self.secrets.seal(text), links=links_in(text))
        return self._sealed[key]


def replace(importing: Importing, item: Item[Any], kind: WhatKind, wanted: Sequence[Row], key: str) -> bool:
    """Make *wanted* what a project or run book holds, as ``children.replace`` does, texts for passwords sealed.

    One that is stored already is kept as it is, so that nothing seems to change. An empty text means that, too, and is
    a problem where it is not certain which of those that are stored it stands for.
    """
    model, column = HOLDERS[kind]
    owner, session = {column: item.row.id}, importing.session
    stored = children.read(session, model, owner)
    passwords = _passwords(session, [_inner(row) for row in wanted])
    before = _predecessors(wanted, stored, key, passwords)
    rows = _kept(importing.secrets, wanted, before, passwords)
    if len(wanted) == len(getattr(item.entry, _MEMBERS[kind])):  # else there is a problem with one of them already
        for place, name in _uncertain(rows, stored, before, passwords):
            text = "is empty: give the password, it is not certain which of those before it is"
            item.problem(text, _MEMBERS[kind], place, "parameters", name)
    sealed = _seal_rows(Sealer(importing.secrets), item.row.id, rows, passwords)
    return children.replace(session, model, owner, sealed, key, importing.ports.new_id)


@dataclass(frozen=True, slots=True)
class _Before:
    """What was given to the same, as far as is known, by what a row takes the place of."""

    texts: Mapping[str, Text] = field(default_factory=dict)
    row_id: UUID | None = None  #: of that, if it is certain


def _predecessors(wanted: Sequence[Row], stored: Sequence[Row], key: str, passwords: _Passwords) -> list[_Before]:
    def is_alike(new: Row, old: Row) -> bool:
        hidden = passwords[_inner(new)]
        given = {name: text for name, text in new["parameters"].items() if name not in hidden}
        return given == {name: text for name, text in old["parameters"].items() if name not in hidden} and all(
            value == old[name] for name, value in new.items() if name != "parameters"
        )

    certain = children.are_certain(wanted, stored, key, is_alike)
    return [
        _Before(old["parameters"], old["id"] if is_certain else None)
        if old is not None and _inner(old) == _inner(row)
        else _Before()
        for row, old, is_certain in zip(wanted, children.predecessors(wanted, stored, key), certain, strict=True)
    ]


def _kept(secrets: Secrets, wanted: Sequence[Row], before: Sequence[_Before], passwords: _Passwords) -> list[Row]:
    """Return *wanted* with the sealed texts in place that stay: of the same text, or of an empty one if it is certain.

    An exported file has empty texts for what is sealed.
    """

    def keep(text: Text, old: Text | None, is_certain: bool) -> Text:
        if not isinstance(text, str) or not isinstance(old, dict):
            return text
        return old if (is_certain and not text) or secrets.holds(old["sealed"], text) else text

    rows = []
    for row, old in zip(wanted, before, strict=True):
        hidden, is_certain = passwords[_inner(row)], old.row_id is not None
        kept = {
            name: keep(text, old.texts.get(name), is_certain) if name in hidden else text
            for name, text in row["parameters"].items()
        }
        rows.append({**row, "parameters": kept})
    return rows


def _uncertain(
    rows: Sequence[Row], stored: Sequence[Row], before: Sequence[_Before], passwords: _Passwords
) -> list[tuple[int, str]]:
    """Return where passwords are empty that may stand for stored ones which would be lost: places and names."""
    given = {old.row_id: row["parameters"] for row, old in zip(rows, before, strict=True)}
    kept = [text["sealed"] for row in rows for text in row["parameters"].values() if not isinstance(text, str)]
    is_lost = any(
        text["sealed"] not in kept and not given.get(row["id"], {}).get(name)
        for row in stored
        for name, text in row["parameters"].items()
        if not isinstance(text, str)
    )
    if not is_lost:
        return []
    return [
        (place, name)
        for place, (row, old) in enumerate(zip(rows, before, strict=True))
        for name, text in row["parameters"].items()
        if not text and name in passwords[_inner(row)] and not (old.row_id is not None and name in old.texts)
    ]


def _seal_rows(sealer: Sealer, holder_id: UUID, rows: Sequence[Row], passwords: _Passwords) -> list[Row]:
    return [
        {**row, "parameters": sealer.seal_all(holder_id, inner[1], row["parameters"], passwords[inner])}
        for row, inner in zip(rows, map(_inner, rows), strict=True)
    ]


def seal_stored(session: Session, sealer: Sealer, kind: WhatKind, holder_id: UUID) -> bool:
    """Seal what the stored project or run book gives to passwords in the clear; return whether that changed anything.

    What was sealed for a parameter that is no password any more is taken away: it would be shown.
    """
    model, column = HOLDERS[kind]
    rows = children.read(session, model, {column: holder_id})
    passwords = _passwords(session, [_inner(row) for row in rows])
    is_changed = False
    for row, sealed in zip(rows, _seal_rows(sealer, holder_id, rows, passwords), strict=True):
        if sealed != row:
            table: Any = model.__table__
            session.execute(update(table).where(table.c.id == row["id"]).values(parameters=sealed["parameters"]))
            is_changed = True
    return is_changed


def seal_document(sealer: Sealer, document: Document) -> Document:
    """Return a definition (``core.definitions``) with the texts for passwords sealed."""
    for name, member in (("modules", "module"), ("steps", "what")):
        if name in document:
            holder_id = UUID(document["id"])
            return {**document, name: [_seal_part(sealer, holder_id, part, member) for part in document[name]]}
    return document


def _seal_part(sealer: Sealer, holder_id: UUID, part: Document, member: str) -> Document:
    inner = seal_document(sealer, part[member])
    passwords = {one["name"] for one in inner["parameters"] if one["type"] == ParameterType.PASSWORD}
    texts = sealer.seal_all(holder_id, UUID(inner["id"]), part["parameters"], passwords)
    return {**part, member: inner, "parameters": texts}


def _inner(row: Row) -> tuple[int, UUID]:
    """Return the kind and the id of what *row* holds."""
    return (row["what_kind"], row["what_id"]) if "what_id" in row else (int(WhatKind.MODULE), row["module_id"])


def _passwords(session: Session, owners: Sequence[tuple[int, UUID]]) -> _Passwords:
    """Return the names of the parameters of *owners* that are passwords."""
    found: defaultdict[tuple[int, UUID], set[str]] = defaultdict(set)
    named = select(Parameter.name).where(Parameter.type == int(ParameterType.PASSWORD))
    for kind, owner_id in dict.fromkeys(owners):
        query = named.where(Parameter.owner_kind == kind, Parameter.owner_id == owner_id)
        found[kind, owner_id].update(session.scalars(query))
    return found


def dump(texts: Mapping[str, Text]) -> dict[str, str]:
    """Return *texts* as a library file has them, those that are sealed empty."""
    return {name: text if isinstance(text, str) else "" for name, text in texts.items()}
