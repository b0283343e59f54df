"""Relief: what waits for a gateway that is away is given to another one (see ``services.gateways``)."""

from __future__ import annotations

from collections import defaultdict
from uuid import UUID

import structlog
from sqlalchemy import bindparam, or_, select, update
from sqlalchemy.orm import Session

from dispatcher.core.errors import Busy, Deadlock
from dispatcher.core.patience import patient_for
from dispatcher.core.ports import Ports
from dispatcher.datastore.agents import AGENTS
from dispatcher.datastore.runs import FETCHABLE, RUNS
from dispatcher.datastore.targets import FOR_DEVICE
from dispatcher.datastore.transactions import Datastore, after_commit
from dispatcher.services.devices import targets_of
from dispatcher.services.gateways import Gateways
from dispatcher.services.locking import lock_agents
from dispatcher.services.placing import Placing
from dispatcher.services.topology import ONLINE_FOR, Topology

log = structlog.get_logger(__name__)

#: How many runs are given away by one statement.
BATCH = 200
#: How long to wait for an agent that somebody has locked, in seconds: others wait, too.
PATIENCE_S = 0.2
#: Nobody was ever lent them: whoever was may be at work, and unable to say so.
_UNTOUCHED = FETCHABLE & FOR_DEVICE & (RUNS.c.attempt == 0)
_ANY = select(RUNS.c.id).where(FOR_DEVICE).order_by(RUNS.c.device).limit(1)
#: The oldest one of an agent: in this order MariaDB looks for it by its index, and does not read all runs.
_FIRST = (
    select(RUNS.c.id)
    .where(RUNS.c.agent_id == AGENTS.c.id, _UNTOUCHED)
    .order_by(RUNS.c.id)
    .limit(1)
    .correlate(AGENTS)
    .scalar_subquery()
)
_OF_GATEWAY = (
    select(RUNS.c.id, RUNS.c.agent_id, RUNS.c.device)
    .where(RUNS.c.agent_id == bindparam("gateway"), _UNTOUCHED)
    .order_by(RUNS.c.id)
)


class Relief:
    """Gives runs of gateways to others."""

    def __init__(
        self, datastore: Datastore, ports: Ports, *, topology: Topology, placing: Placing, gateways: Gateways
    ) -> None:
        self._datastore = datastore
        self._ports = ports
        self._topology = topology
        self._placing = placing
        self._gateways = gateways

    def relieve(self) -> int:
        """Give the runs that wait for gateways which are offline to such as are online; return how many.

        One that only this gateway could do stays with it.
        """
        relieved = 0
        for gateway_id in self._away():
            try:
                with patient_for(PATIENCE_S), self._datastore.begin() as session:
                    relieved += self._relieve(session, gateway_id)
            except (Busy, Deadlock):
                log.warning("gateway.not_relieved_yet", agent=str(gateway_id))
        return relieved

    def _away(self) -> list[UUID]:
        """Return the gateways that are offline while runs wait for them."""
        with self._datastore.read() as session:
            if session.scalar(_ANY) is None:
                return []
            is_silent = or_(AGENTS.c.last_contact.is_(None), AGENTS.c.last_contact < self._ports.now() - ONLINE_FOR)
            away = select(AGENTS.c.id).where(~AGENTS.c.online | is_silent, _FIRST.is_not(None)).order_by(AGENTS.c.id)
            return list(session.scalars(away))

    def _relieve(self, session: Session, gateway_id: UUID) -> int:
        rows = session.execute(_OF_GATEWAY, {"gateway": gateway_id}).mappings().all()
        targets = targets_of(session, self._topology, rows)
        workers = self._gateways.choose(session, list(targets.values()))
        offline = self._placing.offline(session, [worker.id for worker in workers.values() if worker is not None])
        given: defaultdict[UUID, list[UUID]] = defaultdict(list)
        for run_id, target in targets.items():
            worker = workers[target.id]
            if worker is not None and worker.id not in offline:
                given[worker.id].append(run_id)
        if not given:
            return 0
        lock_agents(session, [gateway_id, *given])  # nobody lends one of these runs meanwhile
        there = set(session.scalars(select(AGENTS.c.id).where(AGENTS.c.id.in_(given), AGENTS.c.removed_at.is_(None))))
        relieved = 0
        for worker_id, run_ids in sorted((key, runs) for key, runs in given.items() if key in there):
            for start in range(0, len(run_ids), BATCH):
                theirs = (RUNS.c.id.in_(run_ids[start : start + BATCH]), RUNS.c.agent_id == gateway_id, _UNTOUCHED)
                moved = session.connection().execute(update(RUNS).where(*theirs).values(agent_id=worker_id))
                relieved += moved.rowcount
        after_commit(session, lambda: self._ports.wakeup.agents([*given]))
        log.info("gateway.relieved", agent=str(gateway_id), runs=relieved)
        return relieved
