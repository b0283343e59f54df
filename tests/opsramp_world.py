"""OpsRamp's world: the dialect over a library like the one that its page speaks of, and a client that asks it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from dispatcher.bindings.opsramp.binding import build
from dispatcher.core.permissions import ANONYMOUS, SYSTEM, Caller
from dispatcher.services.hall import Hall
from dispatcher.wire.http import Request, Response
from dispatcher.wire.json_api.endpoint import JsonApi
from dispatcher.wire.quotas import Quotas

FIRST, SECOND = "709824de-8315-4cf9-ad1c-b15aaf7bf2a5", "4e96d5bc-763c-4c00-beab-928d653a0422"
#: A schedule.
DAILY = {"startDate": "2026-03-02T10:10:10+0000", "pattern": {"type": "daily", "frequency": "everyday"}}
#: The inventory of the page's samples: resources of client_13, shared with client_93; msp_12 is the provider of both.
LIBRARY = """
modules:
  - name: test script
    description: test script
    folder: Scripts
    platforms: [WINDOWS]
    aliases: {opsramp: {script: '7'}}
    parameters: [{name: String, value: '10', aliases: {opsramp: {parameter: '2'}}}]
    tasks: [{type: command, name: echo, settings: {command: 'echo %PARAM_String%'}}]
  - name: AD checklist
    aliases: {opsramp: {job_type: adCheckList}}
    tasks: [{type: command, name: check, settings: {command: 'true'}}]
  - name: Configuration backup
    aliases: {opsramp: {job_type: networkconfigbackup}}
    parameters: [{name: versionsSaved}, {name: backUpTrigger}]
    tasks: [{type: command, name: back up, settings: {command: 'echo "$[versionsSaved] $[backUpTrigger]"'}}]
  - name: Install
    aliases: {opsramp: {job_type: appinstall}}
    parameters: [{name: approvalReason}]
    tasks: [{type: command, name: install, settings: {command: 'echo "$[approvalReason]"'}}]
agents:
  - {name: 10.233.19.130, id: 709824de-8315-4cf9-ad1c-b15aaf7bf2a5, address: 10.233.19.130, primary_team: The owner}
  - {name: 172.30.1.60, id: 4e96d5bc-763c-4c00-beab-928d653a0422, address: 172.30.1.60, primary_team: The owner}
  - {name: a stranger, id: 00000000-0000-4000-8000-00000000000a, primary_team: client_99}
teams:
  - {name: Provider, aliases: {opsramp: {tenant: msp_12}}}
  - {name: The owner, folder: Provider, aliases: {opsramp: {tenant: client_13}}}
  - {name: client_93, folder: Provider/Guests, agents: [10.233.19.130, 172.30.1.60]}
  - {name: client_99}
"""


@dataclass
class Client:
    """Asks the dialect as a client does that has a token."""

    binding: JsonApi
    logged: list[Any]
    caller: Caller = ANONYMOUS
    tenant: str = "client_93"
    answers: list[Response] = field(default_factory=list)

    def ask(self, verb: str, path: str, body: Any = None, query: str = "", key: str = "") -> Response:
        """Return the answer; *path* is below the tenant's unless it begins with a slash."""
        whole = path if path.startswith("/") else f"/api/v2/tenants/{self.tenant}/{path}"
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        headers = {"content-type": "application/json"} | ({"idempotency-key": key} if key else {})
        answer = self.binding(Request(verb, whole, query, headers, content, caller=self.caller, address="127.0.0.1"))
        assert self.logged == []
        return answer

    def get(self, path: str, query: str = "") -> Any:
        """Return what is found."""
        return self._told(self.ask("GET", path, query=query))

    def post(self, path: str, body: Any) -> Any:
        """Return the answer to *body*."""
        return self._told(self.ask("POST", path, body))

    def refused(self, body: Any, path: str = "jobs") -> list[dict[str, str]]:
        """Return what is wrong with *body*."""
        answer = self.ask("POST", path, body)
        assert answer.status == 400, answer.body
        problems: list[dict[str, str]] = json.loads(answer.body)
        assert all(problem.keys() == {"code", "fieldName", "message"} for problem in problems)
        return problems

    def _told(self, answer: Response) -> Any:
        assert answer.status == 200, answer.body
        return json.loads(answer.body)


def a_client(hall: Hall) -> Client:
    """Return a client of the dialect over *hall*."""
    logged: list[Any] = []
    binding = build(hall, log=lambda event, **context: logged.append((event, context)), quotas=Quotas())
    return Client(binding, logged)


def entity(key: str = FIRST, **members: str) -> dict[str, Any]:
    return {"resource": {"id": key, "type": "DEVICE", **members}}


def order(**members: Any) -> dict[str, Any]:
    plain = {"name": "check", "entities": [entity()], "script": {"jobType": "adCheckList"}, "schedule": DAILY}
    return {name: value for name, value in {**plain, **members}.items() if value is not None}


def occurrences(hall: Hall, job: dict[str, Any]) -> list[Any]:
    """Return the jobs that have occurred of *job*, latest first."""
    entries = hall.schedules.ledger(UUID(job["id"]), 1, 100, SYSTEM).items
    return [hall.jobs.get(entry.job_id, SYSTEM) for entry in entries if entry.job_id is not None]
