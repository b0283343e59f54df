"""Contacts: which agents are there, gathered in memory and stored in batches."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from datetime import datetime
from uuid import UUID

import structlog

from dispatcher.core.ports import Now
from dispatcher.services.enrolment import Enrolment
from dispatcher.services.topology import ONLINE_FOR

log = structlog.get_logger(__name__)

InThread = Callable[[Callable[[], set[UUID]]], Awaitable[set[UUID]]]

#: How often contacts are stored, in seconds: well below the time after which a silent agent counts as offline.
STORE_EVERY_S = 30.0
#: How long an agent that hung up may take to call again before it counts as gone, in seconds.
RECONNECT_S = 3.0
#: How long until those are told again that somebody else had locked, in seconds.
AGAIN_S = 1.0


class Contacts:
    """Knows who is connected. Everything here happens on the loop's thread.

    *waiting* gives the agents whose polls wait at this moment.
    """

    def __init__(self, enrolment: Enrolment, now: Now, waiting: Callable[[], Collection[UUID]]) -> None:
        self._enrolment = enrolment
        self._now = now
        self._waiting = waiting
        self._heard: dict[UUID, datetime] = {}
        self._untold: dict[UUID, datetime] = {}  #: what the next store tells of those heard
        self._leaving: dict[UUID, asyncio.TimerHandle] = {}
        self._gone: dict[UUID, datetime] = {}
        self._left_out: set[UUID] = set()
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
            self._untold.clear()
            await self._store()

    def heard(self, agent_id: UUID) -> None:
        """Note a call of the agent; the first one is stored at once."""
        timer = self._leaving.pop(agent_id, None)
        if timer is not None:
            timer.cancel()
        moment = self._now()
        if agent_id not in self._heard:
            self._untold[agent_id] = moment
            self._news.set()
        self._gone.pop(agent_id, None)
        self._heard[agent_id] = moment

    def hung_up(self, agent_id: UUID) -> None:
        """Note that the agent's poll was cut; unless it calls again soon it is stored as gone."""
        loop = asyncio.get_running_loop()
        if agent_id not in self._leaving:
            self._leaving[agent_id] = loop.call_later(RECONNECT_S, self._left, agent_id)

    def _left(self, agent_id: UUID) -> None:
        self._leaving.pop(agent_id, None)
        moment = self._heard.pop(agent_id, None)
        self._untold.pop(agent_id, None)
        if moment is not None:
            self._gone[agent_id] = moment
            self._news.set()

    def _sort_out(self) -> None:
        """Count those that wait as heard now, and as gone those that have neither waited nor called for long.

        All of them are to be told then.
        """
        now = self._now()
        self._heard |= dict.fromkeys(self._waiting(), now)
        for agent_id, moment in list(self._heard.items()):
            if now - moment > ONLINE_FOR:
                self._gone[agent_id] = self._heard.pop(agent_id)
        self._untold = dict(self._heard)

    async def _store_for_ever(self) -> None:
        loop = asyncio.get_running_loop()
        due_at = loop.time()
        while True:
            if loop.time() >= due_at:
                due_at = loop.time() + STORE_EVERY_S
                self._sort_out()
            await self._store()
            # A time-out is the ordinary end of this wait: all are due.
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), max(0.0, due_at - loop.time()))

    async def _store(self) -> None:
        self._news.clear()
        present, gone = self._untold, self._gone
        self._untold, self._gone = {}, {}
        assert self._in_thread is not None  # noqa: S101 - set by start
        try:
            left_out = await self._in_thread(lambda: self._enrolment.note_contacts(present, gone))
        except Exception:  # the datastore may be away for a while: contacts are told again soon
            log.exception("contacts.not_stored")
            left_out = present.keys() | gone.keys()
        for key in left_out:
            if key in self._heard:
                self._untold.setdefault(key, self._heard[key])
            elif key in gone:
                self._gone.setdefault(key, gone[key])
        if left_out - self._left_out:
            asyncio.get_running_loop().call_later(AGAIN_S, self._news.set)
        self._left_out = left_out
