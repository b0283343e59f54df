"""Probes: questions to one computer, and what it has said of itself."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from dispatcher.core.computers import Way
from dispatcher.core.errors import DispatcherError

T = TypeVar("T")

#: How many blocking questions are asked at a time; each takes a thread.
MOST_THREADS = 64


class LibraryMissing(DispatcherError):
    """A question cannot be asked: a library for it is not installed."""

    code = "discovery.library_missing"

    def __init__(self, library: str) -> None:
        super().__init__(f"{library} is missing: install dispatcher[discovery]", library=library)


@dataclass(frozen=True, slots=True)
class Waiting:
    """How long an answer is waited for, in seconds, and how often a question is asked at most (the first one too)."""

    timeout_s: float
    times: int

    @property
    def total_s(self) -> float:
        """How long nobody answers before that is believed."""
        return self.timeout_s * self.times


@dataclass(frozen=True, slots=True)
class Answer:
    """What a computer has said to one question. What it has not said is empty; nothing of it is trusted."""

    name: str = ""
    dns_name: str = ""
    netbios_name: str = ""
    mac: str = ""  #: in any of the usual forms
    os: str = ""  #: linux, windows, macos, or empty
    description: str = ""
    ports: tuple[int, ...] = ()
    remark: str = ""  #: what was learned otherwise, such as what became of a login


class Probe(Protocol):
    """A kind of question, for all computers of a discovery; ``way`` says which.

    Where a library is missing, making one raises ``LibraryMissing``.
    """

    @property
    def way(self) -> Way: ...  # noqa: D102

    async def ask(self, address: str, waiting: Waiting) -> Answer | None:
        """Ask the computer at *address* (as numbers, allowed by the policy) and nobody else.

        Return None if it does not answer, or answers nonsense. Many are asked at a time.
        """

    async def close(self) -> None:
        """Let go of everything; nobody is asked any more."""


class Threads:
    """Threads for libraries that block. They are daemons: one that still waits keeps no process from ending."""

    def __init__(self, most: int = MOST_THREADS) -> None:
        self._free = asyncio.Semaphore(most)

    async def run(self, work: Callable[[], T]) -> T:
        """Return what *work* gives, or raise what it raises.

        When this is canceled, the thread still counts as taken until *work* has ended: that must end by itself.
        """
        await self._free.acquire()
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()

        def settle(result: T | None, error: BaseException | None) -> None:
            self._free.release()
            if done.done():
                return
            if error is not None:
                done.set_exception(error)
            else:
                done.set_result(result)  # type: ignore[arg-type]

        def body() -> None:
            result, error = None, None
            try:
                result = work()
            except BaseException as caught:
                error = caught
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(settle, result, error)

        threading.Thread(target=body, daemon=True, name="probe").start()
        return await done


async def together(questions: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Return what all *questions* give, in their order. When one raises, the others are canceled, and it is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(question) for question in questions]
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]
