"""Clocks that are set while the server runs: nothing fires twice, nothing is lost, no lease is over for that."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from world import ONCE, World

JUMPS = ("+1d", "-1d", "+1h", "-1h", "+1", "-1")


@pytest.mark.promise("P10")
@pytest.mark.timeout(600)
def test_clock_of_the_server_jumps(
    world: World, passes: Any, times: Any, fake_clock: tuple[dict[str, str], Path]
) -> None:
    environment, file = fake_clock
    world.environment |= environment
    world.prepare("one", "two")
    jumps = [jump for _ in range(times(1, 10)) for jump in JUMPS]
    due = datetime.now(UTC) + timedelta(minutes=30)
    when = {"Immediate": False, "ScheduledDateTime": due.isoformat()}
    for number in range(10):
        world.client.submit(ONCE, world.ids["one"], f"due-{number}", When=when)
    with world.load(rate=4, pause_s=2):
        for jump in jumps:
            file.write_text(jump)
            time.sleep(world.random.uniform(0.5, 2))
            file.write_text("+0")
            time.sleep(world.random.uniform(0, 1))
        file.write_text("+1h")
        time.sleep(2)
    verdict = world.judge()
    passes("R7 clock of the server set", len(jumps), verdict)
    # Every agent was there all the time: a clock that was set is no reason to lose sight of one.
    assert verdict.counts["outcome unknown"] == 0
