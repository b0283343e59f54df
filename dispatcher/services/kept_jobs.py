"""Kept jobs: jobs as they were last read, made anew only where what is stored of them is something else by now."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from threading import Lock
from typing import Any

from sqlalchemy import type_coerce
from sqlalchemy.types import NullType

from dispatcher.core.jobs import Job
from dispatcher.datastore.base import Row
from dispatcher.datastore.jobs import JOBS
from dispatcher.datastore.transactions import Datastore

#: How many jobs are kept: as many as the longest page has.
KEPT = 1_000
#: Jobs of which more text is stored than this are not kept: they are rare, and would need much memory. Each parameter
#: counts as so much more: what is made of it takes 500 bytes, however short it is.
LONGEST = 8_192
PER_PARAMETER = 100

# First the id, by which a job is found again. What is not shown of a job is not read: it changes for nothing.
_SHOWN = (
    "id",
    *("number", "description", "state", "reason", "is_runbook", "what", "who", "parameters", "invoker", "invoker_info"),
    *("immediate", "starts_at", "is_local_time", "use_wake_on_lan", "in_parallel", "outside_launch_window", "tags"),
    *("stopped_at", "sorted_at", "is_recurring", "recurring_id", "options", "outputs"),
)

#: What is shown of a job, in order, as the driver gives it.
Stored = tuple[Any, ...]
#: The columns of a ``Stored``: without types, so that nothing is decoded that is known already.
STORED = [type_coerce(JOBS.c[name], NullType()).label(name) for name in _SHOWN]


class KeptJobs:
    """Remembers jobs by all that is stored of them. May be used by many threads.

    So what is found is never stale, whoever changed the job: one that was stored in another way is another job.
    """

    def __init__(self, datastore: Datastore) -> None:
        dialect = datastore.engine.dialect
        self._decoders = [JOBS.c[name].type.dialect_impl(dialect).result_processor(dialect, None) for name in _SHOWN]
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

    def keep(self, row: Stored, job: Job) -> None:
        """Remember that *row* says *job*, which nothing else may have a part in, and nobody may change from now on."""
        parameters = sum(len(one_set.parameters) for one_set in (*job.parameters, *job.outputs))
        if _size(row) + PER_PARAMETER * parameters > LONGEST:
            return
        with self._lock:
            self._kept[row[0]] = row, job
            self._kept.move_to_end(row[0])
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)

    def decode(self, row: Stored) -> Row:
        """Return the columns of *row* by name, as their types have them."""
        values = [value if decode is None else decode(value) for value, decode in zip(row, self._decoders, strict=True)]
        return dict(zip(_SHOWN, values, strict=True))


def _size(row: Sequence[Any]) -> int:
    # PostgreSQL's driver gives documents as objects.
    return sum([len(value if isinstance(value, str) else str(value)) for value in row if type(value) in _LONG])


_LONG = (str, list, dict)
