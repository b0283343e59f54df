"""Batches: the runs of a job are let go a few at a time, and no more of them once too many have failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.orm import Session

from dispatcher.core import holds
from dispatcher.core.holds import Hold
from dispatcher.core.ports import Ports
from dispatcher.core.states import FINISHED, State
from dispatcher.datastore.base import Row
from dispatcher.datastore.jobs import JOBS
from dispatcher.datastore.runs import RUNS
from dispatcher.datastore.transactions import after_commit
from dispatcher.services.devices import targets_of
from dispatcher.services.placing import Place, Placing
from dispatcher.services.topology import Topology

#: How many runs are looked at together, at least: batches may be over before they have begun.
_MANY = 500
_RUN = select(RUNS.c.id, RUNS.c.agent_id, RUNS.c.device)
_BEHIND = (RUNS.c.state == State.PENDING) & (RUNS.c.hold == Hold.BATCH)
_PLACE = (
    update(RUNS)
    .where(RUNS.c.id == bindparam("key"))
    .values(
        state=bindparam("new_state"),
        hold=bindparam("new_hold"),
        due_at=bindparam("new_due_at"),
        reason=bindparam("new_reason"),
        stopped_at=bindparam("new_stopped_at"),
    )
)


class Batches:
    """Moves jobs in batches on. Every method works inside the caller's transaction."""

    def __init__(self, ports: Ports, topology: Topology, placing: Placing) -> None:
        self._ports = ports
        self._topology = topology
        self._placing = placing

    def go_on(self, session: Session, job: Row) -> int:
        """Let the next batch of *job* (its columns) go, or cancel all further ones, if the one before has ended.

        Return how many runs have ended by that. The caller has locked the job.
        """
        options = job["options"]
        if not options or State(job["state"]) is not State.ACTIVE or holds.batch_size(options, 1) is None:
            return 0
        runs = self._runs_by_state(session, job)
        behind = runs.pop(None, 0)
        if not behind or any(state not in FINISHED for state in runs):
            return 0
        ended: dict[State, int] = {state: count for state, count in runs.items() if state is not None}
        reason = holds.stop_reason(options, ended)
        if reason:
            return self._stop(session, job, reason)
        # One that was skipped at the start is in no batch.
        total = behind + sum(count for state, count in ended.items() if state is not State.SKIPPED)
        return self._let_go(session, job, holds.batch_size(options, total) or total, ended)

    def _runs_by_state(self, session: Session, job: Row) -> dict[State | None, int]:
        """Return how many runs are in each state; under None those that no batch has come to."""
        # Not by the index of agents and states: a job may have thousands of runs, an agent may, too.
        query = select(RUNS.c.state, RUNS.c.hold, func.count()).where(RUNS.c.job_id == job["id"])
        counts: dict[State | None, int] = {}
        for state, hold, count in session.execute(query.group_by(RUNS.c.state, RUNS.c.hold)):
            key = None if (state, hold) == (State.PENDING, Hold.BATCH) else State(state)
            counts[key] = counts.get(key, 0) + count
        return counts

    def _stop(self, session: Session, job: Row, reason: str) -> int:
        now = self._ports.now()
        ended = session.connection().execute(
            update(RUNS)
            .where(RUNS.c.job_id == job["id"], _BEHIND)
            .values(state=State.CANCELLED, hold=None, reason=reason, stopped_at=now)
        )
        session.execute(update(JOBS).where(JOBS.c.id == job["id"]).values(reason=reason))
        return int(ended.rowcount)

    def _let_go(self, session: Session, job: Row, size: int, ended: Mapping[State, int]) -> int:
        """Let the next *size* of the runs behind go; return how many of them, and of those after them, are over."""
        # The ids of runs are in the order of the names of their agents.
        query = _RUN.where(RUNS.c.job_id == job["id"], _BEHIND).order_by(RUNS.c.id).limit(max(size, _MANY))
        rows = session.execute(query.with_for_update(key_share=True)).mappings().all()
        return self._place(session, job, rows, size, ended)

    def approved(self, session: Session, job: Row) -> int:
        """Find out where the runs of *job* stand that have waited for its approval; return how many are over."""
        held = _RUN.where(RUNS.c.job_id == job["id"], RUNS.c.hold == Hold.APPROVAL).order_by(RUNS.c.id)
        rows = session.execute(held.with_for_update(key_share=True)).mappings().all()
        return self._place(session, job, rows, max(len(rows), 1), {})

    def begins_at(self, session: Session, job: Row) -> datetime:
        """Return when work can have begun on all targets of *job* that are left, for its time limit."""
        query = _RUN.add_columns(RUNS.c.due_at).where(RUNS.c.job_id == job["id"], RUNS.c.state == State.PENDING)
        rows = session.execute(query).mappings().all()
        targets = targets_of(session, self._topology, rows)
        return self._placing.begins_at(job["options"], list(targets.values()), [row["due_at"] for row in rows])

    def _place(self, session: Session, job: Row, rows: Sequence[Row], size: int, ended: Mapping[State, int]) -> int:
        """Let runs go, *size* of them unless these are over at once; return how many are over."""
        targets = targets_of(session, self._topology, rows)
        gone = [row["id"] for row in rows if row["id"] not in targets]
        rows = [row for row in rows if row["id"] in targets]
        if gone:
            self._cancel(session, gone)
        if not rows:
            return len(gone)
        places, _ = self._placing.next_batch(session, job, [targets[row["id"]] for row in rows], size, ended)
        rows = rows[: len(places)]
        session.connection().execute(
            _PLACE, [self._columns(row["id"], place) for row, place in zip(rows, places, strict=True)]
        )
        self._wake(session, [row["agent_id"] for row in rows], places)
        return len(gone) + sum(place.state in FINISHED for place in places)

    def _cancel(self, session: Session, run_ids: Sequence[UUID]) -> None:
        """Cancel runs whose agents were removed: they were made just when that happened."""
        end = {"state": State.CANCELLED, "reason": "agent was removed", "stopped_at": self._ports.now()}
        session.connection().execute(update(RUNS).where(RUNS.c.id.in_(run_ids)).values(**end, hold=None, due_at=None))

    def _columns(self, run_id: Any, place: Place) -> dict[str, Any]:
        return {
            "key": run_id,
            "new_state": place.state,
            "new_hold": place.hold,
            "new_due_at": place.due_at,
            "new_reason": place.reason,
            "new_stopped_at": self._ports.now() if place.state in FINISHED else None,
        }

    def _wake(self, session: Session, agent_ids: Sequence[Any], places: Sequence[Place]) -> None:
        freed = [agent for agent, place in zip(agent_ids, places, strict=True) if place.hold is None]
        after_commit(session, lambda: self._ports.wakeup.agents(freed))
        after_commit(session, self._ports.wakeup.engine)
