"""Recovery: runs whose agents have not been heard of for a lease time are taken back, to be lent again or to fail."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from dispatcher.core.attempts import again
from dispatcher.core.errors import Busy, Deadlock
from dispatcher.core.patience import patient_for
from dispatcher.core.ports import Ports
from dispatcher.core.states import FINISHED, Event, State, move
from dispatcher.datastore.configurations import FETCHED_PARTS
from dispatcher.datastore.jobs import JOBS
from dispatcher.datastore.runs import CHUNKS, RUNS, SET_RUN, TASK_RESULTS
from dispatcher.datastore.targets import target, with_targets
from dispatcher.datastore.transactions import Datastore, after_commit
from dispatcher.services.activation import Activation
from dispatcher.services.locking import lock_jobs
from dispatcher.services.plans import Plans

#: How long to wait for a run whose job somebody has locked, in seconds; after that it is a suspect anew.
PATIENCE_S = 0.2
#: What a run does, and on which platform.
_PLANNED = with_targets(select(JOBS.c.what, target("os"))).join(JOBS, JOBS.c.id == RUNS.c.job_id)


class Recovery:
    """Takes runs back from agents."""

    def __init__(
        self, datastore: Datastore, ports: Ports, *, plans: Plans, activation: Activation, lease: timedelta
    ) -> None:
        self._datastore = datastore
        self._ports = ports
        self._plans = plans
        self._activation = activation
        self._lease = lease
        #: Leases that are over by the clock on the wall: until when they were, and since when that is known here.
        self._suspects: dict[UUID, tuple[datetime, float]] = {}

    def extend_all(self, by: timedelta) -> None:
        """Give every held run *by* from now: after an absence of the server, agents need time to report."""
        now = self._ports.now()
        # What has not begun needs no more than a lease: it loses nothing when that is over.
        is_pending = RUNS.c.state == State.PENDING
        with self._datastore.begin() as session:
            for which, time in ((is_pending, min(by, self._lease)), (~is_pending, by)):
                # Those with more time, too: if the clock was set back, they would not be missed for as long.
                lent = RUNS.c.leased_until.is_not(None) & which
                session.execute(update(RUNS).where(lent).values(leased_until=now + time))

    def next_moment(self) -> datetime:
        """Return when the next lease may be over: nobody tells the engine of those that begin while it sleeps."""
        now, steady = self._ports.now(), self._ports.steady()
        waits = [since + self._grace_s - steady for _, since in self._suspects.values()]
        soonest = now + min(self._lease, timedelta(seconds=max(0.0, min(waits, default=self._lease.total_seconds()))))
        with self._datastore.read() as session:
            ends = select(func.min(RUNS.c.leased_until)).where(RUNS.c.leased_until >= now)
            return min(session.scalar(ends) or soonest, soonest)

    def is_holding(self, agent_id: UUID) -> bool:
        """Whether the agent has a run that it has not reported the end of."""
        with self._datastore.read() as session:
            held = select(RUNS.c.id).where(RUNS.c.agent_id == agent_id, RUNS.c.leased_until.is_not(None))
            return session.scalar(held.limit(1)) is not None

    def take_back(self) -> int:
        """End or requeue the runs whose lease is over; return how many.

        One that had not begun, or of which only repeatable tasks had, waits again; another one that had begun has
        failed with an unknown outcome, unless it was to be aborted.

        The clock on the wall may be set at any moment, and others write what theirs says: a lease that is over by it
        is over in truth only if nobody has renewed it for another half of the lease time, by a clock that nobody sets.
        """
        taken = 0
        locked: set[UUID] = set()
        for run_id, job_id, leased_until in self._silent():
            # One transaction each, and little patience: a run that cannot be taken back must not keep the others.
            try:
                if job_id not in locked:
                    with patient_for(PATIENCE_S):
                        taken += again(partial(self._take_one_back, run_id, job_id, leased_until))
                    continue
            except (Busy, Deadlock):
                locked.add(job_id)
            self._suspects[run_id] = leased_until, self._ports.steady()
        return taken

    def _take_one_back(self, run_id: UUID, job_id: UUID, leased_until: datetime) -> bool:
        """Take the run back if its lease still is what it was; return whether it was."""
        with self._datastore.begin() as session:
            lock_jobs(session, [job_id])
            is_silent = (RUNS.c.id == run_id) & (RUNS.c.leased_until == leased_until)
            row = session.execute(select(RUNS).where(is_silent).with_for_update(key_share=True)).one_or_none()
            if row is not None:
                silence = self._lease.total_seconds()
                reason = f"outcome unknown: no news from the agent for {silence:.0f} s"
                self.give_up(session, row, reason, may_be_held=not row.begun)
            return row is not None

    @property
    def _grace_s(self) -> float:
        """Agents renew their leases three times in a lease time: a living one has done so once in the half of it."""
        return self._lease.total_seconds() / 2

    def _silent(self) -> list[tuple[UUID, UUID, datetime]]:
        """Return the runs that nobody has renewed the lease of since it was over: id, job and until when it was."""
        over = select(RUNS.c.id, RUNS.c.job_id, RUNS.c.leased_until).where(RUNS.c.leased_until < self._ports.now())
        with self._datastore.read() as session:
            found = session.execute(over.order_by(RUNS.c.leased_until).limit(1_000)).tuples().all()
        steady = self._ports.steady()
        before, self._suspects = self._suspects, {}
        for run_id, _, leased_until in found:
            known, since = before.get(run_id, (None, steady))
            self._suspects[run_id] = leased_until, since if known == leased_until else steady
        return [row for row in found if steady - self._suspects[row[0]][1] >= self._grace_s]

    def give_up(self, session: Session, row: Any, reason: str, *, may_be_held: bool = False) -> None:
        """End the attempt at the run *row* that its agent has lost: requeue the run, or fail it for *reason*.

        With *may_be_held* its fence stands until it is lent again: the agent may have begun it and not be able to
        say so. Should it name it in its next call, it goes on. The caller has locked its job.
        """
        state = State(row.state)
        if state in FINISHED:
            _set(session, row.id, leased_until=None)
            return
        session.execute(delete(FETCHED_PARTS).where(FETCHED_PARTS.c.run_id == row.id))
        if state is not State.ABORTING and (not row.begun or self._is_repeatable(session, row)):
            back = State.PENDING if state is State.PENDING else move(state, Event.REQUEUE)
            # What the lost attempt did is forgotten with it: the next one begins anew.
            session.execute(delete(CHUNKS).where(CHUNKS.c.run_id == row.id))
            session.execute(delete(TASK_RESULTS).where(TASK_RESULTS.c.run_id == row.id))
            # Under another fence what the lost attempt still reports changes nothing.
            fence = row.fence if may_be_held else row.fence + 1
            _set(session, row.id, state=back, fence=fence, leased_until=None)
            _set(session, row.id, started_at=None, begun=False, position=None)
            after_commit(session, lambda: self._ports.wakeup.agents([row.agent_id]))
            return
        end = move(state, Event.FAIL)
        _set(session, row.id, state=end, leased_until=None, stopped_at=self._ports.now(), reason=reason)
        self._activation.run_ended(session, row.job_id)

    def _is_repeatable(self, session: Session, row: Any) -> bool:
        """Whether every task that has begun may be done twice; if it is not known which did, they may not."""
        what, os = session.execute(_PLANNED.where(RUNS.c.id == row.id)).one()
        tasks = [task for module in self._plans.outline(session, what, os) for task in module["tasks"]]
        begun = (row.position or 0) + 1
        return len(tasks) >= begun and all(task["repeatable"] for task in tasks[:begun])


def _set(session: Session, run_id: UUID, **values: Any) -> None:
    session.connection().execute(SET_RUN, {"key": run_id, **values})
