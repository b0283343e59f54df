"""Choices: fixed lists by language, lists of records, hosts and roles, each read once, and ids by their texts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from exastro_world import NOW, a_record, a_scope, a_workspace, an_operation, hosts_of
from statements import statements

from dispatcher.datastore.transactions import Datastore
from dispatcher.services.exastro_ita.choices import Choices
from dispatcher.services.exastro_ita.columns import Kind
from dispatcher.services.exastro_ita.columns_of.built_in import BUILT_IN
from dispatcher.services.exastro_ita.suite import build_exastro_ita
from dispatcher.services.exastro_ita.workspaces import Workspace
from dispatcher.services.hall import Hall

#: Lists that are empty here: the vendor fills them by menus that are not carried.
EMPTY = {"environments", "instance_groups", "os_types"}


@pytest.fixture
def choices(hall: Hall) -> Choices:
    return build_exastro_ita(hall).choices


@pytest.fixture
def workspace(datastore: Datastore) -> Workspace:
    return a_workspace(datastore)


def of(datastore: Datastore, choices: Choices, workspace: Workspace, name: str, language: str = "ja") -> list[str]:
    with datastore.read() as session:
        return [*choices.of(replace(a_scope(session, workspace), language=language), name).values()]


def test_every_column_that_chooses_has_a_list(
    datastore: Datastore, choices: Choices, workspace: Workspace, load_library: Callable[[str], None]
) -> None:
    load_library("runbooks: [{name: nightly}]")
    group = a_record(datastore, workspace, "hostgroup_management", hostgroup_name="web")
    an_operation(datastore, workspace)
    names = {column.choices for columns in BUILT_IN.values() for column in columns if column.kind is Kind.CHOICE}

    assert group
    assert {name for name in names if not of(datastore, choices, workspace, name)} == EMPTY


def test_fixed_lists_are_in_the_language_of_the_caller(
    datastore: Datastore, choices: Choices, workspace: Workspace
) -> None:
    assert of(datastore, choices, workspace, "conductor_states")[5:7] == ["正常終了", "異常終了"]
    assert of(datastore, choices, workspace, "conductor_states", "en")[5:7] == ["Normal end", "Abend"]
    assert of(datastore, choices, workspace, "no such list") == []


def test_discarded_records_and_those_of_other_workspaces_are_no_choices(
    datastore: Datastore, choices: Choices, workspace: Workspace
) -> None:
    other = a_workspace(datastore, "ws3", hosts=["h9"])
    kept = an_operation(datastore, workspace, "b")
    an_operation(datastore, workspace, "a")
    an_operation(datastore, other, "c")
    values = {"operation_name": "d", "scheduled_date_for_execution": NOW.isoformat()}
    gone = a_record(datastore, workspace, "operation_list", is_discarded=True, **values)

    assert of(datastore, choices, workspace, "operations") == ["2031/06/01 02:00_a", "2031/06/01 02:00_b"]
    assert of(datastore, choices, workspace, "operation_names") == ["a", "b"]
    assert of(datastore, choices, workspace, "devices") == ["h1", "h2"]
    with datastore.read() as session:
        lists = choices.within(a_scope(session, workspace))
        assert lists.id_of("operations", "2031/06/01 02:00_b") == str(kept)
        assert lists.id_of("operations", "2031/06/01 03:00_b") is None
        assert lists.id_of("operations", "b") is None
        assert lists.id_of("operation_names", "b") == str(kept)
        assert lists.text_of("operation_names", str(gone)) == f"ID変換失敗({gone})"


def test_a_name_that_two_have_is_refused(datastore: Datastore, choices: Choices, workspace: Workspace) -> None:
    twice = a_workspace(datastore, "ws4", hosts=["h7", "h7", "h8"])

    with datastore.read() as session:
        lists = choices.within(a_scope(session, twice))
        assert lists.id_of("devices", "h7") is None
        assert lists.id_of("devices", "h8") == str(hosts_of(datastore, twice)["h8"])


def test_a_list_is_read_once_and_a_few_texts_without_it(
    datastore: Datastore, choices: Choices, workspace: Workspace
) -> None:
    ids = [str(an_operation(datastore, workspace, f"op{number}")) for number in range(30)]
    wanted = [f"2031/06/01 02:00_op{number}" for number in range(30)]

    with datastore.read() as session:
        lists = choices.within(a_scope(session, workspace))
        assert [lists.id_of("operations", wanted[3]) for _ in range(50)] == [ids[3]] * 50
        with statements(datastore) as sent:
            assert [lists.id_of("operations", text) for text in wanted * 2] == ids * 2
        assert len(sent) < 30
        with statements(datastore) as sent:
            assert lists.text_of("operations", ids[7]) == wanted[7]
        assert sent == []


def test_sheets_choose_from_their_own_lists_and_from_columns_of_menus(
    datastore: Datastore, choices: Choices, workspace: Workspace, load_library: Callable[[str], None]
) -> None:
    load_library("""
        menus:
          - name: s
            columns:
              - {name: a, kind: choice, choices: [x, y]}
              - {name: b, kind: choice, choices: {menu: t, column: label}}
              - {name: c, kind: choice, choices: {menu: t, column: d}}
          - name: t
            columns:
              - {name: label}
              - {name: d, kind: choice, choices: {menu: s, column: c}}
    """)
    key = a_record(datastore, workspace, "t", label="L", d="1")
    a_record(datastore, workspace, "t", is_discarded=True, label="M")
    a_record(datastore, workspace, "t", label="")

    assert of(datastore, choices, workspace, "given s a") == ["x", "y"]
    with datastore.read() as session:
        assert choices.of(a_scope(session, workspace), "menu t label") == {str(key): "L"}
        # Each is from the other: nothing ever is.
        assert choices.of(a_scope(session, workspace), "menu t d").keys() == {str(key)}
    assert of(datastore, choices, workspace, "menu no such") == []


def test_menus_are_called_with_their_heading(datastore: Datastore, choices: Choices, workspace: Workspace) -> None:
    with datastore.read() as session:
        found = choices.of(a_scope(session, workspace), "menus")
    assert found["device_list"] == "Ansible共通:機器一覧"


def test_once_a_sheet_has_changed_only_what_sheets_have_is_read_again(
    datastore: Datastore, choices: Choices, workspace: Workspace, load_library: Callable[[str], None]
) -> None:
    load_library("menus: [{name: t, columns: [{name: label}]}]")
    an_operation(datastore, workspace, "a")
    with datastore.read() as session:
        lists = choices.within(a_scope(session, workspace))
        operations = lists.of("operations")
        assert lists.of("menu t label") == {}
    key = a_record(datastore, workspace, "t", label="L")
    with datastore.read() as session:
        lists.scope = a_scope(session, workspace)
        after = lists.after_sheet()
        with statements(datastore) as sent:
            assert after.of("operations") is operations
        assert sent == []
        assert after.id_of("menu t label", "L") == str(key)
