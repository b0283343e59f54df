"""Rights: the seven tasks and two folders of the seed page, as rights of the core; and errors in the page's words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from ccs_world import GROUP, STANDARD, Client
from cheap_passwords import cheap_passwords
from job_world import work_off

from dispatcher.core.permissions import SYSTEM, Right
from dispatcher.core.ports import Ports
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.hall import Hall
from dispatcher.services.logins import Logins
from dispatcher.services.roles import Roles
from dispatcher.web.app import WebApp

# docs/dialects/symantec-ccs.rst
OPERATOR = {
    "Jobs/Scheduling": Right.MODIFY,
    "Jobs/Results": Right.READ,
    "Library/Modules": Right.READ,
    "Topology/Agents": Right.READ,
    "Topology/Teams": Right.READ,
}
#: Seed, "HTTPS response codes", 403.
DENIED = {"Message": "You are not authorized to perform this task. Access is denied."}


@pytest.fixture
def login(datastore: Datastore, ports: Ports, roles: Roles, web: WebApp, agent: UUID) -> Callable[..., Client]:
    """Make a login with these rights; return it as a client."""
    logins = Logins(datastore, ports, cheap_passwords())
    logins.add("root", "root", SYSTEM)

    def make(name: str, rights: dict[str, Right]) -> Client:
        roles.add(name, SYSTEM)
        for node, right in rights.items():
            roles.grant(name, right, node, SYSTEM)
        logins.add(name, name, SYSTEM, roles=[name])
        return Client(web, f"CORP\\{name}", name)

    return make


def test_an_operator_may_do_everything(login: Callable[..., Client]) -> None:
    ccs = login("operator", OPERATOR)
    job_id = ccs.created()
    run_id = ccs.operate(job_id, "execute").json()["JobRunID"]
    assert ccs.operate(run_id, "abort").status_code == 204
    assert ccs.call("PATCH", "/jobs", {"JobID": job_id, "JobDetails": {"JobName": "x"}}).status_code == 200
    for path in (f"/jobs/{job_id}", "/jobs", f"/jobs/{job_id}/jobruns", "/Assets", "/AssetGroup", "/Standards"):
        assert ccs.call("GET", path).status_code == 200
    assert ccs.call("DELETE", f"/jobs?jobid={job_id}").status_code == 204


def test_without_a_view_of_assets_there_are_no_jobs(login: Callable[..., Client]) -> None:
    ccs = login("blind", {**OPERATOR, "Topology/Agents": Right.DENY, "Topology/Teams": Right.DENY})
    for answer in (ccs.call("GET", "/jobs"), ccs.call("GET", "/Assets"), ccs.call("GET", "/AssetGroup"), ccs.create()):
        assert (answer.status_code, answer.json()) == (403, DENIED)


def test_one_reads_all_and_changes_nothing(login: Callable[..., Client]) -> None:
    job_id = login("operator", OPERATOR).created()
    ccs = login("reader", dict.fromkeys(OPERATOR, Right.READ))
    assert ccs.call("GET", "/jobs").json()[0]["JobID"] == job_id
    assert ccs.operate(job_id, "execute").json() == DENIED
    assert ccs.create("mine").json() == DENIED


def test_messages_of_runs_are_results(login: Callable[..., Client]) -> None:
    job_id = login("operator", OPERATOR).created()
    ccs = login("planner", {**OPERATOR, "Jobs/Results": Right.DENY})
    assert ccs.call("GET", f"/jobs/{job_id}/jobruns?showmessages=false").status_code == 200
    answer = ccs.call("GET", f"/jobs/{job_id}/jobruns?showmessages=true")
    assert (answer.status_code, answer.json()) == (403, DENIED)


def test_only_who_has_made_a_job_deletes_it(login: Callable[..., Client]) -> None:
    ann, bob = login("ann", OPERATOR), login("bob", OPERATOR)
    job_id = ann.created()
    for query in (f"jobid={job_id}", f"jobid={job_id}&DeleteJob=False"):
        answer = bob.call("DELETE", f"/Jobs?{query}")
        assert (answer.status_code, answer.json()) == (403, DENIED)
    assert ann.call("DELETE", f"/Jobs?jobid={job_id}").status_code == 204


def test_rights_on_single_things_count(login: Callable[..., Client], agent: UUID, enrol: Any) -> None:
    other = enrol("db-02")
    ccs = login("fine", {**OPERATOR, f"Topology/Agents/{other}": Right.DENY, f"Library/Modules/{STANDARD}": Right.DENY})
    assert [one["Id"] for one in ccs.call("GET", "/Assets").json()["assetDataList"]] == [str(agent)]
    assert ccs.call("GET", f"/Assets/{other}").status_code == 400
    assert STANDARD not in ccs.call("GET", "/Standards").text
    assert ccs.create().json() == DENIED
    members = ccs.call("GET", f"/AssetGroup/{GROUP}/Assets").json()["assetDataList"]
    assert [one["DisplayName"] for one in members] == ["db-01"]


def test_results_need_rights_on_the_asset_and_the_standard(
    login: Callable[..., Client], hall: Hall, agent: UUID, clock: Any
) -> None:
    operator = login("operator", OPERATOR)
    operator.operate(operator.created(), "execute")
    work_off(hall, agent, clock())
    wanted = {"assetid": str(agent), "standardid": STANDARD}
    assert operator.call("POST", "/Results", wanted).status_code == 200
    for name, node in (("no-asset", f"Topology/Agents/{agent}"), ("no-standard", f"Library/Modules/{STANDARD}")):
        answer = login(name, {**OPERATOR, node: Right.DENY}).call("POST", "/Results", wanted)
        assert (answer.status_code, answer.json()) == (
            400,
            {"Message": f"no evaluation result of {STANDARD} on {agent}"},
        )


def test_errors_have_a_message(ccs: Client) -> None:
    answer = ccs.call("GET", "/nothing")
    assert (answer.status_code, list(answer.json())) == (404, ["Message"])
    answer = ccs.call("PUT", "/jobs", "{}")
    assert (answer.status_code, list(answer.json())) == (405, ["Message"])
    assert {*answer.headers["Allow"].split(", ")} >= {"DELETE", "GET", "PATCH", "POST"}
