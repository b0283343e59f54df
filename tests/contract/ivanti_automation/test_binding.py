"""The binding's own answers: challenge, help, WSDL, refusals."""

from __future__ import annotations

import json
import re
from functools import partial
from html import unescape
from pathlib import Path
from types import SimpleNamespace
from uuid import UUID

import pytest
from lxml import etree

from dispatcher.bindings.ivanti_automation import golden
from dispatcher.bindings.ivanti_automation.binding import IvantiAutomation, build
from dispatcher.bindings.ivanti_automation.soap import SchedulingService
from dispatcher.core.jobs import JobRequest, WhatChoice, WhatKind, When, WhoChoice, WhoKind
from dispatcher.core.permissions import NOBODY, SYSTEM, Caller, Right, everything
from dispatcher.core.schedules import RecurrenceRequest
from dispatcher.services.hall import Hall
from dispatcher.wire.http import Request
from dispatcher.wire.operations import operations_of

BASE = "/Dispatcher/SchedulingService"
DONE = "{55D1E5FD-CD92-481E-ABDB-62ED86288D1F}"
AGENT = "{6AE2E5B5-D5C8-4728-A10A-12E25BD5F995}"
PATCH = "{5CF59E5A-343C-4D85-A83C-8B18E4731040}"
RING = UUID("0a8b2c4d-0000-4000-8000-00000000b00c")
WSDL_FOLDER = Path(__file__).parents[3] / "wsdl"
JSON = {"content-type": "application/json"}
OPERATIONS = operations_of(SchedulingService)
asking = partial(Request, caller=SYSTEM)
VALUES = {"JOBID": DONE, "WHATTYPE": "module", "WHATID": PATCH}
#: What an operation cannot do without.
QUERIES = {"GetTaskOutput": f"agent={AGENT}", "GetJobUsageReport": "start=20251009000000&stop=20251009235959"}
#: What is asked of recurring jobs only.
OF_RECURRING_JOBS = ("PauseJob", "ResumeJob", "GetOccurrences")
EVERY_MORNING = "DTSTART;TZID=Europe/Berlin:20260101T060000\nRRULE:FREQ=DAILY"


def a_recurring_job(hall: Hall) -> UUID:
    who = [WhoChoice(["PC-042"], WhoKind.AGENT)]
    when = When(recurrence=RecurrenceRequest(EVERY_MORNING))
    request = JobRequest([WhatChoice(UUID(PATCH), WhatKind.MODULE)], who, when)
    return hall.scheduling.submit(request, SYSTEM).id


def a_run_book_job(hall: Hall) -> UUID:
    who = [WhoChoice(["PC-042"], WhoKind.AGENT)]
    return hall.scheduling.submit(JobRequest([WhatChoice(RING, WhatKind.RUNBOOK)], who, When()), SYSTEM).id


def values_for(hall: Hall, name: str) -> dict[str, str]:
    """Return what stands in the path of an operation that is asked for something that is there."""
    if name in OF_RECURRING_JOBS:
        return VALUES | {"JOBID": str(a_recurring_job(hall))}
    return VALUES | {"JOBID": str(a_run_book_job(hall))} if name == "GetRunBookJob" else VALUES


def get(path: str, query: str = "", **headers: str) -> Request:
    return asking("GET", BASE + path, query, headers, host="dispatcher.example:8080")


def test_wsdl_in_the_repository_is_up_to_date() -> None:
    assert golden.check(WSDL_FOLDER) == []


def test_every_operation_of_the_contract_is_there_and_what_is_ours_says_so() -> None:
    ours = [name for name, operation in OPERATIONS.items() if operation.route.description.endswith("of ours.")]
    assert ours == ["GetTaskOutput", "RerunJob", "ApproveJob", "PauseJob", "ResumeJob", "GetOccurrences"]
    assert [name for name in OPERATIONS if name not in ours] == [
        "ScheduleJob",
        "GetJobs",
        "GetJob",
        "UpdateJobStatus",
        "ExportJobResults",
        "GetRunBookJob",
        "GetModules",
        "GetProjects",
        "GetRunBooks",
        "GetInputParameters",
        "GetOutputParameters",
        "GetWho",
        "GetTeamsReport",
        "GetJobUsageReport",
        "ChangeAgentMembership",
        "ChangeTeamMembership",
        "RemoveAgent",
    ]


#: The queries that ask for the WSDL and its schemas; more parameters may follow.
DOCUMENTS = ["wsdl", "WSDL", "singleWsdl", "xsd=xsd0", "XSD=xsd2", "wsdl&x=1", "singleWsdl&", "xsd=xsd0&x=1"]


