"""Logins are unique whatever the letter case, keep no password, and the first one gets Full Access."""

from __future__ import annotations

import pytest
from cheap_passwords import cheap_passwords
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from dispatcher.core.errors import Forbidden, InvalidValue, LoginNotFound
from dispatcher.core.permissions import SYSTEM, Caller, Node, Right, everything
from dispatcher.core.ports import Ports
from dispatcher.core.spelling import name_key
from dispatcher.datastore import revisions
from dispatcher.datastore.logins import Login, LoginRole, Role
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.logins import LoginExists, Logins, RoleNotFound, caller_of, find, roles_of
from dispatcher.services.settings import Settings


@pytest.fixture
def logins(datastore: Datastore, ports: Ports) -> Logins:
    return Logins(datastore, ports, cheap_passwords())


def rights_of(datastore: Datastore, name: str) -> dict[Node, Right]:
    with datastore.read() as session:
        login = session.scalars(select(Login).where(Login.name == name)).one()
        return dict(Caller.of(name, roles_of(session, login.id)).rights)


def security_revision(datastore: Datastore) -> int:
    with datastore.read() as session:
        return revisions.current(session)[revisions.SECURITY]


def test_first_login_gets_full_access_and_the_next_only_its_role(datastore: Datastore, logins: Logins) -> None:
    assert logins.add("first", "pw", SYSTEM).roles == ("Full Access",)
    assert logins.add("second", "pw", SYSTEM, roles=["Read Only"]).roles == ("Read Only",)
    assert logins.add("third", "pw", SYSTEM).roles == ()
    assert rights_of(datastore, "first") == everything(Right.MODIFY)
    assert rights_of(datastore, "second") == everything(Right.READ)
    assert rights_of(datastore, "third") == {}


def test_several_roles_add_up_to_the_highest(datastore: Datastore, logins: Logins) -> None:
    assert logins.add("first", "pw", SYSTEM, roles=["Read Only"]).roles == ("Read Only",)
    assert rights_of(datastore, "first") == everything(Right.READ)
    with datastore.begin() as session:
        login = session.scalars(select(Login.id)).one()
        role = session.scalars(select(Role.id).where(Role.name == "Full Access")).one()
        session.add(LoginRole(login_id=login, role_id=role))
    assert rights_of(datastore, "first") == everything(Right.MODIFY)


@pytest.mark.parametrize(("name", "same"), [("Admin", " aDMIN "), ("Straße", "STRASSE"), ("J\u00f6", "Jo\u0308")])
def test_two_spellings_of_one_name_are_one_login(logins: Logins, name: str, same: str) -> None:
    logins.add(name, "pw", SYSTEM)
    with pytest.raises(LoginExists):
        logins.add(same, "pw", SYSTEM)
    logins.disable(same, SYSTEM)
    assert [(one.name, one.enabled) for one in logins.list(SYSTEM)] == [(name, False)]


@given(st.text())
def test_name_key_of_a_key_is_itself(name: str) -> None:
    assert name_key(name_key(name)) == name_key(name)


def test_no_password_is_stored_as_it_is(datastore: Datastore, logins: Logins) -> None:
    logins.add("a", "geheim", SYSTEM)
    logins.add("b", None, SYSTEM)
    with datastore.read() as session:
        hashes = dict(session.execute(select(Login.name, Login.password_hash)).all())
    assert hashes["a"].startswith("$argon2id$")
    assert "geheim" not in hashes["a"]
    assert hashes["b"] is None
    assert [one.has_password for one in logins.list(SYSTEM)] == [True, False]


def test_list_is_sorted_without_regard_to_case(logins: Logins) -> None:
    for name in ("beta", "Alpha", "alpha2", "Gamma"):
        logins.add(name, None, SYSTEM)
    assert [one.name for one in logins.list(SYSTEM)] == ["Alpha", "alpha2", "beta", "Gamma"]


def test_every_change_is_noticed_by_caches(datastore: Datastore, logins: Logins) -> None:
    seen = [security_revision(datastore)]
    for change in (
        lambda: logins.add("a", "pw", SYSTEM),
        lambda: logins.disable("a", SYSTEM),
        lambda: logins.enable("a", SYSTEM),
        lambda: logins.set_password("a", "new", SYSTEM),
        lambda: logins.set_language("a", "en", SYSTEM),
    ):
        change()
        seen.append(security_revision(datastore))
    assert len(set(seen)) == 6


@pytest.mark.parametrize("name", ["", "  ", "a:b", "a\nb", "a\x00b", "x" * 256])
def test_impossible_names_are_refused(logins: Logins, name: str) -> None:
    with pytest.raises(InvalidValue):
        logins.add(name, "pw", SYSTEM)


@pytest.mark.parametrize("wrong", [{"language": "de"}, {"kind": "ldap"}])
def test_impossible_values_are_refused_and_leave_nothing(logins: Logins, wrong: dict[str, str]) -> None:
    with pytest.raises(InvalidValue):
        logins.add("a", "pw", SYSTEM, **wrong)  # type: ignore[arg-type]
    assert logins.list(SYSTEM) == []


def test_empty_password_is_refused(logins: Logins) -> None:
    with pytest.raises(InvalidValue):
        logins.add("a", "", SYSTEM)
    logins.add("a", None, SYSTEM)
    with pytest.raises(InvalidValue):
        logins.set_password("a", "", SYSTEM)


def test_unknown_role_is_refused_and_leaves_nothing(datastore: Datastore, logins: Logins) -> None:
    before = security_revision(datastore)
    with pytest.raises(RoleNotFound, match="no role Chief"):
        logins.add("a", "pw", SYSTEM, roles=["Chief"])
    assert logins.list(SYSTEM) == []
    assert security_revision(datastore) == before


def test_roles_are_named_in_any_letter_case(logins: Logins) -> None:
    assert logins.add("a", "pw", SYSTEM, roles=["read only", "READ ONLY", "full Access"]).roles == (
        "Full Access",
        "Read Only",
    )


def test_unknown_login_cannot_be_changed(logins: Logins) -> None:
    with pytest.raises(LoginNotFound):
        logins.disable("nobody", SYSTEM)


def test_rights_are_checked(logins: Logins) -> None:
    reader = Caller("reader", everything(Right.READ))
    assert logins.list(reader) == []
    for refused in (
        lambda: logins.list(Caller("nobody")),
        lambda: logins.add("a", "pw", reader),
        lambda: logins.disable("a", reader),
        lambda: logins.enable("a", reader),
        lambda: logins.set_password("a", "pw", reader),
        lambda: logins.set_language("a", "en", reader),
    ):
        with pytest.raises(Forbidden):
            refused()


def test_callers_know_their_language_and_whether_they_have_to_log_in_first(
    datastore: Datastore, ports: Ports, logins: Logins
) -> None:
    def caller() -> Caller:
        with datastore.read() as session:
            login = find(session, "new")
            assert login is not None
            return caller_of(session, login, Settings(datastore, ports).current())

    logins.add("new", "pw", SYSTEM, language="en", first_login_pending=True)
    assert (caller().language, caller().is_first_login_pending) == ("en", True)
    logins.disable("new", SYSTEM)
    assert caller().is_first_login_pending
    logins.set_password("new", "own", SYSTEM)
    assert not caller().is_first_login_pending
