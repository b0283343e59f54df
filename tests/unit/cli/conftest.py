"""Fixtures of the command line: a runner with an environment of its own, and a stand-in for the real server."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import structlog
from click.testing import CliRunner, Result

from dispatcher.cli.main import cli

Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """Take back what the command line configures: its stream is closed after the test."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


@pytest.fixture
def new_file(tmp_path: Path) -> Path:
    """Where there is no datastore yet."""
    return tmp_path / "data" / "cli.db"


@pytest.fixture
def datastore_file(new_file: Path, empty_database: bytes) -> Path:
    """A datastore that is there already: the first command would make it, but not as quickly."""
    new_file.parent.mkdir(mode=0o700)
    new_file.touch(mode=0o600)
    new_file.write_bytes(empty_database)
    return new_file


@pytest.fixture
def run(datastore_file: Path) -> Run:
    """Runs a command line in an environment where nothing but the datastore is set."""

    def run(*arguments: str, stdin: str | None = None, **environ: str) -> Result:
        names = ("CONFIG", "URL", "LOGIN", "PASSWORD")
        environment = dict.fromkeys(f"DISPATCHER_{name}" for name in names)
        environment |= {"DISPATCHER_DATASTORE": f"sqlite:///{datastore_file}", "COLUMNS": "200"} | environ
        return CliRunner().invoke(cli, arguments, input=stdin, env=environment, prog_name="dispatcher")

    return run


@dataclass
class Received:
    """A request that the stand-in server received."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass
class Service:
    """A server on loopback that answers with what a test laid ready, by method and path below the service's base."""

    url: str = ""
    answers: dict[str, Any] = field(default_factory=dict)
    received: list[Received] = field(default_factory=list)

    def answer(self, request: Received) -> tuple[int, str, bytes]:
        """Return status, content type and body: of several answers laid ready the next one, the last for ever."""
        self.received.append(request)
        found = self.answers.get(f"{request.method} {request.path}")
        if callable(found):
            found = found(request)
        if isinstance(found, list):
            found = found.pop(0) if len(found) > 1 else found[0]
        if found is None:
            return 404, "text/html", b"<p class='heading1'>Service</p><p>Endpoint not found.</p>"
        if isinstance(found, tuple):
            return found
        # The service escapes every slash (contract section 4.2).
        return 200, "application/json; charset=utf-8", json.dumps(found).replace("/", "\\/").encode()


@pytest.fixture
def service() -> Iterator[Service]:
    service = Service()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            path = parts.path.removeprefix("/Dispatcher/SchedulingService/")
            request = Received(
                self.command, path, dict(parse_qsl(parts.query)), headers, json.loads(raw) if raw else None
            )
            status, content_type, body = service.answer(request)
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_PUT = do_GET  # noqa: N815

        def log_message(self, *args: object) -> None:
            """Say nothing on stderr, which belongs to the command under test."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    service.url = f"http://127.0.0.1:{server.server_port}"
    yield service
    server.shutdown()
    server.server_close()
    thread.join()
