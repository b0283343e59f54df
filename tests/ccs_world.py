"""A client of Symantec CCS as the vendor's sample scripts are: ``requests``, form text called JSON, a bearer token."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

from dispatcher.services.hall import Hall
from dispatcher.web.app import WebApp
from dispatcher.wire.http import Request

URL = "https://ccs.example.com:12431/ccs/api/v1"
LIBRARY = """
modules:
  - name: CIS Red Hat 9
    id: 6b020d29-5fe8-47d0-bd89-ccd3339a5ebe
    folder: Predefined/UNIX
    description: What a server must have
    parameters:
      - {name: JobType, value: none}
      - {name: IsIncremental, value: "?"}
    tasks:
      - {type: command, name: password age, id: 7673bba8-1933-41ce-98d8-7fa7cca60c9f,
         settings: {command: 'echo "$[JobType] $[IsIncremental]"'}}
      - {type: command, name: open ports, on_error: continue, settings: {command: 'exit 3'}}
  - name: Apache
    id: 00000000-0000-4000-8000-0000000000a2
    folder: Predefined/UNIX/Web
    aliases: {symantec_ccs: {standard: F61462B9-8F18-4E39-9E81-509E530FC231}}
    tasks: [{type: command, name: version, settings: {command: 'echo 2.4'}}]
teams:
  - {name: All DB2 servers, id: 817fd810-83e1-4a29-85ea-8aa6204421e3, rule: 'os == "linux"'}
"""
STANDARD = "6b020d29-5fe8-47d0-bd89-ccd3339a5ebe"
APACHE = "f61462b9-8f18-4e39-9e81-509e530fc231"
GROUP = "817fd810-83e1-4a29-85ea-8aa6204421e3"
UNIX = "symc-csm-AssetSystem-Asset-Unix-Machine"
# The members of the sample scripts' schedules (contract 2.5), with the values that they have where they say nothing.
SCHEDULE: dict[str, Any] = {
    "EndJobRunConfigured": False,
    "EndJobRunTimeInterval": "00:00:00",
    "SubScheduleRepeatDays": 0,
    "SubScheduleRepeatPeriodDays": 0,
    "MonthlyDay": 0,
    "MonthlyDayOfTheWeek": 0,
    "MonthlyIsByOrdinalDay": False,
    "MonthlyOrdinalDay": 0,
    "MonthlyRecurEvery": 0,
    "RecurrenceType": 0,
    "RepeatDays": 50,
    "RepeatMinutes": 0,
    "RunEveryNDays": True,
    "RunNow": False,
    "RunOnce": False,
    "RunPeriodically": False,
    "StartDate": "2026-03-05T04:10:27.5120788-08:00",
    "WeeklyDay": 0,
    "WeeklyRecurEvery": 0,
}


class InProcess(BaseAdapter):
    """Hands what ``requests`` would send to the web application, in the same thread, as a client at *address*."""

    def __init__(self, web: WebApp, address: str = "10.1.1.1") -> None:
        super().__init__()
        self._web, self._address = web, address

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:
        assert request.url is not None
        parts = urlsplit(request.url)
        body = request.body or b""
        arrived = Request(
            method=request.method or "",
            path=requests.utils.unquote(parts.path),
            query=parts.query,
            scheme="https",
            host=parts.netloc,
            headers={name.lower(): value for name, value in request.headers.items()},  # type: ignore[misc]
            body=body.encode() if isinstance(body, str) else body,
        )
        answer = self._web.respond(arrived, self._address)
        response = requests.Response()
        response.status_code = answer.status
        response._content = answer.body
        response.headers = CaseInsensitiveDict({"Content-Type": answer.content_type, **dict(answer.headers)})
        response.request, response.url = request, request.url
        return response

    def close(self) -> None:
        """Nothing is open."""


class Client:
    """What the sample scripts do: each asks for a token, and makes one call with it."""

    def __init__(self, web: WebApp, user: str = "", password: str = "", address: str = "10.1.1.1") -> None:
        self.session = requests.Session()
        self.session.mount("https://", InProcess(web, address))
        self.user, self.password, self.token = user, password, ""

    def get_token(self) -> requests.Response:
        payload = "grant_type=password&username=" + self.user + "&password=" + self.password
        answer = self.session.post(f"{URL}/oauth/tokens", data=payload, headers={"Content-Type": "application/json"})
        if answer.status_code == 200:
            self.token = answer.json()["access_token"]
        return answer

    def call(
        self, method: str, path: str, body: Any = None, *, params: Mapping[str, str] | None = None, **headers: str
    ) -> requests.Response:
        """Get a token and call with it; what is no text becomes JSON."""
        assert self.get_token().status_code == 200
        sent = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json", **headers}
        is_raw = body is None or isinstance(body, (str, bytes))
        data = body if is_raw else requests.compat.json.dumps(body)
        return self.session.request(method, f"{URL}{path}", data=data, headers=sent, params=params)

    def create(self, name: str = "Nightly", *, asset: UUID | str = GROUP, **more: Any) -> requests.Response:
        """Make a job; *more* are members of its details."""
        job_type = more.pop("JobType", "CollectionEvaluationJob")
        details = {
            "AssetsResolutionInfo": [{"Id": str(asset), "Type": UNIX}],
            "JobDescription": "Every night",
            "JobName": name,
            "Standards": [STANDARD],
            **more,
        }
        return self.call("POST", "/jobs", {"JobDetails": details, "JobType": job_type})

    def created(self, name: str = "Nightly", **more: Any) -> str:
        """Make a job as ``create`` does; return its id."""
        answer = self.create(name, **more)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["JobID"])

    def operate(self, key: str, operation: str) -> requests.Response:
        return self.call("POST", f"/jobs/{key}", '{\r\n"Operation":"' + operation + '"\r\n}\r\n')

    def runs(self, job_id: str, count: int = 1, **params: str) -> list[dict[str, Any]]:
        answer = self.call("GET", f"/Jobs/{job_id}/jobruns", params={"count": str(count), **params})
        assert answer.status_code == 200, answer.text
        return list(answer.json())


def turn(hall: Hall, clock: Any, by: timedelta) -> None:
    """Let time go by, and what is due then occur."""
    clock.turn(by)
    while hall.occurrences.fire_due():
        pass


def get(ccs: Client, job_id: str) -> dict[str, Any]:
    """Return the job."""
    answer = ccs.call("GET", f"/Jobs/{job_id}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())
