"""A dispatcher with the front door of Ivanti Endpoint Security, a local agent, a group and a custom patch list."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest
from ies_world import AGENT, LIBRARY, Client
from made_once import made_once
from sqlalchemy import func, select

from dispatcher.core.ports import Ports
from dispatcher.datastore.ivanti_endpoint_security import IES_JOBS
from dispatcher.datastore.models import Base
from dispatcher.datastore.transactions import Datastore
from dispatcher.services import builtin
from dispatcher.services.hall import Hall
from dispatcher.services.library.importing import import_texts
from dispatcher.services.secrets import Secrets
from dispatcher.web.app import WebApp


@pytest.fixture
def library(datastore: Datastore, ports: Ports, secrets: Secrets) -> None:
    def load(ports: Ports) -> None:
        builtin.install(datastore, ports, secrets)
        import_texts(datastore, ports, secrets, {"library.yaml": LIBRARY.encode()})

    made_once(datastore, ports, "library and built-in modules", load)


@pytest.fixture
def web(hall: Hall, library: None, web: WebApp) -> WebApp:
    hall.local_agent.found_by(lambda: UUID(AGENT))
    return web


@pytest.fixture
def ies(web: WebApp) -> Client:
    return Client(web)


@pytest.fixture
def stored(datastore: Datastore) -> Callable[[], dict[str, int]]:
    """Count the rows that a job, a deployment or a patch list would leave."""
    names = [IES_JOBS.name, "job", "run", "module", "project", "submit"]
    tables = [Base.metadata.tables[name] for name in names if name in Base.metadata.tables]

    def count() -> dict[str, int]:
        with datastore.read() as session:
            return {one.name: session.scalar(select(func.count()).select_from(one)) or 0 for one in tables}

    return count
