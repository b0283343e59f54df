"""A small JSON dialect with every kind of argument and answer, for tests of the kit: it answers what it was given."""

# The names are those of its wire.
# ruff: noqa: N815

from __future__ import annotations

from typing import Annotated, Any

from pydantic import ConfigDict, Field

from dispatcher.core.errors import Conflict, Forbidden, InvalidValue, JobNotFound, NotAuthenticated, Unavailable
from dispatcher.wire.http import Request, Response
from dispatcher.wire.json_api.endpoint import JsonApi
from dispatcher.wire.json_api.failures import Failure, Reply
from dispatcher.wire.json_api.models import Digits, LaxBool, LaxText, Model
from dispatcher.wire.json_api.operations import operation
from dispatcher.wire.quotas import Quotas

#: What ``fail`` raises, by the kind that it is asked for.
ERRORS: dict[str, Exception] = {
    "value": InvalidValue("kind", "is wrong"),
    "forbidden": Forbidden("eve", "read", "Jobs"),
    "missing": JobNotFound("1"),
    "conflict": Conflict("already there"),
    "busy": Unavailable("come back later"),
    "stranger": NotAuthenticated(),
    "hostile": Conflict("a\x00b<script>\x1b&\ud800"),
    "defect": ZeroDivisionError("secret detail"),
}


class Stamp(Model):
    price: Digits
    colour: str | None = None


class Letter(Model):
    """What is written."""

    to: str
    isUrgent: LaxBool = False
    pages: Digits = 1
    weight: LaxText | None = None
    stamps: list[Stamp] = []
    about: Annotated[str | None, Field(alias="about-what")] = None

    model_config = ConfigDict(json_schema_extra={"example": {"to": "Ann", "pages": "2"}})


class Words(Model):
    pageNo: Digits = 1
    text: str | None = None


class Door(Model):
    grant_type: str
    password: str | None = None


class Page(Model):
    owner: str
    pageNo: int
    text: str | None


class Letters:
    def __init__(self) -> None:
        self.burnt: list[str] = []

    @operation("POST /letters/v1/of/<owner>/letters", summary="Write a letter", is_submit=True)
    def write(self, request: Request, owner: str, body: Letter) -> Letter:
        return body

    @operation("GET /letters/v1/of/<owner>/letters/Search", summary="Search letters")
    def search(self, request: Request, owner: str, query: Words) -> Page:
        return Page(owner=owner, pageNo=query.pageNo, text=query.text)

    @operation("GET /letters/v1/of/<owner>/letters/<letter>", summary="Read a letter")
    def read(self, request: Request, owner: str, letter: str) -> list[str]:
        return [owner, letter, request.caller.name, request.key, request.address]

    @operation("DELETE /letters/v1/of/<owner>/letters/<letter>", summary="Burn a letter")
    def burn(self, request: Request, owner: str, letter: str) -> None:
        self.burnt.append(letter)

    @operation(
        "GET /letters/v1/of/<owner>/letters/<letter>/send",
        "POST /letters/v1/of/<owner>/letters/<letter>/send",
        summary="Send a letter",
        empty=200,
    )
    def send(self, request: Request, owner: str, letter: str, body: Letter | None) -> Letter | None:
        return body

    @operation("POST /letters/v1/keys", summary="Get a key", public=True, status=201)
    def key(self, request: Request, form: Door) -> dict[str, Any]:
        return {"grant": form.grant_type, "password": form.password}

    @operation("GET /letters/v1/fail/<kind>", summary="Fail")
    def fail(self, request: Request, kind: str) -> Response:
        if kind in ERRORS:
            raise ERRORS[kind]
        return Response(418, b"short and stout", "text/plain")


def to_error(failure: Failure) -> Reply:
    members = [problem.path for problem in failure.problems]
    headers = [("WWW-Authenticate", "Bearer")] if failure.status == 401 else []
    return Reply(failure.status, {"Message": failure.message, "Members": members}, headers)


def letters_api(logged: list[dict[str, Any]] | None = None, **options: Any) -> JsonApi:
    """Return the dialect; *options* are those of ``JsonApi``."""

    def log(event: str, **details: object) -> None:
        if logged is not None:
            logged.append({"event": event, **details})

    given: dict[str, Any] = {
        "dialect": "letters",
        "title": "Letters",
        "version": "1",
        "prefixes": ("/letters/v1",),
        "handlers": [Letters()],
        "to_error": to_error,
        "log": log,
        "quotas": Quotas(),
    }
    return JsonApi(**{**given, **options})
