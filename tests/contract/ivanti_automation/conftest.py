"""A datastore with one module, one run book, one agent, one team and one finished job; and the binding over it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from dispatcher.bindings.ivanti_automation.binding import IvantiAutomation, build
from dispatcher.core.jobs import JobRequest, WhatChoice, WhatKind, When, WhoChoice, WhoKind
from dispatcher.core.permissions import Caller, Right, everything
from dispatcher.core.states import Event
from dispatcher.services.hall import Hall
from dispatcher.services.reporting import News, Output, RunFinished, RunStarted, TaskFinished, TaskStarted

PATCH = UUID("5cf59e5a-343c-4d85-a83c-8b18e4731040")
AGENT = UUID("6ae2e5b5-d5c8-4728-a10a-12e25bd5f995")
DONE = UUID("55d1e5fd-cd92-481e-abdb-62ed86288d1f")
API = Caller("api", everything(Right.MODIFY))
LIBRARY = r"""
agents:
  - {name: PC-042, id: 6ae2e5b5-d5c8-4728-a10a-12e25bd5f995}
teams:
  - {name: Ring 1, id: 6ae2e5b5-d5c8-4728-a10a-12e25bd5f9aa, agents: [PC-042]}
modules:
  - name: Patch
    id: 5cf59e5a-343c-4d85-a83c-8b18e4731040
    folder: Demo/Patching
    description: Installs <patches> & more.
    parameters:
      - {name: Ring, type: list, value: '1', choices: ['1', '2', '3'], labels: [first, second, third], hint: Which one}
      - {name: Account, type: credentials, value: 'corp\patcher'}
      - {name: Unused, value: never asked}
      - {name: Count, value: '3', output: true, input: false}
    tasks:
      - {type: command, name: install, settings: {command: 'echo "$[Ring] $[Account]"'}}
runbooks:
  - name: Patch ring
    id: 0a8b2c4d-0000-4000-8000-00000000b00c
    parameters:
      - {name: Ring, value: '1'}
    steps:
      - {name: first, module: Patch, who: [{ask: true}], parameters: {Ring: '$[Ring]'}}
"""


@dataclass
class Ids:
    """Hands out ids in order, but first those that a test has put in line."""

    upcoming: list[UUID] = field(default_factory=list)
    last: int = 0

    def __call__(self) -> UUID:
        if self.upcoming:
            return self.upcoming.pop(0)
        self.last += 1
        return UUID(int=(0x019A << 112) | (7 << 76) | (2 << 62) | self.last)


@pytest.fixture
def new_id() -> Ids:
    return Ids()


@pytest.fixture
def finished_job(hall: Hall, load_library: Callable[[str], None], enrol: Any, clock: Any, new_id: Ids) -> None:
    """What the golden messages speak of: a job that PC-042 did within a minute."""
    clock.moment = datetime(2025, 10, 9, 8, 53, 20, tzinfo=UTC)
    load_library(LIBRARY)
    enrol("PC-042")
    new_id.upcoming.append(DONE)
    request = JobRequest(
        what=[WhatChoice(PATCH, WhatKind.MODULE)],
        who=[WhoChoice([AGENT], WhoKind.AGENT)],
        when=When(),
        description="Patch ring 1",
    )
    assert hall.scheduling.submit(request, API).id == DONE
    (run,) = hall.leasing.lease(AGENT, 1)
    started, stopped = clock.moment, clock.moment + timedelta(minutes=1)
    clock.moment = stopped
    events = [
        RunStarted(started),
        TaskStarted(0, started),
        Output(0, 0, "3 patches installed \u00e9\n".encode()),
        TaskFinished(0, stopped, Event.COMPLETE, exit_code=0),
        RunFinished(stopped, Event.COMPLETE),
    ]
    hall.reporting.report(AGENT, [News(run.id, run.fence, event) for event in events], [])


@pytest.fixture
def logged() -> list[dict[str, object]]:
    """What was logged of errors that nobody expected."""
    return []


@pytest.fixture
def binding(hall: Hall, finished_job: None, logged: list[dict[str, object]]) -> IvantiAutomation:
    return build(hall, log=lambda event, **details: logged.append({"event": event, **details}))
