"""Job output: what the tasks of a job have written, read piece by piece."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from dispatcher.datastore.runs import RUNS, TASK_RESULTS
from dispatcher.services.ivanti_endpoint_security.target_results import Pieces
from dispatcher.services.output import pieces

#: How much of what a task has written is read: so many bytes, and so many at the end. Lines of 300 bytes are usual at
#: most: those about 100,000 targets fit.
MOST_BYTES, END_BYTES = 32 * 1024 * 1024, 64 * 1024
#: How many bytes are in memory at a time.
_STEP = 1024 * 1024
_TASKS = (
    select(TASK_RESULTS.c.run_id, TASK_RESULTS.c.position, TASK_RESULTS.c.output_bytes)
    .join(RUNS, RUNS.c.id == TASK_RESULTS.c.run_id)
    .order_by(RUNS.c.id, TASK_RESULTS.c.position)
)


def of_tasks(session: Session, job_id: UUID) -> Iterator[tuple[Pieces, int]]:
    """Give the output of each task of the job that has begun, in their order, and how many bytes it has written."""
    for run_id, position, size in session.execute(_TASKS.where(RUNS.c.job_id == job_id)).all():
        yield _pieces(session, run_id, position, size), size


def _pieces(session: Session, run_id: UUID, position: int, size: int) -> Iterator[tuple[int, bytes]]:
    end = min(size, MOST_BYTES)
    for start in range(0, end, _STEP):
        yield from pieces(session, run_id, position, start, min(start + _STEP, end))
    if end < size:
        yield from pieces(session, run_id, position, max(end, size - END_BYTES), size)
