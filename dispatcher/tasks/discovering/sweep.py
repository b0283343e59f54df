"""The sweep: goes over all targets of an order, so many at a time, and tells of each what became of it."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from dispatcher.core.computers import Way
from dispatcher.core.errors import DispatcherError, InvalidValue
from dispatcher.core.networks import RefusedByPolicy
from dispatcher.tasks.discovering.examining import NOTHING_ASKED, Examiner
from dispatcher.tasks.discovering.findings import Findings
from dispatcher.tasks.discovering.lines import Outcome, Status, Stretch, line
from dispatcher.tasks.discovering.names import Names
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
from dispatcher.tasks.discovering.targets import Claims, Span, span, span_of

#: How often it is told how far it has come, in seconds.
PROGRESS_S = 60.0
#: How many names a directory is asked for at a time.
_NAMES = 200
_REFUSED = Outcome(Status.REFUSED)

#: Gives the names of the computers that a directory knows. It blocks.
Directory = Callable[[DirectoryTarget], Iterator[str]]
Job = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class Tally:
    """How many targets became what; of ranges all addresses count."""

    found: int = 0
    silent: int = 0
    refused: int = 0
    unresolved: int = 0
    failed: int = 0

    def add(self, status: Status, count: int = 1) -> None:
        """Count *count* more."""
        member = {
            Status.FOUND: "found",
            Status.NO_ANSWER: "silent",
            Status.REFUSED: "refused",
            Status.NOT_RESOLVED: "unresolved",
            Status.FAILED: "failed",
        }[status]
        setattr(self, member, getattr(self, member) + count)

    def __str__(self) -> str:
        """Return it in words."""
        words = [f"{self.found} computers found", f"{self.silent} addresses did not answer"]
        words += [f"{self.refused} refused by policy"]
        words += [f"{self.unresolved} names not resolved"] if self.unresolved else []
        words += [f"{self.failed} failed"] if self.failed else []
        return ", ".join(words)


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
        self._seen_names: set[str] = set()
        self._unresolved = 0
        self._resolved = asyncio.Event()
        self._stretches: set[Stretch] = set()

    async def run(self) -> None:
        """Go over all targets. When this is canceled, what is known by then is told.

        :raises OSError: if what was found cannot be written.
        """
        feed, turn = self._feed(), asyncio.Lock()
        progress = asyncio.create_task(self._tell_progress())
        try:
            await together(self._work(feed, turn) for _ in range(self._order.parallel))
        finally:
            progress.cancel()
            for stretch in self._stretches:
                stretch.close()
            await feed.aclose()

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
            self._write(f"# so far: {self.tally}")

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
        for alone in sorted(self._asked):
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
                else:
                    stretch = Stretch(part, self._write)
                    self._stretches.add(stretch)
                    for number in range(part.first, part.last + 1):
                        yield partial(self._number, stretch, part, number, _waiting(target))

    async def _number(self, stretch: Stretch, part: Span, number: int, waiting: Waiting) -> None:
        outcome = await self._examiner.examine(part.address(number), waiting)
        self._keep(outcome)
        stretch.settle(number, outcome)
        if stretch.is_done:
            self._stretches.discard(stretch)

    async def _address(self, target: AddressTarget) -> None:
        try:
            alone = span(target)
        except InvalidValue as error:
            self._tell(target.address, Outcome(Status.FAILED, error.message))
            return
        if alone not in self._asked:
            outcome, _ = await self._once(alone, _waiting(target))
            self._keep(outcome)
            self._write(line(alone, outcome))

    async def _once(
        self, alone: Span, waiting: Waiting, name: str = "", ways: Sequence[Way] = ()
    ) -> tuple[Outcome, bool]:
        """Return what becomes of one address, and True; whoever comes later gets the same, and False."""
        known = self._asked.get(alone)
        if known is not None:
            return await asyncio.shield(known), False
        future = self._asked[alone] = asyncio.get_running_loop().create_future()
        try:
            [(_, is_allowed)] = self._policy.split(alone)
            outcome = _REFUSED
            if is_allowed:
                outcome = await self._examiner.examine(str(alone), waiting, name, ways)
            future.set_result(outcome)
        finally:
            future.cancel()
        return outcome, True

    def _name_job(self, name: str, patience: Patience, ways: Sequence[Way]) -> Iterator[Job]:
        key = name.strip().rstrip(".").casefold()
        if key not in self._seen_names:
            self._seen_names.add(key)
            self._unresolved += 1
            yield partial(self._name, name.strip(), _waiting(patience), ways)

    async def _name(self, name: str, waiting: Waiting, ways: Sequence[Way]) -> None:
        try:
            addresses = await self._names.addresses(name, waiting)
            asking = [self._once(span_of(address), waiting, name, ways) for address in addresses]
            # They begin in this order, before anybody else has a turn: what is asked for is known then.
            pending = [asyncio.ensure_future(one) for one in asking]
            await asyncio.sleep(0)
        finally:
            self._unresolved -= 1
            if not self._unresolved:
                self._resolved.set()
        if not addresses:
            self._tell(name, Outcome(Status.NOT_RESOLVED))
            return
        try:
            outcomes = await asyncio.gather(*pending)
        finally:
            for one in pending:
                one.cancel()
        best, is_new = _best(addresses, outcomes)
        if is_new:
            self._keep(best)
        self._write(line(name, best))

    async def _directory_jobs(self, target: DirectoryTarget) -> AsyncGenerator[Job, None]:
        label = target.domain or target.canonical_name
        try:
            names = self._directory(target)
            while chunk := await self._threads.run(lambda: list(itertools.islice(names, _NAMES))):
                for name in chunk:
                    for job in self._name_job(name, target, (Way.DIRECTORY,)):
                        yield job
        except RefusedByPolicy as error:
            self._tell(label, Outcome(Status.REFUSED, error.message))
        except (DispatcherError, OSError) as error:
            self._tell(label, Outcome(Status.FAILED, getattr(error, "message", "") or str(error)))

    def _tell(self, target: object, outcome: Outcome, count: int = 1) -> None:
        self.tally.add(outcome.status, count)
        self._write(line(target, outcome))

    def _keep(self, outcome: Outcome) -> None:
        self.tally.add(outcome.status)
        if outcome.computer is not None:
            self._findings.add(outcome.computer)


def _waiting(patience: Patience) -> Waiting:
    return Waiting(patience.timeout_ms / 1000, patience.retry + 1)


def _best(addresses: Sequence[str], outcomes: Sequence[tuple[Outcome, bool]]) -> tuple[Outcome, bool]:
    """Return what became of a name with these *addresses*: the best that became of one; and whether that is new."""
    ranks = [list(Status).index(outcome.status) for outcome, _ in outcomes]
    best, is_new = outcomes[ranks.index(min(ranks))]
    same = [address for address, (one, _) in zip(addresses, outcomes, strict=True) if one.status is best.status]
    return Outcome(best.status, "; ".join(filter(None, [", ".join(same), best.detail])), best.computer), is_new
