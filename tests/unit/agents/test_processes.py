"""Processes: what a killed agent has left behind is found by its environment."""

from __future__ import annotations

import os
import subprocess
import time
from types import SimpleNamespace

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


@pytest.fixture
def family():
    """Three children of this process, each with a child of its own."""
    script = "sleep 300 & echo; wait"
    parents = [subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE) for _ in range(3)]
    for parent in parents:
        parent.stdout.readline()
    yield parents
    for parent in parents:
        for process in [*psutil.Process(parent.pid).children(), parent]:
            process.kill()
        with parent:
            parent.wait()


def test_descendants_are_found_by_one_look_however_many_there_are(family, monkeypatch) -> None:
    looks = []
    children = psutil.Process.children
    monkeypatch.setattr(psutil.Process, "children", lambda *given, **how: looks.append(how) or children(*given, **how))
    expected = {parent.pid for parent in family}
    expected |= {process.pid for parent in family for process in children(psutil.Process(parent.pid))}
    assert {process.pid for process in processes.descendants()} >= expected
    assert len(looks) == 1


def test_what_is_below_a_spared_child_is_spared_too(family) -> None:
    spared, *others = [parent.pid for parent in family]
    found = {process.pid for process in processes.descendants(spare=frozenset([spared]))}
    assert found >= set(others)
    assert found.isdisjoint([spared, *(process.pid for process in psutil.Process(spared).children())])


def test_what_is_below_a_spared_child_is_spared_although_another_look_would_miss_it(family, monkeypatch) -> None:
    spared = psutil.Process(family[0].pid)
    below = spared.children()
    children = psutil.Process.children

    def miss(process: psutil.Process, recursive: bool = False) -> list[psutil.Process]:
        return [] if process == spared else children(process, recursive)

    monkeypatch.setattr(psutil.Process, "children", miss)
    found = processes.descendants(spare=frozenset([spared.pid]))
    assert {process.pid for process in found}.isdisjoint(process.pid for process in [spared, *below])


class Stranger:
    """A process that heeds no signal."""

    pid = 0

    def send_signal(self, _number: int) -> None: ...

    def name(self) -> str:
        return "stranger"


@pytest.fixture
def clock(monkeypatch) -> list[float]:
    """The time that ``processes`` sees, in seconds."""
    shown = [0.0]
    monkeypatch.setattr(processes, "time", SimpleNamespace(monotonic=lambda: shown[0]))
    return shown


def test_time_to_die_begins_when_all_have_been_found(monkeypatch, clock) -> None:
    found, left = [{Stranger()}], [[Stranger()]]

    def find(*_: object) -> set[Stranger]:
        clock[0] += 10 * processes.KILL_TIMEOUT_S
        return found.pop() if found else set()

    monkeypatch.setattr(processes, "_stopped_descendants", find)
    monkeypatch.setattr(processes, "descendants", lambda *_: left.pop())
    waited: list[float] = []
    killed = processes.kill(waited.append)
    assert (killed.names, killed.survivors, len(waited)) == (["0 stranger"], [], 1)


def test_those_that_are_found_are_killed_although_new_ones_keep_appearing(monkeypatch, clock) -> None:
    known: list[Stranger] = []

    def appear(*_: object) -> list[Stranger]:
        clock[0] += 0.5
        known.append(Stranger())
        return list(known)

    monkeypatch.setattr(processes, "descendants", appear)
    killed = processes.kill(lambda _: None)
    assert len(killed.names) > 5
    assert killed.survivors


def test_those_that_are_found_are_killed_however_long_the_look_took(monkeypatch, clock) -> None:
    looks = [[], [], [Stranger()]]

    def find(*_: object) -> list[Stranger]:
        clock[0] += 2 * processes.STOP_TIMEOUT_S
        return looks.pop()

    monkeypatch.setattr(processes, "descendants", find)
    killed = processes.kill(lambda _: None)
    assert (killed.names, killed.survivors) == (["0 stranger"], [])
