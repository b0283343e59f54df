"""Roles: every change is noticed by caches, somebody keeps the right to change them, and it is said who may what.

What they grant is told in ``tests/databases/test_roles``.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from cheap_passwords import cheap_passwords
from statements import statements

from dispatcher.core.permissions import SYSTEM, Right
from dispatcher.core.ports import Ports
from dispatcher.datastore import revisions
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.logins import Logins
from dispatcher.services.roles import LastKeeper, Roles

SECURITY = "Administration/Security"


@pytest.fixture
def logins(datastore: Datastore, ports: Ports) -> Logins:
    logins = Logins(datastore, ports, cheap_passwords())
    logins.add("admin", "pw", SYSTEM)
    return logins


def test_every_change_is_noticed_by_caches(datastore: Datastore, roles: Roles, logins: Logins) -> None:
    def revision() -> int:
        with datastore.read() as session:
            return revisions.current(session)[revisions.SECURITY]

    seen = [revision()]
    for change in (
        lambda: roles.add("Helpdesk", SYSTEM),
        lambda: roles.grant("Helpdesk", Right.READ, "Setup/Settings", SYSTEM),
        lambda: roles.give("Helpdesk", "admin", SYSTEM),
        lambda: roles.take("Helpdesk", "admin", SYSTEM),
        lambda: roles.remove("Helpdesk", SYSTEM),
    ):
        change()
        seen.append(revision())
    assert len(set(seen)) == 6


def test_without_anybody_who_could_change_roles_nothing_is_refused(roles: Roles) -> None:
    roles.add("Helpdesk", SYSTEM)
    roles.grant("Helpdesk", Right.MODIFY, SECURITY, SYSTEM)
    roles.remove("Helpdesk", SYSTEM)
    assert [one.name for one in roles.list(SYSTEM)] == ["Full Access", "Read Only"]


@pytest.mark.parametrize(
    ("bar", "why"),
    [
        (lambda logins: logins.add("bob", None, SYSTEM), "has no password"),
        (lambda logins: logins.add("bob", "pw", SYSTEM, kind="windows"), "is of the kind windows"),
        (lambda logins: (logins.add("bob", "pw", SYSTEM), logins.disable("bob", SYSTEM)), "is disabled"),
    ],
)
def test_a_login_that_is_never_let_in_keeps_nothing(
    roles: Roles, logins: Logins, bar: Callable[[Logins], object], why: str
) -> None:
    bar(logins)
    roles.give("Full Access", "bob", SYSTEM)
    with pytest.raises(LastKeeper):
        roles.take("Full Access", "admin", SYSTEM)
    said = roles.explain("bob", Right.READ, SECURITY, SYSTEM)
    assert (said.allowed, said.barred, said.verdicts[0].right) == (False, why, Right.MODIFY)
    said = roles.explain("admin", Right.READ, SECURITY, SYSTEM)
    assert (said.allowed, said.barred) == (True, "")


def test_the_last_keeper_can_be_disabled(roles: Roles, logins: Logins) -> None:
    logins.disable("admin", SYSTEM)
    logins.enable("admin", SYSTEM)
    with pytest.raises(LastKeeper):
        roles.take("Full Access", "admin", SYSTEM)


def test_folders_are_read_once_however_many_roles_are_explained(
    roles: Roles, logins: Logins, datastore: Datastore, load_library: Callable[[str], None]
) -> None:
    load_library("modules: [{name: List, folder: Demo/Files}]")
    logins.add("bob", "pw", SYSTEM)
    for number, folder in enumerate(("Demo", "Demo/Files", "Demo", "Demo/Files")):
        roles.add(f"Role {number}", SYSTEM)
        roles.grant(f"Role {number}", Right.READ, f"Library/Modules/{folder}/", SYSTEM)
        roles.give(f"Role {number}", "bob", SYSTEM)

    def reads(login: str) -> list[str]:
        with statements(datastore) as sent:
            said = roles.explain(login, Right.READ, "Library/Modules/Demo/Files/List", SYSTEM)
        if login == "bob":
            assert [one.by for one in said.verdicts] == [
                f"Library/Modules/{folder}/" for folder in ("Demo", "Demo/Files", "Demo", "Demo/Files")
            ]
        return [one for one in sent if one.partition("FROM ")[2].startswith("folder")]

    assert len(reads("bob")) == 1
    assert reads("admin") == []
