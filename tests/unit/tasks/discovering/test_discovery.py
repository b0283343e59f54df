"""The discovery task: orders from settings and inputs, and real questions to loopback."""

from __future__ import annotations

import json
import re
import socket
import sys

import pytest
from needed import missing

from dispatcher.core.computers import FoundComputer, Way
from dispatcher.core.errors import InvalidValue
from dispatcher.core.inputs import Input
from dispatcher.core.networks import RefusedByPolicy
from dispatcher.tasks.discovering.findings import Findings
from dispatcher.tasks.discovering.icmp import NotPermitted, open_socket
from dispatcher.tasks.discovery import TYPE
from dispatcher.tasks.work import TaskFailed

SUMMARY = re.compile(r"# (.*), in \d+\.\d s")


@pytest.fixture
def discover(workshop, capsys):
    """Does a discovery; returns its lines, the last one without the time, and what it has found."""

    def discover(settings=None, given=None, **values):
        if given is not None:
            workshop.inputs.append(Input("discovery", given))
        workshop.do(TYPE, settings or {}, **values)
        *lines, last = capsys.readouterr().out.splitlines()
        found = list(Findings(workshop.work.parent))
        return [*lines, SUMMARY.fullmatch(last)[1]], {one.address: one for one in found}

    return discover


def order(*targets, **more):
    return {"targets": targets, **more}


def address(text):
    return {"kind": "address", "address": text, "timeout_ms": 300, "retry": 0}


RANGE = {"kind": "range", "start": "127.0.0.0", "end": "127.0.0.15", "timeout_ms": 300, "retry": 0}
NOBODY = "0 computers found, 0 addresses did not answer, 0 refused by policy"


def test_ports_of_a_network(discover, listen, hush) -> None:
    port = listen("127.0.0.3")
    listen("127.0.0.5", port)
    for number in (0, 1, 2, 8):
        hush(f"127.0.0.{number}", port)
    lines, found = discover(order(RANGE, options={"port_scan": True}, ports=[port]))
    # The others refuse the connection, which shows that they are there.
    assert sorted(found) == sorted(f"127.0.0.{number}" for number in range(16) if number not in (0, 1, 2, 8))
    assert found["127.0.0.3"] == FoundComputer("127.0.0.3", ports=(port,), ways=(Way.PORTS,))
    assert found["127.0.0.4"].ports == ()
    assert f"127.0.0.5\tFound\tports {port}; by ports" in lines
    assert "127.0.0.4\tFound\tby ports" in lines
    assert {"127.0.0.0 - 127.0.0.2\tNo answer\t", "127.0.0.8\tNo answer\t"} <= set(lines)
    assert lines[-1] == "12 computers found, 4 addresses did not answer, 0 refused by policy"


def test_policy_allows_a_part(discover, workshop, closed_port) -> None:
    workshop.allowed = ["127.0.0.4/30"]
    lines, found = discover(order(RANGE, options={"port_scan": True}, ports=[closed_port]))
    assert sorted(found) == [f"127.0.0.{number}" for number in (4, 5, 6, 7)]
    assert "127.0.0.0 - 127.0.0.3\tRefused by policy\t" in lines
    assert "127.0.0.8 - 127.0.0.15\tRefused by policy\t" in lines
    assert lines[-1] == "4 computers found, 0 addresses did not answer, 12 refused by policy"


def test_everything_is_asked_of_one_that_echoes(discover, listen, name_server) -> None:
    try:
        open_socket(socket.AF_INET).close()
    except NotPermitted:
        missing("the right to send echo requests")
    name_server.name("127.0.0.3", "pc.example")
    port = listen("127.0.0.3")
    every = dict.fromkeys(("port_scan", "icmp", "dns_name", "mac_address", "verify_with_ping"), True)
    server = {"nameserver": "127.0.0.1", "dns_port": name_server.port}
    _, found = discover(order(address("127.0.0.3"), options=every, ports=[port], **server))
    ways = (Way.ICMP, Way.PORTS, Way.DNS)
    assert found == {"127.0.0.3": FoundComputer("127.0.0.3", "pc.example", "pc.example", ports=(port,), ways=ways)}


