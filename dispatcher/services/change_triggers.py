"""Change triggers: a computer tells that its configuration has changed, and the jobs that are for that begin for it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import suppress
from functools import partial
from ipaddress import ip_address
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from dispatcher.core.attempts import again
from dispatcher.core.errors import Unavailable
from dispatcher.core.jobs import Who, WhoKind
from dispatcher.core.permissions import SYSTEM
from dispatcher.core.states import State
from dispatcher.datastore.agents import AGENTS
from dispatcher.datastore.jobs import JOBS
from dispatcher.datastore.runs import RUNS
from dispatcher.datastore.targets import runs_for
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.locking import lock_jobs
from dispatcher.services.on_demand import OnDemand
from dispatcher.services.starting import to_who
from dispatcher.services.topology import Target, Topology

log = structlog.get_logger(__name__)


class ChangeTriggers:
    """Lets recurring jobs occur that have the option ``on_change``, beside their due times."""

    def __init__(self, datastore: Datastore, *, topology: Topology, on_demand: OnDemand) -> None:
        self._datastore = datastore
        self._topology = topology
        self._on_demand = on_demand

    def changed(self, addresses: Collection[str]) -> list[UUID]:
        """Do what is to be done when the computers with these addresses have changed; return the jobs that have begun.

        That is each recurring job with the option whose targets such a computer is one of now: on it alone, and unless
        it is about to begin there anyway.

        :raises Unavailable: if that could not be stored. It may be asked for again.
        """
        with self._datastore.read() as session:
            wanted = list(self._wanted(session, addresses))
        begun = []
        for pattern, target in wanted:
            try:
                job_id = again(partial(self._begin, pattern, target))
            except Unavailable:
                raise
            except Exception:  # it may have been disabled just now, say: the others begin all the same
                log.exception("configuration.change_not_heeded", job=str(pattern), computer=target.name)
                continue
            if job_id is not None:
                log.info("configuration.change_told", computer=target.name, job=str(job_id))
                begun.append(job_id)
        return begun

    def _wanted(self, session: Session, addresses: Collection[str]) -> Iterator[tuple[UUID, Target]]:
        """Give the recurring jobs that are for them, and whom."""
        wanted = {_form(address) for address in addresses}
        # Those of IPv6 may be written in several ways: all of them are looked at.
        may_be = AGENTS.c.address.in_(wanted)
        if any(":" in one for one in wanted):
            may_be |= AGENTS.c.address.contains(":")
        known = select(AGENTS.c.id, AGENTS.c.address).where(may_be, AGENTS.c.removed_at.is_(None))
        computers = {row.id for row in session.execute(known) if _form(row.address) in wanted}
        if not computers:
            return
        recurring = (JOBS.c.state == State.SCHEDULED) & JOBS.c.is_recurring & JOBS.c.options.is_not(None)
        for pattern in session.execute(select(JOBS.c.id, JOBS.c.who, JOBS.c.options).where(recurring)):
            if pattern.options.get("on_change"):
                targets = self._topology.targets_of(session, [to_who(entry) for entry in pattern.who])
                yield from ((pattern.id, target) for target in targets if target.id in computers)

    def _begin(self, pattern: UUID, target: Target) -> UUID | None:
        """Let the recurring job occur on *target*; return its job, or None if a run of it has yet to start there."""
        with self._datastore.begin() as session:
            lock_jobs(session, [pattern])  # another process may have heard of it, too
            waiting = (JOBS.c.recurring_id == pattern) & (RUNS.c.state == State.PENDING)
            for is_for_it in runs_for(target):
                query = select(RUNS.c.id).join(JOBS, JOBS.c.id == RUNS.c.job_id).where(is_for_it, waiting)
                if session.execute(query.limit(1)).first() is not None:
                    return None
            on = [Who(target.id, target.name, WhoKind.AGENT)]
            return self._on_demand.run(pattern, SYSTEM, f"the configuration of {target.name} has changed", on=on).id


def _form(address: str) -> str:
    """Return the address as all write it that mean the same one, without its zone."""
    with suppress(ValueError):
        return str(ip_address(address.partition("%")[0]))
    return address
