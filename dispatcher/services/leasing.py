"""Leasing: runs are lent to agents for a short while, renewed by every news of them, and taken back without."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, delete, func, select, update
from sqlalchemy.orm import Session

from dispatcher.core.definitions import PlannedModule
from dispatcher.core.errors import Unavailable
from dispatcher.core.ports import Ports
from dispatcher.core.states import FINISHED, Event, State, move
from dispatcher.datastore.agents import Agent
from dispatcher.datastore.base import Row
from dispatcher.datastore.jobs import JOBS
from dispatcher.datastore.runs import CHUNKS, RUNS, TASK_RESULTS
from dispatcher.datastore.transactions import Datastore, after_commit
from dispatcher.services.activation import Activation
from dispatcher.services.locking import lock_jobs
from dispatcher.services.plans import Plans


@dataclass(slots=True)
class LeasedRun:
    """A run that an agent shall do: its modules in order, with the values their tasks see."""

    id: UUID
    job_id: UUID
    fence: int
    modules: list[PlannedModule]


@dataclass(slots=True)
class Standing:
    """What an agent must know of the runs it holds."""

    aborts: list[UUID]
    lost: list[UUID]


_WAITING = (
    select(RUNS.c.id, RUNS.c.fence, RUNS.c.attempt, RUNS.c.job_id, JOBS.c.what, JOBS.c.parameters)
    .join(JOBS, JOBS.c.id == RUNS.c.job_id)
    .where(
        RUNS.c.agent_id == bindparam("agent"),
        RUNS.c.state == State.PENDING,
        RUNS.c.leased_until.is_(None),
    )
    .order_by(RUNS.c.id)
    .limit(bindparam("free"))
)
_LEASE = (
    update(RUNS)
    .where(RUNS.c.id == bindparam("key"))
    .values(leased_until=bindparam("until"), fence=RUNS.c.fence + 1, attempt=RUNS.c.attempt + 1)
)
_ABORTING = select(RUNS.c.id).where(RUNS.c.agent_id == bindparam("agent"), RUNS.c.state == State.ABORTING)


class Leasing:
    """Lends runs to agents."""

    def __init__(
        self, datastore: Datastore, ports: Ports, *, plans: Plans, activation: Activation, lease: timedelta
    ) -> None:
        self._datastore = datastore
        self._ports = ports
        self._plans = plans
        self._activation = activation
        self._lease = lease

    def has_orders(self, agent_ids: Collection[UUID]) -> set[UUID]:
        """Return which of *agent_ids* have a run to fetch or to abort, by one query."""
        waiting = (RUNS.c.state == State.PENDING) & RUNS.c.leased_until.is_(None)
        with self._datastore.read() as session:
            return set(
                session.scalars(
                    select(RUNS.c.agent_id)
                    .where(RUNS.c.agent_id.in_(agent_ids), waiting | (RUNS.c.state == State.ABORTING))
                    .distinct()
                )
            )

    def orders(self, agent_id: UUID, free: int, held: Sequence[tuple[UUID, int]]) -> tuple[list[LeasedRun], Standing]:
        """Return what ``lease`` and ``standing`` would, in one transaction: an agent waits for the answer."""
        with self._datastore.begin() as session:
            standing = self.standing_in(session, agent_id, held)
            return self.lease(agent_id, free), standing

    def lease(self, agent_id: UUID, free: int) -> list[LeasedRun]:
        """Lend at most *free* waiting runs to the agent, oldest first; each for one lease time."""
        if free <= 0:
            return []
        with self._datastore.begin() as session:
            query = _WAITING
            if self._datastore.traits.skip_locked:
                query = query.with_for_update(of=RUNS, key_share=True, skip_locked=True)
            rows = session.connection().execute(query, {"agent": agent_id, "free": free}).mappings().all()
            if not rows:
                return []
            until = self._ports.now() + self._lease
            session.connection().execute(_LEASE, [{"key": row["id"], "until": until} for row in rows])
            os = session.scalar(select(Agent.os).where(Agent.id == agent_id)) or ""
            return [run for row in rows if (run := self._to_leased(session, row, os)) is not None]

    def standing(self, agent_id: UUID, held: Sequence[tuple[UUID, int]]) -> Standing:
        """Renew the leases of *held* (run id, fence) and return what has become of those runs.

        ``lost`` are those that are not the agent's any more; ``aborts`` those it must end, whether it named them
        or not (it may have been restarted).
        """
        with self._datastore.begin() as session:
            return self.standing_in(session, agent_id, held)

    def reclaim(self, agent_id: UUID, held: Sequence[tuple[UUID, int]]) -> None:
        """Let the runs wait again that were lent to the agent but never reached it: it does not name them in *held*."""
        known = [run_id for run_id, _ in held]
        with self._datastore.begin() as session:
            session.connection().execute(
                update(RUNS)
                .where(
                    RUNS.c.agent_id == agent_id,
                    RUNS.c.state == State.PENDING,
                    RUNS.c.leased_until.is_not(None),
                    RUNS.c.id.not_in(known),
                )
                # Another fence: should the agent have got it all the same, its news changes nothing.
                .values(leased_until=None, fence=RUNS.c.fence + 1)
            )

    def standing_in(self, session: Session, agent_id: UUID, held: Sequence[tuple[UUID, int]]) -> Standing:
        """As ``standing``, inside the caller's transaction."""
        connection = session.connection()
        aborts = list(connection.execute(_ABORTING, {"agent": agent_id}).scalars())
        if not held:
            return Standing(aborts, [])
        # Locked, in order of ids: a report of the same agent may be ending one of them at this moment.
        rows = connection.execute(
            select(RUNS.c.id, RUNS.c.fence)
            .where(
                RUNS.c.agent_id == agent_id,
                RUNS.c.id.in_([run_id for run_id, _ in held]),
                RUNS.c.state.not_in(FINISHED),
                RUNS.c.leased_until.is_not(None),
            )
            .order_by(RUNS.c.id)
            .with_for_update(key_share=True)
        ).all()
        current = {(row.id, row.fence) for row in rows}
        kept = [run_id for run_id, fence in held if (run_id, fence) in current]
        if kept:
            until = self._ports.now() + self._lease
            connection.execute(update(RUNS).where(RUNS.c.id.in_(kept)).values(leased_until=until))
        return Standing(aborts, [run_id for run_id, fence in held if (run_id, fence) not in current])

    def extend_all(self, by: timedelta) -> None:
        """Give every held run at least *by* from now: after a pause of the server, agents need time to report."""
        until = self._ports.now() + by
        with self._datastore.begin() as session:
            session.execute(update(RUNS).where(RUNS.c.leased_until < until).values(leased_until=until))

    def next_moment(self) -> datetime | None:
        """Return when the next lease is over; None if nothing is lent."""
        with self._datastore.read() as session:
            return session.scalar(select(func.min(RUNS.c.leased_until)))

    def take_back(self) -> int:
        """End or requeue the runs whose lease is over; return how many there were.

        One that had not begun, or of which only repeatable tasks had, waits again; another one that had begun has
        failed with an unknown outcome, unless it was to be aborted.
        """
        over = RUNS.c.leased_until < self._ports.now()
        with self._datastore.read() as session:
            found = session.execute(select(RUNS.c.id, RUNS.c.job_id).where(over).limit(1_000)).all()
        for run_id, job_id in found:
            # One transaction each: a run that cannot be taken back must not keep the others.
            with self._datastore.begin() as session:
                lock_jobs(session, [job_id])
                query = select(RUNS).where(RUNS.c.id == run_id, over).with_for_update(key_share=True)
                row = session.execute(query).one_or_none()
                if row is not None:
                    silence = self._lease.total_seconds()
                    self.give_up(session, row, f"outcome unknown: no news from the agent for {silence:.0f} s")
        return len(found)

    def give_up(self, session: Session, row: Any, reason: str) -> None:
        """End the attempt at the run *row* that its agent has lost: requeue the run, or fail it for *reason*.

        The caller has locked its job.
        """
        state = State(row.state)
        if state in FINISHED:
            self._set(session, row.id, leased_until=None)
            return
        if state is not State.ABORTING and (not row.begun or self._is_repeatable(session, row)):
            back = State.PENDING if state is State.PENDING else move(state, Event.REQUEUE)
            # What the lost attempt did is forgotten with it: the next one begins anew.
            session.execute(delete(CHUNKS).where(CHUNKS.c.run_id == row.id))
            session.execute(delete(TASK_RESULTS).where(TASK_RESULTS.c.run_id == row.id))
            fence = row.fence + 1  # what the lost attempt still reports changes nothing
            self._set(session, row.id, state=back, fence=fence, leased_until=None)
            self._set(session, row.id, started_at=None, begun=False, position=None)
            after_commit(session, lambda: self._ports.wakeup.agents([row.agent_id]))
            return
        end = move(state, Event.FAIL)
        self._set(session, row.id, state=end, leased_until=None, stopped_at=self._ports.now(), reason=reason)
        self._activation.run_ended(session, row.job_id)

    def _is_repeatable(self, session: Session, row: Any) -> bool:
        """Whether every task that has begun may be done twice."""
        job = session.execute(select(JOBS.c.what).where(JOBS.c.id == row.job_id)).one()
        os = session.scalar(select(Agent.os).where(Agent.id == row.agent_id)) or ""
        tasks = [task for module in self._plans.outline(session, job.what, os) for task in module["tasks"]]
        return all(task["repeatable"] for task in tasks[: (row.position or 0) + 1])

    def _set(self, session: Session, run_id: UUID, **values: Any) -> None:
        session.execute(update(RUNS).where(RUNS.c.id == run_id).values(**values))

    def _to_leased(self, session: Session, row: Row, os: str) -> LeasedRun | None:
        """Return the run as the agent needs it; one whose secrets cannot be opened fails here."""
        try:
            modules = self._plans.modules(session, row["what"], row["parameters"], os)
        except Unavailable as error:
            end = {"state": State.FAILED, "leased_until": None, "stopped_at": self._ports.now()}
            self._set(session, row["id"], reason=error.message, **end)
            self._activation.run_ended(session, row["job_id"])
            return None
        return LeasedRun(row["id"], row["job_id"], row["fence"] + 1, modules)
