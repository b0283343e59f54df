"""Jobs are made, changed, deleted and found as the vendor's samples do, and are the core's recurring jobs."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from ccs_world import APACHE, GROUP, SCHEDULE, STANDARD, UNIX, Client, get, turn
from job_world import a_request, lease, on, work_off

from dispatcher.core.jobs import Stage, When
from dispatcher.core.permissions import SYSTEM
from dispatcher.core.schedules import DEMAND, RecurrenceRequest
from dispatcher.core.states import Event, State
from dispatcher.services.hall import Hall

NOTIFICATION = {
    "FromEmailAddress": "ccs@example.com",
    "Subject": "failed",
    "ToEmailAddress": "ann@example.com",
    "Body": "Look at it",
}


def test_without_a_schedule_a_job_is_only_stored(ccs: Client, hall: Hall, agent: UUID, clock: Any) -> None:
    answer = ccs.create("Test_Job11", asset=agent)
    assert answer.status_code == 200
    assert list(answer.json()) == ["JobID", "JobName"]

    job = hall.jobs.get(UUID(answer.json()["JobID"]), SYSTEM)
    assert (job.description, job.state, job.is_recurring) == ("Test_Job11", State.SCHEDULED, True)
    assert job.when.recurrence is not None
    assert job.when.recurrence.rule == DEMAND
    assert [job.id] == [one.id for one in hall.jobs.page(Stage.SCHEDULED, False, False, 1, 9, SYSTEM).items]
    turn(hall, clock, timedelta(days=100))
    assert ccs.runs(str(job.id), count=0) == []


def test_run_now_answers_the_run_as_well(ccs: Client, hall: Hall, agent: UUID) -> None:
    answer = ccs.create(Schedule={**SCHEDULE, "RunNow": True}).json()
    assert list(answer)[:3] == ["JobID", "JobName", "JobRunID"]
    assert (answer["Status"], answer["JobEndTime"]) == (2, "0001-01-01T00:00:00")
    assert [run["JobRunID"] for run in ccs.runs(answer["JobID"], count=0)] == [answer["JobRunID"]]
    assert len(lease(hall, agent, 1)) == 1


def test_run_now_and_run_once_together_run_once_now(ccs: Client, hall: Hall, clock: Any) -> None:
    # A sample has both: contract 2.8.
    job_id = ccs.created(Schedule={**SCHEDULE, "RunNow": True, "RunOnce": True})
    turn(hall, clock, timedelta(days=100))
    assert len(ccs.runs(job_id, count=0)) == 1


def test_run_once_runs_at_its_start_and_the_job_stays(ccs: Client, hall: Hall, agent: UUID, clock: Any) -> None:
    job_id = ccs.created(Schedule={**SCHEDULE, "RunOnce": True})
    turn(hall, clock, timedelta(days=4, minutes=10, seconds=26))
    assert ccs.runs(job_id) == []
    turn(hall, clock, timedelta(seconds=1))
    assert [run["JobStartTime"] for run in ccs.runs(job_id)] == ["2026-03-05T12:10:27.0000000Z"]

    work_off(hall, agent, clock())
    turn(hall, clock, timedelta(days=400))
    assert ccs.operate(job_id, "execute").status_code == 200
    assert len(ccs.runs(job_id, count=0)) == 2


@pytest.mark.parametrize("order", ["RunNow", "RunOnce"])
def test_other_dialects_show_a_job_that_is_over_as_its_latest_run(
    ccs: Client, hall: Hall, agent: UUID, clock: Any, order: str
) -> None:
    job_id = ccs.created(Schedule={**SCHEDULE, order: True})
    if order == "RunOnce":
        assert stands(hall, job_id) is State.SCHEDULED
    turn(hall, clock, timedelta(days=5))
    assert stands(hall, job_id) is State.ACTIVE
    assert hall.schedules.get(UUID(job_id), SYSTEM).next_due_at is None
    work_off(hall, agent, clock(), Event.FAIL)
    assert stands(hall, job_id) is State.FAILED
    assert hall.schedules.get(UUID(job_id), SYSTEM).next_due_at is None
    run_id = ccs.runs(job_id)[0]["JobRunID"]
    assert str(hall.results.collect(UUID(job_id), False, SYSTEM)[0].job.id) == run_id

    # Here it is as it was: it is found, changed and executed, and its name is not free.
    read = get(ccs, job_id)
    assert ccs.call("GET", "/Jobs", params={"jobname": read["JobName"]}).json()["JobID"] == job_id
    assert ccs.create(read["JobName"]).status_code == 400
    assert ccs.call("PATCH", "/jobs", {**read, "JobDescription": "changed"}).status_code == 200
    assert stands(hall, job_id) is State.FAILED
    assert ccs.operate(job_id, "execute").status_code == 200
    assert stands(hall, job_id) is State.ACTIVE
    turn(hall, clock, timedelta(minutes=1))
    work_off(hall, agent, clock())
    assert stands(hall, job_id) is State.COMPLETED
    weekly = {**SCHEDULE, "RunPeriodically": True}
    assert ccs.call("PATCH", "/jobs", {"JobID": job_id, "JobDetails": {"Schedule": weekly}}).status_code == 200
    assert stands(hall, job_id) is State.SCHEDULED


def test_a_job_that_is_only_stored_is_scheduled_until_it_is_told_to_run_now(
    ccs: Client, hall: Hall, agent: UUID, clock: Any
) -> None:
    job_id = ccs.created()
    run_id = ccs.operate(job_id, "execute").json()["JobRunID"]
    assert stands(hall, job_id) is State.SCHEDULED
    work_off(hall, agent, clock())
    assert stands(hall, job_id) is State.SCHEDULED
    assert str(hall.results.collect(UUID(job_id), False, SYSTEM)[0].job.id) == run_id

    now = {"JobID": job_id, "JobDetails": {"Schedule": {"RunNow": True}}}
    assert ccs.call("PATCH", "/jobs", now).json()["Status"] == 2
    assert stands(hall, job_id) is State.ACTIVE
    clock.turn(timedelta(minutes=1))
    work_off(hall, agent, clock())
    assert stands(hall, job_id) is State.COMPLETED


def test_a_job_whose_run_nobody_fetched_may_be_run_again(ccs: Client, hall: Hall, clock: Any) -> None:
    job_id = ccs.created(Schedule={**SCHEDULE, "RunNow": True})
    clock.turn(timedelta(days=90))
    hall.clockwork.cancel_overdue()
    assert stands(hall, job_id) is State.CANCELLED
    assert ccs.operate(job_id, "execute").status_code == 200
    assert stands(hall, job_id) is State.ACTIVE


@pytest.mark.parametrize("ends", [True, False])
def test_a_deleted_job_is_cancelled_and_its_runs_are_left_alone(
    ccs: Client, hall: Hall, agent: UUID, clock: Any, *, ends: bool
) -> None:
    job_id = ccs.created(Schedule={**SCHEDULE, "RunNow": True})
    run_id = UUID(ccs.runs(job_id)[0]["JobRunID"])
    if ends:
        work_off(hall, agent, clock())
        assert stands(hall, job_id) is State.COMPLETED
    assert ccs.call("DELETE", f"/Jobs?jobid={job_id}").status_code == 204
    assert stands(hall, job_id) is State.CANCELLED
    assert hall.jobs.get(run_id, SYSTEM).state is (State.COMPLETED if ends else State.ACTIVE)
    assert ccs.operate(job_id, "execute").status_code == 400


def stands(hall: Hall, job_id: str) -> State:
    """Return how other dialects show the job, once the engine has looked."""
    hall.occurrences.release_held()
    return hall.jobs.get(UUID(job_id), SYSTEM).state


def test_run_once_in_the_past_runs_at_once(ccs: Client) -> None:
    job_id = ccs.created(Schedule={**SCHEDULE, "RunOnce": True, "StartDate": "2019-01-05T04:10:27.5120788-08:00"})
    assert [run["Status"] for run in ccs.runs(job_id)] == [1]


def test_run_once_that_comes_meanwhile_is_not_lost(
    ccs: Client, hall: Hall, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is still to come when the message does is stored, however long that takes."""

    def tick(self: Any) -> datetime:
        self.turn(timedelta(microseconds=300))
        return self.moment  # type: ignore[no-any-return]

    noon = clock.moment
    soon = {**SCHEDULE, "RunOnce": True, "StartDate": "2026-03-01T12:00:01Z"}
    monkeypatch.setattr(type(clock), "__call__", tick)
    made = []
    for early in range(400, 4_600, 300):  # one of them gets there just before its start
        clock.moment = noon + timedelta(microseconds=1_000_000 - early)
        made.append(ccs.created(f"Nightly {early}", Schedule=soon))
    monkeypatch.undo()
    turn(hall, clock, timedelta(minutes=1))
    assert {len(ccs.runs(job_id, count=0)) for job_id in made} == {1}


