"""Locking: whoever names jobs, those of several run books and steps at any depth are locked in one order."""

from __future__ import annotations

from itertools import combinations
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import insert

from dispatcher.core.states import State
from dispatcher.datastore.jobs import JOBS
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.locking import lock_jobs
from dispatcher.services.starting import NEW_JOB

#: Two run books, one with a run book in it: each job, in order of ids, with what it is a step of.
PARENTS = {"A": None, "B": None, "nested": "B", "step of A": "A", "step of nested": "nested", "step of B": "B"}
IDS = {name: UUID(int=number) for number, name in enumerate(PARENTS, 1)}


class Recorder:
    """A session that remembers which jobs were locked, in order."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self.locked: list[UUID] = []

    def execute(self, statement: Any) -> Any:
        found = self._session.execute(statement)
        if statement._for_update_arg is not None:
            self.locked += found.scalars()
        return found

    def scalars(self, statement: Any) -> Any:
        return self._session.scalars(statement)


@pytest.fixture
def jobs(datastore: Datastore, clock: Any) -> None:
    common = {
        **NEW_JOB,
        **dict.fromkeys(("created_at", "starts_at", "sorted_at"), clock()),
        **{column: [] for column in ("what", "who", "parameters")},
        **dict.fromkeys(("description", "invoker_info"), ""),
        **dict.fromkeys(("is_runbook", "immediate", "use_wake_on_lan", "in_parallel"), False),
        "state": State.ACTIVE,
        "invoker": 0,
    }
    with datastore.begin() as session:
        for name, parent in PARENTS.items():
            row = {**common, "id": IDS[name], "parent_id": IDS[parent] if parent else None}
            session.connection().execute(insert(JOBS), row)


def locked(datastore: Datastore, *names: str) -> list[str]:
    with datastore.begin() as session:
        recorder = Recorder(session)
        lock_jobs(recorder, [IDS[name] for name in names])  # type: ignore[arg-type]
    return [name for key in recorder.locked for name in IDS if IDS[name] == key]


@pytest.mark.usefixtures("jobs")
def test_jobs_of_several_run_books_are_locked_in_one_order_whoever_is_named(datastore: Datastore) -> None:
    everything = locked(datastore, *PARENTS)
    assert everything == ["A", "B", "nested", "step of A", "step of B", "step of nested"]
    for names in combinations(PARENTS, 2):
        some = locked(datastore, *names)
        assert set(names) <= set(some)
        assert some == [name for name in everything if name in some]


@pytest.mark.usefixtures("jobs")
def test_all_above_the_jobs_are_locked_and_nothing_else(datastore: Datastore) -> None:
    assert locked(datastore, "step of nested") == ["B", "nested", "step of nested"]
    assert locked(datastore) == []


def test_a_job_that_is_gone_is_passed_over(datastore: Datastore) -> None:
    assert locked(datastore, "A") == []
