"""Leases that run out while the agent cannot be heard: what it began behind a broken network is not begun again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from job_world import LIBRARY, a_request, lapse, lease, on, orders, reclaim, report, standing

from dispatcher.core.permissions import SYSTEM
from dispatcher.core.states import Event, State
from dispatcher.services.hall import Hall
from dispatcher.services.reporting import RunFinished, RunStarted, TaskFinished, TaskStarted
from dispatcher.services.run_orders import LeasedRun

OVER = timedelta(seconds=31)


@pytest.fixture(autouse=True)
def library(load_library: Callable[[str], None]) -> None:
    load_library(LIBRARY)


@pytest.fixture
def agent(enrol: Callable[..., UUID]) -> UUID:
    return enrol("one")


@pytest.fixture
def job(hall: Hall, agent: UUID) -> UUID:
    return hall.scheduling.submit(a_request(who=on(agent)), SYSTEM).id


@pytest.fixture
def unheard(hall: Hall, agent: UUID, job: UUID, clock: Any) -> LeasedRun:
    """A run whose lease is over, and of whose beginning the agent could tell nothing."""
    [run] = lease(hall, agent, 1)
    assert lapse(hall, clock, OVER) == 1
    return run


def test_what_was_done_meanwhile_counts(hall: Hall, agent: UUID, job: UUID, unheard: LeasedRun, clock: Any) -> None:
    done = [TaskStarted(0, clock()), TaskFinished(0, clock(), Event.COMPLETE), RunFinished(clock(), Event.COMPLETE)]
    assert report(hall, agent, unheard, RunStarted(clock()), *done).lost == [unheard.id]
    assert hall.jobs.get(job, SYSTEM).state is State.COMPLETED
    assert lease(hall, agent, 1) == []


def test_an_agent_that_still_holds_it_goes_on(hall: Hall, agent: UUID, unheard: LeasedRun) -> None:
    held = [(unheard.id, unheard.fence)]
    reclaim(hall, agent, held)
    runs, standing = orders(hall, agent, 5, held)
    assert (runs, standing.lost) == ([], [])


def test_an_agent_that_never_got_it_is_given_it_under_another_fence(
    hall: Hall, agent: UUID, unheard: LeasedRun, clock: Any
) -> None:
    [again] = lease(hall, agent, 1)
    assert (again.id, again.fence) == (unheard.id, unheard.fence + 1)
    assert report(hall, agent, unheard, RunStarted(clock())).lost == [unheard.id]


def test_late_news_of_its_beginning_starts_a_lease(
    hall: Hall, agent: UUID, job: UUID, unheard: LeasedRun, clock: Any
) -> None:
    report(hall, agent, unheard, RunStarted(clock()), TaskStarted(0, clock()))
    assert lapse(hall, clock, OVER) == 1
    assert hall.jobs.get(job, SYSTEM).state is State.FAILED


def test_what_was_lent_after_the_agent_spoke_is_not_taken_back(hall: Hall, agent: UUID, job: UUID, clock: Any) -> None:
    asked_at = clock.steady()
    clock.turn(timedelta(seconds=1))
    [run] = lease(hall, agent, 1)
    reclaim(hall, agent, [], asked_at)
    assert standing(hall, agent, [(run.id, run.fence)]).lost == []
    reclaim(hall, agent, [])
    assert [again.id for again in lease(hall, agent, 1)] == [run.id]


def test_an_old_poll_takes_nothing_back_after_the_clock_was_set(hall: Hall, agent: UUID, job: UUID, clock: Any) -> None:
    asked_at = clock.steady()
    clock.set(-timedelta(hours=1))
    clock.turn(timedelta(seconds=5))
    [run] = lease(hall, agent, 1)
    reclaim(hall, agent, [], asked_at)
    assert standing(hall, agent, [(run.id, run.fence)]).lost == []


def test_what_a_killed_server_lent_and_could_not_say_is_taken_back_at_once(hall: Hall, agent: UUID, job: UUID) -> None:
    [run] = lease(hall, agent, 1)
    hall.recovery.extend_all(timedelta(minutes=1))
    reclaim(hall, agent, [])
    assert [again.id for again in lease(hall, agent, 1)] == [run.id]
