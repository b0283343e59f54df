"""Redefining: what becomes of the records of a sheet when its definition changes: they stay.

Only what no other record may have (``ItaUnique``) follows: it is known for the columns that are unique, in all
workspaces. A column whose records have values keeps its kind: they would be read as something else. So does one that
is gone and comes back: which kinds such columns had stays in the stored definition (``GONE``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from dispatcher.datastore.exastro_ita import ITA_JOURNAL, ITA_RECORDS, ITA_UNIQUES, ItaRoleMenu, ItaWorkspace
from dispatcher.datastore.inserting import Inserting
from dispatcher.services.exastro_ita.rows import digest
from dispatcher.services.exastro_ita.uniqueness import unique_text

_INSERT = Inserting(ITA_UNIQUES)
_PAGE = 1_000
#: The member of a stored definition that has the kinds of the columns that are gone, by name; library files have none.
GONE = "gone"


@dataclass(frozen=True, slots=True)
class Redefined:
    """A sheet as it was, or as it is now."""

    name: str
    definition: Mapping[str, Any]

    @property
    def kinds(self) -> dict[str, str]:
        """The kinds of the columns, by name."""
        return {column["name"]: column.get("kind", "text") for column in self.definition["columns"]}

    @property
    def all_kinds(self) -> dict[str, str]:
        """The kinds of all columns that records may have values of: those that are gone, too."""
        return {**self.definition.get(GONE, {}), **self.kinds}

    @property
    def unique(self) -> set[str]:
        """The columns that are unique."""
        return {column["name"] for column in self.definition["columns"] if column.get("unique")}


def with_gone(definition: Mapping[str, Any], old: Redefined | None) -> dict[str, Any]:
    """Return the new *definition* of the sheet that was *old*, with the kinds of the columns that are gone."""
    present = {column["name"] for column in definition["columns"]}
    before = old.all_kinds if old is not None else {}
    gone = {name: kind for name, kind in before.items() if name not in present}
    return {**definition, GONE: gone} if gone else {**definition}


def redefine(session: Session, old: Redefined, new: Redefined) -> Iterator[tuple[int, str]]:
    """Let the records of the sheet follow from *old* to *new*; give what forbids that, with the place of the column."""
    # Nobody changes records meanwhile: whoever does has locked his workspace.
    session.execute(select(ItaWorkspace.id).order_by(ItaWorkspace.id).with_for_update(key_share=True))
    if old.name != new.name:
        _rename(session, old.name, new.name)
    gone = old.unique - new.unique
    if gone:
        mine = ITA_UNIQUES.c.menu == new.name
        session.connection().execute(delete(ITA_UNIQUES).where(mine, ITA_UNIQUES.c.column.in_(gone)))
    before = old.all_kinds
    changed = {name for name, kind in new.kinds.items() if before.get(name, kind) != kind}
    if not changed and new.unique <= old.unique:
        return
    has_values, repeated = _look(session, new.name, changed, new.unique - old.unique)
    for place, name in enumerate(new.kinds):
        if name in has_values:
            yield place, "has values of another kind in records: give the column another name"
        if name in repeated:
            yield place, "cannot be unique: records have the same values"


def _rename(session: Session, old: str, new: str) -> None:
    tables: tuple[Any, ...] = (ITA_RECORDS, ITA_UNIQUES, ITA_JOURNAL, ItaRoleMenu.__table__)
    for table in tables:
        session.connection().execute(update(table).where(table.c.menu == old).values(menu=new))


def _look(session: Session, menu: str, changed: Collection[str], unique: Collection[str]) -> tuple[set[str], set[str]]:
    """Make the values in the columns *unique* known; return the columns *changed* with values, and repeated ones."""
    has_values: set[str] = set()
    repeated: set[str] = set()
    seen: dict[tuple[UUID, str], set[bytes]] = {}
    for page in _pages(session, menu):
        rows = []
        for key, workspace_id, values, is_discarded in page:
            has_values.update(name for name in changed if values.get(name) not in (None, ""))
            for name in () if is_discarded else unique:
                if not (text := unique_text(values.get(name))):
                    continue
                known, one = seen.setdefault((workspace_id, name), set()), digest(text)
                if one in known:
                    repeated.add(name)
                    continue
                known.add(one)
                place = {"workspace_id": workspace_id, "menu": menu, "column": name}
                rows.append({**place, "digest": one, "record_id": key})
        _INSERT.all(session, rows)
    return has_values, repeated


def _pages(session: Session, menu: str) -> Iterator[list[Any]]:
    columns = [ITA_RECORDS.c[name] for name in ("id", "workspace_id", "values", "is_discarded")]
    query = select(*columns).where(ITA_RECORDS.c.menu == menu).order_by(ITA_RECORDS.c.id).limit(_PAGE)
    page = list(session.connection().execute(query))
    while page:
        yield page
        page = list(session.connection().execute(query.where(ITA_RECORDS.c.id > page[-1].id)))
