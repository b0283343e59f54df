"""Role menus: the records of ``role_menu_link_list``, which say what roles may do with menus, in a workspace each."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import delete, select

from dispatcher.core.permissions import Node, Right
from dispatcher.datastore import revisions
from dispatcher.datastore.exastro_ita import ItaRoleMenu
from dispatcher.services import audit
from dispatcher.services.audit import Subject
from dispatcher.services.exastro_ita.records import Action, Change, Found, Record, Scope
from dispatcher.services.portions import portions

#: The columns of the menu by those of the table.
ROLE, MENU, PRIVILEGE, REMARKS = "role_name", "menu_name", "associate", "remarks"
#: What ``uniqueness`` calls the two of which no two records have the same.
TOGETHER = f"{ROLE},{MENU}"


class RoleMenus:
    """The rights of roles in menus. To read them needs Read on Security, to change them Modify, as roles do."""

    def read(self, scope: Scope, ids: Collection[UUID] | None = None) -> Iterator[Record]:
        """Give the records by menu, those with *ids* only if given.

        :raises Forbidden: without the right.
        """
        scope.caller.require(Right.READ, Node.SECURITY)
        query = select(ItaRoleMenu).where(ItaRoleMenu.workspace_id == scope.workspace.id)
        query = query.order_by(ItaRoleMenu.menu, ItaRoleMenu.id)
        for some in [None] if ids is None else portions(dict.fromkeys(ids)):
            narrowed = query if some is None else query.where(ItaRoleMenu.id.in_(some))
            yield from map(_to_record, scope.session.scalars(narrowed))

    def lock(self, scope: Scope, ids: Collection[UUID]) -> Mapping[UUID, Record]:
        """Return those of the records that are there, locked until the transaction ends."""
        return {row.id: _to_record(row) for row in _locked(scope, ids)}

    def taken(self, scope: Scope, column: str, values: Collection[str]) -> Mapping[str, UUID]:
        """Return which live record has each of *values* of a role and a menu together; alone, neither is unique."""
        if column != TOGETHER:
            return {}
        query = select(ItaRoleMenu.role_id, ItaRoleMenu.menu, ItaRoleMenu.id)
        mine = query.where(ItaRoleMenu.workspace_id == scope.workspace.id, ItaRoleMenu.is_discarded.is_(False))
        rows = scope.session.execute(mine).tuples()
        found = {orjson.dumps([str(role_id), menu]).decode(): key for role_id, menu, key in rows}
        return {text: found[text] for text in values if text in found}

    def write(self, scope: Scope, changes: Sequence[Change]) -> Found:
        """Carry out *changes* in order. They hold from the next request on.

        :raises Forbidden: without the right.
        """
        scope.caller.require(Right.MODIFY, Node.SECURITY)
        if changes:
            revisions.bump(scope.session, revisions.SECURITY)
        rows = {row.id: row for row in _locked(scope, {change.id for change in changes if change.before is not None})}
        gone: list[UUID] = []
        for change in changes:
            if change.action is Action.DELETE:
                gone.append(change.id)
                continue
            row = rows.get(change.id)
            if row is None:
                row = rows[change.id] = ItaRoleMenu(id=change.id, workspace_id=scope.workspace.id)
            for name, value in _columns(scope, change).items():
                setattr(row, name, value)
        scope.session.add_all(row for key, row in rows.items() if key not in gone)
        scope.session.flush()
        for some in portions(gone):
            scope.session.execute(delete(ItaRoleMenu).where(ItaRoleMenu.id.in_(some)))
        audit.record_all(scope.session, scope.now, scope.caller, [_told(scope, change) for change in changes])
        return {}


def _locked(scope: Scope, ids: Collection[UUID]) -> Iterator[ItaRoleMenu]:
    query = select(ItaRoleMenu).where(ItaRoleMenu.workspace_id == scope.workspace.id)
    for some in portions(sorted(ids)):
        locking = query.where(ItaRoleMenu.id.in_(some)).order_by(ItaRoleMenu.id).with_for_update()
        yield from scope.session.scalars(locking.execution_options(populate_existing=True))


def _columns(scope: Scope, change: Change) -> dict[str, Any]:
    after = change.after
    return {
        "role_id": UUID(after[ROLE]),
        "menu": after[MENU],
        "privilege": int(after[PRIVILEGE]),
        "remarks": after.get(REMARKS),
        "is_discarded": change.is_discarded,
        "updated_at": scope.now,
        "updated_by": scope.caller.name,
    }


def _told(scope: Scope, change: Change) -> audit.Change:
    place = {"workspace": f"{scope.workspace.organization}/{scope.workspace.name}"}
    before, subject = change.before, Subject("role_menu", change.after[MENU], change.id)
    old = None if before is None else {**place, **before.values, "discarded": before.is_discarded}
    is_gone = change.action is Action.DELETE
    new = None if is_gone else {**place, **change.after, "discarded": change.is_discarded}
    return audit.Change("role_menu.changed", subject, old=old, new=new)


def _to_record(row: ItaRoleMenu) -> Record:
    values = {ROLE: str(row.role_id), MENU: row.menu, PRIVILEGE: str(row.privilege), REMARKS: row.remarks}
    return Record(row.id, values, row.is_discarded, row.updated_at, row.updated_by)
