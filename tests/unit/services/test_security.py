"""Requests are let in with the right credentials only, and guessing is slow and soon refused."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from cheap_passwords import CHEAP
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from dispatcher.core.errors import NotAuthenticated, Unavailable
from dispatcher.core.permissions import ANONYMOUS, SYSTEM, Node, Right
from dispatcher.core.ports import Ports
from dispatcher.datastore import revisions
from dispatcher.datastore.groupcommit import GroupCommit
from dispatcher.datastore.settings import Setting
from dispatcher.datastore.transactions import Datastore
from dispatcher.services import settings as settings_module
from dispatcher.services.logins import Logins
from dispatcher.services.passwords import Passwords
from dispatcher.services.roles import Roles
from dispatcher.services.security import (
    HASHING_AT_ONCE,
    LONGEST_NAME,
    MAX_VERIFICATIONS,
    TRUST,
    Credentials,
    Security,
    to_credentials,
)
from dispatcher.services.settings import Settings, Snapshot


class CountedPasswords(Passwords):
    """Cheap hashes that note each check; ``gate`` holds checks back, as slow hashes would."""

    def __init__(self) -> None:
        super().__init__(CHEAP)
        self.checks: list[tuple[bool, str]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.running = 0
        self.most_running = 0
        self.error: Exception | None = None
        self._lock = threading.Lock()

    def check(self, stored: str | None, password: str) -> bool:
        with self._lock:
            self.running += 1
            self.most_running = max(self.most_running, self.running)
        assert self.gate.wait(10)
        with self._lock:
            self.running -= 1
            self.checks.append((stored is not None, password))
        if self.error is not None:
            raise self.error
        return super().check(stored, password)


@pytest.fixture
def passwords() -> CountedPasswords:
    return CountedPasswords()


@pytest.fixture
def logins(datastore: Datastore, ports: Ports, passwords: CountedPasswords) -> Logins:
    return Logins(datastore, ports, passwords)


@pytest.fixture
def security(datastore: Datastore, ports: Ports, passwords: CountedPasswords) -> Security:
    return Security(datastore, ports, passwords)


def basic(name: str, password: str, encoding: str = "utf-8") -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode(encoding)).decode()


def fail(security: Security, header: str | None, address: str = "10.0.0.1") -> None:
    with pytest.raises(NotAuthenticated):
        security.authenticate(header, address)


@pytest.mark.parametrize("header", [None, "", "Basic Og==", "Basic !", "Bearer x", basic("a", "b")])
def test_without_logins_everybody_is_anonymous(security: Security, header: str | None) -> None:
    assert not security.has_logins()
    caller = security.authenticate(header, "10.0.0.1")
    assert (caller, caller.address) == (ANONYMOUS, "10.0.0.1")


def test_right_credentials_give_the_login_with_its_rights(logins: Logins, security: Security) -> None:
    logins.add("admin", "pw", SYSTEM)
    logins.add("Reader", "pw2", SYSTEM, roles=["Read Only"])
    caller = security.authenticate(basic("READER", "pw2"), "10.0.0.1")
    assert caller.name == "Reader"
    assert caller.may(Right.READ, Node.MODULES)
    assert not caller.may(Right.MODIFY, Node.MODULES)


def test_a_caller_asks_from_where_it_is_whoever_else_has_the_login(
    logins: Logins, security: Security, passwords: CountedPasswords
) -> None:
    logins.add("admin", "pw", SYSTEM)
    before = len(passwords.checks)
    callers = [security.authenticate(basic("admin", "pw"), address) for address in ("10.0.0.1", "10.0.0.2", "10.0.0.1")]
    assert [caller.address for caller in callers] == ["10.0.0.1", "10.0.0.2", "10.0.0.1"]
    assert callers[0] is callers[2]  # what is remembered is not made anew for each request
    assert len(passwords.checks) == before + 1


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_names_and_passwords_come_in_either_encoding(logins: Logins, security: Security, encoding: str) -> None:
    logins.add("Jürgen", "pässword: with colon", SYSTEM)
    header = basic("jÜrgen", "pässword: with colon", encoding)
    assert security.authenticate(header, "10.0.0.1").name == "Jürgen"


@pytest.mark.parametrize(
    "header", [None, "", "Basic", "Basic ", "Basic Og==", "Basic !!!", "Basic bm9jb2xvbg==", "Bearer abc", "Basic \xe9"]
)
def test_missing_and_broken_credentials_are_refused(logins: Logins, security: Security, header: str | None) -> None:
    logins.add("admin", "pw", SYSTEM)
    fail(security, header)


@pytest.mark.parametrize(("kind", "password"), [("windows", "pw"), ("dispatcher", None), ("windows", None)])
def test_login_of_other_kind_or_without_password_demands_but_never_authenticates(
    logins: Logins, security: Security, kind: str, password: str | None
) -> None:
    logins.add("admin", password, SYSTEM, kind=kind)
    assert security.has_logins()
    for header in (None, basic("admin", ""), basic("admin", "pw")):
        fail(security, header)


def test_login_that_is_the_only_one_and_disabled_still_demands_credentials(logins: Logins, security: Security) -> None:
    logins.add("admin", "pw", SYSTEM)
    logins.disable("admin", SYSTEM)
    fail(security, None)
    fail(security, basic("admin", "pw"))


def test_domain_is_part_of_the_name(logins: Logins, security: Security) -> None:
    logins.add("admin", "pw", SYSTEM)
    fail(security, basic("DOMAIN\\admin", "pw"))


def test_verified_credentials_are_not_hashed_again_for_a_while(
    logins: Logins, security: Security, passwords: CountedPasswords, clock
) -> None:
    logins.add("admin", "pw", SYSTEM)
    for _ in range(5):
        security.authenticate(basic("admin", "pw"), "10.0.0.1")
    assert len(passwords.checks) == 1
    clock.turn(TRUST)
    security.authenticate(basic("admin", "pw"), "10.0.0.1")
    assert len(passwords.checks) == 2


def test_a_header_is_never_taken_for_what_a_log_in_is_remembered_by(logins: Logins, security: Security) -> None:
    logins.add("alice", "s3cret", SYSTEM)
    assert security.log_in(Credentials("alice", "s3cret"), "10.0.0.1").name == "alice"
    fail(security, repr(("alice", "s3cret", (), ())))


def test_whether_credentials_are_remembered_is_known_without_looking_them_up(
    logins: Logins, security: Security, clock
) -> None:
    assert not security.remembers(None)
    security.authenticate(None, "10.0.0.1")
    assert security.remembers(None)  # nobody needs any
    logins.add("admin", "pw", SYSTEM)
    security.authenticate(basic("admin", "pw"), "10.0.0.1")
    assert security.remembers(basic("admin", "pw"))
    assert not any(map(security.remembers, (None, basic("admin", "PW"), basic("Admin", "pw"))))
    clock.turn(TRUST)
    assert not security.remembers(basic("admin", "pw"))


def test_changes_of_logins_hold_from_the_next_request_on(logins: Logins, security: Security) -> None:
    assert security.authenticate(None, "10.0.0.1") == ANONYMOUS
    logins.add("admin", "pw", SYSTEM)
    fail(security, None)
    security.authenticate(basic("admin", "pw"), "10.0.0.1")
    logins.set_password("admin", "new", SYSTEM)
    fail(security, basic("admin", "pw"))
    security.authenticate(basic("admin", "new"), "10.0.0.1")
    logins.disable("admin", SYSTEM)
    fail(security, basic("admin", "new"))


def test_unknown_names_cost_a_hash_like_known_ones(
    logins: Logins, security: Security, passwords: CountedPasswords
) -> None:
    logins.add("admin", "pw", SYSTEM)
    logins.add("blank", None, SYSTEM)
    for name in ("admin", "nobody", "blank"):
        fail(security, basic(name, "guess"))
    assert len(passwords.checks) == 3


def test_ten_failures_lock_the_name_out_at_the_address_only(
    logins: Logins, security: Security, passwords: CountedPasswords, clock
) -> None:
    logins.add("admin", "pw", SYSTEM)
    logins.add("other", "pw", SYSTEM)
    for number in range(10):
        fail(security, basic("admin", f"guess {number}"))
    fail(security, basic("admin", "pw"))
    fail(security, basic("ADMIN", "pw"))
    assert len(passwords.checks) == 10
    assert security.authenticate(basic("admin", "pw"), "10.0.0.2").name == "admin"
    assert security.authenticate(basic("other", "pw"), "10.0.0.1").name == "other"
    clock.turn(timedelta(minutes=15) - timedelta(seconds=1))
    fail(security, basic("admin", "pw"))
    clock.turn(timedelta(seconds=1))
    assert security.authenticate(basic("admin", "pw"), "10.0.0.1").name == "admin"


def test_lock_out_holds_for_remembered_credentials_too(logins: Logins, security: Security) -> None:
    logins.add("admin", "pw", SYSTEM)
    security.authenticate(basic("admin", "pw"), "10.0.0.1")
    for number in range(10):
        fail(security, basic("admin", f"guess {number}"))
    fail(security, basic("admin", "pw"))


def test_requests_without_credentials_never_count(logins: Logins, security: Security) -> None:
    logins.add("admin", "pw", SYSTEM)
    for _ in range(30):
        fail(security, None)
        fail(security, "Basic")
    assert security.authenticate(basic("admin", "pw"), "10.0.0.1").name == "admin"


def test_lock_outs_remember_only_as_much_of_a_name_as_logins_have(logins: Logins, security: Security) -> None:
    logins.add("admin", "pw", SYSTEM)
    for number in range(10):
        fail(security, basic("x" * LONGEST_NAME + str(number), "wrong"))
    [(name, _)] = security._lockout._failures
    assert len(name) == LONGEST_NAME


def test_failures_far_apart_lock_nobody_out(logins: Logins, security: Security, clock) -> None:
    logins.add("admin", "pw", SYSTEM)
    for number in range(40):
        fail(security, basic("admin", f"guess {number}"))
        clock.turn(timedelta(minutes=2))
    assert security.authenticate(basic("admin", "pw"), "10.0.0.1").name == "admin"


def test_same_credentials_at_once_are_hashed_once(
    logins: Logins, security: Security, passwords: CountedPasswords
) -> None:
    logins.add("admin", "pw", SYSTEM)
    passwords.gate.clear()
    with ThreadPoolExecutor(16) as pool:
        answers = [pool.submit(security.authenticate, basic("admin", "pw"), "10.0.0.1") for _ in range(16)]
        while passwords.running < 1:
            time.sleep(0.001)
        passwords.gate.set()
        assert {answer.result().name for answer in answers} == {"admin"}
    assert len(passwords.checks) == 1


@pytest.mark.parametrize("change", ["disable", "set_password", "take"])
def test_who_comes_after_a_change_does_not_join_who_came_before_it(
    datastore: Datastore, ports: Ports, logins: Logins, security: Security, passwords: CountedPasswords, change: str
) -> None:
    logins.add("admin", "pw", SYSTEM)
    logins.add("bob", "pw", SYSTEM, roles=["Full Access"])
    passwords.gate.clear()
    with ThreadPoolExecutor(2) as pool:
        before = pool.submit(security.authenticate, basic("bob", "pw"), "10.0.0.1")
        while passwords.running < 1:
            time.sleep(0.001)
        match change:
            case "disable":
                logins.disable("bob", SYSTEM)
            case "set_password":
                logins.set_password("bob", "new", SYSTEM)
            case _:
                Roles(datastore, ports).take("Full Access", "bob", SYSTEM)
        after = pool.submit(security.authenticate, basic("bob", "pw"), "10.0.0.1")
        while passwords.running < 2 and not after.done():
            time.sleep(0.001)
        passwords.gate.set()
        assert before.result().name == "bob"
        if change == "take":
            assert not after.result().may(Right.READ, Node.MODULES)
        else:
            assert isinstance(after.exception(), NotAuthenticated)


def test_flood_of_guesses_hashes_few_at_once_and_refuses_the_rest(
    logins: Logins, security: Security, passwords: CountedPasswords
) -> None:
    logins.add("admin", "pw", SYSTEM)
    passwords.gate.clear()
    with ThreadPoolExecutor(30) as pool:
        answers = [pool.submit(security.authenticate, basic("x", str(number)), "10.0.0.1") for number in range(30)]
        while sum(answer.done() for answer in answers) < 30 - MAX_VERIFICATIONS:
            time.sleep(0.001)
        passwords.gate.set()
        kinds = [type(answer.exception()) for answer in answers]
    assert kinds.count(Unavailable) == 30 - MAX_VERIFICATIONS
    assert kinds.count(NotAuthenticated) == MAX_VERIFICATIONS
    assert passwords.most_running <= HASHING_AT_ONCE


def test_a_failing_check_reaches_its_caller_and_blocks_nobody(
    logins: Logins, security: Security, passwords: CountedPasswords
) -> None:
    logins.add("admin", "pw", SYSTEM)
    passwords.error = MemoryError()
    for _ in range(MAX_VERIFICATIONS + 1):
        with pytest.raises(MemoryError):
            security.authenticate(basic("admin", "pw"), "10.0.0.1")
    passwords.error = None
    assert security.authenticate(basic("admin", "pw"), "10.0.0.1").name == "admin"


@given(st.text(st.characters(exclude_characters=":", exclude_categories=["Cs"])), st.text())
def test_credentials_round_trip(name: str, password: str) -> None:
    found = to_credentials(basic(name, password))
    assert found is not None
    assert (found.name, found.password) == (name, password)


@given(st.text())
def test_any_header_is_read_without_an_error(header: str) -> None:
    for text in (header, f"Basic {header}"):
        found = to_credentials(text)
        assert found is None or isinstance(found.name, str)


def test_credentials_do_not_show_the_password() -> None:
    assert "geheim" not in repr(to_credentials(basic("a", "geheim")))


def test_real_hash_parameters_are_the_recommended_ones() -> None:
    assert Passwords().hash("pw").startswith("$argon2id$v=19$m=19456,t=2,p=1$")


class Elsewhere:
    """Settings as one process shares them, *here*, with its security; and as another process changes them."""

    def __init__(self, datastore: Datastore, ports: Ports) -> None:
        self.here = Settings(datastore, ports)
        self.security = Security(datastore, ports, settings=self.here)
        self.other = Datastore(datastore.url)
        self.there = Settings(self.other, ports)

    def disable(self) -> None:
        self.there.set("webapi.state", "DISABLED", SYSTEM)

    def is_enabled(self) -> bool:
        """Whether the Web API is, to whoever has just been let in."""
        self.security.authenticate(None, "10.0.0.1")
        return self.here.known().web_api_enabled()


@pytest.fixture
def elsewhere(datastore: Datastore, ports: Ports) -> Iterator[Elsewhere]:
    elsewhere = Elsewhere(datastore, ports)
    assert elsewhere.is_enabled()
    yield elsewhere
    elsewhere.other.close()


def test_who_is_let_in_finds_the_settings_as_they_are(elsewhere: Elsewhere) -> None:
    elsewhere.disable()
    assert not elsewhere.is_enabled()


def test_a_setting_that_changes_while_the_marks_are_read_holds_from_the_next_request_on(
    elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere.there.set("webapi.realm", "x", SYSTEM)
    current = elsewhere.here.current

    def slow() -> Snapshot:
        found = current()
        monkeypatch.setattr(elsewhere.here, "current", current)
        elsewhere.disable()
        return found

    monkeypatch.setattr(elsewhere.here, "current", slow)
    elsewhere.is_enabled()
    assert not elsewhere.is_enabled()


def test_older_settings_that_another_thread_leaves_behind_are_noticed(
    elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere.there.set("webapi.realm", "x", SYSTEM)
    stored, go, there = settings_module._stored, threading.Event(), threading.Event()

    def slow(session: Session) -> Any:
        found = stored(session)
        if threading.current_thread().name == "slow":
            there.set()
            assert go.wait(10)
        return found

    monkeypatch.setattr(settings_module, "_stored", slow)
    thread = threading.Thread(target=elsewhere.here.current, name="slow")
    thread.start()
    assert there.wait(10)
    elsewhere.disable()
    assert not elsewhere.is_enabled()
    go.set()
    thread.join()
    assert not elsewhere.is_enabled()


def test_settings_whose_commit_failed_do_not_stay(
    elsewhere: Elsewhere, datastore: Datastore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: GroupCommit) -> None:
        raise OSError("the disk is full")

    with datastore.deferring() as deferral:
        with datastore.begin() as session:
            revisions.bump(session, revisions.SETTINGS)
            session.add(Setting(name="webapi.state", dispatcher="", value="DISABLED"))
        with datastore.begin():
            assert not elsewhere.here.current().web_api_enabled()
        with monkeypatch.context() as patch:
            patch.setattr(GroupCommit, "_store", fail)
            deferral.settle()
    assert elsewhere.is_enabled()
