"""Proxies on loopback: a wire that can be cut, held up or slowed down, and a postman who delivers too often."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import random
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

#: What a wire does with what comes in: it passes it on, keeps it until it is mended (as a network does that sends
#: again what was lost), in both directions or in one, delays it, or cuts every connection and takes no new one.
KINDS = ("hold", "hold answers", "hold requests", "delay", "cut")


class Wire:
    """A TCP proxy in front of *target*; ``url`` is where to call instead."""

    def __init__(self, target: str, seed: int) -> None:
        self._target = urlsplit(target)
        self._random = random.Random(seed)
        self._kind = ""
        self._most_delay_s = 1.0
        self._mended = asyncio.Event()
        self._connections: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = self._do(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def disturb(self, kind: str) -> None:
        """Be disturbed from now on; empty for not at all."""
        self._do(self._disturb(kind))

    def close(self) -> None:
        """End the proxy."""
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, work: object) -> object:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)  # type: ignore[arg-type]

    async def _disturb(self, kind: str) -> None:
        self._kind = kind
        if kind == "cut":
            self._cut()
        if kind.startswith("hold"):
            self._mended.clear()
        else:
            self._mended.set()

    def _cut(self) -> None:
        for writer in list(self._connections):
            writer.transport.abort()

    async def _close(self) -> None:
        # A server that is closed while it takes connections leaves their sockets to the garbage collector; so does a
        # task that is cancelled. Therefore nothing more is taken, and what was taken is cut until all have gone home.
        for listener in self._server.sockets:
            self._loop.remove_reader(listener.fileno())
        self._kind = "cut"
        self._mended.set()
        for _ in range(100):
            self._cut()
            if not (others := asyncio.all_tasks() - {asyncio.current_task()}):
                break
            await asyncio.wait(others, timeout=0.05)
        await asyncio.sleep(0)
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._kind == "cut":
            writer.transport.abort()
            return
        self._connections.add(writer)
        onward = None
        try:
            if self._kind.startswith("hold"):
                await self._mended.wait()
            there, onward = await asyncio.open_connection(self._target.hostname, self._target.port)
            self._connections.add(onward)
            await asyncio.gather(self._pump(reader, onward, "hold requests"), self._pump(there, writer, "hold answers"))
        except OSError:
            writer.transport.abort()
        finally:
            for end in (writer, onward):
                if end is not None:
                    end.close()
                    with contextlib.suppress(OSError):
                        await end.wait_closed()
                    self._connections.discard(end)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, held: str) -> None:
        while data := await reader.read(1 << 16):
            while self._kind in ("hold", held):
                await self._mended.wait()
                await asyncio.sleep(0)
            if self._kind == "delay":
                await asyncio.sleep(self._random.uniform(0, self._most_delay_s))
            writer.write(data)
            await writer.drain()
        while self._kind in ("hold", held):  # that somebody has hung up does not get through either
            await self._mended.wait()
            await asyncio.sleep(0)
        writer.close()


@contextlib.contextmanager
def wires(*targets: str, seed: int) -> Iterator[list[Wire]]:
    """Give a wire in front of each target."""
    made = [Wire(target, seed + number) for number, target in enumerate(targets)]
    try:
        yield made
    finally:
        for wire in made:
            wire.close()


class Postman:
    """An HTTP proxy between agents and gateway that delivers reports again, late and in any order.

    ``delivered`` counts the messages. The agent gets the answer to the first delivery, or, now and then, none.
    """

    def __init__(self, target: str, seed: int) -> None:
        self._target = urlsplit(target)
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self._old: list[tuple[str, dict[str, str], bytes]] = []
        self.delivered = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        """End the proxy."""
        self._server.shutdown()
        self._server.server_close()

    def carry(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes] | None:
        """Deliver a message and, after a report, some of the older ones again; None if the answer got lost."""
        status, answer = self._deliver(path, headers, body)
        if not path.endswith("/report"):
            return status, answer
        with self._lock:
            self._old = [*self._old[-200:], (path, headers, body)]
            recent = self._old[-20:]
            again = [self._random.choice(recent) for _ in range(self._random.randint(0, 4))]
            is_lost = self._random.random() < 0.1
        for old in again:
            self._deliver(*old)
        return None if is_lost else (status, answer)

    def _deliver(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(str(self._target.hostname), self._target.port or 80, timeout=400)
        with self._lock:
            self.delivered += 1
        try:
            connection.request("POST", path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            return 502, b"{}"
        finally:
            connection.close()

    def _handler(postman) -> type[BaseHTTPRequestHandler]:  # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                names = ("Authorization", "Content-Type")
                carried = postman.carry(self.path, {name: self.headers[name] or "" for name in names}, body)
                if carried is None:
                    self.close_connection = True
                    return
                with contextlib.suppress(OSError):
                    self.send_response(carried[0])
                    self.send_header("Content-Length", str(len(carried[1])))
                    self.end_headers()
                    self.wfile.write(carried[1])

            def log_message(self, *_: object) -> None: ...

        return Handler
