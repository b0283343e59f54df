"""suds, over a socket: the whole life of a job. It speaks SOAP 1.1 only, and waits for the challenge to log in."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
from client_world import COUNT, LOGIN, MISTAKEN, PASSWORD, SLEEP, document_of, wait_until
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

    assert modules(LOGIN, PASSWORD) == ["Count", "Sleep"]
    with pytest.raises(Exception, match="401"):  # it has no class of its own for this
        modules(MISTAKEN, "wrong")
