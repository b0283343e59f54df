"""Usage reports: which jobs ran in an interval, each as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Text, bindparam, cast, false, func, select, union_all

from dispatcher.core.errors import InvalidValue
from dispatcher.core.jobs import STAGES, Invoker, Stage, What, Who
from dispatcher.core.permissions import Caller, Node, Right
from dispatcher.core.ports import Ports
from dispatcher.core.states import State
from dispatcher.datastore.base import Row
from dispatcher.datastore.jobs import JOBS
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.starting import to_what, to_who

#: How much one report may hold, for it is made in memory: so many jobs, about 3 KB each, and so many characters of what
#: is stored of their What and Who, of which one agent takes about 80; with its record it takes seven times that.
MAX_JOBS = 20_000
MAX_STORED = 12 << 20
#: How much of it is read at once.
_PART_JOBS = 500
_PART_STORED = 1 << 20


@dataclass(slots=True)
class JobUsage:
    """A job that ran. All moments are aware UTC; ``stopped_at`` is None as long as it goes on."""

    id: UUID
    description: str
    state: State
    invoker: Invoker
    started_at: datetime
    stopped_at: datetime | None
    what: list[What]
    who: list[Who]


class UsageReports:
    """Reports on what ran."""

    def __init__(self, datastore: Datastore, ports: Ports) -> None:
        self._datastore = datastore
        self._ports = ports

    def jobs(self, start: datetime, stop: datetime, caller: Caller) -> list[JobUsage]:
        """Return the jobs that ran at some moment from *start* up to, not including, *stop*; by their start, then id.

        A run book is one job, whatever its steps; each occurrence of a recurring job is one. Jobs that ended without
        having been started never ran. Without the right to read jobs the list is empty.

        :raises InvalidValue: if *stop* is before *start*, or more than ``MAX_JOBS`` jobs ran, or these have more than
            ``MAX_STORED`` of What and Who.
        """
        if stop < start:
            raise InvalidValue("stop", "is before start")
        if not caller.may(Right.READ, Node.SCHEDULING) or start > self._ports.now():
            return []  # nothing has run in the future, whatever goes on
        interval = {"start": start, "stop": stop, "most": MAX_JOBS + 1}
        with self._datastore.read() as session:
            # Each once: one that is being ended may be found by its state and by its end.
            ran = dict(session.connection().execute(_RAN, interval).tuples().all())
            if len(ran) > MAX_JOBS:
                raise InvalidValue("stop", f"more than {MAX_JOBS} jobs ran in that time: ask for less of it at once")
            if sum(ran.values()) > MAX_STORED:
                raise InvalidValue("stop", "jobs of too many agents ran in that time: ask for less of it at once")
            return [
                _to_usage(row)
                for job_ids in _parts(ran)
                for row in session.connection().execute(_JOBS, {"keys": job_ids}).mappings()
            ]


def _parts(ran: Mapping[UUID, int]) -> Iterator[list[UUID]]:
    """Give the keys of *ran*, jobs with what is stored of them, in parts that are small enough to be read at once."""
    part, together = list[UUID](), 0
    for job_id, stored in ran.items():
        if part and (len(part) == _PART_JOBS or together + stored > _PART_STORED):
            yield part
            part, together = [], 0
        part.append(job_id)
        together += stored
    if part:
        yield part


def _to_usage(row: Row) -> JobUsage:
    return JobUsage(
        id=row["id"],
        description=row["description"],
        state=State(row["state"]),
        invoker=Invoker(row["invoker"]),
        started_at=row["started_at"],
        stopped_at=row["stopped_at"],
        what=[to_what(entry) for entry in row["what"]],
        who=[to_who(entry) for entry in row["who"]],
    )


_START: Any = bindparam("start")
_STOP: Any = bindparam("stop")
_COUNTS = JOBS.c.started_at.is_not(None) & JOBS.c.parent_id.is_(None) & (JOBS.c.is_recurring == false())
#: Each part has an index of its own: started in the interval; before it, and ended in it or later; before it, and not
#: ended. What has been started is sorted by its start.
_KEYS: Any = union_all(
    select(JOBS.c.id).where(_COUNTS, JOBS.c.sorted_at >= _START, JOBS.c.sorted_at < _STOP),
    select(JOBS.c.id).where(_COUNTS, JOBS.c.sorted_at < _START, JOBS.c.stopped_at >= _START),
    select(JOBS.c.id).where(_COUNTS, JOBS.c.sorted_at < _START, JOBS.c.state.in_(sorted(STAGES[Stage.ACTIVE]))),
).subquery()
_STORED: Any = func.length(cast(JOBS.c.what, Text)) + func.length(cast(JOBS.c.who, Text))
_RAN = (
    select(JOBS.c.id, _STORED.label("stored"))
    .join(_KEYS, _KEYS.c.id == JOBS.c.id)
    .order_by(JOBS.c.started_at, JOBS.c.id)
    .limit(bindparam("most"))
)
_SHOWN = ("id", "description", "state", "invoker", "started_at", "stopped_at", "what", "who")
_JOBS = (
    select(*(JOBS.c[name] for name in _SHOWN))
    .where(JOBS.c.id.in_(bindparam("keys", expanding=True)))
    .order_by(JOBS.c.started_at, JOBS.c.id)
)
