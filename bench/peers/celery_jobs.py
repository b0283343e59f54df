"""Celery, from outside and inside: the application that its worker loads, and the jobs put to it.

It is not durable: the broker acknowledges a message before it is on the disk, and results are kept in memory.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.peers.missing import PeerMissing
from bench.peers.rabbitmq import Rabbitmq, rabbitmq
from bench.processes import Server, wait_until

try:
    from celery import Celery
except ImportError as error:
    raise PeerMissing(f"it needs celery: {error}") from None

#: Where worker and client find the broker.
VARIABLE = "BENCH_RABBITMQ"
_TASK = "bench.nothing"
#: How long a result may take, in seconds.
_PATIENCE_S = 120


def application(url: str) -> Any:
    """Return the application on the broker at *url*; results come back over the same broker."""
    made = Celery("bench", broker=url, backend="rpc://", set_as_current=False)
    made.conf.update(broker_connection_retry_on_startup=True, worker_hijack_root_logger=False)
    return made


app = application(os.environ.get(VARIABLE, "memory://"))


@app.task(name=_TASK)
def nothing() -> None:
    """Do nothing: this is what a no-op task is to Celery."""


class CeleryPeer:
    """A worker with its broker, and a client of it."""

    name = "Celery on RabbitMQ, not durable"

    def __init__(self, broker: Rabbitmq, worker: Server) -> None:
        self._broker = broker
        self._worker = worker
        self._client = application(broker.url)
        self._submitted: list[str] = []
        self._done: list[str] = []

    def do(self, jobs: int) -> float:
        """Submit *jobs* and wait for the results of all of them; return the seconds."""
        begun = time.perf_counter()
        results = [self._client.send_task(_TASK) for _ in range(jobs)]
        for result in results:
            result.get(timeout=_PATIENCE_S, interval=0.002)
        seconds = time.perf_counter() - begun
        self._submitted += [result.id for result in results]
        self._done += [result.id for result in results if result.successful()]
        return seconds

    def cpu_s(self) -> float:
        """Return the processor time of worker and broker so far, in seconds."""
        return self._worker.cpu_s() + self._broker.server.cpu_s()

    def check(self) -> None:
        """Check that every job was done.

        :raises RuntimeError: if not.
        """
        if self._done != self._submitted or len(set(self._done)) != len(self._done):
            raise RuntimeError("Celery has lost jobs")

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


@contextmanager
def running(directory: Path, slots: int) -> Iterator[CeleryPeer]:
    """Run a worker with so many *slots* (processes), on a broker of its own."""
    with rabbitmq(directory) as broker:
        command = [sys.executable, "-m", "celery", "-A", f"{__name__}.app", "worker", "--concurrency", str(slots)]
        command += ["--loglevel", "warning", "--hostname", "bench@localhost", "--without-gossip", "--without-mingle"]
        with Server(command, {VARIABLE: broker.url}, None, directory / "worker.log") as worker:
            peer = CeleryPeer(broker, worker)
            wait_until(lambda: peer.do(1) > 0, worker)
            try:
                yield peer
            finally:
                peer.close()
