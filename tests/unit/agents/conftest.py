"""Fixtures: a small real gateway that speaks the agent protocol over a loopback socket, and agents in processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psutil
import pytest

from dispatcher.agents.protocol import (
    PATH,
    Enrol,
    Held,
    Identity,
    ModuleOrder,
    Orders,
    Poll,
    Receipt,
    Report,
    RunOrder,
    TaskOrder,
    Value,
    dump,
    parse_credentials,
)

TOKEN = "enrol-me"
AGENT = """
import logging, sys
from datetime import UTC, datetime
from pathlib import Path
from dispatcher.agents.runner import AgentSettings, run
logging.basicConfig(level="INFO", format="%(levelname)s %(message)s")
url, home, slots, local, hold_s = sys.argv[1:]
settings = AgentSettings(url.split(","), "pc-1", Path(home), "enrol-me", slots=int(slots), local=local == "local",
                         facts={"site": "north"}, hold_s=float(hold_s))
sys.exit(run(settings, lambda: datetime.now(UTC)))
"""


class StandIn:
    """Hands out orders and records events. ``is_down`` makes it answer 503."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.is_down = self.is_closing = self.is_revoked = False
        self.takes_reports = True
        self.lease_s = 30.0
        self.agent_id, self.secret = uuid4(), "s3cret"
        self.orders: list[RunOrder] = []
        self.aborts: set[UUID] = set()
        self.lost: set[UUID] = set()
        self.polls: list[Poll] = []
        self.reports: list[Report] = []
        self.enrolments: list[Enrol] = []
        self.events: list[Any] = []
        self.holding: list[Held] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        with self.changed:
            self.is_closing = True
            self.changed.notify_all()
        self.server.shutdown()
        self.server.server_close()

    def order(self, *orders: RunOrder) -> None:
        with self.changed:
            self.orders += orders
            self.changed.notify_all()

    def abort(self, run_id: UUID) -> None:
        with self.changed:
            self.aborts.add(run_id)
            self.changed.notify_all()

    def lose(self, run_id: UUID) -> None:
        with self.changed:
            self.lost.add(run_id)
            self.changed.notify_all()

    def of(self, run_id: UUID, kind: str) -> list[Any]:
        return [event for event in self.events if event.run_id == run_id and event.kind == kind]

    def wait(self, condition: Callable[[], Any], timeout_s: float = 15) -> Any:
        """Wait until *condition* gives something and return it; it may also ask for what the agent does not tell."""
        deadline = time.monotonic() + timeout_s
        with self.changed:
            while not (found := condition()):
                assert time.monotonic() < deadline, f"events: {self.events}"
                self.changed.wait(0.1)
            return found

    def finished(self, run_id: UUID, timeout_s: float = 15) -> Any:
        """Wait for the end of a run and return that event."""
        return self.wait(lambda: self.of(run_id, "run_finished"), timeout_s)[0]

    def output(self, run_id: UUID, position: int = 0) -> bytes:
        data = b""
        for event in self.of(run_id, "output"):
            if event.position == position and event.offset == len(data):
                data += event.data
        return data

    def answer(self, path: str, authorization: str, body: bytes) -> tuple[int, bytes]:
        with self.changed:
            if self.is_down or (path == f"{PATH}/report" and not self.takes_reports):
                return 503, b'{"error":"unavailable","message":"down"}'
            if path == f"{PATH}/enrol":
                return self._enrol(Enrol.model_validate_json(body))
            if self.is_revoked or parse_credentials(authorization) != (self.agent_id, self.secret):
                return 401, b'{"error":"security.not_authenticated","message":"no"}'
            if path == f"{PATH}/poll":
                return 200, dump(self._poll(Poll.model_validate_json(body)))
            return 200, dump(self._report(Report.model_validate_json(body)))

    def _enrol(self, message: Enrol) -> tuple[int, bytes]:
        self.enrolments.append(message)
        if message.token != TOKEN:
            return 401, b'{"error":"security.not_authenticated","message":"no"}'
        return 200, dump(Identity(agent_id=self.agent_id, secret=self.secret))

    def _poll(self, poll: Poll) -> Orders:
        self.polls.append(poll)
        self.changed.notify_all()
        held = {one.run_id for one in poll.holding}
        number = len(self.polls)

        def is_due() -> bool:
            something = (poll.free and self.orders) or (self.aborts & held) or (self.lost & held)
            return bool(something or self.is_closing or self.is_down or len(self.polls) > number)

        self.changed.wait_for(is_due, poll.wait_s)
        if self.is_down or len(self.polls) > number:
            return Orders(lease_s=self.lease_s)
        given, self.orders = self.orders[: poll.free], self.orders[poll.free :]
        aborts, lost = sorted(self.aborts & held), sorted(self.lost & held)
        return Orders(runs=given, aborts=aborts, lost=lost, lease_s=self.lease_s)

    def _report(self, report: Report) -> Receipt:
        self.reports.append(report)
        self.events += report.events
        self.holding = report.holding
        self.aborts -= {event.run_id for event in report.events if event.kind == "run_finished"}
        self.changed.notify_all()
        held = {one.run_id for one in report.holding}
        aborts, lost = sorted(self.aborts & held), sorted(self.lost & held)
        return Receipt(aborts=aborts, lost=lost, lease_s=self.lease_s)

    def _handler(stand_in) -> type[BaseHTTPRequestHandler]:  # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, answer = stand_in.answer(self.path, self.headers.get("Authorization", ""), body)
                head = f"HTTP/1.1 {status} -\r\nContent-Length: {len(answer)}\r\n\r\n".encode()
                try:
                    self.wfile.write(head + answer)
                except OSError:
                    self.close_connection = True  # the agent has given this call up

            def log_message(self, *args: object) -> None: ...

        return Handler


