"""The sweep: goes over all targets of an order, so many at a time, and tells of each what became of it."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from functools import partial

from dispatcher.core.computers import Way
from dispatcher.core.errors import DispatcherError, InvalidValue
from dispatcher.core.networks import RefusedByPolicy
from dispatcher.tasks.discovering import name_outcomes
from dispatcher.tasks.discovering.examining import NOTHING_ASKED, Examiner
from dispatcher.tasks.discovering.findings import Findings
from dispatcher.tasks.discovering.lines import PROGRESS, Outcome, Status, Stretch, line
from dispatcher.tasks.discovering.names import MOST_ADDRESSES, Names
from dispatcher.tasks.discovering.order import (
    AddressTarget,
    DirectoryTarget,
    DiscoveryOrder,
    NameTarget,
    Patience,
    RangeTarget,
)
from dispatcher.tasks.discovering.policy import Policy
from dispatcher.tasks.discovering.probes import Threads, Waiting, together
from dispatcher.tasks.discovering.tally import Tally
from dispatcher.tasks.discovering.targets import Claims, Span, span, span_of

#: How often it is told how far it has come, in seconds.
PROGRESS_S = 60.0
#: How many names a directory is asked for at a time.
_NAMES = 200
#: How many addresses of ranges are asked: as many as 10.0.0.0/8 has. More would take days.
MOST_IN_RANGES = 2**24
_REFUSED = Outcome(Status.REFUSED)

#: Gives the names of the computers that a directory knows. It blocks.
Directory = Callable[[DirectoryTarget], Iterator[str]]
Job = Callable[[], Awaitable[None]]


class Sweep:
    """Does an *order*. What is found goes to *findings*, lines to *write*, as they come."""

    def __init__(
        self,
        order: DiscoveryOrder,
        *,
        policy: Policy,
        names: Names,
        examiner: Examiner,
        directory: Directory,
        threads: Threads,
        findings: Findings,
        write: Callable[[str], None],
    ) -> None:
        self._order = order
        self._policy = policy
        self._names = names
        self._examiner = examiner
        self._directory = directory
        self._threads = threads
        self._findings = findings
        self._write = write
        self.tally = Tally()
        self._asked: dict[Span, asyncio.Future[Outcome]] = {}  #: addresses that are no part of a range
        self._alone: set[Span] = set()  #: of those, what has a line of its own
        self._told: set[Span] = set()  #: and what is counted, and kept if it was found
        self._choices: dict[Span, list[asyncio.Event]] = {}  #: set when a name has told of what it chose
        self._left = MOST_IN_RANGES
        self._seen_names: set[str] = set()
        self._unresolved = 0
        self._resolving = asyncio.Semaphore(order.parallel)  #: each question for a name may take a socket, or a thread
        self._resolved = asyncio.Event()
        self._stretches: set[Stretch] = set()

    async def run(self) -> None:
        """Go over all targets. When this is canceled, what is known by then is told.

        :raises OSError: if what was found cannot be written.
        """
        feed, turn = self._feed(), asyncio.Lock()
        progress = asyncio.create_task(self._tell_progress())
        try:
            await together(self._work(feed, turn) for _ in range(self._at_a_time))
        finally:
            progress.cancel()
            for stretch in self._stretches:
                stretch.close()
            await feed.aclose()

    @property
    def _at_a_time(self) -> int:
        """How many addresses are looked for at a time."""
        return self._order.pings if self._examiner.waits_for_echoes else self._order.parallel

    async def _work(self, feed: AsyncGenerator[Job, None], turn: asyncio.Lock) -> None:
        while True:
            async with turn:
                job = await anext(feed, None)
            if job is None:
                return
            await job()

    async def _tell_progress(self) -> None:
        while True:
            await asyncio.sleep(PROGRESS_S)
            self._write(f"{PROGRESS}{self.tally}")

    async def _feed(self) -> AsyncGenerator[Job, None]:
        """Give what is to be done: what has a line of its own first, so that ranges leave that out."""
        targets = self._order.targets
        for one in targets:
            if isinstance(one, AddressTarget):
                yield partial(self._address, one)
            elif isinstance(one, NameTarget):
                for job in self._name_job(one.name, one, ()):
                    yield job
        for one in targets:
            if isinstance(one, DirectoryTarget):
                async for job in self._directory_jobs(one):
                    yield job
        while self._unresolved:
            self._resolved.clear()
            await self._resolved.wait()
        claims = Claims()
        for alone in sorted(self._alone):
            claims.claim(alone)
        for one in targets:
            if isinstance(one, RangeTarget):
                for job in self._range_jobs(one, claims):
                    yield job

    def _range_jobs(self, target: RangeTarget, claims: Claims) -> Iterator[Job]:
        try:
            wanted = span(target)
        except InvalidValue as error:
            self._tell(f"{target.start} - {target.end}", Outcome(Status.FAILED, error.message))
            return
        for new in claims.claim(wanted):
            for part, is_allowed in self._policy.split(new):
                if not is_allowed:
                    self._tell(part, _REFUSED, part.size)
                elif not self._examiner.asks:
                    self._tell(part, Outcome(Status.NO_ANSWER, NOTHING_ASKED), part.size)
                elif part.size > self._left:
                    most = f"of ranges no more than {MOST_IN_RANGES} addresses are asked"
                    self._tell(part, Outcome(Status.FAILED, f"{part.size} addresses are too many: {most}"), part.size)
                else:
                    self._left -= part.size
                    stretch = Stretch(part, self._write)
                    self._stretches.add(stretch)
                    for number in range(part.first, part.last + 1):
                        yield partial(self._number, stretch, part, number, _waiting(target))

    async def _number(self, stretch: Stretch, part: Span, number: int, waiting: Waiting) -> None:
        alone = part.part(number, number)
        known = self._asked.get(alone)
        outcome: Outcome | None
        if known is None:
            outcome = await self._examiner.examine(str(alone), waiting)
            self._keep(outcome)
        else:
            for choice in self._choices.get(alone, ()):
                await choice.wait()
            outcome = await asyncio.shield(known)
            outcome = outcome if self._keep_once(alone, outcome) else None
        stretch.settle(number, outcome)
        if stretch.is_done:
            self._stretches.discard(stretch)

    async def _address(self, target: AddressTarget) -> None:
        try:
            alone = span(target)
        except InvalidValue as error:
            self._tell(target.address, Outcome(Status.FAILED, error.message))
            return
        if alone not in self._alone:
            self._alone.add(alone)
            outcome = await self._once(alone, _waiting(target))
            self._keep_once(alone, outcome)
            self._write(line(alone, outcome))

    async def _once(self, alone: Span, waiting: Waiting, name: str = "", ways: Sequence[Way] = ()) -> Outcome:
        """Return what becomes of one address; whoever comes later gets the same."""
        known = self._asked.get(alone)
        if known is not None:
            return await asyncio.shield(known)
        future = self._asked[alone] = asyncio.get_running_loop().create_future()
        try:
            [(_, is_allowed)] = self._policy.split(alone)
            outcome = _REFUSED
            if is_allowed:
                outcome = await self._examiner.examine(str(alone), waiting, name, ways)
            future.set_result(outcome)
        finally:
            future.cancel()
        return outcome

    def _name_job(self, name: str, patience: Patience, ways: Sequence[Way]) -> Iterator[Job]:
        key = name.strip().casefold()  # a dot at the end says something: such a name is looked up as it is
        if key not in self._seen_names:
            self._seen_names.add(key)
            self._unresolved += 1
            yield partial(self._name, name.strip(), _waiting(patience), ways)

    async def _name(self, name: str, waiting: Waiting, ways: Sequence[Way]) -> None:
        choice = asyncio.Event()
        try:
            await self._ask_name(name, waiting, ways, choice)
        finally:
            choice.set()

    async def _ask_name(self, name: str, waiting: Waiting, ways: Sequence[Way], choice: asyncio.Event) -> None:
        try:
            async with self._resolving:
                addresses = await self._names.addresses(name, waiting)
            places = list(dict.fromkeys(span_of(address) for address in addresses[:MOST_ADDRESSES]))
            for alone in places:
                self._choices.setdefault(alone, []).append(choice)
            # They begin in this order, before anybody else has a turn: what is asked for is known then.
            pending = [asyncio.ensure_future(self._once(alone, waiting, name, ways)) for alone in places]
            await asyncio.sleep(0)
        finally:
            self._unresolved -= 1
            if not self._unresolved:
                self._resolved.set()
        if not addresses:
            self._tell(name, Outcome(Status.NOT_RESOLVED))
            return
        try:
            outcomes = dict(zip(places, await asyncio.gather(*pending), strict=True))
        finally:
            for one in pending:
                one.cancel()
        best = name_outcomes.best_of(outcomes)
        for alone in name_outcomes.own(best):
            self._keep_once(alone, best[alone])
        self._write(line(name, name_outcomes.told(best, len(addresses))))

    async def _directory_jobs(self, target: DirectoryTarget) -> AsyncGenerator[Job, None]:
        label, known, new = target.domain or target.canonical_name, 0, 0
        try:
            names = self._directory(target)
            while chunk := await self._threads.run(lambda: list(itertools.islice(names, _NAMES))):
                known += len(chunk)
                for name in chunk:
                    for job in self._name_job(name, target, (Way.DIRECTORY,)):
                        new += 1
                        yield job
            if not new:
                none = Outcome(Status.NOT_RESOLVED, "the directory has no computers there")
                old = Outcome(Status.FOUND, f"the {known} computers that the directory has there are told by name")
                self._write(line(label, old if known else none))
        except RefusedByPolicy as error:
            self._tell(label, Outcome(Status.REFUSED, error.message))
        except (DispatcherError, OSError) as error:
            self._tell(label, Outcome(Status.FAILED, getattr(error, "message", "") or str(error)))

    def _tell(self, target: object, outcome: Outcome, count: int = 1) -> None:
        self.tally.add(outcome.status, count)
        self._write(line(target, outcome))

    def _keep_once(self, alone: Span, outcome: Outcome) -> bool:
        """Keep the *outcome* of one address, unless it is kept; return whether it was not."""
        if alone in self._told:
            return False
        self._told.add(alone)
        self._keep(outcome)
        return True

    def _keep(self, outcome: Outcome) -> None:
        self.tally.add(outcome.status)
        if outcome.computer is not None:
            self._findings.add(outcome.computer)


def _waiting(patience: Patience) -> Waiting:
    return Waiting(patience.timeout_ms / 1000, patience.retry + 1)
