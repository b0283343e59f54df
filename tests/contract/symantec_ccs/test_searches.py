"""Searches: jobs, assets, asset groups and standards by their attributes; results of evaluations."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from ccs_world import APACHE, GROUP, STANDARD, UNIX, Client
from job_world import a_request, lease, on, report

from dispatcher.core.jobs import When
from dispatcher.core.permissions import SYSTEM
from dispatcher.core.schedules import RecurrenceRequest
from dispatcher.core.states import Event
from dispatcher.services.hall import Hall
from dispatcher.services.reporting import RunFinished, RunStarted, TaskFinished, TaskStarted

CHECK = "7673bba8-1933-41ce-98d8-7fa7cca60c9f"


@pytest.fixture
def jobs(ccs: Client, clock: Any) -> dict[str, str]:
    """Three jobs, by their names."""
    found = {}
    for name, job_type in [
        ("Online-Normal std-AL", "CollectionJob"),
        ("Nightly, web", "EvaluationJob"),
        ("Nightly & more", "CollectionEvaluationJob"),
    ]:
        found[name] = ccs.created(name, JobType=job_type)
        clock.turn(timedelta(minutes=1))
    return found


def names(ccs: Client, query: str) -> list[str]:
    answer = ccs.call("GET", f"/Jobs?{query}")
    assert answer.status_code == 200, answer.text
    return [job["JobName"] for job in answer.json()]


def test_by_its_exact_name(ccs: Client, jobs: dict[str, str]) -> None:
    name = "Online-Normal std-AL"
    answer = ccs.call("GET", "/Jobs", params={"jobname": name})
    assert (answer.status_code, answer.json()["JobID"]) == (200, jobs[name])
    # As the vendor's page prints it.
    assert ccs.call("GET", "/jobs?/jobname=Nightly%20%26%20more").json()["JobName"] == "Nightly & more"
    assert ccs.call("GET", "/JOBS/", params={"JobName": "nightly, WEB"}).json()["JobName"] == "Nightly, web"
    answer = ccs.call("GET", "/Jobs", params={"jobname": "Nightly"})
    assert (answer.status_code, answer.json()) == (400, {"Message": "no job Nightly"})


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", [0, 1, 2]),
        ("(Attributes=JobName = Online-Normal std-AL)&page=0&pagesize=10", [0]),
        ("Attributes=JobName%20StartsWith%20nightly", [1, 2]),
        ("attributes=(JobName+Contains+web)", [1]),
        ("(Attributes=JobName = Nightly, web, JobType = EvaluationJob)", [1]),
        ("(Attributes=JobName StartsWith Nightly, JobType = EvaluationJob)", [1]),
        ("Attributes=JobName = *al*", [0]),
        ("Attributes=JobCategory Contains collection", [0, 2]),
        ("Attributes=LastRunStatus = 0", [0, 1, 2]),
        ("Attributes=LastRunStatus = None", [0, 1, 2]),
        ("Attributes=LastRunStatus = Completed", []),
        ("Attributes=JobCreationTime StartsWith 2026-03-01T12:01", [1]),
        ("(Attributes=JobName = *)&page=1&pagesize=2", [2]),
        ("(Attributes=JobName = *)&PAGE=7&PageSize=2", []),
    ],
)
def test_by_attributes(ccs: Client, jobs: dict[str, str], query: str, found: list[int]) -> None:
    assert names(ccs, query) == [[*jobs][place] for place in found]


def test_by_id(ccs: Client, jobs: dict[str, str]) -> None:
    for name, job_id in jobs.items():
        assert names(ccs, f"Attributes=JobID = {job_id.upper()}") == [name]
        assert ccs.call("GET", f"//jobs/{job_id}/").json()["JobName"] == name


@pytest.mark.parametrize(
    "query",
    [
        "Attributes=Owner = ann",
        "Attributes=JobName",
        "Attributes=JobName is x",
        "Attributes== x",
        "page=-1",
        "pagesize=0",
        "pagesize=1001",
        "page=x",
        "Attributes=" + ",".join(["JobName = a"] * 51),
        "&".join(["a=b"] * 101),
    ],
)
def test_what_is_no_search_is_refused(ccs: Client, query: str) -> None:
    answer = ccs.call("GET", f"/Jobs?{query}")
    assert (answer.status_code, list(answer.json())) == (400, ["Message"])


@pytest.mark.parametrize("path", ["/jobs/x", "/jobs/0b3b6ac7-acc9-42f1-9db9-bf89d7bd6e16", "/jobs/x/jobruns"])
def test_an_unknown_job_is_a_bad_request(ccs: Client, path: str) -> None:
    answer = ccs.call("GET", path)
    assert (answer.status_code, list(answer.json())) == (400, ["Message"])


@pytest.mark.parametrize(
    ("params", "found"),
    [
        ({}, ["db-01", "web-01"]),
        ({"attributes": "displayname Contains db"}, ["db-01"]),
        ({"attributes": f"({UNIX.lower()}-OSSystem Contains linux, displayname StartsWith DB)"}, ["db-01"]),
        ({"attributes": f"{UNIX}-IPAddresses = 10.211.64.*"}, ["db-01"]),
        (
            {"attributes": "(displayName = *)", "ContainerPath": "asset system", "SearchSubTree": "True"},
            ["db-01", "web-01"],
        ),
        ({"attributes": "(displayName = *)", "page": "1", "pagesize": "1"}, ["web-01"]),
        ({"attributes": "nothing = x"}, []),
    ],
)
def test_assets(ccs: Client, enrol: Any, params: dict[str, str], found: list[str]) -> None:
    enrol("web-01", os="windows")
    answer = ccs.call("GET", "/Assets", params=params).json()
    assert [one["DisplayName"] for one in answer["assetDataList"]] == found
    assert answer["TotalPages"] == (2 if "page" in params else min(1, len(found)))


@pytest.mark.parametrize(
    ("folder", "subtree", "assets", "groups"),
    [
        # As in the vendor's SearchAssets.py: an asset of a team is not below the root only.
        ("asset system", "false", ["db-01", "web-01"], ["All DB2 servers"]),
        ("Asset System", "True", ["db-01", "web-01"], ["All DB2 servers", "Web servers"]),
        ("asset system\\web servers", "false", ["web-01"], []),
        ("Asset system\\Sites", "false", [], []),
        ("/Asset system/Sites/Berlin/", "false", [], ["Web servers"]),
        ("sites", "true", [], ["Web servers"]),
        ("standards", "true", [], []),
        ("Asset system\\web", "true", [], []),
    ],
)
def test_assets_and_groups_in_a_folder(
    ccs: Client,
    load_library: Any,
    folder: str,
    subtree: str,
    assets: list[str],
    groups: list[str],
) -> None:
    load_library(
        "teams: [{name: Web servers, folder: Sites/Berlin}]\nagents: [{name: web-01, primary_team: Web servers}]"
    )
    params = {"ContainerPath": folder, "searchsubtree": subtree}
    found = ccs.call("GET", "/Assets", params=params).json()
    assert [one["DisplayName"] for one in found["assetDataList"]] == assets
    assert found["TotalCount"] == len(assets)
    found = ccs.call("GET", "/AssetGroup", params=params).json()
    assert [one["DisplayName"] for one in found["assetGroupDataList"]] == groups


def test_an_asset_with_its_attributes(ccs: Client, agent: UUID) -> None:
    [listed] = ccs.call("GET", "/Assets").json()["assetDataList"]
    assert listed == {"Id": str(agent), "DisplayName": "db-01", "Type": UNIX, "Path": "Asset system"}
    details = ccs.call("GET", f"/Assets/{str(agent).upper()}").json()
    assert (details["ID"], details["Type"]["Name"]) == (str(agent), UNIX)
    attributes = {one["Name"]: one["Values"] if one["IsMultiValued"] else one["Value"] for one in details["Attributes"]}
    assert attributes[f"{UNIX}-HostMachine"] == "db-01"
    assert attributes[f"{UNIX}-IPAddresses"] == ["10.211.64.7"]
    assert attributes["whenCreated"] == "2026-03-01T12:00:00.0000000Z"
    assert ccs.call("GET", f"/Assets/{GROUP}").status_code == 400


def test_asset_groups(ccs: Client, enrol: Any) -> None:
    enrol("web-01", os="windows")
    found = ccs.call("GET", "/AssetGroup", params={"Attributes": "(displayName = All DB2 *)"}).json()
    assert [one["Id"] for one in found["assetGroupDataList"]] == [GROUP]
    assert ccs.call("GET", f"/AssetGroup/{GROUP}").json()["DisplayName"] == "All DB2 servers"
    members = ccs.call("GET", f"/assetgroup/{GROUP}/assets").json()["assetDataList"]
    assert [one["DisplayName"] for one in members] == ["db-01"]
    for path in (f"/AssetGroup/{STANDARD}", f"/AssetGroup/{STANDARD}/Assets", "/AssetGroup/x"):
        assert ccs.call("GET", path).status_code == 400


@pytest.mark.parametrize(
    ("params", "found"),
    [
        ({"attributes": "displayName Contains red hat", "ContainerPath": "standards\\predefined\\unix"}, [STANDARD]),
        ({"attributes": "displayName = *", "ContainerPath": "standards\\predefined\\unix"}, [STANDARD]),
        (
            {"attributes": "", "ContainerPath": "standards\\predefined\\unix", "Searchsubtree": "true"},
            [APACHE, STANDARD],
        ),
        ({"attributes": "displayName Contains CIS,Symc-Standard-Author=symantec"}, []),
        ({"ContainerPath": "standards", "Searchsubtree": "false"}, []),
        ({"ContainerPath": "Standards", "Searchsubtree": "TRUE"}, [APACHE, STANDARD]),
        ({"ContainerPath": "predefined/unix/web"}, [APACHE]),
    ],
)
def test_standards(ccs: Client, params: dict[str, str], found: list[str]) -> None:
    answer = ccs.call("GET", "/Standards", params=params).json()
    assert [one["Id"] for one in answer["standardDataList"]] == found


def test_a_standard_says_where_it_is(ccs: Client) -> None:
    [found] = ccs.call("GET", "/Standards", params={"attributes": "id = " + STANDARD}).json()["standardDataList"]
    assert found["Path"] == "Standards\\Predefined\\UNIX"
    assert (found["Description"], found["Version"]) == ("What a server must have", "1.0.0")


@pytest.fixture
def evaluated(ccs: Client, hall: Hall, agent: UUID, clock: Any) -> str:
    """A run in which one check has passed, and one failed."""
    job_id = ccs.created(Standards=[APACHE, STANDARD])
    run_id = ccs.operate(job_id, "execute").json()["JobRunID"]
    [leased] = lease(hall, agent, 1)
    events: list[Any] = [RunStarted(clock())]
    for position, end in enumerate([Event.COMPLETE, Event.COMPLETE, Event.FAIL]):
        events.append(TaskStarted(position, clock()))
        events.append(TaskFinished(position, clock(), end, exit_code=0))
    report(hall, agent, leased, *events, RunFinished(clock(), Event.COMPLETE_WITH_ERRORS))
    return str(run_id)


def test_a_result_has_the_checks_of_the_standard(ccs: Client, agent: UUID, evaluated: str) -> None:
    wanted = {"assetid": str(agent).upper(), "standardid": STANDARD, "jobrunid": evaluated}
    found = ccs.call("POST", "/Results", wanted).json()["RawEvaluationResult"]
    assert (found["Standard Name"], found["JobRunID"], found["Asset Name"]) == ("CIS Red Hat 9", evaluated, "db-01")
    assert [(one["CheckID"], one["Check name"]) for one in found["Passed Checks"]] == [(CHECK, "password age")]
    assert [one["Check name"] for one in found["Failed Checks"]] == ["open ports"]
    assert (found["NotApplicable Checks"], found["Exempted Checks"]) == ([], [])
    assert found["Compliance Statistics"]["Compliance score"] == 50


def test_without_a_run_the_latest_result_counts(ccs: Client, agent: UUID, evaluated: str) -> None:
    wanted: dict[str, Any] = {"assetid": str(agent), "standardid": APACHE.upper()}
    found = ccs.call("POST", "/Results", wanted).json()["RawEvaluationResult"]
    assert (found["JobRunID"], len(found["Passed Checks"])) == (evaluated, 1)
    assert ccs.call("POST", "/Results", {**wanted, "standardversion": "1.0.0"}).status_code == 200
    assert ccs.call("POST", "/Results", {**wanted, "standardversion": "1.3.0"}).status_code == 400
    checks = ccs.call("POST", "/Results", {**wanted, "checkidlist": [CHECK]}).json()["RawEvaluationResult"]
    assert checks["Passed Checks"] == []


def test_what_was_not_evaluated_has_no_result(ccs: Client, agent: UUID, enrol: Any) -> None:
    for wanted in (
        {"assetid": str(agent), "standardid": STANDARD},
        {"assetid": str(agent), "standardid": STANDARD, "jobrunid": GROUP},
        {"assetid": str(agent), "standardid": STANDARD, "jobrunid": "x"},
        {"assetid": "x", "standardid": STANDARD},
        {"assetid": str(agent), "standardid": "x"},
        {"assetid": str(agent)},
        {},
    ):
        answer = ccs.call("POST", "/Results", wanted)
        assert (answer.status_code, list(answer.json())) == (400, ["Message"]), wanted


def test_jobs_of_other_dialects_have_properties_only(ccs: Client, hall: Hall, agent: UUID, clock: Any) -> None:
    mine = ccs.created("Mine")
    when = When(recurrence=RecurrenceRequest("DTSTART:20260301T130000Z\nRRULE:FREQ=DAILY"))
    module = UUID(STANDARD)
    other = hall.scheduling.submit(a_request(module, who=on(agent), when=when, description="Theirs"), SYSTEM)
    hall.scheduling.submit(a_request(module, who=on(agent), description="Once"), SYSTEM)

    assert names(ccs, "") == ["Mine", "Theirs"]
    assert names(ccs, "Attributes=JobType = Other") == ["Theirs"]
    job = ccs.call("GET", "/Jobs?jobname=theirs").json()
    assert (job["JobID"], job["JobType"], job["JobDetails"], job["JobCreatedBy"]) == (
        str(other.id),
        "Other",
        None,
        "system",
    )
    assert ccs.call("GET", f"/Jobs/{other.id}").json() == job

    run_id = ccs.operate(str(other.id), "execute").json()["JobRunID"]
    assert [run["JobRunID"] for run in ccs.runs(str(other.id))] == [run_id]
    assert names(ccs, "Attributes=LastRunStatus = Pending") == ["Theirs"]
    assert ccs.operate(run_id, "abort").status_code == 204
    for answer in (
        ccs.call("PATCH", "/jobs", {"JobID": str(other.id), "JobDetails": {"JobName": "x"}}),
        ccs.call("DELETE", f"/jobs?jobid={other.id}"),
    ):
        assert answer.status_code == 400
    assert ccs.call("DELETE", f"/jobs?jobid={mine}").status_code == 204
