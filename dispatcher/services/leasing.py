"""Leasing: runs are lent to agents for a short while; every news of them renews that."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, ScalarSelect, bindparam, func, select, update
from sqlalchemy.orm import Session

from dispatcher.core.attempts import again
from dispatcher.core.errors import Busy, Unavailable
from dispatcher.core.ports import Ports
from dispatcher.core.states import State
from dispatcher.datastore.agents import Agent
from dispatcher.datastore.base import Row
from dispatcher.datastore.jobs import JOBS
from dispatcher.datastore.runs import FETCHABLE, RUNS, SET_RUN
from dispatcher.datastore.transactions import Datastore, after_commit
from dispatcher.services import handover, standings
from dispatcher.services.activation import Activation
from dispatcher.services.devices import targets_of
from dispatcher.services.locking import lock_agents, lock_free_agents, lock_jobs
from dispatcher.services.placing import FREE, Placing
from dispatcher.services.run_orders import LeasedRun, Lent, RunOrders
from dispatcher.services.settings import Settings
from dispatcher.services.standings import Held, Standing
from dispatcher.services.topology import Target, Topology

log = structlog.get_logger(__name__)


#: How long ago an agent may have said what it holds, for it to be taken at its word, in seconds.
FRESH_S = 1.0


@dataclass(slots=True)
class Ask:
    """What an agent asks for: at most ``free`` runs, and what has become of those that it holds.

    ``asked_at`` says when it named these, by the steady clock; None if it has only waited since.
    """

    agent_id: UUID
    free: int
    held: Held
    asked_at: float | None = None


#: How many runs agents have been lent and have not ended. By itself: in a query that locks, MariaDB would lock, and
#: wait for, what is only counted.
_HOW_MANY_LENT = (
    select(RUNS.c.agent_id, func.count())
    .where(RUNS.c.agent_id.in_(bindparam("agents", expanding=True)), RUNS.c.leased_until.is_not(None))
    .group_by(RUNS.c.agent_id)
)

_RUN = select(
    RUNS.c.id, RUNS.c.agent_id, RUNS.c.job_id, RUNS.c.device, JOBS.c.what, JOBS.c.parameters, JOBS.c.options
).join(JOBS, JOBS.c.id == RUNS.c.job_id)
_WAITING = (
    _RUN.add_columns(RUNS.c.fence, JOBS.c.outside_launch_window)
    .where(RUNS.c.agent_id == bindparam("agent"), FETCHABLE)
    .order_by(RUNS.c.id)
    .limit(bindparam("free"))
)
#: Those that were lent as they were made, with the fence that they would have had before.
_HANDED_OVER = _RUN.add_columns((RUNS.c.fence - 1).label("fence")).where(
    RUNS.c.id.in_(bindparam("ids", expanding=True)),
    RUNS.c.fence == handover.FENCE,
    RUNS.c.state == State.PENDING,
    RUNS.c.leased_until.is_not(None),
)
_LEASE = (
    update(RUNS)
    .where(RUNS.c.id == bindparam("key"))
    .values(leased_until=bindparam("until"), fence=RUNS.c.fence + 1, attempt=RUNS.c.attempt + 1)
)
_WAITING_LOCKED = _WAITING.with_for_update(of=RUNS, key_share=True, skip_locked=True)


def _first(which: ColumnElement[bool]) -> ScalarSelect[UUID]:
    """Return the oldest run of an agent that is so, as a query.

    In this order, for its index is what finds the first of thousands, or that there is none, on every database: without
    it PostgreSQL and MariaDB may read all runs, and once for each agent.
    """
    query = select(RUNS.c.id).where(RUNS.c.agent_id == Agent.id, which).order_by(RUNS.c.id).limit(1)
    return query.scalar_subquery()


_WITH_ORDERS = select(Agent.id).where(
    Agent.id.in_(bindparam("agents", expanding=True)),
    _first(FETCHABLE).is_not(None) | _first(RUNS.c.state == State.ABORTING).is_not(None),
)


class Leasing:
    """Lends runs to agents."""

    def __init__(
        self,
        datastore: Datastore,
        ports: Ports,
        *,
        settings: Settings,
        topology: Topology,
        placing: Placing,
        run_orders: RunOrders,
        activation: Activation,
        lease: timedelta,
    ) -> None:
        self._datastore = datastore
        self._ports = ports
        self._settings = settings
        self._topology = topology
        self._placing = placing
        self._run_orders = run_orders
        self._activation = activation
        self._lease = lease
        #: Agents that were given less than waits for them, because they had as many runs as one may have.
        self._full: set[UUID] = set()

    @property
    def lease_s(self) -> float:
        """How long a run may go without news of it, in seconds."""
        return self._lease.total_seconds()

    def until(self) -> datetime:
        """Return when a lease that begins now is over."""
        return self._ports.now() + self._lease

    def steady(self) -> float:
        """Return the moment that an agent says something at, for ``Ask.asked_at``."""
        return self._ports.steady()

    def has_orders(self, agent_ids: Collection[UUID]) -> set[UUID]:
        """Return which of *agent_ids* have a run to fetch or to abort, by one query."""
        with self._datastore.read() as session:
            return set(session.connection().execute(_WITH_ORDERS, {"agents": list(agent_ids)}).scalars())

    def with_business(self, agent_ids: Collection[UUID]) -> set[UUID]:
        """Return which of the agents have something to fetch or to abort, or were lent something and have not begun it.

        By one query: agents that wait have nothing of the sort.
        """
        with self._datastore.read() as session:
            return standings.with_business(session, agent_ids)

    def orders_of(self, asks: Sequence[Ask]) -> list[tuple[list[LeasedRun], Standing]]:
        """Lend to each of *asks*, which are of different agents, what it may have; return that, and its standing.

        That is at most ``free`` waiting runs, oldest first, each for one lease time; with those that it has never more
        than ``agents.parallel_runs``, whatever it claims to hold. A run that may not start now, because of the agent's
        launch window, is held until it may, or fails. The leases of what it holds are renewed.
        """
        with ExitStack() as stack:
            # One commit for both. Elsewhere a report may hold these runs and wait for what leasing locks.
            if self._datastore.traits.single_writer:
                stack.enter_context(self._datastore.begin())
            with self._datastore.begin() as session:
                stands = standings.renew(session, {ask.agent_id: ask.held for ask in asks}, self.until())
            leased, ended, unserved = self._lend({ask.agent_id: ask.free for ask in asks if ask.free > 0})
        self._fail(ended)
        for agent_id in unserved:
            stands[agent_id].is_unserved = True
        return [(leased.get(ask.agent_id, []), stands[ask.agent_id]) for ask in asks]

    def _lend(self, free: Mapping[UUID, int]) -> tuple[*Lent, set[UUID]]:
        """Lend runs to the agents, which have so many slots *free*; return them, and what is left to ``_fail``.

        And the agents to which nothing could be lent, because others have locked them for too long.
        """
        if not free:
            return {}, [], set()
        with self._datastore.begin() as session:
            locked = self._lock(session, free)
            leased, ended = self._lend_in(session, {agent_id: free[agent_id] for agent_id in locked})
        unserved = free.keys() - locked
        for agent_id in sorted(unserved):
            # By itself: while we wait for it, nobody waits for another agent that is locked here.
            try:
                late = again(partial(self._lend, {agent_id: free[agent_id]}))
            except Unavailable as error:  # the others' runs are lent already; this agent asks again
                log.warning("agent.locked", agent_id=str(agent_id))
                if isinstance(error, Busy):
                    break  # all have waited long enough
            else:
                leased |= late[0]
                ended += late[1]
                unserved.discard(agent_id)
        return leased, ended, unserved

    def _lock(self, session: Session, agent_ids: Collection[UUID]) -> Collection[UUID]:
        """Lock the only one of the agents, or those of several that nobody else has locked; return which that is.

        Two polls of one agent, here and at another dispatcher, must not both count the same room as theirs.
        """
        if not self._datastore.traits.skip_locked:
            return agent_ids
        if len(agent_ids) > 1:
            return lock_free_agents(session, agent_ids)
        lock_agents(session, agent_ids)
        return agent_ids

    def _lend_in(self, session: Session, free: Mapping[UUID, int]) -> Lent:
        """Do what ``_lend`` does, for agents that are locked."""
        rows = self._waiting(session, free)
        targets = targets_of(session, self._topology, rows) if rows else {}
        rows, ended = self._in_window(session, targets, [row for row in rows if row["id"] in targets])
        if not rows and not ended:
            return {}, []
        until = self._ports.now() + self._lease
        taken = [*rows, *(row for row, _ in ended)]
        session.connection().execute(_LEASE, [{"key": row["id"], "until": until} for row in taken])
        leased, unplanned = self._run_orders.plan(session, rows, targets)
        return leased, ended + unplanned

    def lent(self, run_ids: Collection[UUID]) -> dict[UUID, list[LeasedRun]]:
        """Return, by agent, those of *run_ids* that were lent as they were made and still are, to be handed over."""
        with self._datastore.read() as session:
            rows = list(session.connection().execute(_HANDED_OVER, {"ids": list(run_ids)}).mappings())
            targets = targets_of(session, self._topology, rows)
            leased, ended = self._run_orders.plan(session, [row for row in rows if row["id"] in targets], targets)
        self._fail(ended)
        return leased

    def slot_freed(self, session: Session, agent_id: UUID) -> None:
        """Wake the agent after the transaction if more waits for it than it could be given: a run of it has ended."""
        if agent_id in self._full:
            self._full.discard(agent_id)
            after_commit(session, lambda: self._ports.wakeup.agents([agent_id]))

    def _waiting(self, session: Session, free: Mapping[UUID, int]) -> list[Row]:
        """Return the runs that the agents may fetch, at most *free* each and no more than they have room for."""
        query = _WAITING_LOCKED if self._datastore.traits.skip_locked else _WAITING
        limit = self._settings.current().number("agents.parallel_runs")
        rows: list[Row] = []
        for agent_id, wanted in free.items():
            # One by one: no database can limit what it returns for each of several agents, and thousands may wait.
            found = session.connection().execute(query, {"agent": agent_id, "free": min(wanted, limit)})
            rows += found.mappings()
        if not rows:
            return rows
        agents = list({row["agent_id"] for row in rows})
        room = dict.fromkeys(agents, limit)
        for agent_id, lent in session.connection().execute(_HOW_MANY_LENT, {"agents": agents}):
            room[agent_id] = limit - lent
        fitting = []
        for row in rows:
            if room[row["agent_id"]] <= 0:
                self._full.add(row["agent_id"])
                continue
            room[row["agent_id"]] -= 1
            fitting.append(row)
        return fitting

    def _in_window(
        self, session: Session, targets: Mapping[UUID, Target], rows: list[Row]
    ) -> tuple[list[Row], list[tuple[Row, str]]]:
        """Hold those of *rows* that wait for the launch windows of their *targets*.

        Return those that start now, and with the reason those that fail instead.
        """
        if not self._placing.windows.concern(targets.values()):
            return rows, []
        now = self._ports.now()
        places = [(row, self._placing.in_window(row, targets[row["id"]], now)) for row in rows]
        held = [(row, place) for row, place in places if place.hold is not None]
        for row, place in held:
            values = {"key": row["id"], "hold": place.hold, "due_at": place.due_at}
            session.connection().execute(SET_RUN, values)
        if held:
            after_commit(session, self._ports.wakeup.engine)
        free = [row for row, place in places if place == FREE]
        return free, [(row, place.reason) for row, place in places if place.state is State.FAILED]

    def _fail(self, ended: Iterable[tuple[Row, str]]) -> None:
        """Fail the runs that have just been lent as these rows, for these reasons, unless they have moved on since."""
        for row, reason in ended:
            try:
                again(partial(self._fail_one, row, reason))
            except Exception:  # the others' runs are lent already; this one comes back when its lease is over
                log.exception("run.not_failed", run_id=str(row["id"]))

    def _fail_one(self, row: Row, reason: str) -> None:
        # In a transaction of its own: jobs are locked before their runs, and lending begins with a run.
        with self._datastore.begin() as session:
            lock_jobs(session, [row["job_id"]])
            lent = (RUNS.c.id == row["id"]) & (RUNS.c.fence == row["fence"] + 1) & (RUNS.c.state == State.PENDING)
            end = {"state": State.FAILED, "leased_until": None, "stopped_at": self._ports.now(), "reason": reason}
            if session.connection().execute(update(RUNS).where(lent).values(end)).rowcount:
                self._activation.run_ended(session, row["job_id"])

    def reclaim_of(self, asks: Iterable[Ask]) -> None:
        """Let the runs wait again that were lent to agents but never reached them: their *asks* do not name them.

        Those that were lent after ``asked_at``, when the agent said that, stay: this dispatcher may have stood still
        while another one served the agent. Nothing is done for *asks* without that time, nor for old ones: by the clock
        on the wall, which may have been set meanwhile, nobody could tell what was lent after them.
        """
        steady, until = self._ports.steady(), self.until()
        said = {
            ask.agent_id: (ask.held, until - timedelta(seconds=steady - ask.asked_at))
            for ask in asks
            if ask.asked_at is not None and steady - ask.asked_at <= FRESH_S
        }
        if not said:
            return
        with self._datastore.read() as session:  # there is hardly ever one, and writers wait for each other
            found = standings.unreached(session, said)
        if found:
            with self._datastore.begin() as session:
                standings.take_back(session, found)