@pytest.mark.parametrize("path", ["", "/", "/soap", "/basic/"])
@pytest.mark.parametrize("query", DOCUMENTS)
def test_descriptions_are_public(binding: IvantiAutomation, path: str, query: str) -> None:
    request = get(path, query)

    assert binding.is_public(request)
    answer = binding(request)
    assert (answer.status, answer.content_type) == (200, "text/xml; charset=utf-8")
    assert etree.fromstring(answer.body).tag.endswith(("definitions", "schema"))


@pytest.mark.parametrize(
    ("path", "query"), [("/jobs", "wsdl"), ("/help", ""), ("/", ""), ("/", "xsd=xsd9"), ("/", "xsd"), ("/soap", "wsd")]
)
def test_nothing_else_is_public(binding: IvantiAutomation, path: str, query: str) -> None:
    assert not binding.is_public(get(path, query))


def test_posting_to_the_wsdl_address_is_not_public(binding: IvantiAutomation) -> None:
    assert not binding.is_public(asking("POST", f"{BASE}/", "wsdl"))


def test_address_in_the_wsdl_follows_each_request(binding: IvantiAutomation) -> None:
    for host in ("evil.example", "dispatcher.example"):
        answer = binding(asking("GET", f"{BASE}/", "wsdl", scheme="https", host=host))
        assert f"https://{host}{BASE}/soap".encode() in answer.body
        assert answer.body.count(host.encode()) == 7


def test_challenge_is_basic_and_empty(binding: IvantiAutomation) -> None:
    answer = binding.unauthenticated(get("/jobs"))

    assert (answer.status, answer.body) == (401, b"")
    assert answer.headers == [("WWW-Authenticate", 'Basic realm="Automation"')]


@pytest.mark.parametrize("path", ["/help", "/HELP"])
def test_help_has_the_sentence_that_clients_test_for(binding: IvantiAutomation, path: str) -> None:
    answer = binding(get(path, **{"content-type": "application/json"}))

    assert (answer.status, answer.content_type) == (200, "text/html; charset=utf-8")
    assert re.search(rb"service operations at this endpoint\.", answer.body)
    assert b"Operations at http://dispatcher.example:8080/Dispatcher/SchedulingService/" in answer.body
    assert b"4,194,304 bytes" in answer.body


def test_help_with_a_slash_leads_to_the_page_whose_links_work(binding: IvantiAutomation) -> None:
    answer = binding(get("/help/"))

    assert (answer.status, answer.headers) == (301, [("Location", "../help")])


@pytest.mark.parametrize("path", ["/help/operations/Dance", "/help/operations", "/help/me"])
def test_unknown_help_page_is_not_found(binding: IvantiAutomation, path: str) -> None:
    answer = binding(get(path))

    assert answer.status == 404
    assert b"Endpoint not found." in answer.body


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize(("form", "media"), [("xml", "application/xml"), ("json", "application/json")])
def test_every_example_on_a_help_page_is_a_valid_request(
    hall: Hall, binding: IvantiAutomation, name: str, form: str, media: str
) -> None:
    route = OPERATIONS[name].route
    values = values_for(hall, name)
    page = binding(get(f"/help/operations/{name}")).body.decode()
    examples = re.findall(rf'<pre class="request-{form}">(.*?)</pre>', page, re.DOTALL)
    assert len(examples) == (1 if route.body else 0)
    path = route.template.partition("?")[0]
    body = unescape("".join(examples)).encode()

    answer = binding(
        asking(route.verb, f"{BASE}/{path.format_map(values)}", QUERIES.get(name, ""), {"content-type": media}, body)
    )

    assert answer.status == 200, answer.body
    assert answer.content_type == f"{media}; charset=utf-8"


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("direction", ["request", "response"])
def test_every_example_on_a_help_page_fits_its_schemas(
    binding: IvantiAutomation, name: str, direction: str, tmp_path: Path
) -> None:
    page = binding(get(f"/help/operations/{name}")).body.decode()
    examples = re.findall(rf'<pre class="{direction}-xml">(.*?)</pre>', page, re.DOTALL)
    schemas = re.findall(rf'<pre class="{direction}-schema">(.*?)</pre>', page, re.DOTALL)
    assert bool(examples) == bool(schemas)
    roots = [etree.fromstring(unescape(schema)) for schema in schemas]
    for place, root in enumerate(roots):
        # The page shows one after the other; a file each is what other tools read.
        for imported in root.iterfind("{*}import"):
            (found,) = [at for at, one in enumerate(roots) if one.get("targetNamespace") == imported.get("namespace")]
            imported.set("schemaLocation", f"{found}.xsd")
        (tmp_path / f"{place}.xsd").write_bytes(etree.tostring(root))
    for example in examples:
        etree.XMLSchema(file=tmp_path / "0.xsd").assertValid(etree.fromstring(unescape(example)))


