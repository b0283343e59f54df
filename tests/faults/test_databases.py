"""Databases that die, and migrations that are cut off: all goes on by itself, and no schema is ever half there."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from database_servers import postgresql, url_of
from sqlalchemy import create_engine, text
from world import ONCE, World

from dispatcher.datastore import schema
from dispatcher.datastore.engines import parse_url
from dispatcher.datastore.transactions import Datastore


@pytest.fixture
def own_postgresql() -> Iterator[Any]:
    """A PostgreSQL server for this test alone, which it may kill."""
    with postgresql() as server:
        yield server


@pytest.mark.promise("P1")
@pytest.mark.promise("P9")
@pytest.mark.timeout(900)
def test_postgresql_killed_under_load(
    make_world: Callable[..., World], own_postgresql: Any, passes: Any, times: Any
) -> None:
    world = make_world(url_of(own_postgresql))
    world.prepare("one", "two")
    kills = times(3, 20)
    assert world.server is not None
    with world.load(rate=5):
        for _ in range(kills):
            time.sleep(world.random.uniform(0.5, 2))
            os.kill(own_postgresql.get_pid(), signal.SIGKILL)
            time.sleep(world.random.uniform(0, 3))
            start_again(own_postgresql)
            accepted_within(world, 10)
    passes("R3 kill -9 PostgreSQL", kills, world.judge())
    assert world.server.popen.poll() is None


def start_again(server: Any) -> None:
    """Start the killed server; until the last of its processes has gone it refuses to."""
    # Where nobody reaps orphans the dead process would pass for a living one.
    (server.pgdata / "postmaster.pid").unlink()
    deadline = time.monotonic() + 20
    while True:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                server.ensure_postgres_running()
        except Exception:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return


def accepted_within(world: World, limit_s: float) -> None:
    deadline = time.monotonic() + limit_s
    while not world.client.submit(ONCE, world.ids["one"], f"after-{time.monotonic()}"):
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
@pytest.mark.timeout(3600)
def test_migration_killed_at_random_points(
    request: pytest.FixtureRequest, tmp_path: Path, seed: int, times: Any, database: str
) -> None:
    chance = random.Random(seed)
    longest_s = 0.0
    states = set()
    kills = times(10, 250)
    for number in range(4 * kills):
        if number >= kills and len(states) > 1:
            break
        url = f"sqlite:///{tmp_path / f'{number}.db'}"
        if database == "postgresql":
            url = new_postgresql_database(request.getfixturevalue("postgresql_url"), f"migrated{number}")
        command = [sys.executable, "-m", "dispatcher", "--datastore", url, "migrate"]
        began = time.monotonic()
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                # The first half of it is Python that loads.
                assert process.wait(longest_s * chance.uniform(0.4, 1.0) if longest_s else 60) == 0
                # Nothing was killed: it takes less than was thought, or this is the first one, which is whole.
                longest_s = time.monotonic() - began
            except subprocess.TimeoutExpired:
                process.kill()
        states.add(mended(url))
    assert len(states) > 1, "no kill has hit the migration"


def new_postgresql_database(server_url: str, name: str) -> str:
    engine = create_engine(parse_url(server_url).set(database="postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return parse_url(server_url).set(database=name).render_as_string(hide_password=False)


def mended(url: str) -> str | None:
    """Check that the schema is whole at some revision, and complete after another try; return that revision."""
    datastore = Datastore(parse_url(url))
    try:
        before, head = schema.revisions(datastore.engine)
        schema.upgrade(datastore.engine)
        assert schema.revisions(datastore.engine) == (head, head)
        assert schema.differences(datastore.engine) == []
        return before
    finally:
        datastore.close()
