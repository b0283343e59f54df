"""What cannot be: every case of the contract's table (section 4.7), told as section 4.4 says; nothing is stored."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hostile_world import rows
from opsramp_world import FIRST, Client

from dispatcher.core.permissions import NOBODY, Caller, Node, Right
from dispatcher.datastore.transactions import Datastore
from dispatcher.wire.http import Request

STRANGER = "00000000-0000-4000-8000-00000000000a"
NEVER = {"startDate": "2031-03-01T08:30:45+0000", "pattern": {"type": "never"}}
CUSTOM = {"jobType": "custom", "customScript": {"id": 7}}


def order(**members: Any) -> dict[str, Any]:
    entities = [{"resource": {"id": FIRST, "type": "DEVICE"}}]
    plain = {"name": "check", "entities": entities, "script": {"jobType": "adCheckList"}, "schedule": NEVER}
    return {name: value for name, value in {**plain, **members}.items() if value is not None}


def scheduled(**pattern: Any) -> dict[str, Any]:
    return order(schedule={"startDate": NEVER["startDate"], "pattern": pattern})


def config(**members: Any) -> dict[str, Any]:
    return order(script={"jobType": "networkconfigbackup", "configParams": members})


def install(**members: Any) -> dict[str, Any]:
    return order(script={"jobType": "appinstall", "approvalType": members})


CASES: dict[str, tuple[Any, str]] = {
    "days that never come": (
        order(schedule={"startDate": "2399-12-31T00:00:00+0000", "pattern": {"type": "monthly", "dayOfMonth": "30"}}),
        "schedule",
    ),
    "too many resources": (order(entities=[1] * 10_001), "entities"),
    "jobQueued is no bool word": (order(jobQueued="yes"), "jobQueued"),
    "jobQueued is a number": (order(jobQueued=1), "jobQueued"),
    "digits expected": (
        scheduled(type="daily", frequency="recurrence", repeatFrequency="two"),
        "schedule.pattern.repeatFrequency",
    ),
    "a fraction for digits": (
        scheduled(type="daily", frequency="recurrence", repeatFrequency=2.5),
        "schedule.pattern.repeatFrequency",
    ),
    "no script": ({**order(), "script": None}, "script"),
    "script is missing": ({name: one for name, one in order().items() if name != "script"}, "script"),
    "script is a text": (order(script="custom"), "script"),
    "an empty script": (order(script={}), "script.jobType"),
    "unknown job type": (order(script={"jobType": "mining"}), "script.jobType"),
    "custom without a script": (order(script={"jobType": "custom"}), "script.customScript.id"),
    "custom script without an id": (order(script={"jobType": "custom", "customScript": {}}), "script.customScript.id"),
    "custom script that is not there": (
        order(script={"jobType": "custom", "customScript": {"id": 9}}),
        "script.customScript.id",
    ),
    "custom script beyond numbers": (
        order(script={"jobType": "custom", "customScript": {"id": 10**30}}),
        "script.customScript.id",
    ),
    "no name for adCheckList": (order(name=None), "name"),
    "a blank name for adCheckList": (order(name="  "), "name"),
    "no name for networkconfigbackup": (order(name=None, script={"jobType": "networkconfigbackup"}), "name"),
    "a name too long": (order(name="x" * 256), "name"),
    "no schedule for adCheckList": (order(schedule=None), "schedule"),
    "no start for adCheckList": (order(schedule={"pattern": {"type": "never"}}), "schedule.startDate"),
    "no pattern": (order(schedule={"startDate": NEVER["startDate"]}), "schedule.pattern"),
    "no type of a pattern": (order(schedule={**NEVER, "pattern": {}}), "schedule.pattern.type"),
    "no entities for networkconfigbackup": (order(entities=[], script={"jobType": "networkconfigbackup"}), "entities"),
    "versionsSaved": (config(versionsSaved="SOME"), "script.configParams.versionsSaved"),
    "backUpTrigger": (config(backUpTrigger="on"), "script.configParams.backUpTrigger"),
    "approvalType 2": (install(approvalType=2), "script.approvalType.approvalType"),
    "approvalType is missing": (install(approvalReason="because"), "script.approvalType.approvalType"),
    "alertRequired": (install(approvalType=1, alertRequired="maybe"), "script.approvalType.alertRequired"),
    "userType 3": (order(script={**CUSTOM, "userType": 3}), "script.userType"),
    "userType 3 beside the script": (order(script=CUSTOM, userType=3), "userType"),
    "weekly without days": (scheduled(type="weekly"), "schedule.pattern.weekDays"),
    "weekly with an empty weekDays": (scheduled(type="weekly", weekDays=""), "schedule.pattern.weekDays"),
    "weekly with a bad day": (scheduled(type="weekly", weekDays="Moonday"), "schedule.pattern.weekDays"),
    "monthly 0": (scheduled(type="monthly", dayOfMonth="0"), "schedule.pattern.dayOfMonth"),
    "monthly 32": (scheduled(type="monthly", dayOfMonth=32), "schedule.pattern.dayOfMonth"),
    "monthly without a form": (scheduled(type="monthly"), "schedule.pattern.dayOfMonth"),
    "both monthly forms": (
        scheduled(type="monthly", dayOfMonth="1", weekIndex="First", dayOfWeek="Monday"),
        "schedule.pattern.dayOfMonth",
    ),
    "weekIndex Fifth": (scheduled(type="monthly", weekIndex="Fifth", dayOfWeek="Monday"), "schedule.pattern.weekIndex"),
    "recurrence without repeatFrequency": (
        scheduled(type="daily", frequency="recurrence"),
        "schedule.pattern.repeatFrequency",
    ),
    "recurrence of 0 days": (
        scheduled(type="daily", frequency="recurrence", repeatFrequency="0"),
        "schedule.pattern.repeatFrequency",
    ),
    "start without an offset": (order(schedule={**NEVER, "startDate": "2031-03-01T08:30:45"}), "schedule.startDate"),
    "start that is none": (order(schedule={**NEVER, "startDate": "soon"}), "schedule.startDate"),
    "unknown paramId": (
        order(script={**CUSTOM, "parameters": [{"paramId": 3, "value": "1"}]}),
        "script.parameters[0].paramId",
    ),
    "unknown paramId beside the script": (
        order(script=CUSTOM, parameters=[{"paramId": 2}, {"paramId": 3, "value": "1"}]),
        "parameters[1].paramId",
    ),
    "unknown paramId of a job type": (
        order(script={"jobType": "appinstall", "parameters": [{"paramId": 4711, "value": "vim"}]}),
        "script.parameters[0].paramId",
    ),
    "a paramId of a job type that nothing is bound to": (
        order(script={"jobType": "antivirus", "parameters": [{"paramId": 2, "value": "1"}]}),
        "script.parameters[0].paramId",
    ),
    "a macro, of which there are none": (
        order(script={**CUSTOM, "parameters": [{"paramId": 2, "itopMacro": {"id": "3"}}]}),
        "script.parameters[0].itopMacro",
    ),
    "paramId is no number": (
        order(script={**CUSTOM, "parameters": [{"paramId": "x"}]}),
        "script.parameters[0].paramId",
    ),
    "value is an object": (
        order(script={**CUSTOM, "parameters": [{"paramId": 2, "value": {}}]}),
        "script.parameters[0].value",
    ),
    "the same paramId with two values": (
        order(script={**CUSTOM, "parameters": [{"paramId": 2, "value": "1"}, {"paramId": "2", "value": "2"}]}),
        "script.parameters[1].paramId",
    ),
    "parameters that differ from those of the script": (
        order(script={**CUSTOM, "parameters": [{"paramId": 2, "value": "1"}]}, parameters=[{"paramId": 2}]),
        "parameters",
    ),
    "userType that differs from that of the script": (order(script={**CUSTOM, "userType": 1}, userType=2), "userType"),
    "a script beside another job type": (
        order(script={**CUSTOM, "jobType": "adCheckList"}),
        "script.customScript",
    ),
    "configParams of a script": (
        order(script={**CUSTOM, "configParams": {"versionsSaved": "ALL_VERSIONS"}}),
        "script.configParams",
    ),
    "a trigger of what backs nothing up": (
        order(script={"jobType": "appaudit", "configParams": {"backUpTrigger": "true"}}),
        "script.configParams.backUpTrigger",
    ),
    "two words for one alert": (
        config(runConfigAlert="true", runtimeConfigAlert="false"),
        "script.configParams.runConfigAlert",
    ),
    "dayOfIndex that differs from dayOfWeek": (
        scheduled(type="monthly", weekIndex="First", dayOfWeek="Sunday", dayOfIndex="Monday"),
        "schedule.pattern.dayOfIndex",
    ),
    "dayOfMonth that differs from dayOfWeek": (
        scheduled(type="monthly", weekIndex="First", dayOfWeek="Sunday", dayOfMonth="Monday"),
        "schedule.pattern.dayOfMonth",
    ),
    "frequency that differs from weekDays": (
        scheduled(type="weekly", weekDays="Sunday", frequency="Monday"),
        "schedule.pattern.frequency",
    ),
    "weekly with nothing in either": (scheduled(type="weekly", weekDays="", frequency=""), "schedule.pattern.weekDays"),
    "an empty startDate for adCheckList": (order(schedule={**NEVER, "startDate": " "}), "schedule.startDate"),
    "unknown resource": (order(entities=[{"resource": {"id": "00000000-0000-4000-8000-0000000000ff"}}]), "entities"),
    "a resource of another tenant": (order(entities=[{"resource": {"id": STRANGER}}]), "entities"),
    "a name of another tenant's resource": (order(entities=[{"resource": {"id": "a stranger"}}]), "entities"),
    "a resource without an id": (order(entities=[{"resource": {"type": "DEVICE"}}]), "entities[0].resource.id"),
    "entities are no list": (order(entities={"resource": {"id": FIRST}}), "entities"),
    "too many entities": (order(entities=[{"resource": {"id": FIRST}}] * 5_001), "entities"),
    "unknown credential set": (order(credentialSet={"uniqueId": "QPrN4YQKk5cERqgWd9XsFwQe"}), "credentialSet.uniqueId"),
    "an array": ([order()], "message"),
    "a text": ("job", "message"),
    "nothing": (None, ""),
    "no JSON": (b"{", ""),
    "a name twice": (b'{"name": "a", "name": "b"}', ""),
    "bad UTF-8": (b'{"name": "\xff\xfe\xff"}', ""),
    "too deep": (b"[" * 100_000, ""),
    "a NUL": (order(name="a\0b"), ""),
    "a control character": (order(name="a\x1bb"), "name"),
}


@pytest.mark.parametrize("case", CASES)
def test_it_is_refused_and_nothing_is_stored(client: Client, datastore: Datastore, case: str) -> None:
    body, member = CASES[case]
    before = rows(datastore)
    problems = client.refused(body)
    assert problems[0]["fieldName"] == member
    assert {problem["code"] for problem in problems} == {"0002"}
    assert all(problem["message"] for problem in problems)
    assert rows(datastore) == before


@pytest.mark.parametrize("case", ["weekIndex Fifth", "unknown resource", "no script", "no JSON"])
def test_an_update_is_refused_alike(client: Client, case: str) -> None:
    body, member = CASES[case]
    made = client.post("jobs", order())
    assert client.refused(body, f"jobs/{made['id']}")[0]["fieldName"] == member
    assert client.get(f"jobs/{made['id']}")["name"] == "check"


def test_two_credential_sets(client: Client) -> None:
    body = order(script={**CUSTOM, "credentialSet": {"uniqueId": "a"}}, credentialSet={"uniqueId": "b"})
    problem = {"code": "0002", "fieldName": "credentialSet.uniqueId"}
    assert client.refused(body) == [{**problem, "message": "is not what script.credentialSet.uniqueId is"}]


def test_id_of_an_update_must_be_the_one_in_the_address(client: Client) -> None:
    made = client.post("jobs", order())
    assert client.refused(order(id=STRANGER), f"jobs/{made['id']}")[0]["fieldName"] == "id"


@pytest.mark.parametrize(
    ("verb", "path"),
    [
        ("GET", "jobs/{job}"),
        ("POST", "jobs/{job}"),
        ("DELETE", "jobs/{job}"),
        ("GET", "jobs/{job}/run"),
        ("POST", "jobs/{job}/run"),
        ("POST", "jobs/{job}/script/run"),
    ],
)
@pytest.mark.parametrize("job", ["00000000-0000-4000-8000-0000000000ff", "no id", "%"])
def test_unknown_job_is_404_and_never_400(client: Client, verb: str, path: str, job: str) -> None:
    body = order() if path == "jobs/{job}" else None
    answer = client.ask(verb, path.format(job=job), body)
    assert (answer.status, json.loads(answer.body)) == (
        404,
        {"code": "0003", "message": f"No job found with id : {job}"},
    )


def test_job_of_another_tenant_is_not_there(client: Client) -> None:
    made = client.post("jobs", order())
    client.tenant = "client_99"
    for verb in ("GET", "DELETE"):
        assert client.ask(verb, f"jobs/{made['id']}").status == 404
    client.tenant = "msp_12"
    assert client.get(f"jobs/{made['id']}")["id"] == made["id"]


@pytest.mark.parametrize(
    ("verb", "path"),
    [
        ("POST", "jobs"),
        ("GET", "jobs/search"),
        ("GET", "jobs/types"),
        ("GET", "resources/search"),
        ("GET", "resources/minimal"),
        ("GET", "rba/categories"),
        ("GET", "rba/scripts/7/paginatedOutputs"),
        ("GET", "credentialSets/minimal"),
        ("GET", f"devices/{FIRST}/credentialSets/minimal"),
    ],
)
def test_unknown_tenant_is_404(client: Client, verb: str, path: str) -> None:
    client.tenant = "client_7"
    answer = client.ask(verb, path, order() if verb == "POST" else None)
    assert (answer.status, json.loads(answer.body)) == (
        404,
        {"code": "0003", "message": "No tenant found with id : client_7"},
    )


@pytest.mark.parametrize(
    "rights", [{}, {Node.TEAMS: Right.READ}, {Node.TEAMS: Right.READ, Node.SCHEDULING: Right.READ}]
)
def test_whoever_may_not_schedule_is_refused(client: Client, datastore: Datastore, rights: dict[Node, Right]) -> None:
    client.caller = Caller("guest", rights)
    before = rows(datastore)
    answer = client.ask("POST", "jobs", order())
    assert answer.status == 403
    assert json.loads(answer.body)["code"] == "0004"
    assert rows(datastore) == before


def test_list_that_is_too_long_is_one_problem(client: Client) -> None:
    (problem,) = client.refused(order(entities=[1] * 10_001))
    assert problem["message"] == "may have at most 10000 entries"


def test_token_errors(client: Client) -> None:
    """Contract section 4.1."""
    wrong_grant = client.ask("POST", "/auth/oauth/token", b"grant_type=password&client_id=a&client_secret=b")
    assert wrong_grant.status == 400
    assert json.loads(wrong_grant.body) == {
        "error": "unsupported_grant_type",
        "error_description": "Unsupported grant type: password",
    }
    no_token = client.binding.unauthenticated(
        Request("GET", "/api/v2/tenants/client_5/jobs/types", "", {"authorization": "Bearer t1"}, caller=NOBODY)
    )
    assert no_token.status == 401
    assert json.loads(no_token.body) == {"error": "invalid_token", "error_description": "Invalid access token: t1"}


@pytest.mark.parametrize("path", ["/auth/oauth/token", "/tenancy/auth/oauth/token", "//tenancy//auth/oauth/token/"])
def test_token(client: Client, path: str) -> None:
    answer = client.ask("POST", path, b"grant_type=client_credentials&client_id=K&client_secret=S")
    assert answer.status == 200
    token = json.loads(answer.body)
    assert list(token) == ["access_token", "token_type", "expires_in", "scope"]
    assert (token["token_type"], token["expires_in"], token["scope"]) == ("bearer", "7200", "global:manage")


def test_wrong_method_and_wrong_path_are_told_in_shape(client: Client) -> None:
    wrong = client.ask("PATCH", "jobs")
    assert (wrong.status, set(json.loads(wrong.body))) == (405, {"code", "message"})
    nowhere = client.ask("GET", "nothing")
    assert (nowhere.status, json.loads(nowhere.body)["code"]) == (404, "0003")
