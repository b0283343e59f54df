"""What PowerShell does on the wire whatever module is loaded: each client of this folder breaks if one of these fails.

The headers are those of ``Invoke-RestMethod``, see ``traffic``.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from lxml import etree
from powershell import from_json_5, objects_of, to_json_5, to_json_7
from traffic import Answer, Cmdlet, Expect, PowerShell, WindowsPowerShell, basic

SERVICE = "/Dispatcher/SchedulingService"
LOGIN = ("Jürgen", "pa:ss wörd")
RESTART = "{5CF59E5A-343C-4D85-A83C-8B18E4731041}"
TEAM = "{6AE2E5B5-D5C8-4728-A10A-12E25BD5F9AA}"
JOB = '{"Description": "%s", "What": [{"ID": "%s", "Type": 0}], "Who": [{"ID": "%s", "Type": 1}]}'
FIRST, SECOND = "20260101000000", "20260102000000"
LATER = '"When": {"Immediate": "false", "ScheduledDateTime": "%s"}'


def job(description: str, more: str = "") -> str:
    return (JOB % (description, RESTART, TEAM)).removesuffix("}") + (f", {more}}}" if more else "}")


def scheduled(cmdlet: Cmdlet, body: str) -> Any:
    return objects_of(cmdlet.send("POST", f"{SERVICE}/jobs", body), 5)


def lines(request: bytes) -> list[str]:
    return request.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")


@pytest.fixture
def process(servers: Any) -> Iterator[Callable[..., WindowsPowerShell]]:
    """Starts processes of Windows PowerShell 5.1 for the server that wants a login."""
    started: list[WindowsPowerShell] = []

    def process(*arguments: Any, **options: Any) -> WindowsPowerShell:
        started.append(WindowsPowerShell(servers[True].url, *(arguments or (LOGIN,)), **options))
        return started[-1]

    yield process
    for one in started:
        one.close()


def test_windows_powershell_header_for_header(servers: Any, process: Callable[..., WindowsPowerShell]) -> None:
    """5.1: the challenge comes at each request, and is answered on the connection that is kept from cmdlet to cmdlet.

    A GET has a content type and no ``Accept``: by that it gets JSON.
    """
    cmdlet, host = process(), servers[True].url.removeprefix("http://")
    assert isinstance(objects_of(cmdlet.send("GET", f"{SERVICE}/what/modules"), 5), list)
    scheduled(cmdlet, job("wire"))

    agent = "User-Agent: Mozilla/5.0 (Windows NT; Windows NT 10.0; de-DE) WindowsPowerShell/5.1.19041.5608"
    kind, authorization = "Content-Type: application/json", f"Authorization: {basic(*LOGIN, 'cp1252')}"
    get, post = "GET /Dispatcher/SchedulingService/what/modules HTTP/1.1", f"POST {SERVICE}/jobs HTTP/1.1"
    length = f"Content-Length: {len(job('wire'))}"
    assert [lines(request) for request in cmdlet.sent] == [
        [get, agent, kind, f"Host: {host}", "Connection: Keep-Alive"],
        [get, agent, kind, authorization, f"Host: {host}"],
        [post, agent, kind, f"Host: {host}", length],
        [post, agent, kind, authorization, f"Host: {host}", length],
    ]


@pytest.mark.parametrize("version", ["7.2.24", "7.5.4"])
def test_powershell_header_for_header(servers: Any, version: str) -> None:
    """7: a connection per cmdlet; a GET has its content type from some version on, before that its user wants JSON."""
    is_old, host = version == "7.2.24", servers[True].url.removeprefix("http://")
    cmdlet = PowerShell(servers[True].url, LOGIN, version, accept="application/json" if is_old else "")
    answer = cmdlet.send("GET", f"{SERVICE}/what/modules")
    assert isinstance(objects_of(answer, 7), list)
    assert "content-encoding" not in answer.headers

    first = [
        "GET /Dispatcher/SchedulingService/what/modules HTTP/1.1",
        f"Host: {host}",
        *(["Accept: application/json"] if is_old else ()),
        f"User-Agent: Mozilla/5.0 (Windows NT 10.0; Microsoft Windows 10.0.19045; de-DE) PowerShell/{version}",
        "Accept-Encoding: gzip, deflate" + ("" if is_old else ", br"),
    ]
    content = [] if is_old else ["Content-Type: application/json", "Content-Length: 0"]
    authorization = f"Authorization: {basic(*LOGIN, 'utf-8')}"
    assert [lines(request) for request in cmdlet.sent] == [[*first, *content], [*first, authorization, *content]]


def test_who_asks_for_no_format_gets_xml(servers: Any) -> None:
    """7.2 without ``$PSDefaultParameterValues``: the original's default is XML, which other clients count on."""
    answer = PowerShell(servers[False].url, version="7.2.24").send("GET", f"{SERVICE}/what/modules")
    assert answer.headers["content-type"] == "application/xml; charset=utf-8"


