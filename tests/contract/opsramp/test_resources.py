"""Resources, tenants and credential sets: who sees what."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from opsramp_world import FIRST, SECOND, Client

from dispatcher.core.jobs import WhoChoice, WhoKind
from dispatcher.core.permissions import SYSTEM, Caller, Node, Right, RoleRights, everything
from dispatcher.services.hall import Hall


def ids(found: Any) -> set[str]:
    return {one["id"] for one in (found["results"] if isinstance(found, dict) else found)}


@pytest.mark.parametrize(
    ("tenant", "expected"),
    [
        ("client_93", {FIRST, SECOND}),  # members that belong to client_13
        ("client_13", {FIRST, SECOND}),  # whose primary team it is
        ("client_99", {"00000000-0000-4000-8000-00000000000a"}),
        ("msp_12", {FIRST, SECOND}),
    ],
)
def test_tenant_sees_its_members(client: Client, tenant: str, expected: set[str]) -> None:
    client.tenant = tenant
    assert ids(client.get("resources/search")) == ids(client.get("resources/minimal")) == expected


@pytest.mark.parametrize("tenant", ["Provider", "The owner", "client_7", "msp_93", "CLIENT_99x", "%20"])
def test_team_with_an_alias_is_no_tenant_by_its_name(client: Client, tenant: str) -> None:
    client.tenant = tenant
    assert client.ask("GET", "resources/search").status == 404


def test_resource_has_its_owner_whoever_asks(client: Client) -> None:
    owners = {one["clientUniqueId"] for one in client.get("resources/search")["results"]}
    assert owners == {"client_13"}


def test_minimal_is_a_bare_array(client: Client) -> None:
    assert client.get("resources/minimal", "queryString=hostName:172")[0] == {
        "id": SECOND,
        "name": "172.30.1.60",
        "hostName": "172.30.1.60",
        "ipAddress": "172.30.1.60",
        "aliasName": "",
        "resourceName": "172.30.1.60",
        "resourceType": "Device",
    }


def test_enrolled_agent_is_described(client: Client, hall: Hall, enrol: Callable[..., UUID], load_library: Any) -> None:
    agent = enrol("web-1", os="linux", address="10.0.0.5", os_version="12", hostname="web-1.example")
    load_library("teams: [{name: client_99, agents: [web-1]}]")
    client.tenant = "client_99"
    found = client.get(f"resources/{agent}")
    assert found["agentInstalled"] is True
    assert (found["hostName"], found["ipAddress"], found["osName"]) == ("web-1.example", "10.0.0.5", "Linux 12")
    assert (found["resourceType"], found["type"], found["clientUniqueId"]) == ("Linux", "DEVICE", "client_99")


def test_operating_system_is_named_once(client: Client, enrol: Callable[..., UUID], load_library: Any) -> None:
    agent = enrol("web-1", os="linux", os_version="Linux-6.1-x86_64")
    load_library("teams: [{name: client_99, agents: [web-1]}]")
    client.tenant = "client_99"
    assert client.get(f"resources/{agent}")["osName"] == "Linux-6.1-x86_64"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (f"id:{FIRST}", {FIRST}),
        ("ipAddress:10.233", {FIRST}),
        ("hostName:10.233.19.130%2BisEquals:true", {FIRST}),
        ("hostName:10.233%2BisEquals:true", set()),
        ("type:DEVICE", {FIRST, SECOND}),
        ("type:SQL_SERVER,device", {FIRST, SECOND}),
        ("state:all", {FIRST, SECOND}),
        ("state:inactive", set()),
        ("agentInstalled:true", set()),
        ("serialNumber:7", set()),
    ],
)
def test_search_by_words(client: Client, words: str, expected: set[str]) -> None:
    assert ids(client.get("resources/search", f"queryString={words}")) == expected


def test_pages(client: Client) -> None:
    page = client.get("resources/search", "pageSize=1&sortName=hostName&isDescendingOrder=false")
    assert ids(page) == {FIRST}
    assert (page["totalResults"], page["totalPages"], page["nextPage"], page["orderBy"]) == (2, 2, True, "res.hostName")


def test_resource_is_made_and_can_have_jobs(client: Client) -> None:
    body = {"hostName": "testdevice-api", "resourceType": "Server", "extResourceId": "ext_123", "aliasName": "api"}
    client.tenant = "client_13"
    made = client.post("resources", {**body, "resourceNetworkInterface": [{"ipAddress": "10.10.10.10"}]})
    assert set(made) == {"resourceUUID", "tenantID"}
    assert made["tenantID"] == "client_13"
    found = client.get(f"resources/{made['resourceUUID']}")
    assert {name: found[name] for name in body} == body
    assert (found["ipAddress"], found["agentInstalled"]) == ("10.10.10.10", False)
    entities = [{"resource": {"id": made["resourceUUID"], "type": "DEVICE"}}]
    job = client.post("jobs", {"entities": entities, "script": {"jobType": "appaudit"}})
    assert client.get(f"jobs/{job['id']}")["entities"][0]["resource"]["generalInfo"]["resourceType"] == "Server"
    client.tenant = "client_93"
    assert client.ask("GET", f"resources/{made['resourceUUID']}").status == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "hostName"),
        ({"hostName": " "}, "hostName"),
        ({"hostName": "x" * 256}, "hostName"),
        ({"hostName": "a", "ipAddress": "1 2"}, "ipAddress"),
        ({"hostName": "a", "ipAddress": "1" * 65}, "ipAddress"),
        ({"hostName": "a", "ipAddress": "a" * 65}, "ipAddress"),
        ({"hostName": "a", "ipAddress": "http://evil/"}, "ipAddress"),
        ({"hostName": "a", "ipAddress": "999.999.1.1"}, "ipAddress"),
        ({"hostName": "a", "resourceNetworkInterface": [{"ipAddress": "10.0.0.1;id"}]}, "ipAddress"),
        ({"hostName": "a", "host": "10.1.1"}, "ipAddress"),
        ({"hostName": "a", "macAddress": "zz"}, "macAddress"),
        ({"hostName": {}}, "hostName"),
    ],
)
def test_impossible_resource(client: Client, body: Any, field: str) -> None:
    assert client.refused(body, "resources")[0]["fieldName"] == field


@pytest.mark.parametrize("address", ["10.0.0.1", "fe80::1%eth0", "::1", "web-1", "web_1.example.com.", "9.example", ""])
def test_address_of_a_resource(client: Client, address: str) -> None:
    made = client.post("resources", {"hostName": "a", "ipAddress": address})["resourceUUID"]
    assert client.get(f"resources/{made}")["ipAddress"] == address


def test_job_may_name_a_resource_by_its_name(client: Client) -> None:
    entities = [{"resource": {"id": "172.30.1.60"}}]
    job = client.post("jobs", {"entities": entities, "script": {"jobType": "appaudit"}})
    resource = job["entities"][0]["resource"]
    assert resource["id"] == "172.30.1.60"
    assert list(resource) == ["id", "generalInfo", "clientUniqueId"]


def test_ids_compare_in_any_case(client: Client) -> None:
    entities = [{"resource": {"id": FIRST.upper()}}]
    job = client.post("jobs", {"entities": entities, "script": {"jobType": "appaudit"}})
    assert job["entities"][0]["resource"]["id"] == FIRST


def test_rights_on_agents_and_teams_count(client: Client) -> None:
    grants = {(node, None): Right.READ for node in Node} | {(Node.AGENTS, UUID(FIRST)): Right.DENY}
    client.caller = Caller.of("reader", [RoleRights("reader", grants)])
    assert ids(client.get("resources/search")) == {SECOND}
    assert client.ask("GET", f"resources/{FIRST}").status == 404
    answer = client.ask("POST", "resources", {"hostName": "a"})
    assert (answer.status, json.loads(answer.body)["code"]) == (403, "0004")


def test_tenant_that_may_not_be_seen_is_refused_like_one_that_is_not_there(client: Client) -> None:
    grants = {(node, None): Right.MODIFY for node in Node if node is not Node.TEAMS}
    client.caller = Caller.of("guest", [RoleRights("guest", grants)])
    answers = []
    for tenant in ("client_93", "client_13", "client_7"):
        client.tenant = tenant
        answer = client.ask("GET", "resources/search")
        answers.append((answer.status, answer.body.replace(tenant.encode(), b"T")))
    assert answers == [(403, answers[0][1])] * 3


SETS = """
credential_sets:
  - {name: Team, id: 00000000-0000-4000-8000-000000000021, user: anybody, password: c4nary, teams: [The owner]}
  - {name: one, id: 00000000-0000-4000-8000-000000000022, user: backup, password: c4nary, agents: [172.30.1.60]}
  - {name: Strange, id: 00000000-0000-4000-8000-000000000023, user: strange, password: c4nary, teams: [client_99]}
