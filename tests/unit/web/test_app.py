"""The web application: routes by prefix, knows the caller, refuses what is too much."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, MutableMapping
from contextlib import closing
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from cheap_passwords import cheap_passwords
from sqlalchemy.exc import OperationalError

from dispatcher.core.errors import Unavailable
from dispatcher.core.permissions import SYSTEM
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.hall import Hall
from dispatcher.services.logins import Logins
from dispatcher.web.app import MAX_SUBMIT_BYTES, Limits, WebApp
from dispatcher.web.health import Health
from dispatcher.wire.http import BASIC, Request, Response


class Door:
    """A binding that answers with what it was asked."""

    port = 0
    dialect = "door"
    schemes = (BASIC,)
    prefixes = ("/door",)
    home = "/Door"
    help_path = "/Door/help"
    title = "a door for tests"

    def public_address(self) -> str:
        return "https://jobs.example.com"

    def is_public(self, request: Request) -> bool:
        return request.query == "public"

    def unauthenticated(self, request: Request) -> Response:
        return Response(401, b"who are you?", "text/plain", [("WWW-Authenticate", "Basic")])

    def refused(self, request: Request, status: int, reason: str) -> Response:
        return Response(status, f"refused: {reason}".encode(), "text/plain")

    def __call__(self, request: Request) -> Response:
        if request.path.endswith("defect"):
            raise ZeroDivisionError("secret detail")
        if request.path.endswith("busy"):
            raise Unavailable("the datastore is out of order")
        if request.path.endswith("later"):
            return Response(503)
        text = f"{request.method} {request.path} {request.caller.name} {len(request.body)}"
        return Response(200, text.encode(), "text/plain")


@pytest.fixture
def web(hall: Hall) -> Iterator[WebApp]:
    limits = Limits(max_body_bytes=1000, deadline_s=0.2, threads=2, max_waiting=2)
    app = WebApp([Door()], hall.security, hall.access_tokens, Health(hall), lambda: UUID(int=7), limits)
    yield app
    app.close()


def ask(web: WebApp, path: str, **options: Any) -> tuple[int, dict[str, str], bytes]:
    """Send one request and wait for its answer."""
    return asyncio.run(send_to(web, path, **options))


async def send_to(
    web: WebApp,
    path: str,
    *,
    method: str = "GET",
    headers: dict[str, str] | None = None,
    parts: tuple[bytes, ...] = (b"",),
    hangs: bool = False,
    query: str = "",
    client: str = "127.0.0.1",
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
        "client": (client, 1),
    }
    await web(scope, receive, send)
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


def test_a_link_leads_to_the_port_of_its_service(web: WebApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Door, "port", 8443)
    for host in ("localhost:80", "localhost"):
        _, _, body = ask(web, "/", headers={"host": host})
        assert b'<a href="http://localhost:8443/Door/help">' in body
    assert b'<a href="http://[::1]:8443/Door/help">' in ask(web, "/", headers={"host": "[::1]:80"})[2]


def test_a_binding_that_has_moved_answers_the_next_request(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    def look_again() -> None:
        monkeypatch.setattr(Door, "prefixes", ("/moved",))

    web = WebApp(
        [Door()], hall.security, hall.access_tokens, Health(hall), lambda: UUID(int=7), Limits(), look_again=look_again
    )
    assert ask(web, "/moved/x")[0] == 200
    assert ask(web, "/door/x")[0] == 404
    web.close()


def test_where_nobody_can_look_what_is_known_holds(hall: Hall) -> None:
    def look_again() -> None:
        raise Unavailable("the datastore is away")

    web = WebApp(
        [Door()], hall.security, hall.access_tokens, Health(hall), lambda: UUID(int=7), Limits(), look_again=look_again
    )
    assert ask(web, "/other")[0] == 404
    assert ask(web, "/door")[0] == 200
    web.close()


def test_a_server_whose_threads_are_all_busy_lives(web: WebApp, monkeypatch: pytest.MonkeyPatch) -> None:
    is_over = threading.Event()
    monkeypatch.setattr(Door, "__call__", lambda *_: Response(200 if is_over.wait(20) else 500))

    async def main() -> None:
        busy = [asyncio.create_task(send_to(web, "/door")) for _ in range(2)]
        await asyncio.sleep(0)
        assert (await send_to(web, "/door"))[0] == 503
        assert (await send_to(web, "/health/live"))[0] == 200
        is_over.set()
        assert [(await one)[0] for one in busy] == [200, 200]

    asyncio.run(main())


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
    Logins(datastore, ports, cheap_passwords()).add("ada", "s3cret", caller=SYSTEM)


def test_a_body_in_pieces_arrives_whole(web: WebApp) -> None:
    assert ask(web, "/door", method="POST", parts=(b"a" * 400, b"b" * 400))[2].endswith(b" 800")


@pytest.mark.parametrize(
    ("headers", "parts"),
    [
        ({"content-length": "1001"}, (b"",)),
        ({}, (b"a" * 1001,)),
        ({}, (b"a" * 600, b"b" * 600)),
        ({"content-length": "9" * 5000}, (b"",)),
    ],
)
def test_a_body_over_the_quota_is_refused(web: WebApp, headers: dict[str, str], parts: tuple[bytes, ...]) -> None:
    status, answered, body = ask(web, "/door", method="POST", headers=headers, parts=parts)
    assert (status, answered["connection"]) == (413, "close")
    assert body == b"refused: the message is larger than 1000 bytes"


@pytest.mark.parametrize("length", ["-1", "x", "", "1, 1", "²", "1_0", " 1"])
def test_a_length_that_is_no_number_is_a_bad_request(web: WebApp, length: str) -> None:
    status, answered, _ = ask(web, "/door", method="POST", headers={"content-length": length})
    assert (status, answered["connection"]) == (400, "close")


@pytest.mark.parametrize("path", ["/door/busy", "/door/later"])
def test_every_503_tells_when_to_come_back(web: WebApp, path: str) -> None:
    status, headers, _ = ask(web, path)
    assert (status, headers["retry-after"]) == (503, "5")


def test_bodies_under_way_count_as_waiting(web: WebApp) -> None:
    async def main() -> list[tuple[int, dict[str, str], bytes]]:
        slow = [asyncio.create_task(send_to(web, "/door", method="POST", parts=(b"a",), hangs=True)) for _ in "12"]
        await asyncio.sleep(0.05)
        refused = await send_to(web, "/door")
        ended = await asyncio.gather(*slow)
        return [refused, *ended, await send_to(web, "/door")]

    answers = asyncio.run(main())
    assert [status for status, _, _ in answers] == [503, 408, 408, 200]
    assert answers[0][1]["retry-after"] == "5"


def test_pages_of_other_sites_may_change_nothing(web: WebApp) -> None:
    for headers in ({"sec-fetch-site": "cross-site"}, {"origin": "http://evil.example"}, {"origin": "null"}):
        status, _, body = ask(web, "/door", method="POST", headers=headers)
        assert (status, body) == (403, b"refused: the request comes from a page of another site")
    own = {"host": "localhost:8080", "origin": "http://localhost:8080", "sec-fetch-site": "same-origin"}
    for headers in ({}, own, {"origin": "https://jobs.example.com"}):
        assert ask(web, "/door", method="POST", headers=headers)[0] == 200
    assert ask(web, "/door", headers={"sec-fetch-site": "cross-site"})[0] == 200


def test_without_logins_this_machine_must_be_called_by_its_own_name(web: WebApp, datastore: Any, ports: Any) -> None:
    assert ask(web, "/door", headers={"host": "localhost:8080"})[0] == 200
    for path in ("/door", "/"):
        status, _, body = ask(web, path, headers={"host": "evil.example:8080"})
        assert status == 403
        assert b"there is no login" in body
    assert ask(web, "/door", headers={"host": "evil.example:8080"}, client="10.0.0.1")[0] == 200
    add_login(datastore, ports)
    assert ask(web, "/door", headers={"host": "evil.example:8080"})[0] == 401


def test_any_name_will_do_if_that_was_asked_for(hall: Hall) -> None:
    web = WebApp(
        [Door()], hall.security, hall.access_tokens, Health(hall), lambda: UUID(int=7), Limits(threads=1, any_host=True)
    )
    assert ask(web, "/door", headers={"host": "jobs.example.com"})[0] == 200
    assert ask(web, "/door", method="POST", headers={"origin": "http://evil.example"})[0] == 403
    web.close()


@pytest.mark.parametrize("error", [Unavailable("full"), OperationalError("SELECT 1", {}, Exception("gone"))])
def test_a_server_without_its_datastore_is_not_ready(error: Exception) -> None:
    def fail() -> None:
        raise error

    broken: Any = SimpleNamespace(clockwork=SimpleNamespace(next_moment=fail))
    answer = Health(broken).ready()
    assert (answer.status, answer.body) == (503, b'{"datastore":"unavailable"}')


def test_a_body_that_does_not_come_is_refused_in_time(web: WebApp) -> None:
    assert ask(web, "/door", method="POST", parts=(b"a",), hangs=True)[0] == 408


def test_too_many_headers_are_refused(web: WebApp) -> None:
    assert ask(web, "/door", headers={f"x-{number}": "y" for number in range(101)})[0] == 431
    assert ask(web, "/door", headers={"x": "y" * 20_000})[0] == 431


def test_a_defect_is_answered_with_the_request_id_and_nothing_else(web: WebApp) -> None:
    status, _, body = ask(web, "/door/defect")
    assert status == 500
    assert body == f"refused: unexpected error {UUID(int=7)}".encode()


@pytest.mark.parametrize("host", ["a b", "one, two", 'a"><script>', "a/b"])
def test_what_is_no_host_is_refused_and_never_shown(web: WebApp, host: str) -> None:
    status, headers, body = ask(web, "/door", headers={"host": host})
    assert (status, headers["connection"], body) == (400, "close", b"refused: the Host header names no host")


def test_an_empty_host_is_none(web: WebApp) -> None:
    assert ask(web, "/door", headers={"host": ""})[0] == ask(web, "/door", headers={})[0] == 200


class SubmitDoor(Door):
    """A door that says in which thread it was asked."""

    def is_submit(self, request: Request) -> bool:
        return request.path.endswith("submit")

    def __call__(self, request: Request) -> Response:
        return Response(200, threading.current_thread().name.encode())


@pytest.mark.parametrize("kind", [SubmitDoor, Door])
def test_submits_that_will_not_take_long_go_by_the_lane(
    hall: Hall, datastore: Datastore, ports: Any, kind: type[Door]
) -> None:
    app_parts = (hall.security, hall.access_tokens, Health(hall), lambda: UUID(int=7), Limits())
    web = WebApp([kind()], *app_parts, single_writer=datastore)

    def is_by_lane(path: str, **options: Any) -> bool:
        status, _, body = ask(web, path, **options)
        assert status == 200
        return body == b"lane"

    with closing(web):
        Logins(datastore, ports, cheap_passwords()).add("ada", "s3cret", caller=SYSTEM)
        options: dict[str, Any] = {"method": "POST", "headers": {"authorization": "Basic YWRhOnMzY3JldA=="}}
        assert not is_by_lane("/door/submit", **options)  # the password has to be hashed
        assert is_by_lane("/door/submit", **options) is (kind is SubmitDoor)
        assert not is_by_lane("/door/other", **options)
        assert not is_by_lane("/door/submit", parts=(b"x" * (MAX_SUBMIT_BYTES + 1),), **options)
