"""Examining: in which order a computer is asked, and what its answers make of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from dispatcher.core.computers import FoundComputer, Way
from dispatcher.tasks.discovering.examining import NOTHING_ASKED, Examiner, merged, said_of
from dispatcher.tasks.discovering.icmp import NotPermitted
from dispatcher.tasks.discovering.lines import Outcome, Status
from dispatcher.tasks.discovering.probes import Answer, Waiting

WAITING = Waiting(3.0, 4)
HERE = "127.0.0.1"


class Asked:
    """A probe that gives one answer, and remembers whom it was asked for."""

    def __init__(self, way: Way, answer: Answer | Exception | None) -> None:
        self.way = way
        self.answer = answer
        self.asked: list[tuple[str, Waiting]] = []
        self.is_closed = False

    async def ask(self, address: str, waiting: Waiting) -> Answer | None:
        self.asked.append((address, waiting))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def close(self) -> None:
        self.is_closed = True


def examine(
    ping: Asked | None = None,
    probes: Sequence[Asked] = (),
    describers: Sequence[Asked] = (),
    instead: Asked | None = None,
    must_ping: bool = False,
    times: int = 1,
    **more: object,
) -> tuple[Outcome, list[str]]:
    said: list[str] = []
    examiner = Examiner(
        ping=ping,
        must_ping=must_ping,
        instead=instead or Asked(Way.PORTS, None),
        probes=probes,
        describers=describers,
        say=said.append,
    )

    async def ask() -> Outcome:
        for _ in range(times):
            outcome = await examiner.examine(HERE, WAITING, **more)
        await examiner.close()
        return outcome

    return asyncio.run(ask()), said


def test_without_questions_nobody_is_asked() -> None:
    instead = Asked(Way.PORTS, Answer())
    assert examine(instead=instead)[0] == Outcome(Status.NO_ANSWER, NOTHING_ASKED)
    assert not instead.asked


@pytest.mark.parametrize("way", [Way.PORTS, Way.NETBIOS, Way.SNMP, Way.WINDOWS])
def test_each_answer_finds_a_computer(way) -> None:
    outcome, _ = examine(probes=[Asked(way, Answer()), Asked(Way.DNS, None)])
    assert outcome == Outcome(Status.FOUND, f"by {way}", FoundComputer(HERE, ways=(way,)))


def test_every_question_has_the_patience_of_the_target() -> None:
    probe, name = Asked(Way.SNMP, Answer()), Asked(Way.DNS, None)
    examine(probes=[probe], describers=[name])
    assert probe.asked == name.asked == [(HERE, WAITING)]


def test_silent_computer_is_not_described() -> None:
    name = Asked(Way.DNS, Answer(dns_name="pc.example"))
    assert examine(ping=Asked(Way.ICMP, None), describers=[name])[0] == Outcome(Status.NO_ANSWER)
    assert not name.asked


def test_where_no_computer_is_asked_the_name_of_the_address_is_told() -> None:
    outcome, _ = examine(describers=[Asked(Way.DNS, Answer(dns_name="pc.example"))])
    assert outcome == Outcome(Status.NO_ANSWER, "pc.example; by dns")


def test_what_does_not_echo_is_asked_nothing_else_if_it_must() -> None:
    probe = Asked(Way.PORTS, Answer(ports=(22,)))
    assert examine(Asked(Way.ICMP, None), [probe], must_ping=True)[0].status is Status.NO_ANSWER
    assert not probe.asked
    assert examine(Asked(Way.ICMP, None), [probe])[0].status is Status.FOUND


def test_what_echoes_is_asked_the_rest() -> None:
    outcome, _ = examine(Asked(Way.ICMP, Answer()), [Asked(Way.PORTS, Answer(ports=(22,)))], must_ping=True)
    assert outcome.computer == FoundComputer(HERE, ports=(22,), ways=(Way.ICMP, Way.PORTS))


@pytest.mark.parametrize("must_ping", [False, True])
def test_ports_stand_in_for_echoes_that_are_not_permitted(must_ping) -> None:
    instead = Asked(Way.PORTS, Answer(ports=(22,)))
    outcome, said = examine(Asked(Way.ICMP, NotPermitted("no")), instead=instead, must_ping=must_ping, times=3)
    assert outcome.computer == FoundComputer(HERE, ports=(22,), ways=(Way.PORTS,))
    assert said == ["# ICMP: not permitted (no); a connection to TCP ports is tried instead"]
    assert len(instead.asked) == 3


@pytest.mark.parametrize("must_ping", [False, True])
def test_ports_are_not_tried_twice(must_ping) -> None:
    ports = Asked(Way.PORTS, Answer())
    ping = Asked(Way.ICMP, NotPermitted("no"))
    assert examine(ping, [ports], instead=ports, must_ping=must_ping)[0].status is Status.FOUND
    assert len(ports.asked) == 1


@pytest.mark.parametrize("ping", [None, Asked(Way.ICMP, None)])
def test_of_any_number_of_computers_so_many_are_asked_at_a_time(ping) -> None:
    class Counting(Asked):
        now = most = 0

        async def ask(self, address: str, waiting: Waiting) -> Answer | None:
            self.now += 1
            self.most = max(self.most, self.now)
            await asyncio.sleep(0)
            self.now -= 1
            return None

    ports = Counting(Way.PORTS, None)
    examiner = Examiner(
        ping=ping, must_ping=False, instead=ports, probes=[ports], describers=[], say=lambda _: None, at_a_time=3
    )

    async def ask_all() -> None:
        await asyncio.gather(*(examiner.examine(HERE, WAITING) for _ in range(20)))

    asyncio.run(ask_all())
    assert ports.most == 3


def test_limits_of_this_computer_are_a_failure() -> None:
    outcome, _ = examine(probes=[Asked(Way.PORTS, OSError(24, "Too many open files")), Asked(Way.SNMP, Answer())])
    assert outcome == Outcome(Status.FAILED, "[Errno 24] Too many open files")


def test_library_that_stumbles_over_an_answer_ends_nothing() -> None:
    outcome, said = examine(probes=[Asked(Way.SNMP, KeyError("x")), Asked(Way.PORTS, Answer())])
    assert outcome.status is Status.FOUND
    assert said == ["# SNMP: 127.0.0.1 has answered nonsense: KeyError"]


def test_everything_is_closed() -> None:
    probes = [Asked(way, None) for way in (Way.ICMP, Way.PORTS, Way.SNMP, Way.DNS)]
    examine(probes[0], [probes[2]], [probes[3]], instead=probes[1])
    assert all(probe.is_closed for probe in probes)


def test_word_that_counts_most_is_taken() -> None:
    answers = {
        Way.DNS: Answer(dns_name="pc.example"),
        Way.NETBIOS: Answer(netbios_name="PC", mac="00-11-22-33-44-55"),
        Way.SNMP: Answer(name="snmp-pc", os="linux", description="Linux\r\npc\t6.1"),
        Way.WINDOWS: Answer(netbios_name="WINPC", dns_name="other.example", os="windows", description="Windows 10"),
        Way.MAC: Answer(mac="02:00:00:00:00:01"),
        Way.PORTS: Answer(ports=(22, 445)),
        Way.ICMP: Answer(),
    }
    computer = merged(HERE, "", answers)
    assert computer == FoundComputer(
        address=HERE,
        name="pc.example",
        dns_name="pc.example",
        netbios_name="WINPC",
        mac="02:00:00:00:00:01",
        os="windows",
        description="Linux pc 6.1",
        ports=(22, 445),
        ways=(Way.ICMP, Way.PORTS, Way.DNS, Way.MAC, Way.NETBIOS, Way.SNMP, Way.WINDOWS),
    )
    assert said_of(computer) == (
        "pc.example; WINPC; 02:00:00:00:00:01; windows; ports 22, 445; Linux pc 6.1;"
        " by icmp, ports, dns, mac, netbios, snmp, windows"
    )


def test_a_computer_says_nothing_of_its_card_where_the_table_of_the_system_knows_it() -> None:
    told = {Way.MAC: Answer(mac="ff:ff:ff:ff:ff:ff"), Way.NETBIOS: Answer(mac="00-11-22-33-44-55")}
    assert merged(HERE, "", told).mac == ""
    del told[Way.MAC]
    found = merged(HERE, "", told)
    assert (found.mac, Way.MAC in found.ways) == ("00:11:22:33:44:55", False)


def test_name_that_was_given_is_the_name_and_not_told_again() -> None:
    outcome, _ = examine(
        probes=[Asked(Way.NETBIOS, Answer(netbios_name="PC-7"))], given_name="pc-7", ways=[Way.DIRECTORY]
    )
    assert outcome.computer is not None
    assert (outcome.computer.name, outcome.computer.netbios_name) == ("pc-7", "PC-7")
    assert outcome.detail == "by netbios, directory"


def test_nonsense_of_others_stays_in_bounds() -> None:
    hostile = Answer(
        name="x\n10.0.0.1\tFound\t",
        dns_name="\x1b[2J" * 500,
        mac="no",
        os="o" * 100,
        description="\0" * 5000 + "d" * 5000,
    )
    computer = merged(HERE, "", {Way.SNMP: hostile})
    assert computer.mac == ""
    assert [len(computer.dns_name), len(computer.os), len(computer.description)] == [255, 32, 0]
    assert "\x1b" not in computer.dns_name
    assert "\n" not in merged(HERE, "", {Way.SNMP: Answer(name="x\ny")}).name
