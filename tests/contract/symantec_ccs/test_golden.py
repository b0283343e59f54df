"""The samples of the vendor's page "Job Operation" (seed symantec-ccs-job-operation.txt), word for word.

Ids, tokens and the moment at which a run has begun are the server's own; the page's moment has a digit too many.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import requests
from ccs_world import Client
from cheap_passwords import cheap_passwords
from golden_messages import cases

from dispatcher.core.permissions import SYSTEM, Right
from dispatcher.core.ports import Ports
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.logins import Logins
from dispatcher.services.roles import Roles
from dispatcher.web.app import WebApp

GOLDEN = Path(__file__).parent / "golden"
ID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
#: What the server's own values look like, by member.
OWN = {
    "JobRunID": ID,
    "JobID": ID,
    "JobStartTime": r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{7}Z",
    "access_token": r"\S+",
    "refresh_token": r"\S+",
}


@pytest.fixture
def administrator(web: WebApp, ccs: Client, datastore: Datastore, ports: Ports) -> Client:
    """The user of the page's script, who may do everything."""
    Logins(datastore, ports, cheap_passwords()).add("administrator", "pass@123", SYSTEM)
    return Client(web, "domain1\\administrator", "cGFzc0AxMjM=")


@pytest.fixture
def reader(administrator: Client, web: WebApp, datastore: Datastore, ports: Ports, roles: Roles) -> Client:
    """A user who may only look at jobs."""
    roles.add("Reader", SYSTEM)
    roles.grant("Reader", Right.READ, "Jobs/Scheduling", SYSTEM)
    Logins(datastore, ports, cheap_passwords()).add("reader", "reader", SYSTEM, roles=["Reader"])
    return Client(web, "reader", "reader")


def send(ccs: Client, name: str, target: str) -> requests.Response:
    """Send a golden request about *target*, with a token that is good, where it has a good one."""
    head, _, body = (GOLDEN / f"{name}.request").read_bytes().partition(b"\n\n")
    first, *lines = head.decode().split("\n")
    method, path = first.split(" ")
    headers = dict(line.split(": ", 1) for line in lines)
    if headers.get("Authorization") == "Bearer a1":
        assert ccs.get_token().status_code == 200
        headers["Authorization"] = f"Bearer {ccs.token}"
    path = re.sub(ID, target, path)
    return ccs.session.request(method, f"https://ccs.example.com:12431{path}", data=body, headers=headers)


def check(answer: requests.Response, name: str) -> None:
    """Check that *answer* is the golden one: its status, its members, their order and their values."""
    status, _, body = (GOLDEN / f"{name}.response").read_bytes().partition(b"\n\n")
    assert answer.status_code == int(status), answer.text
    assert _masked(answer.content) == _masked(body.strip())


def _masked(body: bytes) -> Any:
    if not body:
        return body
    pairs = json.loads(body, object_pairs_hook=list)
    for name, value in pairs:
        assert name not in OWN or re.fullmatch(OWN[name], value), value
    # As text: to Python 1 and true are the same.
    return json.dumps([(name, "its own" if name in OWN else value) for name, value in pairs])


@pytest.mark.parametrize("name", cases(GOLDEN))
def test_a_sample_request_has_the_sample_answer(administrator: Client, reader: Client, name: str) -> None:
    job_id = administrator.created()
    run_id = administrator.operate(job_id, "execute").json()["JobRunID"]
    client = reader if name == "no-permission" else administrator
    answer = send(client, name, run_id if name == "abort" else job_id)
    check(answer, name)
    assert name not in ("execute", "execute-upper-case") or answer.json()["JobID"] == job_id
    assert (GOLDEN / f"{name}.source.rst").read_text(encoding="utf-8").startswith("Source: ")
