"""The slot: a child process of the agent that does one run at a time and survives nothing that its agent does not.

It reads messages (``slot_messages``) from standard input and writes run events to standard output, a line of JSON
each. When its input ends, its agent is dead: it kills whatever runs and ends.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal
from uuid import UUID

from dispatcher.agents.inlet import AgentGone, Inlet
from dispatcher.agents.masking import Masker
from dispatcher.agents.protocol import (
    Message,
    Output,
    RunFinished,
    RunOrder,
    RunStarted,
    TaskFinished,
    TaskOrder,
    TaskStarted,
    Value,
    dump,
)
from dispatcher.agents.slot_messages import Abort, Do, Go
from dispatcher.agents.supervisor import Supervisor
from dispatcher.agents.task_run import SCRATCH, TaskRun
from dispatcher.core.ports import Now
from dispatcher.tasks.outcome import Ended, run_state
from dispatcher.tasks.types import TaskEnding


class Slot:
    """Does runs, one after the other. *home* is the agent's directory."""

    def __init__(self, inlet: Inlet, outlet: int, home: Path, now: Now) -> None:
        self._inlet = inlet
        self._outlet = outlet
        self._home = home
        self._now = now
        self._supervisor = Supervisor(inlet.descriptor, self._hear)
        self._run_id: UUID | None = None
        self._is_aborted = False
        self._reason = ""
        self._unsent: list[bytes] = []

    def serve(self) -> None:
        """Do runs until the agent is gone."""
        try:
            while True:
                message = self._inlet.next()
                if isinstance(message, Do):
                    self._do(message)
        except (AgentGone, BrokenPipeError):
            self._supervisor.kill_everything()

    def _do(self, message: Do) -> None:
        order = message.order
        self._run_id, self._is_aborted, self._reason = order.run_id, False, ""
        scratch = self._home / SCRATCH / str(order.run_id)
        if scratch.exists():
            shutil.rmtree(scratch)  # of an earlier attempt whose slot died
        scratch.mkdir(mode=0o700, parents=True)
        self._emit(RunStarted(run_id=order.run_id, fence=order.fence, at=self._now()))
        values = [{value.name: value for value in module.values} for module in order.modules]
        secrets = _secrets(order)
        ended: list[Ended] = []
        try:
            for task in order.tasks:
                if self._is_aborted or (ended and ended[-1].stopped):
                    self._finish(order, task, TaskEnding("skipped"))
                    continue
                run = TaskRun(order, task, list(values[task.module].values()), message.facts, scratch, self._home)
                ending = self._task(run, Masker(secrets))
                ended.append(Ended(ending.state, task.on_error == "stop"))
                _pass_on(ending, values[task.module])
            self._end(order, ended)
        finally:
            shutil.rmtree(scratch)

    def _end(self, order: RunOrder, ended: Sequence[Ended]) -> None:
        state = run_state(ended, len(order.tasks), len(order.modules))
        if self._is_aborted and len(ended) < len(order.tasks):
            state = "aborted"
        reason = self._reason if state == "aborted" else ""
        self._emit(RunFinished(run_id=order.run_id, fence=order.fence, at=self._now(), state=state, reason=reason))
        self._send()
        self._run_id = None

    def _task(self, run: TaskRun, masker: Masker) -> TaskEnding:
        order, task = run.order, run.task
        self._emit(TaskStarted(run_id=order.run_id, fence=order.fence, position=task.position, at=self._now()))
        self._send()
        if self._may_go(task.position):
            written = 0

            def write(data: bytes) -> None:
                nonlocal written
                if data:
                    self._emit(
                        Output(
                            run_id=order.run_id, fence=order.fence, position=task.position, offset=written, data=data
                        )
                    )
                    written += len(data)
                    self._send()

            ending = run.run(self._supervisor, lambda data: write(masker.feed(data)))
            write(masker.finish())
        else:
            ending = TaskEnding("aborted")
        self._finish(order, task, ending, masker)
        return ending

    def _may_go(self, position: int) -> bool:
        """Wait until the agent has the start on disk; return whether the task may begin."""
        while not self._is_aborted:
            message = self._inlet.next()
            if isinstance(message, Go) and (message.run_id, message.position) == (self._run_id, position):
                return True
            self._heed(message)
        return False

    def _hear(self) -> bool:
        for message in self._inlet.read():
            self._heed(message)
        return self._is_aborted

    def _heed(self, message: Do | Go | Abort) -> None:
        if isinstance(message, Abort) and message.run_id == self._run_id:
            self._is_aborted, self._reason = True, message.reason

    def _finish(self, order: RunOrder, task: TaskOrder, ending: TaskEnding, masker: Masker | None = None) -> None:
        mask = masker.text if masker else str
        self._emit(
            TaskFinished(
                run_id=order.run_id,
                fence=order.fence,
                position=task.position,
                at=self._now(),
                state=ending.state,
                exit_code=ending.exit_code,
                message=mask(ending.message),
                killed=[mask(name) for name in ending.killed],
                outputs={name: mask(value) for name, value in ending.outputs.items()},
            )
        )

    def _emit(self, event: Message) -> None:
        self._unsent.append(dump(event) + b"\n")

    def _send(self) -> None:
        data = b"".join(self._unsent)
        self._unsent.clear()
        while data:
            data = data[os.write(self._outlet, data) :]


def _secrets(order: RunOrder) -> list[str]:
    """Return what may not show. The user name of a credential may."""
    values = [value for module in order.modules for value in module.values]
    passwords = [value.password for value in values if value.password is not None]
    return passwords + [value.value for value in values if value.secret and value.password is None]


def _pass_on(ending: TaskEnding, values: dict[str, Value]) -> None:
    """Let the next tasks of the module see the output parameters that a task has set."""
    for name, value in ending.outputs.items():
        if name in values:
            values[name] = values[name].model_copy(update={"value": value})


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
