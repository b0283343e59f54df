"""SOAP clients: zeep and suds make proxies from each form of the WSDL and work with them, unchanged."""

from __future__ import annotations

import io
import warnings
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
import zeep
from suds.client import Client
from suds.transport import Reply, Transport
from suds.transport import Request as SudsRequest

from dispatcher.bindings.ivanti_automation.binding import IvantiAutomation
from dispatcher.core.permissions import SYSTEM
from dispatcher.wire.http import Request, Response

ADDRESS = "http://dispatcher.example/Dispatcher/SchedulingService/"
DATA = "{http://schemas.datacontract.org/2004/07/Dispatcher.WebApi}"
PATCH = "{5CF59E5A-343C-4D85-A83C-8B18E4731040}"
DONE = "{55D1E5FD-CD92-481E-ABDB-62ED86288D1F}"
AGENT = "{6AE2E5B5-D5C8-4728-A10A-12E25BD5F995}"
RING_1 = "{6AE2E5B5-D5C8-4728-A10A-12E25BD5F9AA}"
PATCH_RING = "{0A8B2C4D-0000-4000-8000-00000000B00C}"
FORMS = ["?wsdl", "?singleWsdl", "soap?WSDL"]


def answer(binding: IvantiAutomation, method: str, url: str, headers: dict[str, str], body: bytes) -> Response:
    parts = urlsplit(url)
    assert parts.netloc == "dispatcher.example", f"the client leaves the house: {url}"
    lower = {name.lower(): value for name, value in headers.items()}
    return binding(Request(method, parts.path, parts.query, lower, body, host=parts.netloc, caller=SYSTEM))


class ZeepTransport(zeep.Transport):
    """Hands zeep's requests to the binding."""

    def __init__(self, binding: IvantiAutomation) -> None:
        super().__init__()
        self._binding = binding

    def load(self, url: str) -> bytes:
        return answer(self._binding, "GET", url, {}, b"").body

    def post(self, address: str, message: bytes, headers: dict[str, str]) -> requests.Response:
        found = answer(self._binding, "POST", address, headers, message)
        response = requests.Response()
        response.status_code = found.status
        response.headers["Content-Type"] = found.content_type
        response._content = found.body
        return response


class SudsTransport(Transport):  # type: ignore[misc]
    """Hands suds's requests to the binding."""

    def __init__(self, binding: IvantiAutomation) -> None:
        super().__init__()
        self._binding = binding

    def open(self, request: SudsRequest) -> io.BytesIO:
        return io.BytesIO(answer(self._binding, "GET", request.url, {}, b"").body)

    def send(self, request: SudsRequest) -> Reply:
        found = answer(self._binding, "POST", request.url, request.headers, request.message)
        return Reply(found.status, {"content-type": found.content_type}, found.body)


@pytest.fixture(params=FORMS)
def zeep_client(request: pytest.FixtureRequest, binding: IvantiAutomation) -> zeep.Client:
    return zeep.Client(ADDRESS + request.param, transport=ZeepTransport(binding))


@pytest.fixture(params=FORMS)
def suds_client(request: pytest.FixtureRequest, binding: IvantiAutomation) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return Client(ADDRESS + request.param, transport=SudsTransport(binding), cache=None)


def test_zeep_schedules_and_reads_back(zeep_client: zeep.Client) -> None:
    job = {
        "Description": "Ring <1> & é",
        "What": {"JobWhat": [{"ID": PATCH, "Type": "Module"}]},
        "Who": {"JobWho": [{"ID": "PC-042", "Type": "Agent"}]},
        "When": {"Immediate": False, "ScheduledDateTime": datetime(2026, 1, 1, 6, tzinfo=UTC)},
    }

    scheduled = zeep_client.service.ScheduleJob(job)
    found = zeep_client.service.GetJob(scheduled.JobID)

    assert found.Description == "Ring <1> & é"
    assert (found.Status.Type, found.Status.JobInvoker, found.Status.StopDateTime) == ("Scheduled", "InvokeUser", None)
    assert found.When.ScheduledDateTime == datetime(2026, 1, 1, 6)  # noqa: DTZ001 - without a zone on the wire
    assert found.Parameters.ParameterContainer[0].JobParameters.JobParameter[0].Value1 == "1"


def test_zeep_reads_lists_pages_and_results(zeep_client: zeep.Client) -> None:
    page = zeep_client.service.GetJobs("History", False, False, 1, 10)
    results = zeep_client.service.ExportJobResults(DONE, True, True)

    assert [job.JobID for job in page.Items.Job] == [DONE]
    assert [what.Name for what in zeep_client.service.GetModules()] == ["Patch", "Restart"]
    assert zeep_client.service.GetProjects() is None
    assert [who.Type for who in zeep_client.service.GetWho()] == ["Agent", "Team"]
    assert results.decode("utf-16-le").startswith("<?xml")


