"""Statements are compiled once for all tests that run in a process, as they are once for a server: not once per test.

SQLAlchemy keeps them by engine and dialect, and every test has engines of its own. Loaded as a pytest plugin by
``conftest``.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import URL, Dialect, Engine, create_engine, event
from sqlalchemy.util import LRUCache

from dispatcher.datastore import engines

#: By the name of the database: the dialect of the first engine that was connected, and what was compiled for it.
_dialects: dict[str, Dialect] = {}
_compiled: dict[str, LRUCache] = {}


def _create_engine(url: URL, **options: Any) -> Engine:
    """Create an engine that uses what has been compiled for others of the same database."""
    engine = create_engine(url, **options)
    name, own = engine.dialect.name, engine.dialect

    @event.listens_for(engine, "connect", once=True)
    def ask_by_it(*_: object) -> None:
        # Only now does it know which server it talks to.
        _dialects.setdefault(name, own)

    engine.dialect = _dialects.get(name, own)
    if name == "mysql":
        # The one thing that a dialect knows of a database, not of its server. A test uses one at a time.
        engine.dialect.default_schema_name = url.database
    engine.update_execution_options(compiled_cache=_compiled.setdefault(name, LRUCache(2_000)))
    return engine


engines.create_engine = _create_engine  # type: ignore[assignment]
