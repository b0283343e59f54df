"""Fetched texts: what a task has fetched to be kept, on its way from its worker to the agent, as it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from dispatcher.agents.protocol import Fetched, FetchedText, Message, RunOrder, TaskOrder
from dispatcher.tasks.work import DIGEST_BYTES, FETCHED

#: How much of a text one event carries.
PART_BYTES = 1 << 18


def hand_on(scratch: Path, order: RunOrder, task: TaskOrder, tell: Callable[[Message], None]) -> FetchedText | None:
    """Tell the text that the *task* has left in *scratch*, and return what there is to say about it.

    None if it has left none.

    :raises OSError: if it cannot be read.
    """
    file = scratch / FETCHED
    if not file.exists():
        return None
    position, keep = task.position, task.settings["keep"]
    name = str(keep["name"]) if isinstance(keep, dict) else ""
    with file.open("rb") as stream:
        sha256, compared = (stream.read(DIGEST_BYTES).hex() for _ in range(2))
        size = 0
        while data := stream.read(PART_BYTES):
            tell(Fetched(run_id=order.run_id, fence=order.fence, position=position, offset=size, data=data))
            size += len(data)
    file.unlink()
    return FetchedText(position=position, name=name, size=size, sha256=sha256, compared=compared)
