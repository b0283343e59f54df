"""Job Operation: a job is executed and a run of it aborted, as the seed page says, against a real agent's reports."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from ccs_world import Client
from job_world import lease, report, work_off

from dispatcher.core.permissions import SYSTEM
from dispatcher.core.states import Event, State
from dispatcher.services.hall import Hall
from dispatcher.services.reporting import RunFinished, RunStarted

# Seed symantec-ccs-job-operation.txt, "Response body" and "Sample HTTPS response".
MEMBERS = [
    "JobRunID",
    "JobID",
    "CustomStatusText",
    "Exception",
    "JobStartTime",
    "JobEndTime",
    "JobSummary",
    "Status",
    "ActivityStatusList",
]


def test_execute_answers_the_sample_word_for_word(ccs: Client, hall: Hall) -> None:
    job_id = ccs.created()
    answer = ccs.operate(job_id, "execute")

    run = json.loads(answer.text)
    assert (answer.status_code, list(run)) == (200, MEMBERS)
    assert answer.text == (
        f'{{"JobRunID":"{run["JobRunID"]}","JobID":"{job_id}","CustomStatusText":"","Exception":null,'
        '"JobStartTime":"2026-03-01T12:00:00.0000000Z","JobEndTime":"0001-01-01T00:00:00","JobSummary":null,'
        '"Status":2,"ActivityStatusList":[]}'
    )
    assert hall.jobs.get(UUID(run["JobRunID"]), SYSTEM).recurring_id == UUID(job_id)


def test_a_run_goes_from_pending_to_executing_to_completed(ccs: Client, hall: Hall, agent: UUID, clock: Any) -> None:
    job_id = ccs.created()
    run_id = ccs.operate(job_id, "EXECUTE").json()["JobRunID"]
    assert [(run["JobRunID"], run["Status"]) for run in ccs.runs(job_id)] == [(run_id, 1)]

    [leased] = lease(hall, agent, 1)
    report(hall, agent, leased, RunStarted(clock()))
    assert [run["Status"] for run in ccs.runs(job_id)] == [2]

    clock.turn(timedelta(seconds=1, microseconds=500))
    report(hall, agent, leased, RunFinished(clock(), Event.COMPLETE))
    [run] = ccs.runs(job_id)
    assert (run["Status"], run["JobSummary"], run["Exception"]) == (4, "1 asset: 1 completed", None)
    assert run["JobEndTime"] == "2026-03-01T12:00:01.0005000Z"


def test_the_standards_modules_run_with_what_the_job_says(ccs: Client, hall: Hall, agent: UUID) -> None:
    ccs.operate(ccs.created(JobType="CollectionJob", IsIncremental="true"), "execute")

    [run] = lease(hall, agent, 1)
    assert [(one.document["name"], {p.name: p.value1 for p in one.parameters}) for one in run.modules] == [
        ("CIS Red Hat 9", {"JobType": "CollectionJob", "IsIncremental": "true"})
    ]


@pytest.mark.parametrize(
    ("end", "status"), [(Event.COMPLETE, 4), (Event.FAIL, 5), (Event.TIME_OUT, 5), (Event.COMPLETE_WITH_ERRORS, 6)]
)
def test_a_run_ends_with_the_status_of_its_job(
    ccs: Client, hall: Hall, agent: UUID, clock: Any, end: Event, status: int
) -> None:
    job_id = ccs.created()
    ccs.operate(job_id, "execute")
    work_off(hall, agent, clock(), end)
    assert [run["Status"] for run in ccs.runs(job_id)] == [status]


def test_abort_ends_the_run_without_a_word(ccs: Client, hall: Hall, agent: UUID, clock: Any) -> None:
    job_id = ccs.created()
    run_id = ccs.operate(job_id, "execute").json()["JobRunID"]
    [leased] = lease(hall, agent, 1)
    report(hall, agent, leased, RunStarted(clock()))

    answer = ccs.operate(run_id, "Abort")
    assert (answer.status_code, answer.content) == (204, b"")
    assert [(run["Status"], run["CustomStatusText"]) for run in ccs.runs(job_id)] == [(2, "Aborting")]
    assert hall.jobs.get(UUID(run_id), SYSTEM).state is State.ABORTING

    report(hall, agent, leased, RunFinished(clock(), Event.CONFIRM_ABORT))
    assert [(run["Status"], run["CustomStatusText"]) for run in ccs.runs(job_id)] == [(7, "")]


def test_abort_of_what_nobody_has_begun_is_done_at_once(ccs: Client) -> None:
    job_id = ccs.created()
    run_id = ccs.operate(job_id, "execute").json()["JobRunID"]
    assert ccs.operate(run_id, "abort").status_code == 204
    assert [run["Status"] for run in ccs.runs(job_id)] == [7]


def test_another_run_may_begin_while_one_is_active(ccs: Client, hall: Hall, agent: UUID) -> None:
    job_id = ccs.created()
    first, second = (ccs.operate(job_id, "execute").json()["JobRunID"] for _ in range(2))
    assert first != second
    assert [run["JobRunID"] for run in ccs.runs(job_id, count=0)] == [second, first]
    assert len(lease(hall, agent, 2)) == 2


@pytest.mark.parametrize(
    "body",
    [
        '{"operation": "EXECUTE"}',
        '{"OperationType": "execute"}',
        '{"Operation Type": "Execute"}',
        '\r\n{\r\n"Operation":"execute"\r\n}\r\n',
    ],
)
def test_the_operation_is_known_by_all_its_names(ccs: Client, body: str) -> None:
    answer = ccs.call("POST", f"/jobs/{ccs.created()}", body)
    assert (answer.status_code, answer.json()["Status"]) == (200, 2)


def test_one_idempotency_key_makes_one_run(ccs: Client) -> None:
    job_id = ccs.created()
    answers = [
        ccs.call("POST", f"/jobs/{job_id}", '{"Operation":"execute"}', **{"Idempotency-Key": "k"}) for _ in range(2)
    ]
    assert len({answer.json()["JobRunID"] for answer in answers}) == 1
    assert len(ccs.runs(job_id, count=0)) == 1


@pytest.mark.parametrize(
    "body",
    ["{}", '{"Operation": ""}', '{"Operation": "stop"}', '{"Operation": null}', '{"Operation": 1}', "", "[]", "{"],
)
def test_what_is_no_operation_is_refused(ccs: Client, body: str) -> None:
    job_id = ccs.created()
    answer = ccs.call("POST", f"/jobs/{job_id}", body)
    assert answer.status_code == 400
    assert list(answer.json()) == ["Message"]
    assert ccs.runs(job_id, count=0) == []


def test_ids_of_the_wrong_kind_are_refused(ccs: Client) -> None:
    job_id = ccs.created()
    run_id = ccs.operate(job_id, "execute").json()["JobRunID"]
    unknown = "0b3b6ac7-acc9-42f1-9db9-bf89d7bd6e16"
    for key, operation in [
        (run_id, "execute"),
        (job_id, "abort"),
        (unknown, "execute"),
        (unknown, "abort"),
        ("no-guid", "execute"),
        ("no-guid", "abort"),
    ]:
        answer = ccs.operate(key, operation)
        assert (answer.status_code, list(answer.json())) == (400, ["Message"]), (key, operation)
    assert len(ccs.runs(job_id, count=0)) == 1


def test_a_run_that_is_over_cannot_be_aborted(ccs: Client, hall: Hall, agent: UUID, clock: Any) -> None:
    run_id = ccs.operate(ccs.created(), "execute").json()["JobRunID"]
    work_off(hall, agent, clock())
    answer = ccs.operate(run_id, "abort")
    assert answer.status_code == 400
    assert answer.json() == {"Message": f"job run {run_id} is not running"}


def test_ids_count_in_any_letter_case(ccs: Client) -> None:
    job_id = ccs.created()
    run = ccs.operate(job_id.upper(), "execute").json()
    assert run["JobID"] == job_id
    assert ccs.operate(run["JobRunID"].upper(), "abort").status_code == 204


def test_what_another_dialect_disables_is_not_executed(ccs: Client, hall: Hall) -> None:
    job_id = ccs.created()
    hall.aborting.disable(UUID(job_id), SYSTEM)
    assert ccs.operate(job_id, "execute").status_code == 400


def test_messages_are_told_if_asked_for(ccs: Client, hall: Hall, agent: UUID, clock: Any) -> None:
    job_id = ccs.created()
    ccs.operate(job_id, "execute")
    [leased] = lease(hall, agent, 1)
    report(hall, agent, leased, RunStarted(clock()), RunFinished(clock(), Event.FAIL, reason="the disk is full"))

    [run] = ccs.runs(job_id, showmessages="true")
    assert run["Messages"] == [{"Message": "the disk is full", "Count": 1, "DateTime": "2026-03-01T12:00:00.0000000Z"}]
    assert "Messages" not in ccs.runs(job_id)[0]


def test_times_have_seven_digits(ccs: Client, clock: Any) -> None:
    clock.turn(timedelta(microseconds=347_419))
    start = ccs.operate(ccs.created(), "execute").json()["JobStartTime"]
    assert re.fullmatch(r"2026-03-01T12:00:00\.3474190Z", start)


def test_the_answer_is_wrapped_where_a_setting_says_so(ccs: Client, hall: Hall) -> None:
    job_id = ccs.created()
    hall.settings.set("symantec_ccs.job_status_info", "WRAPPED", SYSTEM)
    answer = ccs.operate(job_id, "execute").json()
    assert list(answer) == ["JobStatusInfo"]
    assert list(answer["JobStatusInfo"]) == MEMBERS
