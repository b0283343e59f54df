"""Bearer tokens let in where a dialect takes them, always have to be right, and Basic credentials do not."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator, MutableMapping
from typing import Any
from uuid import UUID

import pytest
from cheap_passwords import cheap_passwords
from letters_api import letters_api
from werkzeug.test import Client, TestResponse

from dispatcher.core.permissions import SYSTEM
from dispatcher.core.ports import Ports
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.access_tokens import AccessTokens
from dispatcher.services.hall import Hall
from dispatcher.services.logins import Logins
from dispatcher.services.security import Security
from dispatcher.web.api_docs import ApiDocs
from dispatcher.web.app import Limits, WebApp
from dispatcher.web.health import Health
from dispatcher.web.wsgi import wsgi_application
from dispatcher.wire.http import BASIC, BEARER, Request
from dispatcher.wire.json_api.endpoint import JsonApi

READ = "/letters/v1/of/me/letters/1"


@pytest.fixture
def security(datastore: Datastore, ports: Ports) -> Security:
    return Security(datastore, ports, cheap_passwords())


@pytest.fixture
def tokens(hall: Hall, datastore: Datastore, ports: Ports, security: Security) -> AccessTokens:
    return AccessTokens(datastore, ports, security, hall.settings)


@pytest.fixture
def api() -> JsonApi:
    return letters_api()


@pytest.fixture
def web(hall: Hall, security: Security, tokens: AccessTokens, api: JsonApi) -> Iterator[WebApp]:
    other = letters_api(dialect="others", prefixes=("/others",))
    app = WebApp(
        [api, other, ApiDocs([api, other])],
        security,
        tokens,
        Health(hall),
        lambda: UUID(int=7),
        Limits(max_body_bytes=1000),
    )
    yield app
    app.close()


@pytest.fixture
def ann(datastore: Datastore, ports: Ports) -> None:
    Logins(datastore, ports, cheap_passwords()).add("ann", "pw", SYSTEM)


def token(tokens: AccessTokens, dialect: str = "letters") -> str:
    return tokens.issue(dialect, "ann", "pw", tokens.lifetimes("opsramp"), "127.0.0.1").access


def ask(web: WebApp, path: str = READ, authorization: str = "", method: str = "GET", **given: Any) -> TestResponse:
    headers = {"Authorization": authorization} if authorization else {}
    base = {"REMOTE_ADDR": "127.0.0.1"}
    return Client(wsgi_application(web)).open(path, method=method, headers=headers, environ_base=base, **given)


@pytest.mark.usefixtures("ann")
@pytest.mark.parametrize("scheme", ["Bearer", "bearer", " BEARER  "])
def test_a_right_token_lets_in(web: WebApp, tokens: AccessTokens, scheme: str) -> None:
    answer = ask(web, authorization=f"{scheme} {token(tokens)}")
    assert (answer.status_code, answer.json) == (200, ["me", "1", "ann", "", "127.0.0.1"])


@pytest.mark.usefixtures("ann")
@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer x", "Basic YW5uOnB3", "Token x", "\xe9"])
def test_nothing_else_does(web: WebApp, authorization: str) -> None:
    answer = ask(web, authorization=authorization)
    assert answer.status_code == 401
    assert answer.json["Message"] == "valid credentials are required"
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("authorization", ["", "Bearer x", "Basic YW5uOnB3"])
def test_a_token_has_to_be_right_without_logins_too(web: WebApp, tokens: AccessTokens, authorization: str) -> None:
    assert ask(web, authorization=authorization).status_code == 401
    assert ask(web, authorization=f"Bearer {token(tokens)}").status_code == 200


@pytest.mark.usefixtures("ann")
def test_a_token_of_another_dialect_does_not(web: WebApp, tokens: AccessTokens) -> None:
    assert ask(web, authorization=f"Bearer {token(tokens, 'others')}").status_code == 401


@pytest.mark.usefixtures("ann")
def test_a_token_in_the_query_does_not(web: WebApp, tokens: AccessTokens) -> None:
    assert ask(web, f"{READ}?access_token={token(tokens)}").status_code == 401


@pytest.mark.usefixtures("ann")
def test_a_dialect_may_take_both(web: WebApp, tokens: AccessTokens, api: JsonApi) -> None:
    api.schemes = (BASIC, BEARER)
    for authorization in (f"Bearer {token(tokens)}", "Basic YW5uOnB3"):
        assert ask(web, authorization=authorization).json[2] == "ann"
    assert ask(web, authorization="Bearer x").status_code == 401


@pytest.mark.usefixtures("ann")
def test_calls_for_tokens_need_none(web: WebApp) -> None:
    for authorization in ("", "Bearer old", "Basic eDp5"):
        answer = ask(web, "/letters/v1/keys/", authorization, "POST", data="grant_type=a")
        assert (answer.status_code, answer.json["grant"]) == (201, "a")


@pytest.mark.usefixtures("ann")
def test_repeated_slashes_lead_there_too(web: WebApp, tokens: AccessTokens) -> None:
    answer = ask(web, "/letters//v1///of/me/letters//1", f"Bearer {token(tokens)}")
    assert answer.json[:2] == ["me", "1"]


@pytest.mark.usefixtures("ann")
def test_what_is_too_large_is_told_in_the_words_of_the_dialect(web: WebApp, tokens: AccessTokens) -> None:
    answer = ask(web, "/letters/v1/of/me/letters", f"Bearer {token(tokens)}", "POST", data=b"x" * 2000)
    assert answer.status_code == 413
    assert set(answer.json) == {"Message", "Members"}


def served(web: WebApp, path: str, only: str) -> tuple[int, bytes]:
    """Ask a listener that serves *only* one dialect."""
    sent: list[MutableMapping[str, Any]] = []
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "query_string": b"",
        "headers": [(b"host", b"localhost")],
        "client": ("127.0.0.1", 1),
    }

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    asyncio.run(web.only(only)(scope, receive, send))
    return sent[0]["status"], sent[1]["body"]


def test_a_listener_of_one_dialect_serves_nothing_else_but_health(web: WebApp) -> None:
    assert served(web, READ, "letters")[0] == 401
    assert served(web, "/others/x", "others")[0] == 401
    assert served(web, READ, "others") == (404, b"not found\n")
    assert served(web, "/health/live", "others") == (200, b"live\n")
    assert served(web, "/health/ready", "others")[0] == 200
    index = served(web, "/", "others")[1]
    assert b"/others" in index
    assert b"/letters" not in index


def test_the_pages_about_a_dialect_are_where_it_is(web: WebApp) -> None:
    linked = [link.decode() for link in re.findall(rb'href="([^"]*)', served(web, "/", "others")[1])]
    assert "/docs/others/" in linked
    assert [served(web, link, "others")[0] for link in linked] == [200] * len(linked)
    assert served(web, "/docs/others/start.js", "others")[0] == 200
    assert json.loads(served(web, "/openapi/others.json", "others")[1])["openapi"] == "3.1.0"
    assert served(web, "/docs/letters/", "others")[0] == 404
    assert served(web, "/openapi/letters.json", "others")[0] == 404
    pages = served(web, "/docs/", "others")[1]
    assert b"/docs/others/" in pages
    assert b"/docs/letters/" not in pages


def test_is_submit_needs_a_token_that_is_remembered(web: WebApp, tokens: AccessTokens, api: JsonApi) -> None:
    one = token(tokens)
    request = Request("POST", "/letters/v1/of/me/letters", headers={"authorization": f"Bearer {one}"})
    assert not web._is_submit(request, web._find(request))
    tokens.authenticate("letters", one, "127.0.0.1")
    assert web._is_submit(request, web._find(request))
