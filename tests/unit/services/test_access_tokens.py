"""Access tokens stand for a login at one dialect, for as long as they are meant to, and are not stored."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from cheap_passwords import CHEAP
from sqlalchemy import select

from dispatcher.core.errors import Forbidden, LoginNotFound, NotAuthenticated
from dispatcher.core.permissions import ANONYMOUS, SYSTEM, Caller, Node, Right
from dispatcher.core.ports import Ports
from dispatcher.datastore.tokens import AccessToken
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.access_tokens import REPEAT, AccessTokens, FirstLoginPending, Lifetimes, Pair
from dispatcher.services.audit import Audit
from dispatcher.services.lockout import FAILURES
from dispatcher.services.logins import Logins
from dispatcher.services.passwords import Passwords
from dispatcher.services.retention import Retention
from dispatcher.services.roles import Roles
from dispatcher.services.security import TRUST, Security
from dispatcher.services.settings import Settings
from dispatcher.services.tokens import hashed

HOUR = timedelta(hours=1)
BOTH = Lifetimes(HOUR, 2 * HOUR)
HERE = "10.0.0.1"


class CountedPasswords(Passwords):
    """Cheap hashes that note which password was checked."""

    def __init__(self) -> None:
        super().__init__(CHEAP)
        self.checked: list[str] = []

    def check(self, stored: str | None, password: str) -> bool:
        self.checked.append(password)
        return super().check(stored, password)


@pytest.fixture
def passwords() -> CountedPasswords:
    return CountedPasswords()


@pytest.fixture
def tokens(datastore: Datastore, ports: Ports, passwords: CountedPasswords) -> AccessTokens:
    return another(datastore, ports, passwords)


def another(datastore: Datastore, ports: Ports, passwords: Passwords) -> AccessTokens:
    """Return the tokens as another dispatcher over the same datastore has them."""
    return AccessTokens(datastore, ports, Security(datastore, ports, passwords), Settings(datastore, ports))


@pytest.fixture
def logins(datastore: Datastore, ports: Ports, passwords: CountedPasswords) -> Logins:
    logins = Logins(datastore, ports, passwords)
    logins.add("admin", "pw", SYSTEM)
    logins.add("Ann", "pw", SYSTEM, roles=["Read Only"])
    return logins


def issue(tokens: AccessTokens, name: Any = "ann", password: Any = "pw", lifetimes: Lifetimes = BOTH) -> Pair:
    return tokens.issue("letters", name, password, lifetimes, HERE)


def refuses(tokens: AccessTokens, token: str, dialect: str = "letters") -> bool:
    with pytest.raises(NotAuthenticated):
        tokens.authenticate(dialect, token, HERE)
    return True


def test_a_token_stands_for_its_login(logins: Logins, tokens: AccessTokens) -> None:
    pair = issue(tokens)
    assert (pair.expires_in, bool(pair.refresh)) == (3600, True)
    caller = tokens.authenticate("letters", pair.access, "10.0.0.9")
    assert (caller.name, caller.address) == ("Ann", "10.0.0.9")
    assert caller.may(Right.READ, Node.MODULES)
    assert not caller.may(Right.MODIFY, Node.MODULES)


def test_another_dispatcher_knows_it_too_also_after_a_restart(
    logins: Logins, tokens: AccessTokens, datastore: Datastore, ports: Ports, passwords: CountedPasswords
) -> None:
    pair = issue(tokens)
    assert another(datastore, ports, passwords).authenticate("letters", pair.access, HERE).name == "Ann"


def test_it_is_checked_without_hashing_and_from_memory(
    logins: Logins, tokens: AccessTokens, passwords: CountedPasswords, datastore: Datastore
) -> None:
    pair = issue(tokens)
    passwords.checked.clear()
    assert not tokens.remembers("letters", pair.access)
    first = tokens.authenticate("letters", pair.access, HERE)
    assert tokens.remembers("letters", pair.access)
    assert tokens.authenticate("letters", pair.access, HERE) is first
    assert passwords.checked == []


def test_it_is_not_remembered_for_longer_than_it_is_good(logins: Logins, tokens: AccessTokens, clock: Any) -> None:
    short = issue(tokens, lifetimes=Lifetimes(TRUST / 2)).access
    tokens.authenticate("letters", short, HERE)
    assert tokens.remembers("letters", short)
    clock.turn(TRUST / 2)
    assert not tokens.remembers("letters", short)


@pytest.mark.parametrize("token", ["", "x", "\ud800", "\0", "a" * 10_000])
def test_other_tokens_are_refused(logins: Logins, tokens: AccessTokens, token: str) -> None:
    issue(tokens)
    assert refuses(tokens, token)


def test_it_is_good_for_its_dialect_only(logins: Logins, tokens: AccessTokens) -> None:
    pair = issue(tokens)
    assert refuses(tokens, pair.access, "other")
    tokens.authenticate("letters", pair.access, HERE)
    assert refuses(tokens, pair.access, "other")  # nor from memory
    with pytest.raises(NotAuthenticated):
        tokens.refresh("other", str(pair.refresh), BOTH, HERE)


def test_access_and_refresh_tokens_are_not_each_other(logins: Logins, tokens: AccessTokens) -> None:
    pair = issue(tokens)
    assert refuses(tokens, str(pair.refresh))
    with pytest.raises(NotAuthenticated):
        tokens.refresh("letters", pair.access, BOTH, HERE)


@pytest.mark.parametrize("is_remembered", [True, False])
def test_it_expires(logins: Logins, tokens: AccessTokens, clock: Any, is_remembered: bool) -> None:
    pair = issue(tokens)
    clock.turn(HOUR - timedelta(seconds=1))
    if is_remembered:
        tokens.authenticate("letters", pair.access, HERE)
    clock.turn(timedelta(seconds=1))
    assert refuses(tokens, pair.access)


def test_a_refresh_gives_a_new_pair_once(logins: Logins, tokens: AccessTokens, clock: Any) -> None:
    pair = issue(tokens)
    clock.turn(HOUR)
    new = tokens.refresh("letters", str(pair.refresh), BOTH, HERE)
    assert len({pair.access, pair.refresh, new.access, new.refresh}) == 4
    assert tokens.authenticate("letters", new.access, HERE).name == "Ann"
    with pytest.raises(NotAuthenticated):
        tokens.refresh("letters", str(pair.refresh), BOTH, HERE)
    clock.turn(2 * HOUR)
    with pytest.raises(NotAuthenticated):
        tokens.refresh("letters", str(new.refresh), BOTH, HERE)


def test_a_refresh_token_that_comes_again_late_ends_all_of_its_chain(
    logins: Logins, tokens: AccessTokens, datastore: Datastore, clock: Any
) -> None:
    pair, apart = issue(tokens), issue(tokens)
    second = tokens.refresh("letters", str(pair.refresh), BOTH, HERE)
    third = tokens.refresh("letters", str(second.refresh), BOTH, HERE)
    for token in (pair, third, apart):
        tokens.authenticate("letters", token.access, HERE)
    clock.turn(REPEAT)
    with pytest.raises(NotAuthenticated):  # perhaps the answer was lost
        tokens.refresh("letters", str(pair.refresh), BOTH, HERE)
    tokens.authenticate("letters", third.access, HERE)
    clock.turn(timedelta(seconds=1))
    with pytest.raises(NotAuthenticated):
        tokens.refresh("letters", str(pair.refresh), BOTH, "10.0.0.66")
    for token in (pair, second, third):
        assert refuses(tokens, token.access)
        with pytest.raises(NotAuthenticated):
            tokens.refresh("letters", str(token.refresh), BOTH, HERE)
    assert tokens.authenticate("letters", apart.access, HERE).name == "Ann"
    (entry, *_) = Audit(datastore).list(SYSTEM, action="token")
    assert (entry.action, entry.login, entry.address, entry.new) == ("token.repeated", "Ann", "10.0.0.66", {"ended": 6})


def test_a_login_may_lose_its_tokens_alone(logins: Logins, tokens: AccessTokens, datastore: Datastore) -> None:
    pair, other = issue(tokens), issue(tokens, "admin")
    tokens.authenticate("letters", pair.access, HERE)
    assert logins.end_tokens("ANN", SYSTEM) == 2
    assert refuses(tokens, pair.access)
    with pytest.raises(NotAuthenticated):
        tokens.refresh("letters", str(pair.refresh), BOTH, HERE)
    assert tokens.authenticate("letters", other.access, HERE).name == "admin"
    assert tokens.authenticate("letters", issue(tokens).access, HERE).name == "Ann"
    (entry,) = Audit(datastore).list(SYSTEM, action="login.tokens_ended")
    assert (entry.login, entry.subject.name, entry.new) == ("system", "Ann", {"ended": 2})
    with pytest.raises(LoginNotFound):
        logins.end_tokens("nobody", SYSTEM)
    with pytest.raises(Forbidden):
        logins.end_tokens("ann", Caller("ann"))


def test_who_has_no_refresh_token_holds_up_nobody(
    logins: Logins, tokens: AccessTokens, datastore: Datastore, monkeypatch: pytest.MonkeyPatch
) -> None:
    spent = issue(tokens)
    tokens.refresh("letters", str(spent.refresh), BOTH, HERE)
    monkeypatch.setattr(datastore, "begin", lambda *_: pytest.fail("it has begun to write"))
    for token in ("x", "", spent.access, str(spent.refresh)):
        with pytest.raises(NotAuthenticated):
            tokens.refresh("letters", token, BOTH, HERE)


def test_what_a_name_may_mean_is_one_attempt(logins: Logins, tokens: AccessTokens, passwords: CountedPasswords) -> None:
    logins.add("corp\\ann", "other", SYSTEM)
    names = ["CORP\\ann", "ann"]
    assert owner(tokens, issue(tokens, names, "other")) == "corp\\ann"
    assert owner(tokens, issue(tokens, ["LAB\\ann", "ann"])) == "Ann"
    passwords.checked.clear()
    for number in range(FAILURES):
        with pytest.raises(NotAuthenticated):  # also the password of who has the shorter name
            issue(tokens, [f"{number}\\ann", "ann"] if number else names, "pw" if not number else "wrong")
    assert len(passwords.checked) == FAILURES
    for given in (names, ["LAB\\ann", "ann"], "ann", ["ann"]):
        with pytest.raises(NotAuthenticated):
            issue(tokens, given, "other" if given is names else "pw")
    assert len(passwords.checked) == FAILURES


def owner(tokens: AccessTokens, pair: Pair) -> str:
    return tokens.authenticate("letters", pair.access, HERE).name


def test_without_a_lifetime_there_is_no_refresh_token(logins: Logins, tokens: AccessTokens) -> None:
    assert issue(tokens, lifetimes=Lifetimes(HOUR)).refresh is None


@pytest.mark.parametrize("change", ["disable", "password"])
def test_it_ends_with_what_it_was_given_for(logins: Logins, tokens: AccessTokens, change: str) -> None:
    pair, other = issue(tokens), issue(tokens, "admin")
    tokens.authenticate("letters", pair.access, HERE)
    if change == "disable":
        logins.disable("ann", SYSTEM)
    else:
        logins.set_password("ann", "new", SYSTEM)
    assert refuses(tokens, pair.access)
    with pytest.raises(NotAuthenticated):
        tokens.refresh("letters", str(pair.refresh), BOTH, HERE)
    logins.enable("ann", SYSTEM)
    assert refuses(tokens, pair.access)
    assert tokens.authenticate("letters", other.access, HERE).name == "admin"


def test_its_rights_are_those_of_this_moment(
    logins: Logins, tokens: AccessTokens, datastore: Datastore, ports: Ports
) -> None:
    pair = issue(tokens)
    assert not tokens.authenticate("letters", pair.access, HERE).may(Right.MODIFY, Node.MODULES)
    Roles(datastore, ports).give("Full Access", "ann", SYSTEM)
    assert tokens.authenticate("letters", pair.access, HERE).may(Right.MODIFY, Node.MODULES)


@pytest.mark.parametrize(("name", "password"), [("ann", "wrong"), ("ann", ""), ("nobody", "pw"), ("", "")])
def test_wrong_credentials_get_none(
    logins: Logins, tokens: AccessTokens, datastore: Datastore, name: str, password: str
) -> None:
    with pytest.raises(NotAuthenticated):
        issue(tokens, name, password)
    assert stored(datastore) == []


def test_what_a_password_may_mean_is_one_attempt(
    logins: Logins, tokens: AccessTokens, passwords: CountedPasswords
) -> None:
    passwords.checked.clear()
    issue(tokens, password=["cHc=", "pw"])
    assert passwords.checked == ["cHc=", "pw"]
    passwords.checked.clear()
    issue(tokens, password=["cHc=", "pw"])
    assert passwords.checked == []  # they are remembered
    for _ in range(FAILURES - 1):
        with pytest.raises(NotAuthenticated):
            issue(tokens, password=["a", "a", "b"])
    assert passwords.checked == ["a", "b"] * (FAILURES - 1)
    issue(tokens)
    with pytest.raises(NotAuthenticated):
        issue(tokens, password=["a", "b"])
    with pytest.raises(NotAuthenticated):  # locked out: also with the right one
        issue(tokens)


def test_lock_outs_are_those_of_basic_credentials(
    logins: Logins, datastore: Datastore, ports: Ports, passwords: CountedPasswords
) -> None:
    security = Security(datastore, ports, passwords)
    tokens = AccessTokens(datastore, ports, security, Settings(datastore, ports))
    for _ in range(FAILURES):
        with pytest.raises(NotAuthenticated):
            issue(tokens, password="wrong")
    with pytest.raises(NotAuthenticated):
        security.authenticate("Basic YW5uOnB3", HERE)  # ann:pw
    assert security.authenticate("Basic YW5uOnB3", "10.0.0.2").name == "Ann"


def test_without_logins_everybody_gets_one_that_has_to_be_right(tokens: AccessTokens) -> None:
    pair = issue(tokens, "anybody", "anything")
    caller = tokens.authenticate("letters", pair.access, HERE)
    assert (caller, caller.address) == (ANONYMOUS, HERE)
    assert refuses(tokens, "something else")
    new = tokens.refresh("letters", str(pair.refresh), BOTH, HERE)
    assert tokens.authenticate("letters", new.access, HERE) == ANONYMOUS


def test_what_was_given_to_everybody_ends_with_the_first_login(
    tokens: AccessTokens, datastore: Datastore, ports: Ports, passwords: CountedPasswords
) -> None:
    pair = issue(tokens, "anybody", "anything")
    tokens.authenticate("letters", pair.access, HERE)
    Logins(datastore, ports, passwords).add("admin", "pw", SYSTEM)
    assert refuses(tokens, pair.access)
    with pytest.raises(NotAuthenticated):
        tokens.refresh("letters", str(pair.refresh), BOTH, HERE)


def test_a_login_that_changes_meanwhile_is_asked_for_again(
    logins: Logins, tokens: AccessTokens, monkeypatch: pytest.MonkeyPatch, datastore: Datastore
) -> None:
    log_in = tokens._security.log_in

    def log_in_and_be_overtaken(*given: Any) -> Any:
        caller = log_in(*given)
        monkeypatch.undo()
        logins.set_password("ann", "new", SYSTEM)
        return caller

    monkeypatch.setattr(tokens._security, "log_in", log_in_and_be_overtaken)
    with pytest.raises(NotAuthenticated):
        issue(tokens)
    assert stored(datastore) == []


def stored(datastore: Datastore) -> list[AccessToken]:
    with datastore.read() as session:
        return list(session.scalars(select(AccessToken)).all())


def test_only_hashes_are_stored(logins: Logins, tokens: AccessTokens, datastore: Datastore) -> None:
    pair = issue(tokens)
    assert {token.hash for token in stored(datastore)} == {hashed(pair.access), hashed(str(pair.refresh))}
    assert pair.access not in repr(pair)
    assert str(pair.refresh) not in repr(pair)


def test_each_pair_leaves_an_entry_without_secrets(
    logins: Logins, tokens: AccessTokens, datastore: Datastore, clock: Any
) -> None:
    pair = issue(tokens)
    tokens.refresh("letters", str(pair.refresh), Lifetimes(HOUR), "10.0.0.2")
    refreshed, issued = Audit(datastore).list(SYSTEM, action="token")
    assert (issued.action, issued.login, issued.address) == ("token.issued", "Ann", HERE)
    assert (issued.subject.kind, issued.subject.name) == ("token", "letters")
    ends = {"access_until": (clock() + HOUR).isoformat(), "refresh_until": (clock() + 2 * HOUR).isoformat()}
    assert issued.new == ends
    assert (refreshed.login, refreshed.address) == ("Ann", "10.0.0.2")
    assert list(refreshed.new or {}) == ["access_until"]


@pytest.fixture
def retention(datastore: Datastore, ports: Ports) -> Retention:
    return Retention(datastore, ports, Settings(datastore, ports))


def test_expired_tokens_are_removed(
    logins: Logins, tokens: AccessTokens, retention: Retention, datastore: Datastore, clock: Any
) -> None:
    issue(tokens)
    clock.turn(HOUR)
    retention.sweep()
    assert [token.kind for token in stored(datastore)] == ["refresh"]


def test_lifetimes_are_settings(tokens: AccessTokens, datastore: Datastore, ports: Ports) -> None:
    assert tokens.lifetimes("opsramp") == Lifetimes(2 * HOUR)
    assert tokens.lifetimes("symantec_ccs") == Lifetimes(HOUR, 1.5 * HOUR)
    Settings(datastore, ports).set("symantec_ccs.refresh_token_minutes", "5", SYSTEM)
    assert tokens.lifetimes("symantec_ccs") == Lifetimes(HOUR, timedelta(minutes=5))


def test_a_refresh_token_that_is_kept_renews_as_often_as_it_comes(
    tokens: AccessTokens, logins: Logins, clock: Any
) -> None:
    first = issue(tokens)
    assert first.refresh is not None
    for minutes in (0, 61, 30):
        clock.turn(timedelta(minutes=minutes))
        pair = tokens.renew("letters", first.refresh, BOTH, HERE)
        assert tokens.authenticate("letters", pair.access, HERE).name == "Ann"
        assert (pair.refresh, pair.login, pair.expires_in) == (first.refresh, "Ann", 3600)
    assert pair.refresh_expires_in == 29 * 60
    logins.set_password("ann", "other", SYSTEM)
    for token in (first.refresh, pair.access, "nothing"):
        with pytest.raises(NotAuthenticated):
            tokens.renew("letters", token, BOTH, HERE)


def test_a_kept_refresh_token_ends_with_its_time(tokens: AccessTokens, logins: Logins, clock: Any) -> None:
    token = issue(tokens).refresh
    clock.turn(2 * HOUR)
    with pytest.raises(NotAuthenticated):
        tokens.renew("letters", str(token), BOTH, HERE)


def test_who_has_not_logged_in_yet_gets_none_where_that_is_asked_for(
    tokens: AccessTokens, logins: Logins, datastore: Datastore
) -> None:
    logins.add("new", "pw", SYSTEM, first_login_pending=True)
    with pytest.raises(FirstLoginPending):
        tokens.issue("letters", "new", "pw", BOTH, HERE, asks_first_login=True)
    with pytest.raises(NotAuthenticated) as wrong:
        tokens.issue("letters", "new", "other", BOTH, HERE, asks_first_login=True)
    assert not isinstance(wrong.value, FirstLoginPending)
    with datastore.read() as session:
        assert session.scalars(select(AccessToken)).all() == []
    assert issue(tokens, "new").login == "new"
