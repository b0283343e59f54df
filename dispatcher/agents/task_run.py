"""Task runs: one task of a run, from its order to its ending."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import cache
from pathlib import Path

from pydantic import ValidationError

from dispatcher.agents import worker_order
from dispatcher.agents.protocol import RunOrder, TaskOrder, Value
from dispatcher.agents.supervisor import ProcessEnd, Supervisor
from dispatcher.core import references
from dispatcher.core.durations import in_words
from dispatcher.core.errors import DispatcherError
from dispatcher.tasks import outputs
from dispatcher.tasks.registry import task_type
from dispatcher.tasks.types import Process, TaskEnding, TaskSettings
from dispatcher.tasks.work import FETCHED

log = logging.getLogger(__name__)

#: Where processes run by default, below the agent's home.
WORK = "work"
#: Variables of the agent itself, which may hold its token, and names that only an order may set.
_OWN_PREFIXES = ("DISPATCHER_", "PARAM_", "VAR_", "FACT_")
_MAX_MESSAGE = 10_000


class TaskRun:
    """One task; it is the ``TaskContext`` of its type."""

    def __init__(
        self,
        order: RunOrder,
        task: TaskOrder,
        values: Sequence[Value],
        facts: Mapping[str, str],
        scratch: Path,
        home: Path,
    ) -> None:
        self.order = order
        self.task = task
        self.scratch = scratch
        self.work = home / WORK
        self._home = home
        self.values: Mapping[str, str] = {}
        self._given = (values, order.variables, facts)
        self._output_file = scratch / f"output-{task.position}"
        self._supervisor: Supervisor | None = None
        self._write: Callable[[bytes], None] = _no_output
        self._may_go: Callable[[], bool] = lambda: False

    @property
    def logs_in(self) -> bool:
        """Whether tasks log in that need not (see ``TaskContext``)."""
        return self.order.logs_in

    def run(self, supervisor: Supervisor, write: Callable[[bytes], None], may_go: Callable[[], bool]) -> TaskEnding:
        """Do the task and return what became of it; *write* gets its output. Only the agent's death raises.

        *may_go* is asked before a process is started: meanwhile the start of the task goes to disk.

        :raises AgentGone: if the agent dies meanwhile.
        :raises BrokenPipeError: likewise.
        """
        self._supervisor, self._write, self._may_go = supervisor, write, may_go
        try:
            self.scratch.lstat()  # it may be missing: there was no room to make it
            for file in (self._output_file, self.scratch / FETCHED):
                file.unlink(missing_ok=True)  # of an earlier attempt
            kind = task_type(self.task.type)
            self.values = references.environment(*self._given)
            return kind.run(kind.Settings.model_validate(self.task.settings), self)
        except BrokenPipeError:
            raise
        except DispatcherError as error:
            return TaskEnding("failed", message=error.message)
        except ValidationError as error:
            return TaskEnding("failed", message=_settings_problem(error))
        except (OSError, ValueError) as error:
            # A directory that is missing, a value longer than a process may be given, a full disk.
            log.warning(
                "task.failed run_id=%s position=%s error=%s", self.order.run_id, self.task.position, type(error)
            )
            return TaskEnding("failed", message=f"cannot be started: {error}"[:_MAX_MESSAGE])

    def run_process(self, process: Process) -> TaskEnding:
        """Run *process* (see ``TaskContext``)."""
        assert self._supervisor is not None  # noqa: S101 - run() has set it
        environment = {
            **_own_environment(),
            **process.environment,
            **self.values,
            outputs.VARIABLE: str(self._output_file),
        }
        if not self._may_go():
            return TaskEnding("aborted")
        end = self._supervisor.run(
            process.command_line, str(process.directory), environment, self.task.timeout_s, self._write
        )
        return self._ending(end, process.success_codes)

    def run_work(self, name: str, settings: TaskSettings) -> TaskEnding:
        """Run a worker process (see ``TaskContext``)."""
        kind = task_type(name)
        account = self.order.account if kind.needs_account(self.task.settings) else None
        inputs = self.order.inputs if kind.takes_inputs else ()
        task = f"{self.order.run_id}-{self.task.position}"
        order = worker_order.prepare(name, settings, self._home, self.scratch, self.work, account, inputs, task)
        return worker_order.conclude(self.run_process(order), self.scratch)

    def _ending(self, end: ProcessEnd, success_codes: frozenset[int]) -> TaskEnding:
        killed = end.killed.names
        code, problem = _exit_code(end.status)
        if end.cause == "stopped":
            return TaskEnding("aborted", code, _with_survivors("", end), killed)
        if end.cause == "timed_out":
            late = f"not done after {in_words(timedelta(seconds=self.task.timeout_s or 0))}"
            return TaskEnding("timed_out", code, _with_survivors(late, end), killed)
        noun = "process" if len(killed) == 1 else "processes"
        left = f"left {len(killed)} {noun} in the background: killed" if killed else ""
        if code not in success_codes:
            message = "; ".join(filter(None, [problem, left]))
            return TaskEnding("failed", code, _with_survivors(message, end), killed)
        try:
            return TaskEnding("completed", code, _with_survivors(left, end), killed, outputs.read(self._output_file))
        except DispatcherError as error:
            return TaskEnding("failed", code, error.message, killed)


@cache
def _own_environment() -> dict[str, str]:
    """Return what tasks inherit of the slot's environment, which nothing changes."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_OWN_PREFIXES)}


def _exit_code(status: int | None) -> tuple[int | None, str]:
    """Return the exit code of a wait status as a shell counts it, and what is wrong with it if it is not 0."""
    if status is None:
        return None, ""
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return code, f"exit code {code}"
    names = {number.value: number.name for number in signal.Signals}
    return 128 - code, f"ended by {names.get(-code, f'signal {-code}')}"


def _with_survivors(message: str, end: ProcessEnd) -> str:
    if not end.killed.survivors:
        return message
    return "; ".join(filter(None, [message, f"could not be killed: {', '.join(end.killed.survivors)}"]))


def _settings_problem(error: ValidationError) -> str:
    problems = [f"settings.{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
    return "; ".join(problems)[:_MAX_MESSAGE]


def _no_output(data: bytes) -> None:
    raise AssertionError(f"{len(data)} bytes of output before the task was run")
