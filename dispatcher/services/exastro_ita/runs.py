"""Runs: conductor runs, as the records of the menu ``conductor_list``, and each by itself with its nodes.

What a run shows is told from its jobs, wherever these were changed: nothing of that is stored with it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from dispatcher.core.permissions import Node, Right
from dispatcher.datastore.base import Row
from dispatcher.datastore.exastro_ita import ITA_RECORDS, ITA_RUNS
from dispatcher.datastore.jobs import JOBS
from dispatcher.services.exastro_ita.operations import NAME, to_id
from dispatcher.services.exastro_ita.records import Change, Found, Record, Scope
from dispatcher.services.exastro_ita.run_jobs import COLUMNS, Family, RunJob, to_run_job
from dispatcher.services.exastro_ita.run_remarks import remarks_in
from dispatcher.services.plans import Plans
from dispatcher.services.portions import portions

#: The REST name of the menu.
MENU = "conductor_list"
#: How many runs one statement names, and how many are read with their steps at a time.
_MANY = 1_000
_ROW = tuple(
    ITA_RUNS.c[name]
    for name in ("operation_id", "operation_name", "conductor_id", "conductor_name", "booked_for", "details")
)
_RUNS = select(*COLUMNS, *_ROW).join(ITA_RUNS, ITA_RUNS.c.job_id == JOBS.c.id)


@dataclass(frozen=True, slots=True)
class Run:
    """A run of a conductor for an operation. ``parent`` and ``top`` are those of one that another run has called."""

    job: RunJob
    conductor_id: UUID
    conductor_name: str
    operation_id: UUID | None
    operation_name: str
    user: str
    booked_for: datetime | None = None
    parent: Run | None = None
    #: What was noted of conductors when the topmost run began, by their ids.
    noted: Mapping[str, str] = field(default_factory=dict)

    @property
    def id(self) -> UUID:
        """Its id, which is that of its job."""
        return self.job.id

    @property
    def top(self) -> Run | None:
        """The run that it was called for first of all; None if nobody has called it."""
        return None if self.parent is None else self.parent.top or self.parent

    @property
    def remarks(self) -> str | None:
        """The remarks of its conductor."""
        return self.noted.get(str(self.conductor_id))

    @property
    def changed_at(self) -> datetime:
        """When it has changed last."""
        return self.job.stopped_at or self.job.started_at or self.job.created_at


class RunRecords:
    """The source of ``conductor_list``: a run is read there, and changed by nobody."""

    def __init__(self, plans: Plans) -> None:
        self._plans = plans

    def read(self, scope: Scope, ids: Collection[UUID] | None = None) -> Iterator[Record]:
        """Give the runs, those with *ids* only if given, and those that they call; latest first.

        Nobody sees any without Read on Jobs/Scheduling.
        """
        if not scope.caller.may(Right.READ, Node.SCHEDULING):
            return
        for family, runs in families(scope, self._plans, ids):
            for run in sorted(runs, key=lambda run: (run.job.created_at, run.job.number), reverse=True):
                if ids is None or run.id in ids:
                    yield _record(run, family)

    def lock(self, scope: Scope, ids: Collection[UUID]) -> Mapping[UUID, Record]:
        """Return those of the runs that are there; nothing changes them here."""
        return {record.id: record for record in self.read(scope, ids)}

    def taken(self, scope: Scope, column: str, values: Collection[str]) -> Mapping[str, UUID]:  # noqa: ARG002
        """Return nothing: the menu has no column that clients fill."""
        return {}

    def write(self, scope: Scope, changes: Sequence[Change]) -> Found:  # noqa: ARG002
        """Change nothing: the menu takes no changes (``actions`` of it)."""
        assert not changes, "the menu takes no changes"  # noqa: S101
        return {}


def families(scope: Scope, plans: Plans, ids: Collection[UUID] | None = None) -> Iterator[tuple[Family, list[Run]]]:
    """Give the runs of the workspace some at a time, latest first, and after them those that they call.

    With *ids*, only the runs with these, and those that have called them, with all that these have called.
    """
    session = scope.session
    wanted = None if ids is None else _tops(session, ids)
    rows = _rows(session, scope.workspace.id, wanted)
    for some in portions(rows, _MANY):
        roots = [_root(row) for row in some]
        family = Family(session, plans, [run.job for run in roots]).read()
        yield family, [*roots, *_called(session, family, roots)]


def find(scope: Scope, plans: Plans, text: str) -> tuple[Family, Run] | None:
    """Return the run of the workspace with the id *text*, and its family with all its steps; None if there is none."""
    key = to_id(text)
    rows = [] if key is None else _rows(scope.session, scope.workspace.id, _tops(scope.session, [key]))
    roots = [_root(row) for row in rows]
    if key is None or not roots:
        return None
    family = Family(scope.session, plans, [run.job for run in roots]).read(whole=[key])
    found = (run for run in (*roots, *_called(scope.session, family, roots)) if run.id == key)
    run = next(found, None)
    return None if run is None else (family, run)


def operation_names(scope: Scope, ids: Collection[UUID]) -> dict[UUID, str]:
    """Return the names of the operations with *ids*, discarded or not."""
    return _operation_names(scope.session, ids)


def _operation_names(session: Session, ids: Collection[UUID]) -> dict[UUID, str]:
    names: dict[UUID, str] = {}
    for some in portions(ids, _MANY):
        query = select(ITA_RECORDS.c.id, ITA_RECORDS.c["values"]).where(ITA_RECORDS.c.id.in_(some))
        names |= {key: values[NAME] for key, values in session.connection().execute(query).tuples() if NAME in values}
    return names


def _tops(session: Session, ids: Collection[UUID]) -> set[UUID]:
    """Return the topmost jobs above the jobs with *ids*, or these themselves."""
    tops: set[UUID] = set()
    unknown = set(ids)
    while unknown:
        parents: set[UUID] = set()
        for some in portions(unknown, _MANY):
            query = select(JOBS.c.id, JOBS.c.parent_id).where(JOBS.c.id.in_(some))
            for row in session.connection().execute(query):
                (tops if row.parent_id is None else parents).add(row.parent_id or row.id)
        unknown = parents
    return tops


def _rows(session: Session, workspace_id: UUID, ids: Collection[UUID] | None) -> list[Row]:
    """Return the stored runs of the workspace, those with *ids* only if given, latest first."""
    query = _RUNS.where(ITA_RUNS.c.workspace_id == workspace_id).order_by(ITA_RUNS.c.number.desc())
    connection = session.connection()
    if ids is None:
        return list(connection.execute(query).mappings())
    found = (
        row for some in portions(ids, _MANY) for row in connection.execute(query.where(JOBS.c.id.in_(some))).mappings()
    )
    return sorted(found, key=lambda row: -row["number"])


def _root(row: Row) -> Run:
    job = to_run_job(row, is_booked=row["booked_for"] is not None)
    names = ("conductor_id", "conductor_name", "operation_id", "operation_name", "booked_for")
    return Run(job, **{name: row[name] for name in names}, user=job.user, noted=remarks_in(row["details"]))


def _called(session: Session, family: Family, roots: Sequence[Run]) -> list[Run]:
    """Return the runs that *roots* call, and those that these call."""
    runs = {run.id: run for run in roots}
    own = {job.id: key for job in family.called if (key := to_id(job.inputs_of)) is not None}
    names = _operation_names(session, set(own.values())) if own else {}
    found = []
    for job in family.called:  # level by level: the caller is there already, if it is a run
        parent = None if job.parent_id is None else runs.get(job.parent_id)
        if parent is None or not job.standing.is_executed:
            continue  # the vendor has no run of what has not begun
        key = own.get(job.id, parent.operation_id)
        name = names.get(key, parent.operation_name) if key is not None else parent.operation_name
        what = UUID(job.what["id"]), job.what["name"]
        runs[job.id] = Run(job, *what, key, name, parent.user, parent=parent, noted=parent.noted)
        found.append(runs[job.id])
    return found


def _record(run: Run, family: Family) -> Record:
    parent, top = run.parent, run.top
    values = {
        "conductor_instance_id": str(run.id),
        "conductor_instance_name": run.conductor_name,
        "instance_source_class_id": str(run.conductor_id),
        "instance_source_class_name": run.conductor_name,
        "instance_source_remarks": run.remarks,
        "status_id": family.state(run.job).value,
        "operation_id": run.operation_id and str(run.operation_id),
        "operation_name": run.operation_name,
        "execution_user": run.user,
        "parent_conductor_instance_id": parent and str(parent.id),
        "parent_conductor_instance_name": parent and parent.conductor_name,
        "top_conductor_instance_id": top and str(top.id),
        "top_conductor_instance_name": top and top.conductor_name,
        "abort_execute_flag": "1" if run.job.standing.is_stopped else "0",
        "time_register": _iso(run.job.created_at),
        "time_book": _iso(run.booked_for),
        "time_start": _iso(run.job.started_at),
        "time_end": _iso(run.job.stopped_at),
        "notification_log": None,
        "remarks": run.remarks,
    }
    return Record(run.id, values, False, run.changed_at, run.user)


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat()
