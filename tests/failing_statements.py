"""Statements that fail: the n-th that one thread sends to a database ends in an error, as if the database had failed.

Also those that go by SQLite's driver itself are counted.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event
from sqlalchemy.exc import DatabaseError

from dispatcher.datastore.transactions import Datastore

#: What a statement that was to fail ends in: the error of SQLite's driver, or what SQLAlchemy makes of such.
STATEMENT_FAILED = (sqlite3.DatabaseError, DatabaseError)


class Failing:
    """Counts statements from ``counting`` on, and lets one of them fail."""

    def __init__(self) -> None:
        self.sent = 0
        self._fails_at: int | None = None
        self._thread: int | None = None

    @contextmanager
    def counting(self, fails_at: int | None = None) -> Iterator[None]:
        """Count what this thread sends meanwhile; the statement *fails_at*, from 0, fails, and no other one."""
        self.sent, self._fails_at, self._thread = 0, fails_at, threading.get_ident()
        try:
            yield
        finally:
            self._thread = None

    def note(self) -> None:
        """Count a statement."""
        if threading.get_ident() != self._thread:
            return
        number, self.sent = self.sent, self.sent + 1
        if number == self._fails_at:
            raise sqlite3.DatabaseError("it was to fail")


def failing(datastore: Datastore) -> Failing:
    """Return what counts the statements of *datastore*, which has not been used yet."""
    failing = Failing()
    if not datastore.traits.single_writer:

        @event.listens_for(datastore.engine, "before_cursor_execute")
        def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
            try:
                failing.note()
            except sqlite3.DatabaseError as error:
                raise DatabaseError(statement, None, error) from error

        return failing

    class Cursor(sqlite3.Cursor):
        def execute(self, *args: Any) -> Any:
            failing.note()
            return super().execute(*args)

        def executemany(self, *args: Any) -> Any:
            failing.note()
            return super().executemany(*args)

    class Connection(sqlite3.Connection):
        def cursor(self, _factory: Any = None) -> Any:
            return super().cursor(Cursor)

        def execute(self, *args: Any) -> Any:
            return self.cursor().execute(*args)

        def executemany(self, *args: Any) -> Any:
            return self.cursor().executemany(*args)

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(str(datastore.url.database), check_same_thread=False, factory=Connection)

    datastore.engine.pool._creator = connect
    return failing
