"""OpenAPI: the description of a JSON dialect, made of the very declarations that it is served by."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import Any, Literal

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from dispatcher.core.errors import Conflict, Forbidden, InvalidValue, NotAuthenticated, NotFound, Unavailable
from dispatcher.wire.faults import Unexpected
from dispatcher.wire.http import BASIC, BEARER, Request
from dispatcher.wire.json_api.endpoint import JsonApi
from dispatcher.wire.json_api.envelopes import MEMBER
from dispatcher.wire.json_api.failures import Failure
from dispatcher.wire.json_api.models import names_of
from dispatcher.wire.json_api.operations import Operation, Route

OPENAPI = "3.1.0"
_REF = "#/components/schemas/{model}"
#: How clients say who they are: the name of it, and what it is by HTTP.
_SCHEMES = {BEARER: ("token", "bearer"), BASIC: ("login", "basic")}
_Mode = Literal["validation", "serialization"]
_FORM = "application/x-www-form-urlencoded"
_JSON = "application/json"
#: What bodies are sent as: forms are read from JSON, too.
_KINDS = {"body": (_JSON,), "form": (_FORM, _JSON)}
_MULTIPART = "multipart/form-data"
#: What names a request.
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Names the request for a day: sent again with the same content, it is not done once more.",
    "schema": {"type": "string"},
}
#: A form with files: the message as a text, and the files beside it.
_FILES = {
    "type": "object",
    "properties": {"json_parameters": {"type": "string"}},
    "required": ["json_parameters"],
    "additionalProperties": {"type": "string", "format": "binary"},
}
#: What nobody has.
_NOBODY = "00000000-0000-4000-8000-000000000001"


def document(api: JsonApi) -> dict[str, Any]:
    """Return the description of *api* in OpenAPI 3.1."""
    schemas, definitions = _schemas(api.operations)
    failures = _Failures(api)
    paths: dict[str, dict[str, Any]] = {}
    for operation in api.operations:
        for number, route in enumerate(operation.declared.routes):
            # One method may be found at several places, but an id names one of them.
            name = operation.name if number == 0 else f"{operation.name}_{number + 1}"
            path = route.path.replace("<", "{").replace(">", "}")
            described = _described(operation, route, name, schemas, definitions)
            if not operation.declared.is_public:
                described["security"] = [{_SCHEMES[scheme][0]: []} for scheme in api.schemes]
            described["responses"] |= failures.of(operation, route)
            paths.setdefault(path, {})[route.verb.lower()] = described
    return {
        "openapi": OPENAPI,
        "info": {"title": api.title, "version": api.version},
        "tags": [{"name": tag} for tag in dict.fromkeys(one.tag for one in api.operations) if tag],
        "paths": paths,
        "components": {
            "schemas": definitions,
            "responses": failures.named,
            "securitySchemes": {
                name: {"type": "http", "scheme": scheme} for name, scheme in map(_SCHEMES.__getitem__, api.schemes)
            },
        },
    }


class _AsWritten(GenerateJsonSchema):
    """Describes models with everything in the order in which they have it: examples, too."""

    def sort(self, value: JsonSchemaValue, parent_key: str | None = None) -> JsonSchemaValue:  # noqa: ARG002
        return value


def _schemas(operations: Sequence[Operation]) -> tuple[dict[tuple[str, str], Any], dict[str, Any]]:
    """Return the schemas by operation and part of it, and the definitions that they refer to."""
    inputs: list[tuple[tuple[str, str], _Mode, TypeAdapter[Any]]] = []
    for operation in operations:
        for part in ("body", "query", "form"):
            if (hint := getattr(operation, part)) is not None:
                inputs.append(((operation.name, part), "validation", TypeAdapter(hint)))
        if operation.returns is not None and not operation.is_plain:
            inputs.append(((operation.name, "returns"), "serialization", TypeAdapter(operation.returns)))
    found, rest = TypeAdapter.json_schemas(inputs, by_alias=True, ref_template=_REF, schema_generator=_AsWritten)
    return {key: schema for (key, _), schema in found.items()}, dict(sorted(rest.get("$defs", {}).items()))


def _described(
    operation: Operation, route: Route, name: str, schemas: dict[tuple[str, str], Any], definitions: dict[str, Any]
) -> dict[str, Any]:
    declared = operation.declared
    parameters: list[dict[str, Any]] = [
        {"name": variable, "in": "path", "required": True, "schema": {"type": "string"}} for variable in route.variables
    ]
    if operation.query is not None:
        parameters += _words(operation, schemas[operation.name, "query"], definitions)
    if declared.takes_key:
        parameters.append(_KEY)
    described: dict[str, Any] = {"operationId": name, "summary": declared.summary}
    if operation.tag:
        described["tags"] = [operation.tag]
    if parameters:
        described["parameters"] = parameters
    for part, kinds in _KINDS.items():
        # Browsers send none with a GET, so that whoever fills one in there could not send the request at all.
        if (operation.name, part) in schemas and route.verb != "GET":
            schema = schemas[operation.name, part]
            if declared.is_enveloped:
                schema = _envelope(schema, definitions)
            content: dict[str, Any] = {kind: {"schema": schema} for kind in kinds}
            if declared.has_files:
                content[_MULTIPART] = {"schema": _FILES}
            described["requestBody"] = {"required": not operation.is_body_optional, "content": content}
    described["responses"] = _responses(operation, schemas)
    described["security"] = []
    return described


def _envelope(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Return what a body is that holds, as a text, what *schema* describes."""
    name = schema["$ref"].rpartition("/")[2]
    text = {
        "type": "string",
        "contentMediaType": _JSON,
        "contentSchema": schema,
        "description": f"The JSON text of one {name}, which its content schema describes. Names need no quotes, "
        "and it may have line breaks, comments and a comma behind the last member.",
    }
    envelope: dict[str, Any] = {"type": "object", "properties": {MEMBER: text}, "required": [MEMBER]}
    if example := definitions[name].get("example"):
        envelope["example"] = {MEMBER: json.dumps(example)}
    return envelope


