"""One suite over every database: here ``datastore`` is each of them in turn."""

from __future__ import annotations

import importlib.util
import itertools
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from sqlalchemy import create_engine, text

from dispatcher.datastore import schema
from dispatcher.datastore.engines import parse_url
from dispatcher.datastore.transactions import Datastore

_numbers = itertools.count(1)


def _servers() -> ModuleType:
    spec = importlib.util.spec_from_file_location("database_servers", Path(__file__).with_name("servers.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    with _servers().postgresql() as url:
        yield url


@pytest.fixture(scope="session")
def mariadb_url() -> Iterator[str]:
    with _servers().mariadb() as url:
        yield url


def _new_database(server_url: str, maintenance: str) -> str:
    """Create an empty database; return its URL."""
    name = f"test{next(_numbers)}"
    engine = create_engine(parse_url(server_url).set(database=maintenance or None), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return parse_url(server_url).set(database=name).render_as_string(hide_password=False)


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'test.db'}"
    if request.param == "postgresql":
        return _new_database(request.getfixturevalue("postgresql_url"), "postgres")
    return _new_database(request.getfixturevalue("mariadb_url"), "")


@pytest.fixture
def datastore(database_url: str) -> Iterator[Datastore]:
    opened = Datastore(parse_url(database_url))
    schema.upgrade(opened.engine)
    yield opened
    opened.close()
