"""The supervisor: sees one process of a task through to its end, and everything that came from it."""

from __future__ import annotations

import os
import selectors
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from dispatcher.agents.pipes import Bell, Inflow
from dispatcher.agents.processes import Killed, limited

if sys.platform == "win32":
    from dispatcher.agents.job_processes import JobProcesses as Processes
else:
    from dispatcher.agents.processes import Family as Processes

#: How long processes may take to end after SIGTERM before they are killed, in seconds.
TERMINATE_GRACE_S = 2.0
_CHUNK = 65536


@dataclass(slots=True)
class ProcessEnd:
    """How a process ended. ``status`` is its wait status; None if it did not end by itself in time."""

    status: int | None
    cause: Literal["ended", "timed_out", "stopped"]
    killed: Killed = field(default_factory=Killed)


class Readable(Protocol):
    """What a selector can wait for."""

    def fileno(self) -> int: ...  # noqa: D102


class Supervisor:
    """Runs one process at a time and leaves nothing of it behind.

    *hear* is called when *inlet* can be read; it returns whether the process has to stop. It must be made and used in
    the main thread.
    """

    def __init__(self, inlet: Readable, hear: Callable[[], bool], grace_s: float = TERMINATE_GRACE_S) -> None:
        self._hear = hear
        self._grace_s = grace_s
        self._bell = Bell()
        self._processes = Processes(self._bell)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._bell, selectors.EVENT_READ)
        self._selector.register(inlet, selectors.EVENT_READ)

    def run(
        self,
        command_line: list[str] | str,
        directory: str,
        environment: Mapping[str, str],
        timeout_s: float | None,
        write: Callable[[bytes], None],
    ) -> ProcessEnd:
        """Run a process to its end and give its output to *write* as it comes.

        When it ends, when its time is up and when it has to stop, all that is left of it is asked to end and then
        killed. A background process that holds the output open delays nothing.

        :raises OSError: if it cannot be started.
        :raises ValueError: if an argument or variable cannot be passed on.
        """
        reading, writing = os.pipe()
        output = Inflow(reading, blocking=False)
        try:
            try:
                pid = self._processes.start(command_line, directory, environment, writing)
            finally:
                os.close(writing)
            self._selector.register(output, selectors.EVENT_READ)
            watch = _Watch(pid, output, write)
            try:
                self._until_end(watch, None if timeout_s is None else time.monotonic() + timeout_s)
                self._clean_up(watch)
                self._drain(watch)
            finally:
                if watch.is_open:
                    self._selector.unregister(output)
            return watch.end
        finally:
            output.close()

    def kill_everything(self) -> Killed:
        """Kill every descendant at once."""
        return self._processes.kill(self._wait_for_child)

    def _until_end(self, watch: _Watch, deadline: float | None) -> None:
        """Return when the process has ended, has to stop or has used up its time; note which."""
        while True:
            must_stop = self._wait(watch, deadline)
            ended, _ = self._processes.reap()
            watch.end.status = ended.get(watch.pid)
            if watch.end.status is not None:
                return
            if must_stop:
                watch.end.cause = "stopped"
                return
            if deadline is not None and time.monotonic() >= deadline:
                watch.end.cause = "timed_out"
                return

    def _clean_up(self, watch: _Watch) -> None:
        """Make an end of everything that is left; note what had to be killed."""
        if not self._is_something_left(watch):
            return
        names = self._processes.terminate()
        deadline = time.monotonic() + self._grace_s
        while self._is_something_left(watch):
            if time.monotonic() >= deadline:
                killed = self._processes.kill(self._wait_for_child)
                names += killed.names
                watch.end.killed.survivors = killed.survivors
                break
            self._wait(watch, deadline)
        watch.end.killed.names = limited(list(dict.fromkeys(names)))

    def _is_something_left(self, watch: _Watch) -> bool:
        ended, others = self._processes.reap()
        watch.end.status = ended.get(watch.pid, watch.end.status)
        return others

    def _wait(self, watch: _Watch, deadline: float | None) -> bool:
        """Wait for something to happen and pass output on; return whether the process has to stop."""
        timeout = None if deadline is None else max(0.0, deadline - time.monotonic())
        must_stop = False
        for key, _ in self._selector.select(timeout):
            if key.fileobj is self._bell:
                self._bell.silence()
            elif key.fileobj is watch.output:
                watch.pass_on()
                if not watch.is_open:
                    self._selector.unregister(watch.output)
            else:
                must_stop = self._hear()
        return must_stop

    def _drain(self, watch: _Watch) -> None:
        """Pass on what is still in the pipe. Nobody is left who could write more."""
        was_open = watch.is_open
        watch.output.expect_end()
        while watch.is_open and watch.pass_on():
            pass
        if was_open and not watch.is_open:
            self._selector.unregister(watch.output)

    def _wait_for_child(self, timeout_s: float) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._bell, selectors.EVENT_READ)
            if selector.select(timeout_s):
                self._bell.silence()


@dataclass(slots=True)
class _Watch:
    pid: int
    output: Inflow
    write: Callable[[bytes], None]
    is_open: bool = True
    end: ProcessEnd = field(default_factory=lambda: ProcessEnd(None, "ended"))

    def pass_on(self) -> bool:
        """Pass on what can be read now; return whether there was something."""
        try:
            data = self.output.read(_CHUNK)
        except BlockingIOError:
            return False
        self.is_open = bool(data)
        if data:
            self.write(data)
        return bool(data)
