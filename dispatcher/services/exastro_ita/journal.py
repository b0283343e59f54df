"""Journal: what records were after each change through this dialect.

How long entries stay is the setting ``exastro_ita.journal_days``; those of a record go with it, as the vendor's do
(``common_libs/common/dbconnect/dbconnect_common.py`` ``table_delete``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select

from dispatcher.datastore.exastro_ita import ITA_FILES, ITA_JOURNAL
from dispatcher.datastore.inserting import Inserting
from dispatcher.services.exastro_ita import files
from dispatcher.services.exastro_ita.columns import Kind
from dispatcher.services.exastro_ita.menus import Menu
from dispatcher.services.exastro_ita.records import Action, Change, Record, Scope
from dispatcher.services.portions import portions

_INSERT = Inserting(ITA_JOURNAL)


@dataclass(frozen=True, slots=True)
class Entry:
    """What a record was after a change: ``record`` has the moment and the login of that change."""

    id: UUID
    action: Action
    record: Record


def write(scope: Scope, menu: Menu, changes: Sequence[Change], new_id: Callable[[], UUID]) -> None:
    """Note *changes* in order, as far as may be told; their files are kept with them."""
    with_files = [column.name for column in menu.columns if column.kind is Kind.FILE]
    place = {"workspace_id": scope.workspace.id, "menu": menu.name, "at": scope.now, "by": scope.caller.name[:255]}
    rows: list[dict[str, Any]] = []
    kept: list[files.Kept] = []
    for change in changes:
        if change.action is Action.DELETE:
            continue
        key, values = new_id(), told(menu, change)
        kept += files.named_in(key, values, with_files)
        what = {"action": change.action, "values": values, "is_discarded": change.is_discarded}
        rows.append({"id": key, "record_id": change.id, **what, **place})
    _INSERT.all(scope.session, rows)
    files.keep_all(scope.session, kept)
    _forget(scope, menu.name, [change.id for change in changes if change.action is Action.DELETE])


def told(menu: Menu, change: Change) -> dict[str, Any]:
    """Return what may be told of the record after *change*: no passwords, and nothing that is no column any more.

    A column that is gone may have been one of passwords.
    """
    shown = {column.name for column in menu.columns if column.kind is not Kind.PASSWORD}
    return {name: value for name, value in change.after.items() if name in shown}


def entries(scope: Scope, menu: Menu, record_id: UUID) -> list[Entry]:
    """Return the entries of a record of the menu, newest first."""
    mine = (ITA_JOURNAL.c.workspace_id == scope.workspace.id, ITA_JOURNAL.c.menu == menu.name)
    query = select(ITA_JOURNAL).where(*mine, ITA_JOURNAL.c.record_id == record_id)
    # Ids grow with time: of several changes in one transaction the last one comes first.
    rows = scope.session.execute(query.order_by(ITA_JOURNAL.c.at.desc(), ITA_JOURNAL.c.id.desc()))
    return [Entry(row.id, Action(row.action), _record(row)) for row in rows]


def _record(row: Any) -> Record:
    return Record(row.record_id, row.values, row.is_discarded, row.at, row.by)


def _forget(scope: Scope, menu: str, record_ids: Collection[UUID]) -> None:
    """Remove the entries of records that are gone."""
    for some in portions(record_ids):
        # Other workspaces may know the same agent, module or run book.
        mine = (ITA_JOURNAL.c.workspace_id == scope.workspace.id) & (ITA_JOURNAL.c.menu == menu)
        theirs = mine & ITA_JOURNAL.c.record_id.in_(some)
        owners = select(ITA_JOURNAL.c.id).where(theirs)
        scope.session.connection().execute(delete(ITA_FILES).where(ITA_FILES.c.record_id.in_(owners)))
        scope.session.connection().execute(delete(ITA_JOURNAL).where(theirs))
