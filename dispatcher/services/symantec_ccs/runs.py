"""Runs: recurring jobs, of whatever dialect, are executed, watched and aborted. A run is what one occurred as."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from dispatcher.core.errors import Conflict, JobNotFound
from dispatcher.core.permissions import Caller
from dispatcher.core.states import FINISHED, State
from dispatcher.datastore.base import Row
from dispatcher.datastore.jobs import JOBS
from dispatcher.datastore.runs import RUNS, TASK_RESULTS
from dispatcher.datastore.symantec_ccs import CCS_JOBS
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.aborting import Aborting
from dispatcher.services.on_demand import OnDemand
from dispatcher.services.recurring import IS_ENDED
from dispatcher.services.submits import SubmitKey, Submits
from dispatcher.services.symantec_ccs import rights
from dispatcher.services.symantec_ccs.orders import ErrorMessage, JobRun
from dispatcher.services.symantec_ccs.rights import require

#: How many runs a caller gets at most, also one who asks for all.
MAX_RUNS = 10_000
#: How many messages are told of a run.
MAX_MESSAGES = 100
#: Of recurring jobs and what is said of them here: those that have not ended, of this dialect also those that are only
#: over (see ``recurring.is_over``).
IS_THERE = JOBS.c.state.not_in(FINISHED) | (CCS_JOBS.c.job_id.is_not(None) & ~IS_ENDED)
#: How many ids one statement names.
_MANY = 500
#: What a run is shown by.
_SHOWN = (JOBS.c.id, JOBS.c.recurring_id, JOBS.c.state, JOBS.c.reason, JOBS.c.sorted_at, JOBS.c.stopped_at)
#: The states of agents that have not begun, or never will.
_NOT_BEGUN = frozenset({State.PENDING, State.CANCELLED, State.SKIPPED})
_BAD = (State.FAILED, State.STOPPED, State.TIMED_OUT, State.CANCELLED, State.ABORTED)


class RunFinished(Conflict):
    """The run is over: there is nothing to abort."""

    code = "job_run.finished"

    def __init__(self, run_id: UUID) -> None:
        super().__init__(f"job run {run_id} is not running", run_id=str(run_id))


class JobRunNotFound(JobNotFound):
    """No run of a recurring job has this id."""

    code = "job_run.not_found"
    kind = "job run"


class CcsRuns:
    """Executes jobs, and shows what becomes of that."""

    def __init__(self, datastore: Datastore, *, on_demand: OnDemand, aborting: Aborting, submits: Submits) -> None:
        self._datastore = datastore
        self._submits = submits
        self._on_demand = on_demand
        self._aborting = aborting

    def execute(self, job_id: UUID, caller: Caller, key: SubmitKey | None = None, *, is_last: bool = False) -> JobRun:
        """Run the job at once, also beside a run that is active, and return the new run; for one *key* only once.

        One without a schedule is over with this run if it *is_last*.

        :raises JobNotFound: if no recurring job has this id.
        :raises Conflict: if it has been taken out of the schedule.
        :raises Forbidden: without the rights that the vendor names, or those on what it runs, and on whom.
        """
        require(caller, rights.OPERATE_JOBS)
        with self._datastore.begin() as session:
            require_job(session, job_id)
            run = partial(self._on_demand.run, job_id, caller, is_last=is_last)
            made = self._submits.once(caller, "ccs.execute", key, run)
            return self._read(session, _by_ids([made.id]))[0]

    def abort(self, run_id: UUID, caller: Caller) -> None:
        """Abort the run: no further task of it starts, and what works for it is ended.

        :raises JobRunNotFound: if it is no run of a recurring job.
        :raises RunFinished: if it is over.
        :raises Forbidden: as ``execute``.
        """
        require(caller, rights.OPERATE_JOBS)
        with self._datastore.begin() as session:
            query = select(JOBS.c.state).where(JOBS.c.id == run_id, JOBS.c.recurring_id.is_not(None))
            state = session.scalars(query.with_for_update(key_share=True)).first()
            if state is None:
                raise JobRunNotFound(run_id)
            if state in FINISHED:
                raise RunFinished(run_id)
            self._aborting.abort(run_id, caller)

    def latest(self, job_id: UUID, count: int, caller: Caller, *, with_messages: bool = False) -> list[JobRun]:
        """Return the *count* latest runs of the job, latest first; all of them, if it is 0: at most ``MAX_RUNS``.

        :raises JobNotFound: if no recurring job has this id.
        :raises Forbidden: without the rights to look at jobs, and *with_messages* those to look at results.
        """
        require(caller, (*rights.LOOK_AT_JOBS, *rights.LOOK_AT_RESULTS) if with_messages else rights.LOOK_AT_JOBS)
        with self._datastore.read() as session:
            require_job(session, job_id)
            query = _of_jobs([job_id]).order_by(JOBS.c.number.desc()).limit(min(count or MAX_RUNS, MAX_RUNS))
            return self._read(session, query, with_messages=with_messages)

    def first_of(self, session: Session, job_id: UUID) -> JobRun | None:
        """Return the first run of the job, also if its history was deleted; None if it has had none."""
        query = select(*_SHOWN).where(JOBS.c.recurring_id == job_id).order_by(JOBS.c.number).limit(1)
        return next(iter(self._read(session, query)), None)

    def last_of(self, session: Session, job_ids: Sequence[UUID]) -> dict[UUID, JobRun]:
        """Return the latest run of each of the jobs that have one, by the ids of the jobs."""
        found: dict[UUID, JobRun] = {}
        for start in range(0, len(job_ids), _MANY):
            mine = _of_jobs(job_ids[start : start + _MANY]).with_only_columns(func.max(JOBS.c.number))
            newest = mine.group_by(JOBS.c.recurring_id)
            runs = self._read(session, select(*_SHOWN).where(JOBS.c.number.in_(newest)))
            found.update((run.job_id, run) for run in runs)
        return found

    def _read(self, session: Session, query: Select[Any], *, with_messages: bool = False) -> list[JobRun]:
        rows = session.connection().execute(query).mappings().all()
        ids = [row["id"] for row in rows]
        counts = _counts(session, ids)
        messages = _messages(session, ids) if with_messages else {}
        return [_to_run(row, counts[row["id"]], messages.get(row["id"], []) if with_messages else None) for row in rows]


def require_job(session: Session, job_id: UUID) -> None:
    """Check that there is a recurring job with this id, of whatever dialect, that nobody has ended.

    :raises JobNotFound: if not.
    """
    query = select(JOBS.c.id).outerjoin(CCS_JOBS, CCS_JOBS.c.job_id == JOBS.c.id)
    if session.scalar(query.where(JOBS.c.id == job_id, JOBS.c.is_recurring, IS_THERE)) is None:
        raise JobNotFound(job_id)


def _of_jobs(job_ids: Sequence[UUID]) -> Select[Any]:
    """Return a query for the runs of the jobs, without those whose history was deleted."""
    is_shown = JOBS.c.number > func.coalesce(CCS_JOBS.c.hidden_runs, 0)
    runs = select(*_SHOWN).outerjoin(CCS_JOBS, CCS_JOBS.c.job_id == JOBS.c.recurring_id)
    return runs.where(JOBS.c.recurring_id.in_(job_ids), is_shown)


def _by_ids(job_ids: Sequence[UUID]) -> Select[Any]:
    return select(*_SHOWN).where(JOBS.c.id.in_(job_ids))


def _counts(session: Session, ids: Sequence[UUID]) -> dict[UUID, dict[State, int]]:
    """Return how many agents are in which state, by job; those that have begun and wait again count as active."""
    counts: defaultdict[UUID, dict[State, int]] = defaultdict(dict)
    for start in range(0, len(ids), _MANY):
        query = select(RUNS.c.job_id, RUNS.c.state, func.count(), func.count(RUNS.c.started_at))
        query = query.where(RUNS.c.job_id.in_(ids[start : start + _MANY])).group_by(RUNS.c.job_id, RUNS.c.state)
        for job_id, state, count, begun in session.connection().execute(query).tuples():
            mine = counts[job_id]
            if state == State.PENDING and begun:
                mine[State.ACTIVE] = mine.get(State.ACTIVE, 0) + begun
                count -= begun
            mine[State(state)] = mine.get(State(state), 0) + count
    return counts


def _messages(session: Session, ids: Sequence[UUID]) -> dict[UUID, list[ErrorMessage]]:
    """Return what went wrong, by job, most frequent first: on agents, and in their tasks."""
    found: defaultdict[UUID, dict[str, ErrorMessage]] = defaultdict(dict)
    for start in range(0, len(ids), _MANY):
        part = ids[start : start + _MANY]
        runs = select(RUNS.c.job_id, RUNS.c.reason, func.count(), func.max(RUNS.c.stopped_at)).where(
            RUNS.c.job_id.in_(part), RUNS.c.state.in_(_BAD), RUNS.c.reason != ""
        )
        tasks = (
            select(RUNS.c.job_id, TASK_RESULTS.c.message, func.count(), func.max(TASK_RESULTS.c.stopped_at))
            .join(TASK_RESULTS, TASK_RESULTS.c.run_id == RUNS.c.id)
            .where(RUNS.c.job_id.in_(part), TASK_RESULTS.c.state.in_(_BAD), TASK_RESULTS.c.message != "")
        )
        for query, text in ((runs, RUNS.c.reason), (tasks, TASK_RESULTS.c.message)):
            rows = session.connection().execute(query.group_by(RUNS.c.job_id, text)).tuples()
            _add(found, rows)
    return {
        job_id: sorted(mine.values(), key=lambda one: (-one.count, one.text))[:MAX_MESSAGES]
        for job_id, mine in found.items()
    }


def _add(found: Mapping[UUID, dict[str, ErrorMessage]], rows: Iterable[Any]) -> None:
    for job_id, text, count, last_at in rows:
        known = found[job_id].get(text, ErrorMessage(text, 0, None))
        moments = [at for at in (last_at, known.last_at) if at is not None]
        found[job_id][text] = ErrorMessage(text, count + known.count, max(moments, default=None))


def _to_run(row: Row, counts: Mapping[State, int], messages: Sequence[ErrorMessage] | None) -> JobRun:
    return JobRun(
        id=row["id"],
        job_id=row["recurring_id"],
        state=State(row["state"]),
        reason=row["reason"],
        started_at=row["sorted_at"],
        stopped_at=row["stopped_at"],
        has_begun=not counts.keys() <= _NOT_BEGUN,
        ended={state: count for state, count in counts.items() if state in FINISHED},
        messages=messages,
    )