def test_run_periodically_runs_every_so_many_days_from_its_start(ccs: Client, hall: Hall, clock: Any) -> None:
    job_id = ccs.created(Schedule={**SCHEDULE, "RunPeriodically": True})
    turn(hall, clock, timedelta(days=60))
    turn(hall, clock, timedelta(days=50))
    starts = [entry.due_at for entry in hall.schedules.ledger(UUID(job_id), 1, 9, SYSTEM).items]
    assert [f"{at:%m-%d %H:%M:%S}" for at in reversed(starts)] == ["03-05 12:10:27", "04-24 12:10:27", "06-13 12:10:27"]


@pytest.mark.parametrize("name", ["nightly", "NIGHTLY", "Nightly"])
def test_names_are_unique_in_any_letter_case(ccs: Client, name: str) -> None:
    ccs.created("Nightly")
    answer = ccs.create(name)
    assert (answer.status_code, answer.json()) == (400, {"Message": f"there is already a job {name}"})


def test_a_name_is_free_again_when_its_job_is_gone(ccs: Client, hall: Hall) -> None:
    assert ccs.call("DELETE", "/Jobs", "\r", params={"jobid": ccs.created()}).status_code == 204
    second = ccs.created()
    hall.aborting.abort(UUID(second), SYSTEM)  # as another dialect ends it
    assert ccs.call("GET", f"/jobs/{second}").status_code == 400
    assert ccs.created() != second


