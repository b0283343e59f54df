"""Clients' world: what all of them schedule, and how they look at what came of it."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from typing import Any

from lxml import etree

#: Passwords of the second login are sent wrong until it is locked.
MISTAKEN = "mistaken"
LOGIN, PASSWORD = "élodie", "pa:ss wörd"
COUNT = "{00000000-0000-4000-8000-0000000000AA}"
SLEEP = "{00000000-0000-4000-8000-0000000000BB}"
TWICE = "{00000000-0000-4000-8000-0000000000CC}"
TEAM = "{00000000-0000-4000-8000-0000000000DD}"
#: The names of all modules, in order: with those that are built in.
MODULES = [
    "Announce a deployment",
    "Application install",
    "Count",
    "Directory checklist",
    "Discover computers",
    "Discover computers and install agents",
    "Discover computers and uninstall agents",
    "Finish a deployment",
    "Network configuration backup",
    "Sleep",
]
LIBRARY = """
modules:
  - name: Count
    id: 00000000-0000-4000-8000-0000000000aa
    parameters: [{name: Text, value: nothing}, {name: Code, type: list, value: '0', choices: ['0', '7']}]
    tasks: [{type: command, name: count, settings: {command: 'echo "<$[Text]>"; exit "$[Code]"'}}]
  - name: Sleep
    id: 00000000-0000-4000-8000-0000000000bb
    tasks: [{type: command, name: sleep, settings: {command: 'sleep 60'}}]
runbooks:
  - name: Twice
    id: 00000000-0000-4000-8000-0000000000cc
    steps: [{name: first, module: Count, who: [{ask: true}]}, {name: second, module: Count, who: [{ask: true}]}]
teams:
  - {name: Ring 1, id: 00000000-0000-4000-8000-0000000000dd}
agents:
  - {name: spare of zeep 1.1}
  - {name: spare of zeep 1.2}
  - {name: spare of suds}
"""


def wait_until(state_of: Callable[[], str], *states: str) -> str:
    """Return the state when it is one of *states*."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        state = state_of()
        if state in states:
            return state
        time.sleep(0.05)
    raise AssertionError(f"the job is {state}")


def document_of(content: bytes | str) -> Any:
    """Return the root of a result document, which clients get in base64."""
    raw = base64.b64decode(content) if isinstance(content, str) else content
    text = raw.decode("utf-16-le")
    assert text.startswith('<?xml version="1.0" encoding="UTF-16"?>')
    return etree.fromstring(text.encode("utf-16"))
