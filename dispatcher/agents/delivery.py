"""Delivery: brings the events of the spool to a dispatcher, and keeps the leases of what the agent holds."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from threading import Condition, Thread
from uuid import UUID

from pydantic import TypeAdapter

from dispatcher.agents.connection import Backoff, Connection, Refused, Rejected
from dispatcher.agents.holdings import Holdings
from dispatcher.agents.protocol import MAX_REPORT_BYTES, Held, Receipt
from dispatcher.agents.spool import Batch, Spool
from dispatcher.agents.substitutes import substitute
from dispatcher.core.errors import Unavailable

log = logging.getLogger(__name__)

#: How long news that is not urgent waits for more, in seconds: a short run is one report.
LINGER_S = 0.01
_MAX_EVENTS = 10_000
_HELD: TypeAdapter[list[Held]] = TypeAdapter(list[Held])


class Delivery:
    """A thread that reports. *standing* is told of aborts and losses, *refused* of the end of the identity.

    *forsaken* is called once when no dispatcher has answered for *hold_s* seconds while runs are held.
    """

    def __init__(
        self,
        connection: Connection,
        spool: Spool,
        holdings: Holdings,
        *,
        standing: Callable[[list[UUID], list[Held]], None],
        refused: Callable[[Refused], None],
        forsaken: Callable[[], None],
        hold_s: float,
    ) -> None:
        self._connection = connection
        self._spool = spool
        self._holdings = holdings
        self._standing = standing
        self._refused = refused
        self._forsaken = forsaken
        self._hold_s = hold_s
        self._away_since: float | None = None
        self._changed = Condition()
        self._has_news = True
        self._is_urgent = True
        self._stop_by: float | None = None
        self._reported_at = time.monotonic()
        self._thread = Thread(target=self._run, name="delivery", daemon=True)

    def start(self) -> None:
        """Begin to deliver."""
        self._thread.start()

    def news(self, *, is_urgent: bool) -> None:
        """Deliver what has been added to the spool: at once, or when a little more may have come."""
        with self._changed:
            self._has_news = True
            self._is_urgent = self._is_urgent or is_urgent
            self._changed.notify()

    def stop(self, timeout_s: float) -> None:
        """Deliver what there is, but take no longer than *timeout_s*, and end."""
        with self._changed:
            self._stop_by = time.monotonic() + timeout_s
            self._has_news = self._is_urgent = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _run(self) -> None:
        backoff = Backoff()
        while self._wait_for_work():
            batch = self._spool.batch(MAX_REPORT_BYTES * 3 // 4, _MAX_EVENTS)
            held = self._holdings.held()
            if not batch.events and not (held and self._is_heartbeat_due()):
                continue
            try:
                receipt = self._deliver(batch.events, held)
            except (Unavailable, Rejected) as error:
                log.warning("report.failed events=%d error=%s", len(batch.events), error)
                if self._stop_by is not None:
                    return  # the spool keeps it for the next start
                if isinstance(error, Unavailable):
                    self._note_absence(is_holding=bool(held))
                # Not much later than the next heartbeat: the leases may not last for more.
                self._again(min(backoff.next_s(), self._holdings.heartbeat_s))
                continue
            except Refused as error:
                self._refused(error)
                return
            backoff.reset()
            self._away_since = None
            self._delivered(batch, held, receipt)

    def _note_absence(self, *, is_holding: bool) -> None:
        """Tell once, of each time that no dispatcher answers, when it has lasted for too long."""
        now = time.monotonic()
        if self._away_since is None:
            self._away_since = now
        if is_holding and now - self._away_since >= self._hold_s:
            log.error("dispatcher.away seconds=%.0f", now - self._away_since)
            self._away_since = math.inf
            self._forsaken()

    def _deliver(self, events: list[bytes], held: list[Held]) -> Receipt:
        """Deliver *events*, but for those that the dispatcher cannot take: they are found by halving.

        :raises Rejected: if it is not for the events.
        """
        try:
            return self._connection.report(_report(events, held), self._holdings.patience_s)
        except Rejected as error:
            if not events:
                raise
            if len(events) == 1:
                return self._deliver_instead(events[0], held, error)
        middle = len(events) // 2
        self._deliver(events[:middle], held)
        return self._deliver(events[middle:], held)

    def _deliver_instead(self, event: bytes, held: list[Held], error: Rejected) -> Receipt:
        """Deliver what stands for *event*, so that its run still ends."""
        receipt = self._deliver([], held)  # a dispatcher that rejects this too would reject everything
        instead = substitute(event)
        log.error("event.rejected event=%s replaced=%s error=%s", event[:120], instead is not None, error)
        if instead is not None:
            try:
                return self._connection.report(_report([instead], held), self._holdings.patience_s)
            except Rejected as again:
                log.error("event.dropped event=%s error=%s", instead[:120], again)
        return receipt

    def _delivered(self, batch: Batch, held: list[Held], receipt: Receipt) -> None:
        self._reported_at = time.monotonic()
        self._holdings.lent_for(receipt.lease_s)
        for run_id, fence in batch.finished:
            self._holdings.drop(run_id, fence)
        if batch.is_cut:
            self._again(0)
        if batch.events:
            try:
                self._spool.confirm(batch)
            except OSError as error:
                # Delivered it is; after a restart it would be delivered again, which does no harm.
                log.warning("spool.not_confirmed error=%s", error)
        lost = self._holdings.lost(held, receipt.lost)
        if receipt.aborts or lost:
            self._standing(receipt.aborts, lost)

    def _again(self, wait_s: float) -> None:
        with self._changed:
            self._has_news = self._is_urgent = True
            deadline = time.monotonic() + wait_s
            while self._stop_by is None and (left := deadline - time.monotonic()) > 0:
                self._changed.wait(left)

    def _wait_for_work(self) -> bool:
        """Wait for news or for the time of a heartbeat; return False when it is time to end."""
        with self._changed:
            while not self._has_news and self._stop_by is None:
                is_holding = bool(self._holdings.held())
                if is_holding and self._is_heartbeat_due():
                    break
                heartbeat_at = self._reported_at + self._holdings.heartbeat_s
                self._changed.wait(heartbeat_at - time.monotonic() if is_holding else None)
            linger_until = time.monotonic() + LINGER_S
            while not self._is_urgent and self._has_news and (left := linger_until - time.monotonic()) > 0:
                self._changed.wait(left)
            is_over = self._stop_by is not None and (not self._has_news or time.monotonic() > self._stop_by)
            self._has_news = self._is_urgent = False
            return not is_over

    def _is_heartbeat_due(self) -> bool:
        return time.monotonic() >= self._reported_at + self._holdings.heartbeat_s


def _report(events: list[bytes], held: list[Held]) -> bytes:
    """Return a ``Report``. The events are JSON already: nothing is gained by reading them again."""
    return b'{"events":[%b],"holding":%b}' % (b",".join(events), _HELD.dump_json(held))