def test_several_assets_groups_and_standards(ccs: Client, hall: Hall, agent: UUID, enrol: Any) -> None:
    other = enrol("db-02")
    assets = [{"Id": str(key).upper(), "Type": UNIX} for key in (agent, other, agent)] + [{"Id": GROUP}]
    job_id = ccs.created(AssetsResolutionInfo=assets, Standards=[STANDARD.upper(), APACHE.upper(), STANDARD])

    job = hall.jobs.get(UUID(job_id), SYSTEM)
    assert [one.name for one in job.what] == ["CIS Red Hat 9", "Apache"]
    assert [one.name for one in job.who] == ["db-01", "db-02", "All DB2 servers"]
    details = get(ccs, job_id)["JobDetails"]
    assert details["Standards"] == [STANDARD, APACHE, STANDARD]
    assert details["AssetsResolutionInfo"][0] == {"Id": str(agent), "Type": UNIX}


def test_time_outs_and_the_end_of_a_run_limit_it(ccs: Client, hall: Hall) -> None:
    limited = {"CollectionOnlyTimeOutHours": 2, "CollectionOnlyTimeOutMins": "30"}
    ends = {"Schedule": {"EndJobRunConfigured": "true", "EndJobRunTimeInterval": "01:30:00"}}
    expected = {"a": ({}, None), "b": (limited, 9000), "c": (ends, 5400), "d": ({**limited, **ends}, 5400)}
    for name, (more, seconds) in expected.items():
        options = hall.jobs.get(UUID(ccs.created(name, **more)), SYSTEM).options or {}
        assert options.get("timeout_s") == seconds, name


