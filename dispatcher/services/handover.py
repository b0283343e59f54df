"""Handover: the only run of a new job is lent by the transaction that makes it, to the agent that waits for one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, exists, func, select
from sqlalchemy.orm import Session

from dispatcher.core.ports import Ports
from dispatcher.core.states import State
from dispatcher.datastore.runs import FETCHABLE, RUNS
from dispatcher.datastore.transactions import Datastore, after_commit
from dispatcher.services.locking import lock_free_agents
from dispatcher.services.settings import Settings

#: The fence of a run that was lent as it was made.
FENCE = 1
_OF_AGENT = RUNS.c.agent_id == bindparam("agent")
#: Whether runs wait for the agent, and how many it has been lent.
_BEFORE = select(
    exists().where(_OF_AGENT, FETCHABLE),
    select(func.count()).where(_OF_AGENT, RUNS.c.leased_until.is_not(None)).scalar_subquery(),
)


class Handover:
    """Lends runs that are not stored yet, which saves the commit of lending them afterwards."""

    def __init__(self, datastore: Datastore, ports: Ports, *, settings: Settings, lease: timedelta) -> None:
        self._datastore = datastore
        self._ports = ports
        self._settings = settings
        self._lease = lease

    def lend(self, session: Session, runs: Sequence[dict[str, Any]]) -> None:
        """Lend the only one of the new *runs* (their columns), if its agent waits here for one; tell it after commit.

        Not if the run is held, older ones wait for the agent, or it has as many as it may have: whoever inserts the
        runs wakes it then, as ever. Should the agent not get it, its next poll does not name it and so has it lent
        again. The agent is locked: after this the caller locks nothing that is there already.
        """
        if len(runs) != 1:  # jobs for many are not in such haste, and many locks must be taken in order
            return
        [run] = runs
        if run["state"] is not State.PENDING or run["hold"] is not None:
            return
        tell = self._ports.wakeup.slot(run["agent_id"])
        if tell is None or not self._is_next(session, run["agent_id"]):
            return
        run.update(leased_until=self._ports.now() + self._lease, fence=FENCE, attempt=1)
        after_commit(session, partial(tell, run["id"]))

    def _is_next(self, session: Session, agent_id: UUID) -> bool:
        """Whether the agent may have a new run before any other. Nobody else lends to it until the transaction ends."""
        # Another dispatcher may be lending to the agent or storing its contact: nobody waits for that here.
        if self._datastore.traits.skip_locked and not lock_free_agents(session, [agent_id]):
            return False
        are_waiting, lent = session.connection().execute(_BEFORE, {"agent": agent_id}).one()
        return not are_waiting and lent < self._settings.current().number("agents.parallel_runs")
