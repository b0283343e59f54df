"""Job rows: what is stored of a job that is shown, and the job that it says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Any
from uuid import UUID

from orjson import dumps, loads
from sqlalchemy import Text, cast, type_coerce
from sqlalchemy.orm import Session
from sqlalchemy.types import NullType

from dispatcher.core import local_time
from dispatcher.core.jobs import Invoker, Job, Options, ParameterSet, Shared, What, When, Who
from dispatcher.core.parameters import Parameter
from dispatcher.core.schedules import NEVER, RecurrenceRequest
from dispatcher.core.states import State
from dispatcher.datastore.base import Row
from dispatcher.datastore.jobs import JOBS
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.kept_parts import KEPT, LONGEST, KeptParts
from dispatcher.services.plans import Plans
from dispatcher.services.starting import to_what, to_who

#: By their numbers: to call an enumeration takes ten times as long.
_STATES: dict[int, State] = {one.value: one for one in State}
_INVOKERS: dict[int, Invoker] = {one.value: one for one in Invoker}

#: What each job has for itself. The id comes first, because a job is found again by it.
_OWN = (
    "id",
    "number",
    "description",
    "reason",
    "starts_at",
    "sorted_at",
    "stopped_at",
    "recurring_id",
    "parameters",
    "outputs",
)
#: What many jobs have in common.
_COMMON = (
    "state",
    "invoker",
    "invoker_info",
    "immediate",
    "is_local_time",
    "use_wake_on_lan",
    "in_parallel",
    "is_recurring",
    "is_runbook",
    "outside_launch_window",
    "tags",
    "options",
    "what",
    "who",
)
_COLUMNS = _OWN + _COMMON
#: Documents that stay text: what is made of them is found again by it.
_TEXTS = ("outputs", "options", "what", "parameters", "who")
#: A row as the driver gives it.
Stored = tuple[Any, ...]
#: The columns of it: those of what is shown of a job. What is not is not read: it changes for nothing.
STORED = [
    type_coerce(cast(JOBS.c[name], Text) if name in _TEXTS else JOBS.c[name], NullType()).label(name)
    for name in _COLUMNS
]
_OWNED, _WHAT = len(_OWN), _COLUMNS.index("what")
#: Where a ``Stored`` says whether the job is the pattern of its occurrences.
IS_RECURRING = _COLUMNS.index("is_recurring")
#: What may be long in a ``Stored``: texts, or None.
LONG: Callable[[Stored], Stored] = itemgetter(*map(_COLUMNS.index, ("description", "reason", "tags", *_TEXTS)))


@dataclass(slots=True)
class _Common:
    """What jobs have in common that are stored alike but for ``_OWN``."""

    state: State
    invoker: Invoker
    invoker_info: str
    immediate: bool
    is_local_time: bool
    use_wake_on_lan: bool
    in_parallel: bool
    is_recurring: bool
    is_runbook: bool
    outside_launch_window: str | None
    tags: str | None
    options: Options | None
    what: list[What]
    who: list[Who]


class JobRows:
    """Makes jobs of what is stored of them, with the parts that others have as well. May be used by many threads."""

    def __init__(self, datastore: Datastore, plans: Plans) -> None:
        self._plans = plans
        self._parts = KeptParts()
        self._commons: dict[Stored, _Common] = {}
        dialect = datastore.engine.dialect

        def decoder(column: str) -> Callable[[Any], Any]:
            return JOBS.c[column].type.dialect_impl(dialect).result_processor(dialect, None) or _as_it_is

        self._to_id, self._to_moment, self._to_flag = map(decoder, ("id", "sorted_at", "immediate"))

    def id_of(self, stored: Stored) -> UUID:
        """Return the id of the job that *stored* says."""
        job_id: UUID = self._to_id(stored[0])
        return job_id

    def read(self, session: Session, stored: Stored, recurrence: RecurrenceRequest | None) -> Job:
        """Return the job that *stored* says; how a recurring job occurs is stored elsewhere."""
        own, what = stored[:_OWNED], stored[_WHAT]
        job_id, number, description, reason, starts_at, sorted_at, stopped_at, recurring_id, parameters, outputs = own
        common = self._common(stored[_OWNED:])
        (sets,) = self._parts.get(
            (what, parameters), lambda: (self._parameters(session, common.what, loads(what), loads(parameters)),)
        )
        to_moment = self._to_moment
        job = _job(
            self._to_id(job_id),
            number,
            description,
            reason,
            to_moment(starts_at),
            to_moment(sorted_at),
            to_moment(stopped_at),
            self._to_id(recurring_id),
            sets,
            common,
            recurrence,
        )
        if outputs:
            job.outputs = self._outputs(session, job, loads(what), loads(outputs))
        return job

    def to_job(self, session: Session, row: Row, recurrence: RecurrenceRequest | None) -> Job:
        """Return the job that was just stored as *row*, whose values are as the types of their columns have them."""
        entries = row["what"]
        what, who = self._all_what(dumps(entries).decode()), self._all_who(dumps(row["who"]).decode())
        common = _Common(
            _STATES[row["state"]],
            _INVOKERS[row["invoker"]],
            row["invoker_info"],
            row["immediate"],
            row["is_local_time"],
            row["use_wake_on_lan"],
            row["in_parallel"],
            row["is_recurring"],
            row["is_runbook"],
            row["outside_launch_window"],
            row["tags"],
            row["options"],
            what,
            who,
        )
        return _job(
            row["id"],
            row["number"],
            row["description"],
            row["reason"],
            row["starts_at"],
            row["sorted_at"],
            row["stopped_at"],
            row["recurring_id"],
            self._parameters(session, what, entries, row["parameters"]),
            common,
            recurrence,
        )

    def _common(self, stored: Stored) -> _Common:
        """Return what all jobs have in common that have *stored*, which is that of ``_COMMON``."""
        common = self._commons.get(stored)
        if common is None:
            common = self._make_common(stored)
            is_shared = isinstance(common.what, Shared) and isinstance(common.who, Shared)
            if is_shared and sum(len(value) for value in stored if isinstance(value, str)) <= LONGEST:
                if len(self._commons) >= KEPT:
                    self._commons.clear()
                self._commons[stored] = common
        return common

    def _make_common(self, stored: Stored) -> _Common:
        state, invoker, invoker_info, *flags, outside_launch_window, tags, options, what, who = stored
        immediate, is_local_time, use_wake_on_lan, in_parallel, is_recurring, is_runbook = map(self._to_flag, flags)
        return _Common(
            _STATES[state],
            _INVOKERS[invoker],
            invoker_info,
            immediate,
            is_local_time,
            use_wake_on_lan,
            in_parallel,
            is_recurring,
            is_runbook,
            outside_launch_window,
            tags,
            loads(options) if options else None,
            self._all_what(what),
            self._all_who(who),
        )

    def _all_what(self, text: str) -> list[What]:
        (what,) = self._parts.get((text,), lambda: ([to_what(entry) for entry in loads(text)],))
        return what

    def _all_who(self, text: str) -> list[Who]:
        (who,) = self._parts.get((text,), lambda: ([to_who(entry) for entry in loads(text)],))
        return who

    def _parameters(
        self, session: Session, what: Sequence[What], entries: Sequence[Any], values: Sequence[Any]
    ) -> list[ParameterSet]:
        """Return the parameters of *what* a job runs, which is stored in *entries*, with the stored *values*."""
        sets = []
        for one, entry, stored in zip(what, entries, values, strict=False):
            if stored and "definition" in entry:
                sets.append(ParameterSet(one, *self._plans.inputs(session, entry, stored)))
            elif stored:  # nothing had the alias yet, see ``services.late``
                sets.append(ParameterSet.of(one, [Parameter(name, value1=value[0]) for name, value in stored.items()]))
        return sets

    def _outputs(self, session: Session, job: Job, entries: Sequence[Any], values: Sequence[Any]) -> list[ParameterSet]:
        """Return what *job*, which runs *entries*, gave out, stored as *values*."""
        return [
            ParameterSet(to_what(entry), *self._plans.outputs(session, entry, stored), job.id, job.description)
            for entry, stored in zip(entries, values, strict=False)
            if stored
        ]


def _job(
    job_id: UUID,
    number: int,
    description: str,
    reason: str,
    starts_at: datetime,
    sorted_at: datetime,
    stopped_at: datetime | None,
    recurring_id: UUID | None,
    parameters: list[ParameterSet],
    common: _Common,
    recurrence: RecurrenceRequest | None,
) -> Job:
    asked_for = _asked_for(starts_at, common.options)
    # By their places: by their names it would take three times as long.
    return Job(
        job_id,
        number,
        description,
        common.state,
        common.invoker,
        common.invoker_info,
        sorted_at,
        stopped_at,
        When(common.immediate, asked_for, common.is_local_time, common.use_wake_on_lan, recurrence),
        common.what,
        common.who,
        parameters,
        common.in_parallel,
        common.outside_launch_window,
        common.tags,
        common.is_recurring,
        common.is_runbook,
        reason,
        recurring_id,
        common.options,
    )


def _asked_for(starts_at: datetime, options: Options | None) -> datetime | None:
    """Return when the job was to start; None if nothing but a boot starts it.

    One in local time is looked at earlier, see ``core.local_time``.
    """
    if starts_at == NEVER:
        return None
    local = options.get("local_time") if options else None
    return local_time.asked_for(local) if local else starts_at


def _as_it_is(value: Any) -> Any:
    return value
