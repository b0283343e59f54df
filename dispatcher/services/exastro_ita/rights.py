"""Rights: what a caller may do with the records of a menu in a workspace.

Two things are asked for: a right of the core on what the records are, and a privilege of one of the caller's roles in
the workspace, as soon as there are any privileges in it (menu ``role_menu_link_list``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import IntEnum
from typing import Protocol

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from dispatcher.core.permissions import Caller, Node, Right
from dispatcher.core.ports import Ports
from dispatcher.datastore.exastro_ita import ItaRoleMenu
from dispatcher.datastore.logins import Role
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.exastro_ita.menus import ORDINARY, SHEETS, Menu
from dispatcher.services.exastro_ita.messages import ItaError
from dispatcher.services.exastro_ita.records import Scope
from dispatcher.services.exastro_ita.workspaces import Workspace

#: The sheet types of the menus whose records clients read and change.
RECORDS = (ORDINARY, *SHEETS)
#: Those of the menus that conductors are edited and run by, and of the one that shows their runs.
CONDUCTOR_EDIT, CONDUCTOR_CONFIRMATION = ("14", "15"), ("16",)
#: The menu that the privileges themselves are given by.
ROLE_MENUS = "role_menu_link_list"
#: The node of the core that decides about a menu; of those that are not here it is where jobs are scheduled.
NODES: Mapping[str, Node] = {
    "device_list": Node.AGENTS,
    "playbook_files": Node.MODULES,
    "conductor_class_list": Node.RUNBOOKS,
    "hostgroup_management": Node.TEAMS,
    "hostgroup_parent_child_link_list": Node.TEAMS,
    "host_link_list": Node.TEAMS,
    ROLE_MENUS: Node.SECURITY,
}


class Privilege(IntEnum):
    """How far a role may go in a menu; the lower, the further. The numbers are the vendor's."""

    DELETE = 0
    WRITE = 1
    READ = 2


class Menus(Protocol):
    """What the rights need of the catalogue."""

    def menu(self, session: Session, name: str) -> Menu | None:
        """Return the menu with this REST name; None if there is none."""

    def menus(self, session: Session) -> Sequence[Menu]:
        """Return all menus."""


class Rights:
    """Finds the menu that a request is about, and judges whether the caller may do that: before its body is read."""

    def __init__(self, datastore: Datastore, ports: Ports, menus: Menus) -> None:
        self._datastore = datastore
        self._ports = ports
        self._menus = menus

    def check(
        self,
        workspace: Workspace,
        name: str,
        caller: Caller,
        needed: Privilege = Privilege.READ,
        sheet_types: Collection[str] | None = RECORDS,
    ) -> Privilege:
        """Check that there is the menu *name*, of one of *sheet_types* (None: any), and what the caller may do with it.

        Return the privilege that the caller has.

        :raises ItaError: 499-00002, 499-00003, 499-00001 or 401-00001.
        """
        with self._datastore.read() as session:
            menu = find_menu(session, self._menus, name, sheet_types)
            scope = Scope(session, workspace, caller, self._ports.now())
            return _require(scope, menu, needed)

    def readable(self, workspace: Workspace, caller: Caller) -> list[Menu]:
        """Return the menus that the caller may read, in the order of the catalogue."""
        with self._datastore.read() as session:
            menus = self._menus.menus(session)
            scope = Scope(session, workspace, caller, self._ports.now())
            allowed = privileges(scope, menus)
        return [menu for menu in menus if menu.name in allowed]

    def key_of(self, name: str) -> str:
        """Return what the column with the ids of the menu *name* is called.

        :raises ItaError: 499-00002 if there is no such menu.
        """
        with self._datastore.read() as session:
            menu = self._menus.menu(session, name)
        if menu is None:
            raise ItaError("499-00002", name)
        return menu.key.name


def find_menu(session: Session, menus: Menus, name: str, sheet_types: Collection[str] | None = RECORDS) -> Menu:
    """Return the menu *name*.

    :raises ItaError: 499-00002 if there is none, 499-00003 if it has no table, 499-00001 if it is of another type.
    """
    menu = menus.menu(session, name)
    if menu is None:
        raise ItaError("499-00002", name)
    if not menu.has_table:
        raise ItaError("499-00003", name)
    if sheet_types is not None and menu.sheet_type not in sheet_types:
        raise ItaError("499-00001", name)
    return menu


