"""The sweep: targets of all kinds, duplicates, the policy, and how many are asked at a time."""

from __future__ import annotations

import asyncio
import time
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from dispatcher.core.computers import Way
from dispatcher.core.networks import Networks, RefusedByPolicy
from dispatcher.tasks.discovering.examining import Examiner
from dispatcher.tasks.discovering.findings import Findings
from dispatcher.tasks.discovering.names import Names
from dispatcher.tasks.discovering.order import DirectoryTarget, DiscoveryOrder
from dispatcher.tasks.discovering.policy import Policy
from dispatcher.tasks.discovering.probes import Answer, Threads, Waiting
from dispatcher.tasks.discovering.sweep import Sweep
from dispatcher.tasks.work import TaskFailed


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
        self.allowed = ["127.0.0.0/8", "::1"]
        self.server: tuple[str, int] | None = None
        self.directories: dict[str, list[str] | Exception] = {}
        self.lines: list[str] = []
        self.tally = ""

    async def sweep(self, *targets: dict[str, Any], asks: bool = True, **order: Any) -> None:
        networks, threads = Networks.parse(self.allowed), Threads()
        examiner = Examiner(
            ping=self.probe if asks else None,
            must_ping=False,
            instead=self.probe,
            probes=[],
            describers=[],
            say=self.lines.append,
        )
        sweep = Sweep(
            DiscoveryOrder.model_validate({"targets": targets, **order}),
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


@pytest.fixture
def world(tmp_path) -> World:
    return World(tmp_path)


def address(text: str, **more: Any) -> dict[str, Any]:
    return {"kind": "address", "address": text, **more}


def a_range(start: str, end: str, **more: Any) -> dict[str, Any]:
    return {"kind": "range", "start": start, "end": end, **more}


def name(text: str, **more: Any) -> dict[str, Any]:
    return {"kind": "name", "name": text, **more}


def directory(domain: str, **more: Any) -> dict[str, Any]:
    return {"kind": "directory", "domain": domain, **more}


def test_range_has_a_line_for_each_computer_and_one_for_each_gap(world) -> None:
    world.probe.computers = {"127.0.0.2", "127.0.0.3", "127.0.0.9"}
    lines = world.do(a_range("127.0.0.0", "127.0.0.15"))
    assert sorted(lines) == [
        ["127.0.0.0 - 127.0.0.1", "No answer", ""],
        ["127.0.0.10 - 127.0.0.15", "No answer", ""],
        ["127.0.0.2", "Found", "by icmp"],
        ["127.0.0.3", "Found", "by icmp"],
        ["127.0.0.4 - 127.0.0.8", "No answer", ""],
        ["127.0.0.9", "Found", "by icmp"],
    ]
    assert sorted(world.found) == ["127.0.0.2", "127.0.0.3", "127.0.0.9"]
    assert world.tally == "3 computers found, 13 addresses did not answer, 0 refused by policy"


def test_policy_refuses_a_part_and_nobody_there_is_asked(world) -> None:
    world.allowed = ["127.0.0.4/30"]
    world.probe.computers = {"127.0.0.1", "127.0.0.5"}
    lines = world.do(a_range("127.0.0.0", "127.0.0.15"), address("127.0.0.1"), address("::1"))
    assert sorted(lines) == [
        ["127.0.0.0", "Refused by policy", ""],
        ["127.0.0.1", "Refused by policy", ""],
        ["127.0.0.2 - 127.0.0.3", "Refused by policy", ""],
        ["127.0.0.4", "No answer", ""],
        ["127.0.0.5", "Found", "by icmp"],
        ["127.0.0.6 - 127.0.0.7", "No answer", ""],
        ["127.0.0.8 - 127.0.0.15", "Refused by policy", ""],
        ["::1", "Refused by policy", ""],
    ]
    assert sorted(world.probe.asked) == [f"127.0.0.{number}" for number in (4, 5, 6, 7)]
    assert world.tally == "1 computers found, 3 addresses did not answer, 13 refused by policy"


def test_huge_ranges_are_refused_at_once(world) -> None:
    begin = time.monotonic()
    lines = world.do(
        a_range("10.0.0.0", "10.255.255.255"), a_range("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff")
    )
    assert time.monotonic() - begin < 0.5
    assert [status for _, status, _ in lines] == ["Refused by policy"] * 2
    assert str(2**24 + 2**96) in world.tally


def test_ipv6(world) -> None:
    world.probe.computers = {"::1"}
    assert sorted(world.do(address("0:0::1"), a_range("::1", "::3"))) == [
        ["::1", "Found", "by icmp"],
        ["::2 - ::3", "Refused by policy", ""],
    ]


def test_duplicates_are_asked_once(world) -> None:
    world.probe.computers = {"127.0.0.1"}
    world.do(
        a_range("127.0.0.1", "127.0.0.4"),
        address("127.0.0.2"),
        a_range("127.0.0.3", "127.0.0.6"),
        address("127.0.0.2", timeout_ms=1),
        address("::ffff:127.0.0.2"),
        a_range("127.0.0.1", "127.0.0.4"),
    )
    assert sorted(world.probe.asked) == [f"127.0.0.{number}" for number in range(1, 7)]
    assert sorted(world.lines) == [
        "127.0.0.1\tFound\tby icmp",
        "127.0.0.2\tNo answer\t",
        "127.0.0.3 - 127.0.0.4\tNo answer\t",
        "127.0.0.5 - 127.0.0.6\tNo answer\t",
    ]


def test_each_target_has_its_own_patience(world) -> None:
    world.do(address("127.0.0.1", timeout_ms=5000), address("127.0.0.2", retry=10), address("127.0.0.3"), parallel=1)
    assert world.probe.waitings == [Waiting(5.0, 4), Waiting(3.0, 11), Waiting(3.0, 4)]


def test_without_questions_ranges_are_not_walked(world) -> None:
    begin = time.monotonic()
    lines = world.do(a_range("127.0.0.0", "127.255.255.255"), address("127.0.0.1"), name("localhost"), asks=False)
    assert time.monotonic() - begin < 1
    nothing = "nothing was asked: no option is set"
    assert ["127.0.0.1", "No answer", nothing] in lines
    assert ["127.0.0.2 - 127.255.255.255", "No answer", nothing] in lines
    assert any(target == "localhost" and detail.endswith(nothing) for target, _, detail in lines)
    assert world.probe.asked == world.found == []


def test_name_is_asked_at_its_addresses(world, name_server) -> None:
    world.server = ("127.0.0.1", name_server.port)
    world.probe.computers = {"127.0.0.4", "::1"}
    name_server.name("127.0.0.3", "pc.example")
    name_server.name("127.0.0.4", "pc.example")
    name_server.name("::1", "pc.example")
    assert world.do(name("pc.example")) == [["pc.example", "Found", "127.0.0.4, ::1; by icmp"]]
    assert [(one.address, one.name) for one in Findings(world.folder)] == [("127.0.0.4", "pc.example")]
    assert world.tally.startswith("1 computers found, 0 addresses")


def test_names_of_one_computer_are_asked_once(world, name_server) -> None:
    world.server = ("127.0.0.1", name_server.port)
    world.probe.computers, world.probe.wait_s = {"127.0.0.4"}, 0.05
    for one in ("pc.example", "www.example"):
        name_server.name("127.0.0.4", one)
    lines = world.do(
        name("pc.example"),
        name("PC.example."),
        name("www.example"),
        a_range("127.0.0.3", "127.0.0.5"),
        address("127.0.0.5"),
    )
    assert sorted(lines) == [
        ["127.0.0.3", "No answer", ""],
        ["127.0.0.5", "No answer", ""],
        ["pc.example", "Found", "127.0.0.4; by icmp"],
        ["www.example", "Found", "127.0.0.4; by icmp"],
    ]
    assert sorted(world.probe.asked) == ["127.0.0.3", "127.0.0.4", "127.0.0.5"]
    assert world.found == ["127.0.0.4"]


def test_policy_is_asked_after_a_name_is_resolved(world, name_server) -> None:
    world.server, world.allowed = ("127.0.0.1", name_server.port), ["127.0.0.1"]
    name_server.name("192.0.2.1", "far.example")
    name_server.name("192.0.2.2", "both.example")
    name_server.name("127.0.0.1", "both.example")
    lines = world.do(name("far.example"), name("both.example"))
    assert sorted(lines) == [
        ["both.example", "No answer", "127.0.0.1"],
        ["far.example", "Refused by policy", "192.0.2.1"],
    ]
    assert world.probe.asked == ["127.0.0.1"]


def test_name_that_nobody_knows_is_not_resolved(world, name_server) -> None:
    world.server = ("127.0.0.1", name_server.port)
    assert world.do(name("my pc")) == [["my pc", "Not resolved", ""]]
    assert world.tally.endswith(", 1 names not resolved")


def test_computers_of_a_directory_are_asked_by_name(world, name_server) -> None:
    world.server = ("127.0.0.1", name_server.port)
    world.probe.computers = {"127.0.0.4"}
    name_server.name("127.0.0.4", "pc.example")
    name_server.name("127.0.0.5", "off.example")
    world.directories["ad.example"] = ["pc.example", "off.example", "gone.example", "pc.example"]
    lines = world.do(directory("ad.example"), name("pc.example"))
    assert sorted(lines) == [
        ["gone.example", "Not resolved", ""],
        ["off.example", "No answer", "127.0.0.5"],
        ["pc.example", "Found", "127.0.0.4; by icmp"],
    ]
    world.lines.clear()
    assert world.do(directory("ad.example"))[0][0] in {"gone.example", "off.example", "pc.example"}
    assert [one.ways for one in Findings(world.folder)] == [(Way.ICMP,), (Way.ICMP, Way.DIRECTORY)]


@pytest.mark.parametrize(
    ("error", "status", "detail"),
    [
        (TaskFailed("the login was refused"), "Failed", "the login was refused"),
        (RefusedByPolicy("dc1", ["192.0.2.1"]), "Refused by policy", "192.0.2.1"),
        (ConnectionRefusedError(111, "Connection refused"), "Failed", "Connection refused"),
    ],
)
def test_directory_that_tells_nothing_is_a_line_and_the_rest_goes_on(world, error, status, detail) -> None:
    world.directories["ad.example"] = error
    world.probe.computers = {"127.0.0.1"}
    lines = world.do(directory("ad.example"), address("127.0.0.1"))
    [(told_status, told_detail)] = [rest for target, *rest in lines if target == "ad.example"]
    assert told_status == status
    assert detail in told_detail
    assert world.found == ["127.0.0.1"]


def test_targets_that_are_none_are_told(world) -> None:
    lines = world.do(address("pc.example"), a_range("127.0.0.9", "127.0.0.1"), address("127.0.0.1"))
    assert sorted(lines) == [
        ["127.0.0.1", "No answer", ""],
        ["127.0.0.9 - 127.0.0.1", "Failed", "end: '127.0.0.1' is before '127.0.0.9'"],
        ["pc.example", "Failed", "address: 'pc.example' is no IP address"],
    ]


@pytest.mark.parametrize("parallel", [1, 7, 200])
def test_no_more_are_asked_at_a_time_than_the_order_says(world, parallel) -> None:
    world.probe.wait_s = 0.002
    world.do(a_range("127.0.0.0", "127.0.1.143"), parallel=parallel)
    assert world.probe.most == parallel
    assert len(world.probe.asked) == 400


def test_range_needs_no_more_memory_than_an_address(world) -> None:
    world.probe.computers = {"127.0.0.0"}
    world.do(a_range("127.0.0.0", "127.0.0.9"), parallel=8)

    def peak(end: str) -> int:
        world.probe = Forgetful(set())
        tracemalloc.start()
        try:
            world.do(a_range("127.0.0.0", end), parallel=8)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    small = peak("127.0.0.255")
    assert peak("127.0.7.255") < 1.5 * small


class Forgetful(Present):
    async def ask(self, address: str, waiting: Waiting) -> Answer | None:
        await asyncio.sleep(0)
        return None


def test_sweep_that_is_cut_off_keeps_what_it_knows(world) -> None:
    world.probe.computers = {f"127.0.0.{number}" for number in range(0, 100, 2)}
    world.probe.wait_s = 0.01

    async def cut_off() -> None:
        task = asyncio.create_task(world.sweep(a_range("127.0.0.0", "127.0.255.255"), parallel=10))
        while len(world.probe.asked) < 60:
            await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cut_off())
    assert 25 <= len(world.found) <= 60
    assert all(number in world.found for number in ("127.0.0.0", "127.0.0.2", "127.0.0.4"))
    silent = [one for one in world.lines if "No answer" in one]
    assert "127.0.0.1\tNo answer\t" in silent
    assert len(silent) >= 20


def test_progress_is_told(world, monkeypatch) -> None:
    monkeypatch.setattr("dispatcher.tasks.discovering.sweep.PROGRESS_S", 0.01)
    world.probe.wait_s = 0.05
    world.do(address("127.0.0.1"))
    assert "# so far: 0 computers found, 0 addresses did not answer, 0 refused by policy" in world.lines


def test_full_disk_ends_the_sweep(world) -> None:
    world.folder = world.folder / "missing"
    world.probe.computers = {"127.0.0.1"}
    with pytest.raises(FileNotFoundError):
        world.do(a_range("127.0.0.0", "127.0.0.15"))
