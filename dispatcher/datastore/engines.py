"""Engines: how each database is opened, and the traits in which databases differ."""

from __future__ import annotations

import os
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.pool import QueuePool

from dispatcher.core.errors import Conflict
from dispatcher.core.patience import USUAL_S
from dispatcher.datastore.base import to_json


class DriverMissing(Conflict):
    """The Python driver of the database is not installed."""

    code = "datastore.driver_missing"

    def __init__(self, driver: str, extra: str) -> None:
        super().__init__(f"the driver {driver} is not installed: pip install 'dispatcher[{extra}]'", driver=driver)


@dataclass(frozen=True, slots=True)
class Traits:
    """What a database can do. Queries ask these, never the dialect's name."""

    #: One writer at a time: writes are gathered into group commits on one connection.
    single_writer: bool
    #: ``FOR UPDATE SKIP LOCKED`` is understood.
    skip_locked: bool
    #: ``LISTEN`` and ``NOTIFY``: a process can wake others.
    notifies: bool = False
    #: The collation by which texts are equal only if they are written alike, where that is not the usual one.
    exact_collation: str | None = None


_TRAITS = {
    "sqlite": Traits(single_writer=True, skip_locked=False),
    "postgresql": Traits(single_writer=False, skip_locked=True, notifies=True),
    # MariaDB knows SKIP LOCKED from 10.6 on; older ones are refused by ``open_engine``'s first query.
    "mysql": Traits(single_writer=False, skip_locked=True, exact_collation="utf8mb4_bin"),
    "mariadb": Traits(single_writer=False, skip_locked=True, exact_collation="utf8mb4_bin"),
}

#: How long a writer waits for another process (a command-line tool, say) to finish, in milliseconds.
SQLITE_BUSY_MS = int(USUAL_S * 1000)

#: How long a transaction may stand still before the database ends it, in seconds: a process that is paused keeps its
#: locks no longer. Less than a lease: what agents hold is not lost meanwhile.
STANDSTILL_S = 20


#: Where a connection to MariaDB remembers for how long it waits.
_LOCK_WAIT = "lock_wait_s"
_POSTGRESQL_SESSION = (
    "SELECT set_config('lock_timeout', '{wait_s}s', false),"
    " set_config('idle_in_transaction_session_timeout', '{standstill_s}s', false)"
)
_MARIADB_SESSION = (
    "SET SESSION innodb_lock_wait_timeout = {wait_s} /*M! , SESSION idle_transaction_timeout = {standstill_s} */"
)


def traits_of(engine: Engine) -> Traits:
    """Return the traits of the database behind *engine*."""
    return _TRAITS[engine.dialect.name]


def traits_of_url(url: URL) -> Traits:
    """Return the traits of the database that *url* (from ``parse_url``) names."""
    return _TRAITS[url.get_backend_name()]


#: The SQL states by which PostgreSQL and MariaDB tell of a deadlock.
_DEADLOCKS = ("40P01", "40001")


def is_deadlock(error: BaseException) -> bool:
    """Whether *error* is that of a transaction that the database has ended for the sake of another one."""
    driver = getattr(error, "orig", None)
    # PyMySQL before 1.2 knows the number only.
    return getattr(driver, "sqlstate", None) in _DEADLOCKS or getattr(driver, "args", ())[:1] == (1213,)


def is_busy(error: BaseException) -> bool:
    """Whether *error* is that of a statement that has waited for a lock for as long as it may."""
    driver = getattr(error, "orig", None)
    # PostgreSQL by its SQL state, MariaDB by a number: its state says nothing.
    return getattr(driver, "sqlstate", None) == "55P03" or getattr(driver, "args", ())[:1] == (1205,)


def parse_url(text: str) -> URL:
    """Return the datastore URL in *text*.

    :raises ValueError: if it is no URL or names a database that Dispatcher does not know.
    """
    try:
        url = make_url(text)
    except Exception as error:
        raise ValueError(f"datastore {text!r} is no database URL") from error
    if url.get_backend_name() not in _TRAITS:
        raise ValueError(f"datastore {url.get_backend_name()!r} is none of {', '.join(sorted(_TRAITS))}")
    return url


def open_engine(url: URL, *, pool_size: int = 20) -> Engine:
    """Return an engine for *url*, durable on every commit; nothing is connected yet."""
    options: dict[str, Any] = {
        "json_serializer": to_json,
        "json_deserializer": orjson.loads,
        "pool_size": pool_size,
        # What callers sent must not reach the log by way of an error.
        "hide_parameters": True,
    }
    backend = url.get_backend_name()
    if backend == "sqlite":
        if url.database:
            _make_private(Path(url.database))
        # A connection is handed from thread to thread, never used by two at once.
        # There are as many as there are threads, and they cost next to nothing.
        options |= {"poolclass": QueuePool, "max_overflow": -1, "connect_args": {"check_same_thread": False}}
    else:
        options |= {"pool_pre_ping": True, "max_overflow": 20}
        if backend != "postgresql":
            options["connect_args"] = {"charset": "utf8mb4"}
            # As on PostgreSQL: what is read under a lock is what was committed before the lock was granted, not what
            # there was when the transaction began.
            options["isolation_level"] = "READ COMMITTED"
    try:
        engine = create_engine(url, **options)
    except ModuleNotFoundError as error:
        extra = "mariadb" if backend.startswith("m") else backend
        raise DriverMissing(error.name or backend, extra) from None
    if backend == "sqlite":
        _prepare_sqlite(engine)
    else:
        _prepare_server(engine, _POSTGRESQL_SESSION if backend == "postgresql" else _MARIADB_SESSION)
    return engine


def limit_lock_wait(connection: Connection, seconds: float) -> None:
    """Let the transaction that *connection* has begun wait no longer than *seconds* for each lock.

    MariaDB counts whole seconds: less than one is not at all. SQLite has no locks to wait for inside a transaction.
    """
    if connection.dialect.name == "postgresql":
        if seconds != USUAL_S:  # ends with the transaction
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = {max(1, round(seconds * 1000))}")
    elif connection.dialect.name != "sqlite" and connection.info.get(_LOCK_WAIT, USUAL_S) != seconds:
        connection.exec_driver_sql(f"SET SESSION innodb_lock_wait_timeout = {int(seconds)}")
        connection.info[_LOCK_WAIT] = seconds


def _make_private(file: Path) -> None:
    """Create *file* and its folder, where missing, for nobody else to read; SQLite's other files follow it."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not file.exists():
        os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))


def _use_wal(connection: Any) -> None:
    """Let *connection* use the write-ahead log; the first one to a new file makes it so for all."""
    # Several may be the first: whoever meets another one that is changing the file is told so at once, without waiting.
    deadline = time.monotonic() + SQLITE_BUSY_MS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.005)


def _prepare_server(engine: Engine, statement: str) -> None:
    @event.listens_for(engine, "connect")
    def set_limits(connection: Any, _record: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute(statement.format(wait_s=int(USUAL_S), standstill_s=STANDSTILL_S))
        connection.commit()


def _prepare_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def set_pragmas(connection: Any, _record: object) -> None:
        # The driver must not begin transactions of its own: ours are explicit (see ``transactions``).
        connection.isolation_level = None
        _use_wal(connection)
        for pragma in (
            "synchronous=FULL",
            "foreign_keys=ON",
            f"busy_timeout={SQLITE_BUSY_MS}",
            "temp_store=MEMORY",
            "cache_size=-16384",
            "journal_size_limit=67108864",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        mode = connection.get_execution_options().get("sqlite_begin", "")
        connection.exec_driver_sql(f"BEGIN {mode}".strip())
