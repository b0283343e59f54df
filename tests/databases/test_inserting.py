"""Inserting: what is stored by a prepared statement is what SQLAlchemy stores, on every database."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import delete, insert, select, text
from sqlalchemy.exc import IntegrityError, PendingRollbackError

from dispatcher.core.states import State
from dispatcher.datastore.inserting import Inserting
from dispatcher.datastore.jobs import JOBS
from dispatcher.datastore.settings import Setting
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.starting import NEW_JOB

NOON = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
PLAIN: dict[str, Any] = {
    **NEW_JOB,
    "id": UUID("018f0000-0000-7000-8000-00000000000a"),
    "description": "",
    "is_runbook": False,
    "what": [],
    "who": [],
    "parameters": [],
    "invoker": 1,
    "invoker_info": "",
    "immediate": True,
    "starts_at": NOON,
    "created_at": NOON,
    "sorted_at": NOON,
    "use_wake_on_lan": False,
    "in_parallel": False,
}
FULL: dict[str, Any] = {
    **PLAIN,
    "id": UUID("018f0000-0000-7000-8000-00000000000b"),
    "step": 3,
    "description": "Grüße, ''quoted'' \U0001f600 ? :name %s",
    "state": State.FAILED,
    "reason": "no",
    "is_runbook": True,
    "what": [{"kind": 0, "id": "x", "name": "ü", "definition": "y"}],
    "parameters": [{"A": ["1", "2"]}],
    "outside_launch_window": "Fail",
    "tags": "a;b",
    "started_at": NOON.astimezone(timezone(timedelta(hours=5, minutes=30))),
    "stopped_at": NOON.replace(microsecond=0),
    "open_runs": 7,
    "is_recurring": True,
    "recurring_id": UUID(int=1),
    "ends_by": NOON,
    "options": {"timeout_s": 5},
    "outputs": [{}],
}


def stored(datastore: Datastore) -> list[dict[str, Any]]:
    """Return all jobs without their numbers, and remove them."""
    with datastore.begin() as session:
        rows = session.connection().execute(select(JOBS).order_by(JOBS.c.id)).mappings().all()
        session.execute(delete(JOBS))
        return [{name: value for name, value in row.items() if name != "number"} for row in rows]


@pytest.mark.parametrize("row", [PLAIN, FULL], ids=["plain", "full"])
def test_a_row_is_stored_as_sqlalchemy_stores_it_and_has_the_number_that_is_returned(
    datastore: Datastore, row: dict[str, Any]
) -> None:
    with datastore.begin() as session:
        session.execute(insert(JOBS), row)
    expected = stored(datastore)
    with datastore.begin() as session:
        number = Inserting(JOBS).one(session, row)
        assert session.scalars(select(JOBS.c.number)).all() == [number]
    assert stored(datastore) == expected


def test_columns_that_a_row_does_not_name_are_null_and_many_rows_are_one_call(datastore: Datastore) -> None:
    named = [{name: value for name, value in row.items() if value is not None} for row in (PLAIN, FULL)]
    with datastore.begin() as session:
        session.execute(insert(JOBS), [PLAIN, FULL])
    expected = stored(datastore)
    with datastore.begin() as session:
        Inserting(JOBS).all(session, named[:1])
        Inserting(JOBS).all(session, named[1:])
        Inserting(JOBS).all(session, [])
    assert stored(datastore) == expected
    with datastore.begin() as session:
        Inserting(JOBS).all(session, [PLAIN, dict(reversed(FULL.items()))])
    assert stored(datastore) == expected


def test_a_naive_moment_is_refused_and_nothing_is_stored(datastore: Datastore) -> None:
    with pytest.raises(Exception, match="naive"), datastore.begin() as session:
        Inserting(JOBS).one(session, {**PLAIN, "starts_at": datetime(2026, 3, 1)})  # noqa: DTZ001 - that is the point
    assert stored(datastore) == []


def test_an_error_is_sqlalchemys_and_does_not_show_what_was_inserted(datastore: Datastore) -> None:
    with datastore.begin() as session:
        Inserting(JOBS).one(session, PLAIN)
    with pytest.raises(IntegrityError) as caught, datastore.begin() as session:
        Inserting(JOBS).one(session, {**PLAIN, "description": "secret"})
    assert "secret" not in str(caught.value)
    assert len(stored(datastore)) == 1


def test_sqlite_gets_the_very_values_that_sqlalchemy_gives_it(datastore: Datastore) -> None:
    """JSON's null is none of SQL's, and a flag no text: reading them back does not tell."""
    names = [column.name for column in JOBS.columns if column.name != "number"]
    pairs = ", ".join(f'typeof("{name}"), quote("{name}")' for name in names)
    look = text(f"SELECT {pairs} FROM job ORDER BY id") if datastore.traits.single_writer else select(JOBS.c.options)
    with datastore.begin() as session:
        session.execute(insert(JOBS), [PLAIN, FULL])
        expected = session.execute(look).all()
        session.execute(delete(JOBS))
        Inserting(JOBS).all(session, [PLAIN, FULL])
        assert session.execute(look).all() == expected


def test_what_follows_a_flush_that_failed_is_not_stored(datastore: Datastore) -> None:
    with datastore.begin() as session:
        session.add(Setting(name="a", dispatcher="", value="1"))
    with pytest.raises(PendingRollbackError), datastore.begin() as session:
        session.scalars(select(Setting)).all()
        session.add(Setting(name="a", dispatcher="", value="2"))
        with suppress(IntegrityError), session.connection().begin_nested():  # as the engine does with what may fail
            session.flush()
        Inserting(JOBS).one(session, PLAIN)
    assert stored(datastore) == []
