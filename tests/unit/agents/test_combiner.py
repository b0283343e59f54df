"""Combiners: nobody waits for company, and what one call breaks does not touch the others of its batch."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from dispatcher.agents import combiner
from dispatcher.agents.combiner import Combiner
from dispatcher.core.errors import BadRequest, Busy, Deadlock, DispatcherError, Unavailable
from dispatcher.core.patience import USUAL_S, patience_s


class Work:
    """Doubles numbers, and remembers with whom; the gate is closed by tests. *broken* says what a number raises."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.broken: dict[int, Exception] = {}
        self.patience_s: list[float] = []

    def __call__(self, numbers: Sequence[int]) -> list[int | DispatcherError]:
        self.gate.wait(10)
        self.batches.append(list(numbers))
        self.patience_s.append(patience_s())
        for number in numbers:
            if number in self.broken:
                raise self.broken[number]
        return [BadRequest("odd") if number % 2 else 2 * number for number in numbers]


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture
def run(work: Work) -> Iterator[Callable[[Callable[[Combiner[int, int]], Awaitable[None]]], None]]:
    """Run a scenario on a loop, with a combiner."""
    with ThreadPoolExecutor(2) as pool:

        def run(scenario: Callable[[Combiner[int, int]], Awaitable[None]]) -> None:
            async def main() -> None:
                await asyncio.wait_for(scenario(Combiner(work, pool)), 20)

            asyncio.run(main())

        yield run
        work.gate.set()


async def ask(one: Combiner[int, int], work: Work, numbers: Sequence[int], size: int = 0) -> list[int | Exception]:
    """Ask for *numbers* while a call, 0, is being worked on; return their answers."""
    work.gate.clear()
    first = one.answer(0)
    answers = [one.answer(number, size) for number in numbers]
    work.gate.set()
    assert await first == 0
    found: list[int | Exception] = await asyncio.gather(*answers, return_exceptions=True)
    return found


def test_a_single_call_is_worked_on_at_once_and_alone(work: Work, run: Callable[..., None]) -> None:
    async def scenario(one: Combiner[int, int]) -> None:
        assert [await one.answer(2), await one.answer(4)] == [4, 8]
        assert work.batches == [[2], [4]]

    run(scenario)


def test_what_comes_meanwhile_is_worked_on_together_in_its_order(work: Work, run: Callable[..., None]) -> None:
    async def scenario(one: Combiner[int, int]) -> None:
        assert await ask(one, work, [2, 4, 6]) == [4, 8, 12]
        assert work.batches == [[0], [2, 4, 6]]

    run(scenario)


