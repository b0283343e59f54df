"""A library that roles are tried on, and what a caller does with it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from dispatcher.core.jobs import GivenSet, JobRequest, WhatChoice, WhatKind, When, WhoChoice, WhoKind
from dispatcher.core.parameters import GivenValue
from dispatcher.core.permissions import Caller
from dispatcher.services.hall import Hall

KEYS = {
    name: UUID(int=(7 << 76) | (2 << 62) | number)
    for number, name in enumerate(["list", "copy", "root", "book", "one", "two", "part", "user"], 1)
}
LIBRARY = f"""
modules:
  - {{name: List files, id: {KEYS["list"]}, folder: Demo/Files}}
  - {{name: Copy files, id: {KEYS["copy"]}, folder: Demo/Files}}
  - {{name: Restart, id: {KEYS["root"]}}}
runbooks:
  - name: Rings
    id: {KEYS["book"]}
    parameters: [{{name: Ring, value: ''}}]
    steps: [{{name: first, module: Restart, who: [{{parameter: Ring}}]}}]
  - name: Part of a name
    id: {KEYS["part"]}
    parameters: [{{name: Number, value: ''}}, {{name: Whole, value: ''}}]
    steps: [{{name: first, runbook: Rings, who: [{{ask: true}}], parameters: {{Ring: '$[Whole]$[Number]'}}}}]
  - name: Users
    id: {KEYS["user"]}
    parameters: [{{name: RunBookWho, value: ''}}]
    steps: [{{name: first, module: Restart, who: [{{parameter: RunBookWho, by: console_user}}]}}]
agents:
  - {{name: PC-1, id: {KEYS["one"]}, primary_team: Ring 1}}
  - {{name: PC-2, id: {KEYS["two"]}}}
  - {{name: Twin, id: 00000000-0000-4000-8000-0000000000e1}}
  - {{name: Twin, id: 00000000-0000-4000-8000-0000000000e2}}
teams:
  - {{name: Ring 1, folder: Rings/First, agents: [PC-1, PC-2]}}
  - {{name: Ring 2, rule: 'true'}}
"""


def modules(hall: Hall, caller: Caller) -> list[str]:
    return [what.name for what in hall.library.whats(WhatKind.MODULE, caller)]


def who(hall: Hall, caller: Caller) -> list[str]:
    return [one.name for one in hall.topology.who(True, True, False, False, "", caller)]


def schedule(hall: Hall, caller: Caller, what: str = "list", *names: str, **rest: Any) -> Any:
    kind = WhatKind.RUNBOOK if what in ("book", "part", "user") else WhatKind.MODULE
    chosen = [WhoChoice([name], WhoKind.TEAM if name.startswith("Ring") else WhoKind.AGENT) for name in names]
    when = rest.pop("when", When())
    return hall.scheduling.submit(JobRequest([WhatChoice(KEYS[what], kind)], chosen, when, **rest), caller)


def given(value: str, name: str = "Ring", what: str = "book") -> dict[str, Any]:
    return {"what": what, "parameters": [GivenSet(KEYS[what], [GivenValue(name, value)])]}
