"""Sweeps of a discovery over computers that are said to be there: what the tests of targets and of names share."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from dispatcher.core.computers import Way
from dispatcher.core.networks import Networks
from dispatcher.tasks.discovering.examining import Examiner
from dispatcher.tasks.discovering.findings import Findings
from dispatcher.tasks.discovering.names import Names
from dispatcher.tasks.discovering.order import DirectoryTarget, DiscoveryOrder
from dispatcher.tasks.discovering.policy import Policy
from dispatcher.tasks.discovering.probes import Answer, Threads, Waiting
from dispatcher.tasks.discovering.sweep import Sweep


@dataclass
class Present:
    """A probe: these computers answer, after a while."""

    computers: set[str]
    wait_s: float = 0.0
    way: Way = Way.ICMP
    asked: list[str] = field(default_factory=list)
    waitings: list[Waiting] = field(default_factory=list)
    at_a_time: int = 0
    most: int = 0

    async def ask(self, address: str, waiting: Waiting) -> Answer | None:
        self.asked.append(address)
        self.waitings.append(waiting)
        self.at_a_time += 1
        self.most = max(self.most, self.at_a_time)
        await asyncio.sleep(self.wait_s)
        self.at_a_time -= 1
        return Answer() if address in self.computers else None

    async def close(self) -> None: ...


class World:
    """Sweeps with loopback as all that may be asked, unless ``allowed`` says something else."""

    def __init__(self, folder: Any) -> None:
        self.folder = folder
        self.probe = Present(set())
        self.follower = Present(set(), way=Way.PORTS)  #: is asked after a ping
        self.allowed = ["127.0.0.0/8", "::1"]
        self.server: tuple[str, int] | None = None
        self.directories: dict[str, list[str] | Exception] = {}
        self.lines: list[str] = []
        self.tally = ""

    async def sweep(self, *targets: dict[str, Any], asks: bool = True, ping: bool = False, **more: Any) -> None:
        order = DiscoveryOrder.model_validate({"targets": targets, **more})
        networks, threads = Networks.parse(self.allowed), Threads()
        examiner = Examiner(
            ping=self.probe if ping else None,
            must_ping=ping,
            instead=self.probe,
            probes=[self.follower if ping else self.probe] if asks else [],
            describers=[],
            say=self.lines.append,
            at_a_time=order.parallel,
        )
        sweep = Sweep(
            order,
            policy=Policy(networks),
            names=Names(threads, networks, self.server),
            examiner=examiner,
            directory=self._directory,
            threads=threads,
            findings=Findings(self.folder),
            write=self.lines.append,
        )
        try:
            await sweep.run()
        finally:
            self.tally = str(sweep.tally)

    def do(self, *targets: dict[str, Any], **options: Any) -> list[list[str]]:
        asyncio.run(self.sweep(*targets, **options))
        return [one.split("\t") for one in self.lines]

    @property
    def found(self) -> list[str]:
        return [one.address for one in Findings(self.folder)]

    def _directory(self, target: DirectoryTarget) -> Iterator[str]:
        known = self.directories[target.domain]
        if isinstance(known, Exception):
            raise known
        yield from known


def address(text: str, **more: Any) -> dict[str, Any]:
    return {"kind": "address", "address": text, **more}


def a_range(start: str, end: str, **more: Any) -> dict[str, Any]:
    return {"kind": "range", "start": start, "end": end, **more}


def name(text: str, **more: Any) -> dict[str, Any]:
    return {"kind": "name", "name": text, **more}


def directory(domain: str, **more: Any) -> dict[str, Any]:
    return {"kind": "directory", "domain": domain, **more}
