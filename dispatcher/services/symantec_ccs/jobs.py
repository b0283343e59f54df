"""Jobs of this dialect: recurring jobs of the core, with the words in which they were described here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy import Insert, Update, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from dispatcher.core.errors import Conflict, Forbidden, InvalidValue, JobNotFound
from dispatcher.core.jobs import (
    GivenSet,
    Job,
    JobRequest,
    Options,
    WhatChoice,
    WhatKind,
    When,
    WhoChoice,
)
from dispatcher.core.parameters import GivenValue
from dispatcher.core.permissions import Caller
from dispatcher.core.ports import Ports
from dispatcher.core.schedules import DEMAND, RecurrenceRequest
from dispatcher.core.spelling import name_key
from dispatcher.core.states import FINISHED
from dispatcher.datastore.base import Row
from dispatcher.datastore.jobs import JOBS
from dispatcher.datastore.symantec_ccs import CCS_JOBS
from dispatcher.datastore.transactions import Datastore
from dispatcher.services import audit
from dispatcher.services.aborting import Aborting
from dispatcher.services.audit import Subject
from dispatcher.services.locking import lock_jobs
from dispatcher.services.recurring import read_schedules
from dispatcher.services.scheduling import Scheduling
from dispatcher.services.submits import SubmitKey, Submits
from dispatcher.services.symantec_ccs import rights
from dispatcher.services.symantec_ccs.inventory import Inventory
from dispatcher.services.symantec_ccs.orders import CcsJobView, JobOrder, JobRun
from dispatcher.services.symantec_ccs.rights import require
from dispatcher.services.symantec_ccs.runs import IS_THERE, CcsRuns

#: How long the name of a job may be, in characters.
MAX_NAME = 255


class JobNameTaken(Conflict):
    """Another job has this name, perhaps in other letter case."""

    code = "job.name_taken"

    def __init__(self, name: str) -> None:
        super().__init__(f"there is already a job {name}", name=name)


class CcsJobs:
    """Keeps the jobs. Each method that changes one does so in one transaction, the core's part included."""

    def __init__(
        self,
        datastore: Datastore,
        ports: Ports,
        *,
        scheduling: Scheduling,
        aborting: Aborting,
        inventory: Inventory,
        runs: CcsRuns,
        submits: Submits,
    ) -> None:
        self._submits = submits
        self._datastore = datastore
        self._ports = ports
        self._scheduling = scheduling
        self._aborting = aborting
        self._inventory = inventory
        self._runs = runs

    def create(self, order: JobOrder, caller: Caller, key: SubmitKey | None = None) -> tuple[CcsJobView, JobRun | None]:
        """Store the job that *order* asks for, for one *key* only once; return it, and its first run if it is to run.

        :raises JobNameTaken: if there is a job of that name.
        :raises InvalidValue: if it names no standard or asset, or one that there is not; nothing is stored then.
        :raises Forbidden: without the rights that the vendor names, or those on what it runs, and on whom.
        """
        require(caller, rights.MAKE_JOBS)
        with self._datastore.begin() as session:
            job = self._submits.once(caller, "ccs.create", key, lambda: self._make(session, order, caller))
            view = self._shown(session, _stored(session, job.id))
            # The answer to a repeated request is that to the first one.
            return view, self._runs.first_of(session, job.id) if order.runs_now else None

    def _make(self, session: Session, order: JobOrder, caller: Caller) -> Job:
        self._free(session, order.name)
        job = self._scheduling.submit(self._request(session, order, RecurrenceRequest(DEMAND)), caller)
        now = self._ports.now()
        made = {"job_id": job.id, "created_by": caller.name, "created_at": now, "modified_at": now, "hidden_runs": 0}
        _store(session, order.name, insert(CCS_JOBS).values(**made, **_columns(order)))
        if order.runs_now:
            self._runs.execute(job.id, caller, is_last=True)
        return job

    def update(
        self, job_id: UUID, change: Callable[[CcsJobView], JobOrder], caller: Caller
    ) -> tuple[CcsJobView, JobRun | None]:
        """Make the job what *change* makes of it; return it, and its new run if it is to run at once.

        :raises JobNotFound: if there is none with this id.
        :raises JobNameTaken: if there is another job of its new name.
        :raises InvalidValue: as ``create``.
        :raises Forbidden: as ``create``.
        """
        require(caller, rights.MAKE_JOBS)
        with self._datastore.begin() as session:
            lock_jobs(session, [job_id])
            row = _stored(session, job_id)
            order = change(_view(row))
            self._free(session, order.name, but=job_id)
            kept = read_schedules(session, [job_id])[job_id]
            self._scheduling.change(job_id, self._request(session, order, kept), caller)
            changes = {**_columns(order), "modified_at": self._ports.now()}
            _store(session, order.name, update(CCS_JOBS).where(CCS_JOBS.c.job_id == job_id).values(**changes))
            run = self._runs.execute(job_id, caller, is_last=True) if order.runs_now else None
            return _view({**row, **changes}, run), run

    def delete(self, job_id: UUID, caller: Caller, *, keeps_job: bool = False) -> None:
        """Delete the job, or with *keeps_job* only its history. What runs goes on.

        Other dialects show the job as cancelled, and its runs as they are.

        :raises JobNotFound: if there is none with this id.
        :raises Forbidden: to anybody but who has created it.
        """
        require(caller, rights.DELETE_JOBS)
        with self._datastore.begin() as session:
            lock_jobs(session, [job_id])
            row = _stored(session, job_id)
            if row["created_by"] and name_key(row["created_by"]) != name_key(caller.name):
                raise Forbidden(caller.name, "Modify", f"jobs of {row['created_by']}")
            mine = CCS_JOBS.c.job_id == job_id
            if keeps_job:
                self._hide_runs(session, row, caller)
                return
            self._aborting.end(job_id, caller)
            session.connection().execute(delete(CCS_JOBS).where(mine))

    def _hide_runs(self, session: Session, row: Row, caller: Caller) -> None:
        """Show no more the runs that the job in *row* has had."""
        job_id = row["job_id"]
        # By number, not by the clock: that of the dispatcher which makes the next run may be behind.
        last = session.scalar(select(func.max(JOBS.c.number)).where(JOBS.c.recurring_id == job_id)) or 0
        session.connection().execute(update(CCS_JOBS).where(CCS_JOBS.c.job_id == job_id).values(hidden_runs=last))
        subject = Subject("job", row["name"], job_id)
        audit.record(session, self._ports.now(), caller, "job.runs_hidden", subject, new={"hidden_runs": last})

    def get(self, job_id: UUID, caller: Caller) -> CcsJobView:
        """Return the job.

        :raises JobNotFound: if there is none with this id.
        """
        require(caller, rights.LOOK_AT_JOBS)
        with self._datastore.read() as session:
            row = session.connection().execute(_LIVE.where(JOBS.c.id == job_id)).mappings().first()
            if row is None:
                raise JobNotFound(job_id)
            return self._shown(session, row)

    def named(self, name: str, caller: Caller) -> CcsJobView:
        """Return the job of this name, in any letter case; of several, which other dialects may have, the oldest.

        :raises JobNotFound: if there is none.
        """
        require(caller, rights.LOOK_AT_JOBS)
        with self._datastore.read() as session:
            row = session.connection().execute(_LIVE.where(CCS_JOBS.c.name_key == _key(name))).mappings().first()
            if row is None:
                wanted = name_key(name)
                found = (key for key, text in session.execute(_FOREIGN).tuples() if name_key(text) == wanted)
                row = session.connection().execute(_LIVE.where(JOBS.c.id == next(found, None))).mappings().first()
            if row is None:
                raise JobNotFound(name[:MAX_NAME])
            return self._shown(session, row)

    def all(self, caller: Caller, *, with_runs: bool = False) -> list[CcsJobView]:
        """Return all recurring jobs that are there, of whatever dialect, oldest first, each without its details.

        Their latest runs are there only *with_runs*.
        """
        require(caller, rights.LOOK_AT_JOBS)
        with self._datastore.read() as session:
            query = _LIGHT.order_by(JOBS.c.number)
            jobs = [_view({**row, "details": None}) for row in session.connection().execute(query).mappings()]
            runs = self._runs.last_of(session, [job.id for job in jobs]) if with_runs else {}
        return [replace(job, last_run=runs.get(job.id)) for job in jobs]

    def shown(self, jobs: Sequence[CcsJobView]) -> list[CcsJobView]:
        """Return *jobs* with their details and latest runs."""
        ids = [job.id for job in jobs]
        with self._datastore.read() as session:
            query = select(CCS_JOBS.c.job_id, CCS_JOBS.c.details)
            details = dict(session.execute(query.where(CCS_JOBS.c.job_id.in_(ids))).tuples().all())
            runs = self._runs.last_of(session, ids)
        return [replace(job, details=details.get(job.id, {}), last_run=runs.get(job.id)) for job in jobs]

    def _shown(self, session: Session, row: Row) -> CcsJobView:
        return _view(row, self._runs.last_of(session, [row["job_id"]]).get(row["job_id"]))

    def _request(self, session: Session, order: JobOrder, recurrence: RecurrenceRequest) -> JobRequest:
        """Return what *order* asks the core for; without a recurrence of its own it has *recurrence*."""
        modules = self._inventory.find_standards(session, order.standards)
        values = [GivenValue(name, value) for name, value in order.values.items()]
        # Once its time is over it is what its latest run is; it stays, and may be run again.
        options: Options = {"stays": True, "ends_as_last": True}
        if order.timeout_s is not None:
            options["timeout_s"] = order.timeout_s
        return JobRequest(
            what=[WhatChoice(key, WhatKind.MODULE) for key in modules],
            who=[WhoChoice([one.id], one.kind) for one in self._inventory.find_targets(session, order.targets)],
            when=When(immediate=False, recurrence=order.recurrence or recurrence, since=order.since),
            description=order.name,
            parameters=[GivenSet(key, values) for key in modules],
            options=options,
        )

    def _free(self, session: Session, name: str, but: UUID | None = None) -> None:
        """See to it that no job has *name*: one that another dialect has ended does not need it any more."""
        if not name.strip() or len(name) > MAX_NAME:
            raise InvalidValue("JobName", f"must have from 1 to {MAX_NAME} characters")
        query = select(CCS_JOBS.c.job_id, IS_THERE.label("is_there")).join(JOBS, JOBS.c.id == CCS_JOBS.c.job_id)
        row = session.execute(query.where(CCS_JOBS.c.name_key == _key(name))).first()
        if row is None or row.job_id == but:
            return
        if row.is_there:
            raise JobNameTaken(name)
        session.execute(delete(CCS_JOBS).where(CCS_JOBS.c.job_id == row.job_id))


