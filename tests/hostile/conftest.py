"""The Ivanti binding over a datastore with a module and an agent, and a view of all that is stored in it.

One for all tests: nothing that they send may be left in it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from cheap_passwords import cheap_passwords
from hostile_world import LIBRARY, Door, rows

from dispatcher.bindings.ivanti_automation.binding import build
from dispatcher.core.ports import NoWakeup, Ports
from dispatcher.datastore.engines import parse_url
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.hall import Hall, build_hall
from dispatcher.services.library.importing import import_texts
from dispatcher.services.secrets import Secrets


@pytest.fixture(scope="session")
def hostile_datastore(empty_database: bytes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Datastore]:
    path = tmp_path_factory.mktemp("hostile") / "hostile.db"
    path.write_bytes(empty_database)
    opened = Datastore(parse_url(f"sqlite:///{path}"))
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def hostile_hall(hostile_datastore: Datastore) -> Hall:
    ports = Ports(lambda: datetime(2026, 3, 1, tzinfo=UTC), time.monotonic, uuid4, NoWakeup())
    secrets = Secrets(b"k" * 32)
    import_texts(hostile_datastore, ports, secrets, {"library.yaml": LIBRARY.encode()})
    return build_hall(hostile_datastore, ports, secrets, lease=timedelta(seconds=30), passwords=cheap_passwords())


@pytest.fixture(scope="session")
def only_door(hostile_hall: Hall) -> Door:
    logged: list[dict[str, Any]] = []
    return Door(build(hostile_hall, log=lambda event, **details: logged.append({"event": event, **details})), logged)


@pytest.fixture
def door(only_door: Door) -> Door:
    only_door.logged.clear()
    return only_door


@pytest.fixture
def stored(hostile_datastore: Datastore) -> Callable[[], dict[str, int]]:
    """Return how many rows each table has."""
    return lambda: rows(hostile_datastore)
