"""Slot processes: the agent's end of its slots."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from pydantic import BaseModel

import dispatcher
from dispatcher.agents.announcing import Announcer
from dispatcher.agents.deadlines import END_S, STOPPED_S, longest_s
from dispatcher.agents.pipes import Inflow
from dispatcher.agents.protocol import RunOrder

_CHUNK = 1 << 18


@dataclass(slots=True)
class Assignment:
    """A run that a slot does, or that waits for one."""

    order: RunOrder
    is_aborted: bool = False
    is_lost: bool = False  #: nothing of it is reported any more
    has_begun: bool = False  #: a task may have done something
    attempts: int = 0  #: slots that died with it
    end_by: float | None = None  #: when its slot must be done with what it does now, of the monotonic clock
    is_checked: bool = False  #: it was looked whether its slot is stopped, after an abort
    is_late: bool = False  #: its slot was not, and has been killed
    killed: list[str] = field(default_factory=list)  #: what its slot has left behind, as "pid name"
    announcer: Announcer = field(default_factory=Announcer)  #: what puts into the log what its tasks tell people

    def begin(self, position: int) -> None:
        """Note that the task at *position* begins."""
        longest = longest_s(self.order.tasks[position])
        self.has_begun = True
        if not self.is_aborted:
            self.end_by = None if longest is None else time.monotonic() + longest

    def end(self) -> None:
        """Note that a task has ended."""
        if not self.is_aborted:
            self.end_by = None

    def abort(self) -> None:
        """Note that the run has to end."""
        if not self.is_aborted:
            self.is_aborted, self.end_by = True, time.monotonic() + STOPPED_S

    def check(self) -> None:
        """Note that its slot is at work with the abort: it has the rest of its time."""
        self.is_checked = True
        self.put_off(END_S - STOPPED_S)

    def hear(self) -> None:
        """Note that its slot has told something: until now it may have waited for that to be read."""
        if self.end_by is not None:
            self.end_by = max(self.end_by, time.monotonic() + END_S)

    def put_off(self, by_s: float) -> None:
        """Give its slot so many seconds more."""
        if self.end_by is not None:
            self.end_by += by_s


@dataclass(eq=False)
class SlotProcess:
    """A slot, and the run it does."""

    process: subprocess.Popen[bytes]
    assignment: Assignment | None = None
    _rest: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Take over the end of its events."""
        assert self.process.stdout is not None  # noqa: S101 - made with a pipe
        with self.process.stdout as stdout:
            #: What to wait on for its events.
            self.events = Inflow(os.dup(stdout.fileno()))

    @classmethod
    def start(cls, home: Path, keep_open: int) -> SlotProcess:
        """Start a slot. It inherits the descriptor *keep_open* and keeps it until it ends.

        :raises OSError: if it cannot be started.
        """
        package = Path(dispatcher.__file__).parent
        process = subprocess.Popen(
            [sys.executable, "-m", "dispatcher.agents.slot", str(home)],
            cwd=package.parent,  # where -m finds the package, also if nothing is installed
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            # The agent's own variables are not for tasks, which can read the environment of their slot.
            env={name: value for name, value in os.environ.items() if not name.startswith("DISPATCHER_")},
            start_new_session=True,  # a Ctrl-C in the agent's terminal is the agent's business
            pass_fds=(keep_open,) if os.name == "posix" else (),
        )
        return cls(process)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    @property
    def end_by(self) -> float | None:
        """When it must be done with what it does now, of the monotonic clock; None if that may take for ever."""
        return None if self.assignment is None else self.assignment.end_by

    def send(self, message: BaseModel) -> bool:
        """Tell the slot something; return False if it is dead, which shows at the other end and is dealt with there."""
        assert self.process.stdin is not None  # noqa: S101 - made with a pipe
        if self.process.stdin.closed:
            return False
        data = message.model_dump_json().encode() + b"\n"
        try:
            while data:
                data = data[os.write(self.process.stdin.fileno(), data) :]
        except BrokenPipeError:
            return False
        return True

    def read(self) -> list[bytes] | None:
        """Return the events that have come, each as JSON; None when the slot has ended."""
        data = self.events.read(_CHUNK)
        if not data:
            return None
        if self.assignment is not None:
            self.assignment.hear()
        *lines, rest = data.split(b"\n")
        if lines:
            lines[0] = b"".join([*self._rest, lines[0]])
            self._rest = []
        self._rest.append(rest)
        return lines

    def put_off(self, by_s: float) -> None:
        """Give it so many seconds more for what it does now."""
        if self.assignment is not None:
            self.assignment.put_off(by_s)

    def may_go_on(self) -> bool:
        """Whether it has a little more time, once: its run was aborted a moment ago, and nobody has stopped it."""
        if self.assignment is None or not self.assignment.is_aborted or self.assignment.is_checked:
            return False
        try:
            is_stopped = psutil.Process(self.pid).status() == psutil.STATUS_STOPPED
        except psutil.Error:
            return False
        if not is_stopped:
            self.assignment.check()
        return not is_stopped

    def kill_late(self) -> None:
        """Kill the slot because it should be done by now. What it has told can still be read."""
        if self.assignment is not None:
            self.assignment.is_late, self.assignment.end_by = True, None
        self.process.kill()

    def end(self) -> int:
        """Kill the slot, if it still lives, and return its exit code. What it had started is not touched."""
        self.process.kill()
        code = self.process.wait()
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.events.close()
        return code
