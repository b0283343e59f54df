"""Transactions: durable together, failing alone."""

import threading
from collections.abc import Callable

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from dispatcher.core.errors import Unavailable
from dispatcher.datastore import revisions
from dispatcher.datastore.settings import Setting
from dispatcher.datastore.transactions import Datastore, after_commit


def put(datastore: Datastore, name: str) -> None:
    with datastore.begin() as session:
        session.execute(insert(Setting), {"name": name, "dispatcher": "", "value": "x"})


def names(datastore: Datastore) -> set[str]:
    with datastore.read() as session:
        return set(session.scalars(select(Setting.name)))


def test_what_a_body_wrote_is_there_when_begin_returns(datastore: Datastore) -> None:
    put(datastore, "a")
    assert names(datastore) == {"a"}


def test_a_failed_body_leaves_nothing_and_does_not_touch_others(datastore: Datastore) -> None:
    put(datastore, "a")
    with pytest.raises(ZeroDivisionError), datastore.begin() as session:
        session.execute(insert(Setting), {"name": "b", "dispatcher": "", "value": "x"})
        raise ZeroDivisionError
    put(datastore, "c")
    assert names(datastore) == {"a", "c"}


def test_an_inner_begin_joins_the_outer_one(datastore: Datastore) -> None:
    with pytest.raises(ZeroDivisionError), datastore.begin():
        put(datastore, "inner")
        raise ZeroDivisionError
    assert names(datastore) == set()


def test_a_read_inside_a_transaction_sees_its_changes(datastore: Datastore) -> None:
    with datastore.begin() as session:
        session.execute(insert(Setting), {"name": "a", "dispatcher": "", "value": "x"})
        assert names(datastore) == {"a"}


def test_callbacks_come_after_the_commit_and_never_after_a_failure(datastore: Datastore) -> None:
    seen: list[set[str]] = []
    with datastore.begin() as session:
        session.execute(insert(Setting), {"name": "a", "dispatcher": "", "value": "x"})
        after_commit(session, lambda: seen.append(names(datastore)))
        assert seen == []
    assert seen == [{"a"}]
    with pytest.raises(ZeroDivisionError), datastore.begin() as session:
        after_commit(session, lambda: seen.append(set()))
        raise ZeroDivisionError
    assert seen == [{"a"}]


def test_of_many_writers_at_once_the_good_ones_are_stored_and_only_the_bad_ones_fail(datastore: Datastore) -> None:
    failures: list[int] = []

    def write(number: int) -> None:
        try:
            put(datastore, str(number % 40))
        except IntegrityError:
            failures.append(number)

    in_threads([lambda number=number: write(number) for number in range(80)])
    assert names(datastore) == {str(number) for number in range(40)}
    assert len(failures) == 40


def test_a_closed_datastore_refuses(datastore: Datastore) -> None:
    datastore.close()
    with pytest.raises(Unavailable):
        put(datastore, "a")


def test_a_revision_is_read_once_and_seen_by_other_sessions_after_a_bump(datastore: Datastore) -> None:
    with datastore.begin() as session:
        before = revisions.current(session)
        revisions.bump(session, revisions.LIBRARY)
        after = revisions.current(session)
    with datastore.read() as session:
        assert revisions.current(session) == after == datastore.revisions()
    assert {name for name in before if before[name] != after[name]} == {"library"}


def test_a_mark_never_comes_again_after_a_failure(datastore: Datastore) -> None:
    seen: list[int] = []
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), datastore.begin() as session:
            revisions.bump(session, revisions.LIBRARY)
            seen.append(revisions.current(session)["library"])
            raise ZeroDivisionError
    assert len(set(seen)) == 3
    assert datastore.revisions()["library"] not in seen


def in_threads(bodies: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=body) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
