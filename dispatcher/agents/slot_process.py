"""Slot processes: the agent's end of its slots."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel

import dispatcher
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


@dataclass(slots=True, eq=False)
class SlotProcess:
    """A slot, and the run it does."""

    process: subprocess.Popen[bytes]
    assignment: Assignment | None = None
    _rest: list[bytes] = field(default_factory=list)

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
    def descriptor(self) -> int:
        """What to wait on for its events."""
        assert self.process.stdout is not None  # noqa: S101 - made with a pipe
        return self.process.stdout.fileno()

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
        data = os.read(self.descriptor, _CHUNK)
        if not data:
            return None
        *lines, rest = data.split(b"\n")
        if lines:
            lines[0] = b"".join([*self._rest, lines[0]])
            self._rest = []
        self._rest.append(rest)
        return lines

    def end(self) -> int:
        """Kill the slot, if it still lives, and return its exit code. What it had started is not touched."""
        self.process.kill()
        code = self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()
        return code
