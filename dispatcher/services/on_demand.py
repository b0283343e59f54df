"""On demand: a recurring job occurs because somebody asks for it, beside its due times."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from dispatcher.core.errors import Conflict, JobNotFound
from dispatcher.core.jobs import Invoker, Job, Who
from dispatcher.core.permissions import Caller, Node, Right
from dispatcher.core.ports import Ports
from dispatcher.core.schedules import DEMAND, NEVER, Outcome
from dispatcher.core.states import State
from dispatcher.datastore.base import Row
from dispatcher.datastore.jobs import JOBS, SET_JOB
from dispatcher.datastore.schedules import OCCURRENCES, SCHEDULES
from dispatcher.datastore.transactions import Datastore, after_commit
from dispatcher.services.firing import Firing, Wanted
from dispatcher.services.jobs import Jobs
from dispatcher.services.locking import lock_jobs
from dispatcher.services.recurring import ends_as_last, is_over, new_entry, stays
from dispatcher.services.runbook_who import RunBookWho
from dispatcher.services.starting import to_entry

_INSTANT = timedelta(microseconds=1)
#: How much of a reason the ledger keeps, in characters.
_LONGEST_REASON = 1_000


class OnDemand:
    """Runs recurring jobs at once."""

    def __init__(
        self, datastore: Datastore, ports: Ports, *, firing: Firing, jobs: Jobs, runbook_who: RunBookWho
    ) -> None:
        self._datastore = datastore
        self._ports = ports
        self._firing = firing
        self._jobs = jobs
        self._runbook_who = runbook_who

    def run(
        self,
        job_id: UUID,
        caller: Caller,
        reason: str = "",
        on: Sequence[Who] | None = None,
        *,
        is_last: bool = False,
    ) -> Job:
        """Let the recurring job occur now, with a row in the ledger, and return the job that it became.

        The ledger tells who asked for it, and the *reason*. Its due times stay as they are, and so does what is active
        of it, whatever its overlap rule says. It runs *on* these only, if they are given. One without due times that
        ends as its last occurrence does is over with this one if it *is_last*; it may be run again all the same.

        :raises JobNotFound: if there is no recurring job with this id.
        :raises Conflict: if it is disabled, or has been ended.
        :raises Forbidden: without Modify on Jobs/Scheduling and Read on all that it runs, and on whom.
        """
        caller.require(Right.MODIFY, Node.SCHEDULING)
        with self._datastore.begin() as session:
            lock_jobs(session, [job_id])
            row = self._pattern(session, job_id)
            self._runbook_who.require_job(session, row, caller)
            if row["state"] != State.SCHEDULED and not is_over(row):  # its last due time may have gone by
                raise Conflict(f"job {job_id} cannot be run: it is {State(row['state']).text}")
            due_at = self._moment(session, row)
            who = None if on is None else [to_entry(one) for one in on]
            wanted = Wanted({**row, "invoker_info": caller.name}, due_at, who, Invoker.USER)
            [made] = self._firing.fire(session, [wanted])
            entry = new_entry(job_id, due_at, self._ports.now(), Outcome.FIRED, _reason(caller, reason))
            session.connection().execute(insert(OCCURRENCES), {**entry, "job_id": made})
            ends = is_last and row["rule"] == DEMAND and row["starts_at"] == NEVER
            if ends_as_last(row) and not stays(row) and (ends or is_over(row)):
                starts_at = due_at if ends else row["starts_at"]
                again = {"state": State.ACTIVE, "starts_at": starts_at, "stopped_at": None, "reason": ""}
                session.connection().execute(SET_JOB, {"key": job_id, **again})
                after_commit(session, self._ports.wakeup.engine)  # it ends with that
            return self._jobs.get_in(session, made)

    def _pattern(self, session: Session, job_id: UUID) -> Row:
        query = (
            select(JOBS, SCHEDULES.c.rule).join(SCHEDULES, SCHEDULES.c.job_id == JOBS.c.id).where(JOBS.c.id == job_id)
        )
        row = session.connection().execute(query).mappings().first()
        if row is None:
            raise JobNotFound(job_id)
        return row

    def _moment(self, session: Session, row: Row) -> datetime:
        """Return the present moment, or the first one after it that the ledger has nothing of, nor will have."""
        latest = select(func.max(OCCURRENCES.c.due_at)).where(OCCURRENCES.c.schedule_id == row["id"])
        last = session.connection().execute(latest).scalar()
        moment = self._ports.now()
        if last is not None and moment <= last:
            moment = last + _INSTANT
        return moment + _INSTANT if moment == row["starts_at"] else moment


def _reason(caller: Caller, reason: str) -> str:
    who = f"asked for by {caller.name}" if caller.name else "asked for"
    return f"{who}: {reason[:_LONGEST_REASON]}" if reason else who
