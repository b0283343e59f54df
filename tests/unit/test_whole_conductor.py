"""A conductor from an uploaded playbook to what two hosts say, by a real server and real agents."""

from __future__ import annotations

import base64
import importlib.util
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import requests
from real_server import Process, Server, dispatcher

from dispatcher.core.permissions import SYSTEM
from dispatcher.core.ports import Ports
from dispatcher.datastore.engines import parse_url
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.hall import build_hall
from dispatcher.services.secrets import Secrets

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("ansible_runner") is None, reason="the extra [ansible] is not installed"
)

LIBRARY = """
agents: [{name: h1}, {name: h2}]
teams: [{name: Ring 1, agents: [h1, h2]}]
workspaces: [{name: ws2, organization: org9, team: Ring 1}]
menus:
  - name: sheet_a
    title: {ja: シート, en: Sheet}
    type: 1
    columns:
      - {name: greeting, max_bytes: 40, required: true}
      - {name: secret, kind: password}
      - {name: motd, kind: file}
"""
PLAYBOOK = b"""- hosts: localhost
  gather_facts: false
  tasks:
    - name: Say it
      ansible.builtin.debug: {msg: "{{ greeting }} for {{ host_name }}, {{ secret | length }} letters of {{ secret }}"}
    - name: Show it
      ansible.builtin.debug: {var: secret}
    - name: Read it
      ansible.builtin.debug: {msg: "{{ lookup('file', motd) | default('nothing') }} in {{ motd | basename }}"}
      when: motd is defined
"""
PASSWORD = 'p"4\\ss wörd'
STATES = {"1", "2", "3", "4", "5"}


@pytest.fixture
def server(start_server: Callable[..., Server], start_agent: Callable[..., Process], tmp_path: Path) -> Server:
    server = start_server("--no-local-agent")
    load(server, tmp_path, LIBRARY)
    dispatcher("login", "add", "anna", "--password-stdin", datastore=server.datastore, given="pw")
    for name in ("h1", "h2"):
        start_agent(server, name)
    return server


def load(server: Server, folder: Path, text: str) -> None:
    file = folder / "library.yaml"
    file.write_text(text, encoding="utf-8")
    dispatcher("library", "import", str(file), datastore=server.datastore)


def ask(server: Server, method: str, path: str, body: Any = None) -> Any:
    url = f"{server.url}/api/org9/workspaces/ws2/ita/{path}"
    answer = requests.request(method, url, json=body, auth=("anna", "pw"), timeout=60)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def test_playbooks_see_the_values_of_their_hosts_and_show_no_password(server: Server, tmp_path: Path) -> None:
    upload = {
        "type": "Register",
        "parameter": {"playbook_name": "greet", "playbook_file": "greet.yml"},
        "file": {"playbook_file": base64.b64encode(PLAYBOOK).decode()},
    }
    [playbook] = ask(server, "POST", "menu/playbook_files/maintenance/all/", [upload])["IdList"]
    [found] = ask(server, "GET", "menu/playbook_files/filter/")
    assert base64.b64decode(found["file"]["playbook_file"]) == PLAYBOOK
    load(
        server,
        tmp_path,
        f"runbooks: [{{name: nightly, steps: [{{name: greet, module: {playbook}, who: [{{ask: true}}]}}]}}]",
    )
    first = {"host_name": "h1", "greeting": "{{ hello }}", "secret": PASSWORD, "motd": "motd.txt"}
    rows = [
        {"type": "Register", "parameter": first, "file": {"motd": base64.b64encode(b"welcome").decode()}},
        {"type": "Register", "parameter": {"host_name": "h2", "greeting": "good bye", "secret": "other"}},
    ]
    wanted = {"conductor_class_name": "nightly", "operation_name": "op-1", "parameter_info": [{"sheet_a": rows}]}
    run = ask(server, "POST", "apply/", wanted)["conductor_instance_id"]
    state = wait_for_end(server, run)
    outputs = outputs_of(server, UUID(run))
    assert state == "6", outputs
    greeted, left = sorted(outputs, reverse=True)
    assert "{{ hello }} for h1, 11 letters of ********" in greeted
    assert "welcome in motd.txt" in greeted
    assert "good bye for h2, 5 letters of ********" in left
    assert "skipping" in left
    assert all('"secret": "********"' in one for one in outputs)
    assert_nowhere(PASSWORD, server, tmp_path)


def wait_for_end(server: Server, run: str) -> str:
    deadline = time.monotonic() + 90
    while True:
        conductor = ask(server, "GET", f"menu/conductor_confirmation/conductor/{run}/")["conductor"]
        if conductor["status_id"] not in STATES:
            return str(conductor["status_id"])
        assert time.monotonic() < deadline, conductor
        time.sleep(0.2)


def outputs_of(server: Server, run: UUID) -> list[str]:
    """Return the outputs of all tasks of the run."""
    datastore = Datastore(parse_url(server.datastore))
    try:
        ports = Ports(lambda: datetime.now(UTC), time.monotonic, uuid4, NoWakeup())
        hall = build_hall(datastore, ports, Secrets(b"k" * 32), lease=timedelta(seconds=30))
        results = hall.results.collect(run, True, SYSTEM)
        return [task.output for result in results for one in result.runs for task in one.tasks]
    finally:
        datastore.close()


class NoWakeup:
    """Nobody waits for what is only read."""

    def agents(self, agent_ids: object) -> None: ...
    def slot(self, agent_id: object) -> None: ...
    def engine(self) -> None: ...


def assert_nowhere(secret: str, server: Server, folder: Path) -> None:
    """No file of the server or of an agent has the secret, in any form; neither has a log."""
    forms = {secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1]}
    files = [file for file in folder.rglob("*") if file.is_file()]
    assert len(files) > 4
    for file in files:
        data = file.read_bytes()
        assert not any(form.encode() in data for form in forms), file
    assert not any(form in "".join(server.process.lines) for form in forms)
