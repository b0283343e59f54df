"""Contacts: which agents are there, gathered in memory and stored in batches."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog

from dispatcher.core.ports import Now
from dispatcher.services.enrolment import Enrolment
from dispatcher.services.topology import ONLINE_FOR

log = structlog.get_logger(__name__)

InThread = Callable[[Callable[[], None]], Awaitable[Any]]

#: How often contacts are stored, in seconds: well below the time after which a silent agent counts as offline.
STORE_EVERY_S = 30.0
#: How long an agent that hung up may take to call again before it counts as gone, in seconds.
RECONNECT_S = 3.0


class Contacts:
    """Knows who is connected. Everything here happens on the loop's thread.

    *waiting* gives the agents whose polls wait at this moment.
    """

    def __init__(self, enrolment: Enrolment, now: Now, waiting: Callable[[], Collection[UUID]]) -> None:
        self._enrolment = enrolment
        self._now = now
        self._waiting = waiting
        self._heard: dict[UUID, datetime] = {}
        self._leaving: dict[UUID, asyncio.TimerHandle] = {}
        self._gone: dict[UUID, datetime] = {}
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._in_thread: InThread | None = None

    def start(self, in_thread: InThread) -> None:
        """Begin to store contacts, by *in_thread*."""
        self._in_thread = in_thread
        self._task = asyncio.get_running_loop().create_task(self._store_for_ever())

    async def stop(self) -> None:
        """Store that every agent has gone: nobody can reach them through this dispatcher any more."""
        if self._task is not None:
            self._task.cancel()
            self._gone |= self._heard
            self._heard.clear()
            await self._store()

    def heard(self, agent_id: UUID) -> None:
        """Note a call of the agent; the first one is stored at once."""
        timer = self._leaving.pop(agent_id, None)
        if timer is not None:
            timer.cancel()
        if agent_id not in self._heard:
            self._news.set()
        self._gone.pop(agent_id, None)
        self._heard[agent_id] = self._now()

    def hung_up(self, agent_id: UUID) -> None:
        """Note that the agent's poll was cut; unless it calls again soon it is stored as gone."""
        loop = asyncio.get_running_loop()
        if agent_id not in self._leaving:
            self._leaving[agent_id] = loop.call_later(RECONNECT_S, self._left, agent_id)

    def _left(self, agent_id: UUID) -> None:
        self._leaving.pop(agent_id, None)
        moment = self._heard.pop(agent_id, None)
        if moment is not None:
            self._gone[agent_id] = moment
            self._news.set()

    def _sort_out(self) -> None:
        """Count those that wait as heard now, and as gone those that have neither waited nor called for long."""
        now = self._now()
        self._heard |= dict.fromkeys(self._waiting(), now)
        for agent_id, moment in list(self._heard.items()):
            if now - moment > ONLINE_FOR:
                self._gone[agent_id] = self._heard.pop(agent_id)

    async def _store_for_ever(self) -> None:
        while True:
            self._sort_out()
            await self._store()
            # A time-out is the ordinary end of this wait: the batch is due.
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), STORE_EVERY_S)

    async def _store(self) -> None:
        self._news.clear()
        present, gone = dict(self._heard), self._gone
        self._gone = {}
        assert self._in_thread is not None  # noqa: S101 - set by start
        try:
            await self._in_thread(lambda: self._enrolment.note_contacts(present, gone))
        except Exception:  # the datastore may be away for a while: contacts are told again soon
            log.exception("contacts.not_stored")
            self._gone = {**gone, **self._gone}
