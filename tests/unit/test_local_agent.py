"""The local agent: started again when it ends, told a token only when it needs one, ended with the server."""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from dispatcher.agents import identity
from dispatcher.agents.identity import StoredIdentity
from dispatcher.agents.pins import fingerprint
from dispatcher.core.errors import Unavailable
from dispatcher.local_agent import LocalAgent, command_line

STAND_IN = """
import os, sys
with open(sys.argv[1], "a") as log:
    variables = [name for name in os.environ if name.startswith("DISPATCHER_")]
    log.write(f"{os.getpid()} {sys.stdin.readline().strip() or '-'} {variables}\\n")
sys.stdin.read() if sys.argv[2] == "wait" else sys.exit(int(sys.argv[2]))
"""


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Callable[..., LocalAgent]]:
    """Starts a local agent that writes down what it is told, then waits or ends with a code."""
    agents = []

    def begin(then: str, new_token: Callable[[], str] = lambda: "token") -> LocalAgent:
        command = [sys.executable, "-c", STAND_IN, str(tmp_path / "log"), then]
        agent = LocalAgent(command, tmp_path, new_token=new_token, first_pause_s=0.05, most_pause_s=0.4)
        agents.append(agent)
        agent.start()
        return agent

    yield begin
    for agent in agents:
        agent.stop()


@pytest.fixture
def starts(tmp_path: Path) -> Callable[[int], list[list[str]]]:
    """Waits for so many starts; returns pid, token and variables of each."""

    def wait(count: int) -> list[list[str]]:
        deadline = time.monotonic() + 10
        while True:
            text = (tmp_path / "log").read_text() if (tmp_path / "log").exists() else ""
            lines = [line.split(" ", 2) for line in text.splitlines()]
            if len(lines) >= count and text.endswith("\n"):
                return lines
            assert time.monotonic() < deadline, lines
            time.sleep(0.02)

    return wait


def known(home: Path) -> None:
    identity.save(home, StoredIdentity(agent_id=uuid4(), secret="s", name="n", dispatchers=[]))


def test_ends_with_its_server_and_is_not_started_again(begin, starts) -> None:
    agent = begin("wait")
    starts(1)
    agent.stop()
    time.sleep(0.3)
    assert len(starts(1)) == 1


def test_is_started_again_with_growing_pauses(begin, starts) -> None:
    started = time.monotonic()
    begin("7")
    assert len({pid for pid, *_ in starts(4)}) >= 4
    assert time.monotonic() - started > 0.05 + 0.1 + 0.2


def test_gets_no_token_once_it_has_an_identity(begin, starts, tmp_path) -> None:
    known(tmp_path)
    begin("wait")
    assert starts(1)[0][1] == "-"


def test_gets_a_token_without_identity_or_with_a_damaged_one(begin, starts, tmp_path) -> None:
    begin("wait")
    assert starts(1)[0][1] == "token"
    (tmp_path / "identity.json").write_text("{")
    begin("wait")
    assert starts(2)[1][1] == "token"


def test_gets_a_token_after_it_was_refused(begin, starts, tmp_path) -> None:
    known(tmp_path)
    begin("4")
    assert [token for _, token, _ in starts(3)][:3] == ["-", "token", "token"]


def test_inherits_nothing_of_the_server(begin, starts, monkeypatch) -> None:
    monkeypatch.setenv("DISPATCHER_DATASTORE", "postgresql://user:password@host/db")
    begin("wait")
    assert starts(1)[0][2] == "[]"


def test_waits_for_a_datastore_that_is_away(begin, starts) -> None:
    tries = []

    def new_token() -> str:
        tries.append(1)
        if len(tries) < 3:
            raise Unavailable("the datastore is away")
        return "at last"

    begin("wait", new_token)
    assert starts(1)[0][1] == "at"


def test_fingerprint_needs_a_certificate(tmp_path) -> None:
    (tmp_path / "empty.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    with pytest.raises(ValueError, match="holds no certificate"):
        fingerprint(tmp_path / "empty.pem")


@pytest.mark.parametrize(("networks", "told"), [(("10.0.0.0/8", "::1"), ["10.0.0.0/8", "::1"]), ((), ["none"])])
def test_is_told_what_its_tasks_may_call(tmp_path, networks, told) -> None:
    command = command_line("http://127.0.0.1:1", tmp_path, 2, "", networks, "info", "auto")
    assert [command[place + 1] for place, one in enumerate(command) if one == "--allowed-target"] == told


def test_logs_as_its_server_does(tmp_path) -> None:
    command = command_line("http://127.0.0.1:1", tmp_path, 2, "", [], "warning", "json")
    assert {("--log-level", "warning"), ("--log-format", "json")} <= set(itertools.pairwise(command))