"""
ASKING = """
modules:
  - name: Ask
    aliases: {opsramp: {script: '8'}}
    tasks: [{type: ssh_command, name: ask, settings: {text: show version}}]
"""
TEAM, ONE, STRANGE = (f"00000000-0000-4000-8000-0000000000{number}" for number in (21, 22, 23))


@pytest.mark.parametrize(
    ("tenant", "path", "expected"),
    [
        ("client_13", "credentialSets/minimal", {TEAM}),
        ("msp_12", "//credentialSets//minimal", {TEAM}),
        ("client_93", "credentialSets/minimal", set()),
        ("client_93", f"devices/{SECOND}/credentialSets/minimal", {ONE}),
        ("client_93", f"devices/{FIRST.upper()}/credentialSets/minimal", set()),
    ],
)
def test_credential_sets(client: Client, load_library: Any, tenant: str, path: str, expected: set[str]) -> None:
    load_library(SETS)
    client.tenant = tenant
    found = client.get(path.strip("/"))
    assert {one["uniqueId"] for one in found} == expected
    assert "c4nary" not in json.dumps(found)


def test_credential_sets_of_a_resource_that_is_not_there(client: Client) -> None:
    answer = client.ask("GET", "devices/00000000-0000-4000-8000-00000000000a/credentialSets/minimal")
    assert (answer.status, json.loads(answer.body)) == (
        404,
        {"code": "0003", "message": "No resource found with UUID : 00000000-0000-4000-8000-00000000000a"},
    )


@pytest.mark.parametrize(("unique_id", "allowed"), [(TEAM, False), (ONE, True), (ONE.upper(), True), (STRANGE, False)])
@pytest.mark.parametrize("within_script", [True, False])
def test_job_logs_in_only_with_what_its_tenant_or_resource_has(
    client: Client, hall: Hall, load_library: Any, unique_id: str, allowed: bool, within_script: bool
) -> None:
    load_library(SETS + ASKING)
    given = {"credentialSet": {"uniqueId": unique_id}}
    script: dict[str, Any] = {"jobType": "custom", "customScript": {"id": 8}} | (given if within_script else {})
    body = {"entities": [{"resource": {"id": SECOND}}], "script": script} | ({} if within_script else given)
    if not allowed:
        assert client.refused(body)[0]["fieldName"] == "credentialSet.uniqueId"
        return
    job = client.post("jobs", body)
    assert job["credentialSet"] == {"uniqueId": unique_id}
    assert hall.jobs.get(UUID(job["id"]), client.caller).options == {"ends_as_last": True, "credential_set": ONE}


@pytest.mark.parametrize(("language", "can_log_in"), [("SHELL", True), ("PYTHON", True), ("BATCHFILE", False)])
def test_script_of_the_api_logs_in_if_its_language_can(
    client: Client, hall: Hall, load_library: Any, language: str, can_log_in: bool
) -> None:
    load_library(SETS)
    category = client.post("rba/categories", {"name": "Rock stars"})["id"]
    script = client.post(
        f"rba/categories/{category}/scripts",
        {"name": "Hello", "executionType": language, "attachment": {"name": "a", "file": "aGk="}},
    )
    chosen = {"jobType": "custom", "customScript": {"id": script["id"]}, "userType": "2"}
    body = {"entities": [{"resource": {"id": SECOND}}], "script": {**chosen, "credentialSet": {"uniqueId": ONE}}}
    if not can_log_in:
        (problem,) = client.refused(body)
        assert (problem["fieldName"], "runs as the agent does" in problem["message"]) == (
            "credentialSet.uniqueId",
            True,
        )
        return
    job = client.post("jobs", body)
    assert (job["credentialSet"], job["script"]["userType"]) == ({"uniqueId": ONE}, 2)
    assert hall.jobs.get(UUID(job["id"]), client.caller).options == {"ends_as_last": True, "credential_set": ONE}


def test_script_that_runs_as_the_agent_does_takes_no_credential_set(client: Client, load_library: Any) -> None:
    load_library(SETS)
    script = {"jobType": "custom", "customScript": {"id": 7}, "credentialSet": {"uniqueId": ONE}}
    (problem,) = client.refused({"entities": [{"resource": {"id": SECOND}}], "script": script})
    assert problem["message"] == "test script logs in nowhere: it runs as the agent does"


def test_one_key_makes_one_resource(client: Client, hall: Hall) -> None:
    body = {"hostName": "router", "resourceType": "Linux"}
    first, again = (client.ask("POST", "resources", body, key="k1") for _ in range(2))
    assert (first.status, again.body) == (200, first.body)
    assert client.ask("POST", "resources", {**body, "hostName": "switch"}, key="k1").status == 409
    other = json.loads(client.ask("POST", "resources", body, key="k2").body)["resourceUUID"]
    made = {json.loads(first.body)["resourceUUID"], other}
    assert ids(client.get("resources/search", "queryString=hostName:router")) == made

    hall.removals.remove(WhoChoice([UUID(other)], WhoKind.AGENT), False, SYSTEM)
    assert client.ask("POST", "resources", body, key="k2").status == 404


def test_key_of_another_login_makes_another_resource(client: Client) -> None:
    first = client.ask("POST", "resources", {"hostName": "router"}, key="k1")
    client.caller = Caller("ann", everything(Right.MODIFY))
    assert client.ask("POST", "resources", {"hostName": "router"}, key="k1").body != first.body
