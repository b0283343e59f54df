"""Seeds: good inputs for each target, from the golden requests of the contract and from what is written by hand."""

from __future__ import annotations

import base64
import inspect
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from fuzz import exastro_seeds
from golden_messages import read_request
from pysnmp.proto import api
from snmp_messages import CHANGED, v1, v2c

from dispatcher.agents import protocol
from dispatcher.bindings.ivanti_automation import contract
from dispatcher.bindings.ivanti_automation.resource_headers import UPLOAD_HEADERS
from dispatcher.wire.http import Request
from dispatcher.wire.types import DataContractEnum

TESTS = Path(__file__).parents[1]
GOLDEN = TESTS / "contract" / "ivanti_automation" / "golden"
DEMO = TESTS.parent / "dispatcher" / "services" / "demo.yaml"

_MEMBERS = sorted(
    {
        name
        for _, model in inspect.getmembers(contract, inspect.isclass)
        if hasattr(model, "_type_info")
        for name in model._type_info
    }
)
XML_WORDS = (
    *(f"<{name}>" for name in _MEMBERS),
    *(f"</{name}>" for name in _MEMBERS),
    "<!DOCTYPE x [<!ENTITY e 'x'>]>",
    "<?xml version='1.0' encoding='utf-16'?>",
    "<![CDATA[",
    "]]>",
    "<!--",
    "&#x0;",
    "&amp;",
    'i:nil="true"',
    'xmlns="urn:x"',
    "0001-01-01T00:00:00",
)
JSON_WORDS = (*(f'"{name}":' for name in _MEMBERS), "null", "true", "1e400", "\\ud800", "\\/Date(", ",]", "{}", "[[")
JSON_API_WORDS = (*JSON_WORDS, "/letters", "/keys", "&amp;", "%00", "//")
CCS_JOB = {
    "JobDetails": {
        "AssetsResolutionInfo": [{"Id": "d387d8b5-6278-4bcb-83c7-b55d2072d2a8", "Type": "a"}],
        "JobName": "Nightly",
        "Standards": ["6b020d29-5fe8-47d0-bd89-ccd3339a5ebe"],
        "Schedule": {
            "RunPeriodically": "true",
            "StartDate": "2031-03-05T04:10:27.0000000-08:00",
            "RecurrenceType": 2,
            "MonthlyIsByOrdinalDay": True,
            "MonthlyOrdinalDay": "1",
            "MonthlyDayOfTheWeek": 2,
            "MonthlyRecurEvery": 1,
            "EndJobRunConfigured": True,
            "EndJobRunTimeInterval": "01:30:00",
        },
    },
    "JobType": "CollectionEvaluationJob",
}
DIALECT_WORDS = (
    *('"script":', '"schedule":', '"pattern":', '"type":', '"weekDays":', '"dayOfMonth":', '"parameters":', '"value":'),
    *('"JobDetails":', '"Schedule":', '"RecurrenceType":', '"StartDate":', '"RunNow":', '"Standards":', '"Operation":'),
    *("monthly", "weekly", "recurrence", "2031-02-29T00:00:00+0000", "0001-01-01", "null", "1e400", "\\ud800", "%00"),
    *("/jobs", "/search", "/oauth/tokens", "/rba/categories", "//", "&amp;", "grant_type="),
)
CCS_WORDS = ("(", ")", "Attributes=", " Contains ", " = ", "StartsWith", ",", "&", "%28", "+", "jobname=", "page=", "*")
OPSRAMP_WORDS = ("queryString=", "name:", "+", "%2B", ":", ",", "isEquals:true", "pageNo=", "sortName=job.", "&", "%20")
SOAP_WORDS = (*XML_WORDS, "<s:Header>", "<s:Body>", 's:mustUnderstand="1"', "<GetJobs>", "<GetJob>", "<jobId>")
REST_WORDS = (
    "jobs/",
    "what/",
    "modules",
    "results",
    "?stage=",
    "&page=",
    "&pagesize=",
    "%7B",
    "%00",
    "..",
    "PUT",
    "\n",
)
HEADER_WORDS = (*UPLOAD_HEADERS, "=?utf-8?B?", "=?utf-8?Q?", "?=", "%2F", "..", "\\", ": ", "\n", "true")
MEDIA_WORDS = ("application/json", "text/xml", "; q=", "; charset=", "*=utf-8''", "*/*", "; soap", '"', "\\", ",")
YAML_WORDS = ("modules:", "- ", ": ", "&a ", "*a", "!!python/object:x", "|\n", ">-\n", "---\n", "? ", "<<: ", "\t", "{")
AGENT_WORDS = ('"run_id":', '"fence":', '"kind":', '"output"', '"at":', '"data":', "1e400", "\\u0000", "null", "[]")
RECURRENCE_WORDS = (
    "DTSTART:",
    ";TZID=",
    "RRULE:FREQ=",
    "YEARLY",
    ";COUNT=",
    ";BYDAY=",
    "EXDATE:",
    "RDATE:",
    ";UNTIL=",
    ";VALUE=PERIOD",
)
SNMP_WORDS = ("\x30\x00", "\x02\x01\x00", "\x02\x01\x01", "\x04\x00", "\x06\x0a+\x06\x01\x06\x03\x01\x01\x04\x01\x00")
RULE_WORDS = (" and ", " or ", "not ", "(", ")", "==", " in ", " contains ", "fact.", "name", '"', "'", "\\", "[", "]")