def test_a_job_is_found_with_all_that_was_said_of_it(ccs: Client, hall: Hall, agent: UUID, clock: Any) -> None:
    job_id = ccs.created(
        IsIncremental="TRUE",
        IncrementalPeriod="7",
        FailureNotification=NOTIFICATION,
        ShouldSendFailureNotification="true",
        Schedule={**SCHEDULE, "RunPeriodically": "true"},
    )
    job = get(ccs, job_id)
    details = job.pop("JobDetails")
    assert job == {
        "JobID": job_id,
        "JobName": "Nightly",
        "JobDescription": "Every night",
        "JobType": "CollectionEvaluationJob",
        "JobCategory": "Collection-Evaluation-Reporting",
        "JobCreatedBy": "",
        "JobCreationTime": "2026-03-01T12:00:00.0000000Z",
        "JobModifiedTime": "2026-03-01T12:00:00.0000000Z",
        "LastRunStatus": 0,
        "LastRunDate": "0001-01-01T00:00:00",
    }
    assert details["Schedule"] == {**SCHEDULE, "RunPeriodically": True}
    assert (details["IsIncremental"], details["IncrementalPeriod"]) == (True, 7)
    assert details["FailureNotification"] == NOTIFICATION
    assert (details["ShouldSendFailureNotification"], details["SuccessNotification"]) == (True, None)

    ccs.operate(job_id, "execute")
    work_off(hall, agent, clock())
    assert get(ccs, job_id)["LastRunStatus"] == 4


def test_delete_ends_the_job_and_leaves_its_runs_to_others(ccs: Client, hall: Hall) -> None:
    job_id = ccs.created()
    run_id = ccs.operate(job_id, "execute").json()["JobRunID"]
    answer = ccs.call("DELETE", "/Jobs", "\r", params={"jobid": job_id})
    assert (answer.status_code, answer.content) == (204, b"")

    assert ccs.call("GET", f"/jobs/{job_id}").status_code == 400
    assert ccs.operate(job_id, "execute").status_code == 400
    assert hall.jobs.get(UUID(job_id), SYSTEM).state is State.CANCELLED
    assert hall.jobs.get(UUID(run_id), SYSTEM).state is State.ACTIVE


def test_delete_false_clears_the_history_and_keeps_the_job(ccs: Client, clock: Any) -> None:
    job_id = ccs.created()
    ccs.operate(job_id, "execute")
    clock.turn(timedelta(seconds=1))
    query = {"jobid": job_id, "DeleteJob": "False"}
    assert ccs.call("DELETE", "/Jobs", "\r", params=query).status_code == 204
    assert ccs.runs(job_id, count=0) == []
    assert get(ccs, job_id)["LastRunStatus"] == 0

    clock.turn(timedelta(seconds=1))
    ccs.operate(job_id, "execute")
    assert len(ccs.runs(job_id, count=0)) == 1


@pytest.mark.parametrize("query", [{}, {"jobid": ""}, {"jobid": "x"}, {"jobid": GROUP}, {"DeleteJob": "perhaps"}])
def test_what_is_no_job_is_not_deleted(ccs: Client, query: dict[str, str]) -> None:
    job_id = ccs.created()
    answer = ccs.call("DELETE", "/Jobs", params={**({"jobid": job_id} if "DeleteJob" in query else {}), **query})
    assert (answer.status_code, list(answer.json())) == (400, ["Message"])
    assert get(ccs, job_id)["JobID"] == job_id


