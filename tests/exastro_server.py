"""A real server with a workspace of Exastro's, as the vendor's manual has it: ``organization_1``, ``workspace_1``."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from real_server import Server, dispatcher, serving

#: What stands in the manual as the content of ``echo.yml``.
PLAYBOOK = b'- name: run "echo"\n  command: echo {{ VAR_STR_1 }}'
#: ``user_id:password``, as the manual has it.
AUTHORITY = {"Authorization": "Basic dXNlcl9pZDpwYXNzd29yZA=="}
LIBRARY = """
agents: [{name: sample_host1}, {name: sample_host2}]
teams: [{name: Ring 1, agents: [sample_host1, sample_host2]}]
workspaces:
  - {name: workspace_1, organization: organization_1, team: Ring 1}
  - {name: ws1, organization: org1, team: Ring 1}
menus:
  - name: sample_menu_001
    columns: [{name: column_1, max_bytes: 8}, {name: column_2, kind: file}]
  - name: sample_menu_002
    columns: [{name: column_1, max_bytes: 8}, {name: column_2, kind: file}]
modules:
  - {name: Say, tasks: [{type: command, name: say, settings: {command: echo said}}]}
runbooks:
  - {name: sample_conductor, steps: [{name: one, module: Say, who: [{ask: true}]}]}
  - name: sample_sub_conductor
    steps: [{name: one, module: Say, who: [{ask: true}]}]
  - name: sample_main_conductor
    steps:
      - {name: one, module: Say, who: [{ask: true}]}
      - {name: two, runbook: sample_sub_conductor, who: [{ask: true}], operation: sample_operation}
"""


class Site:
    """The server, and what a client of one workspace asks of it."""

    def __init__(self, server: Server, organization: str = "organization_1", workspace: str = "workspace_1") -> None:
        self.server = server
        self.address = server.url.removeprefix("http://")
        self.base = f"{server.url}/api/{organization}/workspaces/{workspace}/ita"

    def get(self, path: str) -> Any:
        return self._data(requests.get(f"{self.base}/{path}", headers=AUTHORITY, timeout=30))

    def post(self, path: str, body: Any) -> Any:
        return self._data(requests.post(f"{self.base}/{path}", json=body, headers=AUTHORITY, timeout=30))

    def records(self, menu: str, **terms: Any) -> list[dict[str, Any]]:
        return list(self.post(f"menu/{menu}/filter/", terms))

    def operation(self, name: str, planned: str) -> None:
        parameter = {"operation_name": name, "scheduled_date_for_execution": planned}
        self.post("menu/operation_list/maintenance/all/", [{"type": "Register", "parameter": parameter}])

    def clean(self) -> None:
        """Delete the records of playbooks, sheets and operations."""
        for menu in ("playbook_files", "sample_menu_001", "sample_menu_002", "operation_list"):
            gone = [{"type": "Delete", "parameter": one["parameter"]} for one in self.records(menu)]
            if gone:
                self.post(f"menu/{menu}/maintenance/all/", gone)

    @staticmethod
    def file(record: dict[str, Any], column: str = "playbook_file") -> bytes:
        return base64.b64decode(record["file"][column])

    @staticmethod
    def _data(answer: requests.Response) -> Any:
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]


@contextmanager
def a_site(folder: Path) -> Iterator[Site]:
    """Serve the workspace from a datastore in *folder*."""
    with serving(folder, "--no-local-agent", library=LIBRARY, logins={}) as server:
        logins = (("user_id",), ("test_user", "--role", "Full Access"), ("newcomer", "--first-login-pending"))
        for name, *more in logins:
            words = ("login", "add", name, "--language", "ja", "--password-stdin", *more)
            dispatcher(*words, datastore=server.datastore, given="password")
        yield Site(server)
