"""A datastore with two modules, one run book, one agent, one team and one finished job; and the binding over it."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from job_world import lease

from dispatcher.bindings.ivanti_automation.binding import IvantiAutomation, build
from dispatcher.core.jobs import JobRequest, WhatChoice, WhatKind, When, WhoChoice, WhoKind
from dispatcher.core.permissions import SYSTEM, Caller, Right, everything
from dispatcher.core.ports import NoWakeup, Ports
from dispatcher.core.states import Event
from dispatcher.datastore.engines import parse_url
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.enrolment import Facts
from dispatcher.services.hall import Hall, build_hall
from dispatcher.services.library.importing import import_texts
from dispatcher.services.reporting import News, Output, RunFinished, RunStarted, TaskFinished, TaskStarted
from dispatcher.services.secrets import Secrets

PATCH = UUID("5cf59e5a-343c-4d85-a83c-8b18e4731040")
AGENT = UUID("6ae2e5b5-d5c8-4728-a10a-12e25bd5f995")
DONE = UUID("55d1e5fd-cd92-481e-abdb-62ed86288d1f")
API = Caller("api", everything(Right.MODIFY))
STARTED = datetime(2025, 10, 9, 8, 53, 20, tzinfo=UTC)
STOPPED = STARTED + timedelta(minutes=1)
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
      - id: 11111111-2222-3333-4444-555555555555
        type: command
        name: install
        settings: {command: 'echo "$[Ring] $[Account]"'}
  - name: Restart
    id: 5cf59e5a-343c-4d85-a83c-8b18e4731041
    tasks:
      - {type: command, name: restart, settings: {command: 'true'}}
runbooks:
  - name: Patch ring
    id: 0a8b2c4d-0000-4000-8000-00000000b00c
    parameters:
      - {name: Ring, value: '1'}
    steps:
      - {name: first, module: Patch, who: [{ask: true}], parameters: {Ring: '$[Ring]'}}
"""


class Ids:
    """Hands out ids in order, but first those that are in line."""

    def __init__(self, first: int) -> None:
        self._last = first
        self.in_line: list[UUID] = []

    def __call__(self) -> UUID:
        self._last += 1
        return self.in_line.pop() if self.in_line else UUID(int=(0x019A << 112) | (7 << 76) | (2 << 62) | self._last)


@pytest.fixture
def clock(clock: Any) -> Any:
    clock.moment = STOPPED
    return clock


@pytest.fixture
def new_id() -> Ids:
    return Ids(first=1_000)


@pytest.fixture(scope="session")
def empty_database(empty_database: bytes, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The file of a datastore with what the golden messages speak of: made once, as it is the same for all tests."""
    path = tmp_path_factory.mktemp("ivanti") / "golden.db"
    path.write_bytes(empty_database)
    datastore, ids, secrets = Datastore(parse_url(f"sqlite:///{path}")), Ids(first=0), Secrets(b"k" * 32)
    ports = Ports(lambda: STARTED, time.monotonic, ids, NoWakeup())
    import_texts(datastore, ports, secrets, {"library.yaml": LIBRARY.encode()})
    _do_a_job(build_hall(datastore, ports, secrets, lease=timedelta(seconds=30)), ids)
    datastore.close()
    return path.read_bytes()


def _do_a_job(hall: Hall, ids: Ids) -> None:
    """Let PC-042 enrol and do a job that takes a minute."""
    token = hall.tokens.create_enrol_token(SYSTEM, once=True)
    hall.enrolment.enrol(token, "PC-042", None, Facts(os="linux"))
    who = [WhoChoice([AGENT], WhoKind.AGENT)]
    ids.in_line.append(DONE)
    hall.scheduling.submit(JobRequest([WhatChoice(PATCH, WhatKind.MODULE)], who, When(), "Patch ring 1"), API)
    (run,) = lease(hall, AGENT, 1)
    events = [
        RunStarted(STARTED),
        TaskStarted(0, STARTED),
        Output(0, 0, "3 patches installed \u00e9\n".encode()),
        TaskFinished(0, STOPPED, Event.COMPLETE, exit_code=0),
        RunFinished(STOPPED, Event.COMPLETE),
    ]
    hall.reporting.report(AGENT, [News(run.id, run.fence, event) for event in events], [])


@pytest.fixture
def logged() -> list[dict[str, object]]:
    """What was logged of errors that nobody expected."""
    return []


@pytest.fixture
def binding(hall: Hall, logged: list[dict[str, object]]) -> IvantiAutomation:
    return build(hall, log=lambda event, **details: logged.append({"event": event, **details}))
