"""Jobs: what is scheduled, what runs, what has been."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from operator import attrgetter
from typing import Any
from uuid import UUID

from sqlalchemy import Select, bindparam, select
from sqlalchemy.orm import Session

from dispatcher.core.errors import InvalidValue, JobNotFound
from dispatcher.core.jobs import Job, JobPage, Stage
from dispatcher.core.permissions import Caller, Node, Right
from dispatcher.core.schedules import RecurrenceRequest
from dispatcher.datastore.base import Row
from dispatcher.datastore.jobs import JOBS, from_index_of_lists
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.job_counts import JobCounts, listed
from dispatcher.services.job_rows import IS_RECURRING, STORED, JobRows, Stored
from dispatcher.services.kept_jobs import KeptJobs
from dispatcher.services.plans import Plans
from dispatcher.services.recurring import read_schedules

#: The longest page that a caller may ask for.
MAX_PAGE_SIZE = 1_000
_START_AND_ID = attrgetter("started_at", "id")


class Jobs:
    """Shows jobs. What it returns others are shown as well: nobody may change it."""

    def __init__(self, datastore: Datastore, plans: Plans) -> None:
        self._datastore = datastore
        self._counts = JobCounts(datastore)
        self._rows = JobRows(datastore, plans)
        self._kept = KeptJobs()
        self._by_id = str(_BY_ID.compile(datastore.engine))

    def get(self, job_id: UUID, caller: Caller) -> Job:
        """Return the job.

        :raises JobNotFound: if there is none with this id.
        """
        caller.require(Right.READ, Node.SCHEDULING)
        for job in self._kept.find(self._datastore.glance(self._by_id, (job_id.bytes,))):
            if job is not None:
                return job
        with self._datastore.read() as session:
            return self.get_in(session, job_id)

    def get_in(self, session: Session, job_id: UUID) -> Job:
        """Return the job as *session* sees it, without a check of rights.

        :raises JobNotFound: if there is none with this id.
        """
        jobs = self._read(session, _BY_ID, {"job_id": job_id})
        if not jobs:
            raise JobNotFound(job_id)
        return jobs[0]

    def page(
        self, stage: Stage, runbook_jobs: bool, recurring_jobs: bool, page: int, page_size: int, caller: Caller
    ) -> JobPage:
        """Return page number *page* (from 1) of the jobs in *stage*, latest start first, ties by id.

        Steps of run books are listed only with *runbook_jobs*, occurrences of a recurrence only with
        *recurring_jobs*. Past the end the page is empty and still carries the number asked for. Without the right
        to read jobs the list is empty.

        :raises InvalidValue: if *page* or *page_size* is not positive.
        """
        if page < 1:
            raise InvalidValue("page", f"{page} is not 1 or more")
        if page_size < 1:
            raise InvalidValue("pagesize", f"{page_size} is not 1 or more")
        page_size = min(page_size, MAX_PAGE_SIZE)
        if not caller.may(Right.READ, Node.SCHEDULING):
            return JobPage([], page, page_size, 0)
        query = _page(stage, runbook_jobs, recurring_jobs)
        with self._datastore.read() as session:
            total = self._counts.count(session, stage, runbook_jobs, recurring_jobs)
            jobs = self._read(session, query, {"size": page_size, "before": (page - 1) * page_size})
        # Sorted here: a database would sort whole rows for it.
        return JobPage(sorted(jobs, key=_START_AND_ID, reverse=True), page, page_size, total)

    def children(self, session: Session, job_id: UUID) -> list[Job]:
        """Return the steps of a run book job that have been started, in order."""
        return self._read(session, _CHILDREN, {"job_id": job_id})

    def to_job(self, session: Session, row: Row, recurrence: RecurrenceRequest | None) -> Job:
        """Return the job that was just stored as *row*; *recurrence* says how a recurring job occurs."""
        return self._rows.to_job(session, row, recurrence)

    def _read(self, session: Session, query: Select[Any], values: Mapping[str, Any]) -> list[Job]:
        """Return the jobs whose ``STORED`` columns *query* gives; what is not kept of them is made at once for all."""
        stored = [tuple(row) for row in session.connection().execute(query, values).all()]
        found = self._kept.find(stored)
        new = {place: stored[place] for place, job in enumerate(found) if job is None}
        schedules = self._schedules(session, new.values())
        made = {place: self._rows.read(session, row, schedules.get(row[0])) for place, row in new.items()}
        # How a recurring job occurs is not in its row.
        self._kept.keep([(new[place], job) for place, job in made.items() if not job.is_recurring])
        return [made[place] if job is None else job for place, job in enumerate(found)]

    def _schedules(self, session: Session, rows: Iterable[Stored]) -> dict[Any, RecurrenceRequest]:
        """Return how those of *rows* occur that are recurring jobs, by their ids as they are stored."""
        ids = {self._rows.id_of(row): row[0] for row in rows if row[IS_RECURRING]}
        return {ids[job_id]: how for job_id, how in read_schedules(session, [*ids]).items()} if ids else {}


_BY_ID = select(*STORED).where(JOBS.c.id == bindparam("job_id"))
_CHILDREN = select(*STORED).where(JOBS.c.parent_id == bindparam("job_id")).order_by(JOBS.c.step)


@cache
def _page(stage: Stage, runbook_jobs: bool, recurring_jobs: bool) -> Select[Any]:
    """Return what gives the jobs of a page, in any order."""
    # The keys first, from the index alone (but for a stage): rows are fetched only for the page itself.
    query = (
        select(JOBS.c.number)
        .where(listed(stage, runbook_jobs, recurring_jobs))
        .order_by(JOBS.c.sorted_at.desc(), JOBS.c.id.desc())
        .limit(bindparam("size"))
        .offset(bindparam("before"))
    )
    keys = (from_index_of_lists(query) if stage is Stage.ALL else query).subquery()
    return select(*STORED).join(keys, JOBS.c.number == keys.c.number)
