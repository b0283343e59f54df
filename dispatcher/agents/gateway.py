"""The gateway: where agents call in. A waiting agent costs a future, not a thread."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

import structlog
from pydantic import ValidationError

from dispatcher.agents import protocol
from dispatcher.agents.contacts import Contacts
from dispatcher.agents.translate import to_facts, to_news, to_order
from dispatcher.core.errors import BadRequest, DispatcherError, NotAuthenticated, NotFound
from dispatcher.core.ports import Now
from dispatcher.services.hall import Hall

log = structlog.get_logger(__name__)

T = TypeVar("T")
M = TypeVar("M", bound=protocol.Message)

#: Threads that work for agents: few, so that a crowd of agents never starves the web threads of the machine.
THREADS = 4


@dataclass(frozen=True, slots=True)
class Answer:
    """What an agent is answered: always JSON."""

    status: int
    body: bytes


class Gateway:
    """Serves all agents of one dispatcher, on the loop that ``start`` was called on."""

    def __init__(self, hall: Hall, now: Now) -> None:
        self._hall = hall
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="gateway")
        self._waiting: dict[UUID, asyncio.Future[bool]] = {}
        self._contacts = Contacts(hall.enrolment, now, self._waiting.keys)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = False

    async def start(self) -> None:
        """Begin to serve on the running loop."""
        self._loop = asyncio.get_running_loop()
        self._contacts.start(self._in_thread)

    def release(self) -> None:
        """Answer all waiting polls, and from now on every poll, with nothing."""
        self._stopping = True
        self._wake(list(self._waiting))

    async def stop(self) -> None:
        """Store that nobody is reached any more, and end the threads."""
        await self._contacts.stop()
        self._pool.shutdown()

    def wake(self, agent_ids: Collection[UUID]) -> None:
        """Let the polls of *agent_ids* look for orders. May be called from any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake, list(agent_ids))

    async def handle(self, path: str, authorization: str, body: bytes, gone: asyncio.Future[None]) -> Answer:
        """Answer one call: *path* is what follows ``/agents/v1/``; *gone* is done when the agent has hung up."""
        try:
            if path == "enrol":
                return await self._enrol(body)
            if path not in ("poll", "report"):
                raise NotFound(path)
            agent_id = await self._authenticate(authorization)
            self._contacts.heard(agent_id)
            if path == "report":
                return await self._report(agent_id, body)
            return await self._poll(agent_id, body, gone)
        except DispatcherError as error:
            return _refusal(error)

    async def _enrol(self, body: bytes) -> Answer:
        asked = _parse(protocol.Enrol, body)
        agent_id, secret = await self._in_thread(
            lambda: self._hall.enrolment.enrol(asked.token, asked.name, asked.agent_id, to_facts(asked.facts))
        )
        log.info("agent.enrolled", agent_id=str(agent_id), name=asked.name)
        return Answer(200, protocol.dump(protocol.Identity(agent_id=agent_id, secret=secret)))

    async def _authenticate(self, authorization: str) -> UUID:
        claimed = protocol.parse_credentials(authorization)
        if claimed is None:
            raise NotAuthenticated
        agent_id, secret = claimed
        await self._in_thread(lambda: self._hall.enrolment.authenticate(agent_id, secret))
        return agent_id

    async def _report(self, agent_id: UUID, body: bytes) -> Answer:
        report = _parse(protocol.Report, body)
        news = [to_news(event) for event in report.events]
        held = [(held.run_id, held.fence) for held in report.holding]
        standing = await self._in_thread(lambda: self._hall.reporting.report(agent_id, news, held))
        return Answer(200, protocol.dump(protocol.Receipt(aborts=standing.aborts, lost=standing.lost)))

    async def _poll(self, agent_id: UUID, body: bytes, gone: asyncio.Future[None]) -> Answer:
        poll = _parse(protocol.Poll, body)
        if poll.facts is not None:
            facts = to_facts(poll.facts)
            await self._in_thread(lambda: self._hall.enrolment.note_facts(agent_id, facts))
        assert self._loop is not None  # noqa: S101 - started before it serves
        deadline = self._loop.time() + poll.wait_s * random.uniform(0.9, 1.0)  # noqa: S311 - only spreads the load
        held = [(held.run_id, held.fence) for held in poll.holding]
        await self._in_thread(lambda: self._hall.leasing.reclaim(agent_id, held))
        while True:
            future = self._register(agent_id)
            try:
                orders = await self._in_thread(lambda: self._orders(agent_id, poll.free, held))
                left = deadline - self._loop.time()
                if orders is not None or left <= 0 or self._stopping:
                    return Answer(200, protocol.dump(orders or protocol.Orders()))
                either: set[asyncio.Future[Any]] = {future, gone}
                await asyncio.wait(either, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            finally:
                if self._waiting.get(agent_id) is future:
                    del self._waiting[agent_id]
            if future.done() and not future.result():
                return Answer(200, protocol.dump(protocol.Orders()))  # a newer poll waits in place of this one
            if gone.done():
                self._contacts.hung_up(agent_id)
                return Answer(499, b"")

    def _orders(self, agent_id: UUID, free: int, held: list[tuple[UUID, int]]) -> protocol.Orders | None:
        """Return what the agent shall do now, or None if there is nothing."""
        if not held and not self._hall.leasing.has_orders([agent_id]):
            return None
        allowed = self._hall.settings.current().number("agents.parallel_runs") - len(held)
        runs, standing = self._hall.leasing.orders(agent_id, min(free, allowed), held)
        if not (standing.aborts or standing.lost or runs):
            return None
        return protocol.Orders(runs=[to_order(run) for run in runs], aborts=standing.aborts, lost=standing.lost)

    def _register(self, agent_id: UUID) -> asyncio.Future[bool]:
        """Return a future that becomes true by the agent's next wake-up, and false by a newer poll of it."""
        assert self._loop is not None  # noqa: S101 - started before it serves
        older = self._waiting.get(agent_id)
        if older is not None and not older.done():
            older.set_result(False)
        future = self._waiting[agent_id] = self._loop.create_future()
        return future

    def _wake(self, agent_ids: list[UUID]) -> None:
        for agent_id in agent_ids:
            future = self._waiting.get(agent_id)
            if future is not None and not future.done():
                future.set_result(True)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)


def _parse(message: type[M], body: bytes) -> M:
    try:
        return message.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = "/".join(map(str, first["loc"])) or "message"
        raise BadRequest(f"{place}: {first['msg']}") from None


def _refusal(error: DispatcherError) -> Answer:
    status = 401 if isinstance(error, NotAuthenticated) else 404 if isinstance(error, NotFound) else 400
    if not isinstance(error, (BadRequest, NotFound, NotAuthenticated)):
        status = 503
    return Answer(status, protocol.dump(protocol.Refusal(error=error.code, message=error.message)))
