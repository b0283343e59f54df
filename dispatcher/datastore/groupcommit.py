"""Group commit: many transactions on SQLite's one writing connection share one fsync.

A transaction's body runs in its own thread inside a SAVEPOINT, one body at a time. When it is done the thread lets
the next body in and waits; the committer thread commits all that are done. A failed body rolls back only its own
savepoint; a failed commit fails every transaction of its batch.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from sqlalchemy import Connection, Engine

from dispatcher.core.errors import Unavailable

log = structlog.get_logger(__name__)


class _Batch:
    """The transactions that share the next commit."""

    __slots__ = ("done", "error", "size")

    def __init__(self) -> None:
        self.done = threading.Event()
        self.error: Exception | None = None
        self.size = 0


class GroupCommit:
    """The writer of a SQLite datastore. ``close`` ends its thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._turn = threading.Lock()
        self._connection: Connection | None = None
        self._batch = _Batch()
        self._filled = threading.Semaphore(0)
        self._closed = False
        self._committer = threading.Thread(target=self._commit_batches, name="datastore-writer", daemon=True)
        self._committer.start()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Run the body as one durable transaction: when this returns, its changes are on the disk.

        :raises Unavailable: if the datastore is closed, or the commit failed: nothing of the body is stored then.
        """
        with self._turn:
            if self._closed:
                raise Unavailable("the datastore is closed")
            connection = self._open()
            self._execute(connection, "SAVEPOINT body")
            try:
                yield connection
            except BaseException:
                self._undo(connection)
                raise
            self._execute(connection, "RELEASE body")
            batch = self._batch
            batch.size += 1
            if batch.size == 1:
                self._filled.release()
        batch.done.wait()
        if batch.error is not None:
            raise Unavailable("the datastore could not store this") from batch.error

    def close(self) -> None:
        """Commit what is done and end the thread; later transactions are refused."""
        with self._turn:
            self._closed = True
        self._filled.release()
        self._committer.join()

    def _open(self) -> Connection:
        connection = self._connection
        if connection is None:
            connection = self._engine.connect().execution_options(sqlite_begin="IMMEDIATE")
            self._connection = connection
        if not connection.in_transaction():
            connection.begin()
        return connection

    @staticmethod
    def _execute(connection: Connection, statement: str) -> None:
        # By the driver itself: SQLAlchemy's way costs ten times as much, twice in every transaction.
        driver = connection.connection.dbapi_connection
        assert driver is not None  # noqa: S101 - the connection is open
        driver.cursor().execute(statement)

    def _undo(self, connection: Connection) -> None:
        try:
            self._execute(connection, "ROLLBACK TO body")
            self._execute(connection, "RELEASE body")
            if self._batch.size == 0:
                connection.rollback()
        except Exception as error:  # the whole transaction is lost (disk full, say), and with it the batch
            self._fail(error)

    def _commit_batches(self) -> None:
        while True:
            self._filled.acquire()
            with self._turn:
                self._commit()
                if self._closed:
                    self._drop()
                    return

    def _commit(self) -> None:
        batch = self._batch
        if batch.size == 0 or self._connection is None:
            return
        try:
            self._connection.commit()
        except Exception as error:  # every kind of failure must reach the waiters
            self._fail(error)
        else:
            self._batch = _Batch()
            batch.done.set()

    def _fail(self, error: Exception) -> None:
        """Give *error* to all that wait for the commit, and start anew on a fresh connection."""
        batch, self._batch = self._batch, _Batch()
        batch.error = error
        batch.done.set()
        self._drop()

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            connection.invalidate()
            connection.close()
        except Exception:  # it is thrown away because it is broken: how broken does not matter
            log.exception("datastore.connection_not_closed")