@pytest.mark.parametrize("is_guarded", [False, True])
@pytest.mark.parametrize("expect", list(Expect))
def test_body_that_may_wait_for_an_interim_answer(servers: Any, expect: Expect, is_guarded: bool) -> None:
    """``New-ResAMJob``, ``New-RESAMJob`` and both VDI scripts: with the first POST of a process comes Expect.

    With a login the body goes out twice, and one job is made of it.
    """
    name = str(uuid.uuid4())
    with closing(WindowsPowerShell(servers[is_guarded].url, LOGIN, expect)) as cmdlet:
        made = scheduled(cmdlet, job(name))
        listed = from_json_5(cmdlet.send("GET", f"{SERVICE}/jobs?pagesize=1000").text)["Items"]
    assert [one["JobID"] for one in listed if one["Description"] == name] == [made["JobID"]]
    assert ("Expect: 100-continue" in lines(cmdlet.sent[0])) == (expect is not Expect.NOTHING)


def test_wrong_password_is_challenged_again(process: Callable[..., WindowsPowerShell]) -> None:
    """A mistyped ``-Credential``: 401 whatever was asked, never 403; the connection serves who then types it well."""
    cmdlet, body = process((LOGIN[0], "wrong")), job(str(uuid.uuid4()))
    answer = cmdlet.send("POST", f"{SERVICE}/jobs", body)
    assert (answer.status, answer.headers["www-authenticate"][:13]) == (401, 'Basic realm="')
    assert len(cmdlet.sent) == 2
    cmdlet.credential = LOGIN
    scheduled(cmdlet, body)
    assert "Connection: Keep-Alive" not in lines(cmdlet.sent[-1])  # as it is no new one


def test_challenges_never_lock_anybody_out(process: Callable[..., WindowsPowerShell]) -> None:
    """All cmdlets: their first request has no credentials, hundreds of times a day."""
    cmdlet = process()
    for _ in range(15):
        assert cmdlet.send("GET", f"{SERVICE}/who").status == 200
    assert [b"Authorization" in request for request in cmdlet.sent] == [False, True] * 15


def test_credentials_given_as_a_header_need_no_challenge(process: Callable[..., WindowsPowerShell]) -> None:
    """Scripts that give ``-Headers @{Authorization = "Basic …"}``, and ``-Authentication Basic`` of 7: one request."""
    cmdlet = process(None, authorization=basic(*LOGIN, "utf-8"))
    scheduled(cmdlet, job("at once"))
    assert len(cmdlet.sent) == 1


@pytest.mark.parametrize("authorization", ["", basic("", "", "utf-8"), basic("anybody", "anything", "utf-8")])
def test_without_logins_any_credential_will_do(servers: Any, authorization: str) -> None:
    """``-Credential`` is mandatory in both modules; without logins people leave the fields empty (vendor page)."""
    with closing(WindowsPowerShell(servers[False].url, authorization=authorization)) as cmdlet:
        assert cmdlet.send("GET", f"{SERVICE}/what/modules").status == 200


@pytest.mark.parametrize("path", ["what/modules", "who", "jobs?page=9999", "help"])
def test_head_is_a_get_without_its_body(process: Callable[..., WindowsPowerShell], path: str) -> None:
    """``Invoke-WebRequest -Method Head``, by which scripts look whether a dispatcher is there."""
    cmdlet = process()
    head, get = (cmdlet.send(method, f"{SERVICE}/{path}") for method in ("HEAD", "GET"))
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-type"] == get.headers["content-type"]
    assert head.headers["content-length"] == str(len(get.body)) != "0"


@pytest.mark.parametrize(
    ("one", "same"),
    [
        ("what/modules", "what/Modules"),
        ("what/modules", "WHAT/MODULES/"),
        ("what/projects", "What/Projects"),
        ("what/runbooks", "what/RunBooks"),
        ("what/runbooks", "what/Runbooks"),
        (f"what/modules/{RESTART}/inputparameters", f"what/MODULES/{RESTART.lower()}/InputParameters"),
        (f"what/modules/{RESTART}/inputparameters", f"what/Modules/{RESTART.lower()[1:-1]}/inputparameters/"),
        (f"what/modules/{RESTART}/inputparameters", f"what/modules/%20{RESTART}%20/inputparameters"),
        ("who?agents=true&teams=false", "Who/?Agents=True&Teams=False"),
        ("who?agents=1&teams=0&online=false&licensed=false", "who?teams=FALSE&agents=TRUE&online=&licensed="),
        ("jobs?page=9999", "Jobs/?Stage=aLL&RunBookJobs=False&RecurringJobs=FALSE&Page=9999&PageSize=500"),
        ("report/teams", "Report/Teams/"),
        (
            "report/jobusage?start=20260101000000&stop=20260102000000",
            "report/JobUsage/?Start=20260101000000&Stop=20260102000000",
        ),
    ],
)
def test_spelling_of_addresses(servers: Any, one: str, same: str) -> None:
    """Both modules spell names as they like: ``what/Modules``, ``what/RunBooks``, ``Start=``, True and False."""
    with closing(WindowsPowerShell(servers[False].url)) as cmdlet:
        answers = [cmdlet.send("GET", f"{base}/{path}") for base, path in ((SERVICE, one), (SERVICE.upper(), same))]
    assert [answer.status for answer in answers] == [200, 200], answers[1].text
    assert answers[0].body == answers[1].body


