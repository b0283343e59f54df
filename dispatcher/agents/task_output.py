"""Task output: what a task writes, on its way from the slot to the agent, masked and counted."""

from __future__ import annotations

from collections.abc import Callable, Collection

from dispatcher.agents.masking import Masker
from dispatcher.agents.protocol import Message, Output, RunOrder


class TaskOutput:
    """The output of one task, of all its attempts one after the other."""

    def __init__(
        self, order: RunOrder, position: int, secrets: Collection[str], tell: Callable[[Message], None]
    ) -> None:
        self._order = order
        self._position = position
        self._masker = Masker(secrets)
        self._tell = tell
        self._written = 0
        self._is_inside_line = False

    def feed(self, data: bytes) -> None:
        """Pass *data* on; what may be the beginning of a secret waits for more."""
        self._write(self._masker.feed(data))

    def flush(self) -> None:
        """Pass on what has waited: nothing follows it."""
        self._write(self._masker.finish())

    def line(self, text: str) -> None:
        """Write a line of the slot's own between two attempts."""
        start = "\n" if self._is_inside_line else ""
        self._write(f"{start}{text}\n".encode())

    def _write(self, data: bytes) -> None:
        if data:
            order, position = self._order, self._position
            self._tell(
                Output(run_id=order.run_id, fence=order.fence, position=position, offset=self._written, data=data)
            )
            self._written += len(data)
            self._is_inside_line = not data.endswith(b"\n")
