"""Inserting: rows by a statement that is prepared once, and rows that may be there already.

Both on every database; the latter without an error and without a deadlock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Insert, Table, insert
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.orm import Session

from dispatcher.datastore.direct import WRITER, DirectInserting


class Inserting:
    """Inserts rows into *table*. Safe to share between threads.

    What a row does not name, or has None for, must be a column that may be null, without a default of Python's, or the
    number, which is the database's. Into SQLite they go by the driver itself: SQLAlchemy takes ten times as long as the
    insert.
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        self._insert = insert(table)
        self._direct: DirectInserting | None = None

    def one(self, session: Session, row: Mapping[str, Any]) -> int:
        """Insert *row* into a table whose rows the database numbers; return its number."""
        writer = session.info.get(WRITER)
        if writer is not None and session.is_active:
            return self._directly(session).one(writer, row)
        key = session.connection().execute(self._insert, row).inserted_primary_key
        assert key is not None  # noqa: S101 - every database gives the key of a row that was inserted alone
        return int(key[0])

    def all(self, session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert *rows*, all of which name the same columns, in order."""
        if not rows:
            return
        writer = session.info.get(WRITER)
        if writer is not None and session.is_active:
            self._directly(session).all(writer, rows)
        else:
            session.connection().execute(self._insert, rows)

    def _directly(self, session: Session) -> DirectInserting:
        if self._direct is None:  # alike for every datastore: whoever is second makes the same
            self._direct = DirectInserting(self._table, session.get_bind().dialect)
        return self._direct


def insert_if_missing(session: Session, table: Any, row: Mapping[str, Any]) -> None:
    """Insert *row* into *table* unless there is one with its primary key.

    Where another transaction is inserting that very row, this waits until it has ended.
    """
    session.connection().execute(_statement(session.get_bind().dialect.name, table), row)


def insert_all_missing(session: Session, table: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert those of *rows* into *table* whose primary keys are not there, as ``insert_if_missing`` does."""
    if rows:
        session.connection().execute(_statement(session.get_bind().dialect.name, table), rows)


def _statement(dialect: str, table: Any) -> Insert:
    if dialect == "sqlite":
        return sqlite.insert(table).on_conflict_do_nothing()
    if dialect == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing()
    # Not INSERT IGNORE: that leaves a shared lock, and two that wait would wait for each other.
    column = table.primary_key.columns[0]
    return mysql.insert(table).on_duplicate_key_update({column.name: column})
