"""Kept jobs: jobs as they were last read, made anew only where what is stored of them is something else by now."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from threading import Lock
from typing import Any

from dispatcher.core.jobs import Job
from dispatcher.services.job_rows import LONG, Stored
from dispatcher.services.kept_parts import weight

#: How many jobs are kept: as many as the longest page has.
KEPT = 1_000
#: Jobs of which more text is stored than this are not kept: they are rare, and would need much memory.
#: Parameters count as in ``KeptParts``.
LONGEST = 8_192


class KeptJobs:
    """Remembers jobs by all that is stored of them. May be used by many threads.

    So what is found is never stale, whoever changed the job: one that was stored in another way is another job.
    """

    def __init__(self) -> None:
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


def _size(row: Stored, job: Job) -> int:
    return sum(map(len, filter(None, LONG(row)))) + weight(job.parameters) + weight(job.outputs)
