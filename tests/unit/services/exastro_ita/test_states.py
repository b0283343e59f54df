"""States of conductor runs: what jobs come to in the vendor's words."""

from __future__ import annotations

import pytest

from dispatcher.core.states import FINISHED, State
from dispatcher.services.exastro_ita import states
from dispatcher.services.exastro_ita.states import (
    CONDUCTOR_NAMES,
    NODE_NAMES,
    ConductorState,
    NodeState,
    Standing,
    StepEnd,
)
from dispatcher.services.steps import NOT_STARTED

C, N = ConductorState, NodeState
BAD = StepEnd(N.ABEND)
BORNE = StepEnd(N.ABEND, goes_on=True)
WARNED = StepEnd(N.WARNING_END)
STOPPED = StepEnd(N.EMERGENCY_STOP)
STRANGE = StepEnd(N.UNEXPECTED_ERROR)
GOOD = StepEnd(N.NORMAL_END)
HELD = StepEnd(N.ON_HOLD, is_on_hold=True)
TOLD = "aborted by anna"
MIXED = State.COMPLETED_WITH_ERRORS


def test_every_state_has_a_name_in_both_languages() -> None:
    assert set(CONDUCTOR_NAMES) == {*ConductorState}
    assert set(NODE_NAMES) == {*NodeState, "9", "10"}
    assert (CONDUCTOR_NAMES["2"].ja, CONDUCTOR_NAMES["2"].en) == ("未実行(予約)", "Unexecuted (schedule)")


@pytest.mark.parametrize(
    ("job", "steps", "state"),
    [
        (Standing(State.SCHEDULED, has_started=False, is_booked=True), (), C.BOOKED),
        (Standing(State.DISABLED, has_started=False, is_booked=True), (), C.BOOKED),
        (Standing(State.SCHEDULED, has_started=False), (), C.UNEXECUTED),
        (Standing(State.ACTIVE), (GOOD,), C.EXECUTING),
        (Standing(State.ACTIVE), (GOOD, HELD), C.PAUSED),
        (Standing(State.ACTIVE, waits=True), (HELD,), C.UNEXECUTED),  # the pause of whoever calls it
        (Standing(State.ABORTING), (HELD,), C.EXECUTING),
        (Standing(State.ABORTED, reason=TOLD), (), C.EMERGENCY_STOP),
        (Standing(State.ABORTED, reason=TOLD), (GOOD,), C.EMERGENCY_STOP),
        (Standing(State.ABORTED), (STOPPED, GOOD), C.EMERGENCY_STOP),  # the last step
        (Standing(State.ABORTED), (StepEnd(N.EMERGENCY_STOP, goes_on=True), GOOD), C.WARNING_END),
        (Standing(State.ABORTED), (StepEnd(N.EMERGENCY_STOP, goes_on=True), BAD), C.ABEND),
        (Standing(State.CANCELLED, has_started=False, is_booked=True), (), C.CANCELLED),
        (Standing(State.CANCELLED, has_started=False), (), C.ABEND),
        (Standing(State.CANCELLED, is_booked=True), (), C.ABEND),
        (Standing(State.COMPLETED), (), C.NORMAL_END),
        (Standing(State.SKIPPED), (), C.NORMAL_END),
        (Standing(State.TIMED_OUT, reason="not done within 1 minute"), (BORNE,), C.ABEND),
        (Standing(State.TIMED_OUT), (BORNE,), C.WARNING_END),
        (Standing(State.TIMED_OUT), (BAD,), C.ABEND),
        (Standing(State.STOPPED), (GOOD, BAD), C.ABEND),
        (Standing(State.STOPPED), (STOPPED,), C.EMERGENCY_STOP),
        (Standing(State.STOPPED), (STOPPED, BAD), C.ABEND),
        (Standing(State.STOPPED), (STRANGE,), C.UNEXPECTED_ERROR),
        (Standing(State.STOPPED), (WARNED,), C.ABEND),
        (Standing(MIXED), (GOOD, BORNE), C.WARNING_END),
        (Standing(MIXED), (GOOD, WARNED), C.WARNING_END),
        (Standing(MIXED), (BORNE, BAD), C.ABEND),  # the last step
        (Standing(State.FAILED), (BORNE,), C.WARNING_END),
        (Standing(State.FAILED), (BAD,), C.ABEND),
        (Standing(State.FAILED, reason="step a: no such choice"), (BORNE,), C.ABEND),
    ],
)
def test_the_state_of_a_run(job: Standing, steps: tuple[StepEnd, ...], state: ConductorState) -> None:
    assert states.conductor_state(job, steps) is state


