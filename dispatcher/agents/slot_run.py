"""Slot runs: one run, task by task: what its conditions decide, how often it is tried, what it hands on."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from dispatcher.agents import fetched_text
from dispatcher.agents.found_computers import FoundComputers
from dispatcher.agents.masking import MASK, Masker
from dispatcher.agents.protocol import (
    MAX_REPORT_BYTES,
    Condition,
    FetchedText,
    Message,
    RunFinished,
    TaskFinished,
    TaskOrder,
    TaskStarted,
    dump,
)
from dispatcher.agents.scopes import Scopes
from dispatcher.agents.slot_messages import Do
from dispatcher.agents.supervisor import Supervisor
from dispatcher.agents.task_output import TaskOutput
from dispatcher.agents.task_run import TaskRun
from dispatcher.agents.values import to_value
from dispatcher.core import conditions
from dispatcher.core.conditions import Verdict
from dispatcher.core.errors import InvalidValue
from dispatcher.core.parameters import Parameter, ParameterType
from dispatcher.core.ports import Now
from dispatcher.tasks import outputs
from dispatcher.tasks.outcome import Ended, RunState, run_state
from dispatcher.tasks.registry import task_type
from dispatcher.tasks.types import TaskEnding, TaskState

#: How much a run may give out, in bytes of its report.
MAX_OUTPUTS_BYTES = MAX_REPORT_BYTES // 2
#: How much a run says of why it has ended, in characters.
_MAX_REASON = 10_000
_GOOD = frozenset({"completed", "completed_with_errors"})


class Host(Protocol):
    """The slot, as its run needs it."""

    @property
    def supervisor(self) -> Supervisor:
        """What runs processes."""

    @property
    def is_aborted(self) -> bool:
        """Whether the run has to end."""

    @property
    def reason(self) -> str:
        """Why it has to end."""

    def emit(self, event: Message) -> None:
        """Tell the agent, with the next ``send``."""

    def send(self) -> None:
        """Tell the agent what was emitted."""

    def may_go(self, position: int) -> bool:
        """Wait until the agent has the start of a task on disk; return whether it may begin."""

    def pause(self, seconds: float) -> bool:
        """Wait so long; return False at once when the run has to end."""


class SlotRun:
    """A run, done once. *scratch* is its private directory, *home* the agent's."""

    def __init__(self, host: Host, message: Do, scratch: Path, home: Path, now: Now) -> None:
        self._host = host
        self._order = message.order
        device = message.order.device
        self._facts = message.facts if device is None else device.facts()
        self._places = (scratch, home)
        self._now = now
        self._scopes = Scopes(message.order)
        self._ended: list[Ended] = []
        self._fetched: list[FetchedText] = []
        self._found = FoundComputers(scratch, message.order, self._tell)
        self._previous = TaskEnding("skipped")
        self._problem = ""  #: why the run goes no further, although no task has stopped it
        self._is_begun = message.is_begun
        self._cleared: int | None = None  #: the position of the last task whose start is on disk

    def do(self) -> None:
        """Do the run and tell all about it. Only the agent's death raises.

        :raises AgentGone: if the agent dies meanwhile.
        :raises BrokenPipeError: likewise.
        """
        order = self._order
        for index, tasks in itertools.groupby(order.tasks, lambda task: task.module):
            self._do_module(index, list(tasks))
        state = run_state(self._ended, len(order.tasks), len(order.modules))
        if self._host.is_aborted and len(self._ended) < len(order.tasks):
            state = "aborted"
        elif self._problem and state in (*_GOOD, "skipped"):
            state = "failed"
        self._end(state, self._host.reason if state == "aborted" else self._problem)

    def _end(self, state: RunState, reason: str) -> None:
        given = self._scopes.outputs()
        if sum(len(dump(value)) for values in given for value in values) > MAX_OUTPUTS_BYTES:
            given, problem = [], f"gives out more than {MAX_OUTPUTS_BYTES} bytes"
            # What goes on with its outputs must not go on without them.
            state, reason = ("failed", problem) if state in _GOOD else (state, reason or problem)
        run_id, fence = self._order.run_id, self._order.fence
        at, fetched = self._now(), self._fetched
        self._tell(
            RunFinished(run_id=run_id, fence=fence, at=at, state=state, reason=reason, outputs=given, fetched=fetched)
        )

    @property
    def _is_over(self) -> bool:
        return self._host.is_aborted or bool(self._problem or (self._ended and self._ended[-1].stopped))

    def _do_module(self, index: int, tasks: list[TaskOrder]) -> None:
        verdict = Verdict("run")
        if not self._is_over:
            verdict = self._begin(index)
        if verdict.decision != "run":
            self._leave_out(tasks, verdict)
            return
        has_begun = not self._is_over
        for task in tasks:
            self._do_task(task)
        if has_begun:
            self._conclude(index)

    def _begin(self, index: int) -> Verdict:
        """Find out whether the module is done now; give it its values then."""
        verdict = self._judge(self._order.modules[index].condition, self._scopes.project(index))
        try:
            if verdict.decision == "run":
                self._scopes.begin(index)
        except InvalidValue as error:
            return Verdict("fail", error.message)
        return verdict

    def _conclude(self, index: int) -> None:
        """Let the project take the values of the module; without them nothing may follow."""
        try:
            self._scopes.end(index)
        except InvalidValue as error:
            problem = f"module {self._order.modules[index].name}: {error.message}"
            self._problem = Masker(self._scopes.secrets).text(problem)[:_MAX_REASON]

    def _leave_out(self, tasks: list[TaskOrder], verdict: Verdict) -> None:
        """Skip the *tasks* of a module, the first of which has failed if the condition says so.

        For conditions that follow the module counts as failed then, whatever became of its other tasks.
        """
        first, *others = tasks
        state: TaskState = "failed" if verdict.decision == "fail" else "skipped"
        ending = TaskEnding(state, message=verdict.reason)
        if self._is_begun and not self._may_go(first):  # its start is being written down: the end comes after that
            ending = TaskEnding("aborted")
        self._is_begun = False
        self._note(first, ending)
        for task in others:
            ending = TaskEnding("skipped", message=verdict.reason)
            if self._is_over:
                self._finish(task, ending)
            else:
                self._note(task, ending, is_previous=state == "skipped")

    def _do_task(self, task: TaskOrder) -> None:
        if self._is_over:
            self._finish(task, TaskEnding("skipped"))
            return
        verdict = self._judge(task.condition, self._scopes.module(task.module))
        if verdict.decision == "run":
            self._start(task)
        else:
            self._note(task, TaskEnding("failed" if verdict.decision == "fail" else "skipped", message=verdict.reason))

    def _judge(self, condition: Condition | None, parameters: Iterable[Parameter]) -> Verdict:
        if condition is None:
            return Verdict("run")
        code = self._previous.exit_code
        facts: dict[str, str | bool] = {f"fact.{name}": value for name, value in self._facts.items()}
        facts |= {name: self._facts.get(name, "") for name in ("name", "os", "address")}
        facts |= {
            "previous": self._previous.state if self._ended else "",
            "previous.exit_code": "" if code is None else str(code),
        }
        facts |= conditions.parameter_facts(parameters)
        try:
            return conditions.judge({"if": condition.rule, "else": condition.otherwise}, conditions.ON_AGENTS, facts)
        except InvalidValue as error:
            return Verdict("fail", error.message)

    def _start(self, task: TaskOrder) -> None:
        order = self._order
        if not self._is_begun:
            self._tell(TaskStarted(run_id=order.run_id, fence=order.fence, position=task.position, at=self._now()))
        self._is_begun = False
        output = TaskOutput(order, task.position, self._scopes.secrets, self._tell)
        ending, attempts = self._try(task, output)
        self._found.hand_on(task.position, self._scopes.secrets)
        if ending.state == "completed" and task_type(task.type).keeps:
            ending = self._hand_on(task, ending)
        self._note(task, ending, attempts)

    def _hand_on(self, task: TaskOrder, ending: TaskEnding) -> TaskEnding:
        """Tell the text that the task has left to be kept, if it has; return how the task ended."""
        try:
            text = fetched_text.hand_on(self._places[0], self._order, task, self._tell)
        except BrokenPipeError:
            raise
        except OSError as error:
            return replace(ending, state="failed", message=f"what it has fetched is lost: {error}")
        self._fetched += [text] if text is not None else []
        return ending

    def _try(self, task: TaskOrder, output: TaskOutput) -> tuple[TaskEnding, int]:
        """Do the task, again if it may be tried again; return how it ended and how often it was tried."""
        retry = task.retry
        if retry is None:
            return self._attempt(task, output), 1
        total, pause = 1 + retry.times, min(retry.delay_s, retry.max_delay_s)
        killed: list[str] = []
        for attempt in range(1, total + 1):
            if attempt > 1:
                output.line(f"--- attempt {attempt} of {total} ---")
            ending = self._attempt(task, output)
            killed += ending.killed
            problem = f": {ending.message}" if ending.message else ""
            if attempt > 1 or ending.state != "completed":
                ending = replace(ending, message=f"attempt {attempt} of {total}{problem}", killed=killed)
            if ending.state not in ("failed", "timed_out") or attempt == total:
                break
            if not self._host.pause(pause):
                ending = replace(ending, state="aborted", message=f"{ending.message}; aborted before the next")
                break
            pause = min(pause * retry.factor, retry.max_delay_s)
        return ending, attempt

    def _attempt(self, task: TaskOrder, output: TaskOutput) -> TaskEnding:
        scratch, home = self._places
        values = [to_value(parameter) for parameter in self._scopes.module(task.module)]
        run = TaskRun(self._order, task, values, self._facts, scratch, home)

        def feed(data: bytes) -> None:
            output.feed(data)
            self._found.glance(task.position, self._scopes.secrets)

        ending = run.run(self._host.supervisor, feed, lambda: self._may_go(task))
        if not self._may_go(task):  # also asked if it has failed before it asked
            return TaskEnding("aborted")
        output.flush()
        return self._take(task, ending) if ending.outputs else ending

    def _may_go(self, task: TaskOrder) -> bool:
        """Wait until the start of the task is on disk; return whether it may begin. That holds for all its attempts."""
        if self._cleared != task.position and self._host.may_go(task.position):
            self._cleared = task.position
        return self._cleared == task.position

    def _take(self, task: TaskOrder, ending: TaskEnding) -> TaskEnding:
        """Let the tasks after this one see what it has set, if that may be."""
        try:
            accepted = outputs.accept(ending.outputs, self._scopes.module(task.module))
        except InvalidValue as error:
            return TaskEnding("failed", ending.exit_code, error.message, ending.killed)
        self._scopes.change(task.module, accepted.changed)
        message = ending.message
        if accepted.unknown:
            ignored = f"ignored output parameters that are not declared: {', '.join(accepted.unknown)}"
            message = "; ".join(filter(None, [message, ignored]))
        return replace(ending, message=message, outputs={one.name: _shown(one) for one in accepted.changed})

    def _note(self, task: TaskOrder, ending: TaskEnding, attempts: int = 1, *, is_previous: bool = True) -> None:
        self._ended.append(Ended(ending.state, task.on_error == "stop"))
        if is_previous:
            self._previous = ending
        self._finish(task, ending, attempts)

    def _finish(self, task: TaskOrder, ending: TaskEnding, attempts: int = 1) -> None:
        mask = Masker(self._scopes.secrets).text
        self._host.emit(
            TaskFinished(
                run_id=self._order.run_id,
                fence=self._order.fence,
                position=task.position,
                at=self._now(),
                state=ending.state,
                exit_code=ending.exit_code,
                message=mask(ending.message),
                killed=[mask(name) for name in ending.killed],
                outputs={name: mask(value) for name, value in ending.outputs.items()},
                attempts=attempts,
            )
        )

    def _tell(self, event: Message) -> None:
        self._host.emit(event)
        self._host.send()


def _shown(parameter: Parameter) -> str:
    """Return the value as results show it."""
    return MASK.decode() if parameter.type is ParameterType.PASSWORD else parameter.value1
