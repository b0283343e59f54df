"""Clockwork: what has to happen when its time comes, whether anybody asks or not."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select

from dispatcher.core.ports import Ports
from dispatcher.core.states import State
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.activation import JOBS, RUNS, Activation

#: How many due jobs are started in one transaction.
BATCH = 100


class Clockwork:
    """Starts the jobs that are due."""

    def __init__(self, datastore: Datastore, ports: Ports, activation: Activation) -> None:
        self._datastore = datastore
        self._ports = ports
        self._activation = activation

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
                query = query.with_for_update(skip_locked=True)
            due = session.connection().execute(query).mappings().all()
            for job in due:
                self._activation.activate(session, job)
        return len(due)

    def next_moment(self) -> datetime | None:
        """Return when the next job is due or the next lease is over, whichever comes first; None for neither."""
        with self._datastore.read() as session:
            due = session.scalar(select(func.min(JOBS.c.starts_at)).where(JOBS.c.state == State.SCHEDULED))
            lease = session.scalar(select(func.min(RUNS.c.leased_until)))
        return min((moment for moment in (due, lease) if moment is not None), default=None)
