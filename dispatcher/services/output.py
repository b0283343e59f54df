"""Output: what a task wrote, by range, also while it is still writing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from dispatcher.core.errors import AgentNotFound, InvalidValue, JobNotFound
from dispatcher.core.permissions import Caller, Node, Right
from dispatcher.core.states import FINISHED
from dispatcher.datastore.agents import AGENTS
from dispatcher.datastore.jobs import JOBS
from dispatcher.datastore.runs import CHUNKS, RUNS, TASK_RESULTS
from dispatcher.datastore.targets import runs_for
from dispatcher.datastore.transactions import Datastore

#: The most bytes that one call gives.
MAX_RANGE = 1 << 20


@dataclass(frozen=True, slots=True)
class OutputRange:
    """Some bytes that a task wrote; ``data`` begins at ``offset``, of ``total`` bytes so far.

    ``offset`` is greater than the one asked for where bytes are missing: the agent had no room for them, or they have
    been cleaned away. Whoever reads on asks for ``offset + len(data)`` next. With ``is_complete`` nothing is written
    behind ``total`` any more.
    """

    data: bytes
    offset: int
    total: int
    is_complete: bool


class Output:
    """Gives out what tasks wrote."""

    def __init__(self, datastore: Datastore) -> None:
        self._datastore = datastore

    def read(
        self, job_id: UUID, agent_id: UUID, position: int, offset: int, length: int, caller: Caller
    ) -> OutputRange:
        """Return at most *length* bytes, and never more than ``MAX_RANGE``, from *offset* on.

        *position* is the place of the task among all of the run, from 0. A task that has not begun has written
        nothing. Needs Read on Jobs/Results.

        :raises InvalidValue: if *position* or *offset* is negative, or *length* is not positive.
        :raises JobNotFound: if there is no such job.
        :raises AgentNotFound: if the job has no run on this agent.
        """
        caller.require(Right.READ, Node.RESULTS)
        for name, value, least in (("position", position, 0), ("offset", offset, 0), ("length", length, 1)):
            if not least <= value < 1 << 63:
                raise InvalidValue(name, f"{value} is not {least} or more")
        with self._datastore.read() as session:
            run = self._run(session, job_id, agent_id)
            task = session.execute(
                select(TASK_RESULTS.c.state, TASK_RESULTS.c.output_bytes).where(
                    TASK_RESULTS.c.run_id == run.id, TASK_RESULTS.c.position == position
                )
            ).one_or_none()
            total = 0 if task is None else task.output_bytes
            is_complete = run.state in FINISHED or (task is not None and task.state in FINISHED)
            end = min(offset + min(length, MAX_RANGE), total)
            return _joined(pieces(session, run.id, position, offset, end), offset, total, is_complete=is_complete)

    @staticmethod
    def _run(session: Session, job_id: UUID, agent_id: UUID) -> Any:
        query = select(RUNS.c.id, RUNS.c.state).select_from(RUNS).join(AGENTS, or_(*runs_for(AGENTS.c)))
        run = session.execute(query.where(RUNS.c.job_id == job_id, AGENTS.c.id == agent_id)).one_or_none()
        if run is not None:
            return run
        if session.scalar(select(JOBS.c.id).where(JOBS.c.id == job_id)) is None:
            raise JobNotFound(job_id)
        raise AgentNotFound(agent_id)


def pieces(session: Session, run_id: UUID, position: int, start: int, end: int) -> Iterator[tuple[int, bytes]]:
    """Give the stored bytes from *start* up to *end* in order, each piece with its offset; some may be missing."""
    mine = (CHUNKS.c.run_id == run_id, CHUNKS.c.position == position)
    # The last chunk that begins at or before the start: the one that holds it, if there is one.
    first = session.scalar(select(func.max(CHUNKS.c.offset)).where(*mine, CHUNKS.c.offset <= start))
    wanted = (CHUNKS.c.offset >= (start if first is None else first), CHUNKS.c.offset < end)
    for chunk in session.execute(
        select(CHUNKS.c.offset, CHUNKS.c.data).where(*mine, *wanted).order_by(CHUNKS.c.offset)
    ):
        offset = max(start, chunk.offset)
        if data := chunk.data[offset - chunk.offset : end - chunk.offset]:
            yield offset, data


def _joined(found: Iterator[tuple[int, bytes]], asked: int, total: int, *, is_complete: bool) -> OutputRange:
    """Return the first pieces that follow each other without a gap."""
    kept: list[bytes] = []
    begin, size = max(asked, total), 0
    for offset, data in found:
        if not kept:
            begin = offset
        elif offset != begin + size:
            break
        kept.append(data)
        size += len(data)
    return OutputRange(b"".join(kept), begin, total, is_complete)
