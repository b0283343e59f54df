"""Sheets are defined, exported and defined anew on every database; what is unique in them follows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from exastro_world import NOW, a_record, a_scope, a_workspace
from sqlalchemy import event, insert, select

from dispatcher.core.ports import Ports
from dispatcher.datastore.exastro_ita import ITA_RECORDS, ITA_UNIQUES, ItaMenu, ItaRecord
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.exastro_ita import places
from dispatcher.services.library.exporting import export
from dispatcher.services.library.importing import import_texts
from dispatcher.services.library.items import Outcome
from dispatcher.services.library.problems import LibraryErrors
from dispatcher.services.secrets import Secrets

SHEET = "menus: [{name: s, title: {ja: シート}, columns: [{name: a, unique: true}, {name: n, kind: number, max: 1.0}]}]"
CHANGED = "menus: [{name: s, title: {ja: シート}, columns: [{name: b, unique: true}]}]"


@pytest.fixture
def load(datastore: Datastore, ports: Ports, secrets: Secrets) -> Callable[[str], list[Outcome]]:
    def load(text: str) -> list[Outcome]:
        report = import_texts(datastore, ports, secrets, {"a.yaml": text.encode()})
        return [entry.outcome for entry in report.entries if entry.section == "menus"]

    return load


def test_an_export_is_what_is_stored(datastore: Datastore, load: Callable[[str], list[Outcome]]) -> None:
    assert load(SHEET) == [Outcome.CREATED]
    assert load(SHEET) == [Outcome.UNCHANGED]
    assert load(export(datastore)) == [Outcome.UNCHANGED]


def test_records_follow_a_new_definition(datastore: Datastore, load: Callable[[str], list[Outcome]]) -> None:
    load(SHEET)
    workspace = a_workspace(datastore)
    first = a_record(datastore, workspace, "s", unique=("a",), a="1", b="x")
    second = a_record(datastore, workspace, "s", unique=("a",), a="2", b="y")

    assert load(CHANGED) == [Outcome.UPDATED]

    with datastore.read() as session:
        known = session.execute(select(ITA_UNIQUES.c.column, ITA_UNIQUES.c.record_id)).tuples()
        assert set(known) == {("b", first), ("b", second)}
        menu_id = session.scalars(select(ItaMenu.id)).one()

    load(CHANGED.replace("name: s,", f"id: {menu_id}, name: t,"))

    with datastore.read() as session:
        assert {*session.scalars(select(ItaRecord.menu))} == {"t"}
        assert {*session.scalars(select(ITA_UNIQUES.c.menu))} == {"t"}


def test_what_is_refused_leaves_nothing(datastore: Datastore, load: Callable[[str], list[Outcome]]) -> None:
    load(SHEET)
    workspace = a_workspace(datastore)
    for number in (1, 2):
        a_record(datastore, workspace, "s", unique=("a",), a=str(number), b="same")

    with pytest.raises(LibraryErrors, match="cannot be unique"):
        load(CHANGED)

    with datastore.read() as session:
        assert {*session.scalars(select(ITA_UNIQUES.c.column))} == {"a"}


@pytest.mark.parametrize("column", [places.BOTH, places.OPERATION])
def test_only_the_records_of_some_operations_are_looked_at(datastore: Datastore, column: str) -> None:
    """However many records the sheet has: a request that changes one of them costs no more with a million."""
    workspace = a_workspace(datastore)
    place = {"workspace_id": workspace.id, "menu": "s", "values": {}, "updated_at": NOW, "updated_by": "test"}
    ids = [(uuid4(), uuid4()) for _ in range(3_000)]
    numbered = [
        {**place, "id": uuid4(), "number": at, "is_discarded": False, "operation_id": operation, "agent_id": agent}
        for at, (operation, agent) in enumerate(ids, 1)
    ]
    with datastore.begin() as session:
        session.connection().execute(insert(ITA_RECORDS), numbered)
    sent: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        if "FROM ita_record" in statement:
            sent.append((statement, parameters))

    event.listen(datastore.engine, "before_cursor_execute", note)
    with datastore.read() as session:
        found = places.holders(a_scope(session, workspace), "s", column, [_text(column, *one) for one in ids[:3]])
    event.remove(datastore.engine, "before_cursor_execute", note)
    assert [found[_text(column, *one)] for one in ids[:3]] == [[row["id"]] for row in numbered[:3]]

    [(statement, parameters)] = sent
    explain = "EXPLAIN QUERY PLAN" if datastore.engine.dialect.name == "sqlite" else "EXPLAIN"
    with datastore.engine.connect() as connection:
        plan = connection.exec_driver_sql(f"{explain} {statement}", parameters).all()
    assert "ix_ita_record_operation_id_agent_id" in str(plan)


def _text(column: str, operation: UUID, agent: UUID) -> str:
    return f'["{operation}","{agent}"]' if column == places.BOTH else str(operation)
