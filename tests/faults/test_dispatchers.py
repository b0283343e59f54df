"""Dispatchers that stand still for longer than a lease, alone or beside another: they change nothing when they wake."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from world import LEASE_S, Client, World, paused


@dataclass
class Pair:
    """Two dispatchers over one datastore, each with its own world; the agents know both."""

    first: World
    second: World


@pytest.fixture
def pair(make_world: Callable[..., World], postgresql_database: str) -> Pair:
    first, second = make_world(postgresql_database), make_world(postgresql_database)
    first.prepare()
    second.start_server()
    first.start_agent("one", f"{first.agents_url},{second.agents_url}")
    first.start_agent("two", f"{second.agents_url},{first.agents_url}")
    first.wait_for_agents()
    # Clients try the one that does not stand still.
    first.client = Client(lambda: first.client_url or first.url, first.history, timeout_s=3)
    return Pair(first, second)


@pytest.mark.promise("P2")
@pytest.mark.promise("P4")
@pytest.mark.timeout(600)
def test_dispatcher_that_stood_still_longer_than_the_lease(pair: Pair, passes: Any, times: Any) -> None:
    world = pair.first
    pauses = times(5, 30)
    with world.load(rate=5, pause_s=1):
        for number in range(pauses):
            sleeper, other = (pair.first, pair.second) if number % 2 else (pair.second, pair.first)
            time.sleep(world.random.uniform(0.5, 1.5))
            assert sleeper.server is not None
            with paused(sleeper.server):
                world.client_url = other.url
                time.sleep(LEASE_S * world.random.uniform(1.2, 2))
    passes("R6 SIGSTOP of one of two dispatchers", pauses, world.judge(60))


@pytest.mark.promise("P2")
@pytest.mark.promise("P4")
@pytest.mark.timeout(600)
def test_only_dispatcher_that_stood_still_longer_than_the_lease(world: World, passes: Any, times: Any) -> None:
    world.prepare("one", "two")
    world.client.timeout_s = 3
    pauses = times(5, 30)
    with world.load(rate=5, pause_s=1):
        for _ in range(pauses):
            time.sleep(world.random.uniform(0.5, 1.5))
            assert world.server is not None
            with paused(world.server):
                time.sleep(LEASE_S * world.random.uniform(1.2, 2))
    passes("R6 SIGSTOP of the only dispatcher", pauses, world.judge())


@pytest.mark.promise("P1")
@pytest.mark.timeout(600)
def test_one_of_two_dispatchers_killed(pair: Pair, passes: Any, times: Any) -> None:
    world = pair.first
    kills = times(2, 30)
    with world.load(rate=5):
        for number in range(kills):
            victim, other = (pair.first, pair.second) if number % 2 else (pair.second, pair.first)
            time.sleep(world.random.uniform(0.5, 1.5))
            assert victim.server is not None
            world.client_url = other.url
            victim.server.kill()
            time.sleep(world.random.uniform(0, 2))
            victim.start_server()
    passes("R6 kill -9 of one of two dispatchers", kills, world.judge(60))
