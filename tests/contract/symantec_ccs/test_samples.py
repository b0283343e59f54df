"""The published sample scripts, request by request with the headers that they send, and other dialects' view of it.

The scripts are python/*.py of the GitHub repository ykpatil/ccs-api-samples at e44d955; names and ids are our own.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
import requests
from ccs_world import STANDARD, UNIX, URL, InProcess
from job_world import lease, report, work_off

from dispatcher.bindings.ivanti_automation.binding import build
from dispatcher.core.permissions import SYSTEM
from dispatcher.core.states import Event
from dispatcher.services.hall import Hall
from dispatcher.services.reporting import Output, RunFinished, RunStarted, TaskFinished, TaskStarted
from dispatcher.web.app import WebApp
from dispatcher.wire.http import Request

JSON = {"Content-Type": "application/json"}
Script = Callable[..., requests.Response]


@pytest.fixture
def script(web: WebApp, agent: UUID) -> Script:
    """Run a script: each gets a token first, by a session of its own."""

    def run(
        method: str, path: str, payload: str | None = None, *, typed: bool = True, **query: str
    ) -> requests.Response:
        with requests.Session() as session:
            session.mount("https://", InProcess(web))
            form = "grant_type=password&username=" + "domain1\\administrator" + "&password=" + "pass@123" + ""
            token = session.request("POST", f"{URL}/oauth/tokens", data=form, headers=JSON, verify=False).json()
            headers = {"Authorization": "Bearer " + token["access_token"], **(JSON if typed else {})}
            return session.request(
                method, f"{URL}{path}", data=payload, headers=headers, params=query or None, verify=False
            )

    return run


def created(script: Script) -> tuple[str, str]:
    """Look for an asset and a standard, and make a job of them; return their ids."""
    # SearchAssets.py, with its advanced search; no content type.
    wanted = f"({UNIX.replace('Unix', 'unix')}-OSSystem Contains linux, displayname Contains db)"
    more = {"ContainerPath": "asset system", "searchsubtree": "false", "page": "0", "pagesize": "1"}
    [asset] = script("GET", "/Assets", typed=False, attributes=wanted, **more).json()["assetDataList"]

    # SearchStandards.py
    where = {"ContainerPath": "standards\\predefined\\unix", "Searchsubtree": "true"}
    answer = script("GET", "/Standards", attributes="displayName Contains red hat", **where)
    [standard] = answer.json()["standardDataList"]

    # CreateJob.py, its first payload
    payload = (
        f'{{"JobDetails":{{"AssetsResolutionInfo": [{{"Id": "{asset["Id"]}","Type": "{asset["Type"]}"}}],'
        f'"JobDescription": "Test CER Job","JobName": "Test_Job11","Standards": ["{standard["Id"]}"]}},'
        '"JobType":"CollectionEvaluationJob"}'
    )
    assert script("POST", "/jobs", payload).status_code == 200
    return asset["Id"], standard["Id"]


def test_the_scripts_in_their_order(script: Script, hall: Hall, agent: UUID, clock: Any) -> None:
    asset, standard = created(script)

    # SearchJobByName.py, SearchJobByID.py
    job = script("GET", "/Jobs", jobname="Test_Job11").json()
    assert script("GET", f"/Jobs/{job['JobID']}").json() == job

    # PerformJobOperation.py
    run = script("POST", f"/jobs/{job['JobID']}", '{\r\n"Operation":"execute"\r\n}\r\n').json()
    assert (run["JobID"], run["Status"]) == (job["JobID"], 2)

    # GetLatestNJobRuns.py; no content type
    work_off(hall, agent, clock())
    [latest] = script("GET", f"/Jobs/{job['JobID']}/jobruns", typed=False, count="1").json()
    assert (latest["JobRunID"], latest["Status"]) == (run["JobRunID"], 4)

    # GetEvaluationRawResults.py
    payload = '{"assetid" : "%s", "standardid" : "%s", "jobrunid" : "%s"}'
    answer = script("POST", "/Results", payload % (asset, standard, run["JobRunID"]))
    assert answer.json()["RawEvaluationResult"]["Standard Name"] == "CIS Red Hat 9"

    # PerformJobOperation.py again, now to abort
    run = script("POST", f"/jobs/{job['JobID']}", '{\r\n"Operation":"execute"\r\n}\r\n').json()
    answer = script("POST", f"/jobs/{run['JobRunID']}", '{\r\n"Operation":"abort"\r\n}\r\n')
    assert (answer.status_code, answer.content) == (204, b"")

    # UpdateJob.py, DeleteJob.py
    payload = '{"JobDetails":{"JobDescription": "Update Job Description","JobName": "Test_Job"},"JobID":"%s"}'
    assert script("PATCH", "/Jobs", payload % job["JobID"]).json()["JobName"] == "Test_Job"
    assert script("DELETE", "/Jobs", "\r", jobid=job["JobID"]).status_code == 204


def test_scheduling_service_shows_the_job_and_exports_the_result(
    script: Script, hall: Hall, agent: UUID, clock: Any
) -> None:
    details = {"AssetsResolutionInfo": [{"Id": str(agent)}], "JobName": "J", "Standards": [STANDARD]}
    payload = json.dumps({"JobDetails": details, "JobType": "CollectionJob"})
    job_id = script("POST", "/jobs", payload).json()["JobID"]
    run_id = script("POST", f"/jobs/{job_id}", '{"Operation":"execute"}').json()["JobRunID"]
    [leased] = lease(hall, agent, 1)
    work = [TaskStarted(0, clock()), Output(0, 0, b"14 days"), TaskFinished(0, clock(), Event.COMPLETE)]
    report(hall, agent, leased, RunStarted(clock()), *work, RunFinished(clock(), Event.COMPLETE))

    ivanti = build(hall, log=lambda *_, **__: None)

    def get(path: str) -> Any:
        path, _, query = path.partition("?")
        request = Request("GET", f"/Dispatcher/SchedulingService/{path}", query, {"accept": "application/json"})
        request.caller = SYSTEM
        answer = ivanti(request)
        assert answer.status == 200
        return json.loads(answer.body)

    shown = {key: get(f"jobs/{key}") for key in (job_id, run_id)}
    assert [(one["Description"], one["Status"]["Type"]) for one in shown.values()] == [("J", 0), ("J", 4)]
    assert "14 days" in bytes(get(f"jobs/{run_id}/results?detailed=true")["Xml"]).decode("utf-16")
