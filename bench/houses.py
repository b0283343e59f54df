"""Houses: the servers that are measured, each on a datastore of its own, and what is read from them afterwards."""

from __future__ import annotations

import base64
import http.client
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.messages import PARAMETERS, Target
from bench.processes import Server, wait_until
from dispatcher.datastore import schema
from dispatcher.datastore.engines import parse_url
from dispatcher.datastore.transactions import Datastore

BASE_PATH = "/Dispatcher/SchedulingService"
LOGIN = ("bench", "correct horse battery staple")
AGENT_ID = "{B0000000-0000-4000-8000-000000000001}"
TWENTY_ID = "{B0000000-0000-4000-8000-000000000020}"
ONE_ID = "{B0000000-0000-4000-8000-000000000021}"
STAMP_ID = "{B0000000-0000-4000-8000-000000000022}"
NOTHING_ID = "{B0000000-0000-4000-8000-000000000023}"
#: How many jobs are asked for at a time when all are read.
PAGE_SIZE = 500


@dataclass(slots=True)
class Running:
    """A server that runs, and where it is."""

    server: Server
    target: Target
    agents_port: int = 0  #: where agents call in
    directory: Path = Path()
    beside: list[Server] = field(default_factory=list)  #: servers that do a part of its work

    def cpu_s(self) -> float:
        """Return the seconds of processor time that the server with all that belongs to it has used so far."""
        return sum(server.cpu_s() for server in (self.server, *self.beside))

    def read(self, below: str) -> Any:
        """Return what REST answers below the service's path, from JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.target.port, timeout=60)
        token = base64.b64encode(":".join(LOGIN).encode()).decode()
        headers = {"Accept": "application/json", "Authorization": f"Basic {token}"}
        connection.request("GET", f"{BASE_PATH}/{below}", headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        if answer.status != 200:
            raise RuntimeError(f"{below}: {answer.status} {body[:500]!r}")
        return json.loads(body)

    def all_jobs(self) -> dict[str, str]:
        """Return the description of every job by its id.

        :raises RuntimeError: if a job is listed twice.
        """
        found: dict[str, str] = {}
        page = 1
        while True:
            jobs = self.read(f"jobs?page={page}&pagesize={PAGE_SIZE}")
            for job in jobs["Items"]:
                if job["JobID"] in found:
                    raise RuntimeError(f"job {job['JobID']} is listed twice")
                found[job["JobID"]] = job["Description"]
            if page >= jobs["PageCount"]:
                return found
            page += 1


@contextmanager
def dispatcher(
    directory: Path,
    core: int | None,
    *,
    with_agent: bool = False,
    prepare: Callable[[Datastore], object] | None = None,
) -> Iterator[Running]:
    """Run a dispatcher with a login and the library of the figures; its local agent only if *with_agent*.

    *prepare* is given the datastore before the server starts.
    """
    directory.mkdir(parents=True)
    environment = _environment(directory)
    library = directory / "bench.yaml"
    library.write_text(library_text())
    command = [sys.executable, "-m", "dispatcher"]
    _prepare([*command, "login", "add", LOGIN[0], "--role", "Full Access", "--password-stdin"], environment, LOGIN[1])
    _prepare([*command, "library", "import", str(library)], environment)
    if prepare is not None:
        with datastore(directory) as opened:
            prepare(opened)
    port, agents = free_port(), free_port()
    command += ["serve", "--listen", f"127.0.0.1:{port}", "--agents", f"127.0.0.1:{agents}"]
    if not with_agent:
        command.append("--no-local-agent")
    with Server(command, environment, core, directory / "server.log") as server:
        wait_until(lambda: _answers(port, "/health/ready"), server)
        yield Running(server, Target(port, BASE_PATH, LOGIN), agents, directory)


@contextmanager
def datastore(directory: Path) -> Iterator[Datastore]:
    """Open the datastore of the house in *directory*, as another process beside its server."""
    opened = Datastore(parse_url(_environment(directory)["DISPATCHER_DATASTORE"]))
    try:
        schema.upgrade(opened.engine)
        yield opened
    finally:
        opened.close()


@contextmanager
def remote_agent(house: Running, slots: int) -> Iterator[Server]:
    """Run a real agent beside *house* that calls it over HTTP and has so many *slots*."""
    environment = _environment(house.directory)
    command = [sys.executable, "-m", "dispatcher"]
    token = _prepare([*command, "token", "enrol", "--once"], environment).strip()
    home = house.directory / "agent"
    command += ["agent", "--dispatcher", f"http://127.0.0.1:{house.agents_port}", "--slots", str(slots)]
    command += ["--id", AGENT_ID.strip("{}"), "--name", "BENCH-001", "--home", str(home.resolve())]
    with Server(command, {"DISPATCHER_ENROL_TOKEN": token}, None, house.directory / "agent.log") as agent:
        wait_until(lambda: bool(house.read("who?teams=false&online=true")), agent)
        yield agent


@contextmanager
def spyne_echo(directory: Path, core: int | None) -> Iterator[Running]:
    """Run the peer on granian, with one worker."""
    directory.mkdir(parents=True)
    port = free_port()
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--workers", "1", "--no-ws", "bench.spyne_echo:application"]
    with Server(command, {}, core, directory / "echo.log") as server:
        wait_until(lambda: _answers(port, "/?wsdl"), server)
        yield Running(server, Target(port, "/"))


def free_port() -> int:
    """Return a port of 127.0.0.1 on which nobody listens at this moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def listens(port: int) -> bool:
    """Return whether anybody takes connections on this port of 127.0.0.1."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def _environment(directory: Path) -> dict[str, str]:
    return {"DISPATCHER_DATASTORE": f"sqlite:///{directory.resolve()}/bench.db"}


def _prepare(command: list[str], environment: dict[str, str], typed: str = "") -> str:
    done = subprocess.run(command, env={**os.environ, **environment}, input=typed, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[2:])} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def library_text() -> str:
    """Return the library of the figures, as YAML."""
    names = [f"P{place:02}" for place in range(1, PARAMETERS + 1)]
    declared = ", ".join(f"{{name: {name}, value: ''}}" for name in names)
    used = " ".join(f'"$[{name}]"' for name in names)
    return f"""
modules:
  - name: Twenty parameters
    id: '{TWENTY_ID.strip("{}").lower()}'
    parameters: [{declared}]
    tasks: [{{type: command, name: use, settings: {{command: 'echo {used}'}}}}]
  - name: One parameter
    id: '{ONE_ID.strip("{}").lower()}'
    parameters: [{{name: Text, value: hello}}]
    tasks: [{{type: command, name: use, settings: {{command: 'echo "$[Text]"'}}}}]
  - name: Time stamp
    id: '{STAMP_ID.strip("{}").lower()}'
    parameters: [{{name: Mark, value: ''}}, {{name: File, value: stamps}}]
    tasks: [{{type: command, name: stamp, settings: {{command: 'date "+$[Mark] %s%N" >> "$[File]"'}}}}]
  - name: Nothing
    id: '{NOTHING_ID.strip("{}").lower()}'
    tasks: [{{type: command, name: nothing, settings: {{command: 'true'}}}}]
agents:
  - {{name: BENCH-001, id: '{AGENT_ID.strip("{}").lower()}'}}
"""