@pytest.mark.parametrize("charset", ["", "; charset=utf-8", "; charset=utf-16"])
def test_text_of_a_body(process: Callable[..., WindowsPowerShell], charset: str) -> None:
    """``New-ResAMJob -Description "Übung"``: Latin-1, unless a script says what else in its ``-ContentType``."""
    made = scheduled(process(content_type=f"application/json{charset}"), job("Übung für Zoë: ½"))
    assert made["Description"] == "Übung für Zoë: ½"


@pytest.mark.parametrize("charset", ["", "; charset=utf-8"])
def test_job_goes_back_as_the_xml_it_came_in(process: Callable[..., WindowsPowerShell], charset: str) -> None:
    """Scripts by the vendor's page ("send an XML message"): the body is ``[xml]``, in Latin-1 if 5.1 may choose."""
    template = scheduled(process(), job("template", LATER % "2100-01-01T00:00:00Z"))
    cmdlet = process(content_type=f"application/xml{charset}")
    document = etree.fromstring(cmdlet.send("GET", f"{SERVICE}/jobs/{template['JobID']}").body)
    document.find("{*}Description").text = "Übung"
    answer = cmdlet.send("POST", f"{SERVICE}/jobs", etree.tostring(document, encoding="unicode"))
    made = etree.fromstring(answer.body)
    assert made.findtext("{*}Description") == "Übung"
    assert made.findtext("{*}JobID") != template["JobID"]
    assert made.findtext("{*}When/{*}ScheduledDateTime") == "2100-01-01T00:00:00"

    status = made.find("{*}Status")
    status.find("{*}Type").text = "Aborting"
    address = f"{SERVICE}/jobs/{made.findtext('{*}JobID')}"
    stopped = cmdlet.send("PUT", address, etree.tostring(status, encoding="unicode"))
    assert etree.fromstring(stopped.body).findtext("{*}Status/{*}Type") == "Canceled"


@pytest.mark.parametrize(
    ("what", "sent"),
    [
        ("blanks round it", f" {RESTART} "),
        ("no braces", RESTART[1:-1]),
        ("lower case", RESTART.lower()),
        ("round brackets", f"({RESTART[1:-1]})"),
        ("no dashes", RESTART[1:-1].replace("-", "")),
        ("line end", f"{RESTART}\\r\\n"),
    ],
)
def test_spelling_of_guids(process: Callable[..., WindowsPowerShell], what: str, sent: str) -> None:
    """VDI script 1 puts blanks round GUIDs; ``[guid]`` and ``.ToString()`` spell them as .NET's formats B, D, N, P."""
    body = f'{{"What": [{{"ID": "{sent}"}}], "Who": [{{"ID": "{TEAM}", "Type": "1"}}]}}'
    assert scheduled(process(), body)["What"][0]["ID"] == RESTART


@pytest.mark.parametrize(
    "more",
    [
        '"Parameters": [null]',
        '"Parameters": null',
        '"Parameters": [],',
        '"Parameters": [null,]',
        '"Parameters": [{"JobParameters": null}]',
        '"Parameters": [{"TypeName": "", "JobParameters": [null, {"Name": null}, {"Name": "x", "Value1": 3}]},]',
        f'"Parameters": {{"TaskContainerGuid": " {RESTART} ", "JobParameters": {{"Name": "Ring", "Value1": true}}}}',
        '"When": null',
        '"When": {"Immediate": "True", "IsLocalTime": "FALSE", "UseWakeOnLAN": 0, }',
        '"When": {"Immediate": "true", "ScheduledDateTime": ""}',
        '"When": {"Immediate": true, "ScheduledDateTime": "\\/Date(-62135596800000)\\/"}',
        '"when": {"immediate": true}, "description": "in another case"',
        '"ScheduleInParallel": "true", "outsideLaunchWindow": "LaunchWindowFailJob"',
        '"type": "Runbook", "parameterValues": {}, "whoRequired": false, "Nested": [[{"a": [1, 2.5e3]}]]',
        '"Status": null, "JobID": null, "Jobs": null',
        '"Description": "first", "Description": "second"',
    ],
)
def test_what_clients_send_besides(process: Callable[..., WindowsPowerShell], more: str) -> None:
    """Members that are null, unknown, in another case or of another type, and commas too many: of all clients here."""
    assert scheduled(process(), job("besides", more))["Status"]["Type"] in (0, 1, 4)


