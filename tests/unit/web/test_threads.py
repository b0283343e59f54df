"""Threads do what is asked for: few of them, and more while these wait for something."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from threading import Barrier, Event

import pytest

from dispatcher.core.errors import Unavailable
from dispatcher.web import threads as module
from dispatcher.web.threads import Threads

WAIT_S = 20


@pytest.fixture
def threads() -> Iterator[Threads]:
    found = Threads(few=2, most=5)
    yield found
    found.close()


def test_what_is_done_or_fails_is_told_to_who_asked(threads: Threads) -> None:
    async def ask() -> list[object]:
        asked = [threads.run(int, text) for text in ("1", "x", "3")]
        return await asyncio.gather(*asked, return_exceptions=True)

    one, wrong, three = asyncio.run(ask())

    assert (one, three) == (1, 3)
    assert isinstance(wrong, ValueError)


def test_what_is_quick_is_left_to_the_few(threads: Threads, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONG_S", 3600)
    monkeypatch.setattr(module, "IDLE", 0)

    async def ask() -> set[int]:
        return {*await asyncio.gather(*(threads.run(threading.get_ident) for _ in range(500)))}

    assert len(asyncio.run(ask())) <= 2


def test_more_come_while_all_are_at_something_long(threads: Threads, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IDLE", 0)
    barrier = Barrier(5)

    async def ask() -> None:
        await asyncio.gather(*(threads.run(barrier.wait, WAIT_S) for _ in range(5)))

    asyncio.run(asyncio.wait_for(ask(), WAIT_S))


def test_what_is_long_keeps_nothing_that_is_quick_waiting(threads: Threads) -> None:
    go = Event()

    async def ask() -> None:
        busy = [asyncio.ensure_future(threads.run(go.wait, WAIT_S)) for _ in range(4)]
        for _ in range(100):
            await asyncio.gather(*(threads.run(int, "7") for _ in range(50)))
        assert not any(one.done() for one in busy)
        go.set()
        await asyncio.gather(*busy)

    asyncio.run(asyncio.wait_for(ask(), WAIT_S))


def test_more_come_while_the_process_waits(threads: Threads, monkeypatch: pytest.MonkeyPatch) -> None:
    """As for a slow disk: each waits for less than what is long, and all could wait for the same."""
    monkeypatch.setattr(module, "LONG_S", 3600)
    disk, at_work = Event(), set[int]()

    def work() -> None:
        at_work.add(threading.get_ident())
        disk.wait(0.01)
        if len(at_work) == 5:
            disk.set()

    async def ask() -> None:
        while not disk.is_set():
            await asyncio.gather(*(threads.run(work) for _ in range(20)))

    asyncio.run(asyncio.wait_for(ask(), WAIT_S))


def test_those_that_are_no_longer_wanted_go(threads: Threads) -> None:
    barrier = Barrier(5)

    async def ask() -> None:
        before = threading.active_count()
        await asyncio.gather(*(threads.run(barrier.wait, WAIT_S) for _ in range(5)))
        while threading.active_count() > before + 2:
            await threads.run(int, "7")
            await asyncio.sleep(0)

    asyncio.run(asyncio.wait_for(ask(), WAIT_S))


def test_what_would_end_a_thread_does_not(threads: Threads) -> None:
    def end() -> None:
        raise SystemExit

    async def ask() -> int:
        for _ in range(10):
            with pytest.raises(RuntimeError, match="SystemExit"):
                await threads.run(end)
        return await threads.run(int, "7")

    assert asyncio.run(asyncio.wait_for(ask(), WAIT_S)) == 7


def test_there_are_never_more_than_may_be(threads: Threads) -> None:
    at_once, most, is_enough = 0, 0, Event()
    lock = threading.Lock()

    def work() -> None:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
            if most == 5:
                is_enough.set()
        is_enough.wait(WAIT_S)
        with lock:
            at_once -= 1

    async def ask() -> None:
        await asyncio.gather(*(threads.run(work) for _ in range(40)))

    asyncio.run(ask())

    assert most == 5


def test_what_nobody_waits_for_any_more_is_not_begun(threads: Threads) -> None:
    go, begun = Event(), []

    async def ask() -> None:
        busy = [asyncio.ensure_future(threads.run(go.wait, WAIT_S)) for _ in range(5)]
        late = asyncio.ensure_future(threads.run(begun.append, "late"))
        await asyncio.sleep(0)
        late.cancel()
        await asyncio.sleep(0)
        go.set()
        await asyncio.gather(*busy)
        await threads.run(begun.append, "last")

    asyncio.run(ask())

    assert begun == ["last"]


def test_closed_ones_do_what_waits_and_take_no_more() -> None:
    threads, go = Threads(few=1, most=1), Event()

    async def ask() -> list[object]:
        asked = [asyncio.ensure_future(threads.run(go.wait, WAIT_S)), *(threads.run(int, "7") for _ in range(3))]
        done = asyncio.gather(*asked)
        await asyncio.sleep(0)
        closing = asyncio.ensure_future(asyncio.to_thread(threads.close))
        go.set()
        await closing
        with pytest.raises(Unavailable):
            await threads.run(int, "8")
        return await done

    assert asyncio.run(ask()) == [True, 7, 7, 7]
