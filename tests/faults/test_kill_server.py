"""The server is killed: nothing of it goes on, nothing it has acknowledged is lost, everything runs in the end."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest

LIBRARY = """
modules:
  - name: Mark
    id: 00000000-0000-4000-8000-0000000000aa
    parameters: [{{name: Text, type: text, value: x}}]
    tasks:
      - {{type: command, name: mark, settings: {{command: 'echo "$[Text]" >> {effects}; sync {effects}'}}}}
  - name: Sleep
    id: 00000000-0000-4000-8000-0000000000bb
    tasks:
      - type: command
        name: sleep
        settings: {{command: 'echo begin >> {effects}; sleep 3; echo end >> {effects}'}}
"""
MARK, SLEEP = "{00000000-0000-4000-8000-0000000000AA}", "{00000000-0000-4000-8000-0000000000BB}"


@pytest.fixture
def effects(tmp_path: Path) -> Path:
    """Where tasks write what they really did."""
    return tmp_path / "effects"


@pytest.fixture
def library(tmp_path: Path, effects: Path) -> str:
    path = tmp_path / "library.yaml"
    path.write_text(LIBRARY.format(effects=effects))
    return str(path)


def load(server: Any, library: str) -> None:
    from real_server import in_a_process

    in_a_process("library", "import", library, datastore=server.datastore)


def with_text(text: str) -> dict[str, Any]:
    return {"Parameters": [{"TaskContainerGuid": MARK, "JobParameters": [{"Name": "Text", "Value1": text}]}]}


def accepts(url: str) -> bool:
    parts = urlsplit(url)
    with socket.socket() as probe:
        return probe.connect_ex((str(parts.hostname), int(parts.port or 0))) == 0


def test_jobs_that_wait_run_after_a_kill_and_nothing_of_the_dead_server_answers(
    start_server: Callable[..., Any], start_agent: Callable[..., Any], library: str, effects: Path
) -> None:
    server = start_server()
    load(server, library)
    [local] = server.wait_for_agents(1)
    family = psutil.Process(server.process.popen.pid).children(recursive=True)
    assert family
    later = (datetime.now(UTC) + timedelta(seconds=3)).isoformat()
    waiting = [
        server.schedule(
            MARK, [local], When={"Immediate": False, "ScheduledDateTime": later}, **with_text(f"job {number}")
        )
        for number in range(5)
    ]

    server.process.kill()
    assert psutil.wait_procs(family, timeout=10)[1] == []
    assert not accepts(server.url)
    assert not accepts(server.agents_url)

    server = start_server()
    server.wait_for_agents(1)
    assert [server.wait_for_end(job) for job in waiting] == [4] * 5
    assert sorted(effects.read_text().splitlines()) == [f"job {number}" for number in range(5)]


def test_an_agent_goes_on_while_the_server_is_dead_and_reports_once(
    start_server: Callable[..., Any], start_agent: Callable[..., Any], library: str, effects: Path
) -> None:
    server = start_server("--no-local-agent")
    load(server, library)
    agent = start_agent(server, "remote")
    [remote] = server.wait_for_agents(1)
    job = server.schedule(SLEEP, [remote])
    while not effects.exists():
        time.sleep(0.02)
    server.process.kill()
    time.sleep(4)
    assert effects.read_text().split() == ["begin", "end"]

    server = start_server("--no-local-agent")
    assert server.wait_for_end(job, timeout_s=60) == 4
    assert effects.read_text().split() == ["begin", "end"]
    assert agent.popen.poll() is None


@pytest.mark.parametrize("delay_s", [0.0, 0.01, 0.03, 0.1, 0.3])
def test_every_acknowledged_job_has_its_effect_exactly_once(
    start_server: Callable[..., Any], start_agent: Callable[..., Any], library: str, effects: Path, delay_s: float
) -> None:
    server = start_server("--no-local-agent")
    load(server, library)
    start_agent(server, "remote")
    [remote] = server.wait_for_agents(1)
    jobs = [server.schedule(MARK, [remote], **with_text(f"job {number}")) for number in range(10)]
    time.sleep(delay_s)
    server.process.kill()

    server = start_server("--no-local-agent")
    assert [server.wait_for_end(job, timeout_s=90) for job in jobs] == [4] * 10
    assert sorted(effects.read_text().splitlines()) == sorted(f"job {number}" for number in range(10))
