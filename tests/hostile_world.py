"""Hostile world: the addresses at which messages arrive, and what is a proper answer at each of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from lxml import etree
from sqlalchemy import func, select

from dispatcher.bindings.ivanti_automation.binding import IvantiAutomation
from dispatcher.bindings.ivanti_automation.soap import SchedulingService
from dispatcher.core.permissions import SYSTEM
from dispatcher.datastore.models import Base
from dispatcher.datastore.transactions import Datastore
from dispatcher.wire.http import Request, Response
from dispatcher.wire.operations import Operation, operations_of

BASE = "/Dispatcher/SchedulingService"
PATCH = "{5CF59E5A-343C-4D85-A83C-8B18E4731040}"
AGENT = "{6AE2E5B5-D5C8-4728-A10A-12E25BD5F995}"
NOBODY = "{00000000-0000-4000-8000-000000000001}"
LIBRARY = """
agents: [{name: PC-042, id: 6ae2e5b5-d5c8-4728-a10a-12e25bd5f995}]
modules:
  - name: Patch
    id: 5cf59e5a-343c-4d85-a83c-8b18e4731040
    parameters: [{name: Ring, value: '1'}]
    tasks: [{type: command, name: install, settings: {command: 'echo "$[Ring]"'}}]
"""
S11, S12 = "http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope"
WHAT_XML = f"<What><JobWhat><ID>{PATCH}</ID></JobWhat></What>"
JOB_XML = f"<Description>hostile</Description>{WHAT_XML}<Who><JobWho><ID>{AGENT}</ID></JobWho></Who>"
JOB_JSON = f'{{"Description":"hostile","What":[{{"ID":"{PATCH}"}}],"Who":[{{"ID":"{AGENT}","Type":0}}]}}'

#: What members of JSON messages are made, whatever they should be.
VALUES: list[Any] = [
    None,
    True,
    0,
    -1,
    10**18,
    10**30,
    1.5,
    "",
    " ",
    "true",
    "9" * 5_000,
    "x" * 100_000,
    "'; DROP TABLE job; --",
    "../../../etc/passwd",
    "\r\nSet-Cookie: evil=1",
    "<script>alert(1)</script>",
    "${jndi:ldap://127.0.0.1/x}",
    "\N{ARABIC-INDIC DIGIT ONE}",
    "\N{RIGHT-TO-LEFT OVERRIDE}gnp.exe",
    NOBODY,
    "9999-12-31T23:59:59-1400",
    "0001-01-01T00:00:00+1400",
    "2026-02-30T00:00:00+0000",
    [],
    {},
    [None],
    [[]],
    {"": {}},
    [{"id": {}}] * 3,
]


@dataclass(frozen=True)
class Address:
    """Where a message arrives. ``wrap`` puts the content of a job into the form of a message there."""

    name: str
    path: str
    method: str
    content_type: str
    namespace: str = ""
    #: What is called there, by which argument, and the root of its REST document.
    operation: str = "ScheduleJob"
    argument: str = "job"
    root: str = "Job"

    @property
    def is_soap(self) -> bool:
        return bool(self.namespace)

    @property
    def is_json(self) -> bool:
        return "json" in self.content_type

    def wrap(self, content: str, prolog: str = "") -> str:
        """Return a message whose argument has *content*: its members, in XML."""
        if self.is_soap:
            argument = f"<{self.argument}>{content}</{self.argument}>"
            body = f"<{self.operation}>{argument}</{self.operation}>"
            return f'{prolog}<s:Envelope xmlns:s="{self.namespace}"><s:Body>{body}</s:Body></s:Envelope>'
        return f"{prolog}<{self.root}>{content}</{self.root}>"


SOAP_ADDRESSES = [
    Address("soap 1.1", "/soap", "POST", "text/xml; charset=utf-8", S11),
    Address("soap 1.2", "/soap", "POST", "application/soap+xml; charset=utf-8", S12),
    Address("basic", "/basic", "POST", "text/xml", S11),
    Address("base", "/", "POST", "text/xml", S11),
]
REST_XML = Address("rest xml", "/jobs", "POST", "application/xml")
PUT_XML = Address("put xml", f"/jobs/{NOBODY}", "PUT", "text/xml")
REST_JSON = Address("rest json", "/jobs", "POST", "application/json")
PUT_JSON = Address("put json", f"/jobs/{NOBODY}", "PUT", "application/json")
XML_ADDRESSES = [*SOAP_ADDRESSES, REST_XML, PUT_XML]
JSON_ADDRESSES = [REST_JSON, PUT_JSON]
ADDRESSES = [*XML_ADDRESSES, *JSON_ADDRESSES]
#: Every operation of the SchedulingService, so that a new one is attacked, too.
OPERATIONS = operations_of(SchedulingService)


def path_of(operation: Operation) -> str:
    """Return an address that fits the template of *operation*, of things that are not there."""
    values = {"WHATTYPE": "module"}
    template = operation.route.template.partition("?")[0]
    return "/" + re.sub(r"{([A-Z]+)}", lambda match: values.get(match[1], NOBODY), template).strip("/")


def _everywhere() -> Iterator[Address]:
    """Give all addresses at which a message may arrive: each operation over SOAP, and by REST where it has a body."""
    for name, one in OPERATIONS.items():
        argument = one.route.body or next((argument for argument, _ in one.arguments), "nothing")
        for soap in SOAP_ADDRESSES:
            yield replace(soap, name=f"{name} {soap.name}", operation=name, argument=argument)
        if one.route.body is not None:
            root = dict(one.arguments)[one.route.body].get_type_name()
            for kind in ("xml", "json"):
                yield Address(f"{name} rest {kind}", path_of(one), one.route.verb, f"application/{kind}", root=root)


EVERY_ADDRESS = [*_everywhere()]


#: One statement for all tables: it is asked before and after most tests.
_COUNTS = select(
    *(
        select(func.count()).select_from(table).scalar_subquery().label(table.name)
        for table in Base.metadata.sorted_tables
    )
)


def rows(datastore: Datastore) -> dict[str, int]:
    """Return how many rows each table has."""
    with datastore.read() as session:
        return dict(session.execute(_COUNTS).one()._mapping)


class Door:
    """The binding, asked at an address."""

    def __init__(self, binding: IvantiAutomation, logged: list[dict[str, Any]]) -> None:
        self.binding = binding
        self.logged = logged

    def ask(self, address: Address, body: bytes | str, **headers: str) -> Response:
        """Return the answer to *body*; header names have underscores for dashes."""
        given = {"content-type": address.content_type, **{name.replace("_", "-"): one for name, one in headers.items()}}
        content = body.encode() if isinstance(body, str) else body
        return self.binding(Request(address.method, BASE + address.path, "", given, content, caller=SYSTEM))

    def refuses(self, address: Address, body: bytes | str, **headers: str) -> str:
        """Assert that *body* is refused in the shape of the address; return the text of the refusal."""
        answer = self.ask(address, body, **headers)
        assert self.logged == []
        text = refusal(address, answer)
        assert text is not None, f"accepted: {body[:300]!r}"
        return text


def refusal(address: Address, answer: Response) -> str | None:
    """Return the text of a refusal, None for a success; either must be a proper answer at *address*."""
    if answer.status == 200:
        return None
    root = etree.fromstring(answer.body)
    if address.is_soap and answer.content_type.startswith(("text/xml", "application/soap+xml")):
        (fault,) = root.iter("{*}Fault")
        code = "".join(fault.itertext("faultcode", "{*}Value"))
        # A fault of SOAP 1.1 is 500 even if the sender is to blame; then its code says so.
        assert answer.status == (400 if "s:Sender" in code else 500)
        assert "Server" not in code
        assert "Receiver" not in code
        assert "InternalServiceFault" not in code
        return "".join(fault.itertext("faultstring", "{*}Text"))
    assert answer.status in (400, 403, 404, 409)
    assert answer.content_type == "text/html; charset=utf-8"
    return " ".join(" ".join(root.itertext("{http://www.w3.org/1999/xhtml}p")).split())
