"""Access tokens on every database, also while logins change and several ask at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from cheap_passwords import cheap_passwords
from sqlalchemy import func, select

from dispatcher.core.attempts import again
from dispatcher.core.errors import NotAuthenticated
from dispatcher.core.permissions import SYSTEM
from dispatcher.core.ports import Ports
from dispatcher.datastore.tokens import AccessToken
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.access_tokens import REPEAT, AccessTokens, Lifetimes, Pair
from dispatcher.services.logins import Logins
from dispatcher.services.security import Security
from dispatcher.services.settings import Settings

HOUR = timedelta(hours=1)
BOTH = Lifetimes(HOUR, HOUR)
HERE = "127.0.0.1"
ROUNDS = 8
TRIES = 50


@pytest.fixture
def tokens(datastore: Datastore, ports: Ports) -> AccessTokens:
    return AccessTokens(datastore, ports, Security(datastore, ports, cheap_passwords()), Settings(datastore, ports))


def count(datastore: Datastore) -> int:
    with datastore.read() as session:
        return session.scalar(select(func.count()).select_from(AccessToken)) or 0


def together(*bodies: Callable[[], None]) -> None:
    """Run *bodies* at the same time; the first failure is raised."""
    failures: list[BaseException] = []
    start = threading.Barrier(len(bodies))

    def run(body: Callable[[], None]) -> None:
        try:
            start.wait(20)
            body()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(body,)) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    if failures:
        raise failures[0]


def test_life_of_a_token(logins: Logins, tokens: AccessTokens, datastore: Datastore) -> None:
    pair = tokens.issue("letters", "BOB", "pw", BOTH, HERE)
    assert tokens.authenticate("letters", pair.access, HERE).name == "bob"
    new = tokens.refresh("letters", str(pair.refresh), BOTH, HERE)
    assert tokens.authenticate("letters", new.access, HERE).name == "bob"
    assert count(datastore) == 4  # the one that is spent, too, until it would have ended
    logins.disable("bob", SYSTEM)
    assert count(datastore) == 0
    for token in (pair.access, new.access):
        with pytest.raises(NotAuthenticated):
            tokens.authenticate("letters", token, HERE)


def test_a_spent_token_that_comes_again_ends_its_chain(
    logins: Logins, tokens: AccessTokens, datastore: Datastore, clock: Any
) -> None:
    pair, apart = (tokens.issue("letters", "bob", "pw", BOTH, HERE) for _ in range(2))
    new = tokens.refresh("letters", str(pair.refresh), BOTH, HERE)
    tokens.authenticate("letters", new.access, HERE)
    clock.turn(REPEAT + timedelta(seconds=1))
    with pytest.raises(NotAuthenticated):
        tokens.refresh("letters", str(pair.refresh), BOTH, HERE)
    with pytest.raises(NotAuthenticated):
        tokens.authenticate("letters", new.access, HERE)
    assert tokens.authenticate("letters", apart.access, HERE).name == "bob"
    assert count(datastore) == 2
    assert logins.end_tokens("bob", SYSTEM) == 2


def test_no_token_outlives_the_end_of_its_chain(
    logins: Logins, tokens: AccessTokens, datastore: Datastore, clock: Any
) -> None:
    for _ in range(ROUNDS):
        first = tokens.issue("letters", "bob", "pw", BOTH, HERE)
        second = tokens.refresh("letters", str(first.refresh), BOTH, HERE)
        clock.turn(REPEAT + timedelta(seconds=1))
        going = threading.Semaphore(0)

        def go_on(pair: Pair = second, going: threading.Semaphore = going) -> None:
            with suppress(NotAuthenticated):
                while True:
                    pair = again(partial(tokens.refresh, "letters", str(pair.refresh), BOTH, HERE), TRIES)
                    going.release()

        def repeat(first: Pair = first, going: threading.Semaphore = going) -> None:
            assert going.acquire(timeout=20)
            with pytest.raises(NotAuthenticated):
                again(partial(tokens.refresh, "letters", str(first.refresh), BOTH, HERE), TRIES)

        together(go_on, repeat)
        assert count(datastore) == 0


def test_of_several_that_refresh_at_once_one_does(logins: Logins, tokens: AccessTokens, datastore: Datastore) -> None:
    for _ in range(ROUNDS):
        pair = tokens.issue("letters", "bob", "pw", BOTH, HERE)
        made: list[Pair] = []

        def refresh(pair: Pair = pair, made: list[Pair] = made) -> None:
            with suppress(NotAuthenticated):
                made.append(again(partial(tokens.refresh, "letters", str(pair.refresh), BOTH, HERE), TRIES))

        together(refresh, refresh, refresh)
        assert len(made) == 1
        assert tokens.authenticate("letters", made[0].access, HERE).name == "bob"


def test_no_token_outlives_the_password_that_it_was_given_for(
    logins: Logins, tokens: AccessTokens, datastore: Datastore
) -> None:
    for number in range(ROUNDS):
        old, new = f"pw{number}", f"pw{number + 1}"
        again(partial(logins.set_password, "bob", old, SYSTEM), TRIES)
        asked = threading.Semaphore(0)
        here = f"127.0.0.{number + 1}"  # else what is refused in all the rounds would add up to a lock-out

        def ask(old: str = old, asked: threading.Semaphore = asked, here: str = here) -> None:
            with suppress(NotAuthenticated):
                while True:
                    pair = again(partial(tokens.issue, "letters", "bob", old, BOTH, here), TRIES)
                    asked.release()
                    again(partial(tokens.refresh, "letters", str(pair.refresh), BOTH, here), TRIES)

        def change(new: str = new, asked: threading.Semaphore = asked) -> None:
            assert asked.acquire(timeout=20)
            again(partial(logins.set_password, "bob", new, SYSTEM), TRIES)

        together(ask, ask, change)
        assert count(datastore) == 0
