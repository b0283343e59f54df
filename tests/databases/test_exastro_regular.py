"""Regular executions on every database: made, due, changed and ended in one transaction each."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from exastro_world import a_sheet, a_workspace, an_operation, registering
from runbook_world import a_book, a_library, a_step
from sqlalchemy import select

from dispatcher.core.permissions import SYSTEM
from dispatcher.datastore.exastro_ita import ITA_DETAILS, ITA_RUNS
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.exastro_ita.messages import InvalidRecords
from dispatcher.services.exastro_ita.suite import ExastroIta, build_exastro_ita
from dispatcher.services.exastro_ita.workspaces import Workspace
from dispatcher.services.hall import Hall

MENU = "conductor_regularly_execution"
REGULAR = {
    "conductor_name": "nightly",
    "operation_name": "op-1",
    "start_date": "2026/03/01 00:00:00",
    "period": "分",
    "interval": "15",
}


@pytest.fixture
def ita(hall: Hall) -> ExastroIta:
    return build_exastro_ita(hall)


@pytest.fixture
def workspace(ita: ExastroIta, datastore: Datastore, load_library: Callable[[str], None]) -> Workspace:
    """A workspace with an operation that has values for one host."""
    load_library(a_library(a_book(a_step("first"), name="nightly")))
    a_sheet(datastore)
    made = a_workspace(datastore)
    an_operation(datastore, made)
    row = registering(host_name="h2", operation_name_select="2031/06/01 02:00_op-1", column_1="x")
    ita.maintenance.change(made, "sheet_a", [row], SYSTEM)
    return made


def test_they_occur_and_end(
    hall: Hall, ita: ExastroIta, workspace: Workspace, datastore: Datastore, clock: Any
) -> None:
    keys = ita.maintenance.change(workspace, MENU, [registering(**REGULAR) for _ in range(3)], SYSTEM).ids

    clock.turn(timedelta(minutes=15))
    assert hall.occurrences.fire_due() == 3
    with datastore.read() as session:
        runs = session.execute(select(ITA_RUNS).order_by(ITA_RUNS.c.number)).all()
    assert {run.regular_id for run in runs} == set(keys)
    jobs = [hall.jobs.get(run.job_id, SYSTEM) for run in runs]
    assert [[who.name for who in job.who] for job in jobs] == [["h2"]] * 3
    assert [job.number for job in jobs] == [run.number for run in runs]

    found = [record["parameter"] for record in ita.records.filter(workspace, MENU, None, SYSTEM)]
    assert [one["next_execution_date"] for one in found] == ["2026/03/01 12:30:00"] * 3
    words = [{name: one[name] for name in ("regularly_id", "last_update_date_time")} for one in found]
    kinds = ("Discard", "Update", "Delete")
    more: list[dict[str, Any]] = [{}, {"interval": "20"}, {}]
    changes = [{"type": kind, "parameter": {**word, **one}} for kind, word, one in zip(kinds, words, more, strict=True)]
    ita.maintenance.change(workspace, MENU, changes, SYSTEM)
    found = [record["parameter"] for record in ita.records.filter(workspace, MENU, None, SYSTEM)]
    assert [(one["discard"], one["interval"]) for one in found] == [("1", 15), ("0", 20)]
    with datastore.read() as session:
        assert len(session.execute(select(ITA_DETAILS).where(ITA_DETAILS.c.menu == MENU)).all()) == 2


def test_they_are_changed_while_they_are_due(hall: Hall, ita: ExastroIta, workspace: Workspace, clock: Any) -> None:
    """Who changes records locks the workspace before the jobs, who lets them occur has locked the jobs first."""
    every_minute = registering(**{**REGULAR, "interval": "1"})
    keys = ita.maintenance.change(workspace, MENU, [every_minute] * 5, SYSTEM).ids

    def change() -> None:
        for number in range(12):
            term = {"regularly_id": {"LIST": [str(keys[number % len(keys)])]}}
            [record] = ita.records.filter(workspace, MENU, term, SYSTEM)
            words = {name: record["parameter"][name] for name in ("regularly_id", "last_update_date_time")}
            kind = ("Update", "Discard", "Restore")[number % 3]
            with suppress(InvalidRecords):  # one that is live is not restored
                ita.maintenance.change(workspace, MENU, [{"type": kind, "parameter": words}], SYSTEM)

    def fire() -> None:
        for _ in range(25):
            clock.turn(timedelta(seconds=30))
            hall.occurrences.fire_due()

    with ThreadPoolExecutor(3) as pool:
        for done in [pool.submit(change), pool.submit(fire), pool.submit(fire)]:
            done.result()
    runs = len(ita.records.filter(workspace, "conductor_list", None, SYSTEM))
    occurred = sum(len(hall.schedules.ledger(key, 1, 1_000, SYSTEM).items) for key in keys)
    assert 0 < runs <= occurred
