"""The description of a dialect is valid OpenAPI 3.1, and forgets nothing that is served."""

from __future__ import annotations

import json
from typing import Any

import pytest
from letters_api import Letter, letters_api
from openapi_spec_validator import OpenAPIV31SpecValidator, validate
from pydantic import Field

from dispatcher.core.errors import KeyReused, NotFound
from dispatcher.wire.http import BASIC, BEARER, Request
from dispatcher.wire.json_api.failures import Failure, Reply
from dispatcher.wire.json_api.models import AnyCase, LastWins
from dispatcher.wire.json_api.openapi import document
from dispatcher.wire.json_api.operations import operation

DOCUMENT: dict[str, Any] = document(letters_api())


def test_the_description_is_valid() -> None:
    validate(DOCUMENT, cls=OpenAPIV31SpecValidator)


def test_every_route_is_in_it() -> None:
    routes = {
        (route.verb.lower(), route.path.replace("<", "{").replace(">", "}"))
        for operation in letters_api().operations
        for route in operation.declared.routes
    }
    assert {(verb, path) for path, item in DOCUMENT["paths"].items() for verb in item} == routes


def of(verb: str, path: str) -> dict[str, Any]:
    found: dict[str, Any] = DOCUMENT["paths"][f"/letters/v1/{path}"][verb]
    return found


def test_parameters_are_those_of_path_and_query() -> None:
    search = of("get", "of/{owner}/letters/Search")
    parameters = [(one["name"], one["in"], one["required"]) for one in search["parameters"]]
    assert parameters == [("owner", "path", True), ("pageNo", "query", False), ("text", "query", False)]


