"""A dispatcher with the front door of Ivanti Endpoint Security, a local agent, a group and a custom patch list."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from uuid import UUID

import pytest
from ies_world import AGENT, LIBRARY, Client
from sqlalchemy import func, select

from dispatcher import bootstrap
from dispatcher.core.ports import Ports
from dispatcher.datastore.ivanti_endpoint_security import IES_JOBS
from dispatcher.datastore.models import Base
from dispatcher.datastore.transactions import Datastore
from dispatcher.services import builtin
from dispatcher.services.hall import Hall
from dispatcher.services.secrets import Secrets
from dispatcher.web.app import Limits, WebApp
from dispatcher.web.health import Health
from dispatcher.wire.quotas import Quotas


@pytest.fixture
def library(datastore: Datastore, ports: Ports, secrets: Secrets, load_library: Callable[[str], None]) -> None:
    builtin.install(datastore, ports, secrets)
    load_library(LIBRARY)


@pytest.fixture
def web(hall: Hall, library: None, new_id: Callable[[], UUID], monkeypatch: pytest.MonkeyPatch) -> Iterator[WebApp]:
    """All dialects, as a server has them."""
    logged: list[object] = []
    monkeypatch.setattr(bootstrap, "log", SimpleNamespace(exception=lambda *what, **_: logged.append(what)))
    hall.local_agent.found_by(lambda: UUID(AGENT))
    limits = Limits(any_host=True)
    bindings = bootstrap.build_bindings(hall, Quotas(), limits)
    app = WebApp(bindings, hall.security, hall.access_tokens, Health(hall), new_id, limits)
    yield app
    app.close()
    assert logged == []  # each would be a defect


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
