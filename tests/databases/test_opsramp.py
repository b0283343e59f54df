"""OpsRamp's jobs, scripts, categories and resources, on every database."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from job_world import lease, report
from opsramp_world import FIRST, LIBRARY, Client, a_client

from dispatcher.core.permissions import SYSTEM
from dispatcher.core.states import Event, State
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.hall import Hall
from dispatcher.services.reporting import Output, RunFinished, RunStarted, TaskFinished, TaskStarted

ENTITIES = [{"resource": {"id": FIRST, "type": "DEVICE"}}]
DAILY = {"startDate": "2026-03-02T10:10:10+0000", "pattern": {"type": "daily", "frequency": "everyday"}}


@pytest.fixture
def client(hall: Hall, load_library: Callable[[str], None]) -> Client:
    load_library(LIBRARY)
    return a_client(hall)


def order(name: str, **members: Any) -> dict[str, Any]:
    return {"name": name, "entities": ENTITIES, "script": {"jobType": "adCheckList"}, "schedule": DAILY, **members}


def test_job_from_its_order_to_its_end(client: Client, hall: Hall, clock: Any) -> None:
    made = client.post("jobs", order("Prüfung \N{OLD KEY}"))
    assert client.get(f"jobs/{made['id']}")["name"] == "Prüfung \N{OLD KEY}"
    changed = client.post(f"jobs/{made['id']}", order("another"))
    assert (changed["id"], changed["name"]) == (made["id"], "another")
    assert client.ask("POST", f"jobs/{made['id']}/run", {"reason": "because"}).status == 200
    clock.turn(timedelta(days=1))
    assert hall.occurrences.fire_due() == 1
    entries = hall.schedules.ledger(UUID(made["id"]), 1, 10, SYSTEM).items
    assert [entry.reason for entry in entries] == ["", "asked for: because"]
    assert client.ask("DELETE", f"jobs/{made['id']}").status == 200
    assert hall.jobs.get(UUID(made["id"]), SYSTEM).state is State.CANCELLED
    assert client.ask("GET", f"jobs/{made['id']}").status == 404


def test_search(client: Client) -> None:
    made = {name: client.post("jobs", order(name))["id"] for name in ("b", "A_1", "a%2", "c")}
    names = [one["name"] for one in client.get("jobs/search", "isDescendingOrder=false")["results"]]
    assert names == list(made)
    for words, found in {
        "name:A": ["A_1", "a%2"],
        "name:%25": ["a%2"],
        "name:_": ["A_1"],
        f"id:{made['c']}": ["c"],
        "name:a+type:adCheckList": ["A_1", "a%2"],
    }.items():
        page = client.get("jobs/search", f"isDescendingOrder=false&queryString={words}")
        assert [one["name"] for one in page["results"]] == found
    assert len(client.get("jobs/search", "pageSize=3&pageNo=2")["results"]) == 1


def write(hall: Hall, agent: UUID, text: str, now: datetime) -> None:
    """Let *agent* run what waits for it, which writes *text*."""
    (run,) = lease(hall, agent, 1)
    report(hall, agent, run, RunStarted(now), TaskStarted(0, now), Output(0, 0, text.encode()))
    report(hall, agent, run, TaskFinished(0, now, Event.COMPLETE, 0), RunFinished(now, Event.COMPLETE))


def test_script_and_its_output(client: Client, hall: Hall, enrol: Any, load_library: Any, clock: Any) -> None:
    agent = enrol("web-1")
    load_library("teams: [{name: client_99, agents: [web-1]}]")
    client.tenant = "client_99"
    category = client.post("rba/categories", {"name": "Rock stars"})
    assert client.ask("PUT", "rba/categories", {"id": category["id"], "name": "Pop stars"}).status == 200
    body = {"name": "Hello", "executionType": "COMMAND", "command": "echo $1"}
    script = client.post(f"rba/categories/{category['id']}/scripts", body)
    assert client.get(f"rba/categories/{category['id']}/scripts") == [script]
    custom = {"customScript": {"id": script["id"]}}
    made = client.post("jobs", {"entities": [{"resource": {"id": str(agent)}}], "script": custom})
    clock.turn(timedelta(seconds=1))
    hall.occurrences.fire_due()
    write(hall, agent, "grüße\n", clock())
    page = client.get(f"rba/scripts/{script['id']}/paginatedOutputs")
    (output,) = page.pop("results")
    assert output == {
        "output": "grüße\n",
        "responseDate": "2026-03-01T12:00:01+0000",
        "type": "SCHEDULED",
        "task": {"id": output["task"]["id"], "name": made["name"]},
        "device": {
            "id": str(agent),
            "generalInfo": {"ipAddresses": "", "hostName": "web-1", "osName": "Linux"},
            "clientUniqueId": "client_99",
            "type": "DEVICE",
        },
        "owner": {"loginName": ""},
    }
    assert (page["orderBy"], page["totalResults"]) == ("res.response_time", 1)
    # What another one writes from now on is not its own, and what it wrote stays, whatever becomes of both.
    other = client.post(f"rba/categories/{category['id']}/scripts", {**body, "name": "Bye"})
    client.post(f"jobs/{made['id']}", {**made, "script": {"customScript": {"id": other["id"]}}})
    assert client.ask("GET", f"jobs/{made['id']}/run").status == 200
    write(hall, agent, "bye", clock())
    assert client.ask("DELETE", f"jobs/{made['id']}").status == 200
    assert client.ask("DELETE", f"rba/categories/{category['id']}/scripts/{script['id']}").status == 200
    for one, text in ((script, "grüße\n"), (other, "bye")):
        found = client.get(f"rba/scripts/{one['id']}/paginatedOutputs")["results"]
        assert [output["output"] for output in found] == [text]


def test_resource(client: Client, hall: Hall, datastore: Datastore) -> None:
    client.tenant = "client_13"
    made = client.post("resources", {"hostName": "new", "resourceType": "Server"})
    assert client.get(f"resources/{made['resourceUUID']}")["resourceType"] == "Server"
    with datastore.read() as session:  # as the other dialects find it
        assert hall.topology.resolve_name(session, "NEW", "Who").id == UUID(made["resourceUUID"])


def test_refused_order_leaves_nothing(client: Client) -> None:
    problems = client.refused(order("a", schedule={**DAILY, "pattern": {"type": "monthly", "dayOfMonth": "32"}}))
    assert json.dumps(problems)
    assert client.get("jobs/search")["totalResults"] == 0


def test_ids_of_tenants_are_spelled_exactly(client: Client, load_library: Callable[[str], None]) -> None:
    load_library("teams: [{name: CLIENT_13}]")
    for tenant, status in {"client_13": 200, "client_93": 200, "Client_13": 404, "CLIENT_93": 404}.items():
        client.tenant = tenant
        assert client.ask("GET", "jobs/types").status == status
    client.tenant = "CLIENT_13"  # another one than client_13, which has that as its alias
    assert client.get("resources/search")["totalResults"] == 0


def test_values_of_a_job_type_by_number(client: Client, hall: Hall, load_library: Callable[[str], None]) -> None:
    parameters = "[{name: applications, aliases: {opsramp: {parameter: '31'}}}, {name: other, value: declared}]"
    load_library(
        f"modules: [{{name: Update, aliases: {{opsramp: {{job_type: appupdate}}}}, parameters: {parameters},"
        " tasks: [{type: command, name: a, settings: {command: 'echo $[applications]'}}]}]"
    )
    script = {"jobType": "appupdate", "parameters": [{"paramId": "31", "value": "vim \N{OLD KEY}"}]}
    made = client.post("jobs", order("values", script=script))
    assert made["script"]["parameters"] == [{"paramId": 31, "name": "applications", "value": "vim \N{OLD KEY}"}]
    client.ask("POST", f"jobs/{made['id']}/run")
    (entry,) = hall.schedules.ledger(UUID(made["id"]), 1, 10, SYSTEM).items
    assert entry.job_id is not None
    occurrence = hall.jobs.get(entry.job_id, SYSTEM)
    values = {one.name: one.value1 for one in occurrence.parameters[0].parameters}
    assert values == {"applications": "vim \N{OLD KEY}", "other": "declared"}


def test_number_that_is_an_alias_of_another_script(client: Client, load_library: Callable[[str], None]) -> None:
    category = client.post("rba/categories", {"name": "numbers"})["id"]
    path = f"rba/categories/{category}/scripts"
    body = {"name": "first", "executionType": "COMMAND", "command": "echo 1"}
    made = client.post(path, body)
    own = made["id"] - 1_000_000_000
    load_library(f"modules: [{{name: Other, aliases: {{opsramp: {{script: '{own}'}}}}}}]")
    assert client.get(path) == [made]
    assert client.get(f"{path}/{made['id']}") == made
    assert client.ask("GET", f"{path}/{own}").status == 404
