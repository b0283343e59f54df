"""One real server with a real agent for all clients, and one that knows a login."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from client_world import LIBRARY, LOGIN, MISTAKEN, PASSWORD

from real_server import _READY, Process, Server, dispatcher  # isort: skip


@contextmanager
def _server(folder: Path, *options: str) -> Iterator[Server]:
    datastore = f"sqlite:///{folder / 'server.db'}"
    library = folder / "library.yaml"
    library.write_text(LIBRARY)
    dispatcher("migrate", datastore=datastore)
    dispatcher("library", "import", str(library), datastore=datastore)
    command = [sys.executable, "-u", "-m", "dispatcher", "--datastore", datastore, "serve"]
    popen = subprocess.Popen(
        [*command, "--listen", "127.0.0.1:0", "--agents", "127.0.0.1:0", *options],
        env=os.environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    process = Process(popen)
    try:
        url, agents_url = process.wait_for(_READY).groups()
        yield Server(process, url, agents_url, datastore)
    finally:
        family = psutil.Process(popen.pid).children(recursive=True)
        process.stop()
        assert psutil.wait_procs(family, timeout=10)[1] == []
        popen.stdin.close()  # type: ignore[union-attr]
        popen.stdout.close()  # type: ignore[union-attr]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with _server(tmp_path_factory.mktemp("clients")) as running:
        running.wait_for_agents(1)
        yield running


@pytest.fixture(scope="session")
def guarded_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that wants a login."""
    with _server(tmp_path_factory.mktemp("guarded"), "--no-local-agent") as running:
        for login in (LOGIN, MISTAKEN):
            command = [sys.executable, "-m", "dispatcher", "--datastore", running.datastore, "login", "add", login]
            subprocess.run([*command, "--password-stdin"], input=PASSWORD, text=True, check=True, capture_output=True)
        yield running


@pytest.fixture(scope="session")
def agent(server: Server) -> str:
    (agent,) = server.wait_for_agents(1)
    return agent