def test_only_what_depends_on_its_steps_asks_for_them() -> None:
    for job in (Standing(state, reason=reason) for state in State for reason in ("", TOLD)):
        if not states.depends(job):
            assert states.conductor_state(job) is states.conductor_state(job, (BAD, HELD, STOPPED))


@pytest.mark.parametrize(
    ("job", "called", "state"),
    [
        (Standing(State.ACTIVE), None, N.EXECUTING),
        (Standing(State.ABORTING), None, N.EXECUTING),
        (Standing(State.ACTIVE, waits=True), None, N.UNEXECUTED),
        (Standing(State.ABORTED, waits=True), None, N.UNEXECUTED),
        (Standing(State.SCHEDULED, has_started=False), None, N.PREPARING),
        (Standing(State.COMPLETED), None, N.NORMAL_END),
        (Standing(State.SKIPPED, has_started=False), C.NORMAL_END, N.SKIPPED),
        (Standing(State.FAILED), None, N.ABEND),
        (Standing(State.TIMED_OUT), None, N.ABEND),
        (Standing(State.CANCELLED), None, N.ABEND),
        (Standing(MIXED), None, N.ABEND),
        (Standing(State.ABORTED), None, N.EMERGENCY_STOP),
        (Standing(State.FAILED, has_started=False, reason="ring: nobody"), None, N.PREPARATION_ERROR),
        (Standing(State.FAILED, has_started=False, reason=NOT_STARTED), None, N.UNEXPECTED_ERROR),
        (Standing(State.ACTIVE), C.PAUSED, N.EXECUTING),
        (Standing(MIXED), C.WARNING_END, N.WARNING_END),
        (Standing(State.STOPPED), C.ABEND, N.ABEND),
        (Standing(State.ABORTED), C.EMERGENCY_STOP, N.EMERGENCY_STOP),
        (Standing(State.STOPPED), C.UNEXPECTED_ERROR, N.UNEXPECTED_ERROR),
    ],
)
def test_the_state_of_a_node(job: Standing, called: ConductorState | None, state: NodeState) -> None:
    assert states.node_state(job, called) is state


@pytest.mark.parametrize(
    ("job", "state"),
    [
        (Standing(State.ACTIVE, waits=True), N.ON_HOLD),
        (Standing(State.ACTIVE), N.NORMAL_END),
        (Standing(State.FAILED), N.NORMAL_END),
        (Standing(State.SKIPPED, waits=True), N.SKIPPED),
        (Standing(State.ABORTING, waits=True), N.EMERGENCY_STOP),
        (Standing(State.ABORTING, waits=True, has_limit=True), N.ABEND),
        (Standing(State.ABORTED, waits=True, reason=TOLD), N.EMERGENCY_STOP),
        (Standing(State.CANCELLED, waits=True), N.ABEND),
    ],
)
def test_the_state_of_a_pause(job: Standing, state: NodeState) -> None:
    assert states.pause_state(job) is state


@pytest.mark.parametrize(
    ("job", "is_stopped"),
    [
        (Standing(State.ABORTING, reason=TOLD), True),
        (Standing(State.ABORTING, has_limit=True, reason="not done within 1 minute"), False),
        (Standing(State.ABORTED, reason=TOLD), True),
        (Standing(State.ABORTED), False),  # only a step of it was told
        (Standing(State.ACTIVE), False),
    ],
)
def test_who_was_told_to_stop(job: Standing, is_stopped: bool) -> None:
    assert job.is_stopped is is_stopped


def test_no_job_is_in_a_state_that_nothing_is_said_of() -> None:
    for state in State:
        for has_started in (True, False):
            job = Standing(state, has_started=has_started)
            found = states.conductor_state(job)
            assert states.node_state(job, found if state in FINISHED else None) in NODE_NAMES
