"""Job types: a job runs what is bound to its type when it is due, and gives it what the order said."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from opsramp_world import FIRST, Client

from dispatcher.core.permissions import SYSTEM, Caller, Node, Right, RoleRights
from dispatcher.core.states import State
from dispatcher.datastore.transactions import Datastore
from dispatcher.services import resource_uses
from dispatcher.services.hall import Hall

DAILY = {"startDate": "2026-03-02T10:10:10+0000", "pattern": {"type": "daily", "frequency": "everyday"}}
UPDATE = """
modules:
  - name: Update
    folder: Windows
    {enabled}
    aliases: {{opsramp: {{job_type: {job_type}}}}}
    parameters:
      - {{name: versionsSaved, value: as declared, aliases: {{opsramp: {{parameter: '31'}}}}}}
      - {{name: approvalReason, value: as declared}}
      - {{name: Secret, type: password, aliases: {{opsramp: {{parameter: '32'}}}}}}
      - {{name: channel, type: list, value: stable, choices: [stable, edge], aliases: {{opsramp: {{parameter: '33'}}}}}}
    tasks: [{{type: command, name: a, settings: {{command: 'echo {words}'}}}}]
"""


def update(job_type: str = "appupdate", words: str = "$[versionsSaved]", enabled: bool = True) -> str:
    return UPDATE.format(job_type=job_type, words=words, enabled=f"enabled: {str(enabled).lower()}")


def order(job_type: str = "appupdate", schedule: Any = DAILY, **script: Any) -> dict[str, Any]:
    entities = [{"resource": {"id": FIRST}}]
    return {"name": "n", "entities": entities, "script": {"jobType": job_type, **script}, "schedule": schedule}


def occur(client: Client, hall: Hall, job: dict[str, Any]) -> Any:
    """Let the job occur once more, and return the occurrence."""
    client.ask("POST", f"jobs/{job['id']}/run")
    return hall.jobs.get(hall.schedules.ledger(UUID(job["id"]), 1, 1, SYSTEM).items[0].job_id, SYSTEM)


def values(job: Any) -> dict[str, str]:
    return {one.name: one.value1 for one in job.parameters[0].parameters}


def test_values_by_number_and_by_name_reach_the_module(client: Client, hall: Hall, load_library: Any) -> None:
    load_library(update())
    parameters = [{"paramId": "31", "value": "by number"}, {"paramId": 32, "value": "c4nary"}]
    job = client.post(
        "jobs", order(approvalType={"approvalType": 1, "approvalReason": "because"}, parameters=parameters)
    )
    assert job["script"]["parameters"] == [
        {"paramId": 31, "name": "versionsSaved", "value": "by number"},
        {"paramId": 32, "name": "Secret"},
    ]
    assert client.get(f"jobs/{job['id']}")["script"] == job["script"]
    given = values(occur(client, hall, job))
    assert given == {"versionsSaved": "by number", "approvalReason": "because", "Secret": "", "channel": "stable"}


def test_passwords_of_a_job_type_stay_when_it_is_changed_without_them(
    client: Client, hall: Hall, datastore: Datastore, load_library: Any, secrets: Any
) -> None:
    load_library(update())
    job = client.post("jobs", order(parameters=[{"paramId": 32, "value": "c4nary"}]))
    client.post(f"jobs/{job['id']}", {**job, "name": "renamed", "schedule": DAILY})
    client.post(f"jobs/{job['id']}", order())
    with datastore.read() as session:
        query = "SELECT parameters FROM job WHERE is_recurring"
        (stored,) = session.connection().exec_driver_sql(query).one()
    assert secrets.open(json.loads(stored)[0]["Secret"][0]) == "c4nary"


def test_what_is_bound_later_is_given_what_was_ordered(client: Client, hall: Hall, load_library: Any) -> None:
    config = {"versionsSaved": "ALL_VERSIONS"}
    job = client.post(
        "jobs", order(configParams=config, approvalType={"approvalType": "1", "approvalReason": "because"})
    )
    pattern = hall.jobs.get(UUID(job["id"]), SYSTEM)
    assert [what.name for what in pattern.what] == ["appupdate"]
    assert values(pattern) == {"versionsSaved": "ALL_VERSIONS", "approvalType": "1", "approvalReason": "because"}
    load_library(update())
    given = values(occur(client, hall, job))
    assert given == {
        "versionsSaved": "ALL_VERSIONS",
        "approvalReason": "because",
        "Secret": "",
        "channel": "stable",
    }


def test_jobs_run_what_is_bound_when_they_are_due(client: Client, hall: Hall, load_library: Any) -> None:
    load_library(update())
    job = client.post("jobs", order())
    first = occur(client, hall, job)
    load_library(update(words="another version") + "  - {name: Other, aliases: {opsramp: {job_type: appaudit}}}\n")
    second = occur(client, hall, job)
    load_library("modules: [{name: Update, folder: Windows, aliases: {}}]")
    load_library(
        "modules:\n  - name: Newer\n    aliases: {opsramp: {job_type: appupdate}}\n"
        "    tasks: [{type: command, name: a, settings: {command: a}}]\n"
    )
    third = occur(client, hall, job)
    assert [one.what[0].name for one in (first, second, third)] == ["Update", "Update", "Newer"]
    assert {one.state for one in (first, second, third)} == {State.ACTIVE}


def test_disabled_module_is_like_none(client: Client, hall: Hall, load_library: Any) -> None:
    """Contract section 4.9: the job is accepted, and its occurrences fail."""
    load_library(update())
    load_library(update(enabled=False))
    job = client.post("jobs", order())
    failed = occur(client, hall, job)
    assert (failed.state, failed.reason) == (State.FAILED, "no module bound to job type appupdate")
    load_library(update())
    assert occur(client, hall, job).state is State.ACTIVE


def test_values_are_checked_by_what_is_bound(client: Client, load_library: Any) -> None:
    load_library(update())
    (problem,) = client.refused(order(parameters=[{"paramId": 33, "value": "night"}]))
    assert problem["fieldName"] == "script.parameters"
    assert problem["message"] == "'night' is none of stable, edge"


def test_resources_of_jobs_are_known_beside_a_job_of_an_unbound_type(client: Client, datastore: Datastore) -> None:
    client.post("jobs", order("antivirus"))
    with datastore.read() as session:
        assert list(resource_uses.of_open_jobs(session)) == []


@pytest.mark.parametrize(
    ("folder", "bound", "status"),
    [("Windows", True, 200), ("Scripts", True, 403), ("Windows", False, 403), (None, False, 200)],
)
def test_rights_on_what_a_job_type_runs(
    client: Client, datastore: Datastore, load_library: Any, folder: str | None, bound: bool, status: int
) -> None:
    """Where nothing is bound yet it may become anything: only who may read all modules orders it."""
    if bound:
        load_library(update())
    grants: dict[Any, Right] = {(node, None): Right.MODIFY for node in Node}
    if folder is not None:
        del grants[Node.MODULES, None]
        grants[Node.MODULES, folder.casefold()] = Right.READ
    client.caller = Caller.of("planner", [RoleRights("planner", grants)])
    assert client.ask("POST", "jobs", order()).status == status


def test_nothing_is_told_of_a_script_that_may_not_be_read(client: Client) -> None:
    grants: dict[Any, Right] = {(node, None): Right.MODIFY for node in Node if node is not Node.MODULES}
    grants[Node.MODULES, "windows"] = Right.READ
    client.caller = Caller.of("planner", [RoleRights("planner", grants)])
    body = order("custom", customScript={"id": 7}, parameters=[{"paramId": 3}])
    answer = client.ask("POST", "jobs", body)
    assert (answer.status, b"String" in answer.body) == (403, False)


COMMAND = {"name": "A", "executionType": "COMMAND", "command": "echo 1"}


def test_job_goes_on_with_a_script_that_was_removed(client: Client, hall: Hall) -> None:
    category = client.post("rba/categories", {"name": "c"})["id"]
    script = client.post(f"rba/categories/{category}/scripts", COMMAND)["id"]
    job = client.post("jobs", order("custom", customScript={"id": script}))
    client.ask("DELETE", f"rba/categories/{category}/scripts/{script}")
    changed = client.post(f"jobs/{job['id']}", {**job, "name": "renamed"})
    assert (changed["name"], changed["script"]) == ("renamed", job["script"])
    assert occur(client, hall, job).state is State.ACTIVE
    # Nobody else begins with it.
    assert client.refused(order("custom", customScript={"id": script}))[0]["fieldName"] == "script.customScript.id"
    other = client.post("jobs", order())
    (problem,) = client.refused(order("custom", customScript={"id": script}), f"jobs/{other['id']}")
    assert problem["fieldName"] == "script.customScript.id"


def test_name_of_a_removed_script_may_be_used_again(client: Client, hall: Hall) -> None:
    category = client.post("rba/categories", {"name": "c"})["id"]
    path = f"rba/categories/{category}/scripts"
    old = client.post(path, COMMAND)["id"]
    job = client.post("jobs", order("custom", customScript={"id": old}))
    client.ask("DELETE", f"{path}/{old}")
    new = client.post(path, {**COMMAND, "command": "echo 2"})["id"]
    assert new != old
    assert [one["id"] for one in client.get(path)] == [new]
    assert client.refused(COMMAND, path)[0]["fieldName"] == "name"
    assert occur(client, hall, job).state is State.ACTIVE


def test_due_times_take_the_newest_version(client: Client, hall: Hall, load_library: Any, clock: Any) -> None:
    load_library(update())
    job = client.post("jobs", order())
    load_library(update(words="$[approvalReason]"))
    clock.turn(timedelta(days=1))
    assert hall.occurrences.fire_due() == 1
    entry = hall.schedules.ledger(UUID(job["id"]), 1, 1, SYSTEM).items[0]
    assert entry.job_id is not None
    assert hall.jobs.get(entry.job_id, SYSTEM).what[0].name == "Update"
