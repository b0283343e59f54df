"""Discoveries that are cut off: the agent is killed in the middle, or the server; all of it on loopback."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests
from ies_session import Client
from real_server import Process, Server, in_a_process

LEASE_S = 2
#: How long anything may take afterwards, in seconds.
LIMIT_S = 30


#: The states of a job that goes on, as numbers.
ACTIVE = (0, 1, 2, 10)
#: The computer that says nothing for so long, and who else is there.
SILENT, SILENT_FOR_S, OTHERS = "127.3.0.2", 4, {"127.3.0.1", "127.3.0.3", "127.3.0.4"}
ORDER = f"""{{
Name: "sweep", JobType: 1, StartTime: "2022-03-03T11:30:00Z", Agent: "prober",
DiscoveryOptions: {{PortScanDiscovery: true}},
DiscoveryTargets: {{
    RangeIpTargets: [{{StartIp: "127.3.0.1", EndIp: "127.3.0.4", Timeout: {SILENT_FOR_S * 500}, Retry: 1}}]
}}}}"""


@pytest.fixture
def silence() -> Iterator[int]:
    """A port where one computer leaves everybody waiting, and the others refuse everybody."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.bind((SILENT, 0))
        server.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        yield server.getsockname()[1]


@pytest.fixture
def serve(start_server: Callable[..., Server]) -> Callable[[], Server]:
    """Starts the server, or starts it again."""
    return lambda: start_server("--no-local-agent", DISPATCHER_ENGINE__LEASE_S=str(LEASE_S))


@pytest.fixture
def start_prober(start: Callable[..., Process], tmp_path: Path) -> Callable[..., Process]:
    """Starts the agent that discovers, or starts it again: the token is needed once."""

    def start_prober(server: Server, token: str = "") -> Process:
        options = ["--name", "prober", "--home", str(tmp_path / "prober"), "--allowed-target", "127.0.0.0/8"]
        return start("agent", "--dispatcher", server.agents_url, *options, DISPATCHER_ENROL_TOKEN=token)

    return start_prober


@pytest.fixture
def begun(serve: Any, start_prober: Any, silence: int) -> tuple[Server, Client, Process, str]:
    """A server, a client, the agent, and a discovery that has found the others and waits for the silent one."""
    server = serve()
    in_a_process("setting", "set", "discovery.ports", str(silence), datastore=server.datastore)
    prober = start_prober(server, in_a_process("token", "enrol", datastore=server.datastore)[-1].split()[-1])
    server.wait_for_agents(1)
    client = Client(server)
    return server, client, prober, order(client)


def test_agent_that_is_killed_looks_again_when_it_comes_back_and_until_then_it_can_be_aborted(
    begun: Any, start_prober: Any
) -> None:
    server, client, prober, job = begun
    # It has told of the first while it went on, who is known then whatever becomes of it.
    until(lambda: found(client) != set())
    known = found(client)
    prober.kill()
    time.sleep(LEASE_S + 1)
    assert client.get(job)["Status"] == "In Progress"
    assert known <= found(client) <= OTHERS
    prober = start_prober(server)
    assert is_complete(client, job)

    second = order(client)
    prober.kill()
    entries = server.get("jobs?stage=All").json()["Items"]
    [entry] = [one for one in entries if one["Status"]["Type"] in ACTIVE]
    answer = requests.put(f"{server.service}/jobs/{entry['JobID']}", json={"Type": 2}, timeout=30)
    assert answer.status_code == 200
    assert client.ended(second, LIMIT_S)["Status"] == "Canceled"
    assert found(client) == OTHERS


def test_server_is_killed_and_the_agent_goes_on(begun: Any, serve: Any) -> None:
    server, _, _, job = begun
    server.process.kill()
    time.sleep(LEASE_S)

    assert is_complete(Client(serve()), job)


def order(client: Client) -> str:
    """Begin to look, and return the job when everybody has been found who will be."""
    job = f"Jobs({client.post('Jobs', ORDER)['Id']})"
    until(lambda: results(client.get(job)).keys() == OTHERS)
    return job


def is_complete(client: Client, job: str) -> bool:
    """Return whether the job is done, and everything is told once, and known."""
    ended = client.ended(job, LIMIT_S)
    everybody = {**dict.fromkeys(OTHERS, "Found"), SILENT: "No answer"}
    return (
        (ended["Status"], results(ended)) == ("Completed", everybody)
        and len(ended["Results"]) == len(everybody)
        and found(client) == OTHERS
    )


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def results(job: Any) -> dict[str, str]:
    return {one["Target"]: one["Status"] for one in job["Results"]}


def found(client: Client) -> set[str]:
    """Return the addresses of the computers that are known and have no agent."""
    return {one["IpAddress"] for one in client.get("Endpoints?$filter=HasAgent eq false")["value"]}
