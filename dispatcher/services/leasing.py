"""Leasing: runs are lent to agents for a short while, renewed by every news of them, and taken back without."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import bindparam, delete, func, select, update
from sqlalchemy.orm import Session

from dispatcher.core.attempts import again
from dispatcher.core.definitions import PlannedModule, PlannedRun
from dispatcher.core.errors import Unavailable
from dispatcher.core.parameters import Parameter
from dispatcher.core.ports import Ports
from dispatcher.core.states import FINISHED, Event, State, move
from dispatcher.datastore.agents import Agent
from dispatcher.datastore.base import Row
from dispatcher.datastore.jobs import JOBS
from dispatcher.datastore.runs import CHUNKS, RUNS, TASK_RESULTS
from dispatcher.datastore.transactions import Datastore, after_commit
from dispatcher.services import standings
from dispatcher.services.activation import Activation
from dispatcher.services.locking import lock_agents, lock_jobs
from dispatcher.services.placing import FREE, Placing
from dispatcher.services.plans import Plans
from dispatcher.services.settings import Settings
from dispatcher.services.standings import UNSETTLED, Held, Standing
from dispatcher.services.topology import Target, Topology

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class LeasedRun:
    """A run that an agent shall do: its modules in order, with the values their tasks see, and the ``scopes`` of those.

    ``scopes`` are as in ``core.definitions.PlannedRun``. Runs of one job may share both lists.
    """

    id: UUID
    job_id: UUID
    fence: int
    modules: list[PlannedModule]
    scopes: list[list[Parameter] | None] = field(default_factory=list)


@dataclass(slots=True)
class Ask:
    """What an agent asks for: at most ``free`` runs, and what has become of those that it holds.

    ``asked_at`` says when it named these; None if it has only waited since.
    """

    agent_id: UUID
    free: int
    held: Held
    asked_at: datetime | None = None


#: Runs that their agents may fetch.
_FREE = (RUNS.c.state == State.PENDING) & RUNS.c.leased_until.is_(None) & RUNS.c.hold.is_(None)
#: How many runs agents have been lent and have not ended. By itself: in a query that locks, MariaDB would lock, and
#: wait for, what is only counted.
_HOW_MANY_LENT = (
    select(RUNS.c.agent_id, func.count())
    .where(RUNS.c.agent_id.in_(bindparam("agents", expanding=True)), RUNS.c.leased_until.is_not(None))
    .group_by(RUNS.c.agent_id)
)
_WAITING = (
    select(
        RUNS.c.id,
        RUNS.c.agent_id,
        RUNS.c.fence,
        RUNS.c.job_id,
        JOBS.c.what,
        JOBS.c.parameters,
        JOBS.c.outside_launch_window,
    )
    .join(JOBS, JOBS.c.id == RUNS.c.job_id)
    .where(RUNS.c.agent_id == bindparam("agent"), _FREE)
    .order_by(RUNS.c.id)
    .limit(bindparam("free"))
)
_LEASE = (
    update(RUNS)
    .where(RUNS.c.id == bindparam("key"))
    .values(leased_until=bindparam("until"), fence=RUNS.c.fence + 1, attempt=RUNS.c.attempt + 1)
)
_WITH_ORDERS = (
    select(RUNS.c.agent_id)
    .where(
        RUNS.c.agent_id.in_(bindparam("agents", expanding=True)),
        UNSETTLED,
        _FREE | (RUNS.c.state == State.ABORTING),
    )
    .distinct()
)
_WAITING_LOCKED = _WAITING.with_for_update(of=RUNS, key_share=True, skip_locked=True)
#: Sets the columns that are named beside its own parameter.
_SET = update(RUNS).where(RUNS.c.id == bindparam("key"))


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
        plans: Plans,
        activation: Activation,
        lease: timedelta,
    ) -> None:
        self._datastore = datastore
        self._ports = ports
        self._settings = settings
        self._topology = topology
        self._placing = placing
        self._plans = plans
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

    def orders(self, agent_id: UUID, free: int, held: Held) -> tuple[list[LeasedRun], Standing]:
        """Return what ``lease`` and ``standing`` would; where that helps, in one transaction: an agent waits for it."""
        return self.orders_of([Ask(agent_id, free, held)])[0]

    def orders_of(self, asks: Sequence[Ask]) -> list[tuple[list[LeasedRun], Standing]]:
        """Return for each of *asks*, which are of different agents, what ``orders`` would, by a few statements."""
        with ExitStack() as stack:
            # One commit for both. Elsewhere a report may hold these runs and wait for what leasing locks.
            if self._datastore.traits.single_writer:
                stack.enter_context(self._datastore.begin())
            with self._datastore.begin() as session:
                stands = standings.renew(session, {ask.agent_id: ask.held for ask in asks}, self.until())
            leased, ended = self._lend({ask.agent_id: ask.free for ask in asks if ask.free > 0})
        self._fail(ended)
        return [(leased.get(ask.agent_id, []), stands[ask.agent_id]) for ask in asks]

    def lease(self, agent_id: UUID, free: int) -> list[LeasedRun]:
        """Lend at most *free* waiting runs to the agent, oldest first; each for one lease time.

        Together with those it has it never gets more than ``agents.parallel_runs``, whatever it claims to hold. A run
        that may not start now, because of the agent's launch window, is held until it may, or fails.
        """
        return self.orders(agent_id, free, [])[0]

    def _lend(self, free: Mapping[UUID, int]) -> tuple[Mapping[UUID, list[LeasedRun]], list[tuple[Row, str]]]:
        """Do for each agent, which has so many slots *free*, what ``lease`` does; return what is left to ``_fail``."""
        leased: defaultdict[UUID, list[LeasedRun]] = defaultdict(list)
        if not free:
            return leased, []
        with self._datastore.begin() as session:
            rows = self._waiting(session, free)
            targets = self._topology.targets(session, {row["agent_id"] for row in rows}) if rows else {}
            rows, ended = self._in_window(session, targets, [row for row in rows if row["agent_id"] in targets])
            if not rows and not ended:
                return leased, []
            until = self._ports.now() + self._lease
            taken = [*rows, *(row for row, _ in ended)]
            session.connection().execute(_LEASE, [{"key": row["id"], "until": until} for row in taken])
            plans: dict[tuple[UUID, str], PlannedRun] = {}
            for row in rows:
                try:
                    planned = self._planned(session, row, targets[row["agent_id"]].os, plans)
                except Unavailable as error:
                    ended.append((row, error.message))
                else:
                    run = LeasedRun(row["id"], row["job_id"], row["fence"] + 1, planned.modules, planned.scopes)
                    leased[row["agent_id"]].append(run)
        return leased, ended

    def slot_freed(self, session: Session, agent_id: UUID) -> None:
        """Wake the agent after the transaction if more waits for it than it could be given: a run of it has ended."""
        if agent_id in self._full:
            self._full.discard(agent_id)
            after_commit(session, lambda: self._ports.wakeup.agents([agent_id]))

    def _waiting(self, session: Session, free: Mapping[UUID, int]) -> list[Row]:
        """Return the runs that the agents may fetch, at most *free* each and no more than they have room for."""
        query = _WAITING
        if self._datastore.traits.skip_locked:
            # Two polls of one agent, here and at another dispatcher, must not both count the same room as theirs.
            lock_agents(session, free)
            query = _WAITING_LOCKED
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
        places = [(row, self._placing.in_window(row, targets[row["agent_id"]], now)) for row in rows]
        held = [(row, place) for row, place in places if place.hold is not None]
        for row, place in held:
            self._set(session, row["id"], hold=place.hold, due_at=place.due_at)
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

    def standing(self, agent_id: UUID, held: Held) -> Standing:
        """Renew the leases of *held* (run id, fence) and return what has become of those runs.

        ``lost`` are those that are not the agent's any more; ``aborts`` those it must end, whether it named them
        or not (it may have been restarted).
        """
        with self._datastore.begin() as session:
            return standings.renew(session, {agent_id: held}, self.until())[agent_id]

    def reclaim(self, agent_id: UUID, held: Held, asked_at: datetime | None = None) -> None:
        """Let the runs wait again that were lent to the agent but never reached it: it does not name them in *held*.

        Those that were lent after *asked_at*, when the agent said that, stay: this dispatcher may have stood still
        while another one served the agent.
        """
        self.reclaim_of([Ask(agent_id, 0, held, asked_at or self._ports.now())])

    def reclaim_of(self, asks: Iterable[Ask]) -> None:
        """Do for each of *asks*, which are of different agents, what ``reclaim`` does; not for those without a time."""
        said = {ask.agent_id: (ask.held, ask.asked_at + self._lease) for ask in asks if ask.asked_at is not None}
        if not said:
            return
        with self._datastore.read() as session:  # there is hardly ever one, and writers wait for each other
            found = standings.unreached(session, said)
        if found:
            with self._datastore.begin() as session:
                standings.take_back(session, found)

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
        soonest = self._ports.now() + self._lease
        with self._datastore.read() as session:
            return min(session.scalar(select(func.min(RUNS.c.leased_until))) or soonest, soonest)

    def is_holding(self, agent_id: UUID) -> bool:
        """Whether the agent has a run that it has not reported the end of."""
        with self._datastore.read() as session:
            held = select(RUNS.c.id).where(RUNS.c.agent_id == agent_id, RUNS.c.leased_until.is_not(None))
            return session.scalar(held.limit(1)) is not None

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
                    reason = f"outcome unknown: no news from the agent for {silence:.0f} s"
                    self.give_up(session, row, reason, may_be_held=not row.begun)
        return len(found)

    def give_up(self, session: Session, row: Any, reason: str, *, may_be_held: bool = False) -> None:
        """End the attempt at the run *row* that its agent has lost: requeue the run, or fail it for *reason*.

        With *may_be_held* its fence stands until it is lent again: the agent may have begun it and not be able to
        say so. Should it name it in its next call, it goes on. The caller has locked its job.
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
            # Under another fence what the lost attempt still reports changes nothing.
            fence = row.fence if may_be_held else row.fence + 1
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
        session.connection().execute(_SET, {"key": run_id, **values})

    def _planned(self, session: Session, row: Row, os: str, plans: dict[tuple[UUID, str], PlannedRun]) -> PlannedRun:
        """Return what the run does, for the agent; *plans* are those that have been made for runs of the same batch.

        :raises Unavailable: if its secrets cannot be opened.
        """
        planned = plans.get((row["job_id"], os))
        if planned is None:
            planned = self._plans.run(session, row["what"], row["parameters"], os)
            plans[row["job_id"], os] = planned
        return planned
