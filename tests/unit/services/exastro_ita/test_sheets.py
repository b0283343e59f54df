"""Sheets: a definition makes a menu with the columns that the vendor gives to all of them, and rows show operations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from exastro_world import PLANNED, a_record, a_scope, a_workspace, an_operation, hosts_of, registering, updating
from statements import statements

from dispatcher.core.permissions import SYSTEM
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.exastro_ita.columns import Kind, Label
from dispatcher.services.exastro_ita.operations import OperationRows
from dispatcher.services.exastro_ita.rows import Rows
from dispatcher.services.exastro_ita.sheet_rows import SheetRows
from dispatcher.services.exastro_ita.sheets import KINDS, to_menu
from dispatcher.services.exastro_ita.suite import build_exastro_ita
from dispatcher.services.hall import Hall

DEFINITION: dict[str, Any] = {
    "name": "sample_menu_001",
    "title": {"ja": "サンプル"},
    "columns": [
        {"name": "column_1", "title": {"ja": "項目1", "en": "Item 1"}, "max_bytes": 8, "required": True},
        {"name": "column_2", "kind": "file", "groups": [{"en": "Files"}]},
        {"name": "size", "kind": "integer", "min": 0.0, "unique": True},
    ],
}


def test_a_definition_makes_a_menu_like_the_vendors() -> None:
    menu = to_menu(UUID(int=1), DEFINITION, Rows("sample_menu_001"))

    assert [(one.name, one.input, one.is_auto) for one in menu.columns[:7]] == [
        ("uuid", "0", True),
        ("host_name", "1", False),
        ("operation_name_select", "1", False),
        ("operation_name_disp", "2", False),
        ("base_datetime", "0", True),
        ("operation_date", "0", True),
        ("last_execute_timestamp", "0", True),
    ]
    assert [one.name for one in menu.columns[7:-4]] == ["column_1", "column_2", "size"]
    assert [one.name for one in menu.columns if one.is_required and not one.is_auto] == [
        "host_name",
        "operation_name_select",
        "column_1",
    ]
    assert menu.is_sheet
    assert menu.label == Label("サンプル", "サンプル")
    first, second, third = menu.columns[7:-4]
    assert (first.label, first.max_bytes, first.kind) == (Label("項目1", "Item 1"), 8, Kind.TEXT)
    assert second.groups == (Label("パラメータ", "Parameter"), Label("Files", "Files"))
    assert (third.least, third.most, third.is_unique, third.kind) == (0, None, True, Kind.INTEGER)


def test_sheets_of_operations_alone_have_no_hosts() -> None:
    menu = to_menu(UUID(int=1), {**DEFINITION, "type": 3}, Rows("s"))

    assert menu.sheet_type == "3"
    assert "host_name" not in menu.by_name


def test_every_kind_that_files_name_is_a_kind_of_column() -> None:
    assert len(set(KINDS.values())) == len(KINDS) == 10


def test_rows_show_the_operation_that_they_are_of(datastore: Datastore) -> None:
    workspace = a_workspace(datastore)
    operation = an_operation(datastore, workspace)
    rows = [
        a_record(datastore, workspace, "s", operation_name_select=str(key), a="1")
        for key in [operation, *[uuid4()] * 2, operation]
    ]

    with datastore.read() as session:
        source = SheetRows("s", OperationRows())
        with statements(datastore) as sent:
            found = list(source.read(a_scope(session, workspace)))
        assert len(sent) <= 4
    assert [record.id for record in found] == rows
    assert {name: found[3].values.get(name) for name in ("operation_name_disp", "base_datetime", "operation_date")} == {
        "operation_name_disp": "op-1",
        "base_datetime": PLANNED.isoformat(),
        "operation_date": PLANNED.isoformat(),
    }
    assert "operation_name_disp" not in found[1].values


def test_the_history_of_a_record_shows_its_operations_too(
    hall: Hall, datastore: Datastore, load_library: Callable[[str], None]
) -> None:
    load_library("menus: [{name: s, columns: [{name: a}]}]")
    workspace = a_workspace(datastore)
    for name in ("op-1", "op-2"):
        an_operation(datastore, workspace, name)
    suite = build_exastro_ita(hall)
    sent = {"host_name": "h2", "operation_name_select": "2031/06/01 02:00_op-1"}
    [key] = suite.maintenance.change(workspace, "s", [registering(**sent)], SYSTEM).ids
    [first] = suite.records.filter(workspace, "s", None, SYSTEM)
    later = updating(first["parameter"], operation_name_select="2031/06/01 02:00_op-2")
    suite.maintenance.change(workspace, "s", [later], SYSTEM)

    [second] = suite.records.filter(workspace, "s", None, SYSTEM)
    told = [one["parameter"] for one in suite.records.journal(workspace, "s", str(key), SYSTEM)]
    assert [one["operation_name_disp"] for one in told] == ["op-2", "op-1"]
    assert first["parameter"].items() <= told[1].items()
    assert second["parameter"].items() <= told[0].items()
    assert told[0]["operation_date"] == told[0]["base_datetime"] == "2031/06/01 02:00:00"


def test_a_record_is_read_as_it_was_sent(hall: Hall, datastore: Datastore, load_library: Callable[[str], None]) -> None:
    load_library("menus: [{name: s, columns: [{name: a, kind: choice, choices: devices}]}]")
    workspace = a_workspace(datastore)
    hosts = hosts_of(datastore, workspace)
    an_operation(datastore, workspace, planned=datetime(2024, 1, 1, tzinfo=UTC))
    suite = build_exastro_ita(hall)
    sent = {"host_name": "h2", "operation_name_select": "2024/01/01 00:00_op-1", "a": "h1"}

    with datastore.begin() as session:
        scope = replace(a_scope(session, workspace), language="en")
        menu = suite.catalogue.menu(session, "s")
        assert menu is not None
        forms = suite.choices.forms(scope)
        stored = {name: forms.stored(menu.by_name[name], value) for name, value in sent.items()}

        assert stored["host_name"] == str(hosts["h2"])
        assert {name: forms.shown(menu.by_name[name], value) for name, value in stored.items()} == sent
