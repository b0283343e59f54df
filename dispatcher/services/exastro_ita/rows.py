"""Rows: the records of a menu that nobody else keeps, of sheets, operations and host groups.

Their ``values`` are those of the columns that have a value of their own: not the key, nor when and by whom a record was
changed, nor whether it is discarded, which stand in columns of the table.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import and_, bindparam, delete, func, or_, select, update

from dispatcher.datastore.exastro_ita import ITA_RECORDS, ITA_UNIQUES
from dispatcher.datastore.inserting import Inserting
from dispatcher.services.exastro_ita import files
from dispatcher.services.exastro_ita.records import Action, Change, Found, Record, Scope
from dispatcher.services.portions import portions

#: How many records are read at a time: answers begin before the last one was read, and need no memory for all.
PAGE = 1_000
#: The columns of sheets by which runs find their values.
OPERATION, HOST = "operation_name_select", "host_name"

_INSERT_RECORDS = Inserting(ITA_RECORDS)
_INSERT_UNIQUES = Inserting(ITA_UNIQUES)
_READ = tuple(ITA_RECORDS.c[name] for name in ("id", "values", "is_discarded", "updated_at", "updated_by"))
_WRITTEN = ("values", "is_discarded", "operation_id", "agent_id", "updated_at", "updated_by")
_UPDATE = (
    update(ITA_RECORDS)
    .where(ITA_RECORDS.c.id == bindparam("key"))
    .values({name: bindparam(f"new_{name}") for name in _WRITTEN})
)


class Rows:
    """The records of the menu *menu*, in a workspace each. Whoever writes has locked the workspace (``workspaces``).

    So no two transactions number records of the same menu, or give them the same unique value, at once.
    """

    #: The unique columns whose values are noted nowhere (``ItaUnique``): the records tell them.
    told: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, menu: str) -> None:
        self._menu = menu

    def read(self, scope: Scope, ids: Collection[UUID] | None = None) -> Iterator[Record]:
        """Give the records, those with *ids* only if given, in their order."""
        query = select(*_READ, ITA_RECORDS.c.number).where(*self._mine(scope))
        if ids is not None:
            # An id that comes twice is no second record, whichever batch it is in.
            for some in portions(dict.fromkeys(ids)):
                ordered = query.where(ITA_RECORDS.c.id.in_(some)).order_by(ITA_RECORDS.c.number, ITA_RECORDS.c.id)
                yield from map(_to_record, scope.session.execute(ordered))
            return
        query = query.order_by(ITA_RECORDS.c.number, ITA_RECORDS.c.id).limit(PAGE)
        page = scope.session.execute(query).all()
        while page:
            yield from map(_to_record, page)
            number, key = page[-1].number, page[-1].id
            later = or_(ITA_RECORDS.c.number > number, and_(ITA_RECORDS.c.number == number, ITA_RECORDS.c.id > key))
            page = scope.session.execute(query.where(later)).all() if len(page) == PAGE else []

    def lock(self, scope: Scope, ids: Collection[UUID]) -> Mapping[UUID, Record]:
        """Return those of the records that are there, locked until the transaction ends."""
        found: dict[UUID, Record] = {}
        for some in portions(sorted(set(ids))):  # in the order of their ids: nobody waits for who waits for him
            query = select(*_READ).where(*self._mine(scope), ITA_RECORDS.c.id.in_(some)).order_by(ITA_RECORDS.c.id)
            found |= {row.id: _to_record(row) for row in scope.session.execute(query.with_for_update())}
        return found

    def taken(self, scope: Scope, column: str, values: Collection[str]) -> Mapping[str, UUID]:
        """Return which live record has each of *values* of a unique column, as far as one has it."""
        texts, unique = {digest(text): text for text in values}, ITA_UNIQUES.c
        mine = (unique.workspace_id == scope.workspace.id, unique.menu == self._menu, unique.column == column)
        found: dict[str, UUID] = {}
        for some in portions(texts):
            query = select(unique.digest, unique.record_id).where(*mine, unique.digest.in_(some))
            found |= {texts[one]: key for one, key in scope.session.execute(query).tuples()}
        return found

    def write(self, scope: Scope, changes: Sequence[Change]) -> Found:
        """Carry out *changes* in order, each record in one piece: what it is after the last of its changes."""
        new = {change.id for change in changes if change.before is None}
        last = {change.id: change for change in changes}
        gone = [key for key, change in last.items() if change.action is Action.DELETE]
        stays = [change for change in last.values() if change.action is not Action.DELETE]
        self._remove_uniques(scope, [key for key in last if key not in new])
        for some in portions(gone):
            scope.session.connection().execute(delete(ITA_RECORDS).where(ITA_RECORDS.c.id.in_(some)))
        self._update(scope, [change for change in stays if change.id not in new])
        self._insert(scope, [change for change in stays if change.id in new])
        self._add_uniques(scope, stays)
        files.let_go(scope.session, [key for key in last if key not in new])
        files.keep_all(scope.session, (one for change in stays for one in files.named_in(change.id, change.after)))
        return {}

    def _mine(self, scope: Scope) -> tuple[Any, ...]:
        return ITA_RECORDS.c.workspace_id == scope.workspace.id, ITA_RECORDS.c.menu == self._menu

    def _insert(self, scope: Scope, changes: Sequence[Change]) -> None:
        if not changes:
            return
        number = scope.session.scalar(select(func.max(ITA_RECORDS.c.number)).where(*self._mine(scope))) or 0
        place = {"workspace_id": scope.workspace.id, "menu": self._menu}
        rows = [
            {"id": change.id, "number": at, **place, **_written(scope, change)}
            for at, change in enumerate(changes, number + 1)
        ]
        _INSERT_RECORDS.all(scope.session, rows)

    def _update(self, scope: Scope, changes: Sequence[Change]) -> None:
        if changes:
            rows = [
                {"key": change.id, **{f"new_{name}": value for name, value in _written(scope, change).items()}}
                for change in changes
            ]
            scope.session.connection().execute(_UPDATE, rows)

    def _remove_uniques(self, scope: Scope, ids: Iterable[UUID]) -> None:
        for some in portions(ids):
            scope.session.connection().execute(delete(ITA_UNIQUES).where(ITA_UNIQUES.c.record_id.in_(some)))

    def _add_uniques(self, scope: Scope, changes: Iterable[Change]) -> None:
        place = {"workspace_id": scope.workspace.id, "menu": self._menu}
        rows = [
            {**place, "column": column, "digest": digest(text), "record_id": change.id}
            for change in changes
            if not change.is_discarded
            for column, text in change.unique.items()
            if column not in self.told
        ]
        _INSERT_UNIQUES.all(scope.session, rows)


def digest(text: str) -> bytes:
    """Return that by which ``ItaUnique`` knows the value *text*."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _to_record(row: Any) -> Record:
    return Record(row.id, row.values, row.is_discarded, row.updated_at, row.updated_by)


def _written(scope: Scope, change: Change) -> dict[str, Any]:
    """Return the columns that a change sets."""
    values = change.after
    return {
        "values": values,
        "is_discarded": change.is_discarded,
        "operation_id": choice_id(values.get(OPERATION)),
        "agent_id": choice_id(values.get(HOST)),
        "updated_at": scope.now,
        "updated_by": scope.caller.name[:255],
    }


def choice_id(value: Any) -> UUID | None:
    """Return the id of a choice; None if it is none: other menus may call columns the same."""
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None
