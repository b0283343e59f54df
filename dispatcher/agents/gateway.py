"""The gateway: where agents call in. A waiting agent costs a future, not a thread."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TypeVar
from uuid import UUID

import structlog
from pydantic import ValidationError

from dispatcher.agents import protocol
from dispatcher.agents.contacts import Contacts
from dispatcher.agents.translate import to_facts, to_news, to_order
from dispatcher.core.attempts import again
from dispatcher.core.errors import BadRequest, DispatcherError, NotAuthenticated, NotFound, Unavailable
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
        self._now = now
        self._lease_s = hall.leasing.lease_s
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="gateway")
        self._waiting: dict[UUID, asyncio.Future[bool]] = {}
        self._newest: dict[UUID, tuple[str, int]] = {}  #: of each agent, the process and number of its latest poll
        self._contacts = Contacts(hall.enrolment, now, self._waiting.keys)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = False

    async def start(self) -> None:
        """Begin to serve on the running loop."""
        self._loop = asyncio.get_running_loop()
        self._contacts.start(self._in_thread)

    def waiting(self) -> list[UUID]:
        """Return the agents whose polls wait here at this moment. May be called from any thread."""
        return list(self._waiting)

    def is_waiting(self, agent_id: UUID) -> bool:
        """Whether a poll of the agent waits here at this moment. May be called from any thread."""
        return agent_id in self._waiting

    def wake_all(self) -> None:
        """Let every poll look for orders. May be called from any thread."""
        self.wake(self.waiting())

    def release(self) -> None:
        """Answer all waiting polls, and from now on every poll, without any work.

        Where another dispatcher is alive, later polls are refused: agents go to the next one of their list.
        """
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
            if path not in ("poll", "report", "resource"):
                raise NotFound(path)
            if path == "report":
                agent_id, answer = await self._in_thread(partial(self._report, authorization, body))
                self._contacts.heard(agent_id)
                return answer
            if path == "resource":
                agent_id, asked = await self._admit(authorization, protocol.FindResource, body)
                return await self._find_resource(asked)
            admission = self._admit(authorization, protocol.Poll, body)
            del authorization, body  # a poll may wait for a minute, and there are thousands of them
            return await self._poll(self._now(), *await admission, gone)
        except DispatcherError as error:
            return _refusal(error)

    async def content_size(self, sha256: str, authorization: str) -> int | Answer:
        """Return the size of a content in bytes, or the answer that refuses it to the caller."""
        try:
            self._contacts.heard(await self._in_thread(lambda: self._authenticate(authorization)))
            return await self._in_thread(lambda: self._hall.resources.size(sha256))
        except DispatcherError as error:
            return _refusal(error)

    async def read_content(self, sha256: str, offset: int, length: int) -> bytes:
        """Return *length* bytes of a content, for a caller that was told its size.

        :raises DispatcherError: if it is not there any more, or the datastore is away.
        """
        return await self._in_thread(lambda: self._hall.resources.read(sha256, offset, length))

    async def _find_resource(self, asked: protocol.FindResource) -> Answer:
        found = await self._in_thread(lambda: self._hall.resources.find(asked.name))
        told = protocol.FoundResource(sha256=found.sha256, size=found.size, file_name=found.file_name)
        return Answer(200, protocol.dump(told))

    async def _enrol(self, body: bytes) -> Answer:
        asked = _parse(protocol.Enrol, body)
        agent_id, secret = await self._in_thread(
            lambda: self._hall.enrolment.enrol(asked.token, asked.name, asked.agent_id, to_facts(asked.facts))
        )
        log.info("agent.enrolled", agent_id=str(agent_id), name=asked.name)
        return Answer(200, protocol.dump(protocol.Identity(agent_id=agent_id, secret=secret)))

    async def _admit(self, authorization: str, message: type[M], body: bytes) -> tuple[UUID, M]:
        """Return who calls, and what it says, after it has shown its secret."""
        agent_id, said = await self._in_thread(lambda: (self._authenticate(authorization), _parse(message, body)))
        self._contacts.heard(agent_id)
        return agent_id, said

    def _authenticate(self, authorization: str) -> UUID:
        claimed = protocol.parse_credentials(authorization)
        if claimed is None:
            raise NotAuthenticated
        agent_id, secret = claimed
        self._hall.enrolment.authenticate(agent_id, secret)
        return agent_id

    def _report(self, authorization: str, body: bytes) -> tuple[UUID, Answer]:
        """Return who reports, and its receipt. All in one thread: a hop between threads costs as much as a query."""
        agent_id = self._authenticate(authorization)
        report = _parse(protocol.Report, body)
        news = [to_news(event) for event in report.events]
        held = [(held.run_id, held.fence) for held in report.holding]
        standing = self._hall.reporting.report(agent_id, news, held)
        receipt = protocol.Receipt(aborts=standing.aborts, lost=standing.lost, lease_s=self._lease_s)
        return agent_id, Answer(200, protocol.dump(receipt))

    async def _poll(
        self, asked_at: datetime, agent_id: UUID, poll: protocol.Poll, gone: asyncio.Future[None]
    ) -> Answer:
        if self._is_overtaken(agent_id, poll):
            return self._tell(None)
        if self._stopping and not self._hall.dispatchers.is_alone:
            raise Unavailable("this dispatcher is about to end: go to another one")
        if gone.done():  # it has sent another poll since, perhaps elsewhere: this one is out of date
            return Answer(499, b"")
        assert self._loop is not None  # noqa: S101 - started before it serves
        deadline = self._loop.time() + poll.wait_s * random.uniform(0.9, 1.0)  # noqa: S311 - only spreads the load
        held = [(held.run_id, held.fence) for held in poll.holding]
        look = partial(self._first_orders, agent_id, poll, held, asked_at)
        look_again = partial(self._orders, agent_id, poll.free, held)
        del poll, held
        while True:
            waiting = self._register(agent_id)
            try:
                orders = await self._in_thread(look)
                look, left = look_again, deadline - self._loop.time()
                if orders is not None or left <= 0 or self._stopping:
                    return self._tell(orders)
                is_last = await self._wait(waiting, left, gone)
            finally:
                if self._waiting.get(agent_id) is waiting:
                    del self._waiting[agent_id]
            if not is_last:  # a newer poll waits in place of this one
                return self._tell(None)
            if gone.done():
                self._contacts.hung_up(agent_id)
                return Answer(499, b"")

    async def _wait(self, waiting: asyncio.Future[bool], left: float, gone: asyncio.Future[None]) -> bool:
        """Wait for the result of *waiting*; it is true after *left* seconds, and when the agent hangs up."""
        assert self._loop is not None  # noqa: S101 - started before it serves
        woken = partial(_set_woken, waiting)
        timer = self._loop.call_later(left, woken)
        gone.add_done_callback(woken)
        try:
            return await waiting
        finally:
            timer.cancel()
            gone.remove_done_callback(woken)

    def _tell(self, orders: protocol.Orders | None) -> Answer:
        return Answer(200, protocol.dump(orders or protocol.Orders(lease_s=self._lease_s)))

    def _is_overtaken(self, agent_id: UUID, poll: protocol.Poll) -> bool:
        """Whether the same process has sent a later poll: what this one says the agent holds is out of date."""
        process, newest = self._newest.get(agent_id, ("", 0))
        if process == poll.process and poll.number < newest:
            return True
        self._newest[agent_id] = (poll.process, poll.number)
        return False

    def _first_orders(
        self, agent_id: UUID, poll: protocol.Poll, held: Sequence[tuple[UUID, int]], asked_at: datetime
    ) -> protocol.Orders | None:
        """Note what the agent has said at *asked_at*, and return as ``_orders`` does."""
        if poll.facts is not None:
            self._hall.enrolment.note_facts(agent_id, to_facts(poll.facts))
        return self._orders(agent_id, poll.free, held, asked_at)

    def _orders(
        self, agent_id: UUID, free: int, held: Sequence[tuple[UUID, int]], asked_at: datetime | None = None
    ) -> protocol.Orders | None:
        """Return what the agent shall do now, or None if there is nothing.

        *asked_at* says when it named what it holds; without it, it has waited here since.
        """
        leasing = self._hall.leasing
        wakes = self._hall.waking.take(agent_id)
        if not held and not wakes and leasing.is_idle(agent_id):
            return None
        if asked_at is not None:
            leasing.reclaim(agent_id, held, asked_at)
        runs, standing = leasing.orders(agent_id, 0 if self._stopping else free, held)
        if not (standing.aborts or standing.lost or runs or wakes):
            return None
        work = [to_order(run) for run in runs]
        return protocol.Orders(
            runs=work, aborts=standing.aborts, lost=standing.lost, wakes=wakes, lease_s=self._lease_s
        )

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
            if future is not None:
                _set_woken(future)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, again, work)


def _set_woken(waiting: asyncio.Future[bool], _: object = None) -> None:
    if not waiting.done():
        waiting.set_result(True)


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
