"""Holdings: the runs that an agent answers for, and how many more it can take."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from threading import Lock
from uuid import UUID

from dispatcher.agents.protocol import LEASE_S, REPORTS_A_LEASE, Held, RunOrder


@dataclass(slots=True)
class _Holding:
    fence: int
    is_running: bool  #: it has a slot, or waits for one


class Holdings:
    """The runs from the moment they are taken until their end has been confirmed. For several threads."""

    def __init__(self, slots: int, ended: Mapping[UUID, int]) -> None:
        self._lock = Lock()
        self._slots = slots
        self._lease_s = LEASE_S
        self._runs = {run_id: _Holding(fence, False) for run_id, fence in ended.items()}

    def take(self, orders: Iterable[RunOrder]) -> list[RunOrder]:
        """Hold the runs of *orders*; return those that are new. One that is held under another fence is new."""
        new = []
        with self._lock:
            for order in orders:
                held = self._runs.get(order.run_id)
                if held is None or held.fence != order.fence:
                    self._runs[order.run_id] = _Holding(order.fence, True)
                    new.append(order)
        return new

    def ended(self, run_id: UUID, fence: int) -> None:
        """Note that a run needs no slot any more; its end is still to be delivered."""
        with self._lock:
            held = self._runs.get(run_id)
            if held is not None and held.fence == fence:
                held.is_running = False

    def drop(self, run_id: UUID, fence: int) -> None:
        """Let go of a run: its end has been delivered, or it is no longer ours."""
        with self._lock:
            held = self._runs.get(run_id)
            if held is not None and held.fence == fence:
                del self._runs[run_id]

    def held(self) -> list[Held]:
        """Return all runs held, oldest first."""
        with self._lock:
            return [Held(run_id=run_id, fence=one.fence) for run_id, one in self._runs.items()]

    def lost(self, named: Iterable[Held], lost: Iterable[UUID]) -> list[Held]:
        """Return which of the runs that a call has *named* are *lost* and still held under the fence it named.

        The answer to an old call says nothing about a lease that has come since.
        """
        gone = set(lost)
        with self._lock:
            fences = {run_id: one.fence for run_id, one in self._runs.items()}
        return [one for one in named if one.run_id in gone and fences.get(one.run_id) == one.fence]

    @property
    def heartbeat_s(self) -> float:
        """How often to report while something is held, in seconds."""
        return self._lease_s / REPORTS_A_LEASE

    @property
    def patience_s(self) -> float:
        """How long to wait for the answer to a report, in seconds: as long as there is time for another one."""
        return max(2.0, self._lease_s - self.heartbeat_s)

    def lent_for(self, lease_s: float) -> None:
        """Note how long the dispatcher waits for news of what is held, in seconds."""
        self._lease_s = lease_s

    def free(self) -> int:
        """Return how many more runs could start now."""
        with self._lock:
            return max(0, self._slots - sum(one.is_running for one in self._runs.values()))
