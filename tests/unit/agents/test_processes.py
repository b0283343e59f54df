"""Processes: what a killed agent has left behind is found by its environment."""

from __future__ import annotations

import os
import subprocess
import time

import psutil
import pytest

from dispatcher.agents import processes

VARIABLE = "TEST_KILL_MARKED"


@pytest.fixture
def marked(tmp_path):
    process = subprocess.Popen(["sleep", "300"], env={**os.environ, VARIABLE: str(tmp_path / "x")})
    deadline = time.monotonic() + 10
    # The kernel shows an environment only a moment after the program has been started.
    while VARIABLE not in psutil.Process(process.pid).environ() and time.monotonic() < deadline:
        time.sleep(0.001)
    yield process
    process.kill()
    process.wait()


def test_marked_process_is_killed(marked, tmp_path) -> None:
    killed = processes.kill_marked(VARIABLE, str(tmp_path))
    assert (killed.names, killed.survivors) == ([f"{marked.pid} sleep"], [])
    assert not psutil.pid_exists(marked.pid)


@pytest.mark.parametrize("error", [psutil.AccessDenied, psutil.NoSuchProcess])
def test_process_that_cannot_be_killed_is_given_up(marked, tmp_path, monkeypatch, error) -> None:
    def refuse(self, *_: object) -> None:
        raise error(self.pid)

    monkeypatch.setattr(psutil.Process, "kill", refuse)
    monkeypatch.setattr(psutil.Process, "send_signal", refuse)
    monkeypatch.setattr(processes, "KILL_TIMEOUT_S", 0.3)
    started = time.monotonic()
    killed = processes.kill_marked(VARIABLE, str(tmp_path))
    assert time.monotonic() - started < 3
    assert killed.names == killed.survivors == [f"{marked.pid} sleep"]


def test_name_that_is_no_text_is_replaced(tmp_path) -> None:
    program = tmp_path / os.fsdecode(b"n\xff")
    program.symlink_to("/bin/sleep")
    process = subprocess.Popen([program, "300"])
    try:
        assert processes.name_of(psutil.Process(process.pid)) == f"{process.pid} n?"
    finally:
        process.kill()
        process.wait()
