"""M7: what thousands of agents that wait for work cost one gateway, and whether others are served meanwhile."""

from __future__ import annotations

import socket
import time
from pathlib import Path

from bench import crowd, houses, load, stored
from bench.crowd import Crowd, Members
from bench.figures import Figure, Verdict
from bench.houses import NOTHING_ID, Running
from bench.load import percentile
from bench.messages import Target, schedule_job
from dispatcher.datastore.transactions import Datastore

#: How many agents wait.
AGENTS = 10_000
#: How long the idle server is watched, in seconds: in that time contacts are stored once.
WATCH_S = 30.0
#: How many requests ask for an answer meanwhile, each on a connection of its own.
REQUESTS = 500
#: How many of the agents get a job in the end: all must still be reachable, so every n-th is tried.
REACHED = 50
_PATIENCE_S = 180
_GOAL_MIB, _GOAL_MS, _GOAL_PERCENT = 220, 1.0, 1.0


def run(directory: Path, agents: int, watch_s: float = WATCH_S) -> Figure:
    """Let *agents* wait on one server and watch it for *watch_s* seconds.

    Memory and processor time are the server's whole tree's. In the end some of the agents are given a job each.

    :raises RuntimeError: if an agent is refused or cut off, or a job does not come to its agent once.
    """
    members: Members = []

    def prepare(datastore: Datastore) -> None:
        members.extend(crowd.lay(datastore, agents))

    with houses.dispatcher(directory / "m7", None, prepare=prepare) as house:
        live = Target(house.target.port, "/health").get("live", "text/plain")
        read = house.target.get("jobs?pagesize=1", "application/json")
        _ask(house.target, read, 20)  # what is made once is made before memory is measured
        alone_mib = house.server.memory_mib()
        with Crowd(house.agents_port, members) as simulated:
            begun = time.monotonic()
            simulated.wait_until_all_wait(_PATIENCE_S)
            _wait_until_known(house, agents)
            known_s = time.monotonic() - begun
            _wait_until_quiet(house)
            percent = 100 * _cpu_during(house, watch_s) / watch_s
            with_agents_mib = house.server.memory_mib()
            fresh, reads = _ask(house.target, live, REQUESTS), _ask(house.target, read, REQUESTS)
            reached = _reach(house, simulated, members)
    p95, read95 = percentile(fresh, 95), percentile(reads, 95)
    each = (with_agents_mib - alone_mib) * 1024 / agents
    return Figure(
        "M7",
        f"{agents} idle agents on one gateway",
        verdicts=[
            Verdict(f"at most {_GOAL_MIB} MiB of memory", f"{with_agents_mib:.0f} MiB", with_agents_mib <= _GOAL_MIB),
            Verdict(f"at most {_GOAL_PERCENT:g} % of a core when idle", f"{percent:.2f} %", percent <= _GOAL_PERCENT),
            Verdict(f"p95 of a fresh request at most {_GOAL_MS:g} ms", f"{p95:.2f} ms", p95 <= _GOAL_MS),
        ],
        notes=[
            f"Without agents it is {alone_mib:.0f} MiB: {each:.1f} KiB for each agent.",
            f"All agents were shown as online after {known_s:.0f} s.",
            f"p50 of a fresh request {percentile(fresh, 50):.2f} ms; of a list of jobs with a login, on a connection "
            f"of its own too: p50 {percentile(reads, 50):.2f} ms, p95 {read95:.2f} ms.",
            f"No agent was cut off; {reached} of them were given a job in the end, and each did it once.",
        ],
    )


def _ask(target: Target, request: bytes, count: int) -> list[float]:
    """Send *request* so often, each time on a new connection; return the milliseconds until the answer was there."""
    return [1000 * _ask_once(target.port, request) for _ in range(count)]


def _ask_once(port: int, request: bytes) -> float:
    begun = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port), 30) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(request)
        answer = connection.recv(1 << 16)
        seconds = time.perf_counter() - begun
    if not answer.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"a request was answered {answer[:200]!r}")
    time.sleep(0.005)  # a fresh one, not one in a queue
    return seconds


def _wait_until_known(house: Running, agents: int) -> None:
    """Return when the dispatcher shows all agents as online."""
    deadline = time.monotonic() + _PATIENCE_S
    while (shown := len(house.read("who?teams=false&online=true"))) < agents:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{shown} of {agents} agents are shown as online")
        time.sleep(1)


def _wait_until_quiet(house: Running) -> None:
    """Return when the server has done what came of so many agents at once."""
    deadline = time.monotonic() + _PATIENCE_S
    while _cpu_during(house, 1.0) > 0.1 and time.monotonic() < deadline:
        continue


def _cpu_during(house: Running, seconds: float) -> float:
    """Return how much processor time the server uses in the next *seconds*."""
    before = house.server.cpu_s()
    time.sleep(seconds)
    return house.server.cpu_s() - before


def _reach(house: Running, simulated: Crowd, members: Members) -> int:
    """Give a job to every n-th agent and wait until they have done them; return how many that were."""
    chosen = [agent_id for agent_id, _ in members[:: max(1, len(members) // REACHED)]]
    for agent_id in chosen:
        request = schedule_job(house.target, NOTHING_ID, f"{{{agent_id}}}", {})
        report = load.run(house.target.port, request, _PATIENCE_S, most=1, connections=1)
        if report.errors:
            raise RuntimeError(f"a job was refused:\n{report.sample}")
    simulated.wait(lambda tally: tally.reported >= len(chosen), _PATIENCE_S, "jobs are reported")
    tally = simulated.check()
    if tally.taken != len(chosen):
        raise RuntimeError(f"{tally.taken} of {len(chosen)} jobs came to their agents")
    stored.check_done_once(house.directory, len(chosen), len(chosen))
    return len(chosen)
