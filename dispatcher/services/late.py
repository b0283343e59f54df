"""Late: what a job runs that is named by an alias: whatever has that when the job starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import NAMESPACE_OID, UUID, uuid5

from sqlalchemy import select
from sqlalchemy.orm import Session

from dispatcher.core.errors import NotFound
from dispatcher.core.jobs import What, WhatChoice, WhatKind
from dispatcher.core.parameters import Form, Given, Parameter, Values, merge
from dispatcher.datastore.settings import Alias
from dispatcher.services.library import versions
from dispatcher.services.library.catalogue import LibraryEntry

#: The definition of what nothing has the alias of.
UNKNOWN = UUID(int=0)


class NothingBound(NotFound):
    """Nothing has the alias that a job is to run."""

    code = "library.nothing_bound"

    def __init__(self, alias: Sequence[str], kind: WhatKind) -> None:
        self.kind = f"{kind.noun} bound to {alias[1].replace('_', ' ')}"
        super().__init__(alias[2])


def find(session: Session, alias: Sequence[str]) -> UUID | None:
    """Return what has *alias* at the moment, enabled or not; None if nothing has."""
    dialect, kind, external_id = alias
    fits = (Alias.dialect == dialect, Alias.kind == kind, Alias.external_id == external_id)
    found: UUID | None = session.scalar(select(Alias.object_id).where(*fits))
    return found


def entry_of(choice: WhatChoice) -> LibraryEntry:
    """Return what stands for the alias of *choice* while nothing has it: it declares nothing."""
    assert choice.alias is not None  # noqa: S101 - asked for by the caller
    key = uuid5(NAMESPACE_OID, "/".join(choice.alias))
    what = What(key, choice.alias[2], choice.kind)
    return LibraryEntry(what, True, UNKNOWN, {"parameters": []}, Form([]), choice.alias)


def values(declared: Sequence[Parameter], given: Sequence[Given]) -> Values:
    """Return what is stored of the values *given* to something with the parameters that it has *declared* now.

    That is all of them, whatever has the alias when the job starts, and no defaults: they are those of that.

    :raises InvalidValue: as ``core.parameters.merge``.
    """
    names = {one[0].casefold(): one for one in given if one[1] is not None}
    merged = merge(declared, names.values())
    known = {name: value for name, value in merged.items() if names.pop(name.casefold(), None) is not None}
    return known | {name: [value or ""] for name, value, _ in names.values()}


def bound(session: Session, what: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """Return the stored *what* of a job with what has the aliases in it now; the same, if there is none in it.

    :raises NothingBound: if nothing has one of them, or it is disabled.
    """
    if not [item for item in what if "alias" in item]:
        return what
    return [_bound(session, item) if "alias" in item else item for item in what]


def item_of(session: Session, kind: WhatKind, key: UUID) -> Mapping[str, Any] | None:
    """Return the newest version of something as jobs store it; None if it is not there, or disabled."""
    row = versions.row_of(session, (kind, key))
    definition = None if row is None or not row.enabled else versions.newest(session, kind, row.id, row.version)
    if row is None or definition is None:
        return None
    return {"kind": kind, "id": str(row.id), "name": row.name, "definition": str(definition.id)}


def _bound(session: Session, item: Mapping[str, Any]) -> Mapping[str, Any]:
    kind, key = WhatKind(item["kind"]), find(session, item["alias"])
    found = None if key is None else item_of(session, kind, key)
    if found is None:
        raise NothingBound(item["alias"], kind)
    return found
