"""Tokens: what the sample scripts send, odd as it is, and what becomes of a token."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any
from urllib.parse import quote
from uuid import UUID

import pytest
from ccs_world import URL, Client
from cheap_passwords import cheap_passwords

from dispatcher.bindings.symantec_ccs.binding import build
from dispatcher.core.permissions import SYSTEM
from dispatcher.core.ports import Ports
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.audit import Audit
from dispatcher.services.hall import Hall
from dispatcher.services.logins import Logins
from dispatcher.web.app import Limits, WebApp
from dispatcher.web.health import Health
from dispatcher.wire.quotas import Quotas

PASSWORD = "pw+1=&%41é".replace("&", "")
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def logins(datastore: Datastore, ports: Ports, agent: UUID) -> Logins:
    kept = Logins(datastore, ports, cheap_passwords())
    kept.add("ann", PASSWORD, SYSTEM)
    kept.add("plain", "plain", SYSTEM, roles=["Full Access"])
    return kept


def ask(web: WebApp, payload: str | bytes, **headers: str) -> Any:
    body = payload if isinstance(payload, bytes) else payload.encode()
    return Client(web).session.post(f"{URL}/oauth/tokens", data=body, headers={**JSON, **headers})


def test_the_answer_to_the_sample(web: WebApp, agent: UUID) -> None:
    answer = ask(web, "grant_type=password&username=CORP\\ann&password=cHcrMQ==")
    assert answer.status_code == 200
    assert list(answer.json()) == ["access_token", "refresh_token", "token_type", "expires_in"]
    assert (answer.json()["token_type"], answer.json()["expires_in"]) == ("bearer", 3600)


def test_a_token_is_only_posted_for(web: WebApp, logins: Logins) -> None:
    answer = Client(web).session.get(f"{URL}/oauth/tokens")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")


def test_the_encoding_of_scripts_under_older_versions_of_requests(web: WebApp, logins: Logins) -> None:
    payload = f"grant_type=password&username=ann&password={PASSWORD}"
    assert ask(web, payload.encode("latin-1")).status_code == 200
    assert ask(web, payload.encode("latin-1"), **{"Content-Type": "application/json; charset=utf-8"}).status_code == 400


@pytest.mark.parametrize("username", ["ann", "ANN", "CORP\\ann", "domain1\\sub\\ann", "CORP%5Cann", "corp\\Ann "])
def test_names_with_and_without_a_domain(web: WebApp, logins: Logins, username: str) -> None:
    assert ask(web, f"grant_type=password&username={username}&password={PASSWORD}").status_code == 200


@pytest.mark.parametrize(
    "password",
    [
        PASSWORD,
        base64.b64encode(PASSWORD.encode()).decode(),
        quote(PASSWORD),
        quote(base64.b64encode(PASSWORD.encode()).decode()),
    ],
)
def test_passwords_as_they_are_and_encoded(web: WebApp, logins: Logins, password: str) -> None:
    assert ask(web, f"grant_type=password&username=ann&password={password}").status_code == 200


@pytest.mark.parametrize(
    "payload",
    [
        f"grant_type=password&amp;username=ann&amp;password={PASSWORD}",  # CreateTokens.py of a copy has that
        f"password={PASSWORD}&username=ann&grant_type=password",
        f"grant_type=PASSWORD&UserName=ann&Password={PASSWORD}",
        f"grant_type=password&username=ann&password={PASSWORD}\r\n",
        '{"grant_type": "password", "username": "CORP\\\\ann", "password": "' + PASSWORD + '"}',
    ],
)
def test_forms_of_the_request(web: WebApp, logins: Logins, payload: str) -> None:
    for content_type in ("application/json", "application/x-www-form-urlencoded", "text/plain"):
        assert ask(web, payload, **{"Content-Type": content_type}).status_code == 200


@pytest.mark.parametrize(
    ("payload", "status", "error"),
    [
        ("grant_type=password&username=ann&password=wrong", 401, "invalid_grant"),
        ("grant_type=password&username=nobody&password=x", 401, "invalid_grant"),
        ("grant_type=password&username=ann", 401, "invalid_grant"),
        ("grant_type=password", 401, "invalid_grant"),
        ("grant_type=refresh_token&refresh_token=x", 401, "invalid_grant"),
        ("grant_type=refresh_token", 401, "invalid_grant"),
        ("grant_type=client_credentials", 400, "unsupported_grant_type"),
        ("username=ann&password=x", 400, "unsupported_grant_type"),
        ("", 400, "unsupported_grant_type"),
        ("{", 400, "invalid_request"),
        ('{"grant_type": 1}', 400, "invalid_request"),
        ("&".join(["a=b"] * 200), 400, "invalid_request"),
    ],
)
def test_what_is_refused(web: WebApp, logins: Logins, payload: str, status: int, error: str) -> None:
    answer = ask(web, payload)
    assert (answer.status_code, answer.json()["error"]) == (status, error)


@pytest.mark.parametrize("path", ["oauth/tokens/", "OAuth/Tokens", "/oauth//tokens"])
def test_wherever_it_is_found_a_refusal_has_the_words_of_oauth(web: WebApp, logins: Logins, path: str) -> None:
    answer = Client(web).session.post(f"{URL}/{path}", data=b"grant_type=password&username=ann", headers=JSON)
    assert (answer.status_code, answer.json()) == (401, {"error": "invalid_grant"})


def test_nobody_on_the_way_keeps_tokens(web: WebApp, logins: Logins) -> None:
    answer = ask(web, f"grant_type=password&username=ann&password={PASSWORD}")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_each_pair_is_in_the_audit_trail(web: WebApp, logins: Logins, datastore: Datastore) -> None:
    pair = ask(web, f"grant_type=password&username=CORP\\ann&password={PASSWORD}").json()
    assert ask(web, f"grant_type=refresh_token&refresh_token={pair['refresh_token']}").status_code == 200
    assert ask(web, "grant_type=password&username=ann&password=wrong").status_code == 401
    entries = Audit(datastore).list(SYSTEM, action="token.issued")
    assert [(one.action, one.login, one.address) for one in entries] == [("token.issued", "ann", "10.1.1.1")] * 2
    assert [(one.subject.kind, one.subject.name) for one in entries] == [("token", "symantec_ccs")] * 2
    assert entries[0].subject.id == entries[1].subject.id  # one log-in
    assert set(pair.values()).isdisjoint(str(entries).split("'"))


def test_a_browser_is_told_why_it_is_refused(hall: Hall, web: WebApp, agent: UUID) -> None:
    binding = build(hall, log=pytest.fail, quotas=Quotas())
    strict = WebApp([binding], hall.security, hall.access_tokens, Health(hall), lambda: agent, Limits())
    answer = Client(strict, "ann", "pw", address="127.0.0.1").get_token()
    assert (answer.status_code, "there is no login" in answer.json()["Message"]) == (403, True)
    foreign = Client(strict).session.post(f"{URL}/Jobs", headers={"Origin": "https://evil.example.com"})
    assert (foreign.status_code, "another site" in foreign.json()["Message"]) == (403, True)
    strict.close()


def test_a_refresh_gives_a_new_pair_once(web: WebApp, logins: Logins, clock: Any) -> None:
    first = ask(web, f"grant_type=password&username=ann&password={PASSWORD}").json()
    clock.turn(timedelta(minutes=89))
    assert call(web, first["access_token"]) == 401
    second = ask(web, f"grant_type=refresh_token&refresh_token={first['refresh_token']}")
    assert second.status_code == 200
    assert not {*first.values()} & {second.json()["access_token"], second.json()["refresh_token"]}
    assert call(web, second.json()["access_token"]) == 200
    assert ask(web, f"grant_type=refresh_token&refresh_token={first['refresh_token']}").status_code == 401


def test_both_expire(web: WebApp, logins: Logins, clock: Any) -> None:
    pair = ask(web, f"grant_type=password&username=ann&password={PASSWORD}").json()
    clock.turn(timedelta(minutes=59, seconds=59))
    assert call(web, pair["access_token"]) == 200
    clock.turn(timedelta(seconds=1))
    assert call(web, pair["access_token"]) == 401
    clock.turn(timedelta(minutes=30))
    assert ask(web, f"grant_type=refresh_token&refresh_token={pair['refresh_token']}").status_code == 401


def call(web: WebApp, token: str = "", query: str = "", **headers: str) -> int:
    sent = {"Authorization": f"Bearer {token}"} if token else {}
    return int(Client(web).session.get(f"{URL}/Jobs{query}", headers={**sent, **headers}).status_code)


@pytest.mark.parametrize("has_logins", [False, True])
def test_tokens_are_always_checked(web: WebApp, agent: UUID, has_logins: bool, request: pytest.FixtureRequest) -> None:
    if has_logins:
        request.getfixturevalue("logins")
    pair = ask(web, f"grant_type=password&username=ann&password={PASSWORD}").json()
    token = pair["access_token"]
    basic = base64.b64encode(f"ann:{PASSWORD}".encode()).decode()

    assert call(web, token) == 200
    assert call(web, token, Authorization=f"bearer {token}") == 200
    assert call(web) == 401
    assert call(web, "made-up") == 401
    assert call(web, pair["refresh_token"]) == 401
    assert call(web, Authorization=f"Basic {basic}") == 401
    assert call(web, Authorization=token) == 401
    assert call(web, query=f"?access_token={token}") == 401


def test_the_answer_to_no_token(web: WebApp, agent: UUID) -> None:
    answer = Client(web).session.get(f"{URL}/Jobs")
    assert answer.json() == {"Message": "Authorization has been denied for this request."}
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_token_ends_with_its_login(web: WebApp, logins: Logins) -> None:
    token = ask(web, "grant_type=password&username=plain&password=plain").json()["access_token"]
    assert call(web, token) == 200
    logins.disable("plain", SYSTEM)
    assert call(web, token) == 401
