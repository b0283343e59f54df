"""Rights: those of the core and the privileges of roles, and in which order what is wrong with a menu is told."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from exastro_world import NOW, a_menu, a_scope, a_workspace
from sqlalchemy import select

from dispatcher.core.permissions import ANONYMOUS, SYSTEM, Caller, Node, Right, RoleRights, everything
from dispatcher.core.ports import Ports
from dispatcher.datastore.exastro_ita import ItaRoleMenu
from dispatcher.datastore.logins import Role
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.exastro_ita.catalogue import Catalogue
from dispatcher.services.exastro_ita.messages import ItaError
from dispatcher.services.exastro_ita.rights import CONDUCTOR_EDIT, Privilege, Rights, privileges
from dispatcher.services.exastro_ita.rows import Rows
from dispatcher.services.exastro_ita.workspaces import Workspace, Workspaces
from dispatcher.services.roles import Roles, RoleShutsWorkspace

MENUS = [
    a_menu("sheet_a", sheet_type="1"),
    a_menu("device_list"),
    a_menu("role_menu_link_list"),
    a_menu("menu_list"),
    a_menu("history", actions=frozenset()),
    a_menu("conductor_class_edit", sheet_type="14"),
    a_menu("no_table", has_table=False),
]


@pytest.fixture
def workspace(datastore: Datastore) -> Workspace:
    return a_workspace(datastore)


@pytest.fixture
def rights(datastore: Datastore, ports: Ports) -> Rights:
    catalogue = Catalogue(Rows)
    catalogue.add(MENUS)
    return Rights(datastore, ports, catalogue)


def a_caller(role: str = "Full Access", **granted: Right) -> Caller:
    grants: Any = {(Node[name], None): right for name, right in granted.items()}
    return Caller.of("ann", [RoleRights(role, grants)])


FULL = Caller.of("root", [RoleRights("Full Access", {(node, None): Right.MODIFY for node in Node})])


def give(
    datastore: Datastore, workspace: Workspace, role: str, menu: str, privilege: int, *, is_discarded: bool = False
) -> None:
    with datastore.begin() as session:
        role_id = session.scalars(select(Role.id).where(Role.name == role)).one()
        stamp = {"updated_at": NOW, "updated_by": "test", "is_discarded": is_discarded}
        place = {"workspace_id": workspace.id, "role_id": role_id, "menu": menu}
        session.add(ItaRoleMenu(id=uuid4(), privilege=privilege, **place, **stamp))


def code(rights: Rights, workspace: Workspace, menu: str, caller: Caller = SYSTEM, *more: Any) -> str:
    with pytest.raises(ItaError) as caught:
        rights.check(workspace, menu, caller, *more)
    assert caught.value.values == (menu,)
    return caught.value.result


def test_what_is_wrong_with_the_menu_comes_before_the_right(rights: Rights, workspace: Workspace) -> None:
    nobody = Caller("nobody")
    assert code(rights, workspace, "none", nobody) == "499-00002"
    assert code(rights, workspace, "no_table", nobody) == "499-00003"
    assert code(rights, workspace, "conductor_class_edit", nobody) == "499-00001"
    assert code(rights, workspace, "sheet_a", nobody, Privilege.READ, CONDUCTOR_EDIT) == "499-00001"
    assert code(rights, workspace, "sheet_a", nobody) == "401-00001"
    assert rights.check(workspace, "conductor_class_edit", SYSTEM, Privilege.READ, None) is Privilege.DELETE


@pytest.mark.parametrize(("menu", "node"), [("sheet_a", "SCHEDULING"), ("device_list", "AGENTS")])
def test_without_privileges_the_core_decides(rights: Rights, workspace: Workspace, menu: str, node: str) -> None:
    reader, writer = a_caller(**{node: Right.READ}), a_caller(**{node: Right.MODIFY})
    assert rights.check(workspace, menu, reader) is Privilege.READ
    assert code(rights, workspace, menu, reader, Privilege.WRITE) == "401-00001"
    assert rights.check(workspace, menu, writer, Privilege.DELETE) is Privilege.DELETE
    assert code(rights, workspace, menu, a_caller(TEAMS=Right.MODIFY)) == "401-00001"


def test_whoever_is_in_may_read_which_menus_there_are(rights: Rights, workspace: Workspace) -> None:
    assert rights.check(workspace, "menu_list", a_caller()) is Privilege.READ
    assert code(rights, workspace, "menu_list", FULL, Privilege.WRITE) == "401-00001"


def test_where_nothing_can_be_done_with_records_everybody_may_only_read(
    rights: Rights, workspace: Workspace, datastore: Datastore
) -> None:
    for given in (None, 0):
        if given is not None:
            give(datastore, workspace, "Full Access", "history", given)
        assert rights.check(workspace, "history", FULL) is Privilege.READ
        assert code(rights, workspace, "history", FULL, Privilege.WRITE) == "401-00001"


@pytest.mark.parametrize("given", [0, 1, 2])
def test_the_lesser_of_both_holds(rights: Rights, workspace: Workspace, datastore: Datastore, given: int) -> None:
    give(datastore, workspace, "Full Access", "sheet_a", given)
    assert rights.check(workspace, "sheet_a", FULL) is Privilege(given)
    assert rights.check(workspace, "sheet_a", a_caller(SCHEDULING=Right.READ)) is Privilege.READ
    # Other menus, and other roles, have none any more; other workspaces do not know of it.
    assert code(rights, workspace, "device_list", FULL) == "401-00001"
    assert code(rights, workspace, "sheet_a", a_caller("other", SCHEDULING=Right.MODIFY)) == "401-00001"
    assert rights.check(a_workspace(datastore, "ws3", hosts=()), "device_list", FULL) is Privilege.DELETE


def test_the_furthest_of_several_roles_holds(rights: Rights, workspace: Workspace, datastore: Datastore) -> None:
    give(datastore, workspace, "Full Access", "sheet_a", 2)
    give(datastore, workspace, "Read Only", "sheet_a", 1)
    both = Caller.of("ann", [*FULL.roles, RoleRights("Read Only", {})])
    assert rights.check(workspace, "sheet_a", both) is Privilege.WRITE


def test_what_is_discarded_gives_nothing(rights: Rights, workspace: Workspace, datastore: Datastore) -> None:
    give(datastore, workspace, "Full Access", "sheet_a", 2, is_discarded=True)
    assert rights.check(workspace, "sheet_a", FULL) is Privilege.DELETE


def test_no_role_goes_that_keeps_a_workspace_shut(
    rights: Rights, workspace: Workspace, datastore: Datastore, ports: Ports
) -> None:
    roles, other = Roles(datastore, ports), a_workspace(datastore, "ws3", hosts=())
    for name in ("One", "Two"):
        roles.add(name, SYSTEM)
        give(datastore, workspace, name, "sheet_a", 2)
    give(datastore, other, "One", "sheet_a", 2, is_discarded=True)
    give(datastore, workspace, "Read Only", "sheet_a", 2, is_discarded=True)
    roles.remove("One", SYSTEM)
    with pytest.raises(RoleShutsWorkspace, match="org9/ws2"):
        roles.remove("Two", SYSTEM)
    assert code(rights, workspace, "sheet_a", FULL) == "401-00001"
    give(datastore, workspace, "Full Access", "sheet_a", 2)
    roles.remove("Two", SYSTEM)
    assert rights.check(workspace, "sheet_a", FULL) is Privilege.READ


def test_who_governs_cannot_keep_himself_out(rights: Rights, workspace: Workspace, datastore: Datastore) -> None:
    give(datastore, workspace, "Read Only", "sheet_a", 2)
    assert code(rights, workspace, "sheet_a", FULL) == "401-00001"
    assert rights.check(workspace, "role_menu_link_list", FULL, Privilege.DELETE) is Privilege.DELETE
    for everybody in (SYSTEM, ANONYMOUS):
        assert rights.check(workspace, "sheet_a", everybody) is Privilege.DELETE


def test_many_menus_are_judged_as_each_one_is(rights: Rights, workspace: Workspace, datastore: Datastore) -> None:
    names = [menu.name for menu in MENUS]
    callers = [FULL, SYSTEM, a_caller(SCHEDULING=Right.READ), a_caller("other", AGENTS=Right.MODIFY), Caller("nobody")]
    for given in (None, "sheet_a", "device_list"):
        if given:
            give(datastore, workspace, "Full Access", given, 1)
        for caller in callers:
            one_by_one = {}
            for name in set(names) - {"no_table"}:
                try:
                    one_by_one[name] = rights.check(workspace, name, caller, Privilege.READ, None)
                except ItaError as error:
                    assert error.result == "401-00001"  # noqa: PT017 - each menu may be refused
            with datastore.read() as session:
                found = privileges(a_scope(session, workspace, caller), MENUS)
            found.pop("no_table", None)
            assert found == one_by_one, (given, caller.name)
            assert {menu.name for menu in rights.readable(workspace, caller)} - {"no_table"} == one_by_one.keys()


def test_whoever_may_read_the_team_may_enter(datastore: Datastore, workspace: Workspace) -> None:
    workspaces = Workspaces(datastore)
    assert workspaces.enter("org9", "ws2", a_caller(TEAMS=Right.READ)) == workspace
    team = RoleRights("team", {(Node.TEAMS, workspace.team_id): Right.READ})
    assert workspaces.enter("org9", "ws2", Caller.of("ann", [team])) == workspace
    other = Caller.of("ann", [RoleRights("team", {(Node.TEAMS, uuid4()): Right.READ})])
    refused = [("org9", "ws2", other), ("org9", "ws2", Caller("x", everything(Right.DENY)))]
    for organization, name, caller in [*refused, ("org9", "WS2", SYSTEM), ("org8", "ws2", SYSTEM)]:
        with pytest.raises(ItaError, match="403-00001"):
            workspaces.enter(organization, name, caller)
    assert (workspaces.is_organization("org9"), workspaces.is_organization("org8")) == (True, False)
    other_one = a_workspace(datastore, "ws3", organization="org8", hosts=())
    assert workspaces.enter("org8", "ws3", SYSTEM) == other_one
    assert other_one.folder == "Exastro/org8/ws3"
