"""Combiners: calls that arrive while others are being worked on are worked on together, as soon as those are done.

A single call never waits for company, and a crowd pays once for what it would pay each: a transaction, a statement, a
change of threads.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import Generic, TypeVar

import structlog

from dispatcher.core.attempts import again
from dispatcher.core.errors import Busy, DispatcherError, Unavailable
from dispatcher.core.patience import patient_for

log = structlog.get_logger(__name__)

Q = TypeVar("Q")
A = TypeVar("A")

#: How many calls are worked on together at most: the first of them wait for the last.
MOST = 100
#: How many bytes these may have together; a call that has more is worked on alone.
MOST_BYTES = 1 << 18
#: How many calls of a batch that failed may find the datastore out of order before the others are told the same.
_OUT_OF_ORDER = 2
#: How long a batch waits for what somebody else has locked, in seconds: longer than a database takes to see a deadlock.
PATIENCE_S = 2.0
#: The same for a while after one has waited in vain: all that needs what is locked is refused soon, the rest is done.
HASTE_S = 0.1
#: How long that while is, in seconds: longer than an agent waits before it tries again.
WARY_S = 15.0


@dataclass(slots=True)
class _Call(Generic[Q, A]):
    question: Q
    size: int
    answer: asyncio.Future[A]


class Combiner(Generic[Q, A]):
    """Lets *work* answer calls in threads of *pool*, one batch at a time. Its methods are called on the loop.

    *work* returns for each question, in order, the answer or the error that is this call's alone. If it raises, the
    questions are put to it again one by one: it is repeatable, and what one of them breaks does not touch the others.
    So whoever needs what another transaction keeps locked is refused, and the others wait for that but once.
    """

    def __init__(self, work: Callable[[Sequence[Q]], Sequence[A | DispatcherError]], pool: Executor) -> None:
        self._work = work
        self._pool = pool
        self._calls: deque[_Call[Q, A]] = deque()
        self._is_working = False
        self._wary_until = 0.0

    def answer(self, question: Q, size: int = 0) -> asyncio.Future[A]:
        """Return the future answer to *question*, which has *size* bytes or takes as much memory."""
        call: _Call[Q, A] = _Call(question, size, asyncio.get_running_loop().create_future())
        self._calls.append(call)
        if not self._is_working:
            self._start(asyncio.get_running_loop())
        return call.answer

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        batch = self._take()
        self._is_working = True
        questions = [call.question for call in batch]
        done = partial(self._tell, loop, batch)
        claim = Lock()  # whoever has it answers the batch

        def work() -> None:
            if claim.acquire(blocking=False):
                loop.call_soon_threadsafe(done, self._answers(questions))

        try:
            self._pool.submit(work)
        except RuntimeError:
            # The pool has been shut down, or has put this on its list and got no new thread: an older one may have it.
            if claim.acquire(blocking=False):
                loop.call_soon(done, [Unavailable("this dispatcher has no thread for it")] * len(batch))

    def _take(self) -> list[_Call[Q, A]]:
        """Take what is worked on next: what has come first."""
        batch = [self._calls.popleft()]
        size = batch[0].size
        while self._calls and len(batch) < MOST and size + self._calls[0].size <= MOST_BYTES:
            size += self._calls[0].size
            batch.append(self._calls.popleft())
        return batch

    def _tell(
        self, loop: asyncio.AbstractEventLoop, batch: Sequence[_Call[Q, A]], answers: Sequence[A | Exception]
    ) -> None:
        for call, answer in zip(batch, answers, strict=True):
            if call.answer.done():  # whoever asked does not wait any more
                continue
            if isinstance(answer, Exception):
                call.answer.set_exception(answer)
            else:
                call.answer.set_result(answer)
        self._is_working = False
        if self._calls:
            self._start(loop)

    def _answers(self, questions: Sequence[Q]) -> Sequence[A | Exception]:
        """Return the answers to *questions*, or why there is none. Called in a thread."""
        is_patient = time.monotonic() >= self._wary_until
        try:
            with patient_for(PATIENCE_S if is_patient else HASTE_S):
                answers = again(partial(self._work, questions))
        except Exception as error:  # it belongs to the loop, where somebody waits for it
            if is_patient:
                self._note([error], len(questions))
            return [error] if len(questions) == 1 else self._one_by_one(questions)
        if is_patient:
            self._note(answers, len(questions))
        return answers

    def _note(self, answers: Sequence[A | Exception], calls: int) -> None:
        """Be wary from now on if one of *answers*, to a patient batch, is that a lock was waited for in vain.

        What is refused in haste says nothing: ordinary work is in each other's way for longer, and would never end it.
        """
        if any(isinstance(answer, Busy) for answer in answers):
            log.warning("batch.busy", calls=calls)
            self._wary_until = time.monotonic() + WARY_S

    def _one_by_one(self, questions: Sequence[Q]) -> list[A | Exception]:
        answers: list[A | Exception] = []
        refused: list[Unavailable] = []
        for question in questions:
            # Each of them may wait for a datastore that does not answer; nobody is served meanwhile.
            [answer] = refused[-1:] if len(refused) >= _OUT_OF_ORDER else self._answers([question])
            answers.append(answer)
            if isinstance(answer, Unavailable) and not isinstance(answer, Busy):
                refused.append(answer)
        return answers
