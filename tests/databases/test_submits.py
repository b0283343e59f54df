"""The same request again, with the same key: one job, whatever else happens, on every database."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest
from job_world import LIBRARY, a_request, lease, on, report
from sqlalchemy import func, select

from dispatcher.core.attempts import again
from dispatcher.core.errors import Forbidden, InvalidValue, KeyReused
from dispatcher.core.jobs import Job, JobRequest
from dispatcher.core.permissions import SYSTEM, Caller, Right, everything
from dispatcher.core.states import Event, State
from dispatcher.datastore.jobs import JOBS
from dispatcher.datastore.submits import SUBMITS
from dispatcher.services.hall import Hall
from dispatcher.services.reporting import RunFinished, RunStarted
from dispatcher.services.submits import SubmitKey

KEY = SubmitKey.of("a key", b"what is asked")


@pytest.fixture(autouse=True)
def library(load_library: Callable[[str], None]) -> None:
    load_library(LIBRARY)


@pytest.fixture
def request_of(enrol: Callable[..., UUID]) -> JobRequest:
    return a_request(who=on(enrol("one")))


def once(hall: Hall, request: JobRequest, key: SubmitKey | None = KEY, caller: Caller = SYSTEM) -> Job:
    """Submit as the doors do."""
    return again(lambda: hall.submits.once(caller, "ScheduleJob", key, lambda: hall.scheduling.submit(request, caller)))


def stored_jobs(datastore: Any) -> int:
    with datastore.read() as session:
        return int(session.scalar(select(func.count()).select_from(JOBS)))


@pytest.mark.promise("P6")
def test_the_same_key_gives_the_same_job_as_it_stands_now(
    hall: Hall, request_of: JobRequest, clock: Any, datastore: Any
) -> None:
    first = once(hall, request_of)
    agent = first.who[0].id
    (run,) = lease(hall, agent, 1)
    report(hall, agent, run, RunStarted(clock()), RunFinished(clock(), Event.COMPLETE))
    repeated = once(hall, request_of)
    assert (repeated.id, repeated.state) == (first.id, State.COMPLETED)
    assert stored_jobs(datastore) == 1


def test_another_body_under_the_same_key_is_a_conflict(hall: Hall, request_of: JobRequest, datastore: Any) -> None:
    once(hall, request_of)
    with pytest.raises(KeyReused):
        once(hall, request_of, SubmitKey.of("a key", b"something else"))
    assert stored_jobs(datastore) == 1


@pytest.mark.parametrize("key", ["A key", "a key ", "ä key", "k" * 5_000])
def test_keys_differ_by_every_character(hall: Hall, request_of: JobRequest, datastore: Any, key: str) -> None:
    once(hall, request_of)
    once(hall, request_of, SubmitKey.of(key, b"what is asked"))
    assert stored_jobs(datastore) == 2


def test_keys_count_by_login_and_operation(hall: Hall, request_of: JobRequest, datastore: Any) -> None:
    once(hall, request_of)
    other = Caller("somebody else", everything(Right.MODIFY))
    once(hall, request_of, caller=other)
    hall.submits.once(SYSTEM, "RerunJob", KEY, lambda: hall.scheduling.submit(request_of, SYSTEM))
    assert stored_jobs(datastore) == 3


def test_without_a_key_every_request_makes_a_job(hall: Hall, request_of: JobRequest, datastore: Any) -> None:
    once(hall, request_of, None)
    once(hall, request_of, None)
    assert stored_jobs(datastore) == 2


def test_what_has_failed_may_be_asked_for_again(hall: Hall, request_of: JobRequest, datastore: Any) -> None:
    with pytest.raises(InvalidValue):
        once(hall, replace(request_of, who=[]))
    with datastore.read() as session:
        assert session.scalar(select(func.count()).select_from(SUBMITS)) == 0
    once(hall, request_of, SubmitKey.of("a key", b"corrected"))
    assert stored_jobs(datastore) == 1


def test_a_key_is_forgotten_after_a_day(hall: Hall, request_of: JobRequest, clock: Any, datastore: Any) -> None:
    first = once(hall, request_of)
    clock.turn(timedelta(hours=23, minutes=59))
    assert once(hall, request_of).id == first.id
    clock.turn(timedelta(minutes=1))
    second = once(hall, request_of, SubmitKey.of("a key", b"the same key for something else"))
    assert second.id != first.id
    assert once(hall, request_of, SubmitKey.of("a key", b"the same key for something else")).id == second.id


def test_who_may_not_submit_any_more_learns_nothing(hall: Hall, request_of: JobRequest) -> None:
    once(hall, request_of)
    with pytest.raises(Forbidden):
        once(hall, request_of, caller=Caller(SYSTEM.name, everything(Right.READ)))


def test_equal_requests_at_the_same_time_make_one_job(hall: Hall, request_of: JobRequest, datastore: Any) -> None:
    callers, rounds = 6, 5
    ready = Barrier(callers)

    def ask(number: int) -> UUID:
        ready.wait(20)
        return once(hall, request_of, SubmitKey.of(f"round {number}", b"")).id

    with ThreadPoolExecutor(callers) as pool:
        for number in range(rounds):
            assert len(set(pool.map(ask, [number] * callers))) == 1
    assert stored_jobs(datastore) == rounds


def test_when_the_first_of_equal_requests_fails_another_makes_the_job(
    hall: Hall, request_of: JobRequest, datastore: Any
) -> None:
    callers = 4
    ready = Barrier(callers)
    failures = iter([RuntimeError("lost"), RuntimeError("lost again")])

    def make() -> Job:
        job = hall.scheduling.submit(request_of, SYSTEM)
        for failure in failures:
            raise failure
        return job

    def ask(_: int) -> UUID | None:
        ready.wait(20)
        try:
            return again(lambda: hall.submits.once(SYSTEM, "ScheduleJob", KEY, make)).id
        except RuntimeError:
            return None

    with ThreadPoolExecutor(callers) as pool:
        made = list(pool.map(ask, range(callers)))
    assert made.count(None) == 2
    assert len(set(made)) == 2
    assert stored_jobs(datastore) == 1


def test_a_request_without_a_name_has_no_key() -> None:
    assert SubmitKey.of("", b"what is asked") is None
