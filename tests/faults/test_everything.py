"""Everything at once: dispatchers, their disks, agents and networks fail together, in any order, at random instants."""

from __future__ import annotations

import contextlib
import resource
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest
from proxy import KINDS, Wire, wires
from world import LEASE_S, World, paused

AGENTS = ("one", "two", "three")


class Storm:
    """Breaks something at random, and mends it again. What may break at the same time does so in threads of its own."""

    def __init__(self, worlds: list[World], wires_of_agents: dict[str, list[Wire]], clients: Wire) -> None:
        self._worlds = worlds
        self._world = worlds[0]
        self._wires = wires_of_agents
        self._clients = clients
        self.faults = 0

    def blow(self, seconds: float) -> None:
        """Break dispatchers, agents and wires at the same time for so many *seconds*."""
        over = time.monotonic() + seconds
        kinds = [self._break_a_dispatcher, self._break_an_agent, self._break_a_wire]
        failures: list[BaseException] = []

        def keep_breaking(how: Callable[[], None]) -> None:
            try:
                while time.monotonic() < over:
                    time.sleep(self._world.random.uniform(0, 2))
                    how()
                    self.faults += 1
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=keep_breaking, args=(how,)) for how in kinds]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []

    def _break_a_dispatcher(self) -> None:
        chance = self._world.random
        victim = chance.choice(self._worlds)
        assert victim.server is not None
        match chance.choice(("kill", "pause", "disk")):
            case "kill":
                victim.server.kill()
                time.sleep(chance.uniform(0, 2))
                victim.start_server()
            case "pause":
                with paused(victim.server):
                    time.sleep(LEASE_S * chance.uniform(0.5, 2))
            case _:
                with small_files(victim.server.popen.pid):
                    time.sleep(chance.uniform(0.2, 2))

    def _break_an_agent(self) -> None:
        chance = self._world.random
        name = chance.choice(AGENTS)
        if chance.random() < 0.6:
            self._world.kill_agent(name, with_slots=chance.random() < 0.3)
            time.sleep(chance.uniform(0, 2))
            self._world.start_agent(name, ",".join(wire.url for wire in self._wires[name]))
        else:
            with paused(self._world.agents[name]):
                time.sleep(LEASE_S * chance.uniform(0.5, 2))

    def _break_a_wire(self) -> None:
        chance = self._world.random
        wire = chance.choice([self._clients, *(wire for mine in self._wires.values() for wire in mine)])
        wire.disturb(chance.choice(KINDS))
        time.sleep(chance.uniform(0.1, 3))
        wire.disturb("")


@contextlib.contextmanager
def small_files(process_id: int) -> Iterator[None]:
    """Let no file of a process grow, as if the disk were full."""
    process = psutil.Process(process_id)
    process.rlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        process.rlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


@pytest.mark.promise("P1")
@pytest.mark.promise("P2")
@pytest.mark.promise("P3")
@pytest.mark.promise("P4")
@pytest.mark.promise("P8")
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_everything_fails_at_once(
    request: pytest.FixtureRequest,
    make_world: Callable[..., World],
    passes: Any,
    times: Any,
    seed: int,
    database: str,
) -> None:
    datastore = "" if database == "sqlite" else request.getfixturevalue("postgresql_database")
    worlds = [make_world(datastore) for _ in range(1 if database == "sqlite" else 2)]
    world = worlds[0]
    world.prepare()
    for other in worlds[1:]:
        other.start_server()
    with contextlib.ExitStack() as stack:
        clients, *rest = stack.enter_context(
            wires(world.url, *(each.agents_url for each in worlds * len(AGENTS)), seed=seed)
        )
        world.client_url = clients.url
        wires_of_agents = {
            name: rest[number * len(worlds) : (number + 1) * len(worlds)] for number, name in enumerate(AGENTS)
        }
        for name, mine in wires_of_agents.items():
            world.start_agent(name, ",".join(wire.url for wire in mine))
        world.wait_for_agents()
        storm = Storm(worlds, wires_of_agents, clients)
        with world.load(rate=6, pause_s=0.5):
            storm.blow(times(30, 300))
        verdict = world.judge(60)
    passes(f"everything at once, {database}", storm.faults, verdict)
