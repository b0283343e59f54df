"""Procrastinate, from outside and inside: the application that its worker loads, and the jobs put to it."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.peers.missing import PeerMissing
from bench.peers.postgresql import Postgresql, postgresql
from bench.processes import Server, cpu_s, wait_until

try:
    import procrastinate
    import psycopg
except ImportError as error:
    raise PeerMissing(f"it needs procrastinate: {error}") from None

#: Where the worker finds the database.
VARIABLE = "BENCH_POSTGRESQL"
#: How many jobs are being submitted at a time.
CLIENTS = 16
_QUEUE, _TASK = "bench", "bench.nothing"
#: How long all jobs of a turn may take, in seconds.
_PATIENCE_S = 120
_COUNT = "SELECT count(*) FROM procrastinate_jobs WHERE status = 'succeeded'"

app = procrastinate.App(
    connector=procrastinate.PsycopgConnector(conninfo=os.environ.get(VARIABLE, ""), min_size=1, max_size=CLIENTS)
)


@app.task(queue=_QUEUE, name=_TASK)
def nothing() -> None:
    """Do nothing: this is what a no-op task is to Procrastinate."""


class Procrastinate:
    """A worker with its database, and a client of it."""

    name = "Procrastinate on PostgreSQL"

    def __init__(self, database: Postgresql, worker: Server, runner: asyncio.Runner) -> None:
        self._database = database
        self._worker = worker
        self._runner = runner
        self._monitor = psycopg.connect(database.url, autocommit=True)
        connector = procrastinate.PsycopgConnector(conninfo=database.url, min_size=CLIENTS, max_size=CLIENTS)
        self._client = procrastinate.App(connector=connector)
        self._runner.run(self._open())
        self._submitted: list[int] = []

    def do(self, jobs: int) -> float:
        """Submit *jobs* and wait until all of them are stored as done; return the seconds.

        :raises RuntimeError: if that takes too long.
        """
        begun = time.perf_counter()
        self._submitted += self._runner.run(self._submit(jobs))
        while self._scalar(_COUNT) < len(self._submitted):
            self._worker.check()
            if time.perf_counter() - begun > _PATIENCE_S:
                raise RuntimeError("Procrastinate has not done its jobs in time")
            time.sleep(0.01)
        return time.perf_counter() - begun

    async def _open(self) -> None:
        await self._client.open_async()

    async def _submit(self, jobs: int) -> list[int]:
        deferrer = self._client.configure_task(_TASK, queue=_QUEUE)

        async def client(share: int) -> list[int]:
            return [await deferrer.defer_async() for _ in range(share)]

        shares = [jobs // CLIENTS + (place < jobs % CLIENTS) for place in range(CLIENTS)]
        return [job for part in await asyncio.gather(*map(client, shares)) for job in part]

    def cpu_s(self) -> float:
        """Return the processor time of worker and database so far, in seconds."""
        return self._worker.cpu_s() + cpu_s(self._database.pid)

    def check(self) -> None:
        """Check that every job was done once.

        :raises RuntimeError: if not.
        """
        query = "SELECT array_agg(id ORDER BY id) FROM procrastinate_jobs WHERE status = 'succeeded' AND attempts = 1"
        if self._scalar(query) != sorted(self._submitted):
            raise RuntimeError("Procrastinate has lost or doubled jobs")

    def close(self) -> None:
        """Close the connections."""
        self._runner.run(self._client.close_async())
        self._monitor.close()

    def _scalar(self, query: str) -> Any:
        row = self._monitor.execute(query.encode()).fetchone()
        assert row is not None
        return row[0]


@contextmanager
def running(directory: Path, slots: int) -> Iterator[Procrastinate]:
    """Run a worker with so many *slots*, on a database of its own."""
    directory.mkdir(parents=True)
    with postgresql() as database, asyncio.Runner() as runner:
        environment = {VARIABLE: database.url}
        with procrastinate.App(connector=procrastinate.SyncPsycopgConnector(conninfo=database.url)).open() as opened:
            opened.schema_manager.apply_schema()
        command = [sys.executable, "-m", "procrastinate", f"--app={__name__}.app", "worker"]
        command += ["--concurrency", str(slots), "--queues", _QUEUE]
        log = directory / "worker.log"
        with Server(command, environment, None, log) as worker:
            wait_until(lambda: "Starting worker" in log.read_text(), worker)
            peer = Procrastinate(database, worker, runner)
            try:
                yield peer
            finally:
                peer.close()
