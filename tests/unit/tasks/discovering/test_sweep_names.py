"""Names in a sweep: what is asked of which of their addresses, who counts as a computer, and what is told."""

from __future__ import annotations

import asyncio
from unittest.mock import ANY

import pytest
from sweep_world import Present, World, a_range, address, directory, name

from dispatcher.core.computers import Way
from dispatcher.core.networks import RefusedByPolicy
from dispatcher.tasks.discovering.findings import Findings
from dispatcher.tasks.discovering.names import MOST_ADDRESSES, Names
from dispatcher.tasks.discovering.probes import Answer, Waiting
from dispatcher.tasks.work import TaskFailed


@pytest.fixture
def world(tmp_path) -> World:
    return World(tmp_path)


@pytest.fixture
def named(world, name_server):
    """Gives computers the name that is said."""
    world.server = ("127.0.0.1", name_server.port)

    def give(text: str, *addresses: str) -> None:
        for one in addresses:
            name_server.name(one, text)

    return give


def told_of(lines: list[list[str]], target: str) -> list[str]:
    """Return the addresses that the line of *target* has, sorted: name servers give them in any order."""
    [detail] = [detail for one, _, detail in lines if one == target]
    return sorted(detail.partition(";")[0].split(", "))


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
        name("PC.example"),
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


def test_names_are_resolved_no_more_at_a_time_than_the_order_says(world, monkeypatch) -> None:
    resolving = Present(set(), wait_s=0.01)

    async def addresses(_: Names, text: str, waiting: Waiting) -> list[str]:
        await resolving.ask(text, waiting)
        return []

    monkeypatch.setattr(Names, "addresses", addresses)
    world.do(*(name(f"pc-{number}.example") for number in range(40)), ping=True, parallel=7)
    assert resolving.most == 7
    assert len(resolving.asked) == 40


def test_each_computer_of_a_name_is_kept_and_a_range_tells_of_the_others(world, named) -> None:
    named("multi.example", *(f"127.0.0.{number}" for number in (3, 5, 6)), "::1")
    world.probe.computers = {"127.0.0.3", "127.0.0.5", "127.0.0.4", "::1"}
    lines = world.do(name("multi.example"), a_range("127.0.0.2", "127.0.0.7"))
    assert sorted(lines) == [
        ["127.0.0.2", "No answer", ""],
        ["127.0.0.4", "Found", "by icmp"],
        ["127.0.0.6 - 127.0.0.7", "No answer", ""],
        ["multi.example", "Found", ANY],
    ]
    assert told_of(lines, "multi.example") == ["127.0.0.3", "127.0.0.5", "::1"]
    assert sorted(world.found) == ["127.0.0.3", "127.0.0.4", "127.0.0.5"]
    assert len(world.probe.asked) == len(set(world.probe.asked)) == 7
    assert world.tally.startswith("3 computers found, 3 addresses did not answer")


@pytest.mark.parametrize("is_first", [True, False])
def test_an_address_has_its_line_and_its_computer_whoever_else_names_it(world, named, is_first: bool) -> None:
    named("both.example", "127.0.0.3", "::1")
    world.probe.computers, world.probe.wait_s = {"127.0.0.3", "::1"}, 0.01
    alone, by_name = [address("::1"), a_range("::1", "::1")], [name("both.example")]
    lines = world.do(*(alone + by_name if is_first else by_name + alone))
    assert sorted(lines) == [["::1", "Found", "by icmp"], ["both.example", "Found", "127.0.0.3, ::1; by icmp"]]
    assert sorted(world.found) == ["127.0.0.3", "::1"]
    assert sorted(world.probe.asked) == ["127.0.0.3", "::1"]


def test_a_range_waits_for_what_a_name_makes_of_its_addresses(world, named, monkeypatch) -> None:
    named("slow.example", "127.0.0.3", "127.0.0.5")
    world.probe.computers = {"127.0.0.3", "127.0.0.5"}
    ask = Present.ask

    async def slowly(self: Present, text: str, waiting: Waiting) -> Answer | None:
        await asyncio.sleep(0.1 if text == "127.0.0.5" else 0)
        return await ask(self, text, waiting)

    monkeypatch.setattr(Present, "ask", slowly)
    lines = world.do(name("slow.example"), a_range("127.0.0.3", "127.0.0.4"))
    assert sorted(lines) == [
        ["127.0.0.4", "No answer", ""],
        ["slow.example", "Found", ANY],
    ]
    assert told_of(lines, "slow.example") == ["127.0.0.3", "127.0.0.5"]
    assert sorted(world.found) == ["127.0.0.3", "127.0.0.5"]


def test_a_name_with_many_addresses_tells_how_many_were_asked(world, named) -> None:
    named("crowd.example", *(f"127.0.0.{number}" for number in range(1, 31)))
    [[target, status, detail]] = world.do(name("crowd.example"))
    assert (target, status) == ("crowd.example", "No answer")
    assert detail.endswith(f"; of its 30 addresses {MOST_ADDRESSES} were asked")
    assert len(world.probe.asked) == MOST_ADDRESSES


def test_a_name_with_a_dot_at_its_end_is_another_one(world, monkeypatch) -> None:
    async def addresses(_: Names, text: str, waiting: Waiting) -> list[str]:
        return ["127.0.0.3"] if text == "multi" else []  # as a file of hosts without that dot has it

    monkeypatch.setattr(Names, "addresses", addresses)
    lines = world.do(name("multi."), name("multi"), name("MULTI"))
    assert sorted(lines) == [["multi", "No answer", "127.0.0.3"], ["multi.", "Not resolved", ""]]


def test_a_directory_without_computers_is_told(world) -> None:
    world.directories["ad.example"] = []
    lines = world.do(directory("ad.example"))
    assert lines == [["ad.example", "Not resolved", "the directory has no computers there"]]


def test_a_directory_whose_computers_are_all_named_is_told(world, named) -> None:
    named("pc.example", "127.0.0.4")
    world.directories["ad.example"] = ["pc.example"]
    lines = world.do(name("pc.example"), directory("ad.example"))
    assert sorted(lines) == [
        ["ad.example", "Found", "the 1 computers that the directory has there are told by name"],
        ["pc.example", "No answer", "127.0.0.4"],
    ]
