"""The lookout: finds orders that another dispatcher has made for agents that wait here, where nothing tells of them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from itertools import islice
from threading import Event, Thread
from uuid import UUID

import structlog

log = structlog.get_logger(__name__)

#: How many agents are asked for by one query.
MOST_AT_ONCE = 1_000


class Lookout:
    """A thread that looks every *every_s* seconds, unless *is_needless* says that nobody else can have made any.

    *waiting* gives the agents that wait, *has_orders* says which of some have orders, *wake* wakes them.
    """

    def __init__(
        self,
        every_s: float,
        *,
        waiting: Callable[[], Collection[UUID]],
        has_orders: Callable[[Collection[UUID]], Collection[UUID]],
        wake: Callable[[Collection[UUID]], None],
        is_needless: Callable[[], bool],
    ) -> None:
        self._every_s = every_s
        self._waiting = waiting
        self._has_orders = has_orders
        self._wake = wake
        self._is_needless = is_needless
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="lookout", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more; return when the last look is over."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def look(self) -> None:
        """Wake those that wait and have orders."""
        waiting = iter(list(self._waiting()))
        while some := list(islice(waiting, MOST_AT_ONCE)):
            found = self._has_orders(some)
            if found:
                self._wake(found)

    def _run(self) -> None:
        while not self._stopping.wait(self._every_s):
            try:
                if not self._is_needless():
                    self.look()
            except Exception:  # neither a dead datastore nor a defect may end it
                log.exception("lookout.failed")
