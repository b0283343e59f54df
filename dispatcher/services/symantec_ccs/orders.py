"""Orders: what a client wants a job of this dialect to be, and what it is shown of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Any
from uuid import UUID

from dispatcher.core.schedules import RecurrenceRequest
from dispatcher.core.states import FINISHED, State


@dataclass(frozen=True, slots=True)
class Present:
    """When a message is read, and in which zone its moments are that name none."""

    now: datetime
    site_zone: tzinfo


@dataclass(frozen=True, slots=True)
class JobOrder:
    """What a job is to be. ``standards`` and ``targets`` are ids as the client knows them.

    Without a ``recurrence`` a job that is there keeps its own, and a new one occurs on demand only. ``values`` are for
    those parameters of the standards that have these names; ``details`` is what the client said, to be shown again.
    ``since`` is the moment of the order, from which the recurrence is due.
    """

    name: str
    job_type: str
    standards: Sequence[str]
    targets: Sequence[str]
    recurrence: RecurrenceRequest | None = None
    runs_now: bool = False
    timeout_s: float | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class ErrorMessage:
    """What went wrong in a run of a job, how often, and when last."""

    text: str
    count: int
    last_at: datetime | None


@dataclass(frozen=True, slots=True)
class JobRun:
    """A run of a job. ``has_begun`` once an agent works on it; ``messages`` only if asked for."""

    id: UUID
    job_id: UUID
    state: State
    reason: str
    started_at: datetime
    stopped_at: datetime | None
    has_begun: bool
    ended: Mapping[State, int] = field(default_factory=dict)  #: how many assets have come to which end
    messages: Sequence[ErrorMessage] | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing of it goes on."""
        return self.state in FINISHED


@dataclass(frozen=True, slots=True)
class CcsJobView:
    """A recurring job as it stands, and its latest run, if it has one.

    One of another dialect has no ``job_type``, and no details.
    """

    id: UUID
    name: str
    job_type: str
    details: Mapping[str, Any]
    created_by: str
    created_at: datetime
    modified_at: datetime
    last_run: JobRun | None = None
