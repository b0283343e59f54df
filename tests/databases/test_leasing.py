"""Leasing: what is asked about agents with a long backlog, and who waits for whom."""

from __future__ import annotations

import threading
from collections.abc import Callable
from uuid import UUID

import pytest
from job_world import LIBRARY, a_request, on
from sqlalchemy import event, select

from dispatcher.core.permissions import SYSTEM
from dispatcher.datastore.runs import RUNS
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.hall import Hall
from dispatcher.services.leasing import Ask
from dispatcher.services.locking import lock_agents, lock_free_agents


@pytest.fixture(autouse=True)
def library(load_library: Callable[[str], None]) -> None:
    load_library(LIBRARY)


@pytest.fixture
def agents(hall: Hall, enrol: Callable[..., UUID]) -> list[UUID]:
    """Two agents, in order of ids, for each of which a run waits."""
    agents = sorted(enrol(name) for name in ("one", "two"))
    hall.scheduling.submit(a_request(who=on(*agents)), SYSTEM)
    return agents


def plan(datastore: Datastore, ask: Callable[[], object]) -> str:
    """Return how the database answers the query of runs that *ask* sends."""
    sent: list[tuple[str, object]] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: object, *_: object) -> None:
        if "FROM run" in statement:
            sent.append((statement, parameters))

    event.listen(datastore.engine, "before_cursor_execute", note)
    ask()
    event.remove(datastore.engine, "before_cursor_execute", note)
    [(statement, parameters)] = sent
    explain = "EXPLAIN QUERY PLAN" if datastore.engine.dialect.name == "sqlite" else "EXPLAIN"
    with datastore.engine.connect() as connection:
        rows = connection.exec_driver_sql(f"{explain} {statement}", parameters)  # type: ignore[arg-type]
        return "\n".join(" ".join(map(str, row)) for row in rows)


def test_whether_there_are_orders_is_read_from_an_index(hall: Hall, agents: list[UUID], datastore: Datastore) -> None:
    found = plan(datastore, lambda: hall.leasing.has_orders(agents))
    assert "ix_run_agent_id_state_id" in found
    # Whatever there is of runs is neither gathered nor sorted, to look at the first of them.
    for word in ("TEMP B-TREE", "Sort", "Seq Scan on run", "Unique", "Aggregate", "filesort", "temporary"):
        assert word not in found


def test_who_is_lent_runs_waits_for_nobody_who_waits_for_them(
    hall: Hall, agents: list[UUID], datastore: Datastore
) -> None:
    if datastore.traits.single_writer:
        pytest.skip("there is nothing to lock")
    first, second = agents
    given: list[int] = []
    failed: list[BaseException] = []

    def lend() -> None:
        try:
            given.extend(len(runs) for runs, _ in hall.leasing.orders_of([Ask(agent, 1, []) for agent in agents]))
        except BaseException as error:
            failed.append(error)

    def is_served() -> bool:
        """Whether the first agent is locked by those who lend, or has its run."""
        with datastore.begin() as session:
            lent = select(RUNS.c.id).where(RUNS.c.agent_id == first, RUNS.c.leased_until.is_not(None))
            return not lock_free_agents(session, [first]) or session.scalar(lent) is not None

    lending = threading.Thread(target=lend)
    with datastore.begin() as session:
        # As one that starts two jobs: on MariaDB whoever inserts a run locks its agent.
        lock_agents(session, [second])
        lending.start()
        other = threading.Thread(target=lambda: [None for _ in iter(is_served, True)])
        other.start()
        other.join(30)
        lock_agents(session, [first])
    lending.join(30)

    assert (given, failed) == ([1, 1], [])
