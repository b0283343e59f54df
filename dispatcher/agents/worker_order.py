"""Worker orders: what a worker process is told, and what it has to say in the end (see ``worker``)."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel

import dispatcher
from dispatcher.core.accounts import Account
from dispatcher.core.inputs import Input
from dispatcher.tasks.types import Process, TaskEnding, TaskSettings

#: The exit code of a worker whose task failed.
FAILED = 1
_ORDER, _ENDING = "work.json", "work-ending.txt"


class WorkOrder(BaseModel):
    """What a worker is told."""

    type: str
    settings: dict[str, Any]
    home: Path
    scratch: Path
    work: Path
    account: Account | None = None
    inputs: list[Input] = []
    task: str = ""

    def conclude(self, said: str) -> None:
        """Leave what there is to say about the end of the task."""
        (self.scratch / _ENDING).write_text(said, "utf-8", "replace")


def prepare(
    name: str,
    settings: TaskSettings,
    home: Path,
    scratch: Path,
    work: Path,
    account: Account | None = None,
    inputs: Sequence[Input] = (),
    task: str = "",
) -> Process:
    """Write the order and return the process that does it. *account* and *inputs* are for that process alone.

    *task* is its name on this computer (``Tools.task``).

    :raises OSError: if it cannot be written.
    """
    order = WorkOrder(
        type=name,
        settings=settings.model_dump(mode="json", exclude_unset=True),
        home=home,
        scratch=scratch,
        work=work,
        account=account,
        inputs=list(inputs),
        task=task,
    )
    file = scratch / _ORDER
    (scratch / _ENDING).unlink(missing_ok=True)
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as stream:
        stream.write(order.model_dump_json())
    package = Path(dispatcher.__file__).parent
    command = [sys.executable, "-u", "-X", "utf8", "-m", "dispatcher.agents.worker", str(file)]
    # In the directory where -m finds the package, also if nothing is installed; the worker goes on to its own.
    return Process(command, package.parent, {}, frozenset({0}))


def conclude(ending: TaskEnding, scratch: Path) -> TaskEnding:
    """Return how the task ended, given how its process did."""
    file = scratch / _ENDING
    if ending.state not in ("completed", "failed"):
        return replace(ending, exit_code=None)  # that of the worker means nothing to anybody
    if not file.exists() or ending.exit_code not in (0, FAILED):
        return ending
    said = file.read_text("utf-8")
    if ending.state == "failed" and ending.exit_code == FAILED:
        return replace(ending, exit_code=None, message=said)
    return replace(ending, exit_code=None, message="; ".join(filter(None, (said, ending.message))))
