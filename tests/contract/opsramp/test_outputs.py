"""Outputs: what scripts wrote is found under the script that wrote it, with the resource that it was for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from job_world import lease, report
from opsramp_world import Client

from dispatcher.core.permissions import Caller, Node, Right, RoleRights
from dispatcher.core.states import Event
from dispatcher.services.hall import Hall
from dispatcher.services.reporting import Output, RunFinished, RunStarted, TaskFinished, TaskStarted

DAILY = {"startDate": "2026-03-02T10:10:10+0000", "pattern": {"type": "daily", "frequency": "everyday"}}
TEAM = """
teams: [{name: client_99, agents: [web-1, switch]}]
agents: [{name: switch, address: 10.9.9.9, primary_team: client_99, gateway: web-1}]
modules:
  - name: Ask
    folder: Devices
    tasks: [{type: ssh_command, name: ask, settings: {text: show version}}]
"""


class Desk:
    """A tenant with an agent, two scripts, and a daily job that runs the first."""

    def __init__(self, client: Client, hall: Hall, clock: Any, agent: UUID) -> None:
        self.client, self.hall, self.clock, self.agent = client, hall, clock, agent
        self.category = client.post("rba/categories", {"name": "c"})["id"]
        self.first, self.second = (self.script(name) for name in ("first", "second"))
        self.job = client.post("jobs", self.order(self.first))["id"]

    def script(self, name: str) -> int:
        body = {"name": name, "executionType": "COMMAND", "command": "echo 1"}
        return int(self.client.post(f"rba/categories/{self.category}/scripts", body)["id"])

    def order(self, script: int, resource: str = "") -> dict[str, Any]:
        entities = [{"resource": {"id": resource or str(self.agent)}}]
        return {"entities": entities, "script": {"customScript": {"id": script}}, "schedule": DAILY}

    def change(self, script: int) -> None:
        self.client.post(f"jobs/{self.job}", self.order(script))

    def run(self, text: str, job: str = "") -> None:
        """Let the job run now, and write *text*."""
        self.clock.turn(timedelta(seconds=1))
        assert self.client.ask("POST", f"jobs/{job or self.job}/run").status == 200
        (run,) = lease(self.hall, self.agent, 1)
        now = self.clock()
        report(self.hall, self.agent, run, RunStarted(now), TaskStarted(0, now), Output(0, 0, text.encode()))
        report(self.hall, self.agent, run, TaskFinished(0, now, Event.COMPLETE, 0), RunFinished(now, Event.COMPLETE))

    def outputs(self, script: int) -> list[dict[str, Any]]:
        return list(self.client.get(f"rba/scripts/{script}/paginatedOutputs", "isDescendingOrder=false")["results"])

    def texts(self, script: int) -> list[str]:
        return [one["output"] for one in self.outputs(script)]


@pytest.fixture
def desk(
    client: Client, hall: Hall, clock: Any, enrol: Callable[..., UUID], load_library: Callable[[str], None]
) -> Desk:
    agent = enrol("web-1")
    load_library(TEAM)
    client.tenant = "client_99"
    return Desk(client, hall, clock, agent)


def test_outputs_stay_with_the_script_that_wrote_them(desk: Desk) -> None:
    desk.run("a")
    desk.change(desk.second)
    assert (desk.texts(desk.first), desk.texts(desk.second)) == (["a"], [])
    desk.run("b")
    desk.change(desk.second)
    desk.run("c")
    desk.change(desk.first)
    desk.change(desk.second)  # nothing has run in between
    desk.change(desk.first)
    desk.run("d")
    assert (desk.texts(desk.first), desk.texts(desk.second)) == (["a", "d"], ["b", "c"])


def test_job_that_runs_no_script_any_more_keeps_what_it_wrote(desk: Desk) -> None:
    desk.run("a")
    desk.client.post(f"jobs/{desk.job}", desk.order(0) | {"name": "a", "script": {"jobType": "adCheckList"}})
    desk.run("of a checklist")
    assert desk.texts(desk.first) == ["a"]


def test_outputs_outlive_job_and_script(desk: Desk) -> None:
    desk.run("a")
    assert desk.client.ask("DELETE", f"jobs/{desk.job}").status == 200
    assert desk.texts(desk.first) == ["a"]
    assert desk.client.get("jobs/search")["results"] == []
    for verb, path in (("GET", ""), ("POST", ""), ("DELETE", ""), ("GET", "/run"), ("POST", "/approve")):
        body = desk.order(desk.first) if verb == "POST" else None
        assert desk.client.ask(verb, f"jobs/{desk.job}{path}", body).status == 404
    assert desk.client.ask("DELETE", f"rba/categories/{desk.category}/scripts/{desk.first}").status == 200
    assert desk.texts(desk.first) == ["a"]
    desk.client.tenant = "client_93"
    assert desk.texts(desk.first) == []


def test_output_is_of_the_device_and_not_of_who_works_for_it(desk: Desk) -> None:
    categories = {one["name"]: one["id"] for one in desk.client.get("rba/categories")}
    (ask,) = desk.client.get(f"rba/categories/{categories['Devices']}/scripts")
    (switch,) = desk.client.get("resources/search", "queryString=name:switch")["results"]
    job = desk.client.post("jobs", desk.order(ask["id"], switch["id"]))
    desk.run("IOS", job["id"])
    (output,) = desk.outputs(ask["id"])
    assert output["device"]["id"] == switch["id"]
    assert output["device"]["generalInfo"] == {"ipAddresses": "10.9.9.9", "hostName": "switch", "osName": ""}


def test_output_of_a_resource_that_the_caller_may_not_read_is_not_shown(desk: Desk) -> None:
    categories = {one["name"]: one["id"] for one in desk.client.get("rba/categories")}
    (ask,) = desk.client.get(f"rba/categories/{categories['Devices']}/scripts")
    (switch,) = desk.client.get("resources/search", "queryString=name:switch")["results"]
    jobs = [desk.client.post("jobs", desk.order(ask["id"], key))["id"] for key in (switch["id"], str(desk.agent))]
    for job, text in zip((*jobs, *jobs), "abcd", strict=True):
        desk.run(text, job)
    assert desk.texts(ask["id"]) == ["a", "b", "c", "d"]
    for hidden, expected in ((switch["id"], ["b", "d"]), (str(desk.agent), ["a", "c"])):
        grants = {(node, None): Right.READ for node in Node} | {(Node.AGENTS, UUID(hidden)): Right.DENY}
        desk.client.caller = Caller.of("reader", [RoleRights("reader", grants)])
        assert desk.texts(ask["id"]) == expected
        latest = desk.client.get(f"rba/scripts/{ask['id']}/paginatedOutputs", "pageSize=1")
        assert ([one["output"] for one in latest["results"]], latest["totalResults"]) == ([expected[1]], 2)
    nobody = {(node, None): Right.READ for node in Node if node is not Node.AGENTS}
    desk.client.caller = Caller.of("reader", [RoleRights("reader", nobody)])
    assert desk.texts(ask["id"]) == []


def test_outputs_of_a_script_that_the_caller_may_not_read_are_refused(desk: Desk) -> None:
    desk.run("a")
    grants: dict[Any, Right] = {(node, None): Right.READ for node in Node} | {(Node.MODULES, "c"): Right.DENY}
    desk.client.caller = Caller.of("reader", [RoleRights("reader", grants)])
    assert desk.client.ask("GET", f"rba/scripts/{desk.first}/paginatedOutputs").status == 403
