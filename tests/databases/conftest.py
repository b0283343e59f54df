"""One suite over every database: here ``datastore`` is each of them in turn."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cheap_passwords import cheap_passwords

from dispatcher.core.permissions import SYSTEM, Caller, Right
from dispatcher.core.ports import Ports
from dispatcher.datastore import schema
from dispatcher.datastore.engines import parse_url
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.hall import Hall
from dispatcher.services.logins import Logins
from dispatcher.services.roles import Roles


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'test.db'}"
    return str(request.getfixturevalue(f"{request.param}_database"))


@pytest.fixture
def datastore(database_url: str) -> Iterator[Datastore]:
    opened = Datastore(parse_url(database_url))
    schema.upgrade(opened.engine)
    yield opened
    opened.close()


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
