"""Apply on every database: all of it or nothing, whatever fails, and whoever else applies at the same time."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from exastro_world import a_sheet, a_workspace
from failing_statements import STATEMENT_FAILED, Failing, failing
from runbook_world import a_book, a_library, a_step
from sqlalchemy import select

from dispatcher.core.permissions import SYSTEM
from dispatcher.datastore.base import Base
from dispatcher.datastore.exastro_ita import ITA_RECORDS, ITA_RUNS
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.exastro_ita.messages import InvalidRecords
from dispatcher.services.exastro_ita.suite import ExastroIta, build_exastro_ita
from dispatcher.services.exastro_ita.workspaces import Workspace
from dispatcher.services.hall import Hall
from dispatcher.services.submits import SubmitKey

#: How many statements are let fail, of those that one ``apply`` sends.
SAMPLED = 14


def sent(host: str, value: str = "ok") -> dict[str, Any]:
    file = {"column_2": "c2FtcGxlIGZpbGU="}
    return {"type": "Register", "parameter": {"host_name": host, "column_1": value, "column_2": "v.txt"}, "file": file}


def an_order(name: str | None = "op-77", value: str = "ok") -> dict[str, Any]:
    info = [{"sheet_a": [sent("h1"), sent("h2")]}, {"sheet_b": sent("h1", value)}]
    return {"conductor_class_name": "nightly", "operation_name": name, "parameter_info": info}


@pytest.fixture
def statements(datastore: Datastore) -> Failing:
    return failing(datastore)


@pytest.fixture
def ita(statements: Failing, hall: Hall) -> ExastroIta:
    """The services, over a datastore whose statements are counted from the first one on."""
    return build_exastro_ita(hall)


@pytest.fixture
def workspace(ita: ExastroIta, datastore: Datastore, load_library: Callable[[str], None]) -> Workspace:
    load_library(a_library(a_book(a_step("first"), name="nightly")))
    for name in ("sheet_a", "sheet_b"):
        a_sheet(datastore, name)
    return a_workspace(datastore, hosts=[f"h{number}" for number in range(1, 9)])


def everything(datastore: Datastore) -> dict[str, list[str]]:
    """Return all rows there are."""
    with datastore.read() as session:
        return {
            table.name: sorted(map(repr, session.execute(select(table)).all())) for table in Base.metadata.sorted_tables
        }


def operations(datastore: Datastore) -> list[str]:
    with datastore.read() as session:
        rows = session.scalars(select(ITA_RECORDS.c["values"]).where(ITA_RECORDS.c.menu == "operation_list"))
        return sorted(values["operation_name"] for values in rows)


def test_whichever_statement_fails_nothing_is_left(
    ita: ExastroIta, workspace: Workspace, datastore: Datastore, statements: Failing, wakeup: Any
) -> None:
    ita.apply.apply(workspace, an_order("before"), SYSTEM)  # what is read once is known from here on
    with statements.counting():
        ita.apply.apply(workspace, an_order("counted"), SYSTEM, key=SubmitKey.of("1", b"1"))
    number, before = statements.sent, everything(datastore)
    wakeup.agent_ids.clear()
    assert number > SAMPLED
    for at in sorted({round(place * (number - 1) / (SAMPLED - 1)) for place in range(SAMPLED)}):
        with pytest.raises(STATEMENT_FAILED, match="was to fail"), statements.counting(fails_at=at):
            ita.apply.apply(workspace, an_order(), SYSTEM, key=SubmitKey.of("2", b"2"))
        assert everything(datastore) == before, at
    assert wakeup.agent_ids == []
    run = ita.apply.apply(workspace, an_order(), SYSTEM, key=SubmitKey.of("2", b"2"))
    assert ita.apply.apply(workspace, an_order(), SYSTEM, key=SubmitKey.of("2", b"2")) == run
    assert len(everything(datastore)["ita_run"]) == len(before["ita_run"]) + 1


def test_a_wrong_record_leaves_nothing(ita: ExastroIta, workspace: Workspace, datastore: Datastore) -> None:
    before = everything(datastore)
    with pytest.raises(InvalidRecords) as refused:
        ita.apply.apply(workspace, an_order(value="far-too-long"), SYSTEM)
    assert (list(refused.value.faults), refused.value.menu) == ([0], "sheet_b")
    assert everything(datastore) == before


@pytest.mark.parametrize("name", ["op-77", None])
def test_those_who_apply_at_the_same_time_all_do(
    ita: ExastroIta, workspace: Workspace, datastore: Datastore, name: str | None
) -> None:
    """Of those who name the same new operation one registers it; those who name none have one each."""
    barrier = Barrier(4)

    def apply(number: int) -> object:
        barrier.wait()
        order = an_order(name)
        if name is not None:  # whoever comes second has to name the operation, which is planned for this moment
            for place, part in enumerate(order["parameter_info"][0]["sheet_a"], 1):
                part["parameter"]["operation_name_select"] = f"2026/03/01 12:00_{name}"
                part["parameter"]["host_name"] = f"h{2 * number + place}"
            order["parameter_info"].pop()
        return ita.apply.apply(workspace, order, SYSTEM)

    with ThreadPoolExecutor(4) as pool:
        runs = set(pool.map(apply, range(4)))
    assert len(runs) == 4
    names = operations(datastore)
    assert names == ["op-77"] if name else [f"20260301120000000000{digit}" for digit in range(4)]
    with datastore.read() as session:
        found = session.execute(select(ITA_RUNS.c.job_id, ITA_RUNS.c.operation_name)).tuples().all()
        records = session.execute(select(ITA_RECORDS.c.id).where(ITA_RECORDS.c.menu == "sheet_a")).all()
    assert ({run for run, _ in found}, sorted({one for _, one in found})) == (runs, names)
    assert len(records) == 8


def test_of_those_who_register_for_one_host_at_the_same_time_one_does(
    ita: ExastroIta, workspace: Workspace, datastore: Datastore
) -> None:
    ita.apply.apply(workspace, an_order(), SYSTEM)
    barrier = Barrier(4)
    row = {"host_name": "h3", "operation_name_select": "2026/03/01 12:00_op-77", "column_1": "x"}

    def register(_number: int) -> str:
        barrier.wait()
        try:
            ita.maintenance.change(workspace, "sheet_b", [{"type": "Register", "parameter": row}], SYSTEM)
        except InvalidRecords as refused:
            return refused.faults[0][""][0].id
        return "done"

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(register, range(4))) == ["MSG-00006"] * 3 + ["done"]
