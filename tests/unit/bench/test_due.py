"""A plan says which schedules are due when, and notices when one of them was forgotten, doubled or made up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.due import SETTLE_S, Plan

PLAN = Plan(schedules=1_000, due=10, begin=1_800_000_000.0)
MOMENTS = PLAN.moments(PLAN.begin, 8)


def seen() -> list[tuple[int, float, float]]:
    return [(number, moment, moment + 0.1) for moment in MOMENTS for number in PLAN.members(moment)]


def test_as_many_as_asked_for_are_due_at_every_moment() -> None:
    assert [len(PLAN.members(moment)) for moment in MOMENTS] == [PLAN.due] * 8


def test_every_schedule_that_is_due_is_due_once_in_a_period() -> None:
    in_a_period = [number for moment in MOMENTS[: PLAN.groups] for number in PLAN.members(moment)]

    assert sorted(in_a_period) == [number for number in range(PLAN.schedules) if PLAN.is_due(number)]


@given(st.floats(0, 1e6))
def test_moments_that_count_come_after_the_server_has_settled(later: float) -> None:
    now = PLAN.begin + later
    moments = PLAN.moments(now, 3)

    assert now + SETTLE_S <= moments[0] < now + SETTLE_S + PLAN.apart_s
    assert moments[-1] <= now + PLAN.seconds(3)


def test_no_moment_comes_before_the_plan_begins() -> None:
    assert PLAN.moments(PLAN.begin - 100, 2) == [PLAN.begin, PLAN.begin + PLAN.apart_s]


@given(st.integers(0, PLAN.schedules - 1), st.integers(0, 100))
def test_due_schedules_start_at_a_moment_that_they_are_members_of(number: int, period: int) -> None:
    start = PLAN.start_of(number)

    if PLAN.is_due(number):
        assert number in PLAN.members(start + period * PLAN.period_s)
        assert PLAN.last_due(number, start + period * PLAN.period_s + 3) == start + period * PLAN.period_s
    else:
        assert start >= PLAN.begin + 3_600


def test_one_job_for_every_due_time_is_as_it_should_be() -> None:
    PLAN.check(MOMENTS, seen())


@pytest.mark.parametrize(
    "wrong",
    [seen()[1:], [*seen(), seen()[0]], [*seen(), (PLAN.schedules - 1, MOMENTS[0], MOMENTS[0])]],
    ids=["lost", "doubled", "not due"],
)
def test_anything_else_is_noticed(wrong: list[tuple[int, float, float]]) -> None:
    with pytest.raises(RuntimeError, match="of 80 due times"):
        PLAN.check(MOMENTS, wrong)


def test_what_was_due_before_does_not_count() -> None:
    PLAN.check(MOMENTS, [*seen(), (0, PLAN.begin, PLAN.begin)])
