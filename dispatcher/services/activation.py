"""Activation: a job that is due starts, and its end becomes its outcome and the next step of its run book."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from dispatcher.core.states import FINISHED, State, outcome
from dispatcher.datastore.base import Row
from dispatcher.datastore.jobs import COUNT_DOWN, JOBS, SET_JOB
from dispatcher.datastore.runs import RUNS
from dispatcher.services.batches import Batches
from dispatcher.services.outputs import Outputs
from dispatcher.services.starting import Starting
from dispatcher.services.steps import Steps, forced_end

_JOB = select(JOBS).where(JOBS.c.id == bindparam("key"))
_STATES = select(RUNS.c.state).where(RUNS.c.job_id == bindparam("key")).distinct()


class Activation:
    """Moves jobs on, run books and others. Every method works inside the caller's transaction.

    ``on_end``, if set, is called in the transaction in which a job has ended.
    """

    def __init__(self, starting: Starting, steps: Steps, batches: Batches, outputs: Outputs) -> None:
        self._starting = starting
        self._batches = batches
        self._outputs = outputs
        self._steps = steps
        self.on_end: Callable[[Session], None] | None = None

    def insert(self, session: Session, job: dict[str, Any]) -> int:
        """Insert the new *job* (its columns), to be started later; return its number."""
        return self._starting.insert(session, job)

    def insert_and_activate(self, session: Session, job: dict[str, Any]) -> int | None:
        """Insert the new *job* (its columns), already started; complete *job* with what that changed.

        If it is no run book the transaction changes nothing after that: its run may be lent to an agent at once.
        Return its number, or None if the job has moved on since (a run book): it must be read again then.
        """
        if job["is_runbook"]:
            self._starting.insert(session, job)
            self._steps.begin(session, job)
            return None
        return self._starting.insert_started(session, job, is_last=True)

    def activate(self, session: Session, job: Row) -> None:
        """Start the stored *job* (its columns, state SCHEDULED): make its runs, or begin its first step."""
        if job["is_runbook"]:
            self._steps.begin(session, job)
            return
        runs, changes = self._starting.begin(session, job)
        session.connection().execute(SET_JOB, {"key": job["id"], **changes})
        self._starting.insert_runs(session, runs)

    def run_ended(self, session: Session, job_id: UUID, ended: int = 1) -> None:
        """Note that *ended* runs of the job have reached their end; the last one gives the job its outcome.

        The caller has locked the job.
        """
        job = self._count_down(session, job_id, ended)
        while job["open_runs"] > 0 and (ended := self._batches.go_on(session, job)):
            job = self._count_down(session, job_id, ended)
        if (job["options"] or {}).get("queued"):
            self._starting.wake_engine(session)  # it is the turn of the next in the queue
        if job["open_runs"] <= 0 and State(job["state"]) not in FINISHED:
            state = forced_end(job) if job["state"] == State.ABORTING else self._outcome(session, job_id)
            self._finish(session, job, state)

    def _count_down(self, session: Session, job_id: UUID, ended: int) -> Row:
        """Note that *ended* runs of the job are over; return the job as it is then."""
        # Counted by the database: another report may be counting down the same job at this moment.
        session.connection().execute(COUNT_DOWN, {"key": job_id, "ended": ended})
        return self._job(session, job_id)

    def end(self, session: Session, job_id: UUID, state: State, reason: str = "") -> None:
        """Give the job this outcome now; a run book it is a step of goes on from there."""
        self._finish(session, self._job(session, job_id), state, reason)

    def _finish(self, session: Session, job: Row, state: State, reason: str = "") -> None:
        """Give *job* its outcome and what its runs give out; a run book has its outputs from its steps."""
        has_runs = job["started_at"] is not None and not job["is_runbook"]
        outputs = self._outputs.collect(session, job) if has_runs else None
        if outputs is not None:
            session.connection().execute(SET_JOB, {"key": job["id"], "outputs": outputs})
        self._steps.finish(session, job, state, reason)
        self._starting.tell_end(session, job, state)
        if self.on_end is not None:
            self.on_end(session)

    def _outcome(self, session: Session, job_id: UUID) -> State:
        return outcome(map(State, session.connection().execute(_STATES, {"key": job_id}).scalars()))

    def _job(self, session: Session, job_id: UUID) -> Row:
        return session.connection().execute(_JOB, {"key": job_id}).mappings().one()