@pytest.mark.parametrize(
    "wrong",
    [
        {"JobName": None},
        {"JobName": "  "},
        {"JobName": "n" * 256},
        {"JobName": 5},
        {"Standards": None},
        {"Standards": []},
        {"Standards": ["00000000-0000-4000-8000-000000000999"]},
        {"Standards": ["77fd3e2e4e7e1800-3775-4ba8-9b9d-37d16cccd5a7"]},
        {"Standards": "6b020d29-5fe8-47d0-bd89-ccd3339a5ebe"},
        {"AssetsResolutionInfo": None},
        {"AssetsResolutionInfo": []},
        {"AssetsResolutionInfo": [{"Type": UNIX}]},
        {"AssetsResolutionInfo": [{"Id": "no-guid", "Type": UNIX}]},
        {"AssetsResolutionInfo": [STANDARD]},
        {"IsIncremental": "yes"},
        {"IncrementalPeriod": 1.5},
        {"CollectionOnlyTimeOutMins": -1},
        {"CollectionOnlyTimeOutHours": 9_000_000_000},
        {"CollectionOnlyTimeOutHours": 500_000},
        {"SuccessNotification": "mail"},
        {"Schedule": []},
        {"Schedule": {"RunOnce": True}},
        {"Schedule": {"RunOnce": True, "StartDate": "2026-13-01T00:00:00Z"}},
        {"Schedule": {"RunPeriodically": True, "RunEveryNDays": True, "RepeatDays": 0}},
        {"Schedule": {"RunPeriodically": True, "RecurrenceType": 3}},
        {"Schedule": {"RunPeriodically": True, "RecurrenceType": 2, "MonthlyDay": 32}},
        {"Schedule": {"RunPeriodically": True, "RecurrenceType": 2}},
        {"Schedule": {"RunPeriodically": True, "RecurrenceType": 1}},
        {
            "Schedule": {
                "RunPeriodically": True,
                "RecurrenceType": 2,
                "MonthlyIsByOrdinalDay": True,
                "MonthlyOrdinalDay": 1,
            }
        },
        {"Schedule": {"EndJobRunConfigured": True, "EndJobRunTimeInterval": "00:00:00"}},
        {"JobType": "ReportJob"},
        {"JobType": None},
    ],
)
def test_a_job_that_cannot_be_is_refused(ccs: Client, hall: Hall, wrong: dict[str, Any]) -> None:
    answer = ccs.create(**wrong)
    assert (answer.status_code, list(answer.json())) == (400, ["Message"])
    assert hall.jobs.page(Stage.ALL, True, True, 1, 9, SYSTEM).total == 0


@pytest.mark.parametrize(
    "body", ["", "{}", "[]", "null", '{"JobType":"CollectionJob"}', '{"JobDetails":{}}', "{'a':1}"]
)
def test_a_message_that_is_no_job_is_refused(ccs: Client, body: str) -> None:
    answer = ccs.call("POST", "/jobs", body)
    assert (answer.status_code, list(answer.json())) == (400, ["Message"])


def test_one_idempotency_key_makes_one_job(ccs: Client, agent: UUID) -> None:
    details = {"JobName": "x", "Standards": [STANDARD], "AssetsResolutionInfo": [{"Id": str(agent)}]}
    details["Schedule"] = {"RunNow": True}
    body = {"JobDetails": details, "JobType": "CollectionJob"}
    first, second = (ccs.call("POST", "/jobs", body, **{"Idempotency-Key": "k"}) for _ in range(2))
    assert (first.status_code, first.json()) == (200, second.json())
    assert len(ccs.runs(first.json()["JobID"], count=0)) == 1


def test_a_repeated_create_is_answered_like_the_first(ccs: Client, hall: Hall, agent: UUID, clock: Any) -> None:
    details = {"JobName": "x", "Standards": [STANDARD], "AssetsResolutionInfo": [{"Id": str(agent)}]}
    body = {"JobDetails": {**details, "Schedule": {"RunNow": True}}, "JobType": "CollectionJob"}

    def create() -> dict[str, Any]:
        return dict(ccs.call("POST", "/jobs", body, **{"Idempotency-Key": "k"}).json())

    first = create()
    work_off(hall, agent, clock(), Event.FAIL)
    ccs.operate(first["JobID"], "execute")
    assert create() == first
    assert ccs.call("DELETE", f"/Jobs?jobid={first['JobID']}&DeleteJob=False").status_code == 204
    assert create() == first


def test_a_run_without_anybody_to_run_on_begins_like_all(ccs: Client, load_library: Any) -> None:
    load_library("teams: [{name: Empty, id: 00000000-0000-4000-8000-0000000000e0}]")
    answer = ccs.create(asset="00000000-0000-4000-8000-0000000000e0", Schedule={"RunNow": True}).json()
    assert (answer["Status"], answer["CustomStatusText"], answer["Exception"]) == (2, "", None)
    assert [(run["Status"], run["CustomStatusText"]) for run in ccs.runs(answer["JobID"])] == [(6, "Skipped")]


