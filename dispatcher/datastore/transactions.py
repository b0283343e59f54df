"""Transactions: the one way into the datastore, for writing and for reading."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import structlog
from sqlalchemy import URL, Connection, PoolProxiedConnection
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from dispatcher.core.errors import Busy, Deadlock, Unavailable
from dispatcher.core.patience import USUAL_S, patience_s
from dispatcher.datastore import revisions
from dispatcher.datastore.engines import is_busy, is_deadlock, limit_lock_wait, open_engine, traits_of
from dispatcher.datastore.groupcommit import Deferral, GroupCommit

log = structlog.get_logger(__name__)

_AFTER_COMMIT = "after_commit"
#: The errors of a database that is away, full or overloaded, or that ended a deadlock or a transaction that stood still
#: (to PostgreSQL an internal error): it is worth trying again.
#: Whoever catches everything lets these pass, for they are nobody's defect.
OUT_OF_ORDER = (OperationalError, InterfaceError, InternalError, PoolTimeout, sqlite3.OperationalError)


class Datastore:
    """A datastore that is open. Sessions from it may be used in one thread at a time."""

    def __init__(self, url: URL) -> None:
        self.url = url
        self.engine = open_engine(url)
        self.traits = traits_of(self.engine)
        self._writer = GroupCommit(self.engine) if self.traits.single_writer else None
        self._local = threading.local()
        self._kept: list[PoolProxiedConnection] = []
        self._current_sql = str(revisions.CURRENT.compile(self.engine))

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """Give a session for writing; commit durably at the end, roll back on any exception.

        Inside an open ``begin()`` of the same thread this joins it: the outermost one commits.
        What was given to ``after_commit`` is called once the changes are on the disk.

        :raises Busy: if another transaction has locked something for longer than ``patience_s`` says.
        """
        outer: Session | None = getattr(self._local, "session", None)
        if outer is not None:
            yield outer
            outer.flush()
            return
        callbacks: list[Callable[[], None]] = []
        with _AVAILABLE, self._transaction() as connection:
            session = self._local.session = self._session(connection)
            session.info[_AFTER_COMMIT] = callbacks
            if self._writer is not None:
                session.info[revisions.MARKS] = self._writer.marks
            try:
                yield session
                if session.in_transaction():  # else all was said to the connection itself
                    session.flush()
                self._local.unused = session
            finally:
                self._local.session = None
                session.info.clear()
                if session.in_transaction():
                    # Without touching the connection's transaction: that one is ended here below.
                    session.close()
        if (deferral := self._deferral()) is not None:
            deferral.owed.then(callbacks)
            return
        for callback in callbacks:
            callback()

    @contextmanager
    def deferring(self) -> Iterator[Deferral]:
        """Let the transactions of this thread end without waiting for the disk, until the end of this.

        Whoever does this tells nobody of what a transaction has done before ``Deferral.settle`` has returned and
        ``Owed.pay`` has said that it is stored. Only where one transaction is written at a time (``single_writer``).
        """
        assert self._writer is not None  # noqa: S101 - asked for by the caller
        with self._writer.deferring() as deferral:
            yield deferral

    def _deferral(self) -> Deferral | None:
        return None if self._writer is None else self._writer.deferral()

    def _settle(self) -> None:
        """See to it that this thread reads what it has written: other connections see it when it is committed.

        :raises Unavailable: if it could not be stored.
        """
        deferral = self._deferral()
        if deferral is not None and deferral.owed:
            deferral.settle()
            if deferral.owed.is_lost:
                raise Unavailable("the datastore could not store this")

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Give a session that sees one consistent state and must not change anything.

        Inside an open ``begin()`` of the same thread it sees that transaction's changes.
        """
        outer: Session | None = getattr(self._local, "session", None)
        if outer is not None:
            yield outer
            return
        self._settle()
        with _AVAILABLE, Session(self.engine, autoflush=False, expire_on_commit=False) as session:
            yield session

    def revisions(self) -> Mapping[str, int]:
        """Return all revision marks as they are now.

        Every request asks for them, so where that is possible a thread keeps a connection of its own for it.
        """
        outer: Session | None = getattr(self._local, "session", None)
        if outer is not None:
            return revisions.current(outer)
        if (deferral := self._deferral()) is not None and (known := deferral.marks.known) is not None:
            return known  # the transaction that they are of is still open: nobody can have changed them
        self._settle()
        with _AVAILABLE:
            return self._read_revisions()

    def _read_revisions(self) -> Mapping[str, int]:
        if not self.traits.single_writer:
            with self.engine.connect() as connection:
                return dict(connection.execute(revisions.CURRENT).tuples().all())
        return dict(self._own_cursor().execute(self._current_sql).fetchall())

    def glance(self, sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        """Return what the single statement *sql* reads, both in the driver's own words: a tenth of a session's cost.

        Nothing where a thread has no connection of its own for it, as in an open ``begin()``: ``read`` always works.
        """
        if not self.traits.single_writer or getattr(self._local, "session", None) is not None:
            return []
        self._settle()
        with _AVAILABLE:
            rows: list[tuple[Any, ...]] = self._own_cursor().execute(sql, values).fetchall()
            return rows

    def _own_cursor(self) -> Any:  # of the driver
        cursor = getattr(self._local, "cursor", None)
        if cursor is None:
            raw = self.engine.raw_connection()
            self._kept.append(raw)
            cursor = self._local.cursor = raw.cursor()
        return cursor

    def close(self) -> None:
        """Finish open commits and close all connections."""
        for connection in self._kept:
            connection.invalidate()
        if self._writer is not None:
            self._writer.close()
        self.engine.dispose()

    def _transaction(self) -> AbstractContextManager[Connection]:
        return self._patient_transaction() if self._writer is None else self._writer.transaction()

    @contextmanager
    def _patient_transaction(self) -> Iterator[Connection]:
        with self.engine.begin() as connection:
            limit_lock_wait(connection, patience_s())
            yield connection

    def _session(self, connection: Connection) -> _Session:
        """Return a session on *connection*: one that this thread has ended, if there is one."""
        session: _Session | None = getattr(self._local, "unused", None)
        if session is None:
            return _Session(connection)
        self._local.unused = None
        session.bind = connection
        return session


class _Session(Session):
    """A session on a connection whose transaction others begin and end."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection, autoflush=True, expire_on_commit=False, join_transaction_mode="rollback_only")

    def connection(self, *_: Any, **__: Any) -> Connection:
        """Return the connection. A session's own way is to begin a transaction of its own, which takes far longer.

        :raises PendingRollbackError: if a flush has failed, which has ended the transaction.
        """
        if not self.is_active:
            return super().connection()
        assert isinstance(self.bind, Connection)  # noqa: S101 - it is never on anything else
        return self.bind


class _Available:
    """Turns the errors of a database that is out of order into one that says so."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if not isinstance(error, OUT_OF_ORDER):
            return
        if is_deadlock(error):
            raise Deadlock("the datastore is too busy for the moment") from error
        if is_busy(error):
            if patience_s() >= USUAL_S:  # who has less is used to it
                log.warning("datastore.busy")
            raise Busy("another transaction has locked what this needs") from error
        log.exception("datastore.failed")
        raise Unavailable("the datastore is out of order for the moment") from error


_AVAILABLE = _Available()


def is_writing(session: Session) -> bool:
    """Whether *session* is from ``Datastore.begin``: what it sees may be rolled back."""
    return _AFTER_COMMIT in session.info


def after_commit(session: Session, callback: Callable[[], None]) -> None:
    """Call *callback* when the transaction of *session* (from ``Datastore.begin``) is durable; never if it fails."""
    session.info[_AFTER_COMMIT].append(callback)
