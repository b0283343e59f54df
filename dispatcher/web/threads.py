"""Threads: answer requests, a few at once, and more while these wait for something.

What reads from SQLite waits for nobody. More threads than two only take the interpreter from each other in the midst of
their work, which costs a quarter of it (bench/README.rst, M2), and none of them is done sooner for it. Who waits, for
the disk or for a lock, takes nothing from anybody: then others go on in its place.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Lock, Thread, get_ident
from typing import Any, TypeVar

from dispatcher.core.errors import Unavailable

T = TypeVar("T")

#: How often it is looked whether there are enough threads, in seconds, while something waits for one.
LOOK_S = 0.005
#: A thread that is at its work for so long, in seconds, does not count among the few.
LONG_S = 0.02
#: A process that uses less of one processor than this waits for something: there is one thread more.
IDLE = 0.5


@dataclass(slots=True)
class _Asked:
    work: Callable[..., Any]
    arguments: tuple[object, ...]
    future: asyncio.Future[Any]


class Threads:
    """Does what is asked for in order, by *few* threads; by up to *most* while these wait."""

    def __init__(self, few: int, most: int) -> None:
        self._few = min(few, most)
        self._most = most
        self._queue: SimpleQueue[_Asked | None] = SimpleQueue()
        self._busy: dict[int, float] = {}  #: when each thread that is at work began it
        self._lock = Lock()
        self._threads: list[Thread] = []
        self._count = 0  #: threads that go on
        self._wanted = self._few
        self._is_closed = False
        self._timer: asyncio.TimerHandle | None = None
        self._looked = (0.0, 0.0)  #: when it was last looked, and the processor time by then

    async def run(self, work: Callable[..., T], *arguments: object) -> T:
        """Return what *work* returns; it is not begun if nobody waits for it any more.

        :raises Unavailable: if the threads are closed.
        """
        if self._is_closed:
            raise Unavailable("the server ends")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._queue.put(_Asked(work, arguments, future))
        if self._count < self._wanted:
            self._start()
        if self._timer is None and self._few < self._most:
            self._look_again(loop)
        return await future

    def close(self) -> None:
        """Do what waits, and end the threads."""
        self._is_closed = True
        self._queue.put(None)
        with self._lock:
            threads = list(self._threads)
        for thread in threads:
            thread.join()
        with suppress(Empty):
            while True:
                if (late := self._queue.get_nowait()) is not None:
                    _answer(late.future, None, Unavailable("the server ends"))

    def _start(self) -> None:
        """Let there be as many threads as are wanted."""
        with self._lock:
            self._threads = [thread for thread in self._threads if thread.is_alive()]
            while self._count < self._wanted and not self._is_closed:
                self._count += 1
                self._threads.append(Thread(target=self._work, name="web", daemon=True))
                self._threads[-1].start()

    def _look_again(self, loop: asyncio.AbstractEventLoop) -> None:
        self._looked = time.monotonic(), time.process_time()
        self._timer = loop.call_later(LOOK_S, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """Find out how many threads are wanted; look again as long as something waits."""
        self._timer = None
        if self._is_closed or self._queue.empty():
            self._wanted = self._few
            return
        now, then = time.monotonic(), self._looked
        wanted = self._few + sum(now - begun >= LONG_S for begun in [*self._busy.values()])
        if time.process_time() - then[1] < IDLE * (now - then[0]):
            wanted = max(wanted, self._wanted + 1)
        else:
            wanted = max(wanted, self._wanted - 1)
        self._wanted = min(wanted, self._most)
        self._start()
        self._look_again(loop)

    def _work(self) -> None:
        while (asked := self._queue.get()) is not None:
            self._do(asked)
            if self._count > self._wanted:
                with self._lock:
                    if self._count > self._wanted:
                        self._count -= 1
                        return
        self._queue.put(None)  # for the others

    def _do(self, asked: _Asked) -> None:
        if asked.future.cancelled():
            return
        me = get_ident()
        self._busy[me] = time.monotonic()
        result, error = None, None
        try:
            result = asked.work(*asked.arguments)
        except Exception as raised:  # whatever it is, it is for who has asked
            error = raised
        except BaseException as raised:
            error = RuntimeError(repr(raised))
        finally:
            del self._busy[me]
        _answer(asked.future, result, error)


def _answer(future: asyncio.Future[Any], result: object, error: Exception | None) -> None:
    with suppress(RuntimeError):  # the loop has ended: nobody waits any more
        future.get_loop().call_soon_threadsafe(_tell, future, result, error)


def _tell(future: asyncio.Future[Any], result: object, error: Exception | None) -> None:
    if future.done():  # its client may have hung up
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)
