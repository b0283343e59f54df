"""Inserting: rows by a statement that is prepared once, and rows that may be there already.

Both on every database; the latter without an error and without a deadlock.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from sqlalchemy import Connection, Dialect, Insert, Table, insert
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session


class Inserting:
    """Inserts rows into *table*, all of which name the same columns. Safe to share between threads.

    What a row does not name must be a column that may be null, or the number, which is the database's. Into SQLite they
    go by the driver itself: SQLAlchemy takes ten times as long as the insert.
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        self._insert = insert(table)
        self._prepared: _Prepared | None = None

    def one(self, session: Session, row: Mapping[str, Any]) -> int:
        """Insert *row* into a table whose rows the database numbers; return its number."""
        connection = session.connection()
        if connection.dialect.name == "sqlite":
            prepared = self._prepare(connection.dialect)
            with _as_usual(prepared.sql):
                return int(_driver(connection).execute(prepared.sql, prepared.values(row)).lastrowid)
        key = connection.execute(self._insert, row).inserted_primary_key
        assert key is not None  # noqa: S101 - every database gives the key of a row that was inserted alone
        return int(key[0])

    def all(self, session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert *rows*, in order."""
        connection = session.connection()
        if not rows:
            return
        if connection.dialect.name == "sqlite":
            prepared = self._prepare(connection.dialect)
            with _as_usual(prepared.sql):
                _driver(connection).executemany(prepared.sql, [prepared.values(row) for row in rows])
        else:
            connection.execute(self._insert, rows)

    def _prepare(self, dialect: Dialect) -> _Prepared:
        prepared = self._prepared
        if prepared is None:  # alike for every datastore: whoever is second makes the same
            columns = [column for column in self._table.columns if column is not self._table.autoincrement_column]
            sql = str(self._insert.compile(dialect=dialect, column_keys=[column.key for column in columns]))
            binds = [column.type.dialect_impl(dialect).bind_processor(dialect) for column in columns]
            names = [column.key for column in columns]
            prepared = self._prepared = _Prepared(sql, list(zip(names, binds, strict=True)))
        return prepared


class _Prepared(NamedTuple):
    """A statement in the driver's own words, and what turns each of its columns, in order, into what that is given."""

    sql: str
    columns: list[tuple[str, Callable[[Any], Any] | None]]

    def values(self, row: Mapping[str, Any]) -> list[Any]:
        get = row.get
        return [get(name) if bind is None else bind(get(name)) for name, bind in self.columns]


def _driver(connection: Connection) -> Any:
    return connection.connection.dbapi_connection


@contextmanager
def _as_usual(sql: str) -> Iterator[None]:
    """Turn the driver's errors into SQLAlchemy's, which callers know. What was inserted is not in them."""
    try:
        yield
    except sqlite3.Error as error:
        raise DBAPIError.instance(sql, None, error, sqlite3.Error, hide_parameters=True) from error


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
