"""Dispatchers: the serving processes over one datastore, which tell each other that they are alive."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, insert, select, update

from dispatcher.core.errors import Unavailable
from dispatcher.core.permissions import Caller, Node, Right
from dispatcher.core.ports import Ports
from dispatcher.datastore.dispatchers import DISPATCHERS
from dispatcher.datastore.transactions import Datastore

#: How often a dispatcher says that it is alive.
HEARTBEAT = timedelta(seconds=5)
#: For how long one heartbeat counts: a little longer than until the next one.
ALIVE_FOR = timedelta(seconds=8)
#: After how long a silent dispatcher is forgotten.
FORGOTTEN_AFTER = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class DispatcherView:
    """A serving process as lists show it. ``name`` is what settings of its own are kept under."""

    id: UUID
    name: str
    host: str
    pid: int
    version: str
    started_at: datetime
    heartbeat_at: datetime
    is_alive: bool
    is_draining: bool


class Dispatchers:
    """Knows which dispatchers there are. This process is one of them from ``announce`` to ``leave``."""

    def __init__(self, datastore: Datastore, ports: Ports) -> None:
        self._datastore = datastore
        self._ports = ports
        self._me: dict[str, Any] | None = None
        self._is_alone = True
        self._is_draining = False

    @property
    def is_alone(self) -> bool:
        """Whether no other dispatcher was alive at the last heartbeat."""
        return self._is_alone

    @property
    def is_draining(self) -> bool:
        """Whether this dispatcher takes nothing new, because it is about to end."""
        return self._is_draining

    def are_others_alive(self, host: str, is_running: Callable[[int], bool]) -> bool:
        """Whether another dispatcher has just been heard.

        One of this *host* counts only if *is_running* says so of its process id: after a kill its heartbeat may be
        young.
        """
        return any(
            self._is_alive(one.heartbeat_at) and (one.host != host or is_running(one.pid)) for one in self._others()
        )

    def announce(self, name: str, host: str, pid: int, version: str) -> UUID:
        """Make this process known as a dispatcher; return the id that it has from now on."""
        now = self._ports.now()
        my_id = self._ports.new_id()
        me = {"id": my_id, "name": name, "host": host, "pid": pid, "version": version}
        self._me = me | {"started_at": now, "heartbeat_at": now, "is_draining": False}
        self.beat()
        return my_id

    def beat(self) -> None:
        """Say that this process is alive, look who else is, and forget those that have been silent for long."""
        if self._me is None:
            return
        now = self._ports.now()
        self._me |= {"heartbeat_at": now, "is_draining": self._is_draining}
        with self._datastore.begin() as session:
            alive = {"heartbeat_at": now, "is_draining": self._is_draining}
            session.execute(delete(DISPATCHERS).where(DISPATCHERS.c.heartbeat_at < now - FORGOTTEN_AFTER))
            # Paused for a minute, it was forgotten itself.
            beaten = session.connection().execute(update(DISPATCHERS).where(self._is_me).values(**alive))
            if beaten.rowcount == 0:
                session.execute(insert(DISPATCHERS), self._me)
            others = select(func.count()).where(~self._is_me, DISPATCHERS.c.heartbeat_at > now - ALIVE_FOR)
            self._is_alone = session.scalar(others) == 0

    def drain(self) -> None:
        """Take no new jobs from now on, and say so; what has been begun is brought to its end."""
        self._is_draining = True
        # With the datastore away nothing can be said, and nothing new be taken.
        with suppress(Unavailable):
            self.beat()

    def require_open(self) -> None:
        """Check that this dispatcher takes new jobs.

        :raises Unavailable: if it is about to end; another one, or the next, takes them.
        """
        if self._is_draining:
            raise Unavailable("this dispatcher is about to end and takes nothing new")

    def leave(self) -> None:
        """Say that this process is a dispatcher no more."""
        if self._me is None:
            return
        with self._datastore.begin() as session:
            session.execute(delete(DISPATCHERS).where(self._is_me))
        self._me = None

    def list(self, caller: Caller) -> list[DispatcherView]:
        """Return all dispatchers that are not forgotten, the oldest first. Needs Read on Settings."""
        caller.require(Right.READ, Node.SETTINGS)
        with self._datastore.read() as session:
            rows = session.execute(select(DISPATCHERS).order_by(DISPATCHERS.c.started_at, DISPATCHERS.c.id)).mappings()
            return [DispatcherView(**row, is_alive=self._is_alive(row["heartbeat_at"])) for row in rows]

    @property
    def _is_me(self) -> Any:
        return DISPATCHERS.c.id == (self._me or {}).get("id")

    def _others(self) -> Sequence[Any]:
        query = select(DISPATCHERS) if self._me is None else select(DISPATCHERS).where(~self._is_me)
        with self._datastore.read() as session:
            return session.execute(query).all()

    def _is_alive(self, heartbeat_at: datetime) -> bool:
        return heartbeat_at > self._ports.now() - ALIVE_FOR
