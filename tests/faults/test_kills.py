"""Kills at random instants: whatever dies, nothing acknowledged is lost, nothing is done twice, nothing hangs."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import pytest
from world import AGAIN, LEASE_S, ONCE, World


@pytest.mark.promise("P1")
@pytest.mark.promise("P3")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_server_killed_again_and_again(
    request: pytest.FixtureRequest, make_world: Callable[..., World], passes: Any, times: Any, database: str
) -> None:
    datastore = "" if database == "sqlite" else request.getfixturevalue("postgresql_database")
    world = make_world(datastore)
    world.prepare("one", "two")
    kills = times(20 if database == "sqlite" else 10, 50)
    with world.load(rate=5):
        for _ in range(kills):
            time.sleep(world.random.uniform(0, 1.2))
            assert world.server is not None
            world.server.kill()
            world.start_server()
    verdict = world.judge()
    passes(f"R1 kill -9 server, {database}", kills, verdict)
    # Starting Python and its libraries is most of it.
    assert statistics.median(world.ready_after_cpu_s) < 5


@pytest.mark.promise("P2")
@pytest.mark.promise("P4")
@pytest.mark.timeout(600)
def test_agent_killed_again_and_again(world: World, passes: Any, times: Any) -> None:
    world.prepare("one", "two", "three")
    kills = times(20, 50)
    with world.load(rate=6, pause_s=0.6):
        for _ in range(kills):
            time.sleep(world.random.uniform(0, 1.0))
            name = world.random.choice(sorted(world.agents))
            world.kill_agent(name, with_slots=world.random.random() < 0.3)
            time.sleep(world.random.choice((0, 0, world.random.uniform(0, 3))))
            world.start_agent(name)
    passes("R2 kill -9 agent", kills, world.judge())


@pytest.mark.promise("P4")
def test_run_of_a_dead_agent_has_an_outcome_within_two_leases(world: World) -> None:
    world.prepare("one")
    once = world.client.submit(ONCE, world.ids["one"], "once", 60)
    again = world.client.submit(AGAIN, world.ids["one"], "again", 60)
    deadline = time.monotonic() + 20
    while world.effects.read_text().count("begin") < 2 if world.effects.exists() else True:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    world.kill_agent("one", with_slots=True)
    time.sleep(2 * LEASE_S)
    _, failed = world.client.call("GET", f"jobs/{once}", None, {})
    assert failed["Status"]["Type"] == 5
    _, results = world.client.call("GET", f"jobs/{again}/results?overview=True", None, {})
    assert "<status>Pending</status>" in bytes(results["Xml"]).decode("utf-16-le")
