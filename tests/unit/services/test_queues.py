"""Queues: what it costs to look whose turn it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from job_world import LIBRARY, a_request, on
from sqlalchemy import event, insert, select

from dispatcher.core.holds import Hold
from dispatcher.core.permissions import SYSTEM
from dispatcher.core.states import State
from dispatcher.datastore.queues import QUEUED
from dispatcher.datastore.runs import RUNS
from dispatcher.datastore.transactions import Datastore
from dispatcher.services import queues
from dispatcher.services.hall import Hall

WAITS = {"state": State.PENDING, "hold": Hold.QUEUE}
ENDED = {"state": State.COMPLETED, "hold": None}
HAS_TURN = {"state": State.ACTIVE, "hold": None}


@pytest.fixture
def lengthen(
    hall: Hall, datastore: Datastore, load_library: Callable[[str], None], enrol: Callable[..., UUID]
) -> Callable[..., None]:
    """Put runs into one queue."""
    load_library(LIBRARY)
    agent = enrol("one")
    hall.scheduling.submit(a_request(who=on(agent), options={"queued": True}), SYSTEM)
    assert hall.queues.advance() == 1
    with datastore.read() as session:
        made = dict(session.execute(select(RUNS)).mappings().one())
        resource = session.scalars(select(QUEUED.c.resource)).one()
    with datastore.begin() as session:  # it has ended, so that all that is in the way is put there by the test
        session.execute(RUNS.update().values(ENDED))

    def lengthen(first: int, count: int, **state: Any) -> None:
        # Each for a device of its own, for a job may be on no computer twice.
        runs = [{**made, "id": UUID(int=number), "device": number, **state} for number in range(first, first + count)]
        with datastore.begin() as session:
            session.connection().execute(insert(RUNS), runs)
            session.connection().execute(insert(QUEUED), [{"run_id": run["id"], "resource": resource} for run in runs])

    return lengthen


@pytest.mark.parametrize("state", [WAITS, ENDED], ids=["waiting", "ended"])
def test_a_longer_queue_costs_what_it_is_longer(
    hall: Hall, datastore: Datastore, lengthen: Callable[..., None], state: dict[str, Any]
) -> None:
    lengthen(1, 20, **WAITS)
    lengthen(1_000, 200, **state)
    lengthen(2_000, 1, **HAS_TURN)
    few = work(hall, datastore)
    with datastore.begin() as session:
        session.execute(RUNS.update().where(RUNS.c.state == State.ACTIVE).values(ENDED))
    lengthen(3_000, 80, **WAITS)
    lengthen(10_000, 800, **state)
    lengthen(20_000, 1, **HAS_TURN)  # the last one that is found
    assert work(hall, datastore) < 8 * few


def test_no_queue_is_forgotten_behind_those_that_do_not_get_on(
    hall: Hall, load_library: Callable[[str], None], enrol: Callable[..., UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    load_library(LIBRARY)
    for name in ("one", "two", "three"):
        hall.scheduling.submit(a_request(who=on(enrol(name)), options={"queued": True}), SYSTEM)
    seen: list[int] = []

    def fails(resource: int, **_: bool) -> int:
        seen.append(resource)
        raise RuntimeError("a defect")

    monkeypatch.setattr(queues, "BATCH", 2)
    monkeypatch.setattr(hall.queues, "_advance", fails)
    for _ in range(3):
        assert hall.queues.advance() == 0
    first, second, third = sorted(set(seen))
    assert seen == [first, second, third, first, second, third]


def work(hall: Hall, datastore: Datastore) -> int:
    """Look whose turn it is, which is nobody's; return how much the database had to do, in steps of its own."""
    steps = []
    each = 20

    def watch(connection: Any, _record: Any, _proxy: Any) -> None:
        connection.set_progress_handler(lambda: steps.append(each), each)

    event.listen(datastore.engine, "checkout", watch)
    try:
        assert hall.queues.advance() == 0
    finally:
        event.remove(datastore.engine, "checkout", watch)
    assert steps
    return sum(steps)
