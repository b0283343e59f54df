"""Fixtures: a context that records the processes it is asked to run, tools to work with, and a web server."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from dispatcher.agents.content import Cache
from dispatcher.core.accounts import Account
from dispatcher.core.inputs import Input
from dispatcher.core.networks import Networks
from dispatcher.tasks import outputs
from dispatcher.tasks.types import Process, TaskEnding, TaskSettings
from dispatcher.tasks.work import TaskFailed, Tools


@dataclass
class Context:
    scratch: Path
    work: Path
    values: dict[str, str] = field(default_factory=dict)
    processes: list[Process] = field(default_factory=list)
    texts: list[bytes] = field(default_factory=list)
    modes: list[int] = field(default_factory=list)
    logs_in: bool = False
    work_done: list[tuple[str, TaskSettings]] = field(default_factory=list)

    def run_work(self, name: str, settings: TaskSettings) -> TaskEnding:
        self.work_done.append((name, settings))
        return TaskEnding("completed")

    def run_process(self, process: Process) -> TaskEnding:
        self.processes.append(process)
        for file in self.scratch.iterdir():
            self.texts.append(file.read_bytes())
            self.modes.append(file.stat().st_mode & 0o777)
        return TaskEnding("completed", 0)


@pytest.fixture
def a_context(tmp_path: Path) -> Callable[..., Context]:
    (tmp_path / "scratch").mkdir()
    return lambda **values: Context(tmp_path / "scratch", tmp_path / "work", values)


class Workshop:
    """Does tasks as a worker process would, with loopback as all that may be called."""

    def __init__(self, home: Path) -> None:
        self.work = home / "work"
        self.work.mkdir()
        self.library: dict[str, Any] = {}
        self.fetched: list[tuple[str, int]] = []
        self.contents: dict[str, bytes] = {}
        self.cache = Cache(home / "cache", 1 << 20, self._find, self._fetch)
        self.output_file = home / "outputs"
        self.allowed = ["127.0.0.0/8", "::1"]
        self.allows_power = False
        self.account: Account | None = None
        self.inputs: list[Input] = []
        self.dispatchers: list[str] = []
        self.agent_id: UUID | None = None

    def do(self, kind: Any, settings: dict[str, Any], **values: str) -> str:
        self.output_file.unlink(missing_ok=True)
        tools = Tools(
            values={"FACT_address": "127.0.0.1", **values},
            scratch=self.work.parent,
            work=self.work,
            output_file=self.output_file,
            networks=Networks.parse(self.allowed),
            contents=self.cache,
            allows_power=self.allows_power,
            home=self.work.parent,
            account=self.account,
            inputs=self.inputs,
            dispatchers=self.dispatchers,
            agent_id=self.agent_id,
        )
        return kind.do(kind.Settings.model_validate(settings), tools)

    @property
    def outputs(self) -> dict[str, str]:
        return outputs.read(self.output_file)

    def _find(self, resource: str) -> Any:
        if resource not in self.library:
            raise TaskFailed(f"no resource {resource}")
        return self.library[resource]

    def _fetch(self, sha256: str, offset: int) -> Iterator[bytes]:
        self.fetched.append((sha256, offset))
        data = self.contents[sha256][offset:]
        yield data[:10]
        yield data[10:]


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)


class Web:
    """A web server on loopback: ``answers`` by path, and the requests that came."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True
        self.port = self.server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def _handler(web) -> type[BaseHTTPRequestHandler]:  # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                web.requests.append((self.command, self.path, dict(self.headers), body))
                status, headers, answer = web.answers.get(self.path, (404, {}, b"nothing here"))
                self.send_response(status)
                for name, value in {"Content-Length": str(len(answer)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer)

            do_POST = do_GET  # noqa: N815 - named so by the standard library
            do_PUT = do_GET  # noqa: N815

            def log_message(self, *args: object) -> None: ...

        return Handler


@pytest.fixture
def web() -> Iterator[Web]:
    server = Web()
    yield server
    server.server.shutdown()
    server.server.server_close()
