"""Endpoints: the real SOAP and REST front of the SchedulingService, over operations that answer with nothing, and those
of the JSON dialects, over services that are not there.

So what is fuzzed is the wire and the translation alone: whatever is logged there is a defect.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from unittest import mock
from urllib.parse import unquote_to_bytes
from uuid import UUID
from zoneinfo import ZoneInfo

from letters_api import ERRORS, letters_api
from lxml import etree

from dispatcher.bindings.exastro_ita import binding as exastro_ita
from dispatcher.bindings.exastro_ita.door import Door
from dispatcher.bindings.ivanti_automation.faults import STATUSES
from dispatcher.bindings.ivanti_automation.soap import NAMES, SchedulingService
from dispatcher.bindings.ivanti_endpoint_security import binding as ies
from dispatcher.bindings.opsramp import binding as opsramp
from dispatcher.bindings.symantec_ccs import binding as symantec_ccs
from dispatcher.core.errors import Conflict, NotAuthenticated
from dispatcher.core.permissions import SYSTEM
from dispatcher.services.access_tokens import Lifetimes
from dispatcher.services.exastro_ita.rights import Privilege
from dispatcher.services.exastro_ita.workspaces import Workspace
from dispatcher.services.secrets import Secrets
from dispatcher.wire.http import Request, Response
from dispatcher.wire.json_api.forms import FormStyle
from dispatcher.wire.operations import operations_of
from dispatcher.wire.quotas import Quotas
from dispatcher.wire.soap import SoapEndpoint
from dispatcher.wire.types import Kind, kind_of, new
from dispatcher.wire.webhttp import WebHttpEndpoint

BASE = "/Dispatcher/SchedulingService"


def _nothing(returns: Any) -> Any:
    if returns is None or kind_of(returns) is not Kind.RECORD:
        return lambda _context, *_arguments: None
    return lambda _context, *_arguments: new(returns)


def _fail(event: str, **details: object) -> None:
    raise


_OPERATIONS = {
    name: replace(one, function=_nothing(one.returns)) for name, one in operations_of(SchedulingService).items()
}
_SHARED: dict[str, Any] = {
    "faults": STATUSES,
    "context": lambda request: None,
    "site_zone": lambda: UTC,
    "log": _fail,
    "quotas": Quotas(),
}
_SOAP = SoapEndpoint(_OPERATIONS, namespace=NAMES.namespace, **_SHARED)
_REST = WebHttpEndpoint(_OPERATIONS, base_path=lambda _: BASE, soap=_SOAP, **_SHARED)
_LETTERS = [letters_api(log=_fail), letters_api(log=_fail, any_case=True, form_style=FormStyle.RAW, omit_none=True)]
_ONE_OF_TWO = ("text/xml; charset=utf-8", "application/soap+xml; charset=utf-8")


def send_soap(body: bytes) -> None:
    """Send *body* as an envelope; the answer must be one, and blame nobody but the sender."""
    for content_type in _ONE_OF_TWO:
        answer = _SOAP(Request("POST", f"{BASE}/soap", "", {"content-type": content_type}, body))
        root = etree.fromstring(answer.body)
        assert etree.QName(root).localname == "Envelope"
        if answer.status != 200:
            _check_fault(root, answer)


def _check_fault(root: Any, answer: Response) -> None:
    (fault,) = root.iter("{*}Fault")
    code = "".join(fault.itertext("faultcode", "{*}Value"))
    assert answer.status in (400, 500)
    assert not any(word in code for word in ("Server", "Receiver", "InternalServiceFault")), code


def send_rest(data: bytes) -> None:
    """Send what the lines of *data* say: method, path, query, Content-Type, and the rest as the body."""
    method, path, query, content_type, body = (data.split(b"\n", 4) + [b""] * 4)[:5]
    below = unquote_to_bytes(path).decode("utf-8", "replace")
    headers = {"content-type": content_type.decode("latin-1"), "accept": content_type[:40].decode("latin-1")}
    answer = _REST(Request(method.decode("latin-1"), below, query.decode("latin-1"), headers, body))
    assert answer.status in (200, 400, 404, 405), answer.status
    if answer.status != 200:
        etree.fromstring(answer.body)


class _Reached(Conflict):
    """A request has been understood: a service is called."""


class _Nothing:
    """Services that are not there."""

    def __getattr__(self, name: str) -> Any:
        return _Nothing()

    def __call__(self, *_: object, **__: object) -> Any:
        raise _Reached("there is nobody")


class _Doors(_Nothing):
    """Gives out no tokens."""

    def lifetimes(self, _: str) -> Lifetimes:
        return Lifetimes(timedelta(hours=1))

    def issue(self, _: str, names: Any, passwords: Any, *__: object, **___: object) -> None:
        for text in (*_texts(names), *_texts(passwords)):
            text.encode()
        raise NotAuthenticated


def _texts(one_or_more: Any) -> list[str]:
    return [one_or_more] if isinstance(one_or_more, str) else one_or_more


class _Hall(_Nothing):
    """A hall with a clock, a zone and nobody else in it."""

    access_tokens = _Doors()
    secrets = Secrets(b"k" * 32)
    ports = SimpleNamespace(now=lambda: datetime(2026, 3, 1, 12, tzinfo=UTC))
    settings = SimpleNamespace(
        site_zone=lambda: ZoneInfo("Europe/Berlin"),
        current=lambda: SimpleNamespace(text=lambda _: "OFF", get=lambda _: "OFF", number=lambda _: 1_000),
    )
    #: Those who are told of something when the suites are built.
    firing = SimpleNamespace(attend=lambda *_: None)
    job_inputs = SimpleNamespace(provide=lambda *_: None)


class _OpenDoor(Door):
    """Lets everybody in."""

    def enter(self, *_: object, **__: object) -> Workspace:
        return Workspace(UUID(int=1), "org1", "ws1", UUID(int=2))

    def open(self, *_: object, **__: object) -> Privilege:
        return Privilege.DELETE


_HALL: Any = _Hall()
with mock.patch.object(exastro_ita, "Door", _OpenDoor):
    _DIALECTS = [
        build(_HALL, log=_fail, quotas=Quotas())
        for build in (opsramp.build, symantec_ccs.build, exastro_ita.build, ies.build)
    ]


def send_to_dialects(data: bytes) -> list[bytes]:
    """Send what the lines of *data* say to the JSON dialects, as ``send_rest`` does; return why nobody obeys."""
    method, path, query, content_type, body = (data.split(b"\n", 4) + [b""] * 4)[:5]
    below = unquote_to_bytes(path).decode("utf-8", "replace")
    headers = {"content-type": content_type.decode("latin-1")}
    if below.rstrip("/").lower() == "/api/v2/modules":
        return []  # they are always the same
    told = []
    for api in _DIALECTS:
        request = Request(method.decode("latin-1"), below, query.decode("latin-1"), headers, body, caller=SYSTEM)
        answer = api(request)
        assert 400 <= answer.status < 500, answer.status
        json.loads(answer.body)
        told.append(answer.body)
    return told


def send_json(data: bytes) -> None:
    """Send what the lines of *data* say to a JSON dialect, as ``send_rest`` does."""
    method, path, query, content_type, body = (data.split(b"\n", 4) + [b""] * 4)[:5]
    below = unquote_to_bytes(path).decode("utf-8", "replace")
    if below.rstrip("/").rpartition("/")[2] in ERRORS:
        return  # it fails because it was told to
    headers = {"content-type": content_type.decode("latin-1")}
    for api in _LETTERS:
        answer = api(Request(method.decode("latin-1"), below, query.decode("latin-1"), headers, body))
        assert answer.status in (200, 201, 204, 400, 404, 405, 418), answer.status
        if answer.status >= 400 and answer.status != 418:
            assert set(json.loads(answer.body)) == {"Message", "Members"}
