"""Endpoints: the real SOAP and REST front of the SchedulingService, over operations that answer with nothing.

So what is fuzzed is the wire alone: whatever is logged there is a defect.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC
from typing import Any
from urllib.parse import unquote_to_bytes

from lxml import etree

from dispatcher.bindings.ivanti_automation.faults import STATUSES
from dispatcher.bindings.ivanti_automation.soap import NAMES, SchedulingService
from dispatcher.wire.http import Request, Response
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
