"""zeep, over a socket: the whole life of a job, from both forms of the WSDL, in both versions of SOAP."""

from __future__ import annotations

from typing import Any

import pytest
import requests
import zeep
from client_world import COUNT, LOGIN, MISTAKEN, MODULES, PASSWORD, SLEEP, TEAM, TWICE, document_of, wait_until
from requests.auth import HTTPBasicAuth
from zeep.transports import Transport

BINDINGS = {"1.1": "BasicHttpBinding_ISchedulingService", "1.2": "CustomBinding_ISchedulingService"}


@pytest.fixture(params=["/?wsdl", "/?singleWsdl", "/soap?wsdl", "?singleWsdl"])
def client(request: pytest.FixtureRequest, server: Any) -> zeep.Client:
    return zeep.Client(server.service + request.param)


@pytest.fixture(params=BINDINGS)
def service(request: pytest.FixtureRequest, client: zeep.Client) -> Any:
    return client.bind("SchedulingService", BINDINGS[request.param])


def job(what: str, agent: str, **members: Any) -> dict[str, Any]:
    return {
        "Description": "zeep <&> é",
        "What": {"JobWhat": [{"ID": what, "Type": "Module"}]},
        "When": {"Immediate": True},
        "Who": {"JobWho": [{"ID": agent, "Type": "Agent"}]},
        **members,
    }


def test_job_from_schedule_to_result(service: Any, agent: str) -> None:
    parameters = service.GetInputParameters("Module", COUNT)
    text, _ = parameters.JobParameters.JobParameter
    text.Value1 = "zeep <&> é"

    scheduled = service.ScheduleJob(job(COUNT, agent, Parameters={"ParameterContainer": [parameters]}))
    listed = [one.JobID for one in service.GetJobs("All", True, True, 1, 500).Items.Job]
    wait_until(lambda: str(service.GetJob(scheduled.JobID).Status.Type), "Completed")
    found = service.GetJob(scheduled.JobID)
    root = document_of(service.ExportJobResults(scheduled.JobID, True, True))

    assert scheduled.JobID in listed
    assert found.Description == "zeep <&> é"
    assert found.Status.StopDateTime >= found.Status.StartDateTime
    assert root.xpath("string(masterjobresult/status)") == "Completed"
    assert root.xpath("//task/results/agent/result/status/text()") == ["Completed"]
    assert "<zeep <&> é>" in root.xpath("string(//task/results/agent/result)")


def test_job_that_fails(service: Any, agent: str) -> None:
    parameters = service.GetInputParameters("Module", COUNT)
    parameters.JobParameters.JobParameter[1].Value1 = "7"

    scheduled = service.ScheduleJob(job(COUNT, agent, Parameters={"ParameterContainer": [parameters]}))
    wait_until(lambda: str(service.GetJob(scheduled.JobID).Status.Type), "Failed")

    root = document_of(service.ExportJobResults(scheduled.JobID, False, True))
    assert root.xpath("//task/results/agent/result/status/text()") == ["Failed"]


def test_job_that_is_aborted(service: Any, agent: str) -> None:
    scheduled = service.ScheduleJob(job(SLEEP, agent))
    wait_until(lambda: str(service.GetJob(scheduled.JobID).Status.Type), "Active")

    changed = service.UpdateJobStatus(scheduled.JobID, {"Type": "Aborting"})

    assert changed.Status.Type in ("Aborting", "Aborted")
    wait_until(lambda: str(service.GetJob(scheduled.JobID).Status.Type), "Aborted")


def test_run_book_job_and_what_ran(service: Any, agent: str) -> None:
    scheduled = service.ScheduleJob(job(TWICE, agent, What={"JobWhat": [{"ID": TWICE, "Type": "RunBook"}]}))
    wait_until(lambda: str(service.GetRunBookJob(scheduled.JobID).Status.Type), "Completed")
    found = service.GetRunBookJob(scheduled.JobID)
    start, stop = (f"{moment:%Y%m%d%H%M%S}" for moment in (found.Status.StartDateTime, found.Status.StopDateTime))
    ran = [one.JobID for one in service.GetJobUsageReport(start, stop)]

    assert [step.Description for step in found.Jobs.Job] == ["first", "second"]
    assert {step.Status.Type for step in found.Jobs.Job} == {"Completed"}
    assert scheduled.JobID in ran
    assert not {step.JobID for step in found.Jobs.Job} & set(ran)


def test_agent_joins_and_leaves_a_team(service: Any, agent: str) -> None:
    def members() -> list[str]:
        teams = {team.ID: team.Agents for team in service.GetTeamsReport()}
        return [who.ID for who in teams[TEAM].JobWho] if teams[TEAM] else []

    change = {"Action": "Add", "ID": TEAM, "SetAsPrimary": True}
    joined = service.ChangeAgentMembership({"Agent": {"ID": agent}, "Teams": {"TeamChange": [change]}})
    assert ([who.ID for who in joined], members()) == ([TEAM], [agent])
    left = service.ChangeTeamMembership({"TeamID": TEAM, "RemoveAgents": {"string": [agent]}})
    assert ([(who.ID, who.IsOnline) for who in left], members()) == ([(agent, True)], [])


def test_agent_that_is_online_is_not_removed(service: Any, agent: str) -> None:
    with pytest.raises(zeep.exceptions.Fault, match="cannot be removed: it is online") as refused:
        service.RemoveAgent({"ID": agent})
    assert refused.value.detail.findtext(".//{*}Type") == "agent.busy"


@pytest.mark.parametrize("version", BINDINGS)
def test_agent_is_removed(server: Any, version: str) -> None:
    service = zeep.Client(f"{server.service}/?wsdl").bind("SchedulingService", BINDINGS[version])
    name = f"spare of zeep {version}"

    assert [who.Name for who in service.RemoveAgent({"Agent": {"Name": name}, "RemoveJobHistory": True})] == [name]
    assert name not in [who.Name for who in service.GetWho()]


def test_fault_has_our_text_and_its_detail(service: Any, agent: str) -> None:
    with pytest.raises(zeep.exceptions.Fault) as unknown:
        service.GetJob("{00000000-0000-4000-8000-0000000000FF}")
    with pytest.raises(zeep.exceptions.Fault, match=r"What\[0\]/ID: 'x' is no GUID"):
        service.ScheduleJob(job("x", agent))

    assert unknown.value.message == "no job 00000000-0000-4000-8000-0000000000ff"
    assert unknown.value.detail.findtext(".//{*}Type") == "job.not_found"


def test_description_needs_no_login_and_calls_do(guarded_server: Any) -> None:
    client = zeep.Client(f"{guarded_server.service}/?wsdl")

    with pytest.raises(zeep.exceptions.TransportError) as refused:
        client.service.GetModules()

    assert refused.value.status_code == 401


@pytest.mark.parametrize("version", BINDINGS)
def test_login_is_accepted_and_a_wrong_one_is_not(guarded_server: Any, version: str) -> None:
    def modules(login: str, password: str) -> list[str]:
        session = requests.Session()
        session.auth = HTTPBasicAuth(login.encode(), password.encode())
        client = zeep.Client(f"{guarded_server.service}/?singleWsdl", transport=Transport(session=session))
        return [what.Name for what in client.bind("SchedulingService", BINDINGS[version]).GetModules()]

    assert modules(LOGIN, PASSWORD) == MODULES
    with pytest.raises(zeep.exceptions.TransportError) as refused:
        modules(MISTAKEN, "wrong")
    assert refused.value.status_code == 401
