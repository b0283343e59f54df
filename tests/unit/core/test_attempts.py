"""Attempts: a deadlock is tried again, nothing else, and not for ever."""

from __future__ import annotations

import pytest

from dispatcher.core.attempts import ATTEMPTS, again
from dispatcher.core.errors import Deadlock, Unavailable


class Work:
    """Fails so many times."""

    def __init__(self, failures: int, error: type[Exception] = Deadlock) -> None:
        self.failures = failures
        self.error = error
        self.calls = 0

    def __call__(self) -> int:
        self.calls += 1
        if self.calls <= self.failures:
            raise self.error("busy")
        return self.calls


@pytest.mark.parametrize("failures", range(ATTEMPTS))
def test_work_that_met_a_deadlock_is_done_again(failures: int) -> None:
    assert again(Work(failures)) == failures + 1


def test_it_is_given_up_in_the_end() -> None:
    work = Work(ATTEMPTS)
    with pytest.raises(Deadlock):
        again(work)
    assert work.calls == ATTEMPTS


def test_other_failures_are_not_tried_again() -> None:
    work = Work(1, Unavailable)
    with pytest.raises(Unavailable):
        again(work)
    assert work.calls == 1
