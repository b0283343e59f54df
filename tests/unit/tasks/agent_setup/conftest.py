"""Fixtures: a real server, a computer to log in to by OpenSSH's own server, and what may come in between."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from free_ports import free_port
from real_server import Server, dispatcher, serving
from setup_world import LIBRARY, Relay, Setup, Target, watching

from dispatcher.tasks.agent_setup.on_linux import processes


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server"), library=LIBRARY, logins={}) as found:
        found.wait_for_agents(1)  # its own one: what comes later has been installed
        yield found


@pytest.fixture(scope="package")
def token(server: Server) -> str:
    return dispatcher("token", "enrol", datastore=server.datastore)[-1].split()[-1]


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Target]:
    found = Target(tmp_path)
    yield found
    found.sshd.stop()
    assert processes.stop(found.directory, 5) == []


@pytest.fixture
def relay(target: Target) -> Iterator[Relay]:
    found = Relay(target.sshd.port)
    yield found
    found.stop()


@pytest.fixture
def admin(workshop: Any, target: Target, server: Server, token: str) -> Setup:
    return Setup(workshop, target.sshd.port, target.sshd.private_key, token, server.agents_url)


@pytest.fixture
def command_lines() -> Iterator[set[bytes]]:
    """Every command line that any process has meanwhile, and the environments of those that can be read."""
    with watching() as seen:
        yield seen


@pytest.fixture
def closed_port() -> int:
    return free_port()
