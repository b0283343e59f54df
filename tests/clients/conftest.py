"""One real server with a real agent for all clients, and one that knows a login."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from client_world import LIBRARY, LOGIN, MISTAKEN, PASSWORD

from real_server import Server, serving  # isort: skip


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("clients"), library=LIBRARY, logins={}) as running:
        running.wait_for_agents(1)
        yield running


@pytest.fixture(scope="session")
def guarded_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that wants a login, with a real agent."""
    folder, logins = tmp_path_factory.mktemp("guarded"), {LOGIN: PASSWORD, MISTAKEN: PASSWORD}
    with serving(folder, library=LIBRARY, logins=logins) as running:
        yield running


@pytest.fixture(scope="session")
def agent(server: Server) -> str:
    (agent,) = server.wait_for_agents(1)
    return agent
