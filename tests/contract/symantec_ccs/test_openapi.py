"""The description of the API: it says what can be asked for, and what has to be said, as the server takes it."""

from __future__ import annotations

from typing import Any

import pytest
from ccs_world import STANDARD, Client

from dispatcher.bindings.symantec_ccs.binding import build
from dispatcher.services.hall import Hall
from dispatcher.wire.json_api.openapi import document
from dispatcher.wire.quotas import Quotas

BASE = "/ccs/api/v1"
PAGES = {"Attributes": False, "page": False, "pagesize": False}
FOLDERS = {**PAGES, "ContainerPath": False, "searchsubtree": False}
#: The words of each query, and whether they have to be there; contract 2.1.
QUERIES = {
    ("get", "jobs"): {**PAGES, "jobname": False},
    ("delete", "jobs"): {"jobid": True, "DeleteJob": False},
    ("get", "jobs/{job_id}/jobruns"): {"count": False, "showmessages": False},
    ("get", "Assets"): FOLDERS,
    ("get", "AssetGroup"): FOLDERS,
    ("get", "AssetGroup/{group_id}/Assets"): PAGES,
    ("get", "Standards"): FOLDERS,
}


@pytest.fixture
def described(hall: Hall) -> dict[str, Any]:
    return document(build(hall, log=lambda *_, **__: None, quotas=Quotas()))


def schema(described: dict[str, Any], reference: dict[str, Any]) -> dict[str, Any]:
    """Return the schema behind a reference, which may stand among the choices of a member."""
    chosen = next((one for one in [reference, *reference.get("anyOf", ())] if "$ref" in one), None)
    if chosen is None:
        return reference
    found: dict[str, Any] = described["components"]["schemas"][chosen["$ref"].rpartition("/")[2]]
    return found


def body(described: dict[str, Any], verb: str, path: str) -> dict[str, Any]:
    return schema(
        described, described["paths"][f"{BASE}/{path}"][verb]["requestBody"]["content"]["application/json"]["schema"]
    )


def test_searches_say_what_they_can_be_asked(described: dict[str, Any]) -> None:
    found = {
        (verb, path.removeprefix(f"{BASE}/")): {one["name"]: one["required"] for one in words}
        for path, item in described["paths"].items()
        for verb, operation in item.items()
        if (words := [one for one in operation.get("parameters", ()) if one["in"] == "query"])
    }
    assert found == QUERIES


@pytest.mark.parametrize("path", [path for verb, path in QUERIES if verb == "get" and "{" not in path])
def test_each_word_that_is_described_is_understood(ccs: Client, path: str) -> None:
    for word in QUERIES["get", path]:
        answers = [ccs.call("GET", f"/{path}?{word}={value}") for value in ("nobody", "-1")]
        if word in ("page", "pagesize", "searchsubtree", "Attributes", "jobname"):
            assert [answer.status_code for answer in answers] == [400, 400], word
        else:
            assert [answer.json()["TotalCount"] for answer in answers] == [0, 0]


def test_a_new_job_says_what_it_needs_and_a_changed_one_does_not(described: dict[str, Any]) -> None:
    new, changed = body(described, "post", "jobs"), body(described, "patch", "jobs")
    assert (new["required"], changed["required"]) == (["JobDetails", "JobType"], ["JobID"])
    details = schema(described, new["properties"]["JobDetails"])
    assert details["required"] == ["AssetsResolutionInfo", "JobName", "Standards"]
    assert "required" not in schema(described, changed["properties"]["JobDetails"])


def test_choices_are_named(described: dict[str, Any]) -> None:
    new, operate = body(described, "post", "jobs"), body(described, "post", "jobs/{job_id}")
    assert schema(described, new["properties"]["JobType"])["enum"] == [
        "CollectionEvaluationJob",
        "CollectionJob",
        "EvaluationJob",
    ]
    assert schema(described, operate["properties"]["Operation"])["enum"] == ["execute", "abort"]


def test_a_deletion_says_what_is_deleted(described: dict[str, Any]) -> None:
    words = {one["name"]: one for one in described["paths"][f"{BASE}/jobs"]["delete"]["parameters"]}
    assert words["DeleteJob"]["schema"]["default"] is True
    assert words["DeleteJob"]["description"] == "False: only its history is deleted, and the job stays."


def test_a_result_is_described(described: dict[str, Any]) -> None:
    answer = described["paths"][f"{BASE}/Results"]["post"]["responses"]["200"]["content"]["application/json"]["schema"]
    result = schema(described, schema(described, answer)["properties"]["RawEvaluationResult"])
    assert {"Standard Name", "Compliance Statistics", "Passed Checks", "JobRunID"} <= result["properties"].keys()


def test_the_examples_work(ccs: Client, described: dict[str, Any], agent: Any) -> None:
    example = body(described, "post", "jobs")["example"]
    assert example["JobDetails"]["Standards"] == [STANDARD]
    example["JobDetails"]["AssetsResolutionInfo"][0]["Id"] = str(agent)
    answer = ccs.call("POST", "/jobs", example)
    assert answer.status_code == 200
    change = {**body(described, "patch", "jobs")["example"], "JobID": answer.json()["JobID"]}
    assert ccs.call("PATCH", "/jobs", change).status_code == 200
    operate = body(described, "post", "jobs/{job_id}")["example"]
    assert ccs.call("POST", f"/jobs/{answer.json()['JobID']}", operate).status_code == 200


def test_what_happens_once_for_a_key_says_so(described: dict[str, Any]) -> None:
    found = {
        (verb, path.removeprefix(f"{BASE}/"), one["name"], one["required"])
        for path, item in described["paths"].items()
        for verb, operation in item.items()
        for one in operation.get("parameters", ())
        if one["in"] == "header"
    }
    assert found == {
        ("post", "jobs", "Idempotency-Key", False),
        ("post", "jobs/{job_id}", "Idempotency-Key", False),
    }


def test_each_operation_stands_under_a_heading(described: dict[str, Any]) -> None:
    tags = {tag for item in described["paths"].values() for one in item.values() for tag in one["tags"]}
    assert [one["name"] for one in described["tags"]] == ["Tokens", "Jobs", "Assets, standards and results"]
    assert tags == {"Tokens", "Jobs", "Assets, standards and results"}
