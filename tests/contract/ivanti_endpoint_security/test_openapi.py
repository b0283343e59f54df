"""The description of the API: each operation, and the nested messages, which the vendor's own description left out."""

from __future__ import annotations

import json
from typing import Any

import ies_seed
import pytest
from ies_world import GROUP, URL, Client
from openapi_spec_validator import OpenAPIV31SpecValidator, validate

from dispatcher.bindings.ivanti_endpoint_security.binding import build
from dispatcher.bindings.ivanti_endpoint_security.deployment_contract import MESSAGE
from dispatcher.services.hall import Hall
from dispatcher.wire.json_api.openapi import document
from dispatcher.wire.loose_json import read_loose_json
from dispatcher.wire.quotas import Quotas

BASE = "/api/v2"
WORDS = ["$filter", "$orderby", "$top", "$skip", "$count", "$select"]
#: What can be asked for by a key, which stands in parentheses or behind a slash.
KEYED = {"Jobs": "job", "DeploymentGroups": "deployment", "CustomPatchLists": "patch_list"}
KEYED |= {"Endpoints": "endpoint", "Groups": "group"}
INNER = {"Endpoints": "EndpointModules", "Groups": "Endpoints"}
LISTS = [*KEYED, "Modules", "Policies"]
MADE = {"Jobs": "NewJob", "DeploymentGroups": "NewDeployment", "CustomPatchLists": "NewPatchList"}
#: The defaults that the vendor's page states, by the place of the member (seed; contract 1.3, 1.4, 1.9).
_NOTICE = {"Message": MESSAGE, **ies_seed.NOTICE}
DEFAULTS: dict[tuple[str, str], Any] = {
    ("NewJob", "OverwriteExistingAgents"): False,
    **{("NewJob", f"Modules/{name}"): False for name in ("AC", "AV", "DC", "PR")},
    **{
        ("NewJob", f"DiscoveryTargets/{kind}Targets/{name}"): value
        for kind in ("SingleIp", "RangeIp", "ComputerName", "ActiveDirectory")
        for name, value in {"Timeout": 3000, "Retry": 3}.items()
    },
    **{
        ("NewDeployment", f"{notice}/{name}"): value
        for notice, within in {"Notify": "DeployWithin", "Reboot": "RebootWithin"}.items()
        for name, value in {**_NOTICE, within: 60}.items()
    },
}


@pytest.fixture
def described(hall: Hall) -> dict[str, Any]:
    return document(build(hall, log=lambda *_, **__: None, quotas=Quotas()))


def members(described: dict[str, Any], schema: dict[str, Any], path: str = "") -> dict[str, dict[str, Any]]:
    """Return what *schema* has in it, by path; elements of lists have that of the list."""
    found: dict[str, dict[str, Any]] = {}
    for one in [schema, *schema.get("anyOf", ()), schema.get("items", {})]:
        if "$ref" in one:
            name = one["$ref"].removeprefix("#/components/schemas/")
            found |= members(described, described["components"]["schemas"][name], path)
    for name, inner in schema.get("properties", {}).items():
        found |= {f"{path}/{name}".lstrip("/"): inner, **members(described, inner, f"{path}/{name}")}
    return found


def message(described: dict[str, Any], name: str) -> dict[str, dict[str, Any]]:
    return members(described, {"$ref": f"#/components/schemas/{name}"})


def sample_members(value: Any, path: str = "") -> set[str]:
    """Return the paths of the members of a sample, as ``members`` does."""
    if isinstance(value, list):
        return {found for one in value for found in sample_members(one, path)}
    if not isinstance(value, dict):
        return set()
    return {
        found
        for name, inner in value.items()
        for found in (f"{path}/{name}".lstrip("/"), *sample_members(inner, f"{path}/{name}"))
    }


def body(described: dict[str, Any], path: str) -> dict[str, Any]:
    return dict(described["paths"][f"{BASE}/{path}"]["post"]["requestBody"]["content"]["application/json"]["schema"])


def test_it_is_valid_and_has_every_operation(described: dict[str, Any]) -> None:
    validate(described, cls=OpenAPIV31SpecValidator)
    expected = {
        ("post", "Authentication/Login"),
        *(("get", name) for name in LISTS),
        *(("post", name) for name in MADE),
    }
    for name, key in KEYED.items():
        for place in (f"{name}({{{key}}})", f"{name}/{{{key}}}"):
            expected.add(("get", place))
            if name in INNER:
                expected.add(("get", f"{place}/{INNER[name]}"))
    found = {(verb, path.removeprefix(f"{BASE}/")) for path, item in described["paths"].items() for verb in item}
    assert found == expected


def test_lists_have_the_words_of_odata_and_the_door_takes_what_is_described(
    described: dict[str, Any], ies: Client
) -> None:
    samples = {"$filter": "contains(Name,'lab')", "$orderby": "Name desc", "$top": "1", "$skip": "0", "$count": "true"}
    for name in LISTS:
        words = described["paths"][f"{BASE}/{name}"]["get"]["parameters"]
        assert [one["name"] for one in words] == WORDS
        # A page on which requests can be tried out sends examples: they would hide what is there.
        assert [one["name"] for one in words if "example" in json.dumps(one)] == []
        query = "&".join(f"{word}={samples.get(word, 'Name')}" for word in WORDS)
        assert ies.call("GET", f"{name}?{query}").status_code == 200


