"""States of conductor runs and of their nodes in the vendor's words, told from the states of jobs.

Ids and names are those of the vendor's ``conductor_master.sql``; what a failure makes of a run follows
``chk_conductor_end`` in its ``conductor/classes/exec_util.py``. ``Executing (delay)`` needs a delay timer. No step has
one here: one with a time limit ends at it. So nothing is ever in that state.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from dispatcher.core.states import FINISHED, State
from dispatcher.services.exastro_ita.columns import Label
from dispatcher.services.exastro_ita.fixed_choices import FIXED
from dispatcher.services.steps import NOT_STARTED


class ConductorState(StrEnum):
    """Where a run of a conductor stands, by the vendor's ids."""

    UNEXECUTED = "1"
    BOOKED = "2"
    EXECUTING = "3"
    DELAYED = "4"
    PAUSED = "5"
    NORMAL_END = "6"
    ABEND = "7"
    WARNING_END = "8"
    EMERGENCY_STOP = "9"
    CANCELLED = "10"
    UNEXPECTED_ERROR = "11"


class NodeState(StrEnum):
    """Where a node of a run stands, by the vendor's ids; it uses neither 9 nor 10."""

    UNEXECUTED = "1"
    PREPARING = "2"
    EXECUTING = "3"
    DELAYED = "4"
    NORMAL_END = "5"
    ABEND = "6"
    UNEXPECTED_ERROR = "7"
    EMERGENCY_STOP = "8"
    ON_HOLD = "11"
    PREPARATION_ERROR = "12"
    SKIPPED = "13"
    WARNING_END = "14"


CONDUCTOR_NAMES: Mapping[str, Label] = FIXED["conductor_states"]
_NO_USE = Label("no use", "no use")
NODE_NAMES: Mapping[str, Label] = {
    NodeState.UNEXECUTED: Label("未実行", "Unexecuted"),
    NodeState.PREPARING: Label("準備中", "Preparing"),
    NodeState.EXECUTING: Label("実行中", "Executing"),
    NodeState.DELAYED: Label("実行中(遅延)", "Executing (delay)"),
    NodeState.NORMAL_END: Label("正常終了", "Normal end"),
    NodeState.ABEND: Label("異常終了", "Abend"),
    NodeState.UNEXPECTED_ERROR: Label("想定外エラー", "Unexpected error"),
    NodeState.EMERGENCY_STOP: Label("緊急停止", "Emergency stop"),
    "9": _NO_USE,
    "10": _NO_USE,
    NodeState.ON_HOLD: Label("一時停止", "On hold"),
    NodeState.PREPARATION_ERROR: Label("準備エラー", "Preparation error"),
    NodeState.SKIPPED: Label("Skip終了", "End Skip"),
    NodeState.WARNING_END: Label("警告終了", "Warning end"),
}