#: Recurring jobs that nobody has ended; what they are called, and who has made them, by what is said of them here.
_LIGHT = (
    select(
        JOBS.c.id.label("job_id"),
        func.coalesce(CCS_JOBS.c.name, JOBS.c.description).label("name"),
        func.coalesce(CCS_JOBS.c.job_type, "").label("job_type"),
        func.coalesce(CCS_JOBS.c.created_by, JOBS.c.invoker_info).label("created_by"),
        JOBS.c.created_at,
        func.coalesce(CCS_JOBS.c.modified_at, JOBS.c.created_at, type_=JOBS.c.created_at.type).label("modified_at"),
    )
    .outerjoin(CCS_JOBS, CCS_JOBS.c.job_id == JOBS.c.id)
    .where(JOBS.c.is_recurring, IS_THERE)
)
_LIVE = _LIGHT.add_columns(CCS_JOBS.c.details)
#: What those of other dialects are called, oldest first.
_FOREIGN = (
    select(JOBS.c.id, JOBS.c.description)
    .outerjoin(CCS_JOBS, CCS_JOBS.c.job_id == JOBS.c.id)
    .where(JOBS.c.is_recurring, JOBS.c.state.not_in(FINISHED), CCS_JOBS.c.job_id.is_(None))
    .order_by(JOBS.c.number)
)


