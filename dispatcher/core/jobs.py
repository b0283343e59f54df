"""Jobs: what is run, on whom, when and with which parameters, as plain values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Any, TypedDict, TypeVar
from uuid import UUID

from dispatcher.core.parameters import Given, Parameter
from dispatcher.core.schedules import RecurrenceRequest
from dispatcher.core.states import State

_Item = TypeVar("_Item")


class WhatKind(IntEnum):
    """What a job runs. The numbers are stored and must never change."""

    MODULE = 0
    PROJECT = 1
    RUNBOOK = 2

    @property
    def noun(self) -> str:
        """The kind in words: module, project, run book."""
        return "run book" if self is WhatKind.RUNBOOK else self.name.lower()


class WhoKind(IntEnum):
    """Whom a job runs on. The numbers are stored and must never change."""

    AGENT = 0
    TEAM = 1


#: Kinds by their numbers: to call an enumeration takes ten times as long.
WHAT_KINDS: Mapping[int, WhatKind] = {int(kind): kind for kind in WhatKind}
WHO_KINDS: Mapping[int, WhoKind] = {int(kind): kind for kind in WhoKind}


class Invoker(IntEnum):
    """What made a job. The numbers are stored and must never change."""

    USER = 1
    RECURRENCE = 2
    WORKSPACE_MANAGER = 5
    NEW_AGENT = 7
    BOOT = 8
    RUNBOOK = 9


class Stage(IntEnum):
    """A group of states that lists are filtered by."""

    ALL = 0
    SCHEDULED = 1
    ACTIVE = 2
    HISTORY = 3


#: The states of each stage but ALL and HISTORY (which is every other state).
STAGES: dict[Stage, frozenset[State]] = {
    Stage.SCHEDULED: frozenset({State.DISABLED, State.SCHEDULED}),
    Stage.ACTIVE: frozenset({State.ACTIVE, State.ABORTING, State.PENDING}),
}


class InputsFrom(TypedDict):
    """Where a job's runs get values from, each for its agent (``services.job_inputs``)."""

    provider: str  #: who has them
    of: str  #: what they are of, as the provider knows it


class Options(TypedDict, total=False):
    """What few jobs have, as a job stores it. Shares are above 0 and up to 1."""

    launch_timeout_s: int  #: how long a run may wait for its agent; without it the setting holds
    timeout_s: float  #: how long the job may take from its start
    boot: str  #: ``next``: each run waits for the next boot of its agent
    offline_agents_next_boot: bool  #: the runs of agents that are offline at the start wait for their next boot
    batch_size: int  #: how many agents work at once
    batch_share: float  #: how many of the agents work at once
    stop_at_share: float  #: which share of failures keeps the next batch from starting
    select_one: bool  #: only one of the agents works
    stays: bool  #: it recurs, and is kept until somebody ends it: it may be run on demand
    ends_as_last: bool  #: it recurs, and is what its latest job is once its due times are over; to end it ends those
    queued: bool  #: on a resource it is done one after another with others that are (``services.queues``)
    approval: str  #: ``required``: it waits until somebody approves it; ``given`` from then on
    approved_at: str  #: when that was, in ISO 8601
    on_change: bool  #: it recurs, and occurs at once for a computer that tells that its configuration has changed
    ends_waiting: bool  #: steps of it that wait for an approval end when only such are left beside one that has failed
    alert: bool  #: alerts are raised when it starts and when it has ended
    credential_set: str  #: the id of the one that its tasks log in with, instead of that of the resource
    credential_team: str  #: the id of the team that may use the set for its jobs, if it is not the resource's own
    local_time: str  #: the wall clock at which it starts wherever an agent is (``core.local_time``)
    inputs: InputsFrom  #: more values that tasks see which take such


@dataclass(slots=True)
class What:
    """A module, project or run book."""

    id: UUID
    name: str
    kind: WhatKind
    description: str = ""
    folder: str = ""


@dataclass(slots=True)
class Who:
    """An agent or a team. The flags are None for teams."""

    id: UUID
    name: str
    kind: WhoKind
    is_online: bool | None = None
    is_licensed: bool | None = None


@dataclass(slots=True)
class When:
    """When a job starts. ``starts_at`` is aware UTC; None means at once.

    With a ``recurrence`` it starts again and again, first at its next due time from ``since`` (None: now) on;
    ``immediate`` and ``starts_at`` mean nothing then.
    """

    immediate: bool = True
    starts_at: datetime | None = None
    is_local_time: bool = False
    use_wake_on_lan: bool = False
    recurrence: RecurrenceRequest | None = None
    since: datetime | None = None