def test_other_base_path_and_realm(hall: Hall) -> None:
    hall.settings.set("webapi.scheduling_base_path", "Automation/Api/", SYSTEM)
    hall.settings.set("webapi.realm", "Farm", SYSTEM)
    moved = build(hall, log=lambda event, **details: None)

    assert moved.prefixes == ("/automation/api",)
    assert moved(asking("GET", "/automation/api/who")).status == 200
    assert b"http://localhost/Automation/Api/soap" in moved(asking("GET", "/Automation/Api/", "wsdl")).body
    assert moved.unauthenticated(get("/")).headers == [("WWW-Authenticate", 'Basic realm="Farm"')]
    assert b'href="http://localhost/Automation/Api/help"' in moved(asking("GET", "/Automation/Api/nothing")).body


def test_a_web_api_that_is_switched_off_is_not_there(hall: Hall, binding: IvantiAutomation) -> None:
    hall.settings.set("webapi.state", "DISABLED", SYSTEM)

    for path, query in (("/who", ""), ("/help", ""), ("/", "wsdl"), ("/soap", "")):
        assert binding.is_public(asking("GET", BASE + path, query))
        assert binding(asking("GET", BASE + path, query)).status == 404
    hall.settings.set("webapi.state", "ENABLED", SYSTEM)
    assert binding(get("/who")).status == 200


def test_a_public_address_is_shown_whatever_the_host_header_says(hall: Hall, binding: IvantiAutomation) -> None:
    hall.settings.set("webapi.public_address", "https://jobs.example.com", SYSTEM)

    wsdl = binding(asking("GET", f"{BASE}/", "singleWsdl", host="10.0.0.1:8080")).body
    assert b'location="https://jobs.example.com/Dispatcher/SchedulingService/soap"' in wsdl
    assert b"10.0.0.1" not in wsdl
    assert b"https://jobs.example.com/Dispatcher/SchedulingService/help" in binding(get("/nothing")).body


def test_refused_soap_request_is_answered_with_a_fault(binding: IvantiAutomation) -> None:
    request = asking("POST", f"{BASE}/soap", headers={"content-type": "text/xml"}, body=b"<x")

    answer = binding.refused(request, 413, "the message is larger than 4 MiB")

    assert (answer.status, answer.content_type) == (500, "text/xml; charset=utf-8")
    assert b"<faultstring" in answer.body
    assert b"larger than 4 MiB" in answer.body


def test_refused_rest_request_is_answered_with_the_request_error_page(binding: IvantiAutomation) -> None:
    answer = binding.refused(asking("POST", f"{BASE}/jobs"), 413, "the message is larger than 4 MiB")

    assert answer.status == 413
    assert b"Request Error" in answer.body
    assert b"larger than 4 MiB" in answer.body


def test_rights_decide_what_is_done_and_what_is_seen(binding: IvantiAutomation) -> None:
    reader = Caller("reader", everything(Right.READ))
    abort = asking("PUT", f"{BASE}/jobs/{DONE}", headers=JSON, body=b'{"Type": 2}', caller=reader)
    seen = {
        caller.name: json.loads(binding(asking("GET", f"{BASE}/what/modules", headers=JSON, caller=caller)).body)
        for caller in (reader, Caller("nobody"))
    }

    assert binding(abort).status == 403
    assert [what["Name"] for what in seen["reader"]] == ["Patch", "Restart"]
    assert seen["nobody"] == []


@pytest.mark.parametrize("name", OPERATIONS)
def test_who_is_not_authenticated_does_and_sees_nothing(hall: Hall, binding: IvantiAutomation, name: str) -> None:
    # Such a request gets here when the Web API is switched on between the two looks at its state.
    route = OPERATIONS[name].route
    path = route.template.partition("?")[0].format_map(VALUES)
    bodies = {
        "ScheduleJob": b'{"What": [{"ID": "%s", "Type": 0}], "Who": [{"ID": "%s", "Type": 0}]}',
        "UpdateJobStatus": b'{"Type": 2}',
        "ChangeAgentMembership": b'{"AgentID": "PC-042", "AddTeams": ["Ring 1"]}',
        "ChangeTeamMembership": b'{"TeamID": "Ring 1", "AddAgents": ["PC-042"]}',
        "RemoveAgent": b'{"AgentID": "PC-042"}',
    }
    body = bodies.get(name, b"").replace(b"%s", PATCH.encode())

    answer = binding(
        Request(route.verb, f"{BASE}/{path}", QUERIES.get(name, ""), {**JSON, "accept": "application/json"}, body)
    )

    assert Request("GET", "/").caller is NOBODY
    empty = (b"[]", b'{"CurrentPage":1,"Items":[],"PageCount":0,"PageSize":500,"TotalCount":0}')
    assert answer.status == 403 or (answer.status == 200 and answer.body in empty)