def _stored(session: Session, job_id: UUID) -> Row:
    """Return what is said of the job here.

    :raises JobNotFound: if it is no job of this dialect, or somebody has ended it.
    """
    query = _LIVE.where(CCS_JOBS.c.job_id == job_id)
    row = session.connection().execute(query).mappings().first()
    if row is None:
        raise JobNotFound(job_id)
    return row


def _store(session: Session, name: str, statement: Insert | Update) -> None:
    """Execute *statement*, by which a job gets its *name*: another request may have taken that meanwhile."""
    try:
        with session.connection().begin_nested():
            session.connection().execute(statement)
    except IntegrityError:
        raise JobNameTaken(name) from None


def _key(name: str) -> bytes:
    return sha256(name_key(name).encode("utf-8", "surrogatepass")).digest()


def _columns(order: JobOrder) -> dict[str, Any]:
    return {
        "name": order.name,
        "name_key": _key(order.name),
        "job_type": order.job_type,
        "details": dict(order.details),
    }


def _view(row: Mapping[Any, Any], last_run: JobRun | None = None) -> CcsJobView:
    return CcsJobView(
        id=row["job_id"],
        name=row["name"],
        job_type=row["job_type"],
        details=row["details"] or {},
        created_by=row["created_by"],
        created_at=row["created_at"],
        modified_at=row["modified_at"],
        last_run=last_run,
    )
