"""States: every move is in the table, every end is final."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.core.errors import InvalidMove
from dispatcher.core.states import FINISHED, MOVES, Event, State, move, outcome

finished = st.sampled_from(sorted(FINISHED))


@pytest.mark.parametrize("state", sorted(FINISHED))
@pytest.mark.parametrize("event", list(Event))
def test_finished_never_moves(state: State, event: Event) -> None:
    with pytest.raises(InvalidMove):
        move(state, event)


def test_every_state_that_is_not_finished_can_reach_an_end() -> None:
    for start in set(State) - FINISHED:
        reached, todo = set(), [start]
        while todo:
            state = todo.pop()
            if state not in reached:
                reached.add(state)
                todo += MOVES.get(state, {}).values()
        assert reached & FINISHED, start


@pytest.mark.parametrize("event", [Event.COMPLETE, Event.FAIL, Event.TIME_OUT, Event.STOP, Event.CONFIRM_ABORT])
def test_whatever_ends_while_aborting_is_aborted(event: Event) -> None:
    assert move(State.ABORTING, event) is State.ABORTED


@pytest.mark.parametrize("state", [State.SCHEDULED, State.DISABLED, State.PENDING])
def test_aborting_what_has_not_started_cancels_it(state: State) -> None:
    assert move(state, Event.ABORT) is State.CANCELLED


def test_a_disabled_job_cannot_be_activated() -> None:
    with pytest.raises(InvalidMove, match="activate"):
        move(State.DISABLED, Event.ACTIVATE)


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ([], State.SKIPPED),
        ([State.COMPLETED, State.COMPLETED], State.COMPLETED),
        ([State.FAILED, State.FAILED], State.FAILED),
        ([State.COMPLETED, State.FAILED], State.COMPLETED_WITH_ERRORS),
        ([State.COMPLETED, State.SKIPPED], State.COMPLETED),
        ([State.COMPLETED, State.TIMED_OUT], State.COMPLETED_WITH_ERRORS),
        ([State.COMPLETED, State.ABORTED], State.ABORTED),
        ([State.FAILED, State.TIMED_OUT], State.FAILED),
        ([State.SKIPPED, State.TIMED_OUT], State.TIMED_OUT),
        ([State.COMPLETED_WITH_ERRORS, State.COMPLETED], State.COMPLETED_WITH_ERRORS),
    ],
)
def test_outcome(states: list[State], expected: State) -> None:
    assert outcome(states) is expected


@given(st.lists(finished))
def test_an_outcome_is_an_end_and_does_not_depend_on_order(states: list[State]) -> None:
    assert outcome(states) in FINISHED
    assert outcome(reversed(states)) is outcome(states)


@given(finished, st.integers(1, 5))
def test_runs_that_end_alike_give_that_end(state: State, count: int) -> None:
    assert outcome([state] * count) is state
