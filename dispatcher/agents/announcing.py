"""Announcing: what some tasks tell the people at the computer stands in the agent's own log, too.

Where there is no desktop to show a notice on, that is where an administrator looks. What is logged is the output as it
is reported: its secrets are masked already.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from dispatcher.agents.protocol import Output, RunOrder

log = logging.getLogger(__name__)

#: The task types that tell somebody something. Names: the agent itself loads no task types.
TYPES = frozenset({"notice", "restart_if_needed"})
#: How much of one task is logged: lines, and characters of each.
MOST_LINES, LONGEST_LINE = 200, 2_000
_OUTPUT = b'{"kind":"output"'


class Announcer:
    """Logs what the tasks of one run tell. Tasks follow one another."""

    def __init__(self) -> None:
        self._telling: frozenset[int] | None = None  #: the positions of the tasks that are logged
        self._position = -1
        self._lines = 0
        self._begun = b""  #: of a line that has not ended yet

    def hear(self, order: RunOrder, events: Iterable[bytes]) -> None:
        """Log what is new in *events* of the run with this *order*, each as JSON."""
        if self._telling is None:
            self._telling = frozenset(task.position for task in order.tasks if task.type in TYPES)
        if not self._telling:
            return
        for event in events:
            if event.startswith(_OUTPUT):
                output = Output.model_validate_json(event)
                if output.position in self._telling:
                    self._take(order, output)

    def _take(self, order: RunOrder, output: Output) -> None:
        if output.position != self._position:
            self._position, self._lines, self._begun = output.position, 0, b""
        *lines, begun = (self._begun + output.data).split(b"\n")
        self._begun = begun[: 4 * LONGEST_LINE]
        for line in lines[: MOST_LINES - self._lines]:
            text = line.decode("utf-8", "replace")[:LONGEST_LINE]
            log.info("task.tells run_id=%s position=%d text=%r", order.run_id, output.position, text)
        self._lines = min(MOST_LINES, self._lines + len(lines))
