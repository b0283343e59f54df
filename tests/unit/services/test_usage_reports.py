"""Usage reports: however many jobs there have been, an index leads to those that ran."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from statements import statements

from dispatcher.core.permissions import SYSTEM
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.hall import Hall


def test_no_table_is_read_from_end_to_end(hall: Hall, datastore: Datastore, clock: Any) -> None:
    with statements(datastore) as sent:
        hall.usage_reports.jobs(clock() - timedelta(days=1), clock(), SYSTEM)  # of none: just the one that finds them
    (query,) = [statement for statement in sent if statement.startswith("SELECT")]
    with datastore.read() as session:
        explained = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {query}", (0,) * query.count("?"))
        steps = [str(row[3]) for row in explained]

    assert [step for step in steps if step.startswith("SCAN job")] == []
    indexes = ("ix_job_stopped_at_sorted_at", "ix_job_sorted_at_id", "ix_job_state_is_recurring_starts_at")
    assert all(any(name in step for step in steps) for name in indexes)
