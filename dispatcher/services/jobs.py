"""Jobs: what is scheduled, what runs, what has been."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from orjson import dumps, loads
from sqlalchemy import Select, bindparam, select
from sqlalchemy.orm import Session

from dispatcher.core import local_time
from dispatcher.core.errors import InvalidValue, JobNotFound
from dispatcher.core.jobs import Invoker, Job, JobPage, ParameterSet, Stage, What, When, Who
from dispatcher.core.parameters import Parameter
from dispatcher.core.permissions import Caller, Node, Right
from dispatcher.core.schedules import NEVER, RecurrenceRequest
from dispatcher.core.states import State
from dispatcher.datastore.base import Row
from dispatcher.datastore.jobs import JOBS, from_index_of_lists
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.job_counts import JobCounts, listed
from dispatcher.services.kept_jobs import STORED, KeptJobs
from dispatcher.services.kept_parts import KeptParts
from dispatcher.services.plans import Plans
from dispatcher.services.recurring import read_schedules
from dispatcher.services.starting import to_what, to_who

#: The longest page that a caller may ask for.
MAX_PAGE_SIZE = 1_000
#: By their numbers: to call an enumeration takes ten times as long.
_STATES: dict[int, State] = {one.value: one for one in State}
_INVOKERS: dict[int, Invoker] = {one.value: one for one in Invoker}


class Jobs:
    """Shows jobs. What it returns others are shown as well: nobody may change it."""

    def __init__(self, datastore: Datastore, plans: Plans) -> None:
        self._datastore = datastore
        self._plans = plans
        self._counts = JobCounts(datastore)
        self._kept = KeptJobs(datastore)
        self._parts = KeptParts()
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
            return JobPage(jobs, page, page_size, total)

    def children(self, session: Session, job_id: UUID) -> list[Job]:
        """Return the steps of a run book job that have been started, in order."""
        return self._read(session, _CHILDREN, {"job_id": job_id})

    def to_job(self, session: Session, row: Row, recurrence: RecurrenceRequest | None = None) -> Job:
        """Return the job that the columns in *row* describe; *recurrence* says how a recurring job occurs."""
        what, who = self._all_what(_text(row["what"])), self._all_who(_text(row["who"]))
        parameters = self._parameters(session, what, row["what"], row["parameters"])
        return _job(row, what, parameters, who, [], recurrence)

    def _read(self, session: Session, query: Select[Any], values: Mapping[str, Any]) -> list[Job]:
        """Return the jobs whose ``STORED`` columns *query* gives; what is not kept of them is read at once for all."""
        stored = [tuple(row) for row in session.connection().execute(query, values).all()]
        found = self._kept.find(stored)
        rows = {place: self._kept.decode(stored[place]) for place, job in enumerate(found) if job is None}
        recurring = [row["id"] for row in rows.values() if row["is_recurring"]]
        schedules = read_schedules(session, recurring) if recurring else {}
        made = {place: self._make(session, row, schedules.get(row["id"])) for place, row in rows.items()}
        # How a recurring job occurs is stored elsewhere.
        self._kept.keep([(stored[place], job) for place, job in made.items() if not job.is_recurring])
        return [made[place] if job is None else job for place, job in enumerate(found)]

    def _make(self, session: Session, row: Row, recurrence: RecurrenceRequest | None) -> Job:
        """Return the job of *row*, with the parts that other jobs have as well."""
        what, who = self._all_what(row["what"]), self._all_who(row["who"])
        (parameters,) = self._parts.get(
            (row["what"], row["parameters"]),
            lambda: (self._parameters(session, what, loads(row["what"]), loads(row["parameters"])),),
        )
        return _job(row, what, parameters, who, self._outputs(session, row) if row["outputs"] else [], recurrence)

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

    def _outputs(self, session: Session, row: Row) -> list[ParameterSet]:
        return [
            ParameterSet(to_what(entry), *self._plans.outputs(session, entry, stored), row["id"], row["description"])
            for entry, stored in zip(loads(row["what"]), row["outputs"] or [], strict=False)
            if stored
        ]


def _job(
    row: Row,
    what: list[What],
    parameters: list[ParameterSet],
    who: list[Who],
    outputs: list[ParameterSet],
    recurrence: RecurrenceRequest | None,
) -> Job:
    """Return the job with the columns in *row*, and what was made of its documents."""
    # By their places: by their names it would take three times as long.
    return Job(
        row["id"],
        row["number"],
        row["description"],
        _STATES[row["state"]],
        _INVOKERS[row["invoker"]],
        row["invoker_info"],
        row["sorted_at"],
        row["stopped_at"],
        When(row["immediate"], _asked_for(row), row["is_local_time"], row["use_wake_on_lan"], recurrence),
        what,
        who,
        parameters,
        row["in_parallel"],
        row["outside_launch_window"],
        row["tags"],
        row["is_recurring"],
        row["is_runbook"],
        row["reason"],
        row["recurring_id"],
        row["options"],
        outputs,
    )


def _text(document: Any) -> str:
    return dumps(document).decode()


def _asked_for(row: Row) -> datetime | None:
    """Return when the job was to start; None if nothing but a boot starts it.

    One in local time is looked at earlier, see ``core.local_time``.
    """
    if row["starts_at"] == NEVER:
        return None
    local = row["options"].get("local_time") if row["options"] else None
    return local_time.asked_for(local) if local else row["starts_at"]


_BY_ID = select(*STORED).where(JOBS.c.id == bindparam("job_id"))
_CHILDREN = select(*STORED).where(JOBS.c.parent_id == bindparam("job_id")).order_by(JOBS.c.step)


@cache
def _page(stage: Stage, runbook_jobs: bool, recurring_jobs: bool) -> Select[Any]:
    # The keys first, from the index alone (but for a stage): rows are fetched only for the page itself.
    query = (
        select(JOBS.c.number)
        .where(listed(stage, runbook_jobs, recurring_jobs))
        .order_by(JOBS.c.sorted_at.desc(), JOBS.c.id.desc())
        .limit(bindparam("size"))
        .offset(bindparam("before"))
    )
    keys = (from_index_of_lists(query) if stage is Stage.ALL else query).subquery()
    page = select(*STORED).join(keys, JOBS.c.number == keys.c.number)
    return page.order_by(JOBS.c.sorted_at.desc(), JOBS.c.id.desc())
