"""Found computers: a real agent tells what its tasks have found, however they end, and believes no line of theirs."""

from __future__ import annotations

import os
import socket
from typing import Any
from uuid import UUID, uuid4

import pytest

from dispatcher.agents import found_computers
from dispatcher.agents.found_computers import FoundComputers
from dispatcher.agents.protocol import MAX_REPORT_BYTES, MOST_COMPUTERS, Computer, Found, ModuleOrder, RunOrder, dump
from dispatcher.core.computers import AgentChange, FoundComputer, Way
from dispatcher.core.inputs import Input
from dispatcher.tasks.discovering.findings import FILE, Findings


@pytest.fixture
def gateway(shared_gateway):
    return shared_gateway


@pytest.fixture
def agent(shared_agent):
    return shared_agent


@pytest.fixture
def done(gateway, agent):
    """Has an order done; returns the ends of its tasks, and what was found by position."""

    def do(order):
        gateway.order(order)
        gateway.finished(order.run_id)
        return gateway.of(order.run_id, "task_finished"), found(gateway, order)

    return do


def found(gateway, order) -> dict[int, list[Computer]]:
    by_position: dict[int, list[Computer]] = {}
    for event in gateway.of(order.run_id, "found"):
        by_position.setdefault(event.position, []).extend(event.computers)
    return by_position


def discovery(start: str, end: str, **more: Any) -> dict[str, Any]:
    target = {"kind": "range", "start": start, "end": end, "timeout_ms": 1000, "retry": 0}
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = server.getsockname()[1]
    settings = {"targets": [target], "options": {"port_scan": True}, "ports": [closed], "parallel": 8}
    return {"type": "discovery", "settings": settings, **more}


#: Writes a line into the file, as only the tasks that follow a discovery should.
ADD = 'printf "%s\\n" {line} >> "$(dirname "$DISPATCHER_OUTPUT")/found"'


def test_what_a_discovery_finds_is_told_with_its_task(done, an_order) -> None:
    (end,), told = done(an_order(discovery("127.0.0.1", "127.0.0.4")))
    assert end.state == "completed"
    assert end.message.startswith("4 computers found, 0 addresses did not answer, 0 refused by policy, in ")
    assert list(told) == [0]
    assert sorted(one.address for one in told[0]) == [f"127.0.0.{number}" for number in (1, 2, 3, 4)]
    assert {tuple(one.ways) for one in told[0]} == {(Way.PORTS,)}


def test_order_of_the_run_reaches_it_as_an_input(gateway, done, an_order) -> None:
    task = discovery("127.0.0.1", "127.0.0.2")
    order = an_order({"type": "discovery", "settings": {}}, inputs=[Input("discovery", task["settings"])])
    assert len(done(order)[1][0]) == 2
    assert b"127.0.0.1\tFound\tby ports\n" in gateway.output(order.run_id)


def test_each_task_tells_what_it_has_added(done, an_order) -> None:
    line = """'{"address": "127.0.0.9", "change": "installed", "agent_id": "00000000-0000-0000-0000-000000000007"}'"""
    ends, told = done(
        an_order(
            discovery("127.0.0.1", "127.0.0.2"),
            "true",
            ADD.format(line=line) + "; exit 3",
        )
    )
    assert [end.state for end in ends] == ["completed", "completed", "failed"]
    assert {position: len(computers) for position, computers in told.items()} == {0: 2, 2: 1}
    assert told[2] == [Computer(address="127.0.0.9", change=AgentChange.INSTALLED, agent_id=UUID(int=7))]


def test_discovery_that_is_aborted_tells_what_it_has_found(gateway, agent, an_order) -> None:
    order = an_order(discovery("127.1.0.0", "127.1.255.255"))
    gateway.order(order)
    gateway.wait(lambda: b"\tFound\t" in gateway.output(order.run_id))
    gateway.abort(order.run_id)
    assert gateway.finished(order.run_id).state == "aborted"
    (end,) = gateway.of(order.run_id, "task_finished")
    assert end.state == "aborted"
    assert end.killed == [] or "python" in end.killed[0]
    told = found(gateway, order)[0]
    assert 0 < len(told) < 65_536
    lines = gateway.output(order.run_id).decode().splitlines()
    assert all(line.count("\t") == 2 for line in lines)  # and nothing of what was going on
    assert {one.address for one in told} >= {line.partition("\t")[0] for line in lines if "\tFound\t" in line}


def test_discovery_whose_time_is_up_tells_what_it_has_found(done, an_order) -> None:
    (end,), told = done(an_order(discovery("127.1.0.0", "127.1.255.255", timeout_s=3)))
    assert end.state == "timed_out"
    assert 0 < len(told[0]) < 65_536


def test_secrets_of_the_run_are_masked(gateway, done, an_order) -> None:
    line = """'{"address": "127.0.0.9", "name": "pc-hunter2", "description": "my hunter2"}'"""
    inputs = [Input("discovery.password", "hunter2", is_secret=True)]
    _, told = done(an_order(ADD.format(line=line), inputs=inputs))
    assert [(one.name, one.description) for one in told[0]] == [("pc-********", "my ********")]


def test_file_that_is_no_file_is_left_alone(done, an_order) -> None:
    place = '"$(dirname "$DISPATCHER_OUTPUT")/found"'
    (first, second, third), told = done(
        an_order(f"ln -s /etc/passwd {place}", f"rm {place}; mkfifo {place}", f"rm {place}; mkdir {place}")
    )
    assert (first.state, second.state, third.state, told) == ("completed", "completed", "completed", {})


