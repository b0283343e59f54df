"""Stories: what clients of other stacks tell of one job each. They are programs below ``tests/clients``."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from client_world import COUNT, LOGIN, MISTAKEN, MODULES, PASSWORD, SLEEP
from lxml import etree
from needed import missing
from real_server import Server

CLIENTS = Path(__file__).with_name("clients")
ENVELOPES = {"1.1": "http://schemas.xmlsoap.org/soap/envelope/", "1.2": "http://www.w3.org/2003/05/soap-envelope"}
#: What only a client that escapes and encodes well brings here and back.
TEXT = "it's <&> é ]]> €"
UNKNOWN = "00000000-0000-4000-8000-0000000000ff"


def need(client: str, *probe: str, **environment: str) -> None:
    """Fail or skip unless *probe*, a command, ends well."""
    try:
        done = subprocess.run(probe, env={**os.environ, **environment}, capture_output=True, timeout=60, check=False)
    except FileNotFoundError:
        missing(client)
    if done.returncode != 0:
        missing(client)


def build(*command: str, folder: Path) -> None:
    """Run in *folder* a command that makes a client, or a part of it; it may take its time."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def listen(*command: str, server: Server, wsdl: str, version: str, **environment: str) -> dict[str, Any]:
    """Run a client, and return its story; *wsdl* is the query that it fetches the WSDL by, *version* that of SOAP.

    What it is to do is its input, in JSON, and for those that do not read that, its environment.
    """
    given = {
        "wsdl": f"{server.service}/{wsdl}",
        "address": f"{server.service}/soap",
        "version": version,
        "mistaken": MISTAKEN,
        "login": LOGIN,
        "password": PASSWORD,
        "agent": server.wait_for_agents(1, auth=(LOGIN.encode(), PASSWORD.encode()))[0],
        "count": COUNT,
        "sleep": SLEEP,
        "unknown": UNKNOWN,
        "text": TEXT,
    }
    done = subprocess.run(
        command,
        env={**os.environ, **environment} | {f"GIVEN_{name.upper()}": value for name, value in given.items()},
        input=json.dumps(given).encode(),
        capture_output=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, (done.stdout + done.stderr).decode()
    return {name: told for line in done.stdout.splitlines() for name, told in json.loads(line).items()}


def check(story: dict[str, Any], version: str) -> None:
    """Check a story, but for how its client was refused without a login: each has words of its own for that."""
    assert etree.fromstring(story["sent"].encode()).tag == f"{{{ENVELOPES[version]}}}Envelope"
    assert story["modules"] == MODULES
    assert story["scheduled"] in story["listed"]
    assert story["ended"] == {"description": TEXT, "state": "Completed"}
    root = etree.fromstring(story["result"].encode("utf-16"))
    assert root.xpath("string(//masterjobresult/guid)") == story["scheduled"]
    assert f"<{TEXT}>" in root.xpath("string(//task/results/agent/result/log)")
    assert story["aborted"] == "Aborted"
    assert story["fault"]["code"].endswith({"1.1": ":Client", "1.2": ":Sender"}[version])
    assert f"no job {UNKNOWN}" in story["fault"]["text"]
    assert "undefined" not in story["fault"]["text"]
    assert story["fault"]["type"] == "job.not_found"
