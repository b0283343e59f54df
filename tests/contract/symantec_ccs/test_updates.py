"""Updates: a job becomes what the message names of it, and stays the rest; a refused message changes nothing."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from ccs_world import GROUP, SCHEDULE, STANDARD, Client, get, turn

from dispatcher.core.permissions import SYSTEM
from dispatcher.core.schedules import DEMAND
from dispatcher.services.hall import Hall


def test_an_update_changes_what_it_names(ccs: Client, hall: Hall, clock: Any) -> None:
    job_id = ccs.created(Schedule={**SCHEDULE, "RunPeriodically": True})
    clock.turn(timedelta(hours=1))
    body = {"JobDetails": {"JobDescription": "Update", "JobName": "Test_Job"}, "JobID": job_id.upper()}
    answer = ccs.call("PATCH", "/Jobs/", body)
    assert (answer.status_code, answer.json()) == (200, {"JobID": job_id, "JobName": "Test_Job"})

    job = get(ccs, job_id)
    assert (job["JobName"], job["JobDescription"], job["JobModifiedTime"][11:16]) == ("Test_Job", "Update", "13:00")
    assert job["JobDetails"]["Schedule"] == {**SCHEDULE, "RunPeriodically": True}
    assert hall.jobs.get(UUID(job_id), SYSTEM).description == "Test_Job"
    turn(hall, clock, timedelta(days=5))
    assert len(ccs.runs(job_id, count=0)) == 1


def test_an_update_of_a_schedule_keeps_its_other_members(ccs: Client, hall: Hall) -> None:
    job_id = ccs.created(Schedule={**SCHEDULE, "RunPeriodically": True})
    ccs.call("PATCH", "/Jobs", {"JobID": job_id, "JobDetails": {"Schedule": {"RepeatDays": 2}}})
    when = hall.jobs.get(UUID(job_id), SYSTEM).when
    assert when.recurrence is not None
    assert when.recurrence.rule == "DTSTART;TZID=UTC-0800:20260305T041027\nRRULE:FREQ=DAILY;INTERVAL=2"

    ccs.call("PATCH", "/Jobs", {"JobID": job_id, "JobDetails": {"Schedule": {"RunPeriodically": False}}})
    when = hall.jobs.get(UUID(job_id), SYSTEM).when
    assert when.recurrence is not None
    assert when.recurrence.rule == DEMAND


def test_only_an_update_that_says_so_runs_the_job(ccs: Client) -> None:
    job_id = ccs.created(Schedule={**SCHEDULE, "RunNow": True})
    for details in ({"JobDescription": "x"}, {"Schedule": {"RepeatDays": 3}}):
        answer = ccs.call("PATCH", "/jobs", {"JobID": job_id, "JobDetails": details})
        assert list(answer.json()) == ["JobID", "JobName"]
    assert len(ccs.runs(job_id, count=0)) == 1
    answer = ccs.call("PATCH", "/jobs", {"JobID": job_id, "JobDetails": {"Schedule": {"RunNow": True}}})
    assert answer.json()["Status"] == 2
    assert len(ccs.runs(job_id, count=0)) == 2


def rule_of(hall: Hall, job_id: str) -> str:
    recurrence = hall.jobs.get(UUID(job_id), SYSTEM).when.recurrence
    assert recurrence is not None
    return recurrence.rule


def next_of(hall: Hall, job_id: str) -> datetime | None:
    return hall.jobs.get(UUID(job_id), SYSTEM).started_at


def patch(ccs: Client, job_id: str, **schedule: Any) -> dict[str, Any]:
    answer = ccs.call("PATCH", "/jobs", {"JobID": job_id, "JobDetails": {"Schedule": schedule}})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_run_now_is_an_order_and_ends_no_recurrence(ccs: Client, hall: Hall) -> None:
    job_id = ccs.created(Schedule={**SCHEDULE, "RunPeriodically": True})
    rule = rule_of(hall, job_id)
    assert patch(ccs, job_id, RunNow=True)["Status"] == 2
    assert rule_of(hall, job_id) == rule
    schedule = get(ccs, job_id)["JobDetails"]["Schedule"]
    assert (schedule["RunPeriodically"], schedule["RunNow"]) == (True, False)

    assert patch(ccs, job_id, RunNow=True, RepeatDays=3)["Status"] == 2
    assert rule_of(hall, job_id).endswith("RRULE:FREQ=DAILY;INTERVAL=3")
    assert patch(ccs, job_id, **{**SCHEDULE, "RunNow": True, "RunPeriodically": False})["Status"] == 2
    assert rule_of(hall, job_id) == DEMAND
    assert len(ccs.runs(job_id, count=0)) == 3


def test_run_now_and_run_once_of_an_update_run_once_now(ccs: Client, hall: Hall, clock: Any) -> None:
    job_id = ccs.created(Schedule={**SCHEDULE, "RunOnce": True})
    patch(ccs, job_id, RunNow=True, RunOnce=True)
    turn(hall, clock, timedelta(days=100))
    assert len(ccs.runs(job_id, count=0)) == 1


def test_a_change_of_something_else_moves_no_days(ccs: Client, hall: Hall, clock: Any) -> None:
    job_id = ccs.created(Schedule={"RunPeriodically": True, "RepeatDays": 7})
    rule = rule_of(hall, job_id)
    assert get(ccs, job_id)["JobDetails"]["Schedule"]["StartDate"] == "2026-03-01T12:00:00+00:00"
    clock.turn(timedelta(days=3))
    patch(ccs, job_id, EndJobRunConfigured=True, EndJobRunTimeInterval="01:00:00")
    assert rule_of(hall, job_id) == rule
    patch(ccs, job_id, RepeatDays=14)
    assert rule_of(hall, job_id) == rule.replace("INTERVAL=7", "INTERVAL=14")


@pytest.mark.parametrize(
    "schedule",
    [
        None,
        {**SCHEDULE, "RunNow": True},
        {**SCHEDULE, "RunNow": True, "RunOnce": True, "StartDate": ""},
        {**SCHEDULE, "RunNow": True, "RunPeriodically": True, "RepeatDays": 0},
        {"RunOnce": True, "StartDate": "2020-01-01T00:00:00Z"},
        {"RunOnce": True, "StartDate": "2026-03-02T00:00:00Z"},
        {**SCHEDULE, "RunPeriodically": True},
        {"RunPeriodically": True, "RepeatMinutes": 90},
        {"RunPeriodically": True, "RecurrenceType": 1, "WeeklyDay": 0},
        {"RunPeriodically": True, "RecurrenceType": 2, "MonthlyDay": 31},
    ],
)
@pytest.mark.parametrize("fills_in", [False, True])
def test_what_was_read_and_is_sent_back_runs_nothing(
    ccs: Client, hall: Hall, clock: Any, schedule: dict[str, Any] | None, *, fills_in: bool
) -> None:
    job_id = ccs.created(**({} if schedule is None else {"Schedule": schedule}))
    turn(hall, clock, timedelta(days=2))
    rule, due, runs = rule_of(hall, job_id), next_of(hall, job_id), ccs.runs(job_id, count=0)
    read = get(ccs, job_id)
    details = {**read["JobDetails"], "JobDescription": "changed"}
    assert not (details["Schedule"] or {}).get("RunNow")
    if fills_in and schedule is not None:
        defaults = {**dict.fromkeys(SCHEDULE, 0), "StartDate": "", "EndJobRunTimeInterval": "00:00:00"}
        flags = dict.fromkeys(["RunNow", "RunOnce", "RunPeriodically", "RunEveryNDays", "EndJobRunConfigured"], False)
        known = {name: value for name, value in details["Schedule"].items() if value is not None}
        details["Schedule"] = {**defaults, **flags, "MonthlyIsByOrdinalDay": False, **known}
    answer = ccs.call("PATCH", "/jobs", {**read, "JobDetails": details})
    assert (answer.status_code, list(answer.json())) == (200, ["JobID", "JobName"])
    assert get(ccs, job_id)["JobDescription"] == "changed"
    assert rule_of(hall, job_id) == rule
    assert next_of(hall, job_id) == due
    assert ccs.runs(job_id, count=0) == runs


def test_an_update_of_the_type_alone(ccs: Client) -> None:
    job_id = ccs.created()
    assert ccs.call("PATCH", "/jobs", {"JobID": job_id, "JobType": "evaluationjob"}).status_code == 200
    assert get(ccs, job_id)["JobType"] == "EvaluationJob"


def test_an_update_that_is_refused_changes_nothing(ccs: Client, agent: UUID) -> None:
    job_id, _ = ccs.created("one"), ccs.created("two")
    before = get(ccs, job_id)
    for change in (
        {"JobDetails": {"JobName": "TWO"}},
        {"JobDetails": {"JobName": " "}},
        {"JobDetails": {"JobName": "a\x1bb"}},
        {"JobDetails": {"JobName": "three", "JobDescription": "a\x07"}},
        {"JobDetails": {"JobName": "three", "Standards": []}},
        {"JobDetails": {"JobName": "three", "Standards": [str(agent)]}},
        {"JobDetails": {"JobName": "three", "AssetsResolutionInfo": [{"Id": STANDARD}]}},
        {"JobDetails": {"JobName": "three"}, "JobType": "Job"},
        {"JobDetails": {"JobName": "three", "Schedule": {"RunOnce": True, "StartDate": "soon"}}},
    ):
        answer = ccs.call("PATCH", "/jobs", {"JobID": job_id, **change})
        assert (answer.status_code, list(answer.json())) == (400, ["Message"]), change
    assert get(ccs, job_id) == before
    assert ccs.call("PATCH", "/jobs", {"JobID": GROUP, "JobDetails": {}}).status_code == 400
    assert ccs.call("PATCH", "/jobs", {"JobID": "x", "JobDetails": {}}).status_code == 400
    assert ccs.call("PATCH", "/jobs", {"JobDetails": {}}).status_code == 400