class Told:
    """What is told of a file in *folder*."""

    def __init__(self, folder) -> None:
        self.events: list[Found] = []
        order = RunOrder(
            run_id=uuid4(),
            fence=3,
            job_id=uuid4(),
            modules=[ModuleOrder(module_id=uuid4(), name="m", values=[])],
            tasks=[],
        )
        self.file = folder / FILE
        self.findings = Findings(folder)
        self.found = FoundComputers(folder, order, self.events.append)

    def addresses(self, position: int = 0) -> list[str]:
        self.events.clear()
        self.found.hand_on(position, [])
        assert all((event.fence, event.position) == (3, position) for event in self.events)
        return [one.address for event in self.events for one in event.computers]


@pytest.fixture
def told(tmp_path) -> Told:
    return Told(tmp_path)


def test_nothing_is_told_of_no_file(told) -> None:
    assert told.addresses() == []
    assert told.events == []


def test_what_was_told_is_not_told_again(told) -> None:
    told.findings.add(FoundComputer("127.0.0.1"))
    assert told.addresses() == ["127.0.0.1"]
    assert told.addresses(1) == []
    told.findings.add(FoundComputer("127.0.0.2"))
    assert told.addresses(2) == ["127.0.0.2"]


def test_while_a_task_goes_on_it_is_looked_now_and_then_and_a_line_is_told_when_it_is_whole(told, monkeypatch) -> None:
    def add(text: str) -> None:
        with told.file.open("a") as file:
            file.write(text)

    def glance() -> list[str]:
        told.events.clear()
        told.found.glance(0, [])
        return [one.address for event in told.events for one in event.computers]

    told.findings.add(FoundComputer("127.0.0.1"))
    assert glance() == ["127.0.0.1"]
    add('{"address": "127.0.')
    assert glance() == []  # too soon
    monkeypatch.setattr(found_computers, "EVERY_S", 0)
    assert glance() == []
    add('0.2"}\n{"address": "127.0.0.3"}')
    assert glance() == ["127.0.0.2"]
    assert told.addresses() == []  # its task has ended: nothing is added to it
    told.findings.add(FoundComputer("127.0.0.4"))
    assert told.addresses(1) == ["127.0.0.4"]


def test_all_that_is_known_arrives(told) -> None:
    known = FoundComputer(
        "127.0.0.1",
        "n",
        "d.example",
        "N",
        "02:00:00:00:00:01",
        "linux",
        "text",
        (22, 80),
        (Way.ICMP, Way.PORTS),
        AgentChange.REPLACED,
        UUID(int=1),
        UUID(int=2),
    )
    told.findings.add(known)
    told.addresses()
    (computer,) = told.events[0].computers
    assert FoundComputer(**{**dict(computer), "ports": tuple(computer.ports), "ways": tuple(computer.ways)}) == known


def test_events_are_bounded_in_number_and_size(told) -> None:
    for number in range(2 * MOST_COMPUTERS + 1):
        told.findings.add(FoundComputer(f"n{number}"))
    assert len(told.addresses()) == 2 * MOST_COMPUTERS + 1
    assert [len(event.computers) for event in told.events] == [MOST_COMPUTERS, MOST_COMPUTERS, 1]
    for number in range(600):
        told.findings.add(FoundComputer(f"n{number}", description="\N{SNOWMAN}" * 1000))
    assert len(told.addresses()) == 600
    assert len(told.events) > 2
    assert all(len(dump(event)) < MAX_REPORT_BYTES / 2 for event in told.events)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"no",
        b"[]",
        b"7",
        b"{}",
        b'{"os": "linux"}',
        b'{"address": 7}',
        b'{"address": "x", "ports": [0]}',
        b'{"address": "x", "ways": ["magic"]}',
        b'{"address": "x", "agent_id": "me"}',
        b'{"address": "' + b"x" * 100 + b'"}',
        b"[" * 60_000,
        b'{"address": "x", "name": "' + b"y" * 200_000 + b'"}',
        b"\xff\xfe",
    ],
)
def test_line_that_is_no_computer_is_left_out(told, line) -> None:
    told.file.write_bytes(b'{"address": "a"}\n' + line + b"\n" + b'{"address": "b"}\n')
    assert told.addresses() == ["a", "b"]


def test_half_a_line_is_left_out_for_good(told) -> None:
    told.file.write_bytes(b'{"address": "a"}\n{"address": "b"')
    assert told.addresses() == ["a"]
    told.findings.add(FoundComputer("c"))
    assert told.addresses(1) == ["c"]


def test_too_much_is_cut(told, monkeypatch) -> None:
    monkeypatch.setattr(found_computers, "MAX_BYTES", 1000)
    for number in range(100):
        told.findings.add(FoundComputer(f"n{number}"))
    assert 0 < len(told.addresses()) < 100
    assert told.addresses(1) == []  # what was left out is not told as that of another task
    told.findings.add(FoundComputer("last"))
    assert told.addresses(2) == ["last"]


def test_file_that_became_shorter_is_no_news(told) -> None:
    told.findings.add(FoundComputer("a"))
    assert told.addresses() == ["a"]
    os.truncate(told.file, 0)
    assert told.addresses(1) == []
