"""Recurring jobs on the wire: rules in and out, and the ledger."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.bindings.ivanti_automation import contract
from dispatcher.bindings.ivanti_automation.recurrence import to_recurrence, to_wire_ledger, to_wire_recurrence
from dispatcher.core.errors import InvalidValue
from dispatcher.core.schedules import LedgerEntry, LedgerPage, Misfire, Outcome, Overlap, RecurrenceRequest
from dispatcher.core.wallclock import Fold, Gap
from dispatcher.wire.types import new

RULE = "DTSTART;TZID=Europe/Berlin:20260101T060000\nRRULE:FREQ=DAILY"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def a_when(**members: Any) -> Any:
    return new(contract.JobWhen, RecurringSchedule=RULE, Recurrence=new(contract.JobRecurrence, **members))


@pytest.mark.parametrize("text", [None, "", "  "])
def test_a_job_without_a_rule_does_not_recur(text: str | None) -> None:
    assert to_recurrence(new(contract.JobWhen, RecurringSchedule=text)) is None


def test_what_is_not_given_takes_its_default() -> None:
    assert to_recurrence(new(contract.JobWhen, RecurringSchedule=RULE)) == RecurrenceRequest(RULE)
    assert to_recurrence(a_when()) == RecurrenceRequest(RULE)


def test_words_are_taken_in_any_case() -> None:
    assert to_recurrence(a_when(OverlapRule=" Skip", MisfireRule="ALL")) == RecurrenceRequest(
        RULE, misfire=Misfire.ALL, overlap=Overlap.SKIP
    )


@pytest.mark.parametrize("member", ["DaylightGap", "DaylightRepeat", "MisfireRule", "OverlapRule"])
def test_other_words_are_refused(member: str) -> None:
    with pytest.raises(InvalidValue, match=f"When/Recurrence/{member}: 'perhaps' is none of "):
        to_recurrence(a_when(**{member: "perhaps"}))


@pytest.mark.parametrize("seconds", [-1, 2_678_401, 2**31 - 1])
def test_windows_out_of_range_are_refused(seconds: int) -> None:
    told = f"When/Recurrence/MisfireWindowSeconds: {seconds} is not from 0 to 2678400$"
    with pytest.raises(InvalidValue, match=told):
        to_recurrence(a_when(MisfireWindowSeconds=seconds))
    assert to_recurrence(a_when(MisfireWindowSeconds=2_678_400)) is not None


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("RRULE:FREQ=DAILY", "must have one DTSTART and at most one RRULE"),
        ("soon", "'soon' is none of DTSTART, RRULE, EXDATE, RDATE"),
        ("DTSTART:20260101T060000Z\nRRULE:FREQ=SOMETIMES", "RRULE/FREQ: "),
        ("DTSTART;TZID=Mars:20260101T060000\nRRULE:FREQ=DAILY", "DTSTART/TZID: "),
    ],
)
@pytest.mark.parametrize("more", [None, new(contract.JobRecurrence)])
def test_a_rule_that_is_none_is_told_by_its_member(rule: str, told: str, more: Any) -> None:
    with pytest.raises(InvalidValue, match=f"^When/RecurringSchedule: {told}"):
        to_recurrence(new(contract.JobWhen, RecurringSchedule=rule, Recurrence=more))


def test_a_job_for_every_boot_needs_no_rule() -> None:
    assert to_recurrence(new(contract.JobWhen, RecurringSchedule="BOOT")) == RecurrenceRequest("BOOT")


@given(
    st.builds(
        RecurrenceRequest,
        rule=st.just(RULE),
        gap=st.sampled_from(Gap),
        fold=st.sampled_from(Fold),
        misfire=st.sampled_from(Misfire),
        misfire_window=st.integers(0, 2_000_000).map(lambda seconds: timedelta(seconds=seconds)),
        overlap=st.sampled_from(Overlap),
        paused_until=st.none() | st.just(NOON),
    )
)
def test_any_recurrence_comes_back(request: RecurrenceRequest) -> None:
    when = new(contract.JobWhen, RecurringSchedule=request.rule, Recurrence=to_wire_recurrence(request))
    assert to_recurrence(when) == request


def test_a_ledger_echoes_its_page_and_says_what_became_of_each_due_time() -> None:
    fired = LedgerEntry(NOON, Outcome.FIRED, "", UUID(int=7), NOON)
    skipped = LedgerEntry(NOON - timedelta(days=1), Outcome.SKIPPED, "paused", None, NOON)
    page = to_wire_ledger(LedgerPage([fired, skipped], 3, 2, 5))
    assert (page.CurrentPage, page.PageCount, page.PageSize, page.TotalCount) == (3, 3, 2, 5)
    assert [(one.Outcome, one.JobID, one.Reason) for one in page.Items] == [
        ("Fired", "{00000000-0000-0000-0000-000000000007}", ""),
        ("Skipped", None, "paused"),
    ]
