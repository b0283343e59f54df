"""Inserting: rows by a statement that is prepared once, and rows that may be there already.

Both on every database; the latter without an error and without a deadlock.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from sqlalchemy import JSON, Boolean, Column, Connection, Dialect, Insert, Integer, Table, insert
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from dispatcher.datastore.base import to_json

#: How many statements for one table are kept.
MOST = 500


class Inserting:
    """Inserts rows into *table*. Safe to share between threads.

    What a row does not name, or has None for, must be a column that may be null, without a default of Python's, or the
    number, which is the database's. Into SQLite they go by the driver itself: SQLAlchemy takes ten times as long as the
    insert.
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        self._insert = insert(table)
        self._prepared: dict[tuple[str, ...], _Prepared] = {}

    def one(self, session: Session, row: Mapping[str, Any]) -> int:
        """Insert *row* into a table whose rows the database numbers; return its number."""
        connection = session.connection()
        if connection.dialect.name == "sqlite":
            given = _given(row)
            prepared = self._prepare(connection.dialect, tuple(given))
            try:
                return int(_driver(connection).execute(prepared.sql, prepared.values(given)).lastrowid)
            except sqlite3.Error as error:
                raise _as_usual(error, prepared.sql) from error
        key = connection.execute(self._insert, row).inserted_primary_key
        assert key is not None  # noqa: S101 - every database gives the key of a row that was inserted alone
        return int(key[0])

    def all(self, session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert *rows*, all of which name the same columns, in order."""
        connection = session.connection()
        if not rows:
            return
        if connection.dialect.name != "sqlite":
            connection.execute(self._insert, rows)
            return
        for names, alike in groupby(map(_given, rows), tuple):
            prepared = self._prepare(connection.dialect, names)
            try:
                _driver(connection).executemany(prepared.sql, [prepared.values(given) for given in alike])
            except sqlite3.Error as error:
                raise _as_usual(error, prepared.sql) from error

    def _prepare(self, dialect: Dialect, names: tuple[str, ...]) -> _Prepared:
        """Return the statement for rows with these columns: few of those that may be null go together."""
        prepared = self._prepared.get(names)
        if prepared is None:  # alike for every datastore: whoever is second makes the same
            columns = [column for column in self._table.columns if column.key in names]  # as the statement has them
            sql = str(self._insert.compile(dialect=dialect, column_keys=names))
            binds = [(place, _bind(column, dialect)) for place, column in enumerate(columns)]
            if len(self._prepared) >= MOST:
                self._prepared.clear()
            prepared = self._prepared[names] = _Prepared(
                sql, [column.key for column in columns], [(place, bind) for place, bind in binds if bind]
            )
        return prepared


class _Prepared(NamedTuple):
    """A statement in the driver's own words, its columns, and what turns their values into what that is given."""

    sql: str
    names: list[str]
    binds: list[tuple[int, Callable[[Any], Any]]]  #: by place

    def values(self, given: Mapping[str, Any]) -> list[Any]:
        values = [given[name] for name in self.names]
        for place, bind in self.binds:
            values[place] = bind(values[place])
        return values


def _given(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what *row* has: the driver takes as long for nothing as for something."""
    return {name: value for name, value in row.items() if value is not None}


def _bind(column: Column[Any], dialect: Dialect) -> Callable[[Any], Any] | None:
    """Return what turns a value, which is not null, of *column* into what the driver is given."""
    if isinstance(column.type, (Boolean, Integer)):
        return int  # of a flag, or of a member of an enumeration: the driver would look for an adapter of its type
    if isinstance(column.type, JSON):
        return to_json
    return column.type.dialect_impl(dialect).bind_processor(dialect)


def _driver(connection: Connection) -> Any:
    return connection.connection.dbapi_connection


def _as_usual(error: sqlite3.Error, sql: str) -> Exception:
    """Return the driver's *error* as SQLAlchemy's, which callers know. What was inserted is not in it."""
    return DBAPIError.instance(sql, None, error, sqlite3.Error, hide_parameters=True)


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
