"""Offers: agents that wait here with a free slot, and the runs that they were lent because of that."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID


class Offers:
    """Lets a slot be taken once. Only ``take`` may be called from any thread; the others are called on the loop."""

    def __init__(self) -> None:
        self._open: set[UUID] = set()
        self._lent: defaultdict[UUID, list[UUID]] = defaultdict(list)

    def make(self, agent_id: UUID) -> None:
        """Offer a slot of the agent: it waits, and there is nothing for it."""
        self._open.add(agent_id)

    def withdraw(self, agent_id: UUID) -> None:
        """Offer nothing any more: the agent does not wait."""
        self._open.discard(agent_id)

    def take(self, agent_id: UUID) -> bool:
        """Take the slot that the agent offers; return whether there was one."""
        try:
            self._open.remove(agent_id)  # looked up and removed in one step: two threads may ask for it
        except KeyError:
            return False
        return True

    def fill(self, agent_id: UUID, run_id: UUID) -> None:
        """Note that the agent was lent the run for the slot that was taken."""
        self._lent[agent_id].append(run_id)

    def collect(self, agent_id: UUID) -> Sequence[UUID]:
        """Return, once, what the agent was lent."""
        return self._lent.pop(agent_id, ())
