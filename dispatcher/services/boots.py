"""Boots: what waited for the next boot of an agent goes on, and what occurs at every boot occurs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import structlog
from sqlalchemy import exists, insert, select, update
from sqlalchemy.orm import Session

from dispatcher.core.holds import Hold
from dispatcher.core.jobs import Invoker, Who, WhoKind
from dispatcher.core.ports import Ports
from dispatcher.core.schedules import BOOT, NEVER, Outcome, paused_until
from dispatcher.core.states import State
from dispatcher.datastore.base import Row
from dispatcher.datastore.jobs import JOBS
from dispatcher.datastore.queues import QUEUED
from dispatcher.datastore.runs import RUNS
from dispatcher.datastore.schedules import OCCURRENCES, SCHEDULES
from dispatcher.datastore.transactions import OUT_OF_ORDER, after_commit
from dispatcher.services.firing import Firing, Wanted
from dispatcher.services.recurring import new_entry
from dispatcher.services.starting import to_entry, to_who
from dispatcher.services.topology import Topology

log = structlog.get_logger(__name__)

_INSTANT = timedelta(microseconds=1)
#: Recurring jobs that occur at every boot, with their schedules; they have no due time.
_AT_EVERY_BOOT = (
    select(JOBS, SCHEDULES.c.paused_until, SCHEDULES.c.last_due_at)
    .join(SCHEDULES, SCHEDULES.c.job_id == JOBS.c.id)
    .where(JOBS.c.state.in_((State.SCHEDULED, State.DISABLED)), JOBS.c.starts_at == NEVER, SCHEDULES.c.rule == BOOT)
    .order_by(JOBS.c.id)
)


class Boots:
    """Does what a boot brings about. Every method works inside the caller's transaction."""

    def __init__(self, ports: Ports, topology: Topology, firing: Firing) -> None:
        self._ports = ports
        self._topology = topology
        self._firing = firing

    def booted(self, session: Session, agent_id: UUID, *, is_first: bool) -> None:
        """Let the runs of the agent go that waited for its boot, and fire the jobs that occur at every boot of it.

        With *is_first* nothing was known of its boots: that it was booted just now is not known either, and nothing
        is fired.
        """
        patterns = [] if is_first else self._concerned(session, agent_id)
        self._let_go(session, agent_id)
        for pattern in patterns:
            try:
                with session.connection().begin_nested():
                    self._occur(session, pattern, agent_id)
            except OUT_OF_ORDER:
                raise  # the boot is not noted either: the agent tells of it again
            except Exception:  # a defect in one job must not keep the others, nor the agent from working
                log.exception("boot.not_fired", job_id=str(pattern["id"]), agent_id=str(agent_id))

    def _let_go(self, session: Session, agent_id: UUID) -> None:
        """Let the runs of the agent go that waited for its boot, or join their queues. They are locked by ids."""
        waiting = (RUNS.c.agent_id == agent_id) & (RUNS.c.state == State.PENDING) & (RUNS.c.hold == Hold.BOOT)
        locked = select(RUNS.c.id).where(waiting).order_by(RUNS.c.id).with_for_update(key_share=True)
        if session.connection().execute(locked).all():
            is_queued = exists().where(QUEUED.c.run_id == RUNS.c.id)
            session.connection().execute(update(RUNS).where(waiting, is_queued).values(hold=Hold.QUEUE))
            session.connection().execute(update(RUNS).where(waiting).values(hold=None))
            after_commit(session, lambda: self._ports.wakeup.agents([agent_id]))
            after_commit(session, self._ports.wakeup.engine)

    def _concerned(self, session: Session, agent_id: UUID) -> Sequence[Row]:
        """Return the recurring jobs that occur at every boot of the agent, locked: each has a moment of its own."""
        patterns = session.connection().execute(_AT_EVERY_BOOT.with_only_columns(JOBS.c.id, JOBS.c.who)).all()
        named = {pattern.id: [to_who(entry) for entry in pattern.who] for pattern in patterns}
        teams = {who.id for chosen in named.values() for who in chosen if who.kind is WhoKind.TEAM}
        meant = {agent_id} | self._topology.teams_of(session, agent_id, teams)
        concerned = [job_id for job_id, chosen in named.items() if any(who.id in meant for who in chosen)]
        if not concerned:
            return []
        query = _AT_EVERY_BOOT.where(JOBS.c.id.in_(concerned)).with_for_update(of=[JOBS, SCHEDULES], key_share=True)
        return session.connection().execute(query).mappings().all()

    def _occur(self, session: Session, pattern: Row, agent_id: UUID) -> None:
        """Bring the boot into the ledger of *pattern*, with its job."""
        now, last = self._ports.now(), pattern["last_due_at"]
        due_at = now if last is None else max(now, last + _INSTANT)
        entry = new_entry(pattern["id"], due_at, now, Outcome.SKIPPED)
        if pattern["state"] == State.DISABLED:
            entry["reason"] = "disabled"
        elif pattern["paused_until"] is not None and pattern["paused_until"] > now:
            entry["reason"] = paused_until(pattern["paused_until"])
        else:
            agent = self._topology.targets(session, [agent_id])[agent_id]
            who = [to_entry(Who(agent.id, agent.name, WhoKind.AGENT))]
            [entry["job_id"]] = self._firing.fire(session, [Wanted(pattern, due_at, who, Invoker.BOOT)])
            entry["outcome"] = Outcome.FIRED
        session.connection().execute(insert(OCCURRENCES), entry)
        noted = update(SCHEDULES).where(SCHEDULES.c.job_id == pattern["id"]).values(last_due_at=due_at)
        session.connection().execute(noted)