def test_a_batch_is_bounded_in_number_and_in_size(
    work: Work, run: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(combiner, "MOST", 3)
    monkeypatch.setattr(combiner, "MOST_BYTES", 10)

    async def scenario(one: Combiner[int, int]) -> None:
        await ask(one, work, [2, 4, 6, 8])
        await ask(one, work, [2, 4, 6], size=5)
        await ask(one, work, [2, 4], size=11)
        assert work.batches == [[0], [2, 4, 6], [8], [0], [2, 4], [6], [0], [2], [4]]

    run(scenario)


def test_an_error_that_is_an_answer_is_that_of_one_call(work: Work, run: Callable[..., None]) -> None:
    async def scenario(one: Combiner[int, int]) -> None:
        first, odd, last = await ask(one, work, [2, 3, 4])
        assert (first, last, type(odd)) == (4, 8, BadRequest)
        assert work.batches == [[0], [2, 3, 4]]

    run(scenario)


@pytest.mark.parametrize("error", [ValueError("a defect"), Unavailable("too large for the database")])
def test_a_call_that_breaks_its_batch_fails_alone(work: Work, run: Callable[..., None], error: Exception) -> None:
    work.broken = {4: error}

    async def scenario(one: Combiner[int, int]) -> None:
        assert await ask(one, work, [2, 4, 6, 8]) == [4, error, 12, 16]
        assert await one.answer(2) == 4

    run(scenario)


def test_a_datastore_that_is_away_is_not_asked_for_every_call(work: Work, run: Callable[..., None]) -> None:
    numbers = range(2, 100, 2)
    work.broken = {number: Unavailable(str(number)) for number in numbers}

    async def scenario(one: Combiner[int, int]) -> None:
        answers = await ask(one, work, numbers)
        assert [type(answer) for answer in answers] == [Unavailable] * len(numbers)
        assert work.batches == [[0], [*numbers], [2], [4]]

    run(scenario)


def test_whoever_needs_what_is_locked_is_refused_alone_however_many_they_are(
    work: Work, run: Callable[..., None]
) -> None:
    work.broken = {number: Busy("locked") for number in (4, 6, 8, 10)}

    async def scenario(one: Combiner[int, int]) -> None:
        answers = await ask(one, work, [2, 4, 6, 8, 10, 12])
        assert answers == [4, *work.broken.values(), 24]

    run(scenario)


def test_after_a_batch_has_waited_in_vain_others_have_less_patience_for_a_while(
    work: Work, run: Callable[..., None]
) -> None:
    work.broken = {4: Busy("locked")}
    usual, little = combiner.PATIENCE_S, combiner.HASTE_S

    async def scenario(one: Combiner[int, int]) -> None:
        await ask(one, work, [2, 4])
        assert work.batches == [[0], [2, 4], [2], [4]]
        assert work.patience_s == [usual, usual, little, little]
        await ask(one, work, [6, 8])
        assert work.patience_s[4:] == [little, little]
        one._wary_until = 0.0  # it is over
        await ask(one, work, [6, 8])
        assert work.patience_s[6:] == [usual, usual]
        assert patience_s() == USUAL_S

    run(scenario)


def test_what_is_refused_in_haste_makes_the_while_no_longer(work: Work, run: Callable[..., None]) -> None:
    work.broken = {4: Busy("locked")}

    async def scenario(one: Combiner[int, int]) -> None:
        await ask(one, work, [2, 4])
        until = one._wary_until
        await ask(one, work, [2, 4])
        assert work.patience_s[-1] == combiner.HASTE_S
        assert one._wary_until == until

    run(scenario)


def test_one_that_was_refused_for_a_lock_by_its_batch_counts_as_much(work: Work, run: Callable[..., None]) -> None:
    def refuse(numbers: Sequence[int]) -> Sequence[int | DispatcherError]:
        answers = work(numbers)
        return [Busy("locked") if number == 4 else answer for number, answer in zip(numbers, answers, strict=True)]

    async def scenario(one: Combiner[int, int]) -> None:
        one._work = refuse
        await ask(one, work, [2, 4])
        assert await one.answer(6) == 12
        assert work.batches == [[0], [2, 4], [6]]
        assert work.patience_s == [combiner.PATIENCE_S, combiner.PATIENCE_S, combiner.HASTE_S]

    run(scenario)


def test_a_batch_that_met_a_deadlock_is_done_again_as_a_whole(work: Work, run: Callable[..., None]) -> None:
    def once(numbers: Sequence[int]) -> Sequence[int | DispatcherError]:
        if len(numbers) > 1 and not failed:
            failed.append(numbers)
            raise Deadlock("once")
        return work(numbers)

    failed: list[Sequence[int]] = []

    async def scenario(one: Combiner[int, int]) -> None:
        one._work = once
        assert await ask(one, work, [2, 4]) == [4, 8]
        assert work.batches == [[0], [2, 4]]

    run(scenario)


def test_who_does_not_wait_any_more_keeps_nobody(work: Work, run: Callable[..., None]) -> None:
    async def scenario(one: Combiner[int, int]) -> None:
        work.gate.clear()
        first, gone, last = one.answer(0), one.answer(2), one.answer(4)
        gone.cancel()
        work.gate.set()
        assert [await first, await last] == [0, 8]
        assert gone.cancelled()

    run(scenario)


def test_calls_that_come_after_the_end_are_refused(work: Work) -> None:
    async def main() -> None:
        pool = ThreadPoolExecutor(1)
        one: Combiner[int, int] = Combiner(work, pool)
        pool.shutdown()
        for _ in range(2):
            with pytest.raises(Unavailable):
                await one.answer(2)

    asyncio.run(main())


class Cramped:
    """A pool that gets no more threads; with one *at_work* that takes what is on the list before that is told."""

    def __init__(self, *, at_work: bool) -> None:
        self.at_work = at_work
        self.listed: list[Callable[[], None]] = []

    def submit(self, work: Callable[[], None]) -> None:
        self.listed.append(work)
        if self.at_work:
            work()
        raise RuntimeError("can't start new thread")


@pytest.mark.parametrize("at_work", [False, True])
def test_a_batch_is_answered_once_though_no_thread_could_be_started(work: Work, at_work: bool) -> None:
    async def main() -> None:
        pool = Cramped(at_work=at_work)
        one: Combiner[int, int] = Combiner(work, pool)  # type: ignore[arg-type]
        calls = [one.answer(number) for number in (2, 4)]
        answers = await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), 20)
        assert [type(answer) for answer in answers] == [int if at_work else Unavailable] * 2
        for late in pool.listed:  # a thread has become free
            late()
        await asyncio.sleep(0)
        assert work.batches == ([[2], [4]] if at_work else [])
        assert not one._is_working

    asyncio.run(main())
