"""One suite over every database: here ``datastore`` is each of them in turn."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dispatcher.datastore import schema
from dispatcher.datastore.engines import parse_url
from dispatcher.datastore.transactions import Datastore


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
