"""Sheets are defined, exported and defined anew on every database; what is unique in them follows."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from exastro_world import a_record, a_workspace
from sqlalchemy import select

from dispatcher.core.ports import Ports
from dispatcher.datastore.exastro_ita import ITA_UNIQUES, ItaMenu, ItaRecord
from dispatcher.datastore.transactions import Datastore
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
