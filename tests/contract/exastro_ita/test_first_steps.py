"""The first steps of ``docs/dialects/exastro-ita.rst``, typed in as they stand there."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests
from real_server import Server

PAGE = Path(__file__).parents[3] / "docs" / "dialects" / "exastro-ita.rst"
_BLOCK = re.compile(r"^(?:\.\. code-block:: (\w+)|.*::)\n\n((?:    .*\n|   .*\n|\n)+)", re.MULTILINE)


def steps() -> tuple[dict[str, str], list[str]]:
    """Return the files that the page gives by name, and the command lines in their order."""
    text = PAGE.read_text("utf-8").partition("First steps\n-----")[2].partition("\nMenus\n-----")[0]
    files: dict[str, str] = {}
    lines: list[str] = []
    for match in _BLOCK.finditer(text):
        body = textwrap.dedent(match[2])
        if match[1]:
            named = re.findall(r"``([\w-]+\.\w+)``:", text[: match.start()])
            files[named[-1]] = body
        else:
            lines += body.strip().split("\n")
    return files, lines


def test_they_lead_to_a_run_that_ends(start_server: Callable[..., Server], tmp_path: Path) -> None:
    server = start_server()
    server.wait_for_agents(1)
    files, lines = steps()
    assert files.keys() == {"exastro.yaml", "apply.json"}
    assert lines.pop(0) == f"export DISPATCHER_DATASTORE={of_make_run().replace('$(CURDIR)', '$PWD')}"
    assert len(lines) == 6
    for name, body in files.items():
        (tmp_path / name).write_text(body, "utf-8")
    answers = [typed(server, tmp_path, line) for line in lines]
    assert platform.node() in answers[2]
    base = f"{server.url}/api/org1/workspaces/ws1/ita/menu"
    run = requests.get(f"{base}/conductor_list/filter/", timeout=30).json()["data"][0]["parameter"]
    assert run["conductor_instance_id"] in answers[4]
    state = ended(f"{base}/conductor_confirmation/conductor/{run['conductor_instance_id']}/")
    assert (state["status_id"], state["operation_name"]) == ("6", "first try")
    result = server.get(f"jobs/{state['conductor_instance_id']}/results?detailed=true").json()
    assert "hello on port 8081" in bytes(result["Xml"]).decode("utf-16")


def of_make_run() -> str:
    """Return the datastore of the server that ``make run`` starts."""
    return re.findall(r"DISPATCHER_DATASTORE='([^']+)'", (PAGE.parents[2] / "Makefile").read_text("utf-8"))[0]


def typed(server: Server, folder: Path, line: str) -> str:
    """Type *line* as it stands on the page, but for where the server and its datastore are; return what it says."""
    script = f'''
dispatcher() {{ "{sys.executable}" -m dispatcher "$@"; }}
curl() {{ command curl -sS --fail-with-body "$@"; }}
{line.replace("http://127.0.0.1:8080", server.url)}'''
    environment = {**os.environ, "DISPATCHER_DATASTORE": server.datastore}
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def ended(url: str) -> dict[str, Any]:
    """Return the conductor of the state at *url* once that is over."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        state = dict(requests.get(url, timeout=30).json()["data"]["conductor"])
        if state["status_id"] not in ("1", "2", "3"):
            return state
        time.sleep(0.2)
    raise AssertionError(f"the run does not end: {state}")
