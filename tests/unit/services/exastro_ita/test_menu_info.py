"""Menu info: what the vendor's answers have of menus; the seed's answers to the letter."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from exastro_world import a_record, a_workspace, an_operation

from dispatcher.core.permissions import SYSTEM, Caller
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.exastro_ita.menu_info import MenuInfo
from dispatcher.services.exastro_ita.messages import ItaError
from dispatcher.services.exastro_ita.suite import build_exastro_ita
from dispatcher.services.exastro_ita.workspaces import Workspace
from dispatcher.services.hall import Hall

#: Seed, listing 2.71 (2.3.2).
PLAYBOOK_COLUMNS = {
    "discard": "廃止フラグ",
    "item_no": "項番",
    "last_update_date_time": "最終更新日時",
    "last_updated_user": "最終更新者",
    "playbook_file": "Playbook素材",
    "playbook_name": "Playbook素材名",
    "remarks": "備考",
}
#: Seed, listing 2.73 (2.3.3).
DEVICE_PULLDOWN = {
    "authentication_method": {
        "1": "鍵認証(パスフレーズなし)",
        "2": "パスワード認証",
        "4": "鍵認証(パスフレーズあり)",
        "5": "パスワード認証(winrm)",
    },
    "connection_type": {"1": "machine", "4": "network"},
    "hw_device_type": {"1": "SV", "2": "ST", "3": "NW"},
    "instance_group_name": {},
    "lang": {"1": "utf-8", "2": "shift_jis", "3": "euc"},
    "os_type": {},
    "protocol": {"1": "telnet", "2": "ssh"},
}
#: ``collect_menu_info`` of the vendor's 2.7.
COLUMN_MEMBERS = {
    "column_id",
    "column_name",
    "column_name_rest",
    "column_group_id",
    "column_group_name",
    "column_type",
    "column_disp_seq",
    "description",
    "ref_table_name",
    "ref_pkey_name",
    "ref_col_name",
    "ref_sort_conditions",
    "ref_multi_lang",
    "sensitive_coloumn_name",
    "col_name",
    "button_action",
    "save_type",
    "auto_input",
    "input_item",
    "view_item",
    "unique_item",
    "required_item",
    "initial_value",
    "validate_option",
    "before_validate_register",
    "after_validate_register",
}


@pytest.fixture
def menu_info(hall: Hall) -> MenuInfo:
    return build_exastro_ita(hall).menu_info


@pytest.fixture
def workspace(datastore: Datastore) -> Workspace:
    return a_workspace(datastore)


def test_columns_and_choices_are_those_of_the_seed(menu_info: MenuInfo, workspace: Workspace) -> None:
    columns = menu_info.columns(workspace, "playbook_files", SYSTEM)
    pulldown = menu_info.pulldown(workspace, "device_list", SYSTEM)

    assert json.dumps(columns) == json.dumps(PLAYBOOK_COLUMNS)
    assert json.dumps(pulldown) == json.dumps(DEVICE_PULLDOWN)
    assert menu_info.columns(workspace, "playbook_files", SYSTEM, "en")["item_no"] == "Item No."


def test_info_has_the_vendors_members_and_flags_are_texts(menu_info: MenuInfo, workspace: Workspace) -> None:
    info = menu_info.info(workspace, "device_list", SYSTEM, "en")

    assert [*info] == ["column_group_info", "column_info", "custom_menu", "menu_info"]
    columns = info["column_info"]
    assert [*columns] == [f"c{number}" for number in range(1, 25)]
    assert all(column.keys() == COLUMN_MEMBERS for column in columns.values())
    flags = ("auto_input", "input_item", "view_item", "unique_item", "required_item")
    assert [columns["c3"][one] for one in ("column_name_rest", *flags)] == ["host_name", "0", "1", "1", "1", "1"]
    assert json.loads(columns["c3"]["validate_option"]) == {"min_length": 0, "max_length": 255}
    assert json.loads(columns["c11"]["validate_option"]) == {"int_min": 0, "int_max": 65535}
    assert (columns["c20"]["column_type"], columns["c20"]["initial_value"]) == ("IDColumn", "machine")
    assert columns["c8"]["column_type"] == "FileUploadEncryptColumn"
    menu = info["menu_info"]
    assert (menu["menu_id"], menu["menu_name"], menu["menu_group_id"]) == ("20101", "Device list", "201")
    assert (menu["sheet_type"], menu["pk_column_name_rest"]) == ("0", "managed_system_item_number")
    assert (menu["row_insert_flag"], menu["privilege"]) == ("1", "0")
    assert json.loads(menu["sort_key"]) == [{"ASC": "host_name"}]


def test_headings_stand_within_each_other(menu_info: MenuInfo, workspace: Workspace) -> None:
    info = menu_info.info(workspace, "device_list", SYSTEM, "en")

    groups, menu = info["column_group_info"], info["menu_info"]
    assert menu["columns"][:8] == ["c1", "c2", "c3", "c4", "c5", "g1", "g2", "g4"]
    named = {group["column_group_name"]: group for group in groups.values()}
    ansible, legacy = named["Ansible Dedicated information"], named["Legacy/Role Dedicated information"]
    winrm = named["WinRM connection information"]
    assert legacy["parent_column_group_id"] == ansible["column_group_id"]
    assert winrm["parent_column_group_name"] == "Legacy/Role Dedicated information"
    assert winrm["columns"] == ["c11", "c12", "c13"]
    full = "Ansible Dedicated information/Legacy/Role Dedicated information/WinRM connection information"
    assert info["column_info"]["c11"]["column_group_name"] == full
    assert all(name in groups or name.startswith("c") for group in groups.values() for name in group["columns"])


def test_hidden_columns_are_counted_and_not_told(menu_info: MenuInfo, workspace: Workspace) -> None:
    info = menu_info.info(workspace, "conductor_class_list", SYSTEM)

    assert [*info["column_info"]] == ["c1", "c2", "c3", "c5", "c6", "c7", "c8"]
    assert "setting" not in menu_info.columns(workspace, "conductor_class_list", SYSTEM)
    shown = menu_info.info(workspace, "conductor_regularly_execution", SYSTEM)["menu_info"]
    assert "c7" in shown["columns_input"]
    assert "c7" not in shown["columns_view"]
    assert "c2" not in shown["columns_input"]


def test_candidates_are_what_is_shown_sorted_and_once(
    menu_info: MenuInfo, workspace: Workspace, datastore: Datastore, load_library: Callable[[str], None]
) -> None:
    load_library("""
        menus:
          - name: s
            columns:
              - {name: size, kind: integer}
              - {name: colour, kind: choice, choices: [red, green]}
              - {name: secret, kind: password}
    """)
    operation = str(an_operation(datastore, workspace))
    for size, colour in ((10, "red"), (9, "gone"), (10, "green"), (None, "red")):
        a_record(datastore, workspace, "s", size=size, colour=colour, operation_name_select=operation)

    def candidates(column: str) -> list[object]:
        return menu_info.candidates(workspace, "s", column, SYSTEM)

    assert candidates("size") == [None, 9, 10]
    assert candidates("colour") == ["green", "red"]
    assert candidates("operation_name_select") == ["2031/06/01 02:00_op-1"]
    assert candidates("operation_date") == ["2031/06/01 02:00:00"]
    assert candidates("discard") == ["0"]
    assert candidates("last_updated_user") == ["test"]
    for column, result in (("none", "499-00006"), ("secret", "499-00010")):
        with pytest.raises(ItaError) as caught:
            candidates(column)
        assert (caught.value.result, caught.value.values) == (result, ("s", column))


def test_a_sheet_is_told_like_any_menu(
    menu_info: MenuInfo, workspace: Workspace, load_library: Callable[[str], None]
) -> None:
    load_library(
        "menus: [{name: s, title: {en: Sheet}, columns: [{name: a, initial: x}, {name: n, kind: integer, min: 0}]}]"
    )

    info = menu_info.info(workspace, "s", SYSTEM)

    told = next(one for one in info["column_info"].values() if one["column_name_rest"] == "a")
    assert (told["initial_value"], told["save_type"], told["column_group_name"]) == ("x", "JSON", "パラメータ")
    [limits] = [one["validate_option"] for one in info["column_info"].values() if one["column_name_rest"] == "n"]
    assert limits == '{"int_min": 0}'
    assert info["menu_info"]["menu_group_name"] == "入力用"
    assert {*menu_info.pulldown(workspace, "s", SYSTEM)["host_name"].values()} == {"h1", "h2"}


def test_menus_that_are_not_there_or_not_for_the_caller(menu_info: MenuInfo, workspace: Workspace) -> None:
    nobody = Caller("nobody", {})
    for menu, caller, result in (("none", SYSTEM, "499-00002"), ("device_list", nobody, "401-00001")):
        for ask in (menu_info.info, menu_info.columns, menu_info.pulldown):
            with pytest.raises(ItaError) as caught:
                ask(workspace, menu, caller)
            assert (caught.value.result, caught.value.values) == (result, (menu,))
