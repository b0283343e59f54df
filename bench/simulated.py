"""Simulated agents: many in one process, each with the connections and the messages of a real one, but without work.

Reads a ``Spec`` as one line of JSON from standard input; answers every further line with a ``Tally`` as one line on
standard output, and ends with its input. Each agent keeps one connection for polls and opens one for reports when
it has something to report. Every run is reported at once, as a real agent reports one that ends within milliseconds.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

import orjson

from dispatcher.agents.protocol import LONG_POLL_S, PATH, credentials

#: How many agents may be about to connect at a time.
CONNECTING = 100
#: How long an agent waits after a failure before it tries again, in seconds.
PAUSE_S = 0.5
#: How many faults are told in full.
MOST_FAULTS = 20
#: What a real agent says of itself with its first poll.
FACTS = {"os": "linux", "os_version": "simulated", "hostname": "simulated", "address": "127.0.0.1"}


@dataclass(slots=True)
class Spec:
    """Where the agents call in, and who they are: ``[agent id, secret]`` each."""

    port: int
    members: list[tuple[str, str]]
    slots: int = 2
    wait_s: float = LONG_POLL_S


@dataclass(slots=True)
class Tally:
    """What all agents together have seen so far. ``last_report_at`` is of the computer's clock, in seconds."""

    waiting: int = 0  #: polls that are sent and not answered
    taken: int = 0
    reported: int = 0
    doubled: int = 0  #: runs that came again under the same fence
    reconnects: int = 0
    faults: int = 0
    last_report_at: float = 0.0
    samples: list[str] = field(default_factory=list)

    def note_fault(self, text: str) -> None:
        """Count a fault, and keep the first ones for people."""
        self.faults += 1
        if len(self.samples) < MOST_FAULTS:
            self.samples.append(text[:500])