def enumerations() -> list[tuple[str, Mapping[str, int]]]:
    """Return name and members of every enumeration of the contract."""
    classes = [one for _, one in inspect.getmembers(contract, inspect.isclass)]
    return [(one.__name__, one.members) for one in classes if issubclass(one, DataContractEnum) and one.members]


def requests() -> list[Request]:
    """Return the golden requests."""
    return [read_request(path) for path in sorted(GOLDEN.glob("*.request"))]


def xml_bodies() -> Iterable[bytes]:
    return [one.body for one in requests() if one.body.lstrip()[:1] == b"<" and b"Envelope" not in one.body]


def json_bodies() -> Iterable[bytes]:
    return [one.body for one in requests() if one.body.lstrip()[:1] == b"{"]


def envelopes() -> Iterable[bytes]:
    return [one.body for one in requests() if b"Envelope" in one.body]


def rest_requests() -> Iterator[bytes]:
    """Give method, path, query and body in lines, as ``endpoints.send_rest`` takes them."""
    for one in requests():
        if b"Envelope" not in one.body:
            kind = one.headers.get("content-type", "")
            yield f"{one.method}\n{one.path}\n{one.query}\n{kind}\n".encode() + one.body


def json_requests() -> Iterable[bytes]:
    """Give requests to the JSON dialect for tests, as ``endpoints.send_json`` takes them."""
    letter = b'{"to":"Ann","isUrgent":"TRUE","pages":"3","weight":12.50,"stamps":[{"price":1,"colour":"red"}],"x":null}'
    below = b"/letters/v1/of/me/letters"
    return [
        b"POST\n" + below + b"\n\napplication/json; charset=utf-8\n" + letter,
        b"POST\n" + below + b"//7/send/\n\n\n\r\n",
        b"GET\n" + below + b"/7/send\n\ntext/plain\n" + letter,
        b"GET\n" + below + b"/Search\npageNo=1&pageNo=2&text=a+%C3%A4\n\n",
        b"DELETE\n" + below + b"/%7B7%7D\n\n\n\r",
        b"POST\n/letters/v1/keys\n\napplication/json\ngrant_type=password&amp;password=a+b=c%3D",
        b'POST\n/letters/v1/keys\n\napplication/x-www-form-urlencoded\n{"grant_type":"password","password":"a"}',
        b"PUT\n/letters/v1/of/me/letters\n\n\n",
    ]


