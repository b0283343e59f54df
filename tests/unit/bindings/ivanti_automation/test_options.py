"""Options on the wire: what few jobs need, and numbers out of range."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.bindings.ivanti_automation import contract
from dispatcher.bindings.ivanti_automation.options import to_options, to_wire_options
from dispatcher.core.errors import InvalidValue
from dispatcher.core.jobs import Options
from dispatcher.core.options import MAX_BATCH, MAX_TIME_S, check
from dispatcher.wire.types import new

SECONDS = st.integers(1, MAX_TIME_S)
SHARES = st.integers(1, 100).map(lambda percent: percent / 100)


def a_job(when: dict[str, Any] | None = None, **options: Any) -> Any:
    return new(
        contract.Job,
        When=None if when is None else new(contract.JobWhen, **when),
        Options=new(contract.JobOptions, **options) if options else None,
    )


def test_most_jobs_have_none() -> None:
    assert to_options(a_job()) is None
    assert to_options(a_job({"NextBoot": False})) is None
    assert to_wire_options(None) is None


def test_members_that_are_always_written_mean_nothing_when_they_are_zero() -> None:
    assert to_options(a_job(BatchSize=0, BatchPercent=0, TimeoutSeconds=0, SelectOneAgent=False)) is None


def test_boots_stand_with_the_other_members_of_when() -> None:
    assert to_options(a_job({"NextBoot": True})) == {"boot": "next"}
    assert to_options(a_job({"OfflineAgentsNextBoot": True})) == {"offline_agents_next_boot": True}
    assert to_wire_options({"boot": "next"}) is None


@pytest.mark.parametrize(
    ("member", "highest"),
    [
        ("BatchSize", 1_000_000),
        ("BatchPercent", 100),
        ("LaunchTimeoutSeconds", 31_536_000),
        ("TimeoutSeconds", 31_536_000),
    ],
)
def test_each_number_has_one_range_and_the_core_takes_all_of_it(member: str, highest: int) -> None:
    for number in (-1, highest + 1, 2**31 - 1):
        with pytest.raises(InvalidValue, match=f"Options/{member}: {number} is not from 1 to {highest}$"):
            to_options(a_job(**{member: number}))
    for number in (1, highest):
        options = to_options(a_job(**{member: number}))
        assert options is not None
        check(options)


@pytest.mark.parametrize("member", ["BatchSize", "BatchPercent"])
def test_one_agent_makes_no_batches(member: str) -> None:
    with pytest.raises(InvalidValue, match="Options/SelectOneAgent: does not go with a BatchSize or a BatchPercent"):
        to_options(a_job(SelectOneAgent=True, **{member: 5}))


def test_a_share_of_failures_stops_nothing_without_batches() -> None:
    with pytest.raises(InvalidValue, match="Options/StopAtFailedPercent: needs a BatchSize or a BatchPercent"):
        to_options(a_job(StopAtFailedPercent=50))
    assert to_options(a_job(StopAtFailedPercent=50, BatchPercent=20)) == {"batch_share": 0.2, "stop_at_share": 0.5}


BATCHES = (
    st.fixed_dictionaries({"batch_size": st.integers(1, MAX_BATCH)}, optional={"stop_at_share": SHARES})
    | st.just({"select_one": True})
    | st.just({})
)


@given(
    BATCHES,
    st.fixed_dictionaries({}, optional={"launch_timeout_s": SECONDS, "timeout_s": SECONDS}),
)
def test_any_options_come_back(batches: Options, others: Options) -> None:
    options: Options = {**batches, **others}
    assert to_options(new(contract.Job, Options=to_wire_options(options))) == (options or None)
