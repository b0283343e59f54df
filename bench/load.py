"""Load: sends one request over and over on keep-alive connections, in a process of its own.

Reads a ``Spec`` as JSON from standard input and writes a ``Report`` as JSON to standard output. When the time is up
nothing more is sent and all answers are waited for, so that what was sent is what was answered.
"""

from __future__ import annotations

import asyncio
import base64
import json
import math
import os
import re
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import cast

from bench.messages import NUMBER

#: How long an answer may take, in seconds, before the run counts as failed.
ANSWER_S = 30


@dataclass(slots=True)
class Spec:
    """What is sent. ``collect`` is a regular expression whose group is picked out of every good answer."""

    port: int
    request: str  #: base64
    seconds: float
    connections: int = 16
    collect: str = ""
    first_number: int = 0
    last_number: int = 0  #: after this one comes number 1 again; 0 is never
    most: int = 0  #: send no more than so many, even if there is time; 0 is no limit


@dataclass(slots=True)
class Report:
    """What came of it. Latencies are in milliseconds; ``collected`` is ``[number sent, what was picked out]``.

    ``begun_at`` is of the machine's monotonic clock (``time.perf_counter``), in seconds.
    """

    answers: int = 0
    errors: int = 0
    seconds: float = 0.0
    begun_at: float = 0.0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    received: int = 0  #: bytes of all answers, without their headers
    sample: str = ""
    collected: list[tuple[int, str]] = field(default_factory=list)


def run(port: int, request: bytes, seconds: float, *, core: int | None = None, **more: object) -> Report:
    """Send *request* for so many *seconds* from another process, pinned to *core*."""
    spec = Spec(port, base64.b64encode(request).decode(), seconds, **more)  # type: ignore[arg-type]

    def pin() -> None:
        if core is not None:
            os.sched_setaffinity(0, {core})

    done = subprocess.run(
        [sys.executable, "-m", "bench.load"],
        input=json.dumps(asdict(spec)),
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds + 2 * ANSWER_S,
        preexec_fn=pin,
    )
    if done.returncode:
        raise RuntimeError(f"the load generator failed:\n{done.stderr}")
    return Report(**json.loads(done.stdout))


class _Run:
    """One run over all its connections."""

    def __init__(self, spec: Spec) -> None:
        before, found, after = base64.b64decode(spec.request).partition(NUMBER)
        self._parts = (before, after) if found else None
        self._request = before
        self._collect = re.compile(spec.collect.encode()) if spec.collect else None
        self._number, self._last = spec.first_number, spec.last_number
        self._left = spec.most or sys.maxsize
        self.latencies: list[float] = []
        self.report = Report()
        self.deadline = 0.0

    def next_request(self) -> tuple[int, bytes] | None:
        if time.perf_counter() >= self.deadline or not self._left:
            return None
        self._left -= 1
        if self._parts is None:
            return 0, self._request
        self._number = 1 if self._number == self._last > 0 else self._number + 1
        return self._number, b"%s%08d%s" % (self._parts[0], self._number, self._parts[1])

    def answered(self, number: int, latency: float, head: bytes, body: bytes) -> None:
        self.latencies.append(latency)
        self.report.answers += 1
        self.report.received += len(body)
        good = head.startswith(b"HTTP/1.1 200")
        if good and self._collect is not None:
            found = self._collect.search(body)
            if found:
                self.report.collected.append((number, found[1].decode()))
            else:
                good = False
        if not good:
            self.report.errors += 1
        if not good or not self.report.sample:
            self.report.sample = (head + b"\r\n\r\n" + body[:2000]).decode("utf-8", "replace")


class _Connection(asyncio.Protocol):
    """One keep-alive connection: a request, its answer, the next request."""

    def __init__(self, run: _Run) -> None:
        self._run = run
        self._buffer = b""
        self._sent_at = 0.0
        self._number = 0
        self._transport: asyncio.Transport | None = None
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, complete, body = self._buffer.partition(b"\r\n\r\n")
        if not complete:
            return
        length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
        if length is None:
            self._fail("an answer has no Content-Length")
        elif len(body) >= int(length[1]):
            self._buffer = b""
            self._run.answered(self._number, time.perf_counter() - self._sent_at, head, body)
            self._send()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self._fail(f"the server closed a connection: {error}")

    def _send(self) -> None:
        assert self._transport is not None
        following = self._run.next_request()
        if following is None:
            self.done.set_result(None)
            self._transport.close()
            return
        self._number, request = following
        self._sent_at = time.perf_counter()
        self._transport.write(request)

    def _fail(self, reason: str) -> None:
        self.done.set_exception(RuntimeError(reason))


async def _send_all(spec: Spec) -> Report:
    run = _Run(spec)
    loop = asyncio.get_running_loop()
    started = time.perf_counter()
    run.deadline = started + spec.seconds
    opened = [
        await loop.create_connection(lambda: _Connection(run), "127.0.0.1", spec.port) for _ in range(spec.connections)
    ]
    async with asyncio.timeout(spec.seconds + ANSWER_S):
        await asyncio.gather(*(connection.done for _, connection in opened))
    report = run.report
    report.begun_at = started
    report.seconds = time.perf_counter() - started
    report.p50_ms, report.p99_ms = (1000 * percentile(run.latencies, share) for share in (50, 99))
    return report


def percentile(values: list[float], share: float) -> float:
    """Return the smallest of *values* that at least *share* percent of them do not exceed; 0 of none."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * share / 100) - 1)] if ordered else 0.0


if __name__ == "__main__":
    import uvloop

    report = uvloop.run(_send_all(Spec(**json.load(sys.stdin))))
    # Not by print: where output is not buffered (PYTHONUNBUFFERED), what a pipe does not take at once is lost.
    with open(sys.stdout.fileno(), "w", closefd=False) as output:
        json.dump(asdict(report), output)
