"""The poller: makes the agent known to a dispatcher, then waits for orders there, again and again."""

from __future__ import annotations

import itertools
import logging
import secrets
import time
from collections.abc import Callable
from threading import Condition, Thread
from typing import TypeVar
from uuid import UUID

from dispatcher.agents.connection import Backoff, Connection, Interrupted, Refused
from dispatcher.agents.holdings import Holdings
from dispatcher.agents.identity import StoredIdentity
from dispatcher.agents.protocol import LONG_POLL_S, Facts, Held, Identity, Orders, Poll, RunOrder, dump
from dispatcher.core.errors import Unavailable

log = logging.getLogger(__name__)

T = TypeVar("T")

#: How long an agent without a free slot waits for one before it asks for aborts only, in seconds.
BUSY_PAUSE_S = 0.5
#: How long it leaves the interpreter to the foreman after handing over a run, in seconds: building the next request
#: at once would delay the run's start by more than this delays the request.
HAND_OVER_S = 0.002
#: How long it waits after an answer that came at once and held nothing new, in seconds: an abort is repeated until
#: it is done, and a dispatcher that ends answers everybody.
REPEAT_PAUSE_S = 1.0


class Poller:
    """A thread that polls.

    *heard* gets new runs, aborts and losses, *refused* the end of the identity, *wake* MAC addresses of computers.
    """

    def __init__(
        self,
        connection: Connection,
        holdings: Holdings,
        facts: Facts,
        *,
        enrol: Callable[[Connection], Identity | StoredIdentity],
        heard: Callable[[list[RunOrder], list[UUID], list[Held]], None],
        refused: Callable[[Refused], None],
        wake: Callable[[list[str]], None],
    ) -> None:
        self._connection = connection
        self._holdings = holdings
        self._facts: Facts | None = facts
        self._told: Facts | None = None  #: what the poll under way tells
        self._enrol = enrol
        self._heard = heard
        self._refused = refused
        self._wake = wake
        self._process = secrets.token_hex(8)
        self._numbers = itertools.count(1)
        self._changed = Condition()
        self._is_stopping = False
        self._has_freed_slot = False
        self._is_asking = False  #: a poll is under way or about to be
        self._asks_for_nothing = False  #: a poll without a free slot is under way or about to be
        self._thread = Thread(target=self._run, name="poller", daemon=True)

    def start(self) -> None:
        """Begin to poll."""
        self._thread.start()

    def slot_freed(self) -> None:
        """Ask for more work now, if the poll under way does not do so."""
        with self._changed:
            self._has_freed_slot = True
            if self._asks_for_nothing:
                self._connection.interrupt()
            self._changed.notify()

    def tell(self, facts: Facts) -> None:
        """Tell the dispatcher *facts* now, by a new poll in place of the one under way."""
        with self._changed:
            self._facts = facts
            if self._is_asking:
                self._connection.interrupt()

    def stop(self) -> None:
        """Ask for nothing more."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify()
        self._connection.interrupt()

    def _run(self) -> None:
        try:
            identity = self._until_answered(lambda: self._enrol(self._connection))
            if identity is not None:
                self._connection.identify(identity.agent_id, identity.secret)
            while not self._is_stopping:
                asked_at = time.monotonic()
                answered = self._until_answered(self._poll)
                if answered is not None:
                    self._forget_told()
                    self._take(*answered, time.monotonic() - asked_at)
        except Refused as error:
            self._refused(error)

    def _until_answered(self, call: Callable[[], T]) -> T | None:
        """Try *call* until it succeeds; return None if the agent stops or the call is given up."""
        backoff = Backoff()
        while not self._is_stopping:
            try:
                return call()
            except Interrupted:
                return None
            except Unavailable as error:
                log.warning("dispatcher.unavailable error=%s", error)
                self._pause(backoff.next_s(), lambda: False)
        return None

    def _forget_told(self) -> None:
        with self._changed:
            if self._facts is self._told:  # else there is news already
                self._facts = None

    def _poll(self) -> tuple[Orders, list[Held]]:
        """Return orders, and what was named as held when asking for them."""
        self._pause(BUSY_PAUSE_S, lambda: self._holdings.free() > 0)
        with self._changed:
            free = self._holdings.free()
            self._is_asking, self._asks_for_nothing = True, free == 0
            self._told = self._facts
            if not self._is_stopping:
                self._connection.allow()
        try:
            holding = self._holdings.held()
            number = next(self._numbers)
            poll = Poll(free=free, holding=holding, process=self._process, number=number, facts=self._told)
            return self._connection.poll(dump(poll), LONG_POLL_S), holding
        finally:
            self._is_asking = self._asks_for_nothing = False

    def _take(self, orders: Orders, named: list[Held], waited_s: float) -> None:
        self._holdings.lent_for(orders.lease_s)
        if orders.wakes:
            self._wake(orders.wakes)
        new = self._holdings.take(orders.runs)
        lost = self._holdings.lost(named, orders.lost)
        if new or orders.aborts or lost:
            self._heard(new, orders.aborts, lost)
        if new:
            time.sleep(HAND_OVER_S)
        elif (orders.aborts or not orders.lost) and waited_s < REPEAT_PAUSE_S:
            self._has_freed_slot = False
            self._pause(REPEAT_PAUSE_S, lambda: self._has_freed_slot)

    def _pause(self, timeout_s: float, is_over: Callable[[], bool]) -> None:
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while not self._is_stopping and not is_over() and (left := deadline - time.monotonic()) > 0:
                self._changed.wait(left)
