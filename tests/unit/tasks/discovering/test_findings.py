"""Findings: written as they come, read by the next task, and nothing of others breaks a line."""

from __future__ import annotations

from uuid import UUID

import pytest

from dispatcher.core.computers import AgentChange, FoundComputer, Way
from dispatcher.tasks.discovering.findings import FILE, Findings, clean, cleaned

FULL = FoundComputer(
    address="127.0.0.1",
    name="pc",
    dns_name="pc.example",
    netbios_name="PC",
    mac="02:11:22:33:44:55",
    os="linux",
    description="Linux \N{SNOWMAN}",
    ports=(22, 80),
    ways=(Way.ICMP, Way.PORTS),
    change=AgentChange.REPLACED,
    agent_id=UUID(int=1),
    gone_agent_id=UUID(int=2),
    agent_proof="a" * 64,
    gone_agent_proof="b" * 64,
)


def test_what_is_added_is_read_again_in_order(tmp_path) -> None:
    findings = Findings(tmp_path)
    assert list(findings) == []
    for one in (FULL, FoundComputer(address="::1")):
        findings.add(one)
    assert list(Findings(tmp_path)) == [FULL, FoundComputer(address="::1")]
    assert (tmp_path / FILE).stat().st_mode & 0o077 == 0


def test_half_a_line_of_a_killed_task_spoils_no_other(tmp_path) -> None:
    findings = Findings(tmp_path)
    findings.add(FULL)
    with (tmp_path / FILE).open("ab") as stream:
        stream.write(b'{"address": "127.0.0')
    findings.add(FoundComputer(address="::1"))
    assert list(findings) == [FULL, FoundComputer(address="::1")]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"no",
        b"[]",
        b"7",
        b"[" * 100_000,
        b'{"strange": 1}',
        b'{"ports": 7}',
        b'{"ways": ["magic"]}',
        b'{"name": 7}',
        b"\xff",
    ],
)
def test_lines_that_are_no_computer_are_left_out(tmp_path, line) -> None:
    (tmp_path / FILE).write_bytes(line + b"\n" + b'{"address": "127.0.0.2"}\n')
    assert list(Findings(tmp_path)) == [FoundComputer(address="127.0.0.2")]


def test_texts_are_on_one_line_and_as_long_as_they_may_be() -> None:
    assert clean(" a\r\n\tb\x00\x1b[0m\u2028c\ud800 ", 100) == "a b[0m c"
    assert clean("x" * 10_000_000, 64) == "x" * 64
    one = cleaned(FoundComputer(name="n" * 300, description="d\n" * 3000))
    assert (len(one.name), len(one.description)) == (255, 999)