def dialect_requests() -> Iterator[bytes]:
    """Give requests to the JSON dialects: the examples of their models, golden ones, and some by hand."""
    opsramp, ccs, ita = "/api/v2/tenants/client_1", "/ccs/api/v1", "/api/org1/workspaces/ws1/ita"
    for path in sorted((TESTS / "contract" / "opsramp" / "golden").glob("*.request")):
        yield f"POST\n{opsramp}/jobs\n\napplication/json\n".encode() + path.read_bytes()
    key = "2a221e47-f38a-4a6b-af20-43d650e6d56b"
    for verb, place, query, message in (
        ("POST", f"{ccs}/jobs", "", CCS_JOB),
        ("PATCH", f"{ccs}/jobs", "", {"JobID": key, "JobDetails": {"Schedule": {"RunNow": "true"}}}),
        ("DELETE", f"{ccs}/jobs", f"jobid={key}&DeleteJob=False", None),
        ("POST", f"{ccs}/jobs/{key}", "", {"Operation": "Execute"}),
        ("GET", f"{ccs}/jobs", "(Attributes=JobName Contains x, JobType = y)&page=0&pagesize=5", None),
        ("GET", f"{ccs}/Jobs/{key}/jobruns", "count=2&showmessages=true", None),
        ("GET", f"{ccs}/Standards", "ContainerPath=standards%5Cpredefined&searchsubtree=true", None),
        ("POST", f"{ccs}/Results", "", {"AssetID": key, "StandardID": key, "CheckIDList": [key]}),
        ("POST", f"{ccs}/oauth/tokens", "", {"grant_type": "password", "username": "CORP\\ann", "password": "cHc="}),
        ("POST", f"{opsramp}/jobs/1", "", {"script": {"customScript": {"id": "1"}, "parameters": [{"paramId": 1}]}}),
        ("POST", f"{opsramp}/rba/categories", "", {"name": "a", "parent": {"id": 1}}),
        ("GET", f"{opsramp}/jobs/search", "pageNo=2&pageSize=10&queryString=name:a+type:custom", None),
        ("GET", f"{opsramp}/jobs/1/run", "", {"reason": "now"}),
        *exastro_seeds.requests(ita, key),
        ("POST", f"{opsramp}/resources", "", {"hostName": "a", "type": "DEVICE", "resourceType": "Linux"}),
    ):
        body = b"" if message is None else json.dumps(message).encode()
        yield f"{verb}\n{place}\n{query}\napplication/json\n".encode() + body
    yield f"POST\n{ccs}/oauth/tokens\n\napplication/json\n".encode() + b"grant_type=password&username=a&password=b%3D"
    for place, model in (
        (
            "Jobs",
            '{Name: "a", JobType: 2, StartTime: "2031-05-01", DiscoveryTargets: {SingleIpTargets: [{Ip: "::1"},]},}',
        ),
        ("DeploymentGroups", '{CustomPatchListId : 1, GroupIds: [1], StartTime: "2031-05-01", Notify: {} Reboot: {}}'),
        ("CustomPatchLists", '{Name: "a", Patches: [{Name: "b", Package: "c", Reboot: "always"}]}'),
    ):
        yield f"POST\n/api/v2/{place}\n\napplication/json\n".encode() + json.dumps({"value": model}).encode()
    yield b"GET\n/api/v2/Jobs\n$filter=Status eq 'Failed' and contains(Name,'x')&$orderby=Id desc&$top=5\n\n"
    kind = "multipart/form-data; boundary=B"
    yield f"POST\n{ita}/menu/sheet_a/maintenance/all/\n\n{kind}\n".encode() + exastro_seeds.FORM
    yield b"POST\n/auth/oauth/token\n\n\ngrant_type=client_credentials&client_id=a&client_secret=b"


def ccs_queries() -> Iterable[bytes]:
    return [
        b"(Attributes=JobName Contains nightly, JobType = CollectionEvaluationJob)&page=0&pagesize=5",
        b"(Attributes=(displayName%20StartsWith%20a,b,%20c)&pagesize=1)",
        b"/jobname=Nightly+check&ContainerPath=standards\\predefined&searchsubtree=TRUE",
        b"JobName = a, LastRunStatus=Completed, JobID contains 1*, b",
    ]


def ccs_log_ins() -> Iterable[bytes]:
    return [b"CORP\\ann\npass phrase", b"corp%5Cann\ncGFzcyBwaHJhc2U=", b"a\\b%25\ncGFz%3D", "ä\npäss%C3%A4".encode()]


def opsramp_queries() -> Iterable[bytes]:
    return [
        b"pageNo=2&pageSize=10&isDescendingOrder=false&sortName=job.name&queryString=name:check+type:custom",
        b"queryString=name:a,b,%20c%2BisEquals:true&pageSize=0",
        b"queryString=check&sortName=createdDate&pageNo=-1",
    ]


def resource_headers() -> Iterable[bytes]:
    return [
        b"Filename: C:\\Tools\\tool.exe\nFolderPath: Tools\\More\nDescription: =?utf-8?B?w7w=?=\nOverwrite: true",
        b"Resource-ID: {5CF59E5A-343C-4D85-A83C-8B18E4731040}\nFilename: a%20b.txt\nParseVariables: no",
        b"guid: 5cf59e5a343c4d85a83c8b18e4731040\nid: \nSkipEnvironmentVariables: 1\nFolderGUID: {0}",
        b"Filename: =?iso-8859-1?Q?=FC.txt?=\nFolder: a/b\nComment: \xfc",
    ]


def media_types() -> Iterable[bytes]:
    return [
        b"text/html;q=0.5, application/json;q=0.9, */*\napplication/xml; charset=utf-8",
        b'text/xml; soap\napplication/soap+xml; charset="utf-8"; action="x"',
        b"application/json;q=0\ntext/json; charset*=utf-8''utf-8; charset*0=a",
    ]


def credentials() -> Iterable[bytes]:
    return [
        b"Basic " + base64.b64encode("api:pässword".encode()),
        b"basic " + base64.b64encode(b"DOMAIN\\api:p\xe4ss:word"),
        protocol.credentials(UUID(int=7), "secret").encode(),
        b"Bearer abc",
    ]