class Wire(asyncio.Protocol):
    """A keep-alive connection: one call at a time. *answered* gets status and body, *lost* the end of it."""

    def __init__(self, answered: Callable[[int, bytes], None], lost: Callable[[], None]) -> None:
        self._answered = answered
        self._lost = lost
        self._buffer = b""
        self._transport: asyncio.Transport | None = None
        self.is_open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)
        self.is_open = True

    def send(self, request: bytes) -> None:
        """Send a whole call."""
        assert self._transport is not None
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Wait until an answer is whole."""
        self._buffer += data
        head, complete, body = self._buffer.partition(b"\r\n\r\n")
        if not complete:
            return
        place = head.lower().find(b"\r\ncontent-length:")
        length = int(head[place + 17 :].partition(b"\r\n")[0]) if place >= 0 else 0
        if len(body) >= length:
            self._buffer = b""
            self._answered(int(head[9:12]), body)

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 - the name is asyncio's
        """Tell that nothing more comes."""
        self.is_open = False
        self._lost()


class Agent:
    """One agent: polls without end, and reports every run that it is given as done."""

    def __init__(self, spec: Spec, member: tuple[str, str], tally: Tally, gate: asyncio.Semaphore) -> None:
        self._spec = spec
        self._authorization = credentials(UUID(member[0]), member[1])
        self._tally = tally
        self._gate = gate
        self._polling: Wire | None = None
        self._reporting: Wire | None = None
        self._has_said_facts = False
        self._is_waiting = False
        self._held: dict[str, int] = {}
        self._unreported: list[dict[str, Any]] = []
        self._under_way: list[dict[str, Any]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def connect(self) -> None:
        """Open the connection for polls and send the first one; try again until that works."""
        wire = await self._open(self._polled, self._cut)
        self._polling = wire
        self._poll()

    async def _open(self, answered: Callable[[int, bytes], None], lost: Callable[[], None]) -> Wire:
        loop = asyncio.get_running_loop()
        while True:
            try:
                async with self._gate:
                    _, wire = await loop.create_connection(lambda: Wire(answered, lost), "127.0.0.1", self._spec.port)
                    return wire
            except OSError as error:
                self._tally.note_fault(f"no connection: {error}")
                await asyncio.sleep(PAUSE_S)

    def _poll(self) -> None:
        assert self._polling is not None
        if not self._polling.is_open:
            return  # ``_cut`` sees to it
        poll: dict[str, Any] = {
            "free": max(0, self._spec.slots - len(self._held)),
            "holding": [{"run_id": run_id, "fence": fence} for run_id, fence in self._held.items()],
            "wait_s": self._spec.wait_s,
        }
        if not self._has_said_facts:
            poll["facts"] = FACTS
        self._wait(now=True)
        self._polling.send(self._call("poll", orjson.dumps(poll)))

    def _polled(self, status: int, body: bytes) -> None:
        self._wait(now=False)
        if status != 200:
            self._tally.note_fault(f"poll answered {status} {body!r}")
            asyncio.get_running_loop().call_later(PAUSE_S, self._poll)
            return
        self._has_said_facts = True
        orders = orjson.loads(body)
        for run in orders["runs"]:
            if self._held.get(run["run_id"]) == run["fence"]:
                self._tally.doubled += 1
                continue
            self._tally.taken += 1
            self._held[run["run_id"]] = run["fence"]
            self._unreported.append(run)
        self._note_losses(orders)
        self._poll()
        self._report()

    def _cut(self) -> None:
        if self._is_waiting:
            self._wait(now=False)
        self._tally.reconnects += 1
        self._start(self.connect())

    def _report(self) -> None:
        if self._under_way or not self._unreported:
            return
        self._under_way, self._unreported = self._unreported, []
        self._start(self._send_report())

    async def _send_report(self) -> None:
        if self._reporting is None or not self._reporting.is_open:
            self._reporting = await self._open(self._reported, self._report_cut)
        at = datetime.now(UTC).isoformat()
        events = [event for run in self._under_way for event in _events(run, at)]
        holding = [{"run_id": run_id, "fence": fence} for run_id, fence in self._held.items()]
        self._reporting.send(self._call("report", orjson.dumps({"events": events, "holding": holding})))

    def _reported(self, status: int, body: bytes) -> None:
        done, self._under_way = self._under_way, []
        if status != 200:
            self._tally.note_fault(f"report answered {status} {body!r}")
            self._unreported = done + self._unreported
            asyncio.get_running_loop().call_later(PAUSE_S, self._report)
            return
        for run in done:
            if self._held.get(run["run_id"]) == run["fence"]:
                del self._held[run["run_id"]]
        self._tally.reported += len(done)
        self._tally.last_report_at = time.time()
        self._report()

    def _report_cut(self) -> None:
        if self._under_way:  # it may have arrived: it is sent again, and the dispatcher knows what it has
            self._unreported, self._under_way = self._under_way + self._unreported, []
            self._report()

    def _note_losses(self, orders: dict[str, Any]) -> None:
        # One that is being reported may have ended before this poll was answered: then it is not the agent's any more.
        for run in self._unreported:
            if run["run_id"] in orders["lost"]:
                self._tally.note_fault(f"run {run['run_id']} was taken away")

    def _call(self, name: str, body: bytes) -> bytes:
        head = (
            f"POST {PATH}/{name} HTTP/1.1\r\nHost: 127.0.0.1:{self._spec.port}\r\nContent-Type: application/json\r\n"
            f"Authorization: {self._authorization}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    def _wait(self, *, now: bool) -> None:
        self._is_waiting = now
        self._tally.waiting += 1 if now else -1

    def _start(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _events(run: dict[str, Any], at: str) -> list[dict[str, Any]]:
    """Return the events of a run whose tasks have all completed."""
    of_run = {"run_id": run["run_id"], "fence": run["fence"], "at": at}
    events = [{"kind": "run_started", **of_run}]
    for task in run["tasks"]:
        events.append({"kind": "task_started", "position": task["position"], **of_run})
        end = {"position": task["position"], "state": "completed", "exit_code": 0}
        events.append({"kind": "task_finished", **end, **of_run})
    return [*events, {"kind": "run_finished", "state": "completed", **of_run}]


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader(limit=1 << 26)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    spec = Spec(**json.loads(await lines.readline()))
    tally, gate = Tally(), asyncio.Semaphore(CONNECTING)
    agents = [Agent(spec, member, tally, gate) for member in spec.members]
    connecting = [loop.create_task(agent.connect()) for agent in agents]
    while await lines.readline():
        for task in connecting:
            if task.done():
                task.result()  # a defect of the harness ends it
        print(json.dumps(asdict(tally)), flush=True)


if __name__ == "__main__":
    import uvloop

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with suppress(KeyboardInterrupt):
        uvloop.run(_serve())