@pytest.mark.parametrize(
    "date",
    [
        r"\/Date(4102444800123)\/",
        r"\/Date(4102444800123+0200)\/",
        r"\/Date(4102444800123-0730)\/",
        "/Date(4102444800123)/",
        "2100-01-01T00:00:00.1234567Z",
        "2100-01-01T02:00:00.1230000+02:00",
        "2100-01-01T00:00:00.123",
    ],
)
def test_spelling_of_dates(process: Callable[..., WindowsPowerShell], date: str) -> None:
    """``-Start`` as 5.1, 7 and other serialisers write it: one and the same moment, to the millisecond."""
    made = process().send("POST", f"{SERVICE}/jobs", job("later", LATER % date))
    assert json.loads(made.text)["When"]["ScheduledDateTime"] == "/Date(4102444800123+0000)/"


def test_date_that_5_1_has_made_an_object_of(process: Callable[..., WindowsPowerShell]) -> None:
    """``Get-Date | ConvertTo-Json`` of 5.1: the date has properties of its own, so it becomes an object."""
    quirk = r'{"value": "\/Date(4102444800123)\/", "DisplayHint": 2, "DateTime": "Friday, January 1, 2100 1:00:00 AM"}'
    made = process().send("POST", f"{SERVICE}/jobs", job("later", (LATER % "").replace('""', quirk)))
    assert json.loads(made.text)["When"]["ScheduledDateTime"] == "/Date(4102444800123+0000)/"


def message_of(answer: Answer) -> str:
    """Return what Invoke-RestMethod of 5.1 shows as the error: the page without what is in angle brackets."""
    return " ".join(re.sub("<[^>]*>", "", answer.text).split())


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "message"),
    [
        ("POST", "jobs", '{"What": [{"ID": "no GUID"}]}', 400, "What[0]/ID: 'no GUID' is no GUID"),
        ("POST", "jobs", '{"What": [', 400, "the JSON cannot be read"),
        ("POST", "jobs", "", 400, "the message is empty"),
        ("PUT", f"jobs/{RESTART}", '{"Type": 2}', 404, "no job"),
        ("GET", f"jobs/{RESTART}", None, 404, "no job"),
        ("GET", f"runbookjobs/{RESTART}", None, 404, "no job"),
        ("GET", "jobs?stage=Sometimes", None, 400, "stage"),
        ("GET", "report/jobusage?Start=1&Stop=2", None, 400, "start"),
    ],
)
def test_error_tells_what_is_wrong(
    process: Callable[..., WindowsPowerShell], method: str, path: str, body: str | None, status: int, message: str
) -> None:
    """All cmdlets: people read the page's text, which comes only with a ``Content-Length``; the connection is kept."""
    cmdlet = process()
    answer = cmdlet.send(method, f"{SERVICE}/{path}", body)
    assert (answer.status, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert message in message_of(answer)
    assert cmdlet.send("GET", f"{SERVICE}/who").status == 200
    assert "Connection: Keep-Alive" not in lines(cmdlet.sent[-1])


def test_body_of_5_1_character_for_character() -> None:
    """What the tests of 5.1 lean on: its ConvertTo-Json lines up below the value's beginning, and escapes for HTML."""
    start = datetime(2100, 1, 1, 0, 0, 0, 123_000, tzinfo=UTC)
    value = {"When": {"Start": start, "Immediate": "false"}, "Who": [{"Name": '<O\'Neil & \\ "ü">'}], "None": []}
    assert to_json_5(value).split("\r\n") == [
        "{",
        '    "When":  {',
        r'                 "Start":  "\/Date(4102444800123)\/",',
        '                 "Immediate":  "false"',
        "             },",
        '    "Who":  [',
        "                {",
        r'                    "Name":  "\u003cO\u0027Neil \u0026 \\ \"ü\"\u003e"',
        "                }",
        "            ],",
        '    "None":  [',
        "",
        "             ]",
        "}",
    ]


def test_body_of_7_character_for_character() -> None:
    """What the tests of 7 lean on: ISO dates with seven digits, and hardly anything escaped."""
    start = datetime(2100, 1, 1, 1, tzinfo=timezone(timedelta(hours=1)))
    assert to_json_7({"Start": start, "Price": Decimal("12.50"), "Who": ["<O'Neil & ü>"]}).split("\r\n") == [
        "{",
        '  "Start": "2100-01-01T01:00:00.0000000+01:00",',
        '  "Price": 12.50,',
        '  "Who": [',
        '    "<O\'Neil & ü>"',
        "  ]",
        "}",
    ]