def test_name_is_resolved_by_the_name_server_of_the_order(discover, closed_port, name_server) -> None:
    name_server.name("127.0.0.3", "pc.example")
    name = {"kind": "name", "name": "pc.example"}
    server = {"nameserver": "127.0.0.1", "dns_port": name_server.port}
    lines, found = discover(order(name, options={"port_scan": True}, ports=[closed_port], **server))
    assert lines[0] == "pc.example\tFound\t127.0.0.3; by ports"
    assert found["127.0.0.3"].name == "pc.example"


def test_ipv6(discover, listen) -> None:
    port = listen("::1")
    lines, found = discover(order(address("::1"), options={"port_scan": True}, ports=[port]))
    assert lines[0] == f"::1\tFound\tports {port}; by ports"
    assert found["::1"].ports == (port,)


def test_without_options_nobody_is_asked(discover) -> None:
    lines, found = discover(order(RANGE, {"kind": "name", "name": "localhost"}))
    nothing = "nothing was asked: no option is set"
    assert found == {}
    assert any(line.startswith("localhost\tNo answer\t127.0.0.1") and line.endswith(nothing) for line in lines) or any(
        line.startswith("localhost\tNo answer\t::1") and line.endswith(nothing) for line in lines
    )
    assert f"127.0.0.0 - 127.0.0.15\tNo answer\t{nothing}" in lines


@pytest.mark.parametrize("encode", [json.dumps, lambda document: document])
def test_order_of_the_run_counts_in_place_of_the_settings(discover, closed_port, encode) -> None:
    given = order(address("127.0.0.2"), options={"port_scan": True}, ports=[closed_port])
    lines, found = discover(order(address("127.0.0.9")), encode(given))
    assert list(found) == ["127.0.0.2"]
    assert len(lines) == 2


def test_settings_may_hold_references_but_inputs_are_as_they_are(discover, closed_port) -> None:
    settings = order(address("$[Address]"), options={"port_scan": True}, ports=[closed_port])
    assert list(discover(settings, PARAM_Address="127.0.0.2")[1]) == ["127.0.0.2"]
    lines, _ = discover(given=settings, PARAM_Address="127.0.0.2")
    assert lines[0] == "$[Address]\tFailed\taddress: '$[Address]' is no IP address"


def test_order_without_targets_finds_nobody(discover) -> None:
    assert discover() == ([NOBODY], {})


@pytest.mark.parametrize("given", ["no JSON", {"targets": [{"kind": "magic"}]}, {"ports": [0]}, [], 7])
def test_order_that_is_none_fails(workshop, given) -> None:
    workshop.inputs.append(Input("discovery", given))
    with pytest.raises(TaskFailed, match="the order of the discovery"):
        workshop.do(TYPE, {})


def test_name_server_obeys_the_policy(workshop) -> None:
    with pytest.raises(RefusedByPolicy):
        workshop.do(TYPE, order(address("127.0.0.1"), nameserver="192.0.2.1"))
    with pytest.raises(InvalidValue, match="nameserver"):
        workshop.do(TYPE, order(address("127.0.0.1"), nameserver="dns.example"))


@pytest.mark.parametrize(
    ("option", "label", "library"), [("snmp", "SNMP", "pysnmp"), ("windows", "Windows", "smbprotocol")]
)
def test_missing_library_is_one_line_and_the_rest_is_asked(
    discover, closed_port, monkeypatch, option, label, library
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    options = {option: True, "port_scan": True}
    lines, found = discover(order(RANGE, options=options, ports=[closed_port]))
    told = [line for line in lines if line.startswith("#")]
    assert told == [f"# {label}: not asked: {library} is missing: install dispatcher[discovery]"]
    assert len(found) == 16


def test_directory_without_its_password_is_a_line(discover) -> None:
    target = {"kind": "directory", "domain": "ad.example", "username": "u", "password_input": "discovery.password.0"}
    lines, _ = discover(given=order(target))
    assert lines[0] == "ad.example\tFailed\tthere is no input discovery.password.0"


def test_it_takes_inputs_and_says_what_it_does() -> None:
    assert TYPE.takes_inputs
    assert TYPE.summary(TYPE.Settings()) == "the targets of the job"
    assert TYPE.summary(TYPE.Settings.model_validate(order(RANGE))) == "1 targets"
