"""suds, over a socket: the whole life of a job. It speaks SOAP 1.1 only, and waits for the challenge to log in."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
from client_world import COUNT, LOGIN, MISTAKEN, MODULES, PASSWORD, SLEEP, TEAM, TWICE, document_of, wait_until
from suds import WebFault
from suds.client import Client
from suds.transport.http import HttpAuthenticated


def connect(address: str, **options: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return Client(address, cache=None, **options)


@pytest.fixture(params=["/?wsdl", "/?singleWsdl"])
def service(request: pytest.FixtureRequest, server: Any) -> Any:
    return connect(server.service + request.param).service


def job(what: str, agent: str, **members: Any) -> dict[str, Any]:
    return {
        "Description": "suds <&> é",
        "What": {"JobWhat": [{"ID": what, "Type": "Module"}]},
        "When": {"Immediate": True},
        "Who": {"JobWho": [{"ID": agent, "Type": "Agent"}]},
        **members,
    }


def test_job_from_schedule_to_result(service: Any, agent: str) -> None:
    parameters = service.GetInputParameters("Module", COUNT)
    parameters.JobParameters.JobParameter[0].Value1 = "suds <&> é"

    scheduled = service.ScheduleJob(job(COUNT, agent, Parameters={"ParameterContainer": [parameters]}))
    listed = [one.JobID for one in service.GetJobs(stage="All").Items.Job]
    wait_until(lambda: str(service.GetJob(scheduled.JobID).Status.Type), "Completed")
    root = document_of(str(service.ExportJobResults(scheduled.JobID, True, True).Xml))

    assert scheduled.JobID in listed
    assert service.GetJob(scheduled.JobID).Description == "suds <&> é"
    assert root.xpath("//task/results/agent/result/status/text()") == ["Completed"]
    assert "<suds <&> é>" in root.xpath("string(//task/results/agent/result)")


def test_job_that_is_aborted(service: Any, agent: str) -> None:
    scheduled = service.ScheduleJob(job(SLEEP, agent))
    wait_until(lambda: str(service.GetJob(scheduled.JobID).Status.Type), "Active")

    service.UpdateJobStatus(scheduled.JobID, {"Type": "Aborting"})

    wait_until(lambda: str(service.GetJob(scheduled.JobID).Status.Type), "Aborted")


def test_run_book_job_and_what_ran(service: Any, agent: str) -> None:
    scheduled = service.ScheduleJob(job(TWICE, agent, What={"JobWhat": [{"ID": TWICE, "Type": "RunBook"}]}))
    wait_until(lambda: str(service.GetRunBookJob(scheduled.JobID).Status.Type), "Completed")
    found = service.GetRunBookJob(scheduled.JobID)
    start, stop = (f"{moment:%Y%m%d%H%M%S}" for moment in (found.Status.StartDateTime, found.Status.StopDateTime))

    assert [str(step.Description) for step in found.Jobs.Job] == ["first", "second"]
    assert scheduled.JobID in [one.JobID for one in service.GetJobUsageReport(start, stop).JobUsage]


def test_agent_joins_and_leaves_a_team_and_stays_while_it_is_online(service: Any, agent: str) -> None:
    joined = service.ChangeAgentMembership({"AgentID": agent, "AddTeams": {"string": [TEAM]}})
    assert [who.ID for who in joined.JobWho] == [TEAM]
    (team,) = service.GetTeamsReport().TeamReport
    assert [who.ID for who in team.Agents.JobWho] == [agent]
    change = {"Action": "Remove", "ID": agent}
    left = service.ChangeTeamMembership({"Team": {"ID": TEAM}, "Agents": {"TeamChange": [change]}})
    assert [who.ID for who in left.JobWho] == [agent]
    with pytest.raises(WebFault, match="cannot be removed: it is online"):
        service.RemoveAgent({"AgentID": agent})


def test_agent_is_removed(server: Any) -> None:
    service = connect(f"{server.service}/?wsdl").service

    assert [str(who.Name) for who in service.RemoveAgent({"Name": "spare of suds"}).JobWho] == ["spare of suds"]
    assert "spare of suds" not in [who.Name for who in service.GetWho().JobWho]


def test_fault_has_our_text(service: Any, agent: str) -> None:
    with pytest.raises(WebFault, match="no job 00000000-0000-4000-8000-0000000000ff"):
        service.GetJob("{00000000-0000-4000-8000-0000000000FF}")
    with pytest.raises(WebFault, match="Who: "):
        service.ScheduleJob({**job(COUNT, agent), "Who": None})


def test_login_is_accepted_and_a_wrong_one_is_not(guarded_server: Any) -> None:
    def modules(login: str, password: str) -> list[str]:
        transport = HttpAuthenticated(username=login, password=password)
        service = connect(f"{guarded_server.service}/?wsdl", transport=transport).service
        return [str(what.Name) for what in service.GetModules().JobWhat]

    assert modules(LOGIN, PASSWORD) == MODULES
    with pytest.raises(Exception, match="401"):  # it has no class of its own for this
        modules(MISTAKEN, "wrong")
