"""Results: what became of a job, agent by agent and task by task, as plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from dispatcher.core.jobs import Job, What, Who
from dispatcher.core.states import State


@dataclass(slots=True)
class TaskResult:
    """One task on one agent. ``output`` is the end of what it wrote; ``output_bytes`` counts all of it."""

    task_id: UUID
    name: str
    type: str
    module: What
    position: int
    state: State
    exit_code: int | None = None
    message: str = ""
    output: str = ""
    output_bytes: int = 0
    started_at: datetime | None = None
    stopped_at: datetime | None = None
    killed: list[str] = field(default_factory=list)
    attempts: int = 1


@dataclass(slots=True)
class RunResult:
    """A job on one agent. ``activity`` names the task it is at; ``tasks`` is empty unless asked for."""

    agent: Who
    state: State
    started_at: datetime | None
    stopped_at: datetime | None
    activity: str = ""
    reason: str = ""
    tasks: list[TaskResult] = field(default_factory=list)


@dataclass(slots=True)
class JobResult:
    """A job with what became of it on each agent, agents sorted by name."""

    job: Job
    runs: list[RunResult]
