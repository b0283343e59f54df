"""The inlet of a slot: the messages of its agent, line by line, for someone who also waits for other things."""

from __future__ import annotations

import os
from collections import deque

from dispatcher.agents.slot_messages import SLOT_MESSAGE, Abort, Do, Go


class AgentGone(Exception):
    """The agent has closed its end: it is dead, or wants the slot to end."""


class Inlet:
    """Reads messages from a pipe."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._rest = b""
        self._messages: deque[Do | Go | Abort] = deque()

    def read(self) -> list[Do | Go | Abort]:
        """Wait for at least a part of a message; return the whole ones that have come, in order.

        :raises AgentGone: at the end of the pipe.
        """
        data = os.read(self.descriptor, 65536)
        if not data:
            raise AgentGone
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [SLOT_MESSAGE.validate_json(line) for line in lines]

    def next(self) -> Do | Go | Abort:
        """Wait for the next message and return it.

        :raises AgentGone: at the end of the pipe.
        """
        while not self._messages:
            self._messages.extend(self.read())
        return self._messages.popleft()
