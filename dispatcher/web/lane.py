"""The lane: one thread that answers short requests which store something, and commits once for all that have come.

Where one transaction is written at a time anyway, threads that wait for their turn, for the interpreter and for the
disk cost as much as the work itself. Here each answer is written by the same thread after the other, and none of them
is let out before what it tells of is on the disk.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from typing import NamedTuple

import structlog

from dispatcher.core.errors import Unavailable
from dispatcher.datastore.groupcommit import Deferral
from dispatcher.datastore.owed import Owed
from dispatcher.datastore.transactions import Datastore
from dispatcher.wire.http import Request, Response

log = structlog.get_logger(__name__)

#: How many answers wait for one commit at most: the first of them waits for the work of all.
MOST = 16
#: A row is let out once its answers have taken so long, in seconds: one that took long keeps no others waiting.
LONGEST_S = 0.025


class _Asked(NamedTuple):
    request: Request
    address: str
    future: asyncio.Future[Response]


class _Written(NamedTuple):
    """What *asked* is answered, or why it cannot be, once *owed* is paid."""

    asked: _Asked
    outcome: Response | Exception
    owed: Owed


class Lane:
    """Answers requests one after the other by *respond*; by *refuse*, if what one has done could not be stored.

    Only for a datastore that has one writer at a time.
    """

    def __init__(
        self,
        datastore: Datastore,
        respond: Callable[[Request, str], Response],
        refuse: Callable[[Request, int, str], Response],
    ) -> None:
        self._datastore = datastore
        self._respond = respond
        self._refuse = refuse
        self._queue: SimpleQueue[_Asked | None] = SimpleQueue()
        self._is_closed = False
        self._thread = Thread(target=self._run, name="lane", daemon=True)
        self._thread.start()

    async def answer(self, request: Request, address: str) -> Response:
        """Return the answer to *request* from *address*, once it is true for good.

        Who stops waiting before the answer is begun has asked for nothing.

        :raises Unavailable: if the lane is closed.
        """
        if self._is_closed:
            raise Unavailable("the server ends")
        future: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self._queue.put(_Asked(request, address, future))
        return await future

    def close(self) -> None:
        """Answer what waits, and end the thread."""
        self._is_closed = True
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        with self._datastore.deferring() as deferral:
            while (first := self._queue.get()) is not None:
                row = self._write(first, deferral)
                self._let_out(row, deferral)

    def _write(self, first: _Asked, deferral: Deferral) -> list[_Written]:
        """Return the answers to the first one and to what has come meanwhile; they may not be told yet."""
        row: list[_Written] = []
        enough = time.monotonic() + LONGEST_S
        asked: _Asked | None = first
        while asked is not None:
            if not asked.future.cancelled():
                row.append(_Written(asked, self._outcome(asked), deferral.take()))
            is_full = len(row) == MOST or time.monotonic() >= enough
            asked = None if is_full else self._next()
        return row

    def _outcome(self, asked: _Asked) -> Response | Exception:
        try:
            return self._respond(asked.request, asked.address)
        except Exception as error:  # whatever it is, it may not end the lane, on which all others depend
            return error

    def _next(self) -> _Asked | None:
        try:
            asked = self._queue.get_nowait()
        except Empty:
            return None
        if asked is None:
            self._queue.put(None)  # the end: found again when this is done
        return asked

    def _let_out(self, row: Sequence[_Written], deferral: Deferral) -> None:
        """Store what *row* owes, by one commit, and tell its answers."""
        if any(written.owed for written in row):
            deferral.settle()
        outcomes = [(written.asked.future, self._paid(written)) for written in row]
        if deferral.owed:  # what followed has stored something, too
            deferral.settle()
            deferral.take().pay()
        if outcomes:
            with suppress(RuntimeError):  # the loop has ended: nobody waits any more
                outcomes[0][0].get_loop().call_soon_threadsafe(_tell, outcomes)

    def _paid(self, written: _Written) -> Response | Exception:
        """Return what may be told, now that what *written* owes is stored or has failed."""
        request = written.asked.request
        try:
            is_stored = written.owed.pay()
        except Exception:  # it is stored; whoever should have been told of it finds out in time
            log.exception("lane.not_told", request=request.id)
            return written.outcome
        try:
            return written.outcome if is_stored else self._refuse(request, 503, "the datastore could not store this")
        except Exception as error:  # as in ``_outcome``
            return error


def _tell(outcomes: Sequence[tuple[asyncio.Future[Response], Response | Exception]]) -> None:
    for future, outcome in outcomes:
        if future.done():  # its client may have hung up
            continue
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
