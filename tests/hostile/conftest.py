"""The Ivanti binding over a datastore with a module and an agent, and a view of all that is stored in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hostile_world import LIBRARY, Door
from sqlalchemy import func, select

from dispatcher.bindings.ivanti_automation.binding import build
from dispatcher.datastore.models import Base
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.hall import Hall


@pytest.fixture
def logged() -> list[dict[str, Any]]:
    """What was logged of errors that nobody expected."""
    return []


@pytest.fixture
def door(hall: Hall, load_library: Callable[[str], None], logged: list[dict[str, Any]]) -> Door:
    load_library(LIBRARY)
    return Door(build(hall, log=lambda event, **details: logged.append({"event": event, **details})), logged)


@pytest.fixture
def stored(datastore: Datastore) -> Callable[[], dict[str, int]]:
    """Return how many rows each table has."""

    def count() -> dict[str, int]:
        with datastore.begin() as session:
            return {
                table.name: session.scalar(select(func.count()).select_from(table)) or 0
                for table in Base.metadata.sorted_tables
            }

    return count
