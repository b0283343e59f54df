"""How roles are kept on every database: made, given, granted, explained, and never all lost."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from role_world import KEYS, LIBRARY
from statements import statements

from dispatcher.core.errors import (
    Forbidden,
    InvalidValue,
    LoginNotFound,
    NotAuthenticated,
)
from dispatcher.core.permissions import SYSTEM, Caller, Node, Right
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.hall import Hall
from dispatcher.services.logins import LoginExists, Logins, RoleNotFound
from dispatcher.services.roles import LastKeeper, RoleBuiltIn, RoleExists, Roles

DENY, READ, MODIFY = Right.DENY, Right.READ, Right.MODIFY


@pytest.fixture(autouse=True)
def library(load_library: Callable[[str], None]) -> None:
    load_library(LIBRARY)


def test_roles_are_kept(roles: Roles, logins: Logins) -> None:
    roles.add(" Helpdesk ", SYSTEM)
    roles.grant("Helpdesk", READ, "Library/Modules", SYSTEM)
    roles.grant("Helpdesk", MODIFY, "Library/Modules/", SYSTEM)
    roles.grant("Helpdesk", DENY, "Library/Modules/Demo/", SYSTEM)
    roles.grant("helpdesk", READ, f"Topology/Agents/{KEYS['two']}", SYSTEM)
    roles.grant("helpdesk", READ, "Topology/Agents/00000000-0000-4000-8000-0000000000e1", SYSTEM)
    roles.grant("helpdesk", READ, "Setup/Settings", SYSTEM)
    roles.grant("helpdesk", None, "Setup/Settings", SYSTEM)
    roles.give("Helpdesk", "bob", SYSTEM)
    roles.give("Helpdesk", "bob", SYSTEM)
    assert [(one.name, one.built_in, one.logins) for one in roles.list(SYSTEM)] == [
        ("Full Access", True, ("admin",)),
        ("Helpdesk", False, ("bob",)),
        ("Read Only", True, ()),
    ]
    assert [(one.right, one.object) for one in roles.show("HELPDESK", SYSTEM)] == [
        (MODIFY, "Library/Modules"),
        (DENY, "Library/Modules/Demo/"),
        (READ, "Topology/Agents/00000000-0000-4000-8000-0000000000e1"),
        (READ, "Topology/Agents/PC-2"),
    ]
    roles.remove("Helpdesk", SYSTEM)
    assert [one.name for one in roles.list(SYSTEM)] == ["Full Access", "Read Only"]


def test_what_cannot_be_is_refused(roles: Roles, logins: Logins) -> None:
    roles.add("Helpdesk", SYSTEM)
    with pytest.raises(RoleExists):
        roles.add("HELPDESK", SYSTEM)
    for name in ("", "a\nb", "x" * 256):
        with pytest.raises(InvalidValue):
            roles.add(name, SYSTEM)
    for change in (
        lambda: roles.remove("Full Access", SYSTEM),
        lambda: roles.grant("Read Only", READ, "Setup/Settings", SYSTEM),
    ):
        with pytest.raises(RoleBuiltIn):
            change()
    for text in (
        "",
        "Library",
        "Library/Modulesque",
        "Library/Modules/Nothing",
        "Library/Modules/Nothing/",
        "Library/Modules//",
        "Jobs/Scheduling/x",
        "Topology/Agents/Twin",
        "Topology/Agents/Folder/",
        str(UUID(int=99)),
    ):
        with pytest.raises(InvalidValue):
            roles.grant("Helpdesk", READ, text, SYSTEM)
    assert roles.show("Helpdesk", SYSTEM) == []
    for wrong in (
        lambda: roles.grant("Nothing", READ, "Setup/Settings", SYSTEM),
        lambda: roles.give("Nothing", "bob", SYSTEM),
        lambda: roles.show("Nothing", SYSTEM),
        lambda: roles.remove("Nothing", SYSTEM),
    ):
        with pytest.raises(RoleNotFound):
            wrong()
    with pytest.raises(LoginNotFound):
        roles.take("Helpdesk", "nobody", SYSTEM)


def test_the_last_login_that_may_change_roles_keeps_that(roles: Roles, logins: Logins) -> None:
    roles.add("Keeper", SYSTEM)
    roles.grant("Keeper", MODIFY, "Administration/Security", SYSTEM)
    roles.give("Keeper", "bob", SYSTEM)
    roles.take("Full Access", "admin", SYSTEM)
    for change in (
        lambda: roles.take("Keeper", "bob", SYSTEM),
        lambda: roles.remove("Keeper", SYSTEM),
        lambda: roles.grant("Keeper", READ, "Administration/Security", SYSTEM),
        lambda: roles.grant("Keeper", None, "Administration/Security", SYSTEM),
    ):
        with pytest.raises(LastKeeper):
            change()
    assert [(one.right, one.object) for one in roles.show("Keeper", SYSTEM)] == [(MODIFY, "Administration/Security")]
    assert [one.logins for one in roles.list(SYSTEM) if one.name == "Keeper"] == [("bob",)]
    logins.disable("bob", SYSTEM)  # by who knows: the command line can always give it back
    roles.take("Keeper", "bob", SYSTEM)


@pytest.mark.parametrize("other", ["\u00e1dmin", "admin\u200b", "\uff41dmin"])
def test_a_login_that_looks_alike_is_another_one(hall: Hall, roles: Roles, logins: Logins, other: str) -> None:
    header = "Basic " + base64.b64encode(f"{other}:pw".encode()).decode()
    with pytest.raises(NotAuthenticated):
        hall.security.authenticate(header, "127.0.0.1")
    for change in (
        lambda: logins.disable(other, SYSTEM),
        lambda: roles.give("Read Only", other, SYSTEM),
        lambda: roles.explain(other, READ, "Setup/Settings", SYSTEM),
    ):
        with pytest.raises(LoginNotFound):
            change()


@pytest.mark.parametrize("name", ["admin\0", "\0", "x" * 16_000])
def test_names_that_no_login_can_have_are_refused_like_others(hall: Hall, logins: Logins, name: str) -> None:
    with pytest.raises(NotAuthenticated):
        hall.security.authenticate("Basic " + base64.b64encode(f"{name}:pw".encode()).decode(), "127.0.0.1")


def test_logins_that_look_alike_are_two_or_one_of_them_is_refused(hall: Hall, logins: Logins) -> None:
    try:
        logins.add("\u00e1dmin", "other", SYSTEM)
    except LoginExists:  # MariaDB
        assert [one.name for one in logins.list(SYSTEM)] == ["admin", "bob"]
    else:
        for name, password in (("admin", "pw"), ("\u00e1dmin", "other")):
            header = "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()
            assert hall.security.authenticate(header, "127.0.0.1").name == name


def test_roles_are_told_in_no_more_statements_for_more_grants_and_logins(
    roles: Roles, logins: Logins, datastore: Datastore, load_library: Callable[[str], None]
) -> None:
    def sent() -> int:
        with statements(datastore) as seen:
            roles.list(SYSTEM)
            roles.show("Helpdesk", SYSTEM)
        return len(seen)

    roles.add("Helpdesk", SYSTEM)
    for text in ("Library/Modules", "Library/Modules/Demo/Files/", "Library/Modules/Restart", "Topology/Agents/PC-1"):
        roles.grant("Helpdesk", READ, text, SYSTEM)
    before = sent()
    load_library("modules: [" + ", ".join(f"{{name: M{n}, folder: F{n}}}" for n in range(5)) + "]")
    for n in range(5):
        roles.grant("Helpdesk", READ, f"Library/Modules/F{n}/", SYSTEM)
        roles.grant("Helpdesk", READ, f"Library/Modules/M{n}", SYSTEM)
        roles.add(f"Role {n}", SYSTEM)
        roles.give(f"Role {n}", "bob", SYSTEM)
    assert len(roles.show("Helpdesk", SYSTEM)) == 14
    assert sent() == before


def test_explanation_names_the_grant_that_decides(hall: Hall, roles: Roles, bob: Any, logins: Logins) -> None:
    bob({"Library/Modules/Demo/": READ, "Library/Modules": MODIFY, "Topology/Teams/Ring 1": MODIFY})
    roles.give("Read Only", "bob", SYSTEM)

    def said(right: Right, text: str) -> tuple[bool, str, list[tuple[str, Right, str | None]]]:
        found = roles.explain("bob", right, text, SYSTEM)
        return found.allowed, found.object, [(one.role, one.right, one.by) for one in found.verdicts]

    assert said(MODIFY, "Library/Modules/list files") == (
        False,
        "Library/Modules/Demo/Files/List files",
        [("Helpdesk", READ, "Library/Modules/Demo/"), ("Read Only", READ, "Library/Modules")],
    )
    assert said(MODIFY, "Library/Modules")[0]
    assert said(READ, "Library/Modules/Demo/Files/")[2][0] == ("Helpdesk", READ, "Library/Modules/Demo/")
    assert said(READ, "Topology/Agents/PC-1")[2] == [("Helpdesk", DENY, None), ("Read Only", READ, "Topology/Agents")]
    hall.settings.set("agents.inherit_permissions", "YES", SYSTEM)
    assert said(MODIFY, "Topology/Agents/PC-1")[::2] == (
        True,
        [("Helpdesk", MODIFY, "Topology/Teams/Rings/First/Ring 1"), ("Read Only", READ, "Topology/Teams")],
    )
    logins.disable("bob", SYSTEM)
    assert said(MODIFY, "Library/Modules")[0] is False


def test_rights_on_security_are_needed(roles: Roles, logins: Logins) -> None:
    reader, nobody = Caller("reader", {Node.SECURITY: READ}), Caller("nobody")
    for change in (
        lambda: roles.add("x", reader),
        lambda: roles.remove("Read Only", reader),
        lambda: roles.grant("Read Only", READ, "Setup/Settings", reader),
        lambda: roles.give("Read Only", "bob", reader),
        lambda: roles.take("Read Only", "bob", reader),
        lambda: roles.list(nobody),
        lambda: roles.show("Read Only", nobody),
        lambda: roles.explain("bob", READ, "Setup/Settings", nobody),
    ):
        with pytest.raises(Forbidden, match="Administration/Security"):
            change()
