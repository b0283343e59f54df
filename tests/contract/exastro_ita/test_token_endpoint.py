"""Tokens, as Keycloak gives them out: by both realms, and by a refresh token that stays good (contract section 3.1)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import timedelta
from typing import Any

import pytest
import requests
from cheap_passwords import cheap_passwords
from exastro_client import HOST, TOKENS, Ita
from exastro_world import a_workspace

from dispatcher.core.permissions import SYSTEM
from dispatcher.core.ports import Ports
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.logins import Logins
from dispatcher.web.app import WebApp

MASTER = f"{HOST}/auth/realms/master/protocol/openid-connect/token"
PASSWORD = {"grant_type": "password", "username": "ann", "password": "pass word"}
DAY, YEAR = 86_400, 365 * 86_400


@pytest.fixture
def ann(web: WebApp, datastore: Datastore, ports: Ports) -> Ita:
    """A client of a login, which shows nothing by itself."""
    Logins(datastore, ports, cheap_passwords()).add("ann", "pass word", SYSTEM)
    return Ita(web)


def bearer(ita: Ita, token: str) -> int:
    return ita.call("GET", "version/", Authorization=f"Bearer {token}").status_code


def test_a_password_becomes_tokens(ann: Ita) -> None:
    answer = ann.tokens(**PASSWORD)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    body = answer.json()
    assert body.keys() == {
        "access_token",
        "expires_in",
        "refresh_expires_in",
        "refresh_token",
        "token_type",
        "id_token",
        "not-before-policy",
        "session_state",
        "scope",
    }
    assert (body["expires_in"], body["refresh_expires_in"], body["token_type"]) == (DAY, YEAR, "Bearer")
    assert (body["scope"], body["not-before-policy"]) == ("openid offline_access", 0)
    assert bearer(ann, body["access_token"]) == 200
    assert ann.call("GET", "version/", Authorization=f"bearer {body['access_token']}").status_code == 200
    assert bearer(ann, body["refresh_token"]) == bearer(ann, body["id_token"]) == 401


def test_the_id_token_says_who_it_is(ann: Ita) -> None:
    body = ann.tokens(**PASSWORD).json()
    head, claims, signature = body["id_token"].split(".")
    said = json.loads(base64.urlsafe_b64decode(claims + "=="))
    assert (said["preferred_username"], said["aud"], said["sid"]) == ("ann", "_org9-api", body["session_state"])
    assert (said["iss"], said["exp"] - said["iat"]) == (TOKENS.partition("/protocol")[0], DAY)
    mine = hmac.digest(body["access_token"].encode(), f"{head}.{claims}".encode(), hashlib.sha256)
    assert base64.urlsafe_b64decode(signature + "=") == mine


def test_a_refresh_token_is_good_again_and_again_in_both_realms(ann: Ita, clock: Any) -> None:
    first = ann.tokens(**PASSWORD).json()
    clock.turn(timedelta(hours=25))
    assert bearer(ann, first["access_token"]) == 401
    again = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    seen = set()
    for url, client in ((TOKENS, "_org9-api"), (MASTER, "_platform-api"), (TOKENS, "_org9-api")):
        body = ann.tokens(url, **again, client_id=client).json()
        assert bearer(ann, body["access_token"]) == 200
        assert (body["refresh_token"], body["session_state"]) == (first["refresh_token"], first["session_state"])
        assert body["refresh_expires_in"] <= YEAR - 25 * 3600
        seen.add(body["access_token"])
        clock.turn(timedelta(minutes=5))
    assert len(seen) == 3
    clock.turn(timedelta(days=365))
    assert ann.tokens(**again).json()["error_description"] == "Invalid refresh token"


def test_tokens_end_with_the_password(ann: Ita, datastore: Datastore, ports: Ports) -> None:
    body = ann.tokens(**PASSWORD).json()
    Logins(datastore, ports, cheap_passwords()).set_password("ann", "other", SYSTEM)
    assert bearer(ann, body["access_token"]) == 401
    assert ann.tokens(grant_type="refresh_token", refresh_token=body["refresh_token"]).status_code == 400


def test_tokens_outlive_a_change_of_the_language_and_tell_in_it(ann: Ita, datastore: Datastore, ports: Ports) -> None:
    token = ann.tokens(**PASSWORD).json()["access_token"]

    def said() -> str:
        answer = ann.call("GET", "menu/none/info/", Authorization=f"Bearer {token}")
        return str(answer.json()["message"])

    assert said().startswith("『メニュー管理』")
    Logins(datastore, ports, cheap_passwords()).set_language("ann", "en", SYSTEM)
    assert said().startswith("The target menu does not exist")


def test_master_lets_its_own_client_in(ann: Ita) -> None:
    assert ann.tokens(MASTER, **PASSWORD, client_id="_platform-api", totp="123456").status_code == 200


def test_an_organisation_that_is_called_master_has_its_client_there_too(ann: Ita, datastore: Datastore) -> None:
    assert ann.tokens(MASTER, **PASSWORD, client_id="_master-api").status_code == 401
    a_workspace(datastore, "ws3", organization="master", hosts=())
    statuses = [ann.tokens(MASTER, **PASSWORD, client_id=f"_{one}-api").status_code for one in ("master", "platform")]
    assert [*statuses, ann.tokens(MASTER, **PASSWORD).status_code] == [200, 200, 401]


def error(answer: requests.Response) -> tuple[int, Any, Any]:
    body = answer.json()
    return answer.status_code, body["error"], body.get("error_description")


def test_what_keycloak_refuses_is_refused_in_its_words(ann: Ita) -> None:
    client = (401, "invalid_client", "Invalid client or Invalid client credentials")
    user = (401, "invalid_grant", "Invalid user credentials")
    found = {
        "client": error(ann.tokens(**PASSWORD, client_id="other")),
        "no client": error(ann.tokens(**PASSWORD, client_id="")),
        "client of another realm": error(ann.tokens(MASTER, **PASSWORD)),
        "realm": error(ann.tokens(TOKENS.replace("org9", "org7"), **PASSWORD)),
        "password": error(ann.tokens(grant_type="password", username="ann", password="x")),
        "no password": error(ann.tokens(grant_type="password", username="ann")),
        "name": error(ann.tokens(grant_type="password", username="bob", password="pass word")),
        "no name": error(ann.tokens(grant_type="password", password="pass word")),
        "refresh": error(ann.tokens(grant_type="refresh_token", refresh_token="x")),
        "no refresh": error(ann.tokens(grant_type="refresh_token")),
        "grant": error(ann.tokens(grant_type="client_credentials")),
        "no grant": error(ann.tokens()),
        "method": error(ann.call("GET", TOKENS)),
        "twice": error(ann.call("POST", TOKENS, "grant_type=password&grant_type=password")),
    }
    assert found == {
        "client": client,
        "no client": client,
        "client of another realm": client,
        "realm": (404, "Realm does not exist", None),
        "password": user,
        "no password": user,
        "name": user,
        "no name": (401, "invalid_request", "Missing parameter: username"),
        "refresh": (400, "invalid_grant", "Invalid refresh token"),
        "no refresh": (400, "invalid_request", "No refresh token"),
        "grant": (400, "unsupported_grant_type", "Unsupported grant_type"),
        "no grant": (400, "invalid_request", "Missing form parameter: grant_type"),
        "method": (405, "invalid_request", "GET is not possible here, but POST"),
        "twice": (400, "invalid_request", "the form has the field 'grant_type' twice"),
    }
