"""Aborting: a job is stopped wherever it stands; also taken out of the schedule, and put back."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from dispatcher.core.errors import JobNotFound
from dispatcher.core.jobs import Job
from dispatcher.core.permissions import Caller, Node, Right
from dispatcher.core.ports import Ports
from dispatcher.core.states import FINISHED, Event, State, move
from dispatcher.datastore.base import Row
from dispatcher.datastore.jobs import JOBS
from dispatcher.datastore.runs import RUNS
from dispatcher.datastore.transactions import Datastore, after_commit
from dispatcher.services import audit
from dispatcher.services.activation import Activation
from dispatcher.services.audit import Subject
from dispatcher.services.jobs import Jobs
from dispatcher.services.locking import lock_jobs
from dispatcher.services.recurring import end, ends_as_last, skip_until
from dispatcher.services.runbook_who import RunBookWho


class Aborting:
    """Stops jobs."""

    def __init__(
        self, datastore: Datastore, ports: Ports, *, activation: Activation, jobs: Jobs, runbook_who: RunBookWho
    ) -> None:
        self._datastore = datastore
        self._ports = ports
        self._activation = activation
        self._jobs = jobs
        self._runbook_who = runbook_who

    def abort(self, job_id: UUID, caller: Caller) -> Job:
        """Abort the job and return it as it stands then.

        One that has not started is cancelled at once. An active one is aborting until every agent that works on
        it has said that nothing is left running; a finished one stays as it is. With a recurring job that ends as its
        last occurrence does, what is active of it is aborted as well.

        :raises JobNotFound: if there is none with this id.
        """
        caller.require(Right.MODIFY, Node.SCHEDULING)
        with self._datastore.begin() as session:
            row = self._row(session, job_id, caller)
            self._abort(session, row, f"aborted by {caller.name}" if caller.name else "aborted")
            self._record(session, "job.aborted", row, caller)
            return self._jobs.get_in(session, job_id)

    def abort_in(self, session: Session, job_ids: Collection[UUID], reason: str, *, timed_out: bool = False) -> None:
        """As ``abort``, inside the caller's transaction; those that are *timed_out* end so."""
        lock_jobs(session, job_ids)
        query = select(JOBS).where(JOBS.c.id.in_(job_ids)).order_by(JOBS.c.id)
        for row in session.execute(query).mappings().all():
            self._abort(session, row, reason, timed_out=timed_out)

    def end(self, job_id: UUID, caller: Caller) -> None:
        """End the recurring job for good, also one that is over: it is cancelled. What is active of it goes on.

        :raises JobNotFound: if there is none with this id.
        """
        caller.require(Right.MODIFY, Node.SCHEDULING)
        with self._datastore.begin() as session:
            row = self._row(session, job_id, caller)
            reason = f"aborted by {caller.name}" if caller.name else "aborted"
            end(session, job_id, self._ports.now(), reason=reason)
            self._record(session, "job.aborted", row, caller)
            after_commit(session, self._ports.wakeup.engine)

    def disable(self, job_id: UUID, caller: Caller) -> Job:
        """Take a scheduled job out of the schedule until it is enabled again.

        :raises InvalidMove: if it is not scheduled.
        """
        return self._move(job_id, Event.DISABLE, State.DISABLED, caller)

    def enable(self, job_id: UUID, caller: Caller) -> Job:
        """Put a disabled job back into the schedule; if its time has come, it starts at once.

        One that recurs does so from now on: what was due while it was disabled stays skipped.

        :raises InvalidMove: if it is not disabled.
        """
        return self._move(job_id, Event.ENABLE, State.SCHEDULED, caller)

    def _move(self, job_id: UUID, event: Event, already: State, caller: Caller) -> Job:
        caller.require(Right.MODIFY, Node.SCHEDULING)
        with self._datastore.begin() as session:
            row = self._row(session, job_id, caller, at_once=event is not Event.ENABLE)
            if row["state"] != already:
                state = move(State(row["state"]), event)
                session.execute(update(JOBS).where(JOBS.c.id == job_id).values(state=state))
                self._record(session, f"job.{event.value}d", row, caller)
                if row["is_recurring"] and event is Event.ENABLE:
                    skip_until(session, job_id, self._ports.now())
                after_commit(session, self._ports.wakeup.engine)
            return self._jobs.get_in(session, job_id)

    def _record(self, session: Session, action: str, row: Row, caller: Caller) -> None:
        """Note for the audit what state the job has that was in *row*."""
        states = State(row["state"]), State(session.scalars(select(JOBS.c.state).where(JOBS.c.id == row["id"])).one())
        old, new = ({"state": state.text} for state in states)
        subject = Subject("job", row["description"], row["id"])
        audit.record(session, self._ports.now(), caller, action, subject, old=old, new=new)

    def _abort(self, session: Session, row: Row, reason: str, *, timed_out: bool = False) -> None:
        state = State(row["state"])
        if state in FINISHED or state is State.ABORTING:
            return
        if row["is_recurring"] and ends_as_last(row):
            active = select(JOBS.c.id).where(JOBS.c.recurring_id == row["id"], JOBS.c.state.not_in(FINISHED))
            self.abort_in(session, session.scalars(active).all(), reason)
            after_commit(session, self._ports.wakeup.engine)
        state = move(state, Event.ABORT)
        if state is State.CANCELLED:
            self._activation.end(session, row["id"], state, reason)
            return
        changes: dict[str, Any] = {"state": state, "reason": reason}
        if not timed_out:
            changes["ends_by"] = None  # see ``steps.forced_end``
        session.execute(update(JOBS).where(JOBS.c.id == row["id"]).values(**changes))
        if row["is_runbook"]:
            query = select(JOBS).where(JOBS.c.parent_id == row["id"]).order_by(JOBS.c.id)
            children = session.execute(query.with_for_update(key_share=True)).mappings().all()
            for child in children:
                self._abort(session, child, reason)
        else:
            self._abort_runs(session, row["id"], reason)

    def _abort_runs(self, session: Session, job_id: UUID, reason: str) -> None:
        """Cancel the runs that no agent holds, and tell the agents that hold the others."""
        runs = session.execute(
            select(RUNS.c.id, RUNS.c.agent_id, RUNS.c.leased_until)
            .where(RUNS.c.job_id == job_id, RUNS.c.state.in_((State.PENDING, State.ACTIVE)))
            .order_by(RUNS.c.id)
            .with_for_update(key_share=True)
        ).all()
        held = [run for run in runs if run.leased_until is not None]
        waiting = [run.id for run in runs if run.leased_until is None]
        if waiting:
            now = self._ports.now()
            end = {"state": State.CANCELLED, "reason": reason, "stopped_at": now, "hold": None, "due_at": None}
            self._set_runs(session, waiting, **end)
        if held:
            # An agent may have begun a leased run whose start it has not reported yet: it must confirm the end.
            self._set_runs(session, [run.id for run in held], state=State.ABORTING, reason=reason)
            agents = {run.agent_id for run in held}
            after_commit(session, lambda: self._ports.wakeup.agents(agents))
        if waiting:
            self._activation.run_ended(session, job_id, len(waiting))

    def _set_runs(self, session: Session, run_ids: Sequence[UUID], **values: Any) -> None:
        for start in range(0, len(run_ids), 500):
            session.execute(update(RUNS).where(RUNS.c.id.in_(run_ids[start : start + 500])).values(**values))

    def _row(self, session: Session, job_id: UUID, caller: Caller, *, at_once: bool = True) -> Row:
        """Return the job, locked, if *caller* may read what it runs, and on whom (contract section 9)."""
        lock_jobs(session, [job_id])
        row = session.execute(select(JOBS).where(JOBS.c.id == job_id)).mappings().first()
        if row is None:
            raise JobNotFound(job_id)
        self._runbook_who.require_job(session, row, caller, at_once=at_once)
        return row
