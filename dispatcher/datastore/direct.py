"""Direct: rows into SQLite by its driver alone, as SQLAlchemy would give them to it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import JSON, Boolean, Column, Dialect, Integer, Table
from sqlalchemy.exc import DBAPIError

from dispatcher.datastore.base import Key, to_json
from dispatcher.datastore.groupcommit import GroupCommit

#: Where a session has the writer by which rows may be inserted; others have none.
WRITER = "writer"
#: How many statements for one table are kept.
MOST = 500


class DirectInserting:
    """Inserts rows into *table* of a database of *dialect*, which is SQLite's. Safe to share between threads.

    Columns that are null are not named: the driver takes as long for nothing as for something. Which those are is found
    by the function that is written for the table, while it reads the others.
    """

    def __init__(self, table: Table, dialect: Dialect) -> None:
        self._table = table
        self._quote = dialect.identifier_preparer.quote
        self._optional = [one for one in table.columns if _is_optional(one)]
        self._required = [one for one in table.columns if not _is_optional(one)]
        self._read = _reader(self._required, self._optional, dialect)
        self._statements: dict[int, str] = {}

    def one(self, writer: GroupCommit, row: Mapping[str, Any]) -> int:
        """Insert *row* by *writer*; return its number."""
        present, values = self._read(row)
        sql = self._statements.get(present) or self._statement(present)
        try:
            return writer.insert(self._table.name, sql, values)
        except sqlite3.Error as error:
            raise _as_usual(error, sql) from error

    def all(self, writer: GroupCommit, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert *rows*, all of which name the same columns, by *writer*, in order."""
        if len(rows) == 1:
            self.one(writer, rows[0])
            return
        for present, alike in groupby(map(self._read, rows), itemgetter(0)):
            sql = self._statements.get(present) or self._statement(present)
            try:
                writer.insert_all(sql, map(itemgetter(1), alike))
            except sqlite3.Error as error:
                raise _as_usual(error, sql) from error

    def _statement(self, present: int) -> str:
        """Return the statement for rows that have, of the optional columns, those that *present* says."""
        columns = self._required + [one for bit, one in enumerate(self._optional) if present >> bit & 1]
        names, marks = ", ".join(self._quote(one.name) for one in columns), ", ".join("?" * len(columns))
        if len(self._statements) >= MOST:
            self._statements.clear()
        sql = self._statements[present] = f"INSERT INTO {self._quote(self._table.name)} ({names}) VALUES ({marks})"  # noqa: S608
        return sql


def _is_optional(column: Column[Any]) -> bool:
    return bool(column.nullable) or column is column.table.autoincrement_column


def _reader(
    required: Sequence[Column[Any]], optional: Sequence[Column[Any]], dialect: Dialect
) -> Callable[[Mapping[str, Any]], tuple[int, list[Any]]]:
    """Return what reads rows: the *optional* columns that are there, by bits, and the values as the driver gets them.

    Those of the *required* columns come first.
    """
    space: dict[str, Any] = {"to_json": to_json}
    always = ", ".join(_given(one, f"row[{one.key!r}]", space, dialect) for one in required)
    lines = ["def read(row):", f" values = [{always}]", " present = 0"]
    for bit, one in enumerate(optional):
        lines += [
            f" value = row.get({one.key!r})",
            " if value is not None:",
            f"  present |= {1 << bit}",
            f"  values.append({_given(one, 'value', space, dialect)})",
        ]
    exec("\n".join([*lines, " return present, values"]), space)  # noqa: S102 - made of our own tables
    read: Callable[[Mapping[str, Any]], tuple[int, list[Any]]] = space["read"]
    return read


def _given(column: Column[Any], value: str, space: dict[str, Any], dialect: Dialect) -> str:
    """Return the source of what the driver is given for *value*, itself the source of a value of *column*.

    For whatever is neither a plain number, a text nor a ``bytearray`` the driver first looks for an adapter, in vain.
    """
    if isinstance(column.type, (Boolean, Integer)):
        return f"+{value}"  # of a flag, or of a member of an enumeration
    if isinstance(column.type, Key):
        return f"bytearray({value}.int.to_bytes(16))"
    if isinstance(column.type, JSON):
        return f"None if {value} is None else to_json({value})"
    bind = column.type.dialect_impl(dialect).bind_processor(dialect)
    if bind is None:
        return value
    space[f"bind_{column.key}"] = bind
    return f"bind_{column.key}({value})"


def _as_usual(error: sqlite3.Error, sql: str) -> Exception:
    """Return the driver's *error* as SQLAlchemy's, which callers know. What was inserted is not in it."""
    return DBAPIError.instance(sql, None, error, sqlite3.Error, hide_parameters=True)
