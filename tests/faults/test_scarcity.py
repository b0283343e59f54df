"""Scarcity: without room on the disk new work is refused and never falsely accepted, and all goes on when there is."""

from __future__ import annotations

import resource
import time
from typing import Any

import psutil
import pytest
from world import ONCE, Client, World

#: How long the service may take to recover when there is room again, in seconds.
RECOVERS_S = 5


@pytest.mark.promise("P9")
@pytest.mark.timeout(300)
def test_server_whose_files_cannot_grow(world: World, passes: Any, times: Any) -> None:
    world.prepare("one", "two")
    assert world.server is not None
    process = psutil.Process(world.server.popen.pid)
    rounds = times(3, 50)
    with world.load(rate=4):
        for _ in range(rounds):
            time.sleep(world.random.uniform(0.2, 1.5))
            process.rlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
            refused = refusal(world)
            process.rlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            again = time.monotonic()
            while not world.client.submit(ONCE, world.ids["one"], f"again-{again}-{time.monotonic()}"):
                assert time.monotonic() < again + RECOVERS_S
                time.sleep(0.1)
            assert refused == (503, True)
    passes("R8 disk of the server full", rounds, world.judge())


def refusal(world: World) -> tuple[int, bool]:
    """Submit until it is refused; return the status, and whether it says when to try again."""
    client = Client(lambda: world.url, world.history)
    deadline = time.monotonic() + 10
    number = 0
    while True:
        client.submit(ONCE, world.ids["one"], f"full-{deadline}-{number}")
        if client.last_status != 200:
            return client.last_status, "Retry-After" in client.last_headers
        assert time.monotonic() < deadline, "nothing was refused"
        number += 1


@pytest.mark.promise("P8")
@pytest.mark.timeout(300)
def test_agent_whose_spool_cannot_grow(world: World, passes: Any, times: Any) -> None:
    world.prepare("one")
    process = psutil.Process(world.agents["one"].popen.pid)
    rounds = times(3, 50)
    with world.load(rate=3):
        for _ in range(rounds):
            time.sleep(world.random.uniform(0.2, 1))
            process.rlimit(resource.RLIMIT_FSIZE, (512, resource.RLIM_INFINITY))
            time.sleep(world.random.uniform(0.5, 3))
            process.rlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    passes("R8 disk of the agent full", rounds, world.judge())


@pytest.mark.parametrize(
    ("kind", "least"), [(resource.RLIMIT_NOFILE, 256), (resource.RLIMIT_AS, 0)], ids=["files", "memory"]
)
@pytest.mark.timeout(200)
def test_server_with_few_descriptors_or_little_memory(world: World, passes: Any, kind: int, least: int) -> None:
    world.prepare("one")
    assert world.server is not None
    process = psutil.Process(world.server.popen.pid)
    limit = least or process.memory_info().vms + (16 << 20)
    process.rlimit(kind, (limit, resource.RLIM_INFINITY if not least else limit))
    with world.load(rate=20, clients=20, pause_s=0):
        time.sleep(5)
    if not least:
        process.rlimit(kind, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    verdict = world.judge(60)
    passes(f"R8 {'256 descriptors' if least else 'little memory'}", 1, verdict)
    assert world.server.popen.poll() is None
