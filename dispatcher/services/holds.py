"""Holds: runs that are held until a moment are let go when it comes."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, func, select, update
from sqlalchemy.orm import Session

from dispatcher.core.holds import Hold
from dispatcher.core.ports import Ports
from dispatcher.core.states import State
from dispatcher.datastore.jobs import JOBS
from dispatcher.datastore.runs import RUNS
from dispatcher.datastore.targets import target, with_targets
from dispatcher.datastore.transactions import Datastore, after_commit

#: How many runs are let go in one transaction.
BATCH = 500
_DUE = (
    select(RUNS.c.id, RUNS.c.agent_id, RUNS.c.hold, JOBS.c.options)
    .join(JOBS, JOBS.c.id == RUNS.c.job_id)
    .order_by(RUNS.c.due_at, RUNS.c.id)
    .limit(BATCH)
)


def look_again(session: Session, now: datetime, agent_ids: Select[tuple[UUID]] | None = None) -> None:
    """Let the runs for these agents, or for all, that wait for a launch window be looked at anew: windows change."""
    held = RUNS.c.due_at.is_not(None) & (RUNS.c.state == State.PENDING) & (RUNS.c.hold == Hold.WINDOW)
    if agent_ids is not None:
        theirs = with_targets(select(RUNS.c.id)).where(held, target("id").in_(agent_ids))
        held &= RUNS.c.id.in_(theirs.correlate(None))
    found = session.scalars(select(RUNS.c.id).where(held).order_by(RUNS.c.id).with_for_update(key_share=True)).all()
    for start in range(0, len(found), BATCH):
        session.execute(update(RUNS).where(RUNS.c.id.in_(found[start : start + BATCH])).values(due_at=now))


class Holds:
    """Lets runs go. What the launch window says by then is looked at when the agent fetches them."""

    def __init__(self, datastore: Datastore, ports: Ports) -> None:
        self._datastore = datastore
        self._ports = ports

    def release_due(self) -> int:
        """Let the runs go whose moment has come, earliest first, at most ``BATCH``; return how many.

        One that is to wait for a boot of its agent, too, begins to do so; a queued one joins its queue.
        """
        with self._datastore.begin() as session:
            query = _DUE.where(RUNS.c.due_at <= self._ports.now(), RUNS.c.state == State.PENDING)
            if self._datastore.traits.skip_locked:
                query = query.with_for_update(of=RUNS, key_share=True, skip_locked=True)
            due = session.connection().execute(query).all()
            freed: dict[UUID, UUID] = {}
            waiting: list[UUID] = []
            queued: list[UUID] = []
            for run in due:
                if run.hold == Hold.MOMENT and (run.options or {}).get("boot"):
                    waiting.append(run.id)
                elif (run.options or {}).get("queued"):
                    queued.append(run.id)
                else:
                    freed[run.id] = run.agent_id
            if freed:
                let_go = update(RUNS).where(RUNS.c.id.in_(freed)).values(hold=None, due_at=None)
                session.connection().execute(let_go)
                after_commit(session, lambda: self._ports.wakeup.agents(set(freed.values())))
            if queued:
                enqueue = update(RUNS).where(RUNS.c.id.in_(queued)).values(hold=Hold.QUEUE, due_at=None)
                session.connection().execute(enqueue)
                after_commit(session, self._ports.wakeup.engine)
            if waiting:
                await_boot = update(RUNS).where(RUNS.c.id.in_(waiting)).values(hold=Hold.BOOT, due_at=None)
                session.connection().execute(await_boot)
        return len(due)

    def next_moment(self) -> datetime | None:
        """Return when the next run is let go; None if none is held until a moment."""
        with self._datastore.read() as session:
            due = (RUNS.c.state == State.PENDING) & RUNS.c.due_at.is_not(None)
            return session.scalar(select(func.min(RUNS.c.due_at)).where(due))
