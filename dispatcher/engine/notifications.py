"""Notifications: wake-ups that the dispatchers over one PostgreSQL send each other, by ``LISTEN`` and ``NOTIFY``.

They make things quick, not right: what is lost while a connection is down is found by looking, later.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any
from uuid import UUID

import orjson
import structlog
from sqlalchemy import URL, Engine, NullPool, create_engine, text

log = structlog.get_logger(__name__)

CHANNEL = "dispatcher"
#: How many agents one message names: it may have 8,000 bytes.
AGENTS_PER_MESSAGE = 150
#: How long to wait before a broken connection is made anew, in seconds.
PAUSE_S = 1.0
#: How often the listener looks whether it shall end, in seconds.
TICK_S = 0.5
#: A server that vanished without a word is noticed within half a minute.
KEEPALIVE = {"keepalives": 1, "keepalives_idle": 15, "keepalives_interval": 5, "keepalives_count": 3}
_SEND = text(f"SELECT pg_notify('{CHANNEL}', message) FROM unnest(CAST(:messages AS text[])) AS message")  # noqa: S608


class Notifications:
    """Two threads: one listens, on a connection of its own, the other sends what has gathered.

    *sender* tells our own messages from those of others. *agents* is called with agents that have orders, *engine*
    when something may be due, *everybody* when messages may have been missed: all of them from the listening thread.
    """

    def __init__(
        self,
        url: URL,
        sender: str,
        *,
        agents: Callable[[Collection[UUID]], None],
        engine: Callable[[], None],
        everybody: Callable[[], None],
    ) -> None:
        self._engine: Engine = create_engine(
            url, poolclass=NullPool, isolation_level="AUTOCOMMIT", connect_args=KEEPALIVE, hide_parameters=True
        )
        self._sender = sender
        self._ring_agents = agents
        self._ring_engine = engine
        self._ring_everybody = everybody
        self._changed = threading.Condition()
        self._agents: set[UUID] = set()
        self._has_engine_news = False
        self._stopping = False
        self._listening = threading.Event()
        self._threads = [
            threading.Thread(target=self._keep(work), name=f"notifications-{name}", daemon=True)
            for name, work in (("in", self._listen), ("out", self._send))
        ]

    def start(self) -> None:
        """Begin to listen and to send."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End both threads."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()

    def wait_until_listening(self, timeout_s: float) -> bool:
        """Wait until messages of others are heard; return whether they are."""
        return self._listening.wait(timeout_s)

    def agents(self, agent_ids: Collection[UUID]) -> None:
        """Tell the other dispatchers, soon, that *agent_ids* have orders."""
        with self._changed:
            self._agents.update(agent_ids)
            self._changed.notify_all()

    def engine(self) -> None:
        """Tell the other dispatchers, soon, that something may be due."""
        with self._changed:
            self._has_engine_news = True
            self._changed.notify_all()

    def heed(self, message: str) -> None:
        """Do what *message*, of whomever, says. One that no dispatcher sends changes nothing."""
        try:
            said = orjson.loads(message)
            if said["by"] == self._sender:
                return
            agent_ids = [UUID(one) for one in said.get("agents", ())]
            has_engine_news = said.get("engine") is True
        except (ValueError, TypeError, KeyError, AttributeError):
            log.warning("notification.not_understood", message=message[:200])
            return
        if agent_ids:
            self._ring_agents(agent_ids)
        if has_engine_news:
            self._ring_engine()

    def _keep(self, work: Callable[[], None]) -> Callable[[], None]:
        """Return *work*, done again and again until it is time to end, whatever becomes of its connections."""

        def run() -> None:
            while not self._stopping:
                try:
                    work()
                except Exception:  # the database may be away for a while
                    self._listening.clear()
                    log.exception("notifications.failed")
                    with self._changed:
                        self._changed.wait_for(lambda: self._stopping, PAUSE_S)

        return run

    def _listen(self) -> None:
        with self._engine.connect() as connection:
            connection.execute(text(f"LISTEN {CHANNEL}"))
            self._listening.set()
            self._ring_everybody()
            driver: Any = connection.connection.driver_connection
            while not self._stopping:
                for notice in driver.notifies(timeout=TICK_S):
                    self.heed(notice.payload)

    def _send(self) -> None:
        with self._engine.connect() as connection:
            while True:
                with self._changed:
                    self._changed.wait_for(lambda: self._stopping or self._agents or self._has_engine_news)
                    agents, self._agents = list(self._agents), set()
                    has_engine_news, self._has_engine_news = self._has_engine_news, False
                try:
                    if messages := list(self._messages(agents, has_engine_news=has_engine_news)):
                        connection.execute(_SEND, {"messages": messages})
                except Exception:
                    # The next connection sends it.
                    self._agents.update(agents)
                    self._has_engine_news = self._has_engine_news or has_engine_news
                    raise
                if self._stopping:
                    return

    def _messages(self, agents: Sequence[UUID], *, has_engine_news: bool) -> Iterator[str]:
        for first in range(0, len(agents), AGENTS_PER_MESSAGE):
            some = [one.hex for one in agents[first : first + AGENTS_PER_MESSAGE]]
            yield orjson.dumps({"by": self._sender, "agents": some}).decode()
        if has_engine_news:
            yield orjson.dumps({"by": self._sender, "engine": True}).decode()
