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
from dispatcher.wire.types import new

NUMBERS = st.integers(1, 2**31 - 1)
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
    ("member", "number"),
    [("BatchSize", -1), ("BatchPercent", 101), ("StopAtFailedPercent", -5), ("LaunchTimeoutSeconds", -1)],
)
def test_numbers_out_of_range_are_refused(member: str, number: int) -> None:
    with pytest.raises(InvalidValue, match=f"Options/{member}: {number} is not from 1 to"):
        to_options(a_job(**{member: number}))


def test_a_share_of_failures_stops_nothing_without_batches() -> None:
    with pytest.raises(InvalidValue, match="Options/StopAtFailedPercent: needs a BatchSize or a BatchPercent"):
        to_options(a_job(StopAtFailedPercent=50))
    assert to_options(a_job(StopAtFailedPercent=50, BatchPercent=20)) == {"batch_share": 0.2, "stop_at_share": 0.5}


BATCHES = st.fixed_dictionaries({"batch_size": NUMBERS}, optional={"stop_at_share": SHARES}) | st.just({})


@given(
    BATCHES,
    st.fixed_dictionaries(
        {},
        optional={
            "launch_timeout_s": NUMBERS,
            "timeout_s": NUMBERS,
            "select_one": st.just(True),
        },
    ),
)
def test_any_options_come_back(batches: Options, others: Options) -> None:
    options: Options = {**batches, **others}
    assert to_options(new(contract.Job, Options=to_wire_options(options))) == (options or None)
