"""Hostile server: its listeners in this process, over real sockets, and what they have logged. Loaded where needed."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import uuid4

from dispatcher.agents.gateway import Gateway
from dispatcher.bindings.ivanti_automation import binding, resource_service
from dispatcher.services.hall import Hall
from dispatcher.web.agents import AgentsApp
from dispatcher.web.app import Limits, WebApp
from dispatcher.web.health import Health
from dispatcher.web.listeners import Listener, Listeners, listen
from dispatcher.web.uploads import UploadLimits


@dataclass
class Applications:
    """The web application and the agents' one, and what they have logged of errors that nobody expected."""

    web: WebApp
    agents: AgentsApp
    gateway: Gateway
    logged: list[dict[str, Any]] = field(default_factory=list)


def applications(hall: Hall, now: Callable[[], Any], limits: Limits) -> Applications:
    """Return the applications over *hall*."""
    logged: list[dict[str, Any]] = []

    def log(event: str, **details: object) -> None:
        logged.append({"event": event, **details})

    doors = [binding.build(hall, log=log), resource_service.build(hall, log=log)]
    gateway = Gateway(hall, now)
    web = WebApp(doors, hall.security, hall.access_tokens, Health(hall), uuid4, limits)
    return Applications(web, AgentsApp(gateway), gateway, logged)


@dataclass
class Server:
    """Where it listens: ``web``, a second port of the same, ``web2``, and ``agents``; *trust* is for TLS."""

    ports: dict[str, int]
    logged: list[dict[str, Any]]
    trust: ssl.SSLContext | None = None

    def talk(self, listener: str, sent: bytes, *, hangs_up: bool = False) -> bytes:
        """Send to the *listener*; return all that comes until it closes the connection.

        Who hangs up reads on, but with TLS: there the connection is cut off without a word, and nothing is returned.
        """
        with self._connect(listener) as connection:
            received = []
            try:
                connection.sendall(sent)
                if hangs_up:
                    connection.shutdown(socket.SHUT_WR)
                while part := connection.recv(65536):
                    received.append(part)
            except (ConnectionResetError, BrokenPipeError):
                pass
            return b"" if hangs_up and self.trust else b"".join(received)

    def _connect(self, listener: str) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.ports[listener]), timeout=20)
        if self.trust is None:
            return connection
        return self.trust.wrap_socket(connection, server_hostname="localhost")


@dataclass
class Tls:
    """What the listeners show, and what clients trust."""

    shown: ssl.SSLContext
    trust: ssl.SSLContext


@contextmanager
def serving(
    hall: Hall, now: Callable[[], Any], deadline_s: float, uploads: UploadLimits, tls: Tls | None = None
) -> Iterator[Server]:
    """Serve *hall*, with *tls* at all ports: a handshake, a head and a body may take *deadline_s* each."""
    made = applications(hall, now, Limits(deadline_s=deadline_s, uploads=uploads))
    sockets = {name: listen("127.0.0.1", 0) for name in ("web", "web2", "agents")}
    ports = {name: one.getsockname()[1] for name, one in sockets.items()}
    stop: Future[Callable[[], object]] = Future()

    async def serve() -> None:
        is_over = asyncio.Event()
        await made.gateway.start()
        listeners = Listeners(deadline_s)
        for name, one in sockets.items():
            application = made.agents if name == "agents" else made.web
            await listeners.open(name, Listener(one, application, tls.shown if tls else None))
        stop.set_result(partial(asyncio.get_running_loop().call_soon_threadsafe, is_over.set))
        await is_over.wait()
        made.gateway.release()
        await listeners.stop()
        await made.gateway.stop()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    end = stop.result(20)
    yield Server(ports, made.logged, tls.trust if tls else None)
    end()
    thread.join(20)
    made.web.close()


class Loop:
    """A loop in a thread of its own, on which the applications are asked without sockets."""

    def __init__(self, made: Applications) -> None:
        self._made = made
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._run(made.gateway.start())

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    def ask(
        self, listener: str, method: str, target: str, headers: list[tuple[str, str]], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body of the answer; *target* is percent-encoded."""
        return self._run(self._ask(listener, method, target, headers, body))

    async def _ask(
        self, listener: str, method: str, target: str, headers: list[tuple[str, str]], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        path, _, query = target.partition("?")
        sent: list[Any] = []
        parts = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Any:
            return parts.pop() if parts else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode("latin-1", "replace"),
            "query_string": query.encode("latin-1", "replace"),
            "headers": [(name.lower().encode("latin-1"), one.encode("latin-1", "replace")) for name, one in headers],
            "scheme": "http",
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 8080),
            "extensions": {"dispatcher.hang_up": gone},
        }
        await {"web": self._made.web, "agents": self._made.agents}[listener](scope, receive, send)
        names = {name.decode("latin-1"): one.decode("latin-1") for name, one in sent[0]["headers"]}
        return sent[0]["status"], names, b"".join(one.get("body", b"") for one in sent[1:])

    def close(self) -> None:
        """End the applications, then the loop."""
        self._made.gateway.release()
        self._run(self._made.gateway.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(20)
        self._loop.close()
        self._made.web.close()
