"""Job processes: what a task starts on Windows, in a job object that nothing leaves (see ``processes`` for others)."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from threading import Thread
from typing import Any

import psutil

from dispatcher.agents.job_object import JobObject, name_of
from dispatcher.agents.pipes import Bell
from dispatcher.agents.processes import KILL_TIMEOUT_S, Killed

# Of the Windows API and of Python there; other systems lack these names.
_CREATE_SUSPENDED = 0x4
_CREATE_NEW_PROCESS_GROUP = 0x200
_CTRL_BREAK_EVENT = getattr(signal, "CTRL_BREAK_EVENT", 1)


class JobProcesses:
    """One process at a time, and all that come from it. *bell* rings when the process ends, but not for the others."""

    def __init__(self, bell: Bell) -> None:
        self._bell = bell
        self._process: subprocess.Popen[bytes] | None = None
        self._job: JobObject | None = None

    def start(self, command_line: list[str] | str, directory: str, environment: Mapping[str, str], output: int) -> int:
        """Start a process that writes to the descriptor *output*; return its pid.

        It does not run before it is in the job object: nothing that it starts can be outside.

        :raises OSError: if it cannot be started.
        :raises ValueError: if an argument or variable cannot be passed on.
        """
        self.close()
        job = JobObject()
        try:
            process = _start_suspended(command_line, directory, environment, output)
            try:
                handle: Any = process
                job.put(int(handle._handle))
                psutil.Process(process.pid).resume()
            except BaseException:
                process.kill()
                raise
        except BaseException as error:
            job.close()
            if isinstance(error, psutil.Error):
                raise OSError(str(error)) from error
            raise
        self._process, self._job = process, job
        Thread(target=self._tell_of_end, args=(process,), name="process", daemon=True).start()
        return process.pid

    def reap(self) -> tuple[dict[int, int], bool]:
        """Return the wait status of the process if it has ended, and whether others are left."""
        if self._process is None:
            return {}, False
        code = self._process.poll()
        return {} if code is None else {self._process.pid: code << 8}, bool(self._pids())

    def terminate(self) -> list[str]:
        """Ask every process to end, as Ctrl-Break in a console does; return them as "pid name"."""
        names = [name_of(pid) for pid in self._pids()]
        if self._process is not None:
            with suppress(OSError):  # it has no console
                os.kill(self._process.pid, _CTRL_BREAK_EVENT)
        return names

    def kill(self, wait: Callable[[float], None]) -> Killed:
        """Kill every process and wait until none is left, but no longer than ``KILL_TIMEOUT_S``."""
        killed = Killed()
        if self._job is None:
            return killed
        deadline = time.monotonic() + KILL_TIMEOUT_S
        named: set[int] = set()
        while pids := self._pids():
            killed.names += [name_of(pid) for pid in pids if pid not in named]
            named.update(pids)
            if time.monotonic() >= deadline:
                killed.survivors = [name_of(pid) for pid in pids]
                break
            self._job.terminate()
            if self._pids():
                wait(0.05)
        self.close()
        return killed

    def close(self) -> None:
        """Give up what was started: what is left of it is killed."""
        if self._job is not None:
            self._job.close()
        self._process = self._job = None

    def _pids(self) -> list[int]:
        """Return what is left, without the process itself once it has ended: it may be listed for a moment more."""
        if self._job is None or self._process is None:
            return []
        ended = self._process.pid if self._process.poll() is not None else None
        return [pid for pid in self._job.pids() if pid != ended]

    def _tell_of_end(self, process: subprocess.Popen[bytes]) -> None:
        process.wait()
        self._bell.ring()


def _start_suspended(
    command_line: list[str] | str, directory: str, environment: Mapping[str, str], output: int
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command_line,
        cwd=directory,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        creationflags=_CREATE_SUSPENDED | _CREATE_NEW_PROCESS_GROUP,
    )
