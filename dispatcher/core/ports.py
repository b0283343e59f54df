"""Ports: what the rules need from outside and take as arguments (time, ids, wake-ups)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

Now = Callable[[], datetime]
"""Returns the present moment, aware, in UTC."""

Steady = Callable[[], float]
"""Returns seconds of a clock that nobody sets; only their difference means something, and only in this process."""

NewId = Callable[[], UUID]
"""Returns a new time-ordered id (uuid7)."""


class Wakeup(Protocol):
    """Tells the waiting parts of the house that there is work. Called after the commit that made it."""

    def agents(self, agent_ids: Collection[UUID]) -> None:
        """Wake the long polls of *agent_ids*: they have a new run, or one to abort."""

    def slot(self, agent_id: UUID) -> Callable[[UUID], None] | None:
        """Take the free slot of the agent, if it waits for a run here; return how to tell it which run it was lent.

        Called before the commit; what it returns is called after it, with the id of the run. If that never happens
        the agent is woken and served like any other.
        """

    def engine(self) -> None:
        """Wake the engine: a job became due, or a run ended."""


class NoWakeup:
    """A wake-up that nobody waits for: command-line tools and tests."""

    def agents(self, agent_ids: Collection[UUID]) -> None:
        """Do nothing."""

    def slot(self, agent_id: UUID) -> None:
        """Do nothing: no agent waits."""

    def engine(self) -> None:
        """Do nothing."""


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports that services share."""

    now: Now
    steady: Steady
    new_id: NewId
    wakeup: Wakeup
