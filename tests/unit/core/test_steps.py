"""Which steps of a run book start together, and which failures stop it."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dispatcher.core.states import State
from dispatcher.core.steps import group_at, stopping


def a_step(parallel: bool = False, on_error: str = "stop") -> Any:
    options = {"options": {"parallel": True}} if parallel else {}
    return {"name": "s", "kind": 0, "what": {}, "who": [], "on_error": on_error, "parameters": {}, **options}


def test_a_step_alone_is_a_group() -> None:
    assert group_at([a_step(), a_step(), a_step()], 1) == range(1, 2)


def test_parallel_steps_belong_to_the_step_before_them() -> None:
    steps = [a_step(), a_step(), a_step(parallel=True), a_step(parallel=True), a_step()]
    assert [group_at(steps, at) for at in (1, 2, 3)] == [range(1, 4)] * 3


@given(st.lists(st.booleans(), min_size=1))
def test_groups_part_the_steps_without_gap_or_overlap(flags: list[bool]) -> None:
    steps = [a_step(parallel) for parallel in flags]
    groups = [group_at(steps, at) for at in range(len(steps))]
    assert all(at in group for at, group in enumerate(groups))
    assert [at for group in dict.fromkeys(groups) for at in group] == [*range(len(steps))]


def test_a_failure_stops_the_run_book_where_the_step_says_so() -> None:
    steps = [a_step(on_error="continue"), a_step(parallel=True), a_step(parallel=True), a_step()]
    outcomes = {0: State.FAILED, 1: State.TIMED_OUT, 2: State.COMPLETED}
    assert stopping(steps, range(3), outcomes) == [1]


def test_what_was_skipped_stops_nothing() -> None:
    assert stopping([a_step(), a_step()], range(1), {0: State.SKIPPED}) == []


def test_nothing_is_stopped_after_the_last_step() -> None:
    assert stopping([a_step()], range(1), {0: State.FAILED}) == []