def test_zeep_raises_the_fault_with_our_text(zeep_client: zeep.Client) -> None:
    with pytest.raises(zeep.exceptions.Fault, match="jobId: a GUID is missing"):
        zeep_client.service.GetJob()


def test_zeep_works_over_soap_12_too(zeep_client: zeep.Client) -> None:
    service = zeep_client.bind("SchedulingService", "CustomBinding_ISchedulingService")

    assert service.GetJob(DONE).JobID == DONE
    with pytest.raises(zeep.exceptions.Fault, match="no job"):
        service.GetJob("{00000000-0000-0000-0000-0000000000FF}")


def test_zeep_reads_reports_and_run_book_jobs(zeep_client: zeep.Client) -> None:
    what = {"JobWhat": [{"ID": PATCH_RING, "Type": "RunBook"}]}
    book = zeep_client.service.ScheduleJob({"What": what, "Who": {"JobWho": [{"ID": AGENT}]}})
    (team,) = zeep_client.service.GetTeamsReport()
    (job,) = zeep_client.service.GetJobUsageReport("20251009085320", "20251009085320")[:1]
    found = zeep_client.service.GetRunBookJob(book.JobID)

    assert (found.JobID, found.IsRunBookJob) == (book.JobID, True)
    assert [step.Description for step in found.Jobs.Job] == ["first"]
    assert (team.Name, [agent.Name for agent in team.Agents.JobWho]) == ("Ring 1", ["PC-042"])
    assert (job.JobID, job.Status, job.What.JobWhat[0].Name) == (DONE, "Completed", "Patch")


def test_zeep_changes_memberships_and_removes_an_agent(zeep_client: zeep.Client) -> None:
    change, service = {"Action": "Remove", "ID": RING_1}, zeep_client.service
    left = service.ChangeAgentMembership({"Agent": {"ID": AGENT}, "Teams": {"TeamChange": [change]}})
    joined = service.ChangeTeamMembership({"TeamID": RING_1, "AddAgents": {"string": [AGENT]}})

    assert ([who.Name for who in left], [who.Name for who in joined]) == (["Ring 1"], ["PC-042"])
    assert [who.ID for who in service.RemoveAgent({"AgentID": AGENT})] == [AGENT]
    assert [who.Type for who in service.GetWho()] == ["Team"]


def test_suds_schedules_and_reads_back(suds_client: Any) -> None:
    job = {
        "Description": "Over suds",
        "What": {"JobWhat": [{"ID": PATCH, "Type": "Module"}]},
        "When": {"Immediate": True},
        "Who": {"JobWho": [{"ID": "PC-042", "Type": "Agent"}]},
    }

    scheduled = suds_client.service.ScheduleJob(job)

    assert scheduled.Status.Type == "Active"
    assert suds_client.service.GetJob(scheduled.JobID).Description == "Over suds"


def test_suds_reads_lists_and_aborts(suds_client: Any) -> None:
    status = suds_client.factory.create(f"{DATA}JobStatus")
    status.Type = "Aborting"

    assert [what.Name for what in suds_client.service.GetModules().JobWhat] == ["Patch", "Restart"]
    assert suds_client.service.GetJobs(stage="All").TotalCount == 1
    assert suds_client.service.UpdateJobStatus(DONE, status).Status.Type == "Completed"


def test_suds_reads_reports_and_run_book_jobs(suds_client: Any) -> None:
    what = {"JobWhat": [{"ID": PATCH_RING, "Type": "RunBook"}]}
    book = suds_client.service.ScheduleJob({"What": what, "Who": {"JobWho": [{"ID": AGENT}]}})

    assert [step.Description for step in suds_client.service.GetRunBookJob(book.JobID).Jobs.Job] == ["first"]
    assert suds_client.service.GetTeamsReport().TeamReport[0].Agents.JobWho[0].Name == "PC-042"
    usage = suds_client.service.GetJobUsageReport(start="20251009085320", stop="20251009085320")
    assert DONE in [job.JobID for job in usage.JobUsage]


def test_suds_changes_memberships_and_removes_an_agent(suds_client: Any) -> None:
    service = suds_client.service

    assert service.ChangeAgentMembership({"AgentID": AGENT, "RemoveTeams": {"string": [RING_1]}}).JobWho[0].ID == RING_1
    change = {"Action": "Add", "ID": AGENT, "SetAsPrimary": True}
    assert service.ChangeTeamMembership({"TeamID": RING_1, "Agents": {"TeamChange": [change]}}).JobWho[0].ID == AGENT
    assert service.RemoveAgent({"Name": "PC-042", "RemoveJobHistory": True}).JobWho[0].ID == AGENT
