"""The web application: routes by prefix, knows the caller, refuses what is too much."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, MutableMapping
from typing import Any
from uuid import UUID

import pytest

from dispatcher.core.permissions import SYSTEM
from dispatcher.services.hall import Hall
from dispatcher.services.logins import Logins
from dispatcher.web.app import Limits, WebApp
from dispatcher.web.health import Health
from dispatcher.wire.http import Request, Response


class Door:
    """A binding that answers with what it was asked."""

    prefixes = ("/door",)
    home = "/Door"
    title = "a door for tests"

    def is_public(self, request: Request) -> bool:
        return request.query == "public"

    def unauthenticated(self, request: Request) -> Response:
        return Response(401, b"who are you?", "text/plain", [("WWW-Authenticate", "Basic")])

    def refused(self, request: Request, status: int, reason: str) -> Response:
        return Response(status, f"refused: {reason}".encode(), "text/plain")

    def __call__(self, request: Request) -> Response:
        if request.path.endswith("defect"):
            raise ZeroDivisionError("secret detail")
        text = f"{request.method} {request.path} {request.caller.name} {len(request.body)}"
        return Response(200, text.encode(), "text/plain")


@pytest.fixture
def web(hall: Hall) -> Iterator[WebApp]:
    limits = Limits(max_body_bytes=1000, deadline_s=0.2, threads=2, max_waiting=2)
    app = WebApp([Door()], hall.security, Health(hall), lambda: UUID(int=7), limits)
    yield app
    app.close()


def ask(
    web: WebApp,
    path: str,
    *,
    method: str = "GET",
    headers: dict[str, str] | None = None,
    parts: tuple[bytes, ...] = (b"",),
    hangs: bool = False,
    query: str = "",
) -> tuple[int, dict[str, str], bytes]:
    """Send one request through ASGI; *parts* are the pieces of its body, after which it may hang."""
    sent: list[MutableMapping[str, Any]] = []
    waiting = list(parts)

    async def receive() -> MutableMapping[str, Any]:
        if not waiting:
            await asyncio.sleep(60)
        part = waiting.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(waiting) or hangs}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    raw = [(name.encode(), value.encode("latin-1")) for name, value in (headers or {}).items()]
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "headers": raw,
        "query_string": query.encode(),
        "scheme": "http",
        "client": ("127.0.0.1", 1),
    }
    asyncio.run(web(scope, receive, send))
    names = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], names, sent[1]["body"]


@pytest.mark.parametrize("path", ["/door", "/DOOR/", "/Door/deep/er", "/d%6For/x"])
def test_everything_below_a_prefix_goes_to_its_binding(web: WebApp, path: str) -> None:
    assert ask(web, path)[0] == 200


@pytest.mark.parametrize("path", ["/doors", "/other", "/do/or"])
def test_everything_else_is_not_found(web: WebApp, path: str) -> None:
    assert ask(web, path)[0] == 404


def test_the_root_says_what_is_served(web: WebApp) -> None:
    status, headers, body = ask(web, "/")
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert b'<a href="/Door/help">' in body
    assert b"a door for tests" in body


def test_health(web: WebApp) -> None:
    assert ask(web, "/health/live")[0] == 200
    assert ask(web, "/health/ready") == (200, ask(web, "/health/ready")[1], b'{"datastore":"ok"}')


def test_without_logins_nobody_is_asked(web: WebApp) -> None:
    assert ask(web, "/door")[2] == b"GET /door  0"
    assert ask(web, "/door", headers={"authorization": "Basic Og=="})[0] == 200


def test_with_a_login_credentials_are_needed_except_for_what_is_public(
    web: WebApp, hall: Hall, datastore: Any, ports: Any
) -> None:
    add_login(datastore, ports)
    status, headers, body = ask(web, "/door")
    assert (status, headers["www-authenticate"], body) == (401, "Basic", b"who are you?")
    assert ask(web, "/door", query="public")[0] == 200
    assert ask(web, "/door", headers={"authorization": "Basic YWRhOndyb25n"})[0] == 401
    assert ask(web, "/door", headers={"authorization": "Basic YWRhOnMzY3JldA=="})[2] == b"GET /door ada 0"


def add_login(datastore: Any, ports: Any) -> None:
    Logins(datastore, ports).add("ada", "s3cret", caller=SYSTEM)


def test_a_body_in_pieces_arrives_whole(web: WebApp) -> None:
    assert ask(web, "/door", method="POST", parts=(b"a" * 400, b"b" * 400))[2].endswith(b" 800")


@pytest.mark.parametrize(
    ("headers", "parts"),
    [
        ({"content-length": "1001"}, (b"",)),
        ({}, (b"a" * 1001,)),
        ({}, (b"a" * 600, b"b" * 600)),
        ({"content-length": "-1"}, (b"",)),
        ({"content-length": "x"}, (b"",)),
    ],
)
def test_a_body_over_the_quota_is_refused(web: WebApp, headers: dict[str, str], parts: tuple[bytes, ...]) -> None:
    status, answered, body = ask(web, "/door", method="POST", headers=headers, parts=parts)
    assert (status, answered["connection"]) == (413, "close")
    assert body == b"refused: the message is larger than 1000 bytes"


def test_a_body_that_does_not_come_is_refused_in_time(web: WebApp) -> None:
    assert ask(web, "/door", method="POST", parts=(b"a",), hangs=True)[0] == 408


def test_too_many_headers_are_refused(web: WebApp) -> None:
    assert ask(web, "/door", headers={f"x-{number}": "y" for number in range(101)})[0] == 431
    assert ask(web, "/door", headers={"x": "y" * 20_000})[0] == 431


def test_a_defect_is_answered_with_the_request_id_and_nothing_else(web: WebApp) -> None:
    status, _, body = ask(web, "/door/defect")
    assert status == 500
    assert body == f"refused: unexpected error {UUID(int=7)}".encode()
