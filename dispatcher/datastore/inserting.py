"""Inserting: rows that may be there already, on every database without an error and without a deadlock."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Insert
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.orm import Session


def insert_if_missing(session: Session, table: Any, row: Mapping[str, Any]) -> None:
    """Insert *row* into *table* unless there is one with its primary key.

    Where another transaction is inserting that very row, this waits until it has ended.
    """
    session.connection().execute(_statement(session.get_bind().dialect.name, table), row)


def _statement(dialect: str, table: Any) -> Insert:
    if dialect == "sqlite":
        return sqlite.insert(table).on_conflict_do_nothing()
    if dialect == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing()
    # Not INSERT IGNORE: that leaves a shared lock, and two that wait would wait for each other.
    column = table.primary_key.columns[0]
    return mysql.insert(table).on_duplicate_key_update({column.name: column})