def require_read(scope: Scope, menu: Menu) -> Privilege:
    """Return the privilege that the caller has in *menu*, which is one to read at least.

    :raises ItaError: 401-00001 if it has none.
    """
    return _require(scope, menu, Privilege.READ)


def require_write(scope: Scope, menu: Menu) -> Privilege:
    """Return the privilege that the caller has in *menu*, which is one to write at least.

    :raises ItaError: 401-00001 if it has none, or only one to read.
    """
    return _require(scope, menu, Privilege.WRITE)


def require_delete(scope: Scope, menu: Menu) -> None:
    """Check that the caller may delete records of *menu* for good.

    :raises ItaError: 401-00001 if not.
    """
    _require(scope, menu, Privilege.DELETE)


def privileges(scope: Scope, menus: Iterable[Menu]) -> dict[str, Privilege]:
    """Return the privilege that the caller has in each of *menus* in which it has any, by their names; one query."""
    by_core = {menu.name: found for menu in menus if (found := _of_core(scope.caller, menu)) is not None}
    rows = _rows(scope, None)
    if not rows:
        return by_core
    mine = {role.name for role in scope.caller.roles}
    best: dict[str, Privilege] = {}
    for menu, role, privilege in rows:
        if role in mine:
            best[menu] = min(Privilege(privilege), best.get(menu, Privilege.READ))
    lesser = {
        name: core if _is_governor(scope.caller, name) else _lesser(core, best.get(name))
        for name, core in by_core.items()
    }
    return {name: privilege for name, privilege in lesser.items() if privilege is not None}


def _require(scope: Scope, menu: Menu, needed: Privilege) -> Privilege:
    found = _of_core(scope.caller, menu)
    if found is not None and not _is_governor(scope.caller, menu.name):
        found = _lesser(found, _of_roles(scope, menu.name))
    if found is None or found > needed:
        raise ItaError("401-00001", menu.name)
    return found


def _lesser(one: Privilege, other: Privilege | None) -> Privilege | None:
    return None if other is None else max(one, other)


def _of_core(caller: Caller, menu: Menu) -> Privilege | None:
    """Return how far the rights of the core let *caller* go, as far as that can be said of a whole menu.

    Whatever they are, nobody may do more than read where nothing can be done with the records.
    """
    node = NODES.get(menu.name, Node.SCHEDULING)
    if menu.name == "menu_list":
        return Privilege.READ  # whoever may enter the workspace
    if menu.actions and caller.may_some(Right.MODIFY, node):
        return Privilege.DELETE
    return Privilege.READ if caller.may_some(Right.READ, node) else None


def _is_governor(caller: Caller, menu: str) -> bool:
    """Whether privileges are nothing to *caller*: it has no roles but all rights, or is to give privileges to others.

    Without that the first privilege in a workspace would keep everybody else out of it, who gave it as well.
    """
    if caller.roles and menu != ROLE_MENUS:
        return False
    return caller.may(Right.MODIFY, Node.SECURITY)


def _of_roles(scope: Scope, menu: str) -> Privilege | None:
    """Return the privilege that the caller's roles have in the menu; the highest if the workspace has none at all."""
    mine = {role.name for role in scope.caller.roles}
    rows = _rows(scope, menu)
    found = [Privilege(privilege) for _, role, privilege in rows if role in mine]
    if found:
        return min(found)
    return None if rows or _rows(scope, None, limit=1) else Privilege.DELETE


def _rows(scope: Scope, menu: str | None, limit: int | None = None) -> list[tuple[str, str, int]]:
    """Return what privileges there are in the workspace: menu, name of the role, privilege."""
    where: list[ColumnElement[bool]] = [
        ItaRoleMenu.workspace_id == scope.workspace.id,
        ItaRoleMenu.is_discarded.is_(False),
    ]
    if menu is not None:
        where.append(ItaRoleMenu.menu == menu)
    query = select(ItaRoleMenu.menu, Role.name, ItaRoleMenu.privilege).join(Role, Role.id == ItaRoleMenu.role_id)
    return list(scope.session.execute(query.where(*where).limit(limit)).tuples())
