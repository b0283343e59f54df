"""A run book whose steps are ended by the test, one by one: what the tests of run books share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import UUID

from job_world import a_request, lease, on, report
from sqlalchemy import select

from dispatcher.core.attempts import again
from dispatcher.core.jobs import GivenSet, Job, JobRequest, WhatKind, WhoKind
from dispatcher.core.parameters import GivenValue, Parameter, ParameterType
from dispatcher.core.permissions import SYSTEM
from dispatcher.core.states import Event
from dispatcher.datastore.jobs import JOBS
from dispatcher.services.hall import Hall
from dispatcher.services.reporting import RunFinished, RunStarted
from dispatcher.services.run_orders import LeasedRun

BOOK = UUID("00000000-0000-4000-8000-0000000000b0")
#: Its one parameter is the name of the step, by which a run is known; what it gives out is up to the test.
MODULE = """
modules:
  - name: M
    parameters:
      - {name: Step}
      - {name: Text, output: true}
      - {name: Choice, type: list, value: a, choices: [a, b], output: true}
      - {name: Account, type: credentials, output: true}
      - {name: Secret, type: password, output: true}
      - {name: Lines, type: multiline, output: true}
      - {name: Several, type: multiselect, choices: [a, b, c], output: true}
    tasks: [{type: command, name: t, settings: {command: 'echo "$[Step]"'}}]
"""


def a_step(name: str, more: str = "", what: str = "module: M", who: str = "ask: true", **links: str) -> str:
    """Return a step of a library file; *more* are further members, *links* further parameters."""
    given = {"Step": name, **links} if what.startswith("module") else links
    parameters = ", ".join(f"{key}: '{text}'" for key, text in given.items())
    return f"      - {{name: {name}, {what}, who: [{{{who}}}], parameters: {{{parameters}}}{more and ', ' + more}}}\n"


def a_book(*steps: str, name: str = "R", key: UUID = BOOK, parameters: str = "") -> str:
    """Return a run book of a library file; *parameters* are its declarations, with a comma between them."""
    head = f"  - name: {name}\n    id: {key}\n    parameters: [{parameters}]\n    steps:\n"
    return head + "".join(steps)


def a_library(*books: str) -> str:
    """Return a library file with the module and *books*."""
    return f"{MODULE}runbooks:\n{''.join(books)}"


def rows(datastore: Any) -> dict[str, Any]:
    """Return the columns of all jobs by their descriptions."""
    with datastore.read() as session:
        found = session.execute(select(JOBS).order_by(JOBS.c.number)).mappings()
        return {row["description"]: row for row in found}


@dataclass
class World:
    """A hall with agents, and the runs that they hold, by the names of their steps."""

    hall: Hall
    now: Callable[[], Any]
    agents: list[UUID]
    job: UUID | None = None
    held: dict[str, list[tuple[UUID, LeasedRun]]] = field(default_factory=dict)

    def start(self, *who: UUID, what: UUID = BOOK, values: dict[str, str] | None = None, **rest: Any) -> Job:
        """Schedule the run book at once on the agents *who*, by default on the first one."""
        given = [GivenSet(what, [GivenValue(name, value) for name, value in (values or {}).items()])]
        request: JobRequest = a_request(
            what, WhatKind.RUNBOOK, **{"who": on(*(who or self.agents[:1])), "parameters": given, **rest}
        )
        self.held.clear()
        job = self.hall.scheduling.submit(request, SYSTEM)
        self.job = job.id
        return job

    def running(self) -> set[str]:
        """Let every agent fetch what there is for it; return the names of the steps that have runs."""
        for agent in self.agents:
            for run in again(partial(lease, self.hall, agent, 100)):
                name = next(one.value1 for one in run.modules[0].parameters if one.name == "Step")
                self.held.setdefault(name, []).append((agent, run))
                report(self.hall, agent, run, RunStarted(self.now()))
        return set(self.held)

    def end(self, name: str, event: Event = Event.COMPLETE, **outputs: list[str]) -> None:
        """End all runs of the step *name* alike, each with *outputs*: the values 1 and 2 by parameter."""
        self.running()
        given = [Parameter(name, ParameterType.TEXT, *values) for name, values in outputs.items()]
        for agent, run in self.held.pop(name):
            report(self.hall, agent, run, RunFinished(self.now(), event, outputs=[given]))

    def values(self, name: str) -> dict[str, str]:
        """Return the parameters that the running step *name* sees, with the passwords of credentials after a blank."""
        self.running()
        parameters = self.held[name][0][1].modules[0].parameters
        pairs = [(one, f" {one.value2}" if one.type is ParameterType.CREDENTIALS else "") for one in parameters]
        return {one.name: one.value1 + password for one, password in pairs}

    def jobs(self) -> dict[str, Job]:
        """Return the run book's job and those of its steps, at all depths, by name, in the order of their start."""
        assert self.job is not None
        return {one.job.description: one.job for one in self.hall.results.collect(self.job, False, SYSTEM)}

    def states(self) -> dict[str, str]:
        """Return the states of ``jobs``, in small letters."""
        return {name: job.state.name.lower() for name, job in self.jobs().items()}


TEAM = WhoKind.TEAM