def _words(operation: Operation, schema: dict[str, Any], definitions: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Give the words of the query, each a parameter of its own."""
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    required = schema.get("required", ())
    for name in names_of(operation.query):
        word = dict(schema["properties"][name])
        told = {"description": word.pop("description")} if "description" in word else {}
        yield {"name": name, "in": "query", "required": name in required, **told, "schema": word}


def _responses(operation: Operation, schemas: dict[tuple[str, str], Any]) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    declared = operation.declared
    if schema := schemas.get((operation.name, "returns")):
        content = {"application/json": {"schema": schema}}
        responses[str(declared.status)] = {"description": _phrase(declared.status), "content": content}
    if operation.is_answer_optional:
        responses.setdefault(str(declared.empty), {"description": _phrase(declared.empty)})
    if operation.is_plain:
        responses[str(declared.status)] = {"description": _phrase(declared.status)}
    return responses


class _Failures:
    """The answers to what goes wrong, as *api* tells it; each is in ``named`` once, however many operations have it."""

    def __init__(self, api: JsonApi) -> None:
        self._api = api
        self.named: dict[str, Any] = {}

    def of(self, operation: Operation, route: Route) -> dict[str, Any]:
        """Return the answers that *operation* has at *route*, by status."""
        request = Request(route.verb, route.path)
        responses: dict[str, Any] = {}
        for failure in _failures(self._api, request, operation, route):
            reply = self._api.to_example(failure)
            if str(reply.status) not in responses:
                content = {} if reply.body is None else {"content": {_JSON: {"example": reply.body}}}
                name = self._name({"description": _phrase(reply.status), **content})
                responses[str(reply.status)] = {"$ref": f"#/components/responses/{name}"}
        return responses

    def _name(self, response: dict[str, Any]) -> str:
        word, number = str(response["description"]).title().replace(" ", ""), 1
        name = word
        while self.named.setdefault(name, response) != response:
            number += 1
            name = f"{word}{number}"
        return name


def _failures(api: JsonApi, request: Request, operation: Operation, route: Route) -> Iterator[Failure]:
    """Give a sample of each way in which *request* to *operation* may fail."""
    has_body = operation.body is not None or operation.form is not None
    if has_body or operation.query is not None or route.variables:
        yield api.failure_of(request, InvalidValue("name", "is missing"))
    yield api.failure_of(request, NotAuthenticated())
    if not operation.declared.is_public:
        yield api.failure_of(request, Forbidden("ann", "Modify", "Jobs/Scheduling"))
        yield from (api.failure_of(request, sample) for sample in (*api.samples, *operation.declared.samples))
        if route.variables:
            yield api.failure_of(request, _Missing(route.variables[-1]))
        if any(one.verb != "GET" for one in operation.declared.routes):
            yield api.failure_of(request, Conflict("somebody else has changed it meanwhile"))
    if has_body:
        yield Failure(request, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the message is too large")
    yield api.failure_of(request, Unexpected(_NOBODY))
    yield api.failure_of(request, Unavailable("come back later"))


class _Missing(NotFound):
    """There is none of the kind that a *variable* of the path names."""

    def __init__(self, variable: str) -> None:
        self.kind = variable.partition("_")[0]
        super().__init__(_NOBODY)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:  # it is none of HTTP's
        return f"Status {status}"
