"""Approvals: jobs that wait until somebody says that they may begin."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from dispatcher.core.errors import Conflict, DispatcherError, Forbidden, JobNotFound
from dispatcher.core.jobs import Job, Options
from dispatcher.core.options import GIVEN, REQUIRED
from dispatcher.core.permissions import Caller, Node, Right
from dispatcher.core.ports import Ports
from dispatcher.core.states import FINISHED, State
from dispatcher.datastore.base import Row
from dispatcher.datastore.jobs import JOBS, SET_JOB
from dispatcher.datastore.transactions import Datastore
from dispatcher.services import audit
from dispatcher.services.activation import Activation
from dispatcher.services.audit import Subject
from dispatcher.services.batches import Batches
from dispatcher.services.jobs import Jobs
from dispatcher.services.locking import lock_jobs
from dispatcher.services.runbook_who import RunBookWho
from dispatcher.services.settings import Settings

#: Whether whoever has ordered a job may approve it.
_BY_ANYBODY = "jobs.approved_by_invoker"
_ACTIVE = JOBS.c.state.not_in(FINISHED)


class OwnJob(Forbidden):
    """The caller has ordered the job: somebody else has to approve it."""

    code = "approval.own_job"

    def __init__(self, login: str) -> None:
        DispatcherError.__init__(self, f"login {login} has ordered the job: another one must approve it", login=login)


class Approvals:
    """Approves jobs."""

    def __init__(
        self,
        datastore: Datastore,
        ports: Ports,
        *,
        activation: Activation,
        batches: Batches,
        jobs: Jobs,
        runbook_who: RunBookWho,
        settings: Settings,
    ) -> None:
        self._datastore = datastore
        self._ports = ports
        self._activation = activation
        self._batches = batches
        self._jobs = jobs
        self._runbook_who = runbook_who
        self._settings = settings

    def approve(self, job_id: UUID, caller: Caller, *, if_it_waits: bool = False) -> Job:
        """Let the job begin that waits for its approval, and return it as it stands then.

        Of a run book its first steps begin; of a recurring job all of its jobs that wait. One that is scheduled for
        later will not wait. Its time, and that within which its agents must fetch it, begin now. What waits for no
        approval stays as it is.

        :raises JobNotFound: if there is none with this id.
        :raises Forbidden: without Modify on Jobs/Scheduling and Read on all that it runs, and on whom.
        :raises OwnJob: if the caller has ordered it, and the settings want another one to approve.
        :raises Conflict: if nothing waits, and it was to be approved only *if it waits*.
        """
        caller.require(Right.MODIFY, Node.SCHEDULING)
        needs_another = self._settings.current().text(_BY_ANYBODY) == "NO"
        with self._datastore.begin() as session:
            jobs = self._waiting(session, job_id, caller)
            if if_it_waits and not jobs:
                raise Conflict(f"nothing of job {job_id} waits for an approval")
            for job in jobs:
                if needs_another and job["invoker_info"] == caller.name:
                    raise OwnJob(caller.name)
                self._approve(session, job)
                subject = Subject("job", job["description"], job["id"])
                old, new = {"approval": REQUIRED}, {"approval": GIVEN}
                audit.record(session, self._ports.now(), caller, "job.approved", subject, old=old, new=new)
            return self._jobs.get_in(session, job_id)

    def _waiting(self, session: Session, job_id: UUID, caller: Caller) -> list[Row]:
        """Return what is to be approved, locked.

        :raises JobNotFound: if there is no such job.
        """
        lock_jobs(session, [job_id])
        row = session.execute(select(JOBS).where(JOBS.c.id == job_id)).mappings().first()
        if row is None:
            raise JobNotFound(job_id)
        self._runbook_who.require_job(session, row, caller)
        family = [row]
        if row["is_recurring"]:
            mine = session.scalars(select(JOBS.c.id).where(JOBS.c.recurring_id == job_id, _ACTIVE)).all()
            lock_jobs(session, mine)
            query = select(JOBS).where(JOBS.c.id.in_(mine)).order_by(JOBS.c.number)
            family = list(session.execute(query).mappings())
        return [job for one in family for job in self._with_steps(session, one) if _waits(job)]

    def _with_steps(self, session: Session, job: Row) -> Iterator[Row]:
        yield job
        if job["is_runbook"]:
            query = select(JOBS).where(JOBS.c.parent_id == job["id"], _ACTIVE).order_by(JOBS.c.id)
            for child in session.execute(query.with_for_update(key_share=True)).mappings().all():
                yield from self._with_steps(session, child)

    def _approve(self, session: Session, job: Row) -> None:
        options: Options = job["options"] | {"approval": GIVEN, "approved_at": self._ports.now().isoformat()}
        changes: dict[str, Any] = {"options": options}
        approved = {**job, **changes}
        ended = self._batches.approved(session, approved)
        if job["state"] == State.ACTIVE and "timeout_s" in options:
            changes["ends_by"] = self._batches.begins_at(session, approved) + timedelta(seconds=options["timeout_s"])
        session.connection().execute(SET_JOB, {"key": job["id"], **changes})
        if ended:
            self._activation.run_ended(session, job["id"], ended)


def _waits(job: Row) -> bool:
    return (job["options"] or {}).get("approval") == REQUIRED and State(job["state"]) not in FINISHED
