"""Drain: a server that is told to end takes nothing new and lets its own agent finish, for a while."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from real_server import in_a_process

LIBRARY = """
modules:
  - name: Sleep
    id: 00000000-0000-4000-8000-0000000000bb
    tasks:
      - type: command
        name: sleep
        settings: {{command: 'echo begin >> {effects}; sleep 4; echo end >> {effects}'}}
"""
SLEEP = "{00000000-0000-4000-8000-0000000000BB}"
JOB = {"What": [{"ID": SLEEP, "Type": 0}], "When": {"Immediate": True}}


@pytest.fixture
def effects(tmp_path: Path) -> Path:
    return tmp_path / "effects"


@pytest.fixture
def busy_server(start_server: Callable[..., Any], tmp_path: Path, effects: Path) -> Callable[[str], tuple[Any, str]]:
    """Start a server whose local agent has begun a task; return it and the job."""

    def busy_server(drain_s: str) -> tuple[Any, str]:
        server = start_server(DISPATCHER_ENGINE__DRAIN_S=drain_s)
        (tmp_path / "library.yaml").write_text(LIBRARY.format(effects=effects))
        in_a_process("library", "import", str(tmp_path / "library.yaml"), datastore=server.datastore)
        [agent] = server.wait_for_agents(1)
        job = server.schedule(SLEEP, [agent])
        while not effects.exists():
            time.sleep(0.02)
        server.process.popen.send_signal(signal.SIGTERM)
        return server, job

    return busy_server


def test_a_draining_server_lets_its_agent_finish_and_refuses_new_jobs(
    busy_server: Callable[[str], tuple[Any, str]], start_server: Callable[..., Any], effects: Path
) -> None:
    server, job = busy_server("60")
    deadline = time.monotonic() + 10
    while (ready := requests.get(f"{server.url}/health/ready", timeout=10)).status_code != 503:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert ready.json() == {"datastore": "ok", "draining": True}
    refused = requests.post(f"{server.service}/jobs", json=JOB, timeout=10)
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
    assert "about to end" in refused.text
    assert server.get(f"jobs/{job}").json()["Status"]["Type"] == 1

    assert server.process.popen.wait(60) == 0
    assert effects.read_text().split() == ["begin", "end"]
    assert start_server("--no-local-agent").wait_for_end(job) == 4


def test_without_time_to_drain_what_runs_is_ended_and_reported(
    busy_server: Callable[[str], tuple[Any, str]], start_server: Callable[..., Any], effects: Path
) -> None:
    server, job = busy_server("0")
    assert server.process.popen.wait(60) == 0
    assert effects.read_text().split() == ["begin"]
    assert start_server("--no-local-agent").wait_for_end(job) != 4


def test_a_second_signal_does_not_wait_and_loses_no_job(
    busy_server: Callable[[str], tuple[Any, str]], start_server: Callable[..., Any], effects: Path
) -> None:
    server, job = busy_server("60")
    while requests.get(f"{server.url}/health/ready", timeout=10).status_code != 503:
        time.sleep(0.02)
    server.process.popen.send_signal(signal.SIGTERM)
    assert server.process.popen.wait(10) == -signal.SIGTERM
    assert effects.read_text().split() == ["begin"]
    # It is known, and ends: the agent that comes back says what became of it.
    assert start_server().wait_for_end(job, 60) != 4
