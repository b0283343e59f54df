"""A client of Exastro IT Automation over the web application in this process, as curl is over the network."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import requests
from ccs_world import InProcess

from dispatcher.web.app import WebApp

HOST = "https://ita.example.com"
BASE = f"{HOST}/api/org9/workspaces/ws2/ita"
TOKENS = f"{HOST}/auth/realms/org9/protocol/openid-connect/token"
OPERATIONS = "menu/operation_list"
#: The parameter of a record of it.
OPERATION = {"operation_name": "op-77", "scheduled_date_for_execution": "2031/06/01 02:00"}


class Ita:
    """A client that logs in by *user* and *password*, if it has them, below *base*."""

    def __init__(self, web: WebApp, user: str = "", password: str = "", *, base: str = BASE) -> None:
        self.session = requests.Session()
        self.session.mount("https://", InProcess(web))
        if user:
            self.session.auth = (user, password)
        self.base = base

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> requests.Response:
        """Send *body* as JSON, a text as it is."""
        data = body if body is None or isinstance(body, str | bytes) else json.dumps(body)
        kind = {} if body is None else {"Content-Type": "application/json"}
        url = path if path.startswith("https:") else f"{self.base}/{path}"
        return self.session.request(method, url, data=data, headers={**kind, **headers})

    def get(self, path: str) -> Any:
        """Return what is told at *path*."""
        return told(self.call("GET", path))

    def post(self, path: str, body: Any) -> Any:
        """Return what is told to *body*."""
        return told(self.call("POST", path, body))

    def tokens(self, url: str = TOKENS, **form: str) -> requests.Response:
        """Ask for tokens, as the client of the organisation unless *form* says another."""
        return requests.Session.post(
            self._anonymous(), url, data={"client_id": "_org9-api", "scope": "openid offline_access", **form}
        )

    def _anonymous(self) -> requests.Session:
        session = requests.Session()
        session.mount("https://", self.session.adapters["https://"])
        return session


AddLogin = Callable[..., Ita]
"""Adds a login and returns a client of it: see the fixture ``add``."""


def told(answer: requests.Response) -> Any:
    """Return the data of an answer that says that all went well."""
    body = answer.json()
    assert (answer.status_code, body["result"], body["message"]) == (200, "000-00000", "SUCCESS"), answer.text
    return body["data"]


def refusal(answer: requests.Response) -> tuple[int, str, Any]:
    """Return the status, the code and the text of an answer that says what went wrong behind the log-in."""
    body = answer.json()
    assert body.keys() == {"message", "result", "ts"}, answer.text
    return answer.status_code, body["result"], body["message"]
