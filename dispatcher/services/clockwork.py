"""Clockwork: what has to happen when its time comes, whether anybody asks or not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import chain

import structlog
from sqlalchemy import ColumnElement, exists, false, func, select, update
from sqlalchemy.orm import Session

from dispatcher.core.durations import in_words
from dispatcher.core.errors import DispatcherError, Unavailable
from dispatcher.core.jobs import Options
from dispatcher.core.local_time import AROUND_THE_EARTH
from dispatcher.core.options import REQUIRED
from dispatcher.core.ports import Ports
from dispatcher.core.states import State
from dispatcher.datastore.base import Row
from dispatcher.datastore.jobs import FOUND_ACTIVE, JOBS
from dispatcher.datastore.runs import RUNS
from dispatcher.datastore.transactions import OUT_OF_ORDER, Datastore
from dispatcher.services.aborting import Aborting
from dispatcher.services.activation import Activation
from dispatcher.services.locking import lock_jobs
from dispatcher.services.settings import Settings

log = structlog.get_logger(__name__)

#: How many due jobs are started in one transaction, and how many overdue ones are looked at.
BATCH = 100

_WAITING = (RUNS.c.state == State.PENDING) & RUNS.c.leased_until.is_(None)
#: Recurring jobs never start: ``Occurrences`` looks after them.
_SCHEDULED = (JOBS.c.state == State.SCHEDULED) & (JOBS.c.is_recurring == false())


class Clockwork:
    """Starts the jobs that are due, and ends those that waited or worked too long."""

    def __init__(
        self, datastore: Datastore, ports: Ports, *, activation: Activation, aborting: Aborting, settings: Settings
    ) -> None:
        self._datastore = datastore
        self._ports = ports
        self._activation = activation
        self._aborting = aborting
        self._settings = settings

    def activate_due(self) -> int:
        """Start the scheduled jobs whose time has come, earliest first, at most ``BATCH``; return how many."""
        with self._datastore.begin() as session:
            query = (
                select(JOBS)
                .where(_SCHEDULED, JOBS.c.starts_at <= self._ports.now())
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
        except OUT_OF_ORDER:
            raise  # all of them are started later
        except Exception as error:  # a defect in one job must not keep the others: it ends, and says why
            log.exception("job.not_started", job_id=str(job["id"]))
            reason = error.message if isinstance(error, DispatcherError) else "it could not be started: see the log"
            self._activation.end(session, job["id"], State.FAILED, reason)

    def next_moment(self) -> datetime | None:
        """Return when the next job is due; None if there is none."""
        with self._datastore.read() as session:
            return session.scalar(select(func.min(JOBS.c.starts_at)).where(_SCHEDULED))

    def cancel_overdue(self) -> int:
        """Cancel the runs that no agent fetched within the launch timeout; return how many jobs that concerned."""
        now, count = self._ports.now(), 0
        waiting = (JOBS.c.state == State.ACTIVE) & (JOBS.c.is_recurring == false()) & JOBS.c.fetch_by.is_(None)
        of_all = self._batches(waiting, JOBS.c.starts_at, now - self._launch_timeout(None))
        for jobs in chain(of_all, self._batches(FOUND_ACTIVE, JOBS.c.fetch_by, now)):
            count += self._cancel([job for job in jobs if self._is_overdue(job)])
        return count

    def _batches(
        self, which: ColumnElement[bool], moment: ColumnElement[datetime], until: datetime
    ) -> Iterator[Sequence[Row]]:
        """Yield jobs of which runs wait, perhaps too long, by this *moment* of theirs, ``BATCH`` at a time."""
        query = (
            select(JOBS.c.number, JOBS.c.id, JOBS.c.started_at, JOBS.c.starts_at, JOBS.c.options, moment.label("at"))
            .where(which, moment <= until, exists().where(RUNS.c.job_id == JOBS.c.id, _WAITING))
            .order_by(moment, JOBS.c.number)
            .limit(BATCH)
        )
        rest = query
        while True:
            with self._datastore.read() as session:
                jobs = session.connection().execute(rest).mappings().all()
            if not jobs:
                return
            yield jobs
            last = jobs[-1]
            rest = query.where(moment >= last["at"], (moment > last["at"]) | (JOBS.c.number > last["number"]))

    def _is_overdue(self, job: Row) -> bool:
        options: Options = job["options"] or {}
        if options.get("approval") == REQUIRED:
            return False
        begin: datetime = job["started_at"] or job["starts_at"]
        if "approved_at" in options:
            begin = max(begin, datetime.fromisoformat(options["approved_at"]))
        if options.get("local_time"):
            begin += AROUND_THE_EARTH  # its time comes somewhere first, and so much later elsewhere
        return begin + self._launch_timeout(job) <= self._ports.now()

    def _launch_timeout(self, job: Row | None) -> timedelta:
        setting = self._settings.current().number("jobs.launch_timeout_s")
        options = (job["options"] if job is not None else None) or {}
        return timedelta(seconds=options.get("launch_timeout_s", setting))

    def _cancel(self, jobs: Sequence[Row]) -> int:
        """Cancel the runs of *jobs* that still wait; return how many jobs that were."""
        if not jobs:
            return 0
        count = 0
        with self._datastore.begin() as session:
            lock_jobs(session, [job["id"] for job in jobs])
            for job in jobs:
                reason = f"no agent fetched it within {in_words(self._launch_timeout(job))}"
                end = {"state": State.CANCELLED, "stopped_at": self._ports.now(), "reason": reason}
                waiting = update(RUNS).where(RUNS.c.job_id == job["id"], _WAITING)
                ended = session.connection().execute(waiting.values(**end, hold=None, due_at=None)).rowcount
                if ended:
                    self._activation.run_ended(session, job["id"], ended)
                    count += 1
        return count

    def time_out(self) -> int:
        """Abort the jobs that have used up their time, at most ``BATCH``; return how many. They end timed out."""
        over = FOUND_ACTIVE & (JOBS.c.ends_by <= self._ports.now())
        with self._datastore.read() as session:
            jobs = session.execute(
                select(JOBS.c.id, JOBS.c.options).where(over).order_by(JOBS.c.ends_by).limit(BATCH)
            ).all()
        count = 0
        failure: Exception | None = None
        for job in jobs:
            try:
                with self._datastore.begin() as session:
                    lock_jobs(session, [job.id])
                    if session.scalar(select(JOBS.c.id).where(JOBS.c.id == job.id, over)) is not None:
                        reason = f"not done within {in_words(timedelta(seconds=job.options['timeout_s']))}"
                        self._aborting.abort_in(session, [job.id], reason, timed_out=True)
                        count += 1
            except Unavailable:
                raise
            except Exception as error:  # a defect in one job must not keep the others
                log.exception("job.not_timed_out", job_id=str(job.id))
                failure = error
        if failure is not None:
            raise failure  # so that the clock makes a pause
        return count

    def next_end(self) -> datetime | None:
        """Return when the next active job has used up its time; None if none has a limit."""
        with self._datastore.read() as session:
            return session.scalar(select(func.min(JOBS.c.ends_by)).where(FOUND_ACTIVE, JOBS.c.ends_by.is_not(None)))
