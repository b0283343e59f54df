"""The inlet of a slot: the messages of its agent, line by line, for someone who also waits for other things."""

from __future__ import annotations

import select
from collections import deque

from dispatcher.agents.pipes import Inflow
from dispatcher.agents.slot_messages import SLOT_MESSAGE, Abort, Do, Go


class AgentGone(Exception):
    """The agent has closed its end: it is dead, or wants the slot to end."""


class Inlet:
    """Reads messages from a pipe."""

    def __init__(self, descriptor: int) -> None:
        self._inflow = Inflow(descriptor)
        self._rest = b""
        self._messages: deque[Do | Go | Abort] = deque()

    def fileno(self) -> int:
        """Return what a selector waits for."""
        return self._inflow.fileno()

    def read(self) -> list[Do | Go | Abort]:
        """Wait for at least a part of a message; return the whole ones that have come, in order.

        :raises AgentGone: at the end of the pipe.
        """
        data = self._inflow.read()
        if not data:
            raise AgentGone
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [SLOT_MESSAGE.validate_json(line) for line in lines]

    def waiting(self) -> list[Do | Go | Abort]:
        """Return the messages that came along with the one that ``next`` returned last, in order."""
        found = list(self._messages)
        self._messages.clear()
        return found

    def can_be_read(self, timeout_s: float) -> bool:
        """Wait until there is something to read, at most *timeout_s*; return whether there is."""
        return bool(select.select([self._inflow], [], [], timeout_s)[0])

    def next(self) -> Do | Go | Abort:
        """Wait for the next message and return it.

        :raises AgentGone: at the end of the pipe.
        """
        while not self._messages:
            self._messages.extend(self.read())
        return self._messages.popleft()
