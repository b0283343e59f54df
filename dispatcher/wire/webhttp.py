"""WebHttp: REST as WCF does it, over the same operations: UriTemplates, XML or JSON, HTML for what goes wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import tzinfo
from typing import Any

from dispatcher.core.errors import BadRequest, DispatcherError, InvalidValue
from dispatcher.wire import pages
from dispatcher.wire.faults import FaultTable, Log, status_of, told, unexpected
from dispatcher.wire.http import Request, Response, key_of
from dispatcher.wire.json_codec import encode_json, json_decoder
from dispatcher.wire.json_reader import read_json
from dispatcher.wire.negotiation import Format, answer_format, body_format
from dispatcher.wire.operations import Operation
from dispatcher.wire.quotas import Quotas
from dispatcher.wire.scalars import WrongValue, text_reader
from dispatcher.wire.soap import SoapEndpoint
from dispatcher.wire.types import members_of
from dispatcher.wire.uri_template import UriTemplate, parse_template
from dispatcher.wire.xml_codec import root_encoder, xml_decoder
from dispatcher.wire.xml_reader import read_xml
from dispatcher.wire.xml_shapes import Shapes

#: Notes that a body was right, by which others like it are read sooner.
Learn = Callable[[], None]


class WebHttpEndpoint:
    """Answers REST requests below what *base_path* returns for each, by calling the declared operations."""

    def __init__(
        self,
        operations: Mapping[str, Operation],
        *,
        base_path: Callable[[Request], str],
        soap: SoapEndpoint,
        faults: FaultTable,
        context: Callable[[Request], Any],
        site_zone: Callable[[], tzinfo],
        log: Log,
        quotas: Quotas,
    ) -> None:
        calls = [_Call(operation, quotas, soap) for operation in operations.values()]
        # Of two templates that fit, the one with fewer variables is meant.
        calls.sort(key=lambda call: call.template.variables_in_path)
        self._calls: dict[int, list[_Call]] = {}
        for call in calls:
            self._calls.setdefault(call.template.slashes, []).append(call)
        self._base_path = base_path
        self._faults = faults
        self._context = context
        self._site_zone = site_zone
        self._log = log

    def __call__(self, request: Request) -> Response:
        """Answer *request*; whatever is wrong with it becomes a page."""
        method = "GET" if request.method == "HEAD" else request.method
        below = request.path[len(self._base_path(request)) :].strip("/")
        allowed = []
        for call in self._calls.get(below.count("/"), ()):
            variables = call.template.match(below, request.query)
            if variables is None:
                continue
            if call.verb == method:
                return self._answer(call, variables, request)
            allowed += [call.verb, "HEAD"] if call.verb == "GET" else [call.verb]
        if allowed:
            return pages.method_not_allowed(self._help_url(request), sorted(set(allowed)))
        return pages.endpoint_not_found(self._help_url(request))

    def refused(self, request: Request, status: int, reason: str) -> Response:
        """Return the page for a request that was refused before anybody looked at what it asks."""
        return pages.request_error(status, reason, self._help_url(request))

    def _answer(self, call: _Call, variables: Mapping[str, str], request: Request) -> Response:
        request.key = key_of(request)
        if request.key:
            request.asks = lambda: f"{request.path}?{request.query}\n".encode() + request.body
        try:
            return call(variables, request, self._context(request), self._site_zone())
        except DispatcherError as error:
            failure = error
        except Exception:
            failure = unexpected(self._log, request)
        return pages.request_error(status_of(self._faults, failure), told(failure), self._help_url(request))

    def _help_url(self, request: Request) -> str:
        return f"{request.root}{self._base_path(request)}/help"


class _Call:
    """An operation with its template and the codecs of its messages."""

    def __init__(self, operation: Operation, quotas: Quotas, soap: SoapEndpoint) -> None:
        self.verb = operation.route.verb
        self.template: UriTemplate = parse_template(operation.route.template)
        self._operation = operation
        self._soap = soap
        route, types = operation.route, dict(operation.arguments)
        names = {variable: name for name, variable in self.template.query.items()}
        self._readers = {
            argument: (variable, names.get(variable, argument), text_reader(types[argument]))
            for variable, argument in route.arguments.items()
        }
        self._body = _Body(route.body, types[route.body], quotas) if route.body else None
        self._encode_xml = root_encoder(operation.returns)

    def __call__(self, variables: Mapping[str, str], request: Request, context: Any, zone: tzinfo) -> Response:
        arguments = []
        learn = _nothing
        for name, _ in self._operation.arguments:
            if self._body is not None and name == self._body.argument:
                argument, learn = self._body.read(request, zone)
                arguments.append(argument)
            else:
                arguments.append(self._read(name, variables, zone))
        value = self._operation(context, *arguments)
        learn()
        wanted = answer_format(request.headers.get("accept", ""), request.headers.get("content-type", ""))
        return Response(200, self._written(value, wanted, zone), wanted.value)

    def _read(self, argument: str, variables: Mapping[str, str], zone: tzinfo) -> Any:
        variable, shown_name, read = self._readers[argument]
        text = variables.get(variable)
        if text is None:
            return None
        try:
            return read(text, zone)
        except WrongValue as wrong:
            raise wrong.inside(shown_name).named() from None

    def _written(self, value: Any, wanted: Format, zone: tzinfo) -> bytes:
        if wanted is Format.JSON:
            return encode_json(self._operation.returns, value, zone)
        if wanted is Format.SOAP:
            return self._soap.envelope(self._operation, value)
        return self._encode_xml(value).encode()


class _Body:
    """The argument that a REST body fills: in XML or JSON, bare or inside a member that is called like it."""

    def __init__(self, argument: str, model: Any, quotas: Quotas) -> None:
        self.argument = argument
        self._folded = argument.casefold()
        self._has_member = self._folded in {name.casefold() for name in members_of(model)}
        self._quotas = quotas
        self._model = model
        self._shapes = Shapes[None](quotas)
        self._decode_xml = xml_decoder(model)
        self._decode_json = json_decoder(model)

    def read(self, request: Request, zone: tzinfo) -> tuple[Any, Learn]:
        """Return the value in the body of *request*, and what is to be called when it has done what it is for.

        :raises BadRequest: if there is none that can be read.
        """
        if not request.body.strip():
            raise BadRequest("the message is empty")
        kind, charset = body_format(request.headers.get("content-type", ""))
        if kind is None or kind is Format.SOAP:
            # Something odd, or nothing: the first character tells.
            kind = Format.XML if b"<" in request.body.lstrip()[:4] else Format.JSON
        try:
            decode = self._from_json if kind is Format.JSON else self._from_xml
            value, learn = decode(request.body, charset, zone)
        except WrongValue as wrong:
            raise wrong.inside(self.argument).named() from None
        if value is None:
            raise InvalidValue(self.argument, "is missing")
        return value, learn

    def _from_json(self, body: bytes, charset: str | None, zone: tzinfo) -> tuple[Any, Learn]:
        document = read_json(body, charset, self._quotas, latin_1=True)
        if not isinstance(document, dict):
            raise BadRequest("the message is no JSON object")
        if not self._has_member:
            for name, inner in document.items():
                if name.casefold() == self._folded and isinstance(inner, dict):
                    document = inner
        return self._decode_json(document, zone), _nothing

    def _from_xml(self, body: bytes, charset: str | None, zone: tzinfo) -> tuple[Any, Learn]:
        known = self._shapes.read(body, charset, zone)
        if known is not None:
            return known[1][0], _nothing
        root = whole = read_xml(body, charset, self._quotas, soap=False)
        if not self._has_member:
            for child in root:
                if child.tag.rpartition("}")[2].casefold() == self._folded:
                    root = child
        value = self._decode_xml(root, zone)
        return value, lambda: self._shapes.learn(
            body, charset, whole, None, lambda writer: [writer.value(root, self._model)]
        )


def _nothing() -> None:
    """There is nothing to learn."""
