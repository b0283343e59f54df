"""Jobs: one occurrence of work, on its way from scheduled to finished."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, Select, String, bindparam, false, text, update
from sqlalchemy.orm import Mapped, mapped_column

from dispatcher.core.states import State
from dispatcher.datastore.base import Base, Id, Name, Number, Small, partial_index

_LISTED = "ix_job_sorted_at_id_parent_id_recurring_id"
_WAKES = "use_wake_on_lan"
_WAKES_IN_SQLITE = text(f"{_WAKES} = 1")


class Job(Base):
    """A job. Documents are lists of plain objects:

    ``what``: ``{"kind", "id", "name", "definition"}``, with an ``alias`` if it is what has that when the job starts
    (see ``services.late``); ``who``: ``{"kind", "id", "name"}``;
    ``parameters``: one ``{"name": [value1, value2]}`` per what, all values in place (only those given where there is an
    ``alias``), secrets encrypted; of a run book whose values have changed since: those that it has now, then those
    that it was scheduled with;
    ``outputs``: the same, of what the job gave out, once it has ended.
    ``options``: what few jobs have, see ``core.jobs.Options``.

    A recurring job never runs: it is the pattern of its occurrences, and ``starts_at`` is the next of them.
    """

    __tablename__ = "job"
    __table_args__ = (
        Index("ix_job_state_is_recurring_starts_at", "state", "is_recurring", "starts_at"),
        # With all that a list asks of the jobs on the pages before its own: these are counted, not read. SQLite and
        # MariaDB have the primary key in every index.
        Index(_LISTED, "sorted_at", "id", "parent_id", "recurring_id", postgresql_include=["number"]),
        partial_index("ix_job_parent_id_step", "parent_id", "step"),
        partial_index("ix_job_recurring_id", "recurring_id", "number"),
        partial_index("ix_job_ends_by", "ends_by"),
        partial_index("ix_job_fetch_by", "fetch_by"),
        Index(f"ix_job_{_WAKES}_state", _WAKES, "state", sqlite_where=_WAKES_IN_SQLITE, postgresql_where=text(_WAKES)),
        partial_index("ix_job_stopped_at_sorted_at", "stopped_at", "sorted_at"),
    )

    number: Mapped[Number]
    id: Mapped[Id]
    parent_id: Mapped[UUID | None] = mapped_column(ForeignKey("job.id"))  #: the run book job it is a step of
    step: Mapped[int | None]
    description: Mapped[str]
    state: Mapped[Small]
    reason: Mapped[str]
    is_runbook: Mapped[bool]
    what: Mapped[list[Any]]
    who: Mapped[list[Any]]
    parameters: Mapped[list[Any]]
    invoker: Mapped[Small]
    invoker_info: Mapped[Name]
    immediate: Mapped[bool]
    starts_at: Mapped[datetime]
    is_local_time: Mapped[bool]
    use_wake_on_lan: Mapped[bool]
    in_parallel: Mapped[bool]
    outside_launch_window: Mapped[str | None] = mapped_column(String(100))
    tags: Mapped[str | None]
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    stopped_at: Mapped[datetime | None]
    sorted_at: Mapped[datetime]  #: ``started_at``, else ``starts_at``: the order of lists
    open_runs: Mapped[int]  #: runs (of a run book: steps) that have not ended
    is_recurring: Mapped[bool] = mapped_column(default=False, server_default=false())
    recurring_id: Mapped[UUID | None]  #: the recurring job it occurred of
    ends_by: Mapped[datetime | None]  #: when the active job has used up its time
    #: Before that no run has waited too long for its agent, if the active job has a launch timeout of its own.
    fetch_by: Mapped[datetime | None]
    options: Mapped[dict[str, Any] | None]
    outputs: Mapped[list[Any] | None]


JOBS: Any = Job.__table__
#: Active jobs, where another condition finds them: SQLite, which knows not how many are active, is not to go through
#: all of these by the index of states.
FOUND_ACTIVE = (JOBS.c.state + 0) == State.ACTIVE
#: Sets the columns that are named beside ``key``, the job's id.
SET_JOB = update(JOBS).where(JOBS.c.id == bindparam("key"))
#: What has ended has no time that may be up.
UNTIMED = {"ends_by": None, "fetch_by": None}
#: Takes ``ended`` from ``open_runs`` of the job ``key``.
COUNT_DOWN = SET_JOB.values(open_runs=JOBS.c.open_runs - bindparam("ended"))


def from_index_of_lists(query: Select[Any]) -> Select[Any]:
    """Return *query*, which asks no more of jobs than the index of lists has, read from that one."""
    # Far back MariaDB would rather read half of the table by another index, and sort that: six times as long.
    for dialect in ("mariadb", "mysql"):
        query = query.with_hint(JOBS, f"FORCE INDEX ({_LISTED})", dialect)
    return query
