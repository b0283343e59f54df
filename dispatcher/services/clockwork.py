"""Clockwork: what has to happen when its time comes, whether anybody asks or not."""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog
from sqlalchemy import exists, func, select, update
from sqlalchemy.orm import Session

from dispatcher.core.errors import DispatcherError
from dispatcher.core.ports import Ports
from dispatcher.core.states import State
from dispatcher.datastore.base import Row
from dispatcher.datastore.jobs import JOBS
from dispatcher.datastore.runs import RUNS
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.activation import Activation
from dispatcher.services.locking import lock_jobs
from dispatcher.services.settings import Settings

log = structlog.get_logger(__name__)

#: How many due jobs are started in one transaction.
BATCH = 100


class Clockwork:
    """Starts the jobs that are due, and ends those that waited too long."""

    def __init__(self, datastore: Datastore, ports: Ports, activation: Activation, settings: Settings) -> None:
        self._datastore = datastore
        self._ports = ports
        self._activation = activation
        self._settings = settings

    def activate_due(self) -> int:
        """Start the scheduled jobs whose time has come, earliest first, at most ``BATCH``; return how many."""
        with self._datastore.begin() as session:
            query = (
                select(JOBS)
                .where(JOBS.c.state == State.SCHEDULED, JOBS.c.starts_at <= self._ports.now())
                .order_by(JOBS.c.starts_at, JOBS.c.number)
                .limit(BATCH)
            )
            if self._datastore.traits.skip_locked:
                query = query.with_for_update(key_share=True, skip_locked=True)
            due = session.connection().execute(query).mappings().all()
            for job in due:
                self._activate(session, job)
        return len(due)

    def _activate(self, session: Session, job: Row) -> None:
        try:
            with session.connection().begin_nested():
                self._activation.activate(session, job)
        except Exception as error:  # a defect in one job must not keep the others: it ends, and says why
            log.exception("job.not_started", job_id=str(job["id"]))
            reason = error.message if isinstance(error, DispatcherError) else "it could not be started: see the log"
            self._activation.end(session, job["id"], State.FAILED, reason)

    def cancel_overdue(self) -> int:
        """Cancel the runs that no agent fetched within the launch timeout; return how many jobs that concerned."""
        timeout = timedelta(seconds=self._settings.current().number("jobs.launch_timeout_s"))
        now = self._ports.now()
        with self._datastore.begin() as session:
            waiting = (RUNS.c.state == State.PENDING) & RUNS.c.leased_until.is_(None)
            jobs = session.scalars(
                select(JOBS.c.id)
                .where(JOBS.c.state == State.ACTIVE, JOBS.c.starts_at <= now - timeout)
                .where(exists().where(RUNS.c.job_id == JOBS.c.id, waiting))
                .limit(BATCH)
            ).all()
            lock_jobs(session, jobs)
            for job_id in jobs:
                ended = session.connection().execute(
                    update(RUNS)
                    .where(RUNS.c.job_id == job_id, waiting)
                    .values(state=State.CANCELLED, stopped_at=now, reason=f"no agent fetched it within {timeout}")
                )
                self._activation.run_ended(session, job_id, ended.rowcount)
        return len(jobs)

    def next_moment(self) -> datetime | None:
        """Return when the next job is due; None if there is none."""
        with self._datastore.read() as session:
            return session.scalar(select(func.min(JOBS.c.starts_at)).where(JOBS.c.state == State.SCHEDULED))