def test_messages_are_those_that_are_read_and_written() -> None:
    write = of("post", "of/{owner}/letters")
    assert write["requestBody"]["required"]
    reference = write["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    letter = DOCUMENT["components"]["schemas"][reference.rpartition("/")[2]]
    assert letter["properties"]["isUrgent"]["type"] == ["boolean", "string"]
    assert "about-what" in letter["properties"]
    assert letter["example"] == {"to": "Ann", "pages": "2"}
    assert not of("post", "of/{owner}/letters/{letter}/send")["requestBody"]["required"]
    assert "requestBody" not in of("get", "of/{owner}/letters/{letter}/send")  # no browser sends one
    keys = of("post", "keys")["requestBody"]
    assert keys["required"]
    assert [*keys["content"]] == ["application/x-www-form-urlencoded", "application/json"]


@pytest.mark.parametrize(
    ("verb", "path", "statuses"),
    [
        ("post", "of/{owner}/letters", {"200", "400", "403", "404", "409", "413"}),
        ("get", "of/{owner}/letters/{letter}", {"200", "400", "403", "404"}),
        ("delete", "of/{owner}/letters/{letter}", {"204", "400", "403", "404", "409"}),
        # It does the same by either method.
        ("get", "of/{owner}/letters/{letter}/send", {"200", "400", "403", "404", "409", "413"}),
        ("post", "keys", {"201", "400", "413"}),
    ],
)
def test_answers_have_their_statuses(verb: str, path: str, statuses: set[str]) -> None:
    assert set(of(verb, path)["responses"]) == statuses | {"401", "500", "503"}


def example(document: dict[str, Any], path: str, status: str) -> Any:
    (operation,) = document["paths"][path].values()
    name = operation["responses"][status]["$ref"].rpartition("/")[2]
    return document["components"]["responses"][name]["content"]["application/json"]["example"]


def test_an_operation_may_have_failures_of_its_own() -> None:
    class Closing:
        @operation("POST /letters/v1/closed", summary="Try", samples=(KeyReused(),))
        def attempt(self, request: Request) -> None: ...

        @operation("POST /letters/v1/open", summary="Do")
        def do(self, request: Request) -> None: ...

    paths = document(letters_api(handlers=[Closing()], statuses={KeyReused: 422}))["paths"]
    assert ["422" in paths[f"/letters/v1/{one}"]["post"]["responses"] for one in ("closed", "open")] == [True, False]


def test_failures_are_shown_as_the_dialect_tells_them_at_that_path() -> None:
    def to_error(failure: Failure) -> Reply:
        if failure.path.endswith("/keys"):
            return Reply(failure.status, {"error": failure.message})
        return Reply(failure.status, {"Message": failure.message})

    described = document(letters_api(to_error=to_error, statuses={NotFound: 400}))
    assert example(described, "/letters/v1/keys", "400") == {"error": "name: is missing"}
    search = "/letters/v1/of/{owner}/letters/Search"
    assert example(described, search, "400") == {"Message": "name: is missing"}
    assert "404" not in described["paths"][search]["get"]["responses"]
    assert "no kind" in example(DOCUMENT, "/letters/v1/fail/{kind}", "404")["Message"]
    used = json.dumps(described["paths"])
    assert all(f'"#/components/responses/{name}"' in used for name in described["components"]["responses"])


class Wanted(AnyCase):
    folder: str = Field(description="Where to look.")
    colour: str = Field("", json_schema_extra={"enum": ["red", "blue"]})


def test_words_of_the_query_are_described() -> None:
    class Finder:
        @operation("GET /letters/v1/find", summary="Find")
        def find(self, request: Request, query: Wanted) -> None: ...

    described = document(letters_api(handlers=[Finder()]))["paths"]["/letters/v1/find"]["get"]["parameters"]
    assert [one["required"] for one in described] == [True, False]
    assert described[0]["description"] == "Where to look."
    assert described[1]["schema"]["enum"] == ["red", "blue"]


def test_a_token_is_needed_but_where_it_is_not() -> None:
    assert of("post", "keys")["security"] == []
    assert of("delete", "of/{owner}/letters/{letter}")["security"] == [{"token": []}]
    assert DOCUMENT["components"]["securitySchemes"]["token"]["scheme"] == "bearer"


class Parcels:
    """Takes what comes with files."""

    @operation("POST /letters/v1/parcels", summary="Send a parcel", takes=Letter, has_files=True)
    def send(self, request: Request) -> None:
        """Send what is in the body."""


def test_a_body_with_files_and_names_with_passwords_are_described() -> None:
    api = letters_api(handlers=[Parcels()], schemes=(BASIC, BEARER))
    described = document(api)
    validate(described, cls=OpenAPIV31SpecValidator)
    send = described["paths"]["/letters/v1/parcels"]["post"]
    assert send["requestBody"]["required"]
    assert send["requestBody"]["content"].keys() == {"application/json", "multipart/form-data"}
    assert send["security"] == [{"login": []}, {"token": []}]
    assert described["components"]["securitySchemes"] == {
        "login": {"type": "http", "scheme": "basic"},
        "token": {"type": "http", "scheme": "bearer"},
    }
    # Nothing of the body is looked at before the method is called.
    assert api(Request("POST", "/letters/v1/parcels", body=b"{")).status == 204


class Owner(LastWins):
    Name: str


class Crate(LastWins):
    """What parcels come in."""

    Owners: list[Owner]

    model_config = {"json_schema_extra": {"example": {"Owners": [{"Name": "Ann"}]}}}


class Box(LastWins):
    Size: int


class Crates:
    @operation("POST /letters/v1/crates", summary="Send a crate", enveloped=True)
    def send(self, request: Request, body: Crate) -> None: ...

    @operation("POST /letters/v1/boxes", summary="Send a box", enveloped=True)
    def send_box(self, request: Request, body: Box | None) -> None: ...


def test_an_envelope_is_described_with_what_its_text_says() -> None:
    described = document(letters_api(handlers=[Crates()]))
    validate(described, cls=OpenAPIV31SpecValidator)
    body = described["paths"]["/letters/v1/crates"]["post"]["requestBody"]
    envelope = body["content"]["application/json"]["schema"]
    assert (body["required"], envelope["type"], envelope["required"]) == (True, "object", ["value"])
    value = envelope["properties"]["value"]
    assert (value["type"], value["contentMediaType"]) == ("string", "application/json")
    assert value["contentSchema"] == {"$ref": "#/components/schemas/Crate"}
    assert json.loads(envelope["example"]["value"]) == {"Owners": [{"Name": "Ann"}]}
    schemas = described["components"]["schemas"]
    assert schemas["Crate"]["properties"]["Owners"]["items"] == {"$ref": "#/components/schemas/Owner"}
    assert [*schemas["Owner"]["properties"]] == ["Name"]
    box = described["paths"]["/letters/v1/boxes"]["post"]["requestBody"]
    assert not box["required"]
    assert "example" not in box["content"]["application/json"]["schema"]
