"""Outages: a datastore that fails for a moment while something starts. It starts later; nothing has failed."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from job_world import GREET, LIBRARY, RINGS, a_request, on
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from dispatcher.core.errors import Unavailable
from dispatcher.core.jobs import WhatKind, When
from dispatcher.core.permissions import SYSTEM
from dispatcher.core.schedules import BOOT, Outcome, RecurrenceRequest
from dispatcher.core.states import State
from dispatcher.datastore.groupcommit import GroupCommit
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.enrolment import Facts
from dispatcher.services.hall import Hall

HOURLY = "DTSTART:20260301T000000Z\nRRULE:FREQ=HOURLY"
BOTH_KINDS = pytest.mark.parametrize(("what", "kind"), [(GREET, WhatKind.MODULE), (RINGS, WhatKind.RUNBOOK)])


@pytest.fixture
def agent(enrol: Callable[..., UUID], load_library: Callable[[str], None]) -> UUID:
    load_library(LIBRARY)
    enrol("two")
    return enrol("one", boot_id="a")


@contextmanager
def failing(datastore: Datastore, beginning: str) -> Iterator[None]:
    """Let every statement with this *beginning* fail, whether SQLAlchemy sends it or the driver is given it."""

    def fail(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.startswith(beginning):
            raise OperationalError(statement, None, Exception("database or disk is full"))

    event.listen(datastore.engine, "before_cursor_execute", fail)
    insert = GroupCommit.insert

    def fail_too(writer: GroupCommit, table: str, sql: str, values: Any) -> int:
        if sql.startswith(beginning):
            raise sqlite3.OperationalError("database or disk is full")
        return insert(writer, table, sql, values)

    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(GroupCommit, "insert", fail_too)
            yield
    finally:
        event.remove(datastore.engine, "before_cursor_execute", fail)


@BOTH_KINDS
def test_due_job_starts_once_the_datastore_is_back(
    hall: Hall, datastore: Datastore, clock: Any, agent: UUID, what: UUID, kind: WhatKind
) -> None:
    when = When(immediate=False, starts_at=clock() + timedelta(hours=1))
    job = hall.scheduling.submit(a_request(what, kind, who=on(agent), when=when), SYSTEM)
    clock.turn(timedelta(hours=1))

    with failing(datastore, "INSERT INTO run "), pytest.raises(Unavailable):
        hall.clockwork.activate_due()
    assert hall.jobs.get(job.id, SYSTEM).state is State.SCHEDULED

    assert hall.clockwork.activate_due() == 1
    assert hall.jobs.get(job.id, SYSTEM).state is State.ACTIVE


@BOTH_KINDS
@pytest.mark.parametrize("beginning", ["INSERT INTO run ", "SELECT agent.id, agent.name, agent.os"])
def test_due_time_fires_once_the_datastore_is_back(
    hall: Hall, datastore: Datastore, agent: UUID, what: UUID, kind: WhatKind, beginning: str
) -> None:
    when = When(recurrence=RecurrenceRequest(HOURLY))
    job = hall.scheduling.submit(a_request(what, kind, who=on(agent), when=when), SYSTEM)

    with failing(datastore, beginning), pytest.raises(Unavailable):
        hall.occurrences.fire_due()
    assert hall.schedules.ledger(job.id, 1, 10, SYSTEM).items == []

    assert hall.occurrences.fire_due() == 1
    [entry] = hall.schedules.ledger(job.id, 1, 10, SYSTEM).items
    assert entry.job_id is not None
    assert hall.jobs.get(entry.job_id, SYSTEM).state is State.ACTIVE


def test_boot_that_could_not_be_noted_is_told_again(hall: Hall, datastore: Datastore, agent: UUID) -> None:
    when = When(immediate=False, recurrence=RecurrenceRequest(BOOT))
    job = hall.scheduling.submit(a_request(who=on(agent), when=when), SYSTEM)

    with failing(datastore, "INSERT INTO occurrence "), pytest.raises(Unavailable):
        hall.enrolment.note_facts(agent, Facts(os="linux", boot_id="b"))
    assert hall.schedules.ledger(job.id, 1, 10, SYSTEM).items == []

    hall.enrolment.note_facts(agent, Facts(os="linux", boot_id="b"))
    assert [entry.outcome for entry in hall.schedules.ledger(job.id, 1, 10, SYSTEM).items] == [Outcome.FIRED]
