"""The gateway: where agents call in. A waiting agent costs a future, not a thread."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar
from uuid import UUID

import structlog
from pydantic import ValidationError

from dispatcher.agents import protocol
from dispatcher.agents.combiner import Combiner
from dispatcher.agents.contacts import Contacts
from dispatcher.agents.offers import Offers
from dispatcher.agents.translate import to_facts, to_orders, to_report
from dispatcher.core.attempts import again
from dispatcher.core.errors import BadRequest, Busy, DispatcherError, NotAuthenticated, NotFound, Unavailable
from dispatcher.core.permissions import Caller
from dispatcher.core.ports import Now
from dispatcher.services.hall import Hall
from dispatcher.services.leasing import Ask
from dispatcher.services.standings import Held, Standing

log = structlog.get_logger(__name__)

T = TypeVar("T")
M = TypeVar("M", bound=protocol.Message)

#: Threads that work for agents, beside one for each combiner: few, so that a crowd of agents never starves the web
#: threads of the machine.
THREADS = 2
#: Who removes an agent that says itself that it goes.
_ITSELF = Caller("agent")
#: What a run that is held counts for when looks are gathered: about as much as its message takes.
_HELD_BYTES = 64


@dataclass(frozen=True, slots=True)
class Answer:
    """What an agent is answered: always JSON."""

    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class _Letter(Generic[M]):
    """A message as it came, and who says that it is theirs."""

    authorization: str
    message: type[M]
    body: bytes


@dataclass(slots=True)
class _Look:
    """Whether there is something for an agent that polls.

    ``asked_at``, when it said what it holds (by the steady clock), and its facts are for the first look of a poll.
    """

    agent_id: UUID
    free: int
    held: Held
    asked_at: float | None
    facts: protocol.Facts | None
    lent: Sequence[UUID] = ()  #: runs that the agent has been lent for the slot it offers


class Gateway:
    """Serves all agents of one dispatcher, on the loop that ``start`` was called on."""

    def __init__(self, hall: Hall, now: Now) -> None:
        self._hall = hall
        self._lease_s = hall.leasing.lease_s
        self._no_orders = protocol.dump(protocol.Orders(lease_s=self._lease_s))
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="gateway")
        # Of their own: an enrolment that waits for a lock keeps no poll and no report waiting.
        combining = self._combining = ThreadPoolExecutor(3, thread_name_prefix="combiner")
        self._waiting: dict[UUID, asyncio.Future[bool]] = {}
        self._offers = Offers()
        self._newest: dict[UUID, tuple[str, int]] = {}  #: of each agent, the process and number of its latest poll
        self._admitting: Combiner[_Letter[Any], tuple[UUID, Any]] = Combiner(self._open, combining)
        self._looking: Combiner[_Look, bytes | None] = Combiner(self._look_all, combining)
        self._reporting: Combiner[_Letter[protocol.Report], tuple[UUID, bytes]] = Combiner(self._report, combining)
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
        self._combining.shutdown()
        self._pool.shutdown()

    def slot(self, agent_id: UUID) -> Callable[[UUID], None] | None:
        """Take the slot that the agent offers, if its poll waits here; return how to tell it which run it was lent.

        May be called from any thread, and what it returns, too.
        """
        return partial(self._hand_over, agent_id) if self._offers.take(agent_id) else None

    def wake(self, agent_ids: Collection[UUID]) -> None:
        """Let the polls of *agent_ids* look for orders. May be called from any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake, list(agent_ids))

    async def handle(self, path: str, authorization: str, body: bytes, gone: asyncio.Future[None]) -> Answer:
        """Answer one call: *path* is what follows ``/agents/v1/``; *gone* is done when the agent has hung up."""
        try:
            if path == "enrol":
                return await self._enrol(body)
            if path == "leave":
                return await self._in_thread(partial(self._leave, authorization))
            if path not in ("poll", "report", "resource"):
                raise NotFound(path)
            if path == "report":
                letter = _Letter(authorization, protocol.Report, body)
                agent_id, receipt = await self._reporting.answer(letter, len(body))
                self._contacts.heard(agent_id)
                return Answer(200, receipt)
            if path == "resource":
                agent_id, asked = await self._admit(authorization, protocol.FindResource, body)
                return await self._find_resource(asked)
            admission = self._admit(authorization, protocol.Poll, body)
            del authorization, body  # a poll may wait for a minute, and there are thousands of them
            return await self._poll(self._hall.leasing.steady(), *await admission, gone)
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

    def _leave(self, authorization: str) -> Answer:
        agent_id = self._authenticate(authorization)
        self._hall.removals.leave(agent_id, _ITSELF)
        return Answer(200, self._receipt(Standing([], [])))

    async def _admit(self, authorization: str, message: type[M], body: bytes) -> tuple[UUID, M]:
        """Return who calls, and what it says, after it has shown its secret."""
        agent_id, said = await self._admitting.answer(_Letter(authorization, message, body), len(body))
        self._contacts.heard(agent_id)
        return agent_id, said

    def _authenticate(self, authorization: str) -> UUID:
        claimed = protocol.parse_credentials(authorization)
        if claimed is None:
            raise NotAuthenticated
        agent_id, secret = claimed
        self._hall.enrolment.authenticate(agent_id, secret)
        return agent_id

    def _open(self, letters: Sequence[_Letter[M]]) -> list[tuple[UUID, M] | DispatcherError]:
        """Return for each of *letters* who has sent it, and what it says, or why it is refused."""
        claims = [protocol.parse_credentials(letter.authorization) for letter in letters]
        made = [claim for claim in claims if claim is not None]
        proven = dict(zip(made, self._hall.enrolment.are_proven(made), strict=True)) if made else {}
        opened: list[tuple[UUID, M] | DispatcherError] = []
        for letter, claim in zip(letters, claims, strict=True):
            if claim is None or not proven[claim]:
                opened.append(NotAuthenticated())
                continue
            try:
                opened.append((claim[0], _parse(letter.message, letter.body)))
            except BadRequest as error:
                opened.append(error)
        return opened

    def _report(self, letters: Sequence[_Letter[protocol.Report]]) -> list[tuple[UUID, bytes] | DispatcherError]:
        """Return who reports, and the receipt, for each of *letters*; what they tell is stored in one transaction.

        All in one thread: a hop between threads costs as much as a query.
        """
        opened = self._open(letters)
        reports = [to_report(*one) for one in opened if not isinstance(one, DispatcherError)]
        standings = iter(self._hall.reporting.report_all(reports) if reports else ())
        return [one if isinstance(one, DispatcherError) else (one[0], self._receipt(next(standings))) for one in opened]

    def _receipt(self, standing: Standing) -> bytes:
        return protocol.dump(protocol.Receipt(aborts=standing.aborts, lost=standing.lost, lease_s=self._lease_s))

    async def _poll(self, asked_at: float, agent_id: UUID, poll: protocol.Poll, gone: asyncio.Future[None]) -> Answer:
        if self._is_overtaken(agent_id, poll):
            return self._tell(None)
        if self._stopping and not self._hall.dispatchers.is_alone:
            raise Unavailable("this dispatcher is about to end: go to another one")
        if gone.done():  # it has sent another poll since, perhaps elsewhere: this one is out of date
            return Answer(499, b"")
        assert self._loop is not None  # noqa: S101 - started before it serves
        deadline = self._loop.time() + poll.wait_s * random.uniform(0.9, 1.0)  # noqa: S311 - only spreads the load
        held = [(held.run_id, held.fence) for held in poll.holding]
        look = _Look(agent_id, poll.free, held, asked_at, poll.facts)
        del poll, held
        while True:
            waiting = self._register(agent_id)
            look.lent = self._offers.collect(agent_id)[: look.free]
            try:
                orders = await self._looking.answer(look, _HELD_BYTES * len(look.held))
                is_first, look.asked_at, look.facts = look.asked_at is not None, None, None
                left = deadline - self._loop.time()
                if orders is not None or left <= 0 or self._stopping:
                    return self._tell(orders)
                if is_first and look.free and self._waiting.get(agent_id) is waiting:
                    self._offers.make(agent_id)  # once: whoever has taken it may not have told yet
                is_last = await self._wait(waiting, left, gone)
            finally:
                if self._waiting.get(agent_id) is waiting:
                    del self._waiting[agent_id]
                    self._offers.withdraw(agent_id)
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

    def _tell(self, orders: bytes | None) -> Answer:
        return Answer(200, orders or self._no_orders)

    def _is_overtaken(self, agent_id: UUID, poll: protocol.Poll) -> bool:
        """Whether the same process has sent a later poll: what this one says the agent holds is out of date."""
        process, newest = self._newest.get(agent_id, ("", 0))
        if process == poll.process and poll.number < newest:
            return True
        self._newest[agent_id] = (poll.process, poll.number)
        return False

    def _look_all(self, looks: Sequence[_Look]) -> list[bytes | DispatcherError | None]:
        """Return for each of *looks* the orders of what the agent shall do now, or None if there is nothing.

        Or why there may be something that cannot be given now.
        """
        # Where two are an agent's, the poll that has come first is over: the newer one waits in its place.
        newest = {look.agent_id: look for look in looks}
        said = {agent_id: to_facts(look.facts) for agent_id, look in newest.items() if look.facts is not None}
        if said:
            self._hall.enrolment.note_facts_of(said)
        handed = [run_id for look in looks for run_id in look.lent]
        lent = self._hall.leasing.lent(handed) if handed else {}
        orders = self._orders({agent_id: look for agent_id, look in newest.items() if agent_id not in lent})
        orders |= {agent_id: self._order(to_orders(runs), Standing([], []), []) for agent_id, runs in lent.items()}
        return [orders.get(look.agent_id) if look is newest[look.agent_id] else None for look in looks]

    def _orders(self, looks: Mapping[UUID, _Look]) -> dict[UUID, bytes | DispatcherError]:
        """Return the orders of those agents that have any, or why they cannot have them now."""
        leasing = self._hall.leasing
        waking = self._hall.waking
        silent = [agent_id for agent_id, look in looks.items() if not look.held and not waking.concerns(agent_id)]
        idle = set(silent) - leasing.with_business(silent) if silent else set()
        asks = [
            Ask(agent_id, 0 if self._stopping else look.free, look.held, look.asked_at)
            for agent_id, look in looks.items()
            if agent_id not in idle
        ]
        if not asks:
            return {}
        leasing.reclaim_of(asks)
        given = leasing.orders_of(asks)
        work = iter(to_orders([run for runs, _ in given for run in runs]))
        # Last: should anything before this fail, all is done again.
        wakes = [waking.take(ask.agent_id, protocol.MOST_WAKES) for ask in asks]
        orders: dict[UUID, bytes | DispatcherError] = {}
        for ask, (runs, standing), macs in zip(asks, given, wakes, strict=True):
            if runs or standing.aborts or standing.lost or macs:
                orders[ask.agent_id] = self._order([next(work) for _ in runs], standing, macs)
            elif standing.is_unserved:  # it must not wait for a wake-up that has come already
                orders[ask.agent_id] = Busy("another transaction has locked this agent")
        return orders

    def _order(self, runs: list[protocol.RunOrder], standing: Standing, wakes: list[str]) -> bytes:
        orders = protocol.Orders(
            runs=runs, aborts=standing.aborts, lost=standing.lost, wakes=wakes, lease_s=self._lease_s
        )
        return protocol.dump(orders)

    def _register(self, agent_id: UUID) -> asyncio.Future[bool]:
        """Return a future that becomes true by the agent's next wake-up, and false by a newer poll of it."""
        assert self._loop is not None  # noqa: S101 - started before it serves
        older = self._waiting.get(agent_id)
        self._offers.withdraw(agent_id)  # it was the older poll's; this one may have no free slot
        if older is not None and not older.done():
            older.set_result(False)
        future = self._waiting[agent_id] = self._loop.create_future()
        return future

    def _hand_over(self, agent_id: UUID, run_id: UUID) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._fill, agent_id, run_id)

    def _fill(self, agent_id: UUID, run_id: UUID) -> None:
        # If no poll of it waits now, its next one takes this along, or has it lent again.
        self._offers.fill(agent_id, run_id)
        self._wake([agent_id])

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
