"""Lists, keys and tokens: the words of queries, who is let in, and what is shown of what is there (contract 1.1)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from cheap_passwords import cheap_passwords
from ies_world import AGENT, DEPLOYMENT, GROUP, JOB, URL, Client

from dispatcher.core.permissions import SYSTEM
from dispatcher.core.ports import Ports
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.logins import Logins

LISTS = [
    "Jobs",
    "DeploymentGroups",
    "CustomPatchLists",
    "Endpoints",
    f"Endpoints({AGENT})/EndpointModules",
    "Groups",
    f"Groups({GROUP})/Endpoints",
    "Modules",
    "Policies",
]


def names(ies: Client, query: str) -> list[str]:
    return [one["Name"] for one in ies.got(query)["value"]]


def test_jobs_are_filtered_sorted_and_cut(ies: Client) -> None:
    for name in ("b", "a", "c"):
        ies.made("Jobs", {**JOB, "Name": name})
    ies.made("DeploymentGroups", {**DEPLOYMENT, "Name": "a"})
    assert names(ies, "Jobs") == ["b", "a", "c"]
    assert names(ies, "Jobs?$orderby=Name desc") == ["c", "b", "a"]
    assert names(ies, "Jobs?$orderby=Name&$skip=1&$top=1") == ["b"]
    assert names(ies, "Jobs?$filter=Name eq 'a'") == ["a"]
    assert names(ies, "Jobs?$filter=contains(Name,'C') and JobType eq 1") == ["c"]
    assert names(ies, "Jobs?$filter=Status eq 'Failed'") == []
    assert names(ies, "DeploymentGroups?$filter=status eq 'Scheduled'") == ["a"]
    counted = ies.got("Jobs?$count=true&$top=1&$select=Id,Name")
    assert counted["@odata.count"] == 3
    assert [sorted(one) for one in counted["value"]] == [["Id", "Name"]]
    assert counted["@odata.context"].startswith("https://ies.example.com:43470/api/v2/$metadata#Jobs")


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize(
    "query",
    ["$expand=a", "$search=a", "$top=-1", "$skip=x", "$filter=Nobody eq 1", "$filter=Name gt 'a'", "$orderby=Nobody"],
)
def test_other_queries_are_refused(ies: Client, path: str, query: str) -> None:
    answer = ies.call("GET", f"{path}?{query}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "BadRequest")


def test_of_one_thing_fields_may_be_chosen_and_nothing_else_asked(ies: Client) -> None:
    job, deployment = ies.made("Jobs", JOB)["Id"], ies.made("DeploymentGroups", DEPLOYMENT)["Id"]
    things = [f"Jobs({job})", f"DeploymentGroups({deployment})", "CustomPatchLists(1)", f"Groups({GROUP})"]
    for path in (*things, f"Endpoints({AGENT})"):
        whole = ies.got(path)
        chosen = ies.got(f"{path}?$select=name,Id" if path in things else f"{path}?$select=Name,guid&x=1")
        assert chosen == {name: whole[name] for name in whole if name in chosen}
        assert len(chosen) == 3
        assert "@odata.context" in chosen
        assert ies.got(f"{path}?$select=*") == whole
        for query in ("$expand=x", "$filter=Id eq 3", "$top=1", "$count=true", "$select=Nobody"):
            answer = ies.call("GET", f"{path}?{query}")
            assert (answer.status_code, answer.json()["error"]["code"]) == (400, "BadRequest")


@pytest.mark.parametrize("path", LISTS)
def test_lists_have_a_context_and_a_value(ies: Client, path: str) -> None:
    shown = ies.got(f"{path}?$top=5&$count=true")
    assert set(shown) == {"@odata.context", "@odata.count", "value"}
    assert len(shown["value"]) == min(shown["@odata.count"], 5)


def test_what_is_there_is_shown(ies: Client) -> None:
    assert [one["Id"] for one in ies.got("Modules")["value"]] == ["AC", "AV", "DC", "PR"]
    [group] = ies.got("Groups?$filter=Id eq 1009")["value"]
    assert (group["Name"], ies.got(f"Groups({GROUP})")["Guid"]) == ("Pilots", group["Guid"])
    assert [one["Guid"] for one in ies.got(f"Groups({GROUP})/Endpoints")["value"]] == [AGENT]
    endpoint = ies.got(f"Endpoints({AGENT})")
    assert (endpoint["Name"], endpoint["HasAgent"]) == ("pc-1", False)  # it has not enrolled yet
    assert ies.got("CustomPatchLists(1)")["Patches"] == ["Patch one", "Patch two"]


@pytest.mark.parametrize(
    "path",
    [
        f"Endpoints/{AGENT}",
        f"endpoints({AGENT.upper()})",
        "Groups/1009",
        "GROUPS(1009)",
        "CustomPatchLists/1",
        "custompatchlists(1)",
        f"Endpoints/{AGENT}/endpointmodules",
    ],
)
def test_keys_stand_in_parentheses_or_behind_a_slash_in_any_case(ies: Client, path: str) -> None:
    assert ies.call("GET", path).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "Endpoints(x)",
        "Endpoints(00000000-0000-4000-8000-000000000001)",
        "Groups(77)",
        "Groups(77)/Endpoints",
        "CustomPatchLists(99)",
        "DeploymentGroups(1)",
        "Nothing",
        "AvAlerts",
    ],
)
def test_what_is_not_there_is_not_found(ies: Client, path: str) -> None:
    answer = ies.call("GET", path)
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "NotFound"


def test_jobs_are_no_deployments(ies: Client) -> None:
    made = ies.made("Jobs", JOB)
    assert ies.call("GET", f"DeploymentGroups({made['Id']})").status_code == 404


@pytest.fixture
def login(datastore: Datastore, ports: Ports) -> None:
    Logins(datastore, ports, cheap_passwords()).add("ops", "pw", caller=SYSTEM)


def refused(ies: Client, headers: dict[str, str]) -> dict[str, Any]:
    answer = ies.session.get(f"{URL}/Jobs", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    return dict(answer.json()["error"])


def test_only_a_token_of_this_api_lets_in(ies: Client, login: None, clock: Any) -> None:
    assert ies.got("Jobs")["value"] == []
    token = ies.token
    head, claims, signature = token.split(".")
    changed = ("A" if claims[5] != "A" else "B").join((claims[:5], claims[6:]))
    for wrong in ("", "x", f"{head}.{changed}.{signature}", f"{head}.{claims}.", token[:-4]):
        assert refused(ies, {"Authorization": f"Bearer {wrong}"})["code"] == "Unauthorized"
    refused(ies, {})
    form = "grant_type=password&username=ops&password=pw"
    other = ies.session.post("https://ies.example.com/ccs/api/v1/oauth/tokens", data=form).json()["access_token"]
    refused(ies, {"Authorization": f"Bearer {other}"})
    clock.turn(timedelta(minutes=14, seconds=59))
    assert ies.got("Jobs")["value"] == []
    clock.turn(timedelta(seconds=2))
    refused(ies, {"Authorization": f"Bearer {token}"})


@pytest.mark.parametrize(("user", "password"), [("ops", "PW"), ("nobody", "pw"), ("ops", "")])
def test_who_is_wrong_gets_no_token(web: Any, login: None, user: str, password: str) -> None:
    answer = Client(web, user, password).log_in()
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "Unauthorized")
    assert "Jwt" not in answer.json()
