"""Holds: the sizes of batches, and when too many runs have failed."""

from __future__ import annotations

from fractions import Fraction
from math import ceil
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.core.holds import Hold, batch_size, stop_reason
from dispatcher.core.states import FINISHED, State

COUNTS = st.dictionaries(st.sampled_from(sorted(FINISHED)), st.integers(1, 10_000))


@pytest.mark.parametrize(
    ("options", "runs", "size"),
    [
        (None, 10, None),
        ({"select_one": True}, 10, None),
        ({"batch_size": 3}, 10, 3),
        ({"batch_size": 30}, 10, 30),
        ({"batch_share": 0.25}, 10, 3),
        ({"batch_share": 0.07}, 100, 7),
        ({"batch_share": 0.29}, 100, 29),
        ({"batch_share": 1e-9}, 5, 1),
        ({"batch_share": 1.0}, 5, 5),
        ({"batch_share": 0.5}, 0, 1),
    ],
)
def test_a_batch_has_its_size_or_its_share_rounded_up(options: Any, runs: int, size: int | None) -> None:
    assert batch_size(options, runs) == size


@given(st.integers(1, 100), st.integers(1, 10_000))
def test_a_share_in_percent_is_that_of_exact_arithmetic(percent: int, runs: int) -> None:
    assert batch_size({"batch_share": percent / 100}, runs) == ceil(Fraction(percent, 100) * runs)


def test_runs_that_were_skipped_or_have_not_ended_do_not_count() -> None:
    runs = {State.SKIPPED: 50, State.PENDING: 5, State.ACTIVE: 5, State.COMPLETED: 1, State.FAILED: 1}

    assert stop_reason({"stop_at_share": 0.5}, runs) == "stopped: 1 of 2 failed"
    assert stop_reason({"stop_at_share": 0.51}, runs) == ""


@pytest.mark.parametrize("state", sorted(FINISHED - {State.COMPLETED, State.SKIPPED}))
def test_every_end_but_completion_is_a_failure(state: State) -> None:
    assert stop_reason({"stop_at_share": 1.0}, {state: 3}) == "stopped: 3 of 3 failed"


def test_without_a_share_or_a_failure_nothing_stops() -> None:
    assert stop_reason({}, {State.FAILED: 10}) == ""
    assert stop_reason({"stop_at_share": 1e-9}, {State.COMPLETED: 10}) == ""


@given(COUNTS, st.integers(1, 100))
def test_the_rule_is_that_of_exact_arithmetic(runs: dict[State, int], percent: int) -> None:
    counted = {state: count for state, count in runs.items() if state is not State.SKIPPED}
    failed = sum(count for state, count in counted.items() if state is not State.COMPLETED)
    is_over = failed > 0 and failed * 100 >= percent * sum(counted.values())

    assert bool(stop_reason({"stop_at_share": percent / 100}, runs)) is is_over


def test_every_hold_says_what_it_waits_for() -> None:
    assert len({hold.text for hold in Hold}) == len(Hold)
