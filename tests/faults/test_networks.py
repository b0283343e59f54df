"""Networks that fail: agents and clients behind wires that are cut, held up, slow, or deliver too often."""

from __future__ import annotations

import contextlib
import time
from typing import Any

import pytest
from proxy import KINDS, Postman, wires
from world import World

#: After the last disturbance everything has to be settled within this time, in seconds.
CONVERGES_S = 30


@pytest.mark.promise("P2")
@pytest.mark.promise("P8")
@pytest.mark.timeout(900)
def test_partitions_of_agents_and_clients(world: World, passes: Any, times: Any, seed: int) -> None:
    world.prepare()
    partitions = 0
    with wires(world.url, world.agents_url, world.agents_url, seed=seed) as (clients, first, second):
        world.client_url = clients.url
        world.start_agent("one", first.url)
        world.start_agent("two", second.url)
        world.wait_for_agents()
        over = time.monotonic() + times(60, 600)
        with world.load(rate=4):
            while time.monotonic() < over:
                wire = world.random.choice([clients, first, second])
                is_flapping = world.random.random() < 0.2
                for _ in range(5 if is_flapping else 1):
                    wire.disturb(world.random.choice(KINDS))
                    time.sleep(world.random.uniform(0.1, 0.5) if is_flapping else world.random.uniform(0.5, 6))
                    wire.disturb("")
                    time.sleep(world.random.uniform(0, 0.5))
                partitions += 1
        verdict = world.judge(CONVERGES_S)
    passes("R5 partition", partitions, verdict)


@pytest.mark.promise("P3")
@pytest.mark.timeout(600)
def test_reports_delivered_again_and_in_any_order(world: World, passes: Any, times: Any, seed: int) -> None:
    world.prepare()
    with contextlib.closing(Postman(world.agents_url, seed)) as postman:
        world.start_agent("one", postman.url)
        world.start_agent("two", postman.url)
        world.wait_for_agents()
        with world.load(rate=8, pause_s=0.1):
            while postman.delivered < times(500, 20_000):
                time.sleep(0.1)
        verdict = world.judge()
        delivered = postman.delivered
    passes("R9 reports again and out of order", delivered, verdict)


@pytest.mark.promise("P6")
@pytest.mark.timeout(600)
def test_submits_repeated_under_one_key_while_the_server_is_killed(world: World, passes: Any, times: Any) -> None:
    world.prepare("one", "two")
    kills = times(3, 30)
    with world.load(rate=6, tries=4):
        for _ in range(kills):
            time.sleep(world.random.uniform(0.2, 1.5))
            assert world.server is not None
            world.server.kill()
            world.start_server()
    passes("R9 client calls up to 4 times", kills, world.judge())
