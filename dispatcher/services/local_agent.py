"""The local agent: which agent is the one of this dispatcher's own computer."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID


class LocalAgentId:
    """Knows the id of the agent that runs beside this dispatcher, once somebody has said how to find it."""

    def __init__(self) -> None:
        self._find: Callable[[], UUID | None] = lambda: None

    def found_by(self, find: Callable[[], UUID | None]) -> None:
        """Ask *find* from now on; it returns None as long as there is no such agent."""
        self._find = find

    def get(self) -> UUID | None:
        """Return the id; None if there is no such agent, or it has not enrolled yet."""
        return self._find()
