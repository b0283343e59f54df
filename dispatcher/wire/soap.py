"""SOAP: one endpoint for SOAP 1.1 and 1.2, document/literal wrapped; the envelope decides, the answer is in kind.

The operation is the one that the body's element names, whatever the SOAPAction and the namespaces say (contract
section 8.7).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

from lxml import etree

from dispatcher.core.errors import BadRequest, DispatcherError, InvalidValue, NotAuthenticated, Unavailable
from dispatcher.wire.faults import FaultTable, Log, Unexpected, status_of, told, unexpected
from dispatcher.wire.http import RETRY_AFTER, Request, Response, key_of
from dispatcher.wire.negotiation import body_format
from dispatcher.wire.operations import Operation
from dispatcher.wire.quotas import Quotas
from dispatcher.wire.xml_codec import arguments_decoder, escape, result_encoder
from dispatcher.wire.xml_reader import read_xml
from dispatcher.wire.xml_shapes import Shapes

_DISPATCHER = "http://schemas.microsoft.com/net/2005/12/windowscommunicationfoundation/dispatcher"
_ADDRESSING_NONE = "http://schemas.microsoft.com/ws/2005/05/addressing/none"
_WEB_FAULT = "http://schemas.microsoft.com/2009/WebFault"
_EXCEPTION_DETAIL = "http://schemas.datacontract.org/2004/07/System.ServiceModel"
#: Headers of these may say that they must be understood: addressing asks for nothing that is not done anyway.
_UNDERSTOOD = frozenset(
    {"http://www.w3.org/2005/08/addressing", "http://schemas.xmlsoap.org/ws/2004/08/addressing", _ADDRESSING_NONE}
)


@dataclass(frozen=True, slots=True)
class Version:
    """A version of SOAP: its namespace and what depends on it."""

    namespace: str
    content_type: str
    sender: str
    receiver: str
    sender_status: int
    #: The attribute of a header that says whom it is for.
    receiver_attribute: str

    def envelope(self, *body: str) -> bytes:
        """Return *body*, given in pieces, in an envelope, in UTF-8."""
        begin = f'<s:Envelope xmlns:s="{self.namespace}"><s:Body>'
        return "".join([begin, *body, "</s:Body></s:Envelope>"]).encode()


SOAP_11 = Version(
    "http://schemas.xmlsoap.org/soap/envelope/", "text/xml; charset=utf-8", "Client", "Server", 500, "actor"
)
SOAP_12 = Version(
    "http://www.w3.org/2003/05/soap-envelope", "application/soap+xml; charset=utf-8", "Sender", "Receiver", 400, "role"
)
#: The values by which that attribute means us, and so does its absence.
_US = frozenset(
    {
        "",
        "http://schemas.xmlsoap.org/soap/actor/next",
        f"{SOAP_12.namespace}/role/next",
        f"{SOAP_12.namespace}/role/ultimateReceiver",
    }
)
#: What .NET calls the statuses that errors have. Python's names change with its version.
STATUS_NAMES: Mapping[int, str] = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    500: "InternalServerError",
    503: "ServiceUnavailable",
}
#: Fault codes of SOAP itself rather than of WCF.
_SOAP_CODES = frozenset({"MustUnderstand", "VersionMismatch"})
#: What may stand before the root of a message. It takes all that it can at once: linear time, whatever follows.
_PROLOG = re.compile(rb"(?:\xef\xbb\xbf|\xff\xfe|\xfe\xff)?(?:\s++|<\?.*?\?>|<!--.*?-->)*+", re.DOTALL)
#: In how many bytes the name of the root is looked for.
_ROOT_BYTES = 1024
_VERSIONS = {version.namespace: version for version in (SOAP_11, SOAP_12)}


class _SoapError(BadRequest):
    """What is wrong with the envelope itself; ``name`` and ``namespace`` are the fault code that WCF gives."""

    code = "soap.bad_envelope"

    def __init__(self, message: str, name: str = "DeserializationFailed", namespace: str = _DISPATCHER) -> None:
        super().__init__(message)
        self.name = name
        self.namespace = namespace


class SoapEndpoint:
    """Answers SOAP messages by calling the declared operations."""

    def __init__(
        self,
        operations: Mapping[str, Operation],
        *,
        namespace: str,
        faults: FaultTable,
        context: Callable[[Request], Any],
        site_zone: Callable[[], tzinfo],
        log: Log,
        quotas: Quotas,
    ) -> None:
        self._calls = {name: _Call(operation, namespace) for name, operation in operations.items()}
        self._folded = {name.casefold(): call for name, call in self._calls.items()}
        self._faults = faults
        self._context = context
        self._site_zone = site_zone
        self._log = log
        self._quotas = quotas
        self._shapes = _Shapes(quotas)

    def accepts(self, request: Request) -> bool:
        """Whether *request* looks like a SOAP message, for addresses where it might be something else."""
        if "soapaction" in request.headers or _says_soap_12(request):
            return True
        return _has_envelope(request.body)

    def __call__(self, request: Request) -> Response:
        """Answer the message in *request*; whatever is wrong with it becomes a fault."""
        version = SOAP_12 if _says_soap_12(request) else SOAP_11
        try:
            charset, zone = body_format(request.headers.get("content-type", ""))[1], self._site_zone()
            request.key = key_of(request)
            known = None if request.key else self._shapes.read(request.body, charset, zone)
            if known is not None:
                (call, version), arguments = known
                return call(arguments, version, self._context(request))
            envelope = read_xml(request.body, charset, self._quotas, soap=True)
            version = _version_of(envelope)
            return self._read(request, envelope, version, charset, zone)
        except DispatcherError as error:
            return self._fault(error, version)
        except Exception:
            return self._fault(unexpected(self._log, request), version)

    def _read(self, request: Request, envelope: Any, version: Version, charset: str | None, zone: tzinfo) -> Response:
        """Answer *request*, by its *envelope*, and learn the shape of that."""
        body = _body_of(envelope, version)
        headers = _headers_of(envelope, version)
        element = _element_in(body)
        _name(request, headers, element)
        call = self._call_for(element)
        response = call(call.decode(element, zone), version, self._context(request))
        if not request.key:  # which stands in the envelope, too
            meaning = call, version
            self._shapes.learn(
                request.body, charset, envelope, meaning, lambda writer: writer.arguments(element, call.takes)
            )
        return response

    def refused(self, request: Request, status: int, reason: str) -> Response:
        """Return the fault for a request that was refused before its envelope was looked at."""
        version = SOAP_12 if _says_soap_12(request) else SOAP_11
        return self._fault(BadRequest(reason) if status < 500 else Unavailable(reason), version)

    def envelope(self, operation: Operation, value: Any) -> bytes:
        """Return *value*, a result of *operation*, as its SOAP 1.2 response."""
        return SOAP_12.envelope(*self._calls[operation.name].response(value))

    def _call_for(self, element: Any) -> _Call:
        name = element.tag.rpartition("}")[2]
        call = self._calls.get(name) or self._folded.get(name.casefold())
        if call is None:
            raise _SoapError(f"there is no operation {name[:100]}", "ActionNotSupported", _ADDRESSING_NONE)
        return call

    def _fault(self, error: DispatcherError, version: Version) -> Response:
        status = status_of(self._faults, error)
        is_sender = status < 500
        http_status = version.sender_status if is_sender else 500
        if isinstance(error, NotAuthenticated):
            http_status = 401
        elif isinstance(error, _SoapError) and error.name in _SOAP_CODES:
            http_status = 500  # whatever the version (SOAP 1.2 part 2, table 20)
        write = _fault_11 if version is SOAP_11 else _fault_12
        fault = write(version.sender if is_sender else version.receiver, error, status)
        headers = [RETRY_AFTER] if isinstance(error, Unavailable) else []
        return Response(http_status, version.envelope(fault), version.content_type, headers)


class _Call:
    """An operation with the codecs of its messages."""

    def __init__(self, operation: Operation, namespace: str) -> None:
        self._operation = operation
        self.takes = operation.arguments
        self.decode = arguments_decoder(operation.arguments)
        result = f"{operation.name}Result"
        self._encode = result_encoder(operation.returns, result) if operation.returns is not None else lambda _: ""
        self._open = f'<{operation.name}Response xmlns="{namespace}">'
        self._close = f"</{operation.name}Response>"

    def __call__(self, arguments: Sequence[Any], version: Version, context: Any) -> Response:
        value = self._operation(context, *arguments)
        return Response(200, version.envelope(*self.response(value)), version.content_type)

    def response(self, value: Any) -> tuple[str, str, str]:
        """Return what stands in the body, in pieces."""
        return self._open, self._encode(value), self._close


_Shapes = Shapes[tuple[_Call, Version]]


def _has_envelope(body: bytes) -> bool:
    """Whether the root of *body* seems to be an envelope, whatever comments stand before it."""
    if b"Envelope" in body[:_ROOT_BYTES].replace(b"\0", b""):
        return True  # as nearly always
    text = body.replace(b"\0", b"")  # all that is looked for is ASCII, in UTF-16 too
    return b"Envelope" in _PROLOG.sub(b"", text, count=1)[:_ROOT_BYTES]


def _says_soap_12(request: Request) -> bool:
    return "soap+xml" in request.headers.get("content-type", "").lower()


def _version_of(envelope: Any) -> Version:
    namespace, _, name = envelope.tag.rpartition("}")
    version = _VERSIONS.get(namespace[1:])
    if name != "Envelope" or version is None:
        problem = f"the message is no SOAP envelope but {name[:100]} in the namespace {namespace[1:100]!r}"
        raise _SoapError(problem, "VersionMismatch", SOAP_11.namespace)
    return version


def _body_of(envelope: Any, version: Version) -> Any:
    """Return the one body."""
    bodies = list(envelope.iterchildren(f"{{{version.namespace}}}Body"))
    if len(bodies) != 1:
        raise _SoapError(f"the envelope has {len(bodies)} bodies in place of one")
    return bodies[0]


def _headers_of(envelope: Any, version: Version) -> list[Any]:
    """Return the headers, all of which are understood."""
    prefix = f"{{{version.namespace}}}"
    headers = [header for part in envelope.iterchildren(prefix + "Header") for header in part.iterchildren("*")]
    for header in headers:
        must = header.get(prefix + "mustUnderstand", "").strip()
        receiver = header.get(prefix + version.receiver_attribute, "").strip()
        namespace = header.tag.rpartition("}")[0][1:]
        if must in ("1", "true") and receiver in _US and namespace not in _UNDERSTOOD:
            raise _SoapError(f"the header {header.tag[:200]} is not understood", "MustUnderstand", version.namespace)
    return headers


def _element_in(body: Any) -> Any:
    """Return the one element in *body*."""
    if len(body) != 1:
        raise _SoapError(f"the body has {len(body)} elements in place of one")
    return body[0]


def _name(request: Request, headers: Iterable[Any], element: Any) -> None:
    """Note how the sender of *request* calls it, unless HTTP has said so, and what it asks for if it has a name."""
    for header in headers:
        namespace, _, name = header.tag.rpartition("}")
        if not request.key and name == "MessageID" and namespace[1:] in _UNDERSTOOD:
            request.key = (header.text or "").strip()
    if request.key:
        asked = etree.tostring(element, with_tail=False)  # as it is now, whatever is made of the element
        request.asks = lambda: asked


def _code_of(error: DispatcherError) -> tuple[str, str] | None:
    """Return name and namespace of WCF's fault code for *error*; None where SOAP's own code is enough."""
    if isinstance(error, _SoapError):
        return error.name, error.namespace
    if isinstance(error, Unexpected):
        return "InternalServiceFault", _DISPATCHER
    if isinstance(error, BadRequest) and not isinstance(error, InvalidValue):
        return "DeserializationFailed", _DISPATCHER
    return None


def _detail(error: DispatcherError) -> str:
    # The one detail that every stack reads: Mono's client fails on any other (contract section 12).
    return (
        f'<ExceptionDetail xmlns="{_EXCEPTION_DETAIL}" xmlns:i="http://www.w3.org/2001/XMLSchema-instance">'
        f'<HelpLink i:nil="true"/><InnerException i:nil="true"/><Message>{escape(told(error))}</Message>'
        f'<StackTrace i:nil="true"/><Type>{escape(error.code)}</Type></ExceptionDetail>'
    )


def _fault_11(side: str, error: DispatcherError, _status: int) -> str:
    code = _code_of(error)
    if code is None or code[1] == SOAP_11.namespace:
        faultcode = f"<faultcode>s:{code[0] if code else side}</faultcode>"
    else:
        faultcode = f'<faultcode xmlns:a="{code[1]}">a:{code[0]}</faultcode>'
    return (
        f'<s:Fault>{faultcode}<faultstring xml:lang="en-US">{escape(told(error))}</faultstring>'
        f"<detail>{_detail(error)}</detail></s:Fault>"
    )


def _fault_12(side: str, error: DispatcherError, status: int) -> str:
    # As WCF's WebFaultException: .NET's name of the status. Without any, node's soap shows "undefined" in its message.
    code = _code_of(error) or (STATUS_NAMES[status], _WEB_FAULT)
    subcode = ""
    if code[0] in _SOAP_CODES:
        side = code[0]
    else:
        subcode = f'<s:Subcode><s:Value xmlns:a="{code[1]}">a:{code[0]}</s:Value></s:Subcode>'
    return (
        f"<s:Fault><s:Code><s:Value>s:{side}</s:Value>{subcode}</s:Code>"
        f'<s:Reason><s:Text xml:lang="en-US">{escape(told(error))}</s:Text></s:Reason>'
        f"<s:Detail>{_detail(error)}</s:Detail></s:Fault>"
    )
