"""A small library, and an agent that works it off: what the tests of the life of jobs share."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from dispatcher.core.attempts import again
from dispatcher.core.jobs import JobRequest, WhatChoice, WhatKind, When, WhoChoice, WhoKind
from dispatcher.core.states import Event
from dispatcher.services.hall import Hall
from dispatcher.services.leasing import Ask
from dispatcher.services.reporting import News, RunFinished, RunStarted
from dispatcher.services.run_orders import LeasedRun
from dispatcher.services.standings import Held, Standing

LIBRARY = """
modules:
  - name: Greet
    id: 00000000-0000-4000-8000-000000000001
    parameters:
      - {name: Who, type: text, value: world}
      - {name: Password, type: password, value: s3cret}
    tasks:
      - {type: command, name: greet, settings: {command: 'echo "hello $[Who]" "$[Password]"'}}
      - {type: command, name: part, settings: {command: 'echo bye'}}
  - name: Only Windows
    id: 00000000-0000-4000-8000-000000000002
    platforms: [WINDOWS]
    tasks: [{type: command, name: dir, settings: {command: dir}}]
projects:
  - name: Both
    id: 00000000-0000-4000-8000-000000000003
    parameters: [{name: Name, type: text, value: all}]
    modules:
      - {module: Greet, parameters: {Who: "dear $[Name]"}}
      - {module: Only Windows}
runbooks:
  - name: Rings
    id: 00000000-0000-4000-8000-000000000004
    parameters: [{name: Name, type: text, value: ring}, {name: Target, type: text, value: two}]
    steps:
      - {name: first, module: Greet, who: [{ask: true}], parameters: {Who: "$[Name] one"}}
      - {name: second, project: Both, who: [{parameter: Target}], parameters: {Name: "$[Name] two"}}
teams:
  - {name: Linux, id: 00000000-0000-4000-8000-000000000005, rule: 'os == "linux"'}
  - {name: Nobody, id: 00000000-0000-4000-8000-000000000006}
"""
GREET, WINDOWS, BOTH, RINGS, LINUX, NOBODY = (UUID(f"00000000-0000-4000-8000-{number:012}") for number in range(1, 7))


def a_request(what: UUID = GREET, kind: WhatKind = WhatKind.MODULE, **rest: Any) -> JobRequest:
    return JobRequest(**{"what": [WhatChoice(what, kind)], "who": [], "when": When(), **rest})


def on(*agents: UUID | str, kind: WhoKind = WhoKind.AGENT) -> list[WhoChoice]:
    return [WhoChoice([agent], kind) for agent in agents]


def report(hall: Hall, agent: UUID, run: LeasedRun, *events: Any) -> Any:
    news = [News(run.id, run.fence, event) for event in events]
    return again(lambda: hall.reporting.report(agent, news, [(run.id, run.fence)]))


def orders(hall: Hall, agent: UUID, free: int, held: Held) -> tuple[list[LeasedRun], Standing]:
    """Ask for orders as the gateway does, for one agent."""
    return hall.leasing.orders_of([Ask(agent, free, held)])[0]


def lease(hall: Hall, agent: UUID, free: int) -> list[LeasedRun]:
    """Let the agent, which says that it holds nothing, fetch what waits for it."""
    return orders(hall, agent, free, [])[0]


def standing(hall: Hall, agent: UUID, held: Held) -> Standing:
    """Let the agent hear what has become of what it holds."""
    return orders(hall, agent, 0, held)[1]


def lapse(hall: Hall, clock: Any, by: timedelta = timedelta(seconds=31)) -> int:
    """Let so much time pass, and a lease that is over by then be noticed; return how many runs were taken back."""
    clock.turn(by)
    hall.recovery.take_back()
    clock.turn(timedelta(seconds=15))
    return hall.recovery.take_back()


def reclaim(hall: Hall, agent: UUID, held: Held, asked_at: float | None = None) -> None:
    """Let the agent say what it holds, and take back what it should; it does so now, unless *asked_at* says when."""
    hall.leasing.reclaim_of([Ask(agent, 0, held, hall.leasing.steady() if asked_at is None else asked_at)])


def work_off(hall: Hall, agent: UUID, now: datetime, end: Event = Event.COMPLETE) -> list[LeasedRun]:
    """Let the agent fetch and finish one run after the other, until none is left."""
    done = []
    while runs := lease(hall, agent, 1):
        report(hall, agent, runs[0], RunStarted(now), RunFinished(now, end))
        done += runs
    return done


def texts(run: LeasedRun) -> list[tuple[str, dict[str, str]]]:
    return [(one.document["name"], {p.name: p.value1 for p in one.parameters}) for one in run.modules]
