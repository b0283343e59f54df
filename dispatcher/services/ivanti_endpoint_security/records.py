"""Records: what is stored of the jobs and deployments of this dialect, beside the core jobs that they are."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
from typing import Any
from uuid import UUID

from sqlalchemy import case, func, insert, select
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
#: What they are found and sorted by. Texts stand there without the case of their letters.
_ASKED = {**_COLUMNS, "name": IES_JOBS.c.folded_name, "created_by": IES_JOBS.c.folded_created_by}
#: How many targets the jobs of one page may have together: ten megabytes of memory, half a second.
MOST_TARGETS = 20_000
_HEADS = select(IES_JOBS.c.job_id, *_COLUMNS.values(), JOBS.c.started_at, JOBS.c.stopped_at, JOBS.c.reason).join(
    JOBS, JOBS.c.id == IES_JOBS.c.job_id
)
_RECORDS = _HEADS.add_columns(IES_JOBS.c.document)


class RecordNotFound(NotFound):
    """No job, or deployment, of this dialect has the number."""

    code = "ies.record_not_found"

    def __init__(self, kinds: Collection[Kind], number: int) -> None:
        self.kind = "deployment" if Kind.DEPLOYMENT in kinds else "job"
        super().__init__(str(number))


@dataclass(frozen=True, slots=True)
class Record:
    """A job or deployment as it is stored; ``document`` is its order without secrets, None if nobody asked for it."""

    job_id: UUID
    number: int
    kind: Kind
    name: str
    starts_at: datetime
    created_by: str
    created_at: datetime
    state: State
    started_at: datetime | None
    stopped_at: datetime | None
    reason: str
    document: Mapping[str, Any] | None = None


def keep(session: Session, job: Job, kind: Kind, columns: Mapping[str, Any]) -> None:
    """Store what the core does not know of *job*: the other columns of ``IesJob``."""
    folded = {f"folded_{name}": columns[name].casefold() for name in ("name", "created_by")}
    row = {"job_id": job.id, "number": job.number, "kind": kind, **folded, **columns}
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
    """Return the records of *kinds* that *listing* asks for; of equal ones the older one comes first.

    With their orders they are as many as have ``MOST_TARGETS`` together, but at least one.
    """
    wanted = [IES_JOBS.c.kind.in_(kinds), *conditions(listing.terms, _ASKED)]
    column = _ASKED[listing.order_by]
    if listing.ranks is not None:
        column = case(listing.ranks, value=column)
    query = _HEADS.where(*wanted).order_by(column.desc() if listing.descending else column, IES_JOBS.c.number)
    query, ends_early = query.offset(listing.skip).limit(listing.top), False
    if listing.with_orders:
        sizes = session.scalars(query.with_only_columns(IES_JOBS.c.targets)).all()
        fitting = _fitting(sizes)
        query, ends_early = query.add_columns(IES_JOBS.c.document).limit(fitting), fitting < len(sizes)
    rows = session.execute(query).mappings().all()
    total = None
    if listing.counts:
        joined = IES_JOBS.join(JOBS, JOBS.c.id == IES_JOBS.c.job_id)
        total = session.scalar(select(func.count()).select_from(joined).where(*wanted))
    return Listed([_record(row) for row in rows], total, ends_early)


def _fitting(sizes: Sequence[int]) -> int:
    """Return how many of the first jobs, of which *sizes* tells the targets, make a page."""
    fitting = sum(total <= MOST_TARGETS for total in accumulate(sizes))
    return max(fitting, min(len(sizes), 1))


def _record(row: Mapping[Any, Any]) -> Record:
    return Record(**{**row, "kind": Kind(row["kind"]), "state": State(row["state"])})
