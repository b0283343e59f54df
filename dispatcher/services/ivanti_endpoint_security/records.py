"""Records: what is stored of the jobs and deployments of this dialect, beside the core jobs that they are."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from dispatcher.core.errors import NotFound
from dispatcher.core.jobs import Job
from dispatcher.core.states import State
from dispatcher.datastore.ivanti_endpoint_security import IES_JOBS
from dispatcher.datastore.jobs import JOBS
from dispatcher.services.ivanti_endpoint_security.listing import Listed, Listing, conditions
from dispatcher.services.ivanti_endpoint_security.orders import Kind

_COLUMNS = {
    "number": IES_JOBS.c.number,
    "kind": IES_JOBS.c.kind,
    "name": IES_JOBS.c.name,
    "starts_at": IES_JOBS.c.starts_at,
    "created_by": IES_JOBS.c.created_by,
    "created_at": JOBS.c.created_at,
    "state": JOBS.c.state,
}
_RECORDS = select(
    IES_JOBS.c.job_id,
    *_COLUMNS.values(),
    IES_JOBS.c.document,
    JOBS.c.started_at,
    JOBS.c.stopped_at,
    JOBS.c.reason,
).join(JOBS, JOBS.c.id == IES_JOBS.c.job_id)


class RecordNotFound(NotFound):
    """No job, or deployment, of this dialect has the number."""

    code = "ies.record_not_found"

    def __init__(self, kinds: Collection[Kind], number: int) -> None:
        self.kind = "deployment" if Kind.DEPLOYMENT in kinds else "job"
        super().__init__(str(number))


@dataclass(frozen=True, slots=True)
class Record:
    """A job or deployment as it is stored; ``document`` is its order without secrets."""

    job_id: UUID
    number: int
    kind: Kind
    name: str
    starts_at: datetime
    created_by: str
    created_at: datetime
    state: State
    document: Mapping[str, Any]
    started_at: datetime | None
    stopped_at: datetime | None
    reason: str


def keep(session: Session, job: Job, kind: Kind, columns: Mapping[str, Any]) -> None:
    """Store what the core does not know of *job*: the other columns of ``IesJob``."""
    row = {"job_id": job.id, "number": job.number, "kind": kind, **columns}
    session.connection().execute(insert(IES_JOBS), row)


def find(session: Session, kinds: Collection[Kind], number: int) -> Record:
    """Return the record of one of *kinds* with the number.

    :raises RecordNotFound: if there is none.
    """
    query = _RECORDS.where(IES_JOBS.c.number == number, IES_JOBS.c.kind.in_(kinds))
    row = session.execute(query).mappings().first() if 0 < number < 1 << 63 else None
    if row is None:
        raise RecordNotFound(kinds, number)
    return _record(row)


def page(session: Session, kinds: Collection[Kind], listing: Listing) -> Listed[Record]:
    """Return the records of *kinds* that *listing* asks for; of equal ones the older one comes first."""
    wanted = [IES_JOBS.c.kind.in_(kinds), *conditions(listing.terms, _COLUMNS)]
    column = _COLUMNS[listing.order_by]
    query = _RECORDS.where(*wanted).order_by(column.desc() if listing.descending else column, IES_JOBS.c.number)
    rows = session.execute(query.offset(listing.skip).limit(listing.top)).mappings().all()
    total = None
    if listing.counts:
        joined = IES_JOBS.join(JOBS, JOBS.c.id == IES_JOBS.c.job_id)
        total = session.scalar(select(func.count()).select_from(joined).where(*wanted))
    return Listed([_record(row) for row in rows], total)


def _record(row: Mapping[Any, Any]) -> Record:
    return Record(**{**row, "kind": Kind(row["kind"]), "state": State(row["state"])})
