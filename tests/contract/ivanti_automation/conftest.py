"""A hall with one module, one run book, one agent and one team, whose clock stands still; and the binding over it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from dispatcher.bindings.ivanti_automation.binding import IvantiAutomation, build
from dispatcher.core.errors import Forbidden, InvalidMove, InvalidValue, JobNotFound, WhatNotFound
from dispatcher.core.jobs import (
    STAGES,
    Invoker,
    Job,
    JobPage,
    JobRequest,
    ParameterSet,
    Stage,
    What,
    WhatKind,
    When,
    Who,
    WhoKind,
)
from dispatcher.core.parameters import Parameter, ParameterType, merge
from dispatcher.core.permissions import Caller
from dispatcher.core.results import JobResult, RunResult, TaskResult
from dispatcher.core.states import FINISHED, State

NOW = datetime(2025, 10, 9, 8, 53, 20, tzinfo=UTC)
LATER = datetime(2025, 10, 9, 8, 54, 20, tzinfo=UTC)
PATCH = What(UUID("5cf59e5a-343c-4d85-a83c-8b18e4731040"), "Patch", WhatKind.MODULE, "Installs patches.", "Demo")
RING = What(UUID("0a8b2c4d-0000-4000-8000-00000000b00c"), "Patch ring", WhatKind.RUNBOOK)
AGENT = Who(UUID("6ae2e5b5-d5c8-4728-a10a-12e25bd5f995"), "PC-042", WhoKind.AGENT, is_online=True, is_licensed=True)
TEAM = Who(UUID("6ae2e5b5-d5c8-4728-a10a-12e25bd5f9aa"), "Ring 1", WhoKind.TEAM)
PARAMETERS = [
    Parameter("Ring", ParameterType.LIST, "1", "1;2;3", "first;second;third"),
    Parameter("Account", ParameterType.CREDENTIALS, r"corp\patcher", "s3cret"),
]
FINISHED_ID = UUID("55d1e5fd-cd92-481e-abdb-62ed86288d1f")
NEW_ID = UUID("019a0000-0000-7000-8000-000000000001")


@dataclass
class FakeHall:
    """The services that the binding calls, over a dictionary of jobs."""

    stored: dict[UUID, Job] = field(default_factory=dict)
    zone: tzinfo = UTC

    def __post_init__(self) -> None:
        self.scheduling = self.aborting = self.library = self.topology = self
        self.jobs = SimpleNamespace(get=self.get, page=self.page)
        self.results = SimpleNamespace(collect=self.collect)
        self.settings = SimpleNamespace(site_zone=lambda: self.zone)
        done = self._job(FINISHED_ID, JobRequest([], [], When(), "Patch ring 1"), [PATCH], [AGENT], "api")
        self.stored[FINISHED_ID] = replace(done, state=State.COMPLETED, stopped_at=LATER)

    def submit(self, request: JobRequest, caller: Caller) -> Job:
        known = {one.id: one for one in (PATCH, RING)}
        for position, choice in enumerate(request.what):
            if choice.id not in known:
                raise InvalidValue(f"What[{position}]/ID", f"no {choice.kind.noun} {choice.id}")
        what = [known[choice.id] for choice in request.what]
        by_name = {name: one for one in (AGENT, TEAM) for name in (one.id, one.name)}
        who = [next(by_name[name] for name in choice.identifiers if name in by_name) for choice in request.who]
        if not who and PATCH in what:
            raise InvalidValue("Who", "names no agent or team")
        self.stored[NEW_ID] = self._job(NEW_ID, request, what, who, caller.name)
        return self.stored[NEW_ID]

    def _job(self, job_id: UUID, request: JobRequest, what: list[What], who: list[Who], login: str) -> Job:
        given = request.parameters[0].values if request.parameters else []
        sets = [ParameterSet(one, merge(PARAMETERS, given), job_id) for one in what]
        state = State.ACTIVE if request.when.immediate else State.SCHEDULED
        return Job(
            id=job_id,
            number=1,
            description=request.description,
            state=state,
            invoker=Invoker.USER,
            invoker_info=login,
            started_at=request.when.starts_at or NOW,
            stopped_at=None,
            when=request.when,
            what=what,
            who=who,
            parameters=sets,
            in_parallel=request.in_parallel,
            outside_launch_window=request.outside_launch_window,
            tags=request.tags,
        )

    def get(self, job_id: UUID, caller: Caller) -> Job:
        if job_id not in self.stored:
            raise JobNotFound(job_id)
        return self.stored[job_id]

    def page(
        self, stage: Stage, runbook_jobs: bool, recurring_jobs: bool, page: int, page_size: int, caller: Caller
    ) -> JobPage:
        history = frozenset(State).difference(*STAGES.values())
        wanted = {Stage.ALL: frozenset(State), Stage.HISTORY: history, **STAGES}[stage]
        jobs = [job for job in self.stored.values() if job.state in wanted]
        return JobPage(jobs[(page - 1) * page_size : page * page_size], page, page_size, len(jobs))

    def abort(self, job_id: UUID, caller: Caller) -> Job:
        job = self.get(job_id, caller)
        if caller.name == "reader":
            raise Forbidden(caller.name, "Modify", "Jobs/Scheduling")
        if job.state not in FINISHED:
            job = self.stored[job_id] = replace(job, state=State.ABORTING)
        return job

    def disable(self, job_id: UUID, caller: Caller) -> Job:
        job = self.get(job_id, caller)
        if job.state is not State.SCHEDULED:
            raise InvalidMove(f"disable: not possible for something {job.state.text}")
        self.stored[job_id] = replace(job, state=State.DISABLED)
        return self.stored[job_id]

    def enable(self, job_id: UUID, caller: Caller) -> Job:
        self.stored[job_id] = replace(self.get(job_id, caller), state=State.SCHEDULED)
        return self.stored[job_id]

    def collect(self, job_id: UUID, detailed: bool, caller: Caller) -> list[JobResult]:
        job = self.get(job_id, caller)
        task = TaskResult(
            task_id=UUID("11111111-2222-3333-4444-555555555555"),
            name="install",
            type="command",
            module=PATCH,
            position=0,
            state=State.COMPLETED,
            exit_code=0,
            output="3 patches installed é\n",
            output_bytes=23,
            started_at=NOW,
            stopped_at=LATER,
        )
        run = RunResult(AGENT, State.COMPLETED, NOW, LATER, tasks=[task] if detailed else [])
        return [JobResult(job, [run])]

    def whats(self, kind: WhatKind, caller: Caller) -> list[What]:
        return [one for one in (PATCH, RING) if one.kind is kind]

    def inputs(self, kind: WhatKind, what_id: UUID, caller: Caller) -> ParameterSet:
        if (kind, what_id) == (PATCH.kind, PATCH.id):
            return ParameterSet(PATCH, PARAMETERS)
        if (kind, what_id) == (RING.kind, RING.id):
            return ParameterSet(RING, [])
        raise WhatNotFound(what_id)

    def outputs(self, kind: WhatKind, what_id: UUID, caller: Caller) -> ParameterSet:
        return ParameterSet(self.inputs(kind, what_id, caller).what, [Parameter("Count", value1="3")])

    def who(self, agents: bool, teams: bool, online: bool, licensed: bool, search: str, caller: Caller) -> list[Who]:
        chosen = [AGENT] * agents + [TEAM] * teams
        return [one for one in chosen if search.lower() in one.name.lower()]


@pytest.fixture
def hall() -> FakeHall:
    return FakeHall()


@pytest.fixture
def logged() -> list[tuple[str, BaseException]]:
    """What was logged: request ids with the exceptions that nobody expected."""
    return []


@pytest.fixture
def binding(hall: Any, logged: list[tuple[str, BaseException]]) -> IvantiAutomation:
    log: Callable[[str, BaseException], None] = lambda request_id, error: logged.append((request_id, error))  # noqa: E731
    return build(hall, log=log)
