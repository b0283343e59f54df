"""The catalogue: every menu that is always there, as the vendor's tables have them, and sheets as they are now."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from exastro_world import a_scope, a_workspace
from statements import statements

from dispatcher.datastore.transactions import Datastore
from dispatcher.services.exastro_ita.catalogue import Catalogue
from dispatcher.services.exastro_ita.columns import Column, Kind
from dispatcher.services.exastro_ita.columns_of.built_in import BUILT_IN
from dispatcher.services.exastro_ita.fixed_choices import FIXED, MENU_GROUPS
from dispatcher.services.exastro_ita.menus import Menu
from dispatcher.services.exastro_ita.patterns import compile_pattern
from dispatcher.services.exastro_ita.suite import build_exastro_ita
from dispatcher.services.hall import Hall
from dispatcher.services.library.importing import import_texts
from dispatcher.services.library.problems import LibraryErrors


@pytest.fixture
def catalogue(hall: Hall) -> Catalogue:
    return build_exastro_ita(hall).catalogue


def menus(datastore: Datastore, catalogue: Catalogue) -> dict[str, Menu]:
    with datastore.read() as session:
        return {menu.name: menu for menu in catalogue.menus(session)}


def test_all_menus_that_are_to_be_carried_are_there(datastore: Datastore, catalogue: Catalogue) -> None:
    found = menus(datastore, catalogue)

    assert {name: menu.columns for name, menu in found.items()} == dict(BUILT_IN)
    assert {name for name, menu in found.items() if menu.sheet_type != "0"} == {
        "conductor_class_edit",
        "conductor_confirmation",
    }
    assert all(menu.group in MENU_GROUPS.values() for menu in found.values())


@pytest.mark.parametrize("name", BUILT_IN)
def test_columns_hold_together(name: str, datastore: Datastore, catalogue: Catalogue) -> None:
    menu = menus(datastore, catalogue)[name]

    assert len(menu.by_name) == len(menu.columns)
    assert menu.columns[0] is menu.key
    assert [column.kind for column in menu.columns[-4:]] == [
        Kind.REMARKS,
        Kind.DISCARD,
        Kind.CHANGED_AT,
        Kind.CHANGED_BY,
    ]
    for column in menu.columns:
        assert bool(column.choices) == (column.kind is Kind.CHOICE), column.name
        assert column.initial is None or column.initial in FIXED[column.choices]
        if column.pattern:
            compile_pattern(column.pattern)
    ordered = {column for _, column in menu.order}
    together = {column for columns in menu.unique_together for column in columns}
    assert ordered | together <= menu.by_name.keys()


def test_flags_and_limits_are_the_vendors(datastore: Datastore, catalogue: Catalogue) -> None:
    found = menus(datastore, catalogue)

    def required(name: str) -> list[str]:
        return [one.name for one in found[name].columns if one.is_required and not one.is_auto]

    def flags(column: Column) -> str:
        return f"{column.is_auto:d}{column.input}{column.is_viewed:d}{column.is_unique:d}{column.is_required:d}"

    assert required("operation_list") == ["operation_name", "scheduled_date_for_execution"]
    assert required("device_list") == ["host_name", "connection_type"]
    assert required("playbook_files") == ["playbook_name", "playbook_file"]
    assert required("conductor_regularly_execution") == [
        "conductor_name",
        "operation_name",
        "start_date",
        "period",
        "interval",
    ]
    assert flags(found["operation_list"].by_name["last_run_date"]) == "00100"
    assert flags(found["conductor_regularly_execution"].by_name["start_date"]) == "03101"
    assert flags(found["conductor_class_list"].by_name["setting"]) == "02000"
    port = found["device_list"].by_name["port_no"]
    assert (port.least, port.most) == (0, 65535)
    assert found["host_link_list"].unique_together == (("hostgroup_name", "operation", "hostname"),)


def test_sheets_are_read_again_only_when_the_library_has_changed(
    datastore: Datastore, catalogue: Catalogue, load_library: Callable[[str], None]
) -> None:
    load_library("menus: [{name: s, columns: [{name: a, max_bytes: 8}]}]")
    assert menus(datastore, catalogue)["s"].by_name["a"].max_bytes == 8
    with statements(datastore) as sent:
        menus(datastore, catalogue)
    assert not any("ita_menu" in one for one in sent)

    load_library("menus: [{name: s, columns: [{name: a, max_bytes: 9}]}]")
    assert menus(datastore, catalogue)["s"].by_name["a"].max_bytes == 9


def test_what_was_not_stored_is_not_kept(datastore: Datastore, catalogue: Catalogue, hall: Hall) -> None:
    broken = b"menus: [{name: s, columns: [{name: a, kind: choice, choices: {menu: s, column: none}}]}]"
    with pytest.raises(LibraryErrors):
        import_texts(datastore, hall.ports, hall.secrets, {"a.yaml": broken})

    with datastore.read() as session:
        assert catalogue.menu(session, "s") is None
        assert catalogue.menu(session, "Device_list") is None


def test_menu_list_has_them_all(
    datastore: Datastore, catalogue: Catalogue, load_library: Callable[[str], None]
) -> None:
    load_library("menus: [{name: s, title: {ja: シート, en: Sheet}}]")
    workspace = a_workspace(datastore)

    with datastore.read() as session:
        source = menus(datastore, catalogue)["menu_list"].source
        records = list(source.read(a_scope(session, workspace)))
        [again] = source.read(a_scope(session, workspace), [records[-1].id])
        taken = source.taken(a_scope(session, workspace), "menu_name_rest", ["s", "t"])

    assert {record.values["menu_name_rest"] for record in records} == {*BUILT_IN, "s"}
    assert len({record.id for record in records}) == len(records)
    assert (again.values["menu_name_ja"], again.values["menu_name_en"]) == ("シート", "Sheet")
    assert again.values["menu_group_name"] == "502"
    assert taken == {"s": again.id}
