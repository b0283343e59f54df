"""Queues: the runs of jobs that are ``queued`` are done one after another on the resource that they are for.

A run joins the queue when nothing else holds it any more, and stands there, held, until it is its turn; so nothing that
waits for a boot, a window or an approval keeps others waiting, and nobody waits for somebody who waits for them. The
turn goes by the order in which the runs were made. It is given by the engine of any dispatcher, under a lock of the
resource: in no other place is such a run let go.
"""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import case, delete, func, select, update
from sqlalchemy.orm import Session

from dispatcher.core.attempts import again
from dispatcher.core.errors import Busy, Deadlock, Unavailable
from dispatcher.core.holds import Hold
from dispatcher.core.patience import patient_for
from dispatcher.core.ports import Ports
from dispatcher.core.states import FINISHED, State
from dispatcher.datastore.agents import AGENTS
from dispatcher.datastore.queues import QUEUED
from dispatcher.datastore.runs import RUNS
from dispatcher.datastore.transactions import Datastore, after_commit

log = structlog.get_logger(__name__)

#: How many queues are looked at in one go, and how many rows of runs that have ended go at once.
BATCH = 200
#: How long to wait for a computer that somebody has locked, in seconds: others wait, too.
PATIENCE_S = 1.0
_UNFINISHED = RUNS.c.state.in_(sorted(set(State) - FINISHED))
#: Such a run has its turn: it waits for its agent, or is done.
_HAS_TURN = _UNFINISHED & RUNS.c.hold.is_(None)
_WAITS = (RUNS.c.state == State.PENDING) & (RUNS.c.hold == Hold.QUEUE)


class Queues:
    """Gives the runs in queues their turns."""

    def __init__(self, datastore: Datastore, ports: Ports) -> None:
        self._datastore = datastore
        self._ports = ports
        self._last = 0  #: behind which resource to begin

    def advance(self) -> int:
        """Let the first run go of each queue in which none has its turn, at most ``BATCH``; return how many.

        Those of computers that somebody has locked come last, and not all of them if that takes too long.
        """
        ready = self._ready()
        advanced, locked = 0, []
        for resource in ready:
            one = None if self._datastore.traits.single_writer else self._try(resource, waits=False)
            if one is None:
                locked.append(resource)
            advanced += one or 0
        for resource in locked:
            one = self._try(resource, waits=True)
            if one is None:
                self._last = resource  # all have waited long enough, and it is the last one next time
                break
            advanced += one
        return advanced

    def _ready(self) -> list[int]:
        """Return the resources in whose queues somebody may have the turn, at most ``BATCH``: each one in its time."""
        with self._datastore.read() as session:
            ready = list(session.scalars(_READY.where(QUEUED.c.resource > self._last)))
            if self._last and len(ready) < BATCH:
                ready += session.scalars(_READY.where(QUEUED.c.resource <= self._last))
        ready = ready[:BATCH]
        self._last = ready[-1] if len(ready) == BATCH else 0
        return ready

    def _try(self, resource: int, *, waits: bool) -> int | None:
        """Do what ``_advance`` does; return None if somebody else has locked something, for too long if it *waits*."""
        try:
            with patient_for(PATIENCE_S):
                return again(partial(self._advance, resource, waits=waits))
        except (Busy, Deadlock):  # what others have locked is looked at again soon
            if waits:
                log.warning("queue.not_advanced_yet", resource=resource)
            return None
        except Unavailable:
            raise
        except Exception:  # a defect in one queue must not keep the others
            log.exception("queue.not_advanced", resource=resource)
            return 0

    def _advance(self, resource: int, *, waits: bool) -> int:
        with self._datastore.begin() as session:
            # Locked: another dispatcher may look at the same queue at this moment. Its key is left alone: runs name it.
            lock = select(AGENTS.c.id).where(AGENTS.c.number == resource)
            session.connection().execute(lock.with_for_update(key_share=True, nowait=not waits))
            if session.execute(_in_queue(resource, _HAS_TURN)).first() is not None:
                return 0
            run = session.execute(_in_queue(resource, _WAITS)).first()
            if run is None or not self._still_waits(session, run.id):
                return 0
            session.connection().execute(update(RUNS).where(RUNS.c.id == run.id).values(hold=None, due_at=None))
            agent_id: UUID = run.agent_id
            after_commit(session, lambda: self._ports.wakeup.agents([agent_id]))
        return 1

    def _still_waits(self, session: Session, run_id: UUID) -> bool:
        """Lock the run, and return whether it waits.

        :raises Busy: if somebody else has locked it, to cancel it perhaps. They may wait for the resource, so nobody
            waits for them here; they wake the engine when they are done.
        """
        lock = select(RUNS.c.id).where(RUNS.c.id == run_id, _WAITS)
        if not self._datastore.traits.single_writer:
            lock = lock.with_for_update(key_share=True, nowait=True)
        return session.connection().execute(lock).first() is not None

    def clean(self) -> int:
        """Remove from the queues what has ended; return how many runs there were."""
        over = select(QUEUED.c.run_id).join(RUNS, RUNS.c.id == QUEUED.c.run_id).where(RUNS.c.state.in_(FINISHED))
        with self._datastore.read() as session:
            ended = session.scalars(over.order_by(QUEUED.c.run_id).limit(BATCH)).all()
        if ended:
            with self._datastore.begin() as session:
                session.execute(delete(QUEUED).where(QUEUED.c.run_id.in_(ended)))
        return len(ended)


def _in_queue(resource: int, which: Any) -> Any:
    """Return the query for the first of those runs in the queue of the resource that *which* is true of."""
    found = select(RUNS.c.id, RUNS.c.agent_id).join(QUEUED, QUEUED.c.run_id == RUNS.c.id)
    return found.where(QUEUED.c.resource == resource, which).order_by(RUNS.c.id).limit(1)


def _count(which: Any) -> Any:
    return func.sum(case((which, 1), else_=0))


#: The resources in whose queues somebody waits, and nobody has the turn.
_READY = (
    select(QUEUED.c.resource)
    .join(RUNS, RUNS.c.id == QUEUED.c.run_id)
    .group_by(QUEUED.c.resource)
    .having(_count(_WAITS) > 0, _count(_HAS_TURN) == 0)
    .order_by(QUEUED.c.resource)
    .limit(BATCH)
)