#: What a node is that calls a conductor, by the state of that one's run (``call_node_action`` of the vendor's).
_CALLING = {
    ConductorState.NORMAL_END: NodeState.NORMAL_END,
    ConductorState.ABEND: NodeState.ABEND,
    ConductorState.WARNING_END: NodeState.WARNING_END,
    ConductorState.EMERGENCY_STOP: NodeState.EMERGENCY_STOP,
    ConductorState.CANCELLED: NodeState.ABEND,
    ConductorState.UNEXPECTED_ERROR: NodeState.UNEXPECTED_ERROR,
}
#: How something ends that has not come to its work.
_CALLED_OFF = frozenset({State.ABORTED, State.CANCELLED, State.TIMED_OUT})
#: How a run book also ends that only has steps that ended so.
_AS_STEPS = frozenset({State.ABORTED, State.TIMED_OUT})
#: Nodes after which, in the vendor's words, a run has gone wrong; a failure decides before an emergency stop.
_ABENDS = frozenset({NodeState.ABEND, NodeState.PREPARATION_ERROR})
_BAD = _ABENDS | {NodeState.EMERGENCY_STOP, NodeState.UNEXPECTED_ERROR}


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the job of a run, or of a step of it, stands. ``waits``: for somebody to approve it."""

    state: State
    has_started: bool = True
    waits: bool = False
    is_booked: bool = False  #: it was to start at a moment of its own
    has_limit: bool = False  #: while it is being ended: because its time is up
    reason: str = ""

    @property
    def is_on_hold(self) -> bool:
        """Whether nothing of it goes on before somebody lets it."""
        return self.waits and self.state not in FINISHED and self.state is not State.ABORTING

    @property
    def never_let_go(self) -> bool:
        """Whether it has waited in vain, or does so still."""
        return self.waits and (self.state not in FINISHED or self.state in _CALLED_OFF)

    @property
    def is_executed(self) -> bool:
        """Whether it has come to its work."""
        return self.has_started and not self.never_let_go

    @property
    def could_not_start(self) -> bool:
        """Whether it failed before it had come to its work; ``reason`` says why."""
        return self.state is State.FAILED and not self.has_started

    @property
    def is_stopped(self) -> bool:
        """Whether somebody has told it to end, not only a step of it."""
        if self.state is State.ABORTING:
            return not self.has_limit
        return self.state is State.ABORTED and self.was_ended

    @property
    def was_ended(self) -> bool:
        """Whether it ended before its steps did. What was aborted or timed out itself has a reason of its own."""
        if self.state in _AS_STEPS:
            return bool(self.reason)
        return self.state in (State.CANCELLED, State.STOPPED)


@dataclass(frozen=True, slots=True)
class StepEnd:
    """How the step of a run stands, for the state of the run."""

    node: NodeState
    goes_on: bool = False  #: its run goes on whatever becomes of it
    is_on_hold: bool = False


def node_state(job: Standing, called: ConductorState | None = None) -> NodeState:
    """Return the state of the node of a step with the job *job*; *called* is that of the run of a conductor."""
    if job.never_let_go:
        return NodeState.UNEXECUTED
    if job.state is State.SKIPPED:
        return NodeState.SKIPPED
    if job.could_not_start:
        return NodeState.UNEXPECTED_ERROR if job.reason == NOT_STARTED else NodeState.PREPARATION_ERROR
    if job.state not in FINISHED:
        return NodeState.EXECUTING if job.has_started else NodeState.PREPARING
    if called is not None:
        return _CALLING[called]
    if job.state is State.COMPLETED:
        return NodeState.NORMAL_END
    return NodeState.EMERGENCY_STOP if job.state is State.ABORTED else NodeState.ABEND


def pause_state(job: Standing) -> NodeState:
    """Return the state of the node that keeps the step with the job *job* waiting."""
    if job.is_on_hold:
        return NodeState.ON_HOLD
    if job.never_let_go:
        return NodeState.EMERGENCY_STOP if job.is_stopped else NodeState.ABEND
    # One that is for nobody has not waited.
    return NodeState.SKIPPED if job.waits and job.state is State.SKIPPED else NodeState.NORMAL_END


def conductor_state(job: Standing, steps: Collection[StepEnd] = ()) -> ConductorState:
    """Return the state of a run; *steps* are those that have begun, needed of one that ``depends`` on them."""
    if job.state in (State.SCHEDULED, State.DISABLED):
        return ConductorState.BOOKED if job.is_booked else ConductorState.UNEXECUTED
    if job.state not in FINISHED:
        if job.is_on_hold:
            return ConductorState.UNEXECUTED
        is_paused = job.state is State.ACTIVE and any(step.is_on_hold for step in steps)
        return ConductorState.PAUSED if is_paused else ConductorState.EXECUTING
    if job.state is State.CANCELLED:
        is_booking = job.is_booked and not job.has_started
        return ConductorState.CANCELLED if is_booking else ConductorState.ABEND
    if not depends(job):
        return _ENDS[job.state]
    return _bad_end(job, steps)


def depends(job: Standing) -> bool:
    """Whether the state of the run says nothing without its steps."""
    if job.state in _AS_STEPS:
        return not job.was_ended
    return job.state is State.ACTIVE or (job.state in FINISHED and job.state not in {*_ENDS, State.CANCELLED})


#: What says all by itself, of a job that was aborted or timed out itself.
_ENDS = {
    State.COMPLETED: ConductorState.NORMAL_END,
    State.SKIPPED: ConductorState.NORMAL_END,
    State.ABORTED: ConductorState.EMERGENCY_STOP,
    State.TIMED_OUT: ConductorState.ABEND,
}


def _bad_end(job: Standing, steps: Collection[StepEnd]) -> ConductorState:
    """Return how a run ended that has failed, or of which steps have.

    With a reason of its own the run itself has failed, whatever its steps did.
    """
    severe = {step.node for step in steps if step.node in _BAD and not step.goes_on}
    if job.state is State.FAILED and job.reason:
        return ConductorState.ABEND
    if severe & _ABENDS or (job.state is State.STOPPED and not severe):
        return ConductorState.ABEND
    if NodeState.EMERGENCY_STOP in severe:
        return ConductorState.EMERGENCY_STOP
    return ConductorState.UNEXPECTED_ERROR if severe else ConductorState.WARNING_END
