"""Kept jobs: jobs as they were last read, made anew only where what is stored of them is something else by now."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from threading import Lock
from typing import Any

from sqlalchemy import Text, cast, type_coerce
from sqlalchemy.types import NullType

from dispatcher.core.jobs import Job, ParameterSet
from dispatcher.datastore.base import Row
from dispatcher.datastore.jobs import JOBS
from dispatcher.datastore.transactions import Datastore

#: How many jobs are kept: as many as the longest page has.
KEPT = 1_000
#: Jobs of which more text is stored than this are not kept: they are rare, and would need much memory. Each parameter
#: counts as so much more: what is made of it takes 500 bytes, however short it is.
LONGEST = 8_192
PER_PARAMETER = 100


#: The columns of what is shown of a job. What is not is not read: it changes for nothing.
COLUMNS = (
    "id",  # first, because a job is found again by it
    "number",
    "state",
    "is_runbook",
    "invoker",
    "invoker_info",
    "immediate",
    "starts_at",
    "is_local_time",
    "use_wake_on_lan",
    "in_parallel",
    "outside_launch_window",
    "stopped_at",
    "sorted_at",
    "is_recurring",
    "recurring_id",
    # From here on those that may be long.
    "description",
    "reason",
    "tags",
    "options",
    "outputs",
    "what",
    "parameters",
    "who",
)
#: The columns as the driver gives them.
Stored = tuple[Any, ...]
_LONG = slice(COLUMNS.index("description"), None)
#: Documents that many jobs have in common stay text, see ``KeptParts``.
_TEXTS = ("what", "parameters", "who")
#: What gives a ``Stored``: without types, so that nothing is decoded that is known already.
STORED = [
    type_coerce(cast(JOBS.c[name], Text) if name in _TEXTS else JOBS.c[name], NullType()).label(name)
    for name in COLUMNS
]


class KeptJobs:
    """Remembers jobs by all that is stored of them. May be used by many threads.

    So what is found is never stale, whoever changed the job: one that was stored in another way is another job.
    """

    def __init__(self, datastore: Datastore) -> None:
        dialect = datastore.engine.dialect
        types = [(place, JOBS.c[name].type) for place, name in enumerate(COLUMNS) if name not in _TEXTS]
        decoders = [(place, one.dialect_impl(dialect).result_processor(dialect, None)) for place, one in types]
        self._decoders = [(place, decode) for place, decode in decoders if decode]
        self._kept: OrderedDict[Any, tuple[Stored, Job]] = OrderedDict()
        self._lock = Lock()

    def find(self, rows: Iterable[Stored]) -> list[Job | None]:
        """Return for each of *rows* the job that was kept of it; None if there is none."""
        found: list[Job | None] = []
        with self._lock:
            for row in rows:
                kept = self._kept.get(row[0])
                if kept is None or kept[0] != row:
                    found.append(None)
                else:
                    self._kept.move_to_end(row[0])
                    found.append(kept[1])
        return found

    def keep(self, made: Iterable[tuple[Stored, Job]]) -> None:
        """Remember that each row says that job, which nothing else may have a part in, and nobody may change."""
        short = [(row, job) for row, job in made if _size(row, job) <= LONGEST]
        with self._lock:
            for row, job in short:
                self._kept[row[0]] = row, job
                self._kept.move_to_end(row[0])
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)

    def decode(self, row: Stored) -> Row:
        """Return *row* as the types of its columns have it, ``what``, ``parameters`` and ``who`` as JSON text."""
        values = [*row]
        for place, decode in self._decoders:
            if values[place] is not None:
                values[place] = decode(values[place])
        return dict(zip(COLUMNS, values, strict=True))


def weight(sets: Iterable[ParameterSet]) -> int:
    """Return how much more than its text the parameters in *sets* count."""
    return PER_PARAMETER * sum([len(one.declared) for one in sets])


def _size(row: Stored, job: Job) -> int:
    return sum([len(str(value)) for value in row[_LONG] if value is not None]) + weight((*job.parameters, *job.outputs))