@dataclass(slots=True)
class GivenSet:
    """The values a caller sent for one of the job's objects, matched by its id, else by position."""

    what_id: UUID | None
    values: Sequence[Given]


@dataclass(slots=True)
class WhatChoice:
    """A caller's choice of what to run: the id decides.

    With an ``alias`` (dialect, kind and external id) it is what has that when the job starts, whatever has it now.
    """

    id: UUID
    kind: WhatKind
    alias: tuple[str, str, str] | None = None


@dataclass(slots=True)
class WhoChoice:
    """A caller's choice of whom to run on: an id or a name, tried in that order."""

    identifiers: list[UUID | str]
    kind: WhoKind

    @classmethod
    def named(cls, text: str, kind: WhoKind) -> WhoChoice:
        """Return the choice that *text* is: an id, if it looks like one, else a name."""
        with suppress(ValueError):
            return cls([UUID(text), text], kind)
        return cls([text], kind)


@dataclass(slots=True)
class JobRequest:
    """What a caller asks for. Nothing of it has been checked against the datastore."""

    what: list[WhatChoice]
    who: list[WhoChoice]
    when: When
    description: str = ""
    parameters: list[GivenSet] = field(default_factory=list)
    in_parallel: bool = False
    outside_launch_window: str | None = None
    tags: str | None = None
    options: Options | None = None
    may_name_nobody: bool = False  #: without any ``who`` it does nothing, instead of being refused
    id: UUID | None = None  #: that of the job, where whoever asks has told one already; never a client's


class Shared(list[_Item]):
    """A list that is a part of several jobs, or of what jobs run: nobody may change it."""

    __slots__ = ("views",)

    def __init__(self, items: Iterable[_Item]) -> None:
        super().__init__(items)
        #: What those who show it have made of it, as of a ``Job``.
        self.views: dict[object, object] = {}


@dataclass(slots=True)
class ParameterSet:
    """The parameters of one of the job's objects; secrets already masked.

    ``declared`` has all but their values, which are in ``values``, in the same order. If it is ``Shared``, then by jobs
    that run the same object, and all but the values is the same in their sets.
    ``job_id`` is None before scheduling; ``identifier`` names the set.
    """

    what: What
    declared: Sequence[Parameter]
    values: Sequence[str]
    job_id: UUID | None = None
    job_name: str = ""
    identifier: UUID | None = None

    @classmethod
    def of(cls, what: What, parameters: Sequence[Parameter], **more: Any) -> ParameterSet:
        """Return the set of *parameters* that have their values themselves."""
        return cls(what, parameters, [parameter.value1 for parameter in parameters], **more)

    @property
    def parameters(self) -> list[Parameter]:
        """The parameters with their values."""
        return [one.with_value(value) for one, value in zip(self.declared, self.values, strict=True)]


@dataclass(slots=True)
class Job:
    """A job as callers see it. All moments are aware UTC.

    ``started_at`` is the scheduled moment until the job has started. One that ``is_recurring`` never starts: it is the
    pattern of its occurrences, which name it by ``recurring_id``, and ``started_at`` is the next of them.
    """

    id: UUID
    number: int
    description: str
    state: State
    invoker: Invoker
    invoker_info: str
    started_at: datetime
    stopped_at: datetime | None
    when: When
    what: list[What]
    who: list[Who]
    parameters: list[ParameterSet]
    in_parallel: bool = False
    outside_launch_window: str | None = None
    tags: str | None = None
    is_recurring: bool = False
    is_runbook: bool = False
    reason: str = ""
    recurring_id: UUID | None = None
    options: Options | None = None
    outputs: list[ParameterSet] = field(default_factory=list)  #: what it gave out, once it has ended; secrets masked
    #: What those who show the job have made of it, by themselves, for as long as it is kept.
    views: dict[object, object] = field(default_factory=dict, init=False, repr=False, compare=False)


@dataclass(slots=True)
class JobPage:
    """One page of a list of jobs. ``page`` is the page asked for, also past the end."""

    items: list[Job]
    page: int
    page_size: int
    total: int

    @property
    def page_count(self) -> int:
        """How many pages there are; none for an empty list."""
        return -(-self.total // self.page_size)