def dates() -> Iterable[bytes]:
    return [
        b"/Date(1760000000000)/",
        b"/Date(-62135596800000+0200)/",
        b"2025-10-09T08:53:20.1234567Z",
        b"2025-10-09T08:53:20+02:00",
        b"0001-01-01T00:00:00",
        b"9999-12-31T23:59:59.9999999",
        b"2025-W41-4",
        b"20251009T085320",
    ]


def single_values() -> Iterable[bytes]:
    return [b"true", b"FALSE", b" 1 ", b"-2147483648", b"9223372036854775808", b"PAA=", b"aborting", b"Module", b"2"]


def guid_texts() -> Iterable[bytes]:
    guid = b"5cf59e5a-343c-4d85-a83c-8b18e4731040"
    return [guid, b" {" + guid.upper() + b"} ", b"(" + guid + b")", guid.replace(b"-", b"")]


def libraries() -> Iterable[bytes]:
    return [
        DEMO.read_bytes(),
        b"modules:\n  - {name: a, tasks: [{type: command, name: b, settings: {command: 'echo \"$[x]\"'}}]}\n",
        b"teams:\n- name: |\n    two\n    lines\n  agents: [a, 'b', \"c\\u0041\"]\n  rule: 'true'\n",
        b"a: &x 1\nb: *x\n",
    ]


def agent_messages() -> Iterable[bytes]:
    run, at = UUID(int=5), datetime(2026, 3, 1, tzinfo=UTC)
    facts = protocol.Facts(os="linux", hostname="pc", macs=["00:11:22:33:44:55"], console_user_at=at, extra={"a": "b"})
    value = protocol.Value(name="n", value="v", password="p")
    events = [
        protocol.RunStarted(run_id=run, fence=1, at=at),
        protocol.TaskStarted(run_id=run, fence=1, position=0, at=at),
        protocol.Output(run_id=run, fence=1, position=0, offset=0, data=b"hello"),
        protocol.TaskFinished(
            run_id=run, fence=1, position=0, at=at, state="failed", exit_code=1, killed=["7 sh"], outputs={"a": "b"}
        ),
        protocol.RunFinished(run_id=run, fence=1, at=at, state="completed", outputs=[[value]]),
    ]
    held = [protocol.Held(run_id=run, fence=1)]
    messages = [
        protocol.Enrol(token="t", name="pc", agent_id=run, facts=facts),
        protocol.Poll(free=2, holding=held, process="p", number=3, facts=facts),
        protocol.FindResource(name="Tools/tool.exe"),
        *[protocol.Report(events=[event], holding=held) for event in events],
        protocol.Report(events=events),
    ]
    return [protocol.dump(message) for message in messages]


def recurrences() -> Iterable[bytes]:
    return [
        b"DTSTART;TZID=Europe/Berlin:20260301T080000\nRRULE:FREQ=DAILY;INTERVAL=2;COUNT=10",
        b"DTSTART:20260301T080000Z\nRRULE:FREQ=MINUTELY\nEXDATE;VALUE=PERIOD:20260301T090000Z/20270301T090000Z",
        b"DTSTART:20260301T080000Z\nRRULE:FREQ=MONTHLY;BYDAY=-1FR,1MO;BYSETPOS=-1;UNTIL=20300101\nEXDATE:20260327T080000Z",
        b"DTSTART;TZID=Asia/Tokyo:20260301T080000\nRRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;WKST=SU\nRDATE:20260401T080000",
        b"DTSTART:20260301T080000Z\nRRULE:FREQ=MINUTELY;INTERVAL=15",
        b"DTSTART:20260301T080000Z\nRRULE:FREQ=WEEKLY;BYDAY=MO,TU;BYHOUR=8,9;BYMINUTE=0,30",
        b"DTSTART:20260301T080000Z",
    ]


def windows() -> Iterable[bytes]:
    return [
        b"Mon-Fri 20:00-06:00, Sat,Sun 00:00-24:00",
        b"f0" * 42 + b" UTC",
        b"Mon 10:00-11:30,12:00-13:00 UTC",
        b"wait",
    ]


def rules() -> Iterable[bytes]:
    return [
        b"os == \"linux\" and not (name startswith 'web-' or fact.memory_gb < 8)",
        b'name in ["a", "b\\"c"] or fact.cores >= 2.5 and true',
        json.dumps("no rule").encode(),
    ]


def snmp_messages() -> Iterable[bytes]:
    inform = api.PROTOCOL_MODULES[api.SNMP_VERSION_2C].InformRequestPDU
    yield from (v2c(CHANGED), v2c("2.999.1", "", bindings=[]), v2c(CHANGED, kind=inform), v2c(CHANGED, "c" * 200))
    yield from (v1("1.3.6.1.4.1.9.9.43.2", 1), v1("1.3.6.1.4.1.9", 0, generic=3), v1("1.3", 2**31 - 1))