def test_envelopes_say_what_their_text_holds(described: dict[str, Any]) -> None:
    for path, name in MADE.items():
        schema = body(described, path)
        text = schema["properties"]["value"]
        assert schema["required"] == ["value"]
        assert (text["type"], text["contentMediaType"]) == ("string", "application/json")
        assert text["contentSchema"] == {"$ref": f"#/components/schemas/{name}"}
        assert f"The JSON text of one {name}" in text["description"]
        example = described["components"]["schemas"][name]["example"]
        assert list(json.loads(schema["example"]["value"]).items()) == list(example.items())
        assert next(iter(example)) in ("Name", "CustomPatchListId")  # in an order for people


@pytest.mark.parametrize(("name", "sample"), [("NewJob", ies_seed.JOB), ("NewDeployment", ies_seed.DEPLOYMENT)])
def test_every_member_of_the_vendors_samples_is_described(described: dict[str, Any], name: str, sample: str) -> None:
    known = message(described, name)
    assert sample_members(read_loose_json(sample, Quotas())) - known.keys() == set()
    untyped = [path for path, one in known.items() if not {"type", "$ref", "anyOf", "enum"} & one.keys()]
    assert untyped == []


def test_defaults_are_those_of_the_vendors_page(described: dict[str, Any]) -> None:
    known = {name: message(described, name) for name in MADE.values()}
    assert {(name, path): known[name][path]["default"] for name, path in DEFAULTS} == DEFAULTS


def test_what_is_needed_is_marked(described: dict[str, Any]) -> None:
    schemas = described["components"]["schemas"]
    assert schemas["NewJob"]["required"] == ["Name", "JobType", "StartTime", "DiscoveryTargets"]
    assert schemas["NewDeployment"]["required"] == ["CustomPatchListId", "StartTime"]
    assert schemas["RangeIpTarget-Input"]["required"] == ["StartIp", "EndIp"]
    job_type = schemas["NewJob"]["properties"]["JobType"]
    assert (job_type["minimum"], job_type["maximum"]) == (1, 3)


def test_every_option_of_a_discovery_says_what_it_does(described: dict[str, Any]) -> None:
    options = described["components"]["schemas"]["JobDiscoveryOptions-Input"]["properties"]
    assert len(options) == 8
    assert [name for name, one in options.items() if "description" not in one] == []


def test_the_examples_are_taken_as_they_stand(ies: Client, described: dict[str, Any]) -> None:
    login = described["paths"][f"{BASE}/Authentication/Login"]["post"]["requestBody"]["content"]["application/json"]
    name = login["schema"]["$ref"].rpartition("/")[2]
    example = described["components"]["schemas"][name]["example"]
    assert ies.session.post(f"{URL}/Authentication/Login", json=example).status_code == 200
    for path in ("Jobs", "CustomPatchLists"):
        answer = ies.call("POST", path, json.dumps(body(described, path)["example"]).encode())
        assert answer.status_code == 201, answer.text
        assert ies.got(f"{path}({answer.json()['Id']})")["Name"] == answer.json()["Name"]
    # A deployment names what is there by numbers, which are others here.
    deployment = json.loads(body(described, "DeploymentGroups")["example"]["value"])
    made = ies.made("DeploymentGroups", {**deployment, "CustomPatchListId": 1, "GroupIds": [GROUP]})
    assert made["Reboot"]["RebootWithin"] == deployment["Reboot"]["RebootWithin"]


def test_the_examples_of_members_are_taken(ies: Client, described: dict[str, Any]) -> None:
    targets: dict[str, list[dict[str, Any]]] = {}
    for path, one in message(described, "NewJob").items():
        if path.startswith("DiscoveryTargets/") and one.get("examples"):
            _, kind, member = path.split("/")
            targets.setdefault(kind, [{}])[0][member] = one["examples"][0]
    assert targets.keys() == {"SingleIpTargets", "RangeIpTargets", "ComputerNameTargets", "ActiveDirectoryTargets"}
    example = {**described["components"]["schemas"]["NewJob"]["example"], "DiscoveryTargets": targets}
    shown = ies.made("Jobs", example)["DiscoveryTargets"]
    for kind, (target,) in targets.items():
        assert target.items() <= shown[kind][0].items()


def test_answers_have_the_members_that_are_described(ies: Client, described: dict[str, Any]) -> None:
    made = {
        "JobEntity": ies.call("POST", "Jobs", json.dumps(body(described, "Jobs")["example"]).encode()).json(),
        "DeploymentEntity": ies.made("DeploymentGroups", ies_seed.DEPLOYMENT),
        "EndpointEntity": ies.got(f"Endpoints({ies.got('Endpoints')['value'][0]['Guid']})"),
        "GroupEntity": ies.got(f"Groups({GROUP})"),
        "PatchListEntity": ies.got("CustomPatchLists(1)"),
    }
    for name, shown in made.items():
        assert list(shown) == list(described["components"]["schemas"][name]["properties"]), name
    assert sample_members(made["JobEntity"]) <= message(described, "JobEntity").keys()
    assert sample_members(made["DeploymentEntity"]) <= message(described, "DeploymentEntity").keys()


def test_what_happens_once_for_a_key_says_so(described: dict[str, Any]) -> None:
    found = {
        (verb, path.removeprefix(f"{BASE}/"))
        for path, item in described["paths"].items()
        for verb, operation in item.items()
        if any(one["in"] == "header" for one in operation.get("parameters", ()))
    }
    assert found == {("post", name) for name in MADE}


def test_each_operation_stands_under_a_heading(described: dict[str, Any]) -> None:
    headings = ["Authentication", *KEYED, "Modules and policies"]
    assert [one["name"] for one in described["tags"]] == headings
    assert {tag for item in described["paths"].values() for one in item.values() for tag in one["tags"]} == {*headings}
