"""Translation of jobs and runs: statuses by the table of the contract, changes that keep what they do not name."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import quote
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.bindings.symantec_ccs import contract, translate
from dispatcher.core.errors import InvalidValue
from dispatcher.core.schedules import DEMAND
from dispatcher.core.states import State
from dispatcher.services.symantec_ccs.orders import CcsJobView, JobRun, Present

NOW = datetime(2026, 3, 1, 12, 0, 0, 500, tzinfo=UTC)
PRESENT = Present(NOW, ZoneInfo("Europe/Berlin"))
JOB, RUN = UUID(int=1), UUID(int=2)
DETAILS = {
    "JobName": "J",
    "Standards": ["S"],
    "AssetsResolutionInfo": [{"Id": "A", "Type": "t"}],
    "CollectionOnlyTimeOutHours": 2,
}
#: The status table of the contract (common.md section 5): status, text, and whether there is an exception.
STATUSES = {
    State.DISABLED: (3, "", False),
    State.SCHEDULED: (1, "", False),
    State.ACTIVE: (2, "", False),
    State.ABORTING: (2, "Aborting", False),
    State.ABORTED: (7, "", False),
    State.COMPLETED: (4, "", False),
    State.FAILED: (5, "", True),
    State.STOPPED: (5, "", True),
    State.CANCELLED: (7, "", False),
    State.COMPLETED_WITH_ERRORS: (6, "Completed with errors", False),
    State.SKIPPED: (6, "Skipped", False),
    State.PENDING: (1, "", False),
    State.TIMED_OUT: (5, "", True),
}


def a_run(state: State, **members: Any) -> JobRun:
    given = {"reason": "why", "started_at": NOW, "stopped_at": NOW, "has_begun": True}
    return JobRun(RUN, JOB, state, **{**given, **members})


def a_view(**details: Any) -> CcsJobView:
    """Return a job that was made of *details*, as it is stored."""
    body = contract.NewJob.model_validate({"JobDetails": {**DETAILS, **details}, "JobType": "collectionJOB"})
    order = translate.to_order(body, PRESENT)
    return CcsJobView(JOB, order.name, order.job_type, order.details, "ann", NOW, NOW)


def changed(view: CcsJobView, present: Present = PRESENT, **details: Any) -> Any:
    body = contract.ChangedJob.model_validate({"JobID": str(JOB), "JobDetails": details})
    return translate.to_change(body, present)(view)


@pytest.mark.parametrize("state", State)
def test_each_state_has_its_status(state: State) -> None:
    assert translate.to_status(a_run(state)) == (*STATUSES[state][:2], "why" if STATUSES[state][2] else None)


def test_a_run_that_nobody_has_begun_is_pending() -> None:
    assert translate.to_status(a_run(State.ACTIVE, has_begun=False)) == (1, "", None)


@pytest.mark.parametrize("state", State)
def test_a_fresh_run_executes_whatever_has_become_of_it(state: State) -> None:
    fresh = translate.to_wire_start(a_run(state, ended={state: 1}))
    assert fresh.model_dump() == {
        "JobRunID": str(RUN),
        "JobID": str(JOB),
        "CustomStatusText": "",
        "Exception": None,
        "JobStartTime": "2026-03-01T12:00:00.0005000Z",
        "JobEndTime": "0001-01-01T00:00:00",
        "JobSummary": None,
        "Status": 2,
        "ActivityStatusList": [],
    }


@given(st.integers(0, 4 * 10**15), st.integers(-14, 14))
def test_moments_are_in_utc_with_seven_digits(microseconds: int, hours: int) -> None:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    text = translate.to_wire_moment(moment.astimezone(timezone(timedelta(hours=hours))))
    assert text == f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06}0Z"


def test_an_order_says_what_the_job_is() -> None:
    view = a_view(IsIncremental="true", JobName=" J ")
    assert (view.name, view.job_type) == ("J", "CollectionJob")
    assert type(view.job_type) is str  # a database takes it
    order = changed(view)
    assert (order.standards, order.targets, order.timeout_s) == (["s"], ["a"], 7200.0)
    assert order.values == {"JobType": "CollectionJob", "IsIncremental": "true", "IncrementalPeriod": "0"}
    assert order.recurrence is None
    assert not order.runs_now


@given(st.dictionaries(st.sampled_from(["JobDescription", "JobName"]), st.sampled_from(["x", "y"])))
def test_a_change_keeps_what_it_does_not_name(details: dict[str, str]) -> None:
    view = a_view(JobDescription="d", Schedule={"RunPeriodically": True, "RepeatDays": 7})
    assert changed(view, **details).details == {**view.details, **details}


@pytest.mark.parametrize(
    ("schedule", "rule", "runs_now"),
    [
        ({}, None, False),
        ({"RunNow": True}, None, True),
        ({"RunNow": "false"}, None, False),
        ({"EndJobRunConfigured": False, "SubScheduleRepeatDays": 3}, None, False),
        ({"RunNow": True, "RepeatDays": 2}, "FREQ=DAILY;INTERVAL=2", True),
        ({"RunNow": True, "RunPeriodically": False}, DEMAND, True),
        ({"RunNow": True, "RunOnce": True}, DEMAND, True),
        ({"RunNow": True, "RunOnce": True, "RunPeriodically": True}, "FREQ=DAILY;INTERVAL=7", True),
        ({"RunPeriodically": False}, DEMAND, False),
        ({"RunPeriodically": False, "RunOnce": True, "StartDate": "2020-01-01"}, DEMAND, True),
    ],
)
def test_when_a_changed_job_runs(schedule: dict[str, Any], rule: str | None, runs_now: bool) -> None:
    view = a_view(Schedule={"RunPeriodically": True, "RepeatDays": 7})
    order = changed(view, Present(NOW + timedelta(days=3), PRESENT.site_zone), Schedule=schedule)
    assert order.runs_now == runs_now
    assert order.details["Schedule"].get("RunNow") is False
    if rule is None:
        assert order.recurrence is None
    else:
        assert order.recurrence.rule == rule or order.recurrence.rule == (
            f"DTSTART;TZID=Europe/Berlin:20260301T130000\nRRULE:{rule}"
        )


def test_the_start_that_was_meant_is_kept() -> None:
    view = a_view(Schedule={"RunPeriodically": True, "RepeatDays": 7})
    assert view.details["Schedule"]["StartDate"] == "2026-03-01T13:00:00+01:00"
    assert "StartDate" not in a_view(Schedule={"RunNow": True}).details["Schedule"]


def test_what_is_stored_is_shown_whatever_new_jobs_may_not_be() -> None:
    view = CcsJobView(JOB, "J", "CollectionJob", {"Standards": ["s"] * 1_001, "JobName": ""}, "ann", NOW, NOW)
    shown = translate.to_wire_job(view).JobDetails
    assert shown is not None
    assert len(shown.Standards or ()) == 1_001


@pytest.mark.parametrize("text", ["", "x", "0b3b6ac7-acc9-42f1-9db9-bf89d7bd6e1", "{}" * 30])
def test_what_is_no_id(text: str) -> None:
    with pytest.raises(InvalidValue, match="JobID"):
        translate.to_id(text, "JobID")


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_a_password_is_found_however_it_was_encoded(password: str) -> None:
    encoded = base64.b64encode(password.encode()).decode()
    for sent in (password, quote(password, safe=""), encoded, quote(encoded, safe="")):
        assert password in translate.to_passwords(sent)
