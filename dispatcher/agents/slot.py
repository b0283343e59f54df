"""The slot: a child process of the agent that does one run at a time and survives nothing that its agent does not.

It reads messages (``slot_messages``) from standard input and writes run events to standard output, a line of JSON
each. When its input ends, its agent is dead: it kills whatever runs and ends.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal
from uuid import UUID

from dispatcher.agents.inlet import AgentGone, Inlet
from dispatcher.agents.protocol import Message, dump
from dispatcher.agents.scratch import Scratch
from dispatcher.agents.slot_messages import Abort, Do, Go
from dispatcher.agents.slot_run import SlotRun
from dispatcher.agents.supervisor import Supervisor
from dispatcher.core.ports import Now


class Slot:
    """Does runs, one after the other. *home* is the agent's directory.

    ``is_aborted`` and ``reason`` say whether the run that it does has to end, and why.
    """

    def __init__(self, inlet: Inlet, outlet: int, home: Path, now: Now) -> None:
        self._inlet = inlet
        self._outlet = outlet
        self._home = home
        self._now = now
        self.supervisor = Supervisor(inlet, self._hear)
        self.is_aborted = False
        self.reason = ""
        self._run_id: UUID | None = None
        self._unsent: list[bytes] = []
        self._scratch = Scratch(home, os.getpid())

    def serve(self) -> None:
        """Do runs until the agent is gone."""
        try:
            while True:
                message = self._inlet.next()
                if isinstance(message, Do):
                    self._do(message)
        except (AgentGone, BrokenPipeError):
            self.supervisor.kill_everything()

    def _do(self, message: Do) -> None:
        self._run_id, self.is_aborted, self.reason = message.order.run_id, False, ""
        self._scratch.prepare()
        try:
            SlotRun(self, message, self._scratch.path, self._home, self._now).do()
        finally:
            self._scratch.clear()
        self._run_id = None

    def may_go(self, position: int) -> bool:
        """Wait until the agent has the start on disk; return whether the task may begin."""
        while not self.is_aborted:
            message = self._inlet.next()
            if isinstance(message, Go) and (message.run_id, message.position) == (self._run_id, position):
                # An abort may have come along with it: nothing would wake this process for that again.
                for other in self._inlet.waiting():
                    self._heed(other)
                break
            self._heed(message)
        return not self.is_aborted

    def pause(self, seconds: float) -> bool:
        """Wait so long; return False at once when the run has to end."""
        end = time.monotonic() + seconds
        while not self.is_aborted and (left := end - time.monotonic()) > 0:
            if self._inlet.can_be_read(left):
                self._hear()
        return not self.is_aborted

    def emit(self, event: Message) -> None:
        """Tell the agent, with the next ``send``."""
        self._unsent.append(dump(event) + b"\n")

    def send(self) -> None:
        """Tell the agent what was emitted, in order.

        :raises BrokenPipeError: if it is dead.
        """
        data = b"".join(self._unsent)
        self._unsent.clear()
        while data:
            data = data[os.write(self._outlet, data) :]

    def _hear(self) -> bool:
        for message in self._inlet.read():
            self._heed(message)
        return self.is_aborted

    def _heed(self, message: Do | Go | Abort) -> None:
        if isinstance(message, Abort) and message.run_id == self._run_id:
            self.is_aborted, self.reason = True, message.reason


def main(arguments: Sequence[str]) -> Literal[0]:
    """Serve the agent whose home directory is the first of *arguments*, until it is gone.

    This is the composition root of the slot's process.
    """
    # The agent decides when a slot ends. Handlers, not SIG_IGN, which every task would inherit.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    # Events have the only descriptor for standard output; a stray print goes to the log.
    outlet = os.dup(1)
    os.dup2(2, 1)
    Slot(Inlet(0), outlet, Path(arguments[0]), lambda: datetime.now(UTC)).serve()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