def test_a_repeated_execution_is_answered_like_the_first(ccs: Client, hall: Hall, agent: UUID, clock: Any) -> None:
    job_id = ccs.created()

    def execute() -> dict[str, Any]:
        answer = ccs.call("POST", f"/jobs/{job_id}", {"Operation": "execute"}, **{"Idempotency-Key": "k"})
        return dict(answer.json())

    first = execute()
    work_off(hall, agent, clock(), Event.TIME_OUT)
    assert ccs.runs(job_id)[0]["Exception"]
    assert execute() == first


def test_a_history_is_deleted_by_number_not_by_the_clock(ccs: Client, clock: Any) -> None:
    job_id = ccs.created()
    ccs.operate(job_id, "execute")
    assert ccs.call("DELETE", f"/Jobs?jobid={job_id}&DeleteJob=False").status_code == 204
    clock.turn(timedelta(seconds=-5))  # another dispatcher's is behind
    run = ccs.operate(job_id, "execute").json()
    assert [one["JobRunID"] for one in ccs.runs(job_id, count=0)] == [run["JobRunID"]]


def test_names_lose_the_blanks_around_them(ccs: Client) -> None:
    job_id = ccs.created("  Nightly ")
    assert get(ccs, job_id)["JobName"] == "Nightly" == get(ccs, job_id)["JobDetails"]["JobName"]
    assert ccs.call("GET", "/Jobs", params={"jobname": " nightly "}).json()["JobID"] == job_id


def test_what_no_search_shows_is_no_asset_group(ccs: Client, hall: Hall, load_library: Any) -> None:
    load_library("teams: [{name: Gone, id: 00000000-0000-4000-8000-0000000000e0, enabled: false}]")
    answer = ccs.create(asset="00000000-0000-4000-8000-0000000000e0")
    assert (answer.status_code, list(answer.json())) == (400, ["Message"])


@pytest.mark.parametrize(
    "body",
    [
        '{"Operation": "abort", "operation": "execute"}',
        '{"Operation": "execute", "OperationType": "execute"}',
        '{"Operation": "execute", "x": 1, "X": 2}',
    ],
)
def test_a_member_that_is_there_twice_in_any_spelling_is_refused(ccs: Client, body: str) -> None:
    job_id = ccs.created()
    assert ccs.call("POST", f"/jobs/{job_id}", body).status_code == 400
    assert ccs.runs(job_id, count=0) == []
    twice = f'{{"JobID": "{job_id}", "jobid": "{job_id}", "JobDetails": {{"JobName": "x"}}}}'
    assert ccs.call("PATCH", "/jobs", twice).status_code == 400


def test_of_other_dialects_jobs_of_a_name_the_oldest_is_found(ccs: Client, hall: Hall, agent: UUID) -> None:
    wanted = a_request(UUID(STANDARD), who=on(agent), when=When(False, recurrence=RecurrenceRequest(DEMAND)))
    theirs = [hall.scheduling.submit(replace(wanted, description="Säule"), SYSTEM) for _ in range(2)]
    answer = ccs.call("GET", "/Jobs", params={"jobname": "sÄule"})
    assert (answer.json()["JobID"], answer.json()["JobType"]) == (str(theirs[0].id), "Other")


def test_counts_of_runs(ccs: Client) -> None:
    job_id = ccs.created()
    ids = [ccs.operate(job_id, "execute").json()["JobRunID"] for _ in range(4)]
    ids.reverse()
    assert [run["JobRunID"] for run in ccs.call("GET", f"/Jobs/{job_id}/jobruns").json()] == ids[:1]
    assert [run["JobRunID"] for run in ccs.runs(job_id, count=3)] == ids[:3]
    assert [run["JobRunID"] for run in ccs.runs(job_id, count=0)] == ids
    for count in ("-1", "x", "1.5", ""):
        assert ccs.call("GET", f"/Jobs/{job_id}/jobruns", params={"count": count}).status_code == 400
    assert ccs.call("GET", f"/Jobs/{ids[0]}/jobruns").status_code == 400
