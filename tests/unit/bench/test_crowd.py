"""Simulated agents talk to a real gateway as real ones do: here a job comes to all of them, and all report it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import fanout
from bench.crowd import Crowd
from bench.houses import free_port


def test_a_job_comes_to_every_agent_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fanout, "JOBS", 2)

    figure = fanout.run(tmp_path, 7)

    assert [one.requests for one in figure.series[0].rounds] == [7, 7]


def test_agents_that_reach_nobody_say_so() -> None:
    with Crowd(free_port(), [("b0000000-0000-4000-8000-000000000001", "secret")]) as crowd:
        crowd.wait(lambda tally: tally.faults > 0, 20, "faults")

        with pytest.raises(RuntimeError, match="no connection"):
            crowd.check()
