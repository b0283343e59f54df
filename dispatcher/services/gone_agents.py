"""Gone agents: agents that were taken away from their computers; their entries go, too."""

from __future__ import annotations

from uuid import UUID

import structlog
from sqlalchemy import delete, select

from dispatcher.core.errors import AgentNotFound, Busy, Conflict, Deadlock
from dispatcher.core.permissions import SYSTEM
from dispatcher.datastore.found_computers import GONE_AGENTS
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.removals import Removals

log = structlog.get_logger(__name__)

#: How many are removed in one go.
BATCH = 100
_GONE = select(GONE_AGENTS.c.agent_id, GONE_AGENTS.c.is_replaced).order_by(GONE_AGENTS.c.told_at)


class GoneAgents:
    """Removes the entries of agents that were uninstalled or replaced."""

    def __init__(self, datastore: Datastore, removals: Removals) -> None:
        self._datastore = datastore
        self._removals = removals

    def remove(self) -> int:
        """Remove those that can be removed now; return how many there were.

        Those that were replaced lose their history. One of which it is not known yet how its last run has ended waits
        for that.
        """
        with self._datastore.read() as session:
            gone = session.execute(_GONE.limit(BATCH)).all()
        return sum(self._remove(row.agent_id, is_replaced=row.is_replaced) for row in gone)

    def _remove(self, agent_id: UUID, *, is_replaced: bool) -> bool:
        try:
            self._removals.remove_gone(agent_id, is_replaced, SYSTEM)
        except AgentNotFound:
            pass  # somebody else has removed it
        except (Busy, Conflict, Deadlock) as error:
            log.info("agent.gone_not_removed_yet", agent=str(agent_id), reason=error.message)
            return False
        with self._datastore.begin() as session:
            session.execute(delete(GONE_AGENTS).where(GONE_AGENTS.c.agent_id == agent_id))
        return True
