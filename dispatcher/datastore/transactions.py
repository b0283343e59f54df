"""Transactions: the one way into the datastore, for writing and for reading."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType
from typing import Any

import structlog
from sqlalchemy import URL, Connection, PoolProxiedConnection
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session, SessionTransaction

from dispatcher.core.errors import Busy, Deadlock, Unavailable
from dispatcher.core.patience import USUAL_S, patience_s
from dispatcher.datastore import revisions
from dispatcher.datastore.direct import WRITER
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
        self._local = _Local()
        self._kept: list[PoolProxiedConnection] = []
        self._current_sql = str(revisions.CURRENT.compile(self.engine))

    def begin(self) -> AbstractContextManager[Session]:
        """Give a session for writing; commit durably at the end, roll back on any exception.

        Inside an open ``begin()`` of the same thread this joins it: the outermost one commits.
        What was given to ``after_commit`` is called once the changes are on the disk.

        :raises Busy: if another transaction has locked something for longer than ``patience_s`` says.
        """
        return _Writing(self._local, self._transaction(), self._writer)

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
        if (outer := self._local.session) is not None:
            yield outer
            return
        self._settle()
        try:
            with Session(self.engine, autoflush=False, expire_on_commit=False) as session:
                yield session
        except OUT_OF_ORDER as error:
            raise _as_told(error) from error

    def revisions(self) -> Mapping[str, int]:
        """Return all revision marks as they are now.

        Every request asks for them, so where that is possible a thread keeps a connection of its own for it.
        """
        if (outer := self._local.session) is not None:
            return revisions.current(outer)
        if (deferral := self._deferral()) is not None and (known := deferral.marks.known) is not None:
            return known  # the transaction that they are of is still open: nobody can have changed them
        self._settle()
        try:
            return self._read_revisions()
        except OUT_OF_ORDER as error:
            raise _as_told(error) from error

    def _read_revisions(self) -> Mapping[str, int]:
        if not self.traits.single_writer:
            with self.engine.connect() as connection:
                return dict(connection.execute(revisions.CURRENT).tuples().all())
        return dict(self._own_cursor().execute(self._current_sql).fetchall())

    def glance(self, sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        """Return what the single statement *sql* reads, both in the driver's own words: a tenth of a session's cost.

        Nothing where a thread has no connection of its own for it, as in an open ``begin()``: ``read`` always works.
        """
        if not self.traits.single_writer or self._local.session is not None:
            return []
        self._settle()
        try:
            rows: list[tuple[Any, ...]] = self._own_cursor().execute(sql, values).fetchall()
        except OUT_OF_ORDER as error:
            raise _as_told(error) from error
        return rows

    def _own_cursor(self) -> Any:  # of the driver
        cursor = self._local.cursor
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
        return self._patient_transaction() if self._writer is None else self._writer

    @contextmanager
    def _patient_transaction(self) -> Iterator[Connection]:
        with self.engine.begin() as connection:
            limit_lock_wait(connection, patience_s())
            yield connection


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

    def begin_nested(self) -> SessionTransaction:
        """Refused: what goes by ``connection`` would not be in it. That has a ``begin_nested`` of its own."""
        raise NotImplementedError("connection().begin_nested() is meant")


class _Local(threading.local):
    """What each thread has of its own."""

    session: Session | None = None  #: of the transaction that is open
    unused: _Session | None = None  #: of one that has ended
    cursor: Any = None  #: of the driver, to read by


class _Writing:
    """One ``Datastore.begin``. Most that is stored is little: a generator for this would cost more than that."""

    __slots__ = ("_joined", "_local", "_session", "_transaction", "_writer")

    def __init__(
        self, local: _Local, transaction: AbstractContextManager[Connection], writer: GroupCommit | None
    ) -> None:
        self._local = local
        self._transaction = transaction
        self._writer = writer

    def __enter__(self) -> Session:
        local, writer = self._local, self._writer
        self._joined = local.session
        if self._joined is not None:
            return self._joined
        try:
            connection = self._transaction.__enter__()
        except OUT_OF_ORDER as error:
            raise _as_told(error) from error
        session = local.unused
        if session is None:
            session = _Session(connection)
        else:
            local.unused = None
            session.bind = connection
        session.info[_AFTER_COMMIT] = []
        if writer is not None:
            session.info[revisions.MARKS] = writer.marks
            session.info[WRITER] = writer
        self._session = local.session = session
        return session

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._joined is not None:
            if error is None:
                self._joined.flush()
            return
        callbacks: list[Callable[[], None]] = self._session.info[_AFTER_COMMIT]
        try:
            try:
                self._leave(error)
            except BaseException as failed:
                self._transaction.__exit__(type(failed), failed, failed.__traceback__)
                raise
            self._transaction.__exit__(kind, error, trace)
        except OUT_OF_ORDER as failed:
            raise _as_told(failed) from failed
        if error is None:
            self._follow(callbacks)
        elif isinstance(error, OUT_OF_ORDER):
            raise _as_told(error) from error

    def _leave(self, error: BaseException | None) -> None:
        """End the session: write what it has yet to write, unless there was an *error*."""
        session, local = self._session, self._local
        try:
            if error is None:
                if session.in_transaction():  # else all was said to the connection itself
                    session.flush()
                local.unused = session
        finally:
            local.session = None
            session.info.clear()
            if session.in_transaction():
                session.close()  # without touching the connection's transaction, which is ended after this

    def _follow(self, callbacks: list[Callable[[], None]]) -> None:
        """Call these, now that the transaction has ended, or when it is on the disk."""
        if self._writer is not None and (deferral := self._writer.deferral()) is not None:
            deferral.owed.then(callbacks)
            return
        for callback in callbacks:
            callback()


def _as_told(error: BaseException) -> Exception:
    """Return what is told of *error*, by which a database is out of order."""
    if is_deadlock(error):
        return Deadlock("the datastore is too busy for the moment")
    if is_busy(error):
        if patience_s() >= USUAL_S:  # who has less is used to it
            log.warning("datastore.busy")
        return Busy("another transaction has locked what this needs")
    log.error("datastore.failed", exc_info=error)
    return Unavailable("the datastore is out of order for the moment")


def is_writing(session: Session) -> bool:
    """Whether *session* is from ``Datastore.begin``: what it sees may be rolled back."""
    return _AFTER_COMMIT in session.info


def after_commit(session: Session, callback: Callable[[], None]) -> None:
    """Call *callback* when the transaction of *session* (from ``Datastore.begin``) is durable; never if it fails."""
    session.info[_AFTER_COMMIT].append(callback)
