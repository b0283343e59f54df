"""Group commit: many transactions on SQLite's one writing connection share one fsync.

A transaction's body runs in its own thread, one body at a time. When it is done the thread lets the next body in and
waits; the committer thread commits all that are done. A failed body undoes only what it has done itself: by a
SAVEPOINT, but for single rows that were inserted before that, which are taken out again. A failed commit fails every
transaction of its batch. A thread that defers does not wait: it goes on with the next transaction, and commits for all
of them (see ``Deferral``).
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import structlog
from sqlalchemy import Connection, Engine, event

from dispatcher.core.errors import Unavailable
from dispatcher.datastore.checkpoints import MOST_PAGES, Checkpoints
from dispatcher.datastore.owed import Batch, Owed
from dispatcher.datastore.revisions import CURRENT, Marks

log = structlog.get_logger(__name__)


class Deferral:
    """Lets the transactions of one thread end before they are durable. Nobody may be told of them until then."""

    def __init__(self, writer: GroupCommit) -> None:
        self._writer = writer
        self.marks = writer.marks
        self.owed = Owed()

    def take(self) -> Owed:
        """Return what the transactions since the last call owe."""
        owed, self.owed = self.owed, Owed()
        return owed

    def settle(self) -> None:
        """Wait until everything that was done by now is on the disk, or has failed."""
        self._writer.commit()


class _Local(threading.local):
    """What each thread has of its own."""

    deferral: Deferral | None = None


class GroupCommit:
    """The writer of a SQLite datastore. ``with`` it a transaction is written; ``close`` ends its threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._turn = threading.Lock()
        self._connection: Connection | None = None
        self._driver: Any = None
        #: The driver's cursor on the connection, for statements that SQLAlchemy's way would make ten times as dear.
        self.cursor: Any = None
        #: Of the open body: whether the database can undo it from some moment on, what rows it inserted before that,
        #: and up to which change of the connection that is all it did.
        self._is_saved = False
        self._inserted: list[tuple[str, int]] = []
        self._changes_before = self._changes_saved = 0
        self._batch = Batch()
        #: As the open transaction sees them; nobody else can change them while it is open.
        self.marks = Marks(self._read_marks)
        self._marks_sql = str(CURRENT.compile(engine))
        self._filled = threading.Semaphore(0)
        self._closed = False
        self._local = _Local()
        self._committer = threading.Thread(target=self._commit_batches, name="datastore-writer", daemon=True)
        self._committer.start()
        self._checkpoints = Checkpoints(engine)

    def __enter__(self) -> Connection:
        """Begin a durable transaction: what the body of ``with`` does is on the disk when that is over.

        :raises Unavailable: if the datastore is closed, or, at the end, if the commit failed: nothing is stored then.
        """
        self._turn.acquire()
        try:
            if self._closed:
                raise Unavailable("the datastore is closed")
            connection = self._open()
            self._is_saved = False
            self._inserted.clear()
            self._changes_before = self._driver.total_changes
        except BaseException:
            self._turn.release()
            raise
        return connection

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        """End it: undo what has failed, else see to it that it is stored."""
        try:
            if error is not None:
                self._undo(error)
                return
            try:
                self._keep()
            except BaseException as failed:
                self._undo(failed)
                raise
            batch = self._batch
            batch.size += 1
            deferral = self.deferral()
            if deferral is None and not batch.is_due:
                self._filled.release()
                batch.is_due = True
        finally:
            self._turn.release()
        if deferral is not None:
            deferral.owed.add(batch)
            return
        batch.done.wait()
        if batch.error is not None:
            raise Unavailable("the datastore could not store this") from batch.error

    def save(self) -> None:
        """See to it that the database can undo what the open transaction does from here on, whatever that is.

        SQLite keeps a copy of each page that is changed after that. For little it takes longer than the change itself.

        :raises sqlite3.Error: if there is no transaction any more.
        """
        self._require()
        if not self._is_saved:
            self.cursor.execute("SAVEPOINT body")
            self._changes_saved = self._driver.total_changes
            self._is_saved = True

    def insert(self, table: str, sql: str, values: Sequence[Any]) -> int:
        """Insert one row into *table*, in the open transaction, by *sql*, in the driver's own words; return its number.

        It needs no ``save``: a row is taken out again by its number.

        :raises sqlite3.Error: if that fails, or there is no transaction any more.
        """
        self._require()
        number: int = self.cursor.execute(sql, values).lastrowid
        if not self._is_saved:
            self._inserted.append((table, number))
        return number

    def insert_all(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Insert *rows*, in the open transaction, by *sql*, in the driver's own words."""
        self.save()
        self.cursor.executemany(sql, rows)

    def deferral(self) -> Deferral | None:
        """Return how the transactions of this thread are deferred; None if each waits for the disk."""
        return self._local.deferral

    @contextmanager
    def deferring(self) -> Iterator[Deferral]:
        """Defer the transactions of this thread until the end, which settles what is left."""
        deferral = self._local.deferral = Deferral(self)
        try:
            yield deferral
        finally:
            self._local.deferral = None
            deferral.settle()

    def commit(self) -> None:
        """Commit what is done, in the calling thread."""
        with self._turn:
            self._commit()

    def close(self) -> None:
        """Commit what is done and end the thread; later transactions are refused."""
        with self._turn:
            self._closed = True
        self._filled.release()
        self._committer.join()
        self._checkpoints.close()

    def _read_marks(self) -> Mapping[str, int]:
        return dict(self.cursor.execute(self._marks_sql).fetchall())

    def _open(self) -> Connection:
        """Return the connection, on which a transaction is open."""
        connection = self._connection or self._connect()
        if not self._driver.in_transaction:
            self.cursor.execute("BEGIN IMMEDIATE")
        return connection

    def _connect(self) -> Connection:
        """Open the connection. To SQLAlchemy it is in one transaction for ever: those that there are cost it too much.

        That one is begun here; the others begin, and all end, by the driver.
        """
        connection = self._engine.connect().execution_options(sqlite_begin="IMMEDIATE")
        try:
            self._driver = connection.connection.dbapi_connection
            self.cursor = self._driver.cursor()
            self.cursor.execute(f"PRAGMA wal_autocheckpoint={MOST_PAGES}")
            connection.begin()
            event.listen(connection, "before_cursor_execute", self._before)
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return connection

    def _before(self, _connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        """Be ready for what SQLAlchemy sends to the connection."""
        if statement.startswith("SELECT "):
            self._require()
        else:
            self.save()

    def _require(self) -> None:
        """See to it that a body goes no further whose transaction SQLite has given up (disk full, say).

        What it did then would be stored by itself, and those that share the commit would not hear of the loss.
        """
        if not self._driver.in_transaction:
            raise sqlite3.OperationalError("the transaction has been ended")

    def _keep(self) -> None:
        """Keep what the body has done.

        :raises sqlite3.Error: if there is no transaction any more, whether the body has noticed that or not.
        """
        self._require()
        if self._is_saved:
            self.cursor.execute("RELEASE body")

    def _undo(self, error: BaseException) -> None:
        """Undo what the body has done that ended in *error*, and nothing else."""
        self.marks.forget()
        if not self._driver.in_transaction:  # it is lost as a whole (disk full, say), and with it the batch
            self._fail(error)
            return
        try:
            if self._batch.size == 0:
                self.cursor.execute("ROLLBACK")
                return
            changes = self._changes_saved if self._is_saved else self._driver.total_changes
            if changes - self._changes_before != len(self._inserted):  # interrupted before it was noted
                self._fail(error)
                return
            if self._is_saved:
                self.cursor.execute("ROLLBACK TO body")
                self.cursor.execute("RELEASE body")
            for table, number in reversed(self._inserted):
                self.cursor.execute(f'DELETE FROM "{table}" WHERE rowid = ?', (number,))  # noqa: S608 - a table of ours
        except BaseException as failed:
            self._fail(failed)
            if not isinstance(failed, Exception):
                raise

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
        self.marks.forget()
        try:
            self._store()
        except Exception as error:  # every kind of failure must reach the waiters
            self._fail(error)
        else:
            self._batch = Batch()
            batch.done.set()
            self._checkpoints.note()

    def _store(self) -> None:
        self.cursor.execute("COMMIT")

    def _fail(self, error: BaseException) -> None:
        """Give *error* to all that wait for the commit, and start anew on a fresh connection."""
        batch, self._batch = self._batch, Batch()
        batch.error = error
        batch.done.set()
        self._drop()

    def _drop(self) -> None:
        self.marks.forget()
        connection, self._connection, self._driver, self.cursor = self._connection, None, None, None
        if connection is None:
            return
        try:
            connection.invalidate()
            connection.close()
        except Exception:  # it is thrown away because it is broken: how broken does not matter
            log.exception("datastore.connection_not_closed")
