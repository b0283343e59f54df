"""Slot processes: the agent's end of its slots."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel

import dispatcher
from dispatcher.agents.deadlines import END_S, longest_s
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
    is_late: bool = False  #: its slot was not, and has been killed
    killed: list[str] = field(default_factory=list)  #: what its slot has left behind, as "pid name"

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
            self.is_aborted, self.end_by = True, time.monotonic() + END_S


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
        *lines, rest = data.split(b"\n")
        if lines:
            lines[0] = b"".join([*self._rest, lines[0]])
            self._rest = []
        self._rest.append(rest)
        return lines

    def kill_if_late(self) -> bool:
        """Kill the slot if it should be done by now; return whether it was. What it has told can still be read."""
        assignment = self.assignment
        if assignment is None or assignment.end_by is None or time.monotonic() < assignment.end_by:
            return False
        assignment.is_late, assignment.end_by = True, None
        self.process.kill()
        return True

    def end(self) -> int:
        """Kill the slot, if it still lives, and return its exit code. What it had started is not touched."""
        self.process.kill()
        code = self.process.wait()
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.events.close()
        return code
