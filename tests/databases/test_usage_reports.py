"""Usage reports: what ran in an interval, found by indexes, on every database."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from job_world import GREET, LIBRARY, RINGS, a_request, lease, on, report, work_off
from sqlalchemy import select, update
from statements import statements

from dispatcher.core.errors import InvalidValue
from dispatcher.core.jobs import WhatKind, When
from dispatcher.core.permissions import SYSTEM, Caller
from dispatcher.core.schedules import RecurrenceRequest
from dispatcher.core.states import Event, State
from dispatcher.datastore.jobs import JOBS
from dispatcher.datastore.transactions import Datastore
from dispatcher.services import usage_reports
from dispatcher.services.hall import Hall
from dispatcher.services.reporting import RunFinished, RunStarted

HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def library(load_library: Callable[[str], None]) -> None:
    load_library(LIBRARY)


@pytest.fixture
def agent(enrol: Callable[..., UUID]) -> UUID:
    return enrol("two")


def begin(hall: Hall, agent: UUID, name: str) -> Any:
    job = hall.scheduling.submit(a_request(who=on(agent), description=name), SYSTEM)
    (run,) = lease(hall, agent, 1)
    report(hall, agent, run, RunStarted(job.started_at))
    return run


def end(hall: Hall, agent: UUID, run: Any, now: datetime) -> None:
    report(hall, agent, run, RunFinished(now, Event.COMPLETE))


def ran(hall: Hall, start: datetime, stop: datetime, caller: Caller = SYSTEM) -> list[str]:
    return [job.description for job in hall.usage_reports.jobs(start, stop, caller)]


def test_what_overlaps_the_interval_ran_in_it(hall: Hall, agent: UUID, clock: Any) -> None:
    noon = clock()
    across = begin(hall, agent, "across")
    clock.turn(HOUR)
    within = begin(hall, agent, "within")
    clock.turn(HOUR)
    end(hall, agent, within, clock())
    clock.turn(HOUR)
    end(hall, agent, across, clock())
    begin(hall, agent, "goes on")
    clock.turn(HOUR)

    assert ran(hall, noon - HOUR, noon) == []
    assert ran(hall, noon - HOUR, noon + timedelta(seconds=1)) == ["across"]
    assert ran(hall, noon + 1.5 * HOUR, noon + 1.6 * HOUR) == ["across", "within"]
    assert ran(hall, noon + 2 * HOUR, noon + 2.5 * HOUR) == ["across", "within"]
    assert ran(hall, noon + 2.5 * HOUR, noon + 3 * HOUR) == ["across"]
    assert ran(hall, noon, clock()) == ["across", "within", "goes on"]
    assert ran(hall, noon + 3.5 * HOUR, noon + 9 * HOUR) == ["goes on"]
    assert ran(hall, clock() + HOUR, clock() + 2 * HOUR) == []


def test_a_job_is_shown_as_a_whole(hall: Hall, agent: UUID, clock: Any) -> None:
    noon = clock()
    end(hall, agent, begin(hall, agent, "greet"), clock())
    [job] = hall.usage_reports.jobs(noon, noon + HOUR, SYSTEM)

    assert (job.state, job.started_at, job.stopped_at) == (State.COMPLETED, noon, noon)
    assert [(what.id, what.name) for what in job.what] == [(GREET, "Greet")]
    assert [(who.id, who.name) for who in job.who] == [(agent, "two")]


def test_steps_and_patterns_are_no_jobs_of_their_own_and_occurrences_are(hall: Hall, agent: UUID, clock: Any) -> None:
    noon = clock()
    hall.scheduling.submit(a_request(RINGS, WhatKind.RUNBOOK, who=on(agent), description="book"), SYSTEM)
    work_off(hall, agent, clock())
    every_hour = When(recurrence=RecurrenceRequest(f"DTSTART:{noon:%Y%m%dT%H%M%S}Z\nRRULE:FREQ=HOURLY"))
    hall.scheduling.submit(a_request(who=on(agent), when=every_hour, description="hourly"), SYSTEM)
    later = When(immediate=False, starts_at=noon + timedelta(days=9))
    hall.scheduling.submit(a_request(who=on(agent), when=later, description="never started"), SYSTEM)
    clock.turn(HOUR)
    hall.occurrences.fire_due()

    found = ran(hall, noon, clock() + HOUR)
    assert (found[0], set(found[1:])) == ("book", {"hourly"})


def test_what_was_cancelled_before_it_started_never_ran(hall: Hall, agent: UUID, clock: Any) -> None:
    later = When(immediate=False, starts_at=clock() + HOUR)
    job = hall.scheduling.submit(a_request(who=on(agent), when=later), SYSTEM)
    hall.aborting.abort(job.id, SYSTEM)
    assert ran(hall, clock() - HOUR, clock() + 9 * HOUR) == []


def test_without_the_right_the_list_is_empty(hall: Hall, agent: UUID, clock: Any) -> None:
    begin(hall, agent, "secret")
    assert ran(hall, clock(), clock() + HOUR, Caller("nobody")) == []


def test_more_than_fits_is_refused_and_so_is_an_end_before_the_beginning(
    hall: Hall, agent: UUID, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage_reports, "MAX_JOBS", 2)
    noon = clock()
    for _ in range(3):
        begin(hall, agent, "one of many")
        clock.turn(HOUR)
    assert len(ran(hall, noon, noon + HOUR + timedelta(seconds=1))) == 2
    with pytest.raises(InvalidValue, match="stop: more than 2 jobs ran in that time"):
        ran(hall, noon, clock())
    with pytest.raises(InvalidValue, match="stop: is before start"):
        ran(hall, noon, noon - HOUR)


def test_each_job_is_shown_once_though_its_state_and_its_end_are_looked_at_apart(
    hall: Hall, agent: UUID, clock: Any, datastore: Datastore
) -> None:
    run = begin(hall, agent, "aborting")
    with datastore.begin() as session:
        session.execute(update(JOBS).values(state=State.ABORTING, stopped_at=clock() + 2 * HOUR))
    clock.turn(HOUR)
    assert run
    assert ran(hall, clock() - HOUR / 2, clock()) == ["aborting"]


def test_few_jobs_of_many_agents_are_too_much_as_well(
    hall: Hall, agent: UUID, clock: Any, datastore: Datastore, monkeypatch: pytest.MonkeyPatch
) -> None:
    noon = clock()
    for name in ("first", "second", "third"):
        end(hall, agent, begin(hall, agent, name), clock())
        clock.turn(HOUR)
    with datastore.begin() as session:
        who = list(session.scalars(select(JOBS.c.who).limit(1)).one()) * 100
        session.execute(update(JOBS).values(who=who))
    stored = len(json.dumps(who, separators=(",", ":")))
    monkeypatch.setattr(usage_reports, "MAX_STORED", 3 * stored)
    with statements(datastore) as sent, pytest.raises(InvalidValue, match="stop: jobs of too many agents ran"):
        ran(hall, noon, clock())
    assert not [one for one in sent if "description" in one]
    assert ran(hall, noon, noon + HOUR + timedelta(seconds=1)) == ["first", "second"]


@pytest.mark.parametrize(("limit", "most"), [("_PART_JOBS", 2), ("_PART_STORED", 1)])
def test_a_report_is_read_in_parts(
    hall: Hall, agent: UUID, clock: Any, datastore: Datastore, monkeypatch: pytest.MonkeyPatch, limit: str, most: int
) -> None:
    noon, names = clock(), [f"job {number}" for number in range(5)]
    for name in names:
        begin(hall, agent, name)
        clock.turn(HOUR)
    monkeypatch.setattr(usage_reports, limit, most)
    with statements(datastore) as sent:
        assert ran(hall, noon, clock()) == names
    assert len([one for one in sent if "description" in one]) == -(-len(names) // most)
