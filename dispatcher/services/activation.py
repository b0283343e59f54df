"""Activation: a job that is due starts, and its end becomes its outcome and the next step of its run book."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from dispatcher.core.states import FINISHED, State, outcome
from dispatcher.datastore.base import Row
from dispatcher.datastore.jobs import JOBS
from dispatcher.datastore.runs import RUNS
from dispatcher.services.starting import Starting
from dispatcher.services.steps import Steps


class Activation:
    """Moves jobs on, run books and others. Every method works inside the caller's transaction."""

    def __init__(self, starting: Starting, steps: Steps) -> None:
        self._starting = starting
        self._steps = steps

    def insert(self, session: Session, job: dict[str, Any]) -> int:
        """Insert the new *job* (its columns), to be started later; return its number."""
        return self._starting.insert(session, job)

    def insert_and_activate(self, session: Session, job: dict[str, Any]) -> int | None:
        """Insert the new *job* (its columns), already started; complete *job* with what that changed.

        Return its number, or None if the job has moved on since (a run book): it must be read again then.
        """
        if job["is_runbook"]:
            self._starting.insert(session, job)
            self._steps.begin(session, job)
            return None
        runs, changes = self._starting.begin(session, job)
        job.update(changes)
        number = self._starting.insert(session, job)
        self._starting.insert_runs(session, runs)
        return number

    def activate(self, session: Session, job: Row) -> None:
        """Start the stored *job* (its columns, state SCHEDULED): make its runs, or begin its first step."""
        if job["is_runbook"]:
            self._steps.begin(session, job)
            return
        runs, changes = self._starting.begin(session, job)
        session.connection().execute(update(JOBS).where(JOBS.c.id == job["id"]).values(**changes))
        self._starting.insert_runs(session, runs)

    def run_ended(self, session: Session, job_id: UUID, ended: int = 1) -> None:
        """Note that *ended* runs of the job have reached their end; the last one gives the job its outcome.

        The caller has locked the job.
        """
        # Counted by the database: another report may be counting down the same job at this moment.
        counted = update(JOBS).where(JOBS.c.id == job_id).values(open_runs=JOBS.c.open_runs - ended)
        session.connection().execute(counted)
        job = self._job(session, job_id)
        if job["open_runs"] <= 0 and State(job["state"]) not in FINISHED:
            state = State.ABORTED if job["state"] == State.ABORTING else self._outcome(session, job_id)
            self._steps.finish(session, job, state)

    def end(self, session: Session, job_id: UUID, state: State, reason: str = "") -> None:
        """Give the job this outcome now; a run book it is a step of goes on from there."""
        self._steps.finish(session, self._job(session, job_id), state, reason)

    def _outcome(self, session: Session, job_id: UUID) -> State:
        states = session.scalars(select(RUNS.c.state).where(RUNS.c.job_id == job_id).distinct())
        return outcome(map(State, states))

    def _job(self, session: Session, job_id: UUID) -> Row:
        return session.connection().execute(select(JOBS).where(JOBS.c.id == job_id)).mappings().one()