class AgentProcess:
    """An agent in a process of its own, with everything it logs."""

    def __init__(self, url: str, home: Path, slots: int = 2, local: str = "", hold_s: float = 2400) -> None:
        self.home = home
        self.log = home.with_suffix(".log")
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", AGENT, url, str(home), str(slots), local, str(hold_s)],
                stdin=subprocess.PIPE,
                stderr=log,
                env={**os.environ, "DISPATCHER_ENROL_TOKEN": TOKEN},
            )

    def slots(self) -> list[psutil.Process]:
        found = []
        for child in psutil.Process(self.process.pid).children():
            with suppress(psutil.NoSuchProcess):  # it may end at this moment
                if "dispatcher.agents.slot" in child.cmdline():
                    found.append(child)
        return found

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(20)
        finally:
            self.process.kill()
            assert self.process.stdin is not None
            self.process.stdin.close()


@pytest.fixture
def gateway() -> Iterator[StandIn]:
    stand_in = StandIn()
    yield stand_in
    stand_in.close()


@pytest.fixture
def other_gateway(gateway: StandIn) -> Iterator[StandIn]:
    """Another one that knows the same agent."""
    stand_in = StandIn()
    stand_in.agent_id = gateway.agent_id
    yield stand_in
    stand_in.close()


@pytest.fixture(scope="module")
def shared_gateway() -> Iterator[StandIn]:
    """A gateway for tests that leave it as it was."""
    stand_in = StandIn()
    yield stand_in
    stand_in.close()


@pytest.fixture(scope="module")
def shared_agent(shared_gateway: StandIn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AgentProcess]:
    """An agent of the shared gateway."""
    agent = AgentProcess(shared_gateway.url, tmp_path_factory.mktemp("agent") / "home")
    yield agent
    agent.stop()


@pytest.fixture
def new_agent(gateway: StandIn, tmp_path: Path) -> Iterator[Callable[..., AgentProcess]]:
    """Starts agents, all with the same home."""
    agents = []

    def start(**options: Any) -> AgentProcess:
        agents.append(AgentProcess(options.pop("url", gateway.url), tmp_path / "home", **options))
        return agents[-1]

    yield start
    for agent in agents:
        agent.stop()


@pytest.fixture
def agent(new_agent: Callable[..., AgentProcess]) -> AgentProcess:
    return new_agent()


@pytest.fixture
def an_order() -> Callable[..., RunOrder]:
    """Builds orders: each positional argument is a command, or a ``TaskOrder`` without its position."""

    def build(*tasks: str | dict[str, Any], values: tuple[Value, ...] = (), modules: int = 1, **more: Any) -> RunOrder:
        orders = []
        for position, task in enumerate(tasks):
            given = {"settings": {"command": task}} if isinstance(task, str) else task
            defaults = {"name": f"task {position}", "type": "command", "module": min(position, modules - 1)}
            orders.append(TaskOrder.model_validate({**defaults, "task_id": uuid4(), "position": position, **given}))
        parts = [ModuleOrder(module_id=uuid4(), name=f"module {n}", values=list(values)) for n in range(modules)]
        identity = {"run_id": uuid4(), "fence": 1, "job_id": uuid4()}
        return RunOrder.model_validate({**identity, "modules": parts, "tasks": orders, **more})

    return build


@pytest.fixture
def gone() -> Callable[[int], None]:
    """Waits until a process is gone, at most 10 seconds."""

    def wait(pid: int) -> None:
        deadline = time.monotonic() + 10
        with suppress(psutil.NoSuchProcess):
            while psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                assert time.monotonic() < deadline, f"{pid} still lives"
                time.sleep(0.02)

    return wait


@pytest.fixture
def read_number() -> Callable[[Path], int]:
    """Waits until a file holds a line with a number and returns that."""

    def read(file: Path) -> int:
        deadline = time.monotonic() + 10
        while not (file.exists() and file.read_text().endswith("\n")):
            assert time.monotonic() < deadline, f"no {file}"
            time.sleep(0.01)
        return int(json.loads(file.read_text()))

    return read
