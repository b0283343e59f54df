"""One suite over every database: here ``datastore`` is each of them in turn."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cheap_passwords import cheap_passwords
from database_servers import Server

from dispatcher.core.permissions import SYSTEM, Caller, Right
from dispatcher.core.ports import Ports
from dispatcher.datastore.engines import parse_url
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.hall import Hall
from dispatcher.services.logins import Logins
from dispatcher.services.roles import Roles


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def database(request: pytest.FixtureRequest) -> str:
    """The name of a database."""
    return str(request.param)


@pytest.fixture
def server(database: str, request: pytest.FixtureRequest) -> Server | None:
    """The server of the database; SQLite has none."""
    return None if database == "sqlite" else request.getfixturevalue(f"{database}_server")


@pytest.fixture
def database_url(server: Server | None, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database."""
    if server is None:
        yield f"sqlite:///{tmp_path / 'empty.db'}"
        return
    url = server.create()
    yield url
    server.drop(url)


@pytest.fixture
def datastore(server: Server | None, empty_database: bytes, tmp_path: Path) -> Iterator[Datastore]:
    if server is None:
        file = tmp_path / "test.db"
        file.write_bytes(empty_database)
        url = f"sqlite:///{file}"
    else:
        url = server.create_migrated()
    opened = Datastore(parse_url(url))
    yield opened
    opened.close()
    if server is not None:
        server.drop(url)


@pytest.fixture
def logins(datastore: Datastore, ports: Ports) -> Logins:
    logins = Logins(datastore, ports, cheap_passwords())
    logins.add("admin", "pw", SYSTEM)
    logins.add("bob", "pw", SYSTEM)
    return logins


@pytest.fixture
def bob(hall: Hall, logins: Logins, roles: Roles) -> Callable[..., Caller]:
    """Grants a role of bob's what is given; returns bob as his next request has him."""
    roles.add("Helpdesk", SYSTEM)
    roles.give("helpdesk", "BOB", SYSTEM)

    def bob(grants: dict[str, Right | None] | None = None, role: str = "Helpdesk") -> Caller:
        for text, right in (grants or {}).items():
            roles.grant(role, right, text, SYSTEM)
        return hall.security.authenticate("Basic " + base64.b64encode(b"bob:pw").decode(), "127.0.0.1")

    return bob
