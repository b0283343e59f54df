"""Statements: what is sent to a database, for tests of how much that is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from dispatcher.datastore.transactions import Datastore


@contextmanager
def statements(datastore: Datastore) -> Iterator[list[str]]:
    """Gather what SQLAlchemy sends meanwhile."""
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    event.listen(datastore.engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(datastore.engine, "before_cursor_execute", note)
