"""Job objects: which calls of the Windows API are made, in which order, and what their refusals become.

What Windows itself makes of them shows only there (docs/agent.rst).
"""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path
from typing import Any

import psutil
import pytest

from dispatcher.agents import job_object, job_processes
from dispatcher.agents.job_object import JobObject
from dispatcher.agents.job_processes import JobProcesses
from dispatcher.agents.pipes import Bell

JOB = 0x10


class Kernel32:
    """Stands in for the library: notes the calls, and keeps which processes are in the job object."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.refuses = ""
        self.pids: list[int] = []
        self.is_deaf = False
        self.limits = 0
        self.answers = {
            "CreateJobObjectW": self._create,
            "SetInformationJobObject": self._limit,
            "AssignProcessToJobObject": self._put,
            "QueryInformationJobObject": self._query,
            "TerminateJobObject": self._terminate,
            "QueryFullProcessImageNameW": self._name,
        }

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any) -> int:
            self.calls.append(name)
            return 0 if name == self.refuses else self.answers.get(name, lambda *_: 1)(*arguments)

        return call

    def _create(self, *_: Any) -> int:
        return JOB

    def _limit(self, _: int, kind: int, limits: Any, size: int) -> int:
        assert (kind, size) == (9, 144)
        self.limits = limits._obj.basic.limit_flags
        return 1

    def _put(self, _: int, process: int) -> int:
        self.pids.append(process)
        return 1

    def _query(self, _: int, kind: int, found: Any, size: int, __: None) -> int:
        assert kind == 3
        listed = min(len(self.pids), (size - 8) // 8)
        found._obj.assigned, found._obj.listed = len(self.pids), listed
        found._obj.pids[:listed] = self.pids[:listed]
        return int(listed == len(self.pids))

    def _terminate(self, *_: Any) -> int:
        if not self.is_deaf:
            self.pids.clear()
        return 1

    def _name(self, _: int, __: int, path: Any, ___: Any) -> int:
        path.value = "C:\\Windows\\notepad.exe"
        return 1


@pytest.fixture
def kernel32(monkeypatch: pytest.MonkeyPatch) -> Kernel32:
    fake = Kernel32()
    monkeypatch.setattr(job_object, "_kernel32", lambda: fake)

    def error() -> OSError:
        found = OSError(f"{fake.calls[-1]} refused")
        found.winerror = 234 if fake.calls[-1] == "QueryInformationJobObject" and not fake.refuses else 5
        return found

    monkeypatch.setattr(job_object, "_error", error)
    return fake


def test_what_is_in_it_ends_with_it(kernel32: Kernel32) -> None:
    job = JobObject()
    assert kernel32.limits == 0x2000
    job.close()
    job.close()
    assert kernel32.calls == ["CreateJobObjectW", "SetInformationJobObject", "CloseHandle"]


def test_lists_what_is_in_it_however_much(kernel32: Kernel32) -> None:
    job = JobObject()
    assert job.pids() == []
    kernel32.pids = list(range(1, 200))
    assert job.pids() == list(range(1, 200))


@pytest.mark.parametrize(
    ("refused", "do"),
    [
        ("CreateJobObjectW", lambda: JobObject()),
        ("SetInformationJobObject", lambda: JobObject()),
        ("AssignProcessToJobObject", lambda: JobObject().put(7)),
        ("QueryInformationJobObject", lambda: JobObject().pids()),
        ("TerminateJobObject", lambda: JobObject().terminate()),
    ],
)
def test_refusal_is_an_error(kernel32: Kernel32, refused: str, do: Any) -> None:
    kernel32.refuses = refused
    with pytest.raises(OSError, match=refused):
        do()
    assert (refused == "SetInformationJobObject") == (kernel32.calls[-1] == "CloseHandle")


def test_names_a_process_by_its_program(kernel32: Kernel32) -> None:
    assert job_object.name_of(7) == "7 notepad.exe"
    assert kernel32.calls[-1] == "CloseHandle"
    for refused in ("QueryFullProcessImageNameW", "OpenProcess"):
        kernel32.refuses = refused
        assert job_object.name_of(7) == "7"


def test_structures_are_as_large_as_those_of_windows() -> None:
    assert ctypes.sizeof(job_object._ExtendedLimits) == 144
    assert type(job_object._process_ids(3)).pids.offset == 8


class Started:
    """Stands in for a process that was started suspended."""

    pid = _handle = 70

    def __init__(self, kernel32: Kernel32) -> None:
        self.kernel32 = kernel32
        self.code: int | None = None

    def poll(self) -> int | None:
        return self.code

    def wait(self) -> None: ...

    def kill(self) -> None:
        self.kernel32.calls.append("kill")


@pytest.fixture
def started(kernel32: Kernel32, monkeypatch: pytest.MonkeyPatch) -> Started:
    """The process that is started next, which counts as resumed when psutil is asked for that."""
    process = Started(kernel32)

    def popen(command: Any, *, creationflags: int, **_: Any) -> Started:
        assert creationflags == 0x204
        kernel32.calls.append(f"start {command}")
        return process

    class Resumed:
        def __init__(self, pid: int) -> None:
            assert pid == process.pid

        def resume(self) -> None:
            kernel32.calls.append("resume")
            if kernel32.refuses == "resume":
                raise psutil.NoSuchProcess(process.pid)

    monkeypatch.setattr(subprocess, "Popen", popen)
    monkeypatch.setattr(psutil, "Process", Resumed)
    monkeypatch.setattr(job_processes.os, "kill", lambda pid, number: kernel32.calls.append(f"ask {pid} {number}"))
    return process


def start(children: JobProcesses, tmp_path: Path) -> int:
    return children.start("x", str(tmp_path), {}, 1)


def test_process_does_not_run_before_it_is_in_the_job_object(kernel32: Kernel32, started: Started, tmp_path) -> None:
    assert start(JobProcesses(Bell()), tmp_path) == 70
    assert kernel32.calls[2:] == ["start x", "AssignProcessToJobObject", "resume"]


@pytest.mark.parametrize("refused", ["AssignProcessToJobObject", "resume"])
def test_process_that_cannot_be_held_does_not_run(kernel32: Kernel32, started: Started, tmp_path, refused) -> None:
    kernel32.refuses = refused
    with pytest.raises(OSError, match=r"refused|70"):
        start(JobProcesses(Bell()), tmp_path)
    assert kernel32.calls[-2:] == ["kill", "CloseHandle"]


def test_all_that_is_left_is_asked_and_then_killed(kernel32: Kernel32, started: Started, tmp_path) -> None:
    children = JobProcesses(Bell())
    start(children, tmp_path)
    assert children.reap() == ({}, True)
    started.code = 3
    # The process itself may still be listed when it has ended.
    assert children.reap() == ({70: 3 << 8}, False)
    kernel32.pids.append(71)
    assert children.reap() == ({70: 3 << 8}, True)
    assert children.terminate() == ["71 notepad.exe"]
    assert "ask 70 1" in kernel32.calls
    killed = children.kill(lambda _: None)
    assert (killed.names, killed.survivors) == (["71 notepad.exe"], [])
    assert kernel32.calls[-1] == "CloseHandle"
    assert children.reap() == ({}, False)


def test_what_will_not_die_is_named(kernel32: Kernel32, started: Started, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(job_processes, "KILL_TIMEOUT_S", 0)
    kernel32.is_deaf = True
    children = JobProcesses(Bell())
    start(children, tmp_path)
    killed = children.kill(lambda _: None)
    assert killed.names == killed.survivors == ["70 notepad.exe"]
