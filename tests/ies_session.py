"""A client of Ivanti Endpoint Security that has logged in to a real server, over HTTP."""

from __future__ import annotations

import time
from typing import Any

import requests
from real_server import Server


class Client:
    """What somebody who has logged in asks for."""

    def __init__(self, server: Server) -> None:
        self.read: list[str] = []  #: every answer, as it came
        self._base = f"{server.url}/api/v2"
        login = {"Username": "ops", "Password": "pw"}
        jwt = requests.post(f"{self._base}/Authentication/Login", json=login, timeout=30).json()["Jwt"]
        self._headers = {"Authorization": f"Bearer {jwt}", "Content-Type": "application/json"}

    def get(self, path: str) -> Any:
        answer = requests.get(f"{self._base}/{path}", headers=self._headers, timeout=30)
        self.read.append(answer.text)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, text: str) -> Any:
        """POST *text*, which is stringified unless it is a whole body."""
        body = {"data": text.encode()} if text.startswith('{\n"value"') else {"json": {"value": text}}
        answer = requests.post(f"{self._base}/{path}", headers=self._headers, timeout=30, **body)
        self.read.append(answer.text)
        assert answer.status_code == 201, answer.text
        assert answer.headers["Location"] == f"{self._base}/{path}({answer.json()['Id']})"
        return answer.json()

    def ended(self, path: str, timeout_s: float = 60) -> Any:
        """Return the job or deployment at *path* once it has ended."""
        deadline = time.monotonic() + timeout_s
        while (found := self.get(path))["Status"] in ("Scheduled", "In Progress", "Canceling"):
            assert time.monotonic() < deadline, found
            time.sleep(0.1)
        return found
