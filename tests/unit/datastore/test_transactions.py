"""Transactions: durable together, failing alone."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from dispatcher.core.errors import Unavailable
from dispatcher.datastore import revisions
from dispatcher.datastore.engines import parse_url
from dispatcher.datastore.groupcommit import GroupCommit
from dispatcher.datastore.inserting import Inserting
from dispatcher.datastore.settings import Setting
from dispatcher.datastore.transactions import Datastore, after_commit

T = TypeVar("T")
SETTINGS = Inserting(Setting.__table__)


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


def test_a_transaction_has_nothing_of_the_one_before(datastore: Datastore) -> None:
    made = Setting(name="a", dispatcher="", value="x")
    with datastore.begin() as session:
        session.add(made)
        revisions.bump(session, revisions.SETTINGS)
    with datastore.begin() as session:
        assert list(session) == []
        assert not revisions.is_changing(session, revisions.SETTINGS)
        made.value = "y"  # of nobody now
        session.add(Setting(name="b", dispatcher="", value="x"))
    with datastore.read() as session:
        assert dict(session.execute(select(Setting.name, Setting.value)).tuples().all()) == {"a": "x", "b": "x"}


def test_a_transaction_has_nothing_of_one_before_that_has_failed(datastore: Datastore) -> None:
    with pytest.raises(ZeroDivisionError), datastore.begin() as session:
        session.add(Setting(name="a", dispatcher="", value="x"))
        raise ZeroDivisionError
    put(datastore, "b")
    with pytest.raises(IntegrityError), datastore.begin() as session:
        session.connection().execute(insert(Setting), {"name": "b", "dispatcher": "", "value": "y"})
    with datastore.begin() as session:
        session.add(Setting(name="c", dispatcher="", value="x"))
    assert names(datastore) == {"b", "c"}


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


def test_what_is_deferred_is_told_once_it_is_settled(datastore: Datastore) -> None:
    told: list[set[str]] = []
    with datastore.deferring() as deferral:
        for name in ("a", "b"):
            with datastore.begin() as session:
                session.execute(insert(Setting), {"name": name, "dispatcher": "", "value": "x"})
                after_commit(session, lambda: told.append(names(datastore)))
        owed = deferral.take()
        assert (told, in_another_thread(lambda: names(datastore))) == ([], set())
        deferral.settle()
        assert owed.pay()
        assert told == [{"a", "b"}, {"a", "b"}]
    put(datastore, "c")
    assert names(datastore) == {"a", "b", "c"}


def test_a_thread_that_defers_reads_what_it_has_written(datastore: Datastore) -> None:
    with datastore.deferring() as deferral:
        put(datastore, "a")
        assert names(datastore) == {"a"}
        before = datastore.revisions()[revisions.SETTINGS]
        with datastore.begin() as session:
            revisions.bump(session, revisions.SETTINGS)
        assert datastore.revisions()[revisions.SETTINGS] != before
        assert deferral.take().pay()


def test_what_failed_is_owed_by_nobody_and_a_failed_commit_by_all(
    datastore: Datastore, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    with datastore.deferring() as deferral:
        put(datastore, "a")
        first = deferral.take()
        with pytest.raises(IntegrityError):
            put(datastore, "a")
        assert not deferral.take()
        with datastore.begin() as session:
            session.execute(insert(Setting), {"name": "b", "dispatcher": "", "value": "x"})
            after_commit(session, lambda: told.append("b"))
        second = deferral.take()
        with monkeypatch.context() as patch:
            patch.setattr(GroupCommit, "_store", fail)
            deferral.settle()
        assert (first.pay(), second.pay(), told) == (False, False, [])
        put(datastore, "c")
        deferral.settle()
        assert deferral.take().pay()
    assert names(datastore) == {"c"}


def test_who_waits_is_not_kept_waiting_by_who_defers(datastore: Datastore) -> None:
    with datastore.deferring():
        put(datastore, "a")
        assert in_another_thread(lambda: (put(datastore, "b"), names(datastore))[1]) == {"a", "b"}


def test_what_is_not_settled_is_so_at_the_end(datastore: Datastore) -> None:
    with datastore.deferring():
        put(datastore, "a")
    assert in_another_thread(lambda: names(datastore)) == {"a"}


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


def test_transactions_that_share_a_commit_read_the_marks_once(datastore: Datastore) -> None:
    with datastore.deferring():
        with datastore.begin() as session:
            marks = revisions.current(session)
        assert datastore.revisions() is marks
        with datastore.begin() as session:
            assert revisions.current(session) is marks


def test_marks_that_were_shared_are_read_again_after_a_change_a_failure_and_a_commit(datastore: Datastore) -> None:
    def mark() -> int:
        with datastore.begin() as session:
            return revisions.current(session)[revisions.LIBRARY]

    with datastore.deferring() as deferral:
        first = mark()
        with pytest.raises(ZeroDivisionError), datastore.begin() as session:
            revisions.bump(session, revisions.LIBRARY)
            assert revisions.current(session)[revisions.LIBRARY] != first
            raise ZeroDivisionError
        assert mark() == datastore.revisions()[revisions.LIBRARY] == first
        with datastore.begin() as session:
            revisions.bump(session, revisions.LIBRARY)
        assert mark() == datastore.revisions()[revisions.LIBRARY] != first
        second = mark()
        deferral.settle()
        other = Datastore(datastore.url)  # as another process
        with other.begin() as session:
            revisions.bump(session, revisions.LIBRARY)
        other.close()
        assert mark() == datastore.revisions()[revisions.LIBRARY] != second


def step(session: Session, kind: str, name: str) -> None:
    """Store settings, named by *name*, in the way *kind*."""
    rows = [{"name": name + part, "dispatcher": "", "value": "x"} for part in "12"]
    if kind == "one":
        SETTINGS.one(session, rows[0])
    elif kind == "all":
        SETTINGS.all(session, rows)
    elif kind == "connection":
        session.connection().execute(insert(Setting), rows)
    elif kind == "object":
        session.add(Setting(**rows[0]))
    elif kind == "flush":
        session.flush()
    elif kind == "nested":
        with suppress(LookupError), session.connection().begin_nested():
            SETTINGS.one(session, rows[0])
            raise LookupError
    else:
        session.scalars(select(Setting.name)).all()


@pytest.mark.parametrize("is_first", [True, False])
@given(kinds=st.lists(st.sampled_from(["one", "all", "connection", "object", "flush", "nested", "read"]), max_size=6))
@hypothesis_settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_a_failed_body_did_is_undone_and_nothing_else(
    datastore: Datastore, kinds: list[str], is_first: bool
) -> None:
    def body() -> None:
        with datastore.begin() as session:
            for number, kind in enumerate(kinds):
                step(session, kind, f"{kind} {number} ")
            raise ZeroDivisionError

    with datastore.deferring() as deferral:
        if not is_first:
            put(datastore, "before")
        with pytest.raises(ZeroDivisionError):
            body()
        put(datastore, "after")
        deferral.settle()
        assert deferral.take().pay()
    assert names(datastore) == ({"after"} if is_first else {"before", "after"})
    with datastore.begin() as session:
        session.execute(delete(Setting))


@pytest.mark.parametrize("then", ["", "one", "all", "connection", "object", "nested", "read"])
def test_rows_that_an_ended_transaction_had_are_kept_by_nobody(datastore: Datastore, then: str) -> None:
    with datastore.deferring() as deferral:
        put(datastore, "a")
        first = deferral.take()
        with pytest.raises(Unavailable), datastore.begin() as session:
            SETTINGS.one(session, {"name": "b", "dispatcher": "", "value": "x"})
            assert datastore._writer is not None
            datastore._writer.cursor.execute("ROLLBACK")  # as SQLite does by itself when the disk is full
            if then:
                with suppress(Exception):  # a body that would go on all the same
                    step(session, then, "c")
        put(datastore, "d")
        deferral.settle()
        assert not first.pay()
    assert names(datastore) == {"d"}


@pytest.mark.parametrize("is_saved", [True, False])
def test_a_row_that_was_not_noted_before_the_interrupt_is_kept_by_nobody(datastore: Datastore, is_saved: bool) -> None:
    with datastore.deferring() as deferral:
        put(datastore, "a")
        with pytest.raises(KeyboardInterrupt), datastore.begin() as session:
            assert datastore._writer is not None
            SETTINGS.one(session, {"name": "b", "dispatcher": "", "value": "x"})
            datastore._writer._inserted.clear()  # as it is while SQLite has just returned
            if is_saved:
                datastore._writer.save()
            raise KeyboardInterrupt
        deferral.settle()
        assert not deferral.take().pay()
    assert names(datastore) == set()


def test_what_was_to_be_undone_when_that_was_interrupted_is_kept_by_nobody(datastore: Datastore) -> None:
    class Interrupted:
        def execute(self, *_: object) -> None:
            raise KeyboardInterrupt

    with datastore.deferring() as deferral:
        put(datastore, "a")
        with pytest.raises(KeyboardInterrupt), datastore.begin() as session:
            SETTINGS.one(session, {"name": "b", "dispatcher": "", "value": "x"})
            assert datastore._writer is not None
            datastore._writer.cursor = Interrupted()
            raise ZeroDivisionError
        deferral.settle()
        assert not deferral.take().pay()
    assert names(datastore) == set()


def test_a_transaction_that_the_database_ended_fails_all_that_share_it(datastore: Datastore) -> None:
    with datastore.deferring() as deferral:
        put(datastore, "a")
        first = deferral.take()
        # As SQLite does by itself when the disk is full; the body does not notice.
        with pytest.raises(Unavailable), datastore.begin() as session:
            driver = session.connection().connection.dbapi_connection
            assert driver is not None
            driver.cursor().execute("ROLLBACK")
        deferral.settle()
        assert not first.pay()
        put(datastore, "b")
        deferral.settle()
        assert deferral.take().pay()
    assert names(datastore) == {"b"}


def test_who_reads_after_a_commit_that_failed_is_told(datastore: Datastore, monkeypatch: pytest.MonkeyPatch) -> None:
    with datastore.deferring() as deferral:
        put(datastore, "a")
        with monkeypatch.context() as patch:
            patch.setattr(GroupCommit, "_store", fail)
            with pytest.raises(Unavailable), datastore.read():
                pass
        assert not deferral.take().pay()


def in_another_thread(body: Callable[[], T]) -> T:
    with ThreadPoolExecutor(1) as other:
        return other.submit(body).result(20)


def fail(_: object) -> None:
    raise OSError("the disk is full")


def in_threads(bodies: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=body) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_nobody_else_may_read_the_files(tmp_path: Path) -> None:
    datastore = Datastore(parse_url(f"sqlite:///{tmp_path / 'new' / 'private.db'}"))
    with datastore.begin() as session:
        session.execute(text("CREATE TABLE t (x INTEGER)"))
    folder = tmp_path / "new"
    assert {path.name: oct(path.stat().st_mode & 0o777) for path in (folder, *folder.iterdir())} == {
        "new": "0o700",
        "private.db": "0o600",
        "private.db-wal": "0o600",
        "private.db-shm": "0o600",
    }
    datastore.close()


def test_a_full_database_is_unavailable_stores_nothing_and_recovers(
    datastore: Datastore, caplog: pytest.LogCaptureFixture
) -> None:
    put(datastore, "before")
    pages = _pragma(datastore, "page_count")
    _pragma(datastore, f"max_page_count={pages}")
    with pytest.raises(Unavailable):
        for number in range(200):
            with datastore.begin() as session:
                values = {"name": f"secret name {number}", "dispatcher": "", "value": "secret value" * 1_000}
                session.execute(insert(Setting), values)
    assert "secret value" not in caplog.text
    _pragma(datastore, "max_page_count=100000")
    put(datastore, "after")
    assert {"before", "after"} <= names(datastore)


def test_a_commit_that_fails_fails_all_that_waited_for_it_and_no_later_one(
    datastore: Datastore, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(datastore, "before")
    commit, failing = GroupCommit._store, [True]

    def fail_once(writer: GroupCommit) -> None:
        if failing:
            failing.clear()
            raise OSError("the disk is gone")
        commit(writer)

    monkeypatch.setattr(GroupCommit, "_store", fail_once)
    with pytest.raises(Unavailable):
        put(datastore, "lost")
    put(datastore, "after")
    assert names(datastore) == {"before", "after"}


def _pragma(datastore: Datastore, text_of_it: str) -> int:
    with datastore.begin() as session:
        return int(session.connection().exec_driver_sql(f"PRAGMA {text_of_it}").scalar_one())
