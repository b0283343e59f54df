"""The sweep: targets of all kinds, duplicates, the policy, and how many are asked at a time."""

from __future__ import annotations

import asyncio
import time
import tracemalloc

import pytest
from sweep_world import Present, World, a_range, address, name

from dispatcher.tasks.discovering.probes import Answer, Waiting
from dispatcher.tasks.discovering.sweep import MOST_IN_RANGES


@pytest.fixture
def world(tmp_path) -> World:
    return World(tmp_path)


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


def test_more_addresses_than_can_be_asked_are_not_begun(world) -> None:
    world.allowed = ["127.0.0.0/8", "fc00::/7"]
    world.probe.computers = {"fd00::1"}
    begin = time.monotonic()
    lines = world.do(a_range("fd00::", "fd00:0:0:1::"), a_range("fd00::1", "fd00::2"), address("fd00::1"))
    assert time.monotonic() - begin < 1
    many = f"{2**64 - 1} addresses are too many: of ranges no more than {MOST_IN_RANGES} addresses are asked"
    assert sorted(lines) == [
        ["fd00::", "No answer", ""],
        ["fd00::1", "Found", "by icmp"],
        ["fd00::2 - fd00:0:0:1::", "Failed", many],
    ]


def test_all_ranges_together_have_no_more_addresses_than_can_be_asked(world, monkeypatch) -> None:
    monkeypatch.setattr("dispatcher.tasks.discovering.sweep.MOST_IN_RANGES", 20)
    lines = world.do(a_range("127.0.0.0", "127.0.0.15"), a_range("127.0.1.0", "127.0.1.7"), address("127.0.2.1"))
    assert sorted(lines) == [
        ["127.0.0.0 - 127.0.0.15", "No answer", ""],
        [
            *("127.0.1.0 - 127.0.1.7", "Failed"),
            "8 addresses are too many: of ranges no more than 20 addresses are asked",
        ],
        ["127.0.2.1", "No answer", ""],
    ]
    assert world.tally.endswith(", 8 failed")


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


def test_where_only_a_ping_is_waited_for_more_are_asked_at_a_time_and_of_all_else_no_more(world) -> None:
    world.probe.computers = {f"127.0.0.{number}" for number in range(60)}
    world.probe.wait_s = world.follower.wait_s = 0.01
    world.do(a_range("127.0.0.0", "127.0.1.143"), ping=True, parallel=7, pings=300)
    assert world.probe.most == 300
    assert world.follower.most == 7
    assert sorted(world.follower.asked) == sorted(world.probe.computers)
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
