"""What is ordered: values, options and approvals reach the scheduler, and what contradicts itself does not."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest
from opsramp_world import Client, occurrences, order

from dispatcher.core.permissions import SYSTEM
from dispatcher.services.hall import Hall


def test_values_reach_the_module(client: Client, hall: Hall) -> None:
    config = {"versionsSaved": "version_with_changes", "backUpTrigger": "false", "runConfigAlert": True}
    made = client.post("jobs", order(script={"jobType": "networkconfigbackup", "configParams": config}))
    shown = {"versionsSaved": "VERSION_WITH_CHANGES", "backUpTrigger": False, "runtimeConfigAlert": True}
    assert made["script"]["configParams"] == shown
    job = hall.jobs.get(UUID(made["id"]), SYSTEM)
    values = {one.name: one.value1 for one in job.parameters[0].parameters}
    assert values == {"versionsSaved": "VERSION_WITH_CHANGES", "backUpTrigger": "false"}


def test_options_of_the_scheduler(client: Client, hall: Hall) -> None:
    approval = {"approvalType": "0", "approvalReason": "for testing", "alertRequired": "true"}
    made = client.post("jobs", order(jobQueued="true", script={"jobType": "appinstall", "approvalType": approval}))
    options = hall.jobs.get(UUID(made["id"]), SYSTEM).options
    assert options == {"ends_as_last": True, "queued": True, "approval": "required", "alert": True}


@pytest.mark.parametrize(("trigger", "expected"), [("true", {"on_change": True}), (False, {}), (None, {})])
def test_backup_when_the_device_tells_of_a_change(client: Client, hall: Hall, trigger: Any, expected: Any) -> None:
    config = {"backUpTrigger": trigger}
    made = client.post("jobs", order(script={"jobType": "networkconfigbackup", "configParams": config}))
    assert hall.jobs.get(UUID(made["id"]), SYSTEM).options == {"ends_as_last": True, **expected}


def test_installation_that_waits_for_nobody(client: Client, hall: Hall) -> None:
    made = client.post("jobs", order(script={"jobType": "appinstall", "approvalType": {"approvalType": 1}}))
    assert hall.jobs.get(UUID(made["id"]), SYSTEM).options == {"ends_as_last": True}


@pytest.mark.parametrize("script", [{"jobType": "appupdate"}, {"jobType": "custom", "customScript": {"id": 7}}])
@pytest.mark.parametrize(("approval", "expected"), [(0, {"approval": "required"}), (1, {}), (None, {})])
def test_job_of_any_type_waits_if_it_is_to(
    client: Client, hall: Hall, script: dict[str, Any], approval: int | None, expected: Any
) -> None:
    words = {} if approval is None else {"approvalType": {"approvalType": approval}}
    made = client.post("jobs", order(script={**script, **words}))
    assert hall.jobs.get(UUID(made["id"]), SYSTEM).options == {"ends_as_last": True, **expected}


#: What says nothing, as forms send it that send all their fields.
EMPTY: dict[str, str] = dict.fromkeys(
    ("frequency", "repeatFrequency", "repeatType", "weekDays", "dayOfMonth", "weekIndex", "dayOfWeek", "dayOfIndex"), ""
)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ({"type": "daily", "frequency": "everyday"}, {"type": "daily", "frequency": "everyday"}),
        ({"type": "weekly", "frequency": "Monday"}, {"type": "weekly", "weekDays": "Monday"}),
        ({"type": "weekly", "weekDays": "Monday"}, {"type": "weekly", "weekDays": "Monday"}),
        ({"type": "monthly", "dayOfMonth": "4"}, {"type": "monthly", "dayOfMonth": "4"}),
        (
            {"type": "monthly", "weekIndex": "First", "dayOfMonth": "sunday", "dayOfWeek": "Sunday"},
            {"type": "monthly", "weekIndex": "First", "dayOfWeek": "Sunday"},
        ),
        ({"type": "never"}, {"type": "never"}),
    ],
)
def test_pattern_of_a_form_that_sends_all_its_fields(client: Client, said: Any, meant: Any) -> None:
    body = order(schedule={"startDate": "2031-03-01T08:30:45+0000", "pattern": {**EMPTY, **said}})
    assert client.post("jobs", body)["schedule"]["pattern"] == meant


def test_order_of_a_form_that_sends_all_its_fields(client: Client) -> None:
    script = {"jobType": "", "customScript": {"id": 7}, "userType": "", "credentialSet": {"uniqueId": ""}}
    script |= {"configParams": {"backUpTrigger": "", "versionsSaved": ""}, "parameters": []}
    body = {"name": "", "jobQueued": "", "script": script, "userType": "", "credentialSet": {"uniqueId": ""}}
    body |= {"schedule": {"startDate": "", "pattern": {"type": "never"}}, "parameters": [{"paramId": 2, "value": "5"}]}
    made = client.post("jobs", body)
    assert (made["name"], made["jobQueued"]) == ("Job - test script", False)
    assert made["script"]["parameters"] == [{"paramId": 2, "name": "String", "value": "5"}]
    assert "userType" not in made["script"]
    assert "credentialSet" not in made


def test_what_is_said_twice_and_alike_counts_once(client: Client) -> None:
    given = [{"paramId": "2", "value": 150}]
    script = {"jobType": "custom", "customScript": {"id": 7}, "parameters": given * 2, "userType": "2"}
    made = client.post("jobs", order(script=script, userType=2, parameters=given * 2))
    assert made["script"]["parameters"] == [{"paramId": 2, "name": "String", "value": "150"}]
    alerts = {"runConfigAlert": "true", "runtimeConfigAlert": True}
    made = client.post("jobs", order(script={"jobType": "networkconfigbackup", "configParams": alerts}))
    assert made["script"]["configParams"] == {"runtimeConfigAlert": True}


def test_installation_waits_if_nobody_said_that_it_need_not(client: Client, hall: Hall) -> None:
    """The page does not call approvalType optional: without it nothing is installed unasked."""
    made = client.post("jobs", order(script={"jobType": "appinstall"}))
    assert made["script"] == {"jobType": "appinstall"}
    assert hall.jobs.get(UUID(made["id"]), SYSTEM).options == {"ends_as_last": True, "approval": "required"}


def test_installation_begins_when_it_is_approved(client: Client, hall: Hall) -> None:
    made = client.post("jobs", order(script={"jobType": "appinstall", "approvalType": {"approvalType": 0}}))
    client.ask("GET", f"jobs/{made['id']}/run")
    (occurrence,) = occurrences(hall, made)
    (run,) = hall.results.collect(occurrence.id, False, SYSTEM)[0].runs
    assert "approval" in run.activity
    answer = client.ask("POST", f"jobs/{made['id']}/approve")
    assert (answer.status, answer.body) == (200, b"")
    (run,) = hall.results.collect(occurrence.id, False, SYSTEM)[0].runs
    assert "approval" not in run.activity
    again = client.ask("POST", f"jobs/{made['id']}/approve")
    message = f"nothing of job {made['id']} waits for an approval"
    assert (again.status, json.loads(again.body)) == (409, {"code": "0005", "message": message})
    client.tenant = "client_99"
    assert client.ask("POST", f"jobs/{made['id']}/approve").status == 404


def test_values_beside_the_script_count_too(client: Client, hall: Hall) -> None:
    """Seed: the table has userType, credentialSet and parameters beside script, the samples in it."""
    script = {"jobType": "custom", "customScript": {"id": 7}}
    made = client.post("jobs", order(script=script, userType="1", parameters=[{"paramId": "2", "value": 150}]))
    assert made["script"]["parameters"] == [{"paramId": 2, "name": "String", "value": "150"}]
    assert made["script"]["userType"] == 1
    values = hall.jobs.get(UUID(made["id"]), SYSTEM).parameters[0].parameters
    assert [one.value1 for one in values] == ["150"]