def test_module_needs_a_target_and_a_job_something_to_run(binding: IvantiAutomation) -> None:
    for body, member in ((b"{}", b"What: "), (b'{"What": [{"ID": "%s"}]}' % PATCH.encode(), b"Who: ")):
        answer = binding(asking("POST", f"{BASE}/jobs", headers=JSON, body=body))
        assert answer.status == 400
        assert member in answer.body


def test_head_is_answered_like_get(binding: IvantiAutomation) -> None:
    for path, query in (("/", "wsdl"), ("/help", ""), ("/who", "")):
        answers = [binding(asking(method, BASE + path, query)) for method in ("GET", "HEAD")]
        assert (answers[0].status, answers[0].content_type) == (answers[1].status, answers[1].content_type)


def test_unexpected_error_tells_the_request_id_and_nothing_else(hall: Hall, logged: list[dict[str, object]]) -> None:
    broken = SimpleNamespace(settings=hall.settings, library=None)
    binding = build(broken, log=lambda event, **details: logged.append({"event": event, **details}))  # type: ignore[arg-type]

    answer = binding(asking("GET", f"{BASE}/what/modules", new_id=lambda: "request-7"))

    assert answer.status == 500
    assert b"unexpected error request-7" in answer.body
    assert b"NoneType" not in answer.body
    assert [entry["request"] for entry in logged] == ["request-7"]


def test_output_is_read_by_range(binding: IvantiAutomation) -> None:
    path = f"{BASE}/jobs/{DONE}/output"
    answer = binding(asking("GET", path, f"agent={AGENT}&task=0&offset=2&length=7", {"accept": "application/json"}))

    given = json.loads(answer.body)
    assert bytes(given["Data"]) == b"patches"
    assert (given["Offset"], given["Total"], given["IsComplete"]) == (2, 23, True)
    for query in ("", "agent=nobody", f"agent={AGENT}&offset=-1", f"agent={AGENT}&length=0"):
        assert binding(asking("GET", path, query)).status == 400
    assert binding(asking("GET", path, f"agent={PATCH}")).status == 404


@pytest.mark.parametrize("path", ["/help", "?wsdl", "/who"])
def test_a_request_goes_by_the_base_path_that_let_it_in(hall: Hall, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    binding, before = build(hall, log=lambda *_, **__: None), hall.settings.current()
    hall.settings.set("webapi.scheduling_base_path", "/Else/Where", SYSTEM)
    looks = iter([before])  # the setting changes after the first look
    monkeypatch.setattr(hall.settings, "known", lambda: next(looks, hall.settings.current()))
    bare, _, query = path.partition("?")
    answer = binding(Request("GET", f"/Dispatcher/SchedulingService{bare}", query, caller=SYSTEM))
    assert (answer.status, b"/Else/Where" in answer.body) == (200, False)


@pytest.mark.parametrize(
    ("method", "path", "body", "is_submit"),
    [
        ("POST", "/jobs", b"{}", True),
        ("POST", "/JOBS/", b"{}", True),
        ("GET", "/jobs", b"", False),
        ("POST", f"/jobs/{DONE}/rerun", b"", False),
        ("POST", "", b'<Envelope><Body><ScheduleJob xmlns="http://tempuri.org/"/>', True),
        ("POST", "/soap", b'<Envelope><Body><GetJobs xmlns="http://tempuri.org/"/>', False),
        ("POST", "/soap", b"<Envelope><Header/>" + b" " * 2048 + b"<Body><ScheduleJob/>", False),
    ],
)
def test_what_schedules_a_job_is_seen_at_a_glance(
    binding: IvantiAutomation, method: str, path: str, body: bytes, is_submit: bool
) -> None:
    headers = {"soapaction": "http://tempuri.org/ISchedulingService/ScheduleJob"}  # says nothing: the body decides
    assert binding.is_submit(Request(method, f"{BASE}{path}", headers=headers, body=body)) is is_submit
