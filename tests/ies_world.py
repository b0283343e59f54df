"""A client of Ivanti Endpoint Security: it logs in, and wraps what it says as the vendor's page does."""

from __future__ import annotations

import json
from typing import Any

import requests
from ccs_world import InProcess

from dispatcher.web.app import WebApp

URL = "https://ies.example.com:43470/api/v2"
LIBRARY = """
modules:
  - {name: Patch one, tasks: [{type: command, name: install, settings: {command: 'echo one'}}]}
  - {name: Patch two, tasks: [{type: command, name: install, settings: {command: 'echo two'}}]}
projects:
  - name: March patches
    id: 5a0b6b43-0d1f-4a53-9a0b-0e6f1f8f4a01
    aliases: {ivanti_endpoint_security: {patch_list: '1'}}
    modules: [{module: Patch one}, {module: Patch two}]
agents:
  - {name: pc-1, id: 9e317d51-07ac-4c17-8a1f-3111d385bc7e}
teams:
  - {name: Pilots, agents: [pc-1], aliases: {ivanti_endpoint_security: {group: '1009'}}}
"""
#: The ids of the seed's samples.
AGENT = "9e317d51-07ac-4c17-8a1f-3111d385bc7e"
GROUP = 1009
START = "2031-05-01T06:00:00.000Z"
JOB: dict[str, Any] = {
    "Name": "lab sweep",
    "JobType": 1,
    "StartTime": START,
    "DiscoveryTargets": {"SingleIpTargets": [{"Ip": "127.0.0.4"}]},
}
DEPLOYMENT: dict[str, Any] = {"CustomPatchListId": 1, "GroupIds": [GROUP], "StartTime": START}


def as_dumped(model: str) -> bytes:
    """Wrap *model* as a client does that has a library for JSON."""
    return json.dumps({"value": model}).encode()


def as_written(model: str) -> bytes:
    """Wrap *model* as the seed does: quotes escaped, line breaks as they are."""
    escaped = model.replace("\\", "\\\\").replace('"', '\\"')
    return f'{{\n"value" : "{escaped}"\n}}'.encode()


class Client:
    """Logs in once, and sends what it is told."""

    def __init__(self, web: WebApp, user: str = "ops", password: str = "pw", address: str = "10.1.1.1") -> None:
        self.session = requests.Session()
        self.session.mount("https://", InProcess(web, address))
        self.user, self.password, self.token = user, password, ""

    def log_in(self) -> requests.Response:
        body = {"Username": self.user, "Password": self.password}
        answer = self.session.post(f"{URL}/Authentication/Login", json=body)
        if answer.status_code == 200:
            self.token = answer.json()["Jwt"]
        return answer

    def call(self, method: str, path: str, body: bytes | None = None, **headers: str) -> requests.Response:
        """Send *body* as it is, with the token."""
        if not self.token:
            assert self.log_in().status_code == 200
        sent = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json", **headers}
        return self.session.request(method, f"{URL}/{path}", data=body, headers=sent)

    def post(self, path: str, model: Any, **headers: str) -> requests.Response:
        """Post *model*; what is no text becomes JSON."""
        text = model if isinstance(model, str) else json.dumps(model)
        return self.call("POST", path, as_dumped(text), **headers)

    def made(self, path: str, model: Any, **headers: str) -> dict[str, Any]:
        """Post *model*, and return what was made of it."""
        answer = self.post(path, model, **headers)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    def got(self, path: str) -> dict[str, Any]:
        """Return what is at *path*."""
        answer = self.call("GET", path)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())
