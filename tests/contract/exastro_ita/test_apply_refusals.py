"""Apply and conductor/execute: every way in which they are refused, in both languages, and which one goes first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from cheap_passwords import cheap_passwords
from exastro_client import Ita, refusal, told
from exastro_manual import (
    BASE,
    EXECUTE,
    NAMES,
    SHEETS,
    a_row,
    an_order,
    change,
    everything,
    records,
)
from sqlalchemy import select

from dispatcher.core.permissions import SYSTEM, Right
from dispatcher.core.ports import Ports
from dispatcher.datastore.exastro_ita import ITA_RUNS, ItaRoleMenu, ItaWorkspace
from dispatcher.datastore.logins import Role
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.hall import Hall
from dispatcher.services.logins import Logins
from dispatcher.services.roles import Roles
from dispatcher.web.app import WebApp


def test_record_numbers_go_on_where_a_menu_comes_again(site: Ita) -> None:
    good = {"type": "Register", "parameter": a_row(value="ok")}
    bad = {"type": "Register", "parameter": a_row("sample_host2", "x" * 30)}
    order = an_order({SHEETS[0]: good}, {SHEETS[1]: good}, {SHEETS[0]: [bad]}, {SHEETS[1]: bad})
    text = "文字長エラー (閾値 : 値<=8byte, 値 : 30byte), menu : sample_menu_001"
    assert refusal(site.call("POST", "apply/", order)) == (499, "499-00201", {"1": {"column_1": [text]}})
    assert everything(site) == [[], [], [], []]


def test_the_limit_is_for_the_records_of_each_menu(site: Ita, hall: Hall) -> None:
    hall.settings.set("exastro_ita.max_records", "2", SYSTEM)
    hosts = [{"type": "Register", "parameter": a_row(host)} for host in ("sample_host1", "sample_host2")]
    order = an_order({SHEETS[0]: hosts[0]}, {SHEETS[1]: hosts}, {SHEETS[0]: hosts[1]}, operation_name="n")
    site.post("apply/", order)
    order["parameter_info"].append({SHEETS[1]: hosts[0]})
    refused = site.call("POST", "apply/", {**order, "operation_name": "m"})
    assert refusal(refused) == (499, "499-00223", "一度に操作できるレコード数の上限(2)を超えました。")
    assert [len(found) for found in everything(site)] == [1, 2, 2, 1]


def test_all_records_of_a_menu_are_tried(site: Ita) -> None:
    rows = [a_row(value="x" * 9), a_row(), a_row(host="nobody"), {"host_name": "sample_host1", "nothing": "1"}]
    order = an_order({SHEETS[0]: [{"type": "Register", "parameter": row} for row in rows]})
    _, _, message = refusal(site.call("POST", "apply/", order))
    assert {index: list(faults) for index, faults in message.items()} == {
        "0": ["column_1"],
        "2": ["host_name"],
        "3": ["(個別チェック)"],
    }


#: What is sent, and the code, the Japanese and the English text of the answer (the vendor's ``API_JA.json`` and
#: ``API_EN.json``).
REFUSED: list[tuple[dict[str, Any], str, str, str]] = [
    (
        {},
        "499-01901",
        "Conductorクラス名が指定されていません。(conductor_class_id:None)",
        "No Conductor Class name is specified. (conductor_class_id:None)",
    ),
    (
        an_order(parameter_info="x"),
        "499-01902",
        "パラメータ情報の型が不正です。(menu:None, type:<class 'str'>)",
        "The parameter information type is invalid.(menu:None, type:<class 'str'>)",
    ),
    (
        an_order({"no_menu": "x"}),
        "499-01902",
        "パラメータ情報の型が不正です。(menu:no_menu, type:<class 'list'>)",
        "The parameter information type is invalid.(menu:no_menu, type:<class 'list'>)",
    ),
    (
        an_order({SHEETS[0]: {"parameter": a_row()}}),
        "499-01903",
        "必須項目(type, parameter)が不足しています(menu:sample_menu_001)",
        "A required item(type, parameter)is not filled in.(menu:sample_menu_001)",
    ),
    (
        an_order({SHEETS[0]: {"type": "Delete", "parameter": a_row()}}),
        "499-01904",
        "レコードの操作種別にはRegister/Update/Restore/Discardのいずれかを指定してください。"
        "(menu:sample_menu_001, type:Delete)",
        "Records must have one of the following operation types specified to them: Register/Update/Restore/Discard."
        "(menu:sample_menu_001, type:Delete)",
    ),
    (
        {"conductor_class_name": "sample_conductor", "operation_name": "new"},
        "499-01905",
        "既存のオペレーション名を指定しない場合は、parameter_infoの指定が必須となります。",
        "If no existing operation name is specified, 'parameter_info' must be specified.",
    ),
    (
        an_order({"no_menu": {"type": "Register", "parameter": {}}}),
        "499-00002",
        "『メニュー管理』に対象のメニューが存在しません。(menu: no_menu)",
        'The target menu does not exist in "Menu list". (menu: no_menu)',
    ),
    (
        an_order({"conductor_confirmation": {"type": "Register", "parameter": {}}}),
        "499-00001",
        "[menu]が不正です。(menu: conductor_confirmation)",
        "[menu] is invalid. (menu: conductor_confirmation)",
    ),
    (
        an_order({SHEETS[0]: [{"type": "Register", "parameter": {}}] * 1_001}),
        "499-00223",
        "一度に操作できるレコード数の上限(1000)を超えました。",
        "Maximum(1000) number of rows exceeded.",
    ),
    (
        an_order(conductor_class_name="none", operation_name="new"),
        "499-00804",
        "Conductor作業実行の登録処理に失敗しました。(ConductorクラスID:none, オペレーションID:new,予約日時:None)",
        "Failed to register Conductor work execution. (conductor_class_id:none, operation_id:new,schedule_date:None)",
    ),
    (
        an_order(operation_name="new", schedule_date="tomorrow"),
        "499-00804",
        "Conductor作業実行の登録処理に失敗しました。"
        "(ConductorクラスID:sample_conductor, オペレーションID:new,予約日時:tomorrow)",
        "Failed to register Conductor work execution. "
        "(conductor_class_id:sample_conductor, operation_id:new,schedule_date:tomorrow)",
    ),
    (  # a step of the conductor asks, and no host has a record for the operation
        an_order({SHEETS[0]: []}, operation_name="new", schedule_date=""),
        "499-00804",
        "Conductor作業実行の登録処理に失敗しました。"
        "(ConductorクラスID:sample_conductor, オペレーションID:new,予約日時:)",
        "Failed to register Conductor work execution. "
        "(conductor_class_id:sample_conductor, operation_id:new,schedule_date:)",
    ),
]


def test_what_is_refused_leaves_nothing(clients: dict[str, Ita]) -> None:
    for body, result, ja, en in REFUSED:
        for language, text in (("ja", ja), ("en", en)):
            assert refusal(clients[language].call("POST", "apply/", body)) == (499, result, text)
        assert everything(clients["ja"]) == [[], [], [], []], result


def test_records_are_refused_in_both_languages(clients: dict[str, Ita]) -> None:
    order = an_order({SHEETS[0]: {"type": "Register", "parameter": a_row(value="x" * 30)}})
    for language, words in (
        ("ja", "文字長エラー (閾値 : 値<=8byte, 値 : 30byte), menu : sample_menu_001"),
        ("en", "Character length error (threshold:Value<=8byte, Value:30byte), menu : sample_menu_001"),
    ):
        answer = clients[language].call("POST", "apply/", order)
        assert refusal(answer) == (499, "499-00201", {"0": {"column_1": [words]}})
    assert everything(clients["ja"]) == [[], [], [], []]


def test_an_operation_that_there_cannot_be_is_refused(site: Ita) -> None:
    status, result, message = refusal(site.call("POST", "apply/", an_order(operation_name="あ" * 86)))
    assert (status, result, list(message["0"])) == (499, "499-00201", ["operation_name"])
    assert "値 : 258byte" in message["0"]["operation_name"][0]
    assert everything(site) == [[], [], [], []]


MAINTENANCE = {
    "apply/": ("498-00001", "メンテナンス中のため、データの登録・更新は行うことができません。",
               "Data cannot be registered or updated due to maintenance."),
    EXECUTE: ("498-00006", "メンテナンス中のため、Conductor作業実行を行うことができません。",
              "Due to maintenance, you cannot Conductor executed."),
}  # fmt: skip


@pytest.mark.parametrize("path", MAINTENANCE)
def test_in_maintenance_mode_nothing_else_is_looked_at(clients: dict[str, Ita], hall: Hall, path: str) -> None:
    hall.settings.set("exastro_ita.maintenance_mode", "on", SYSTEM)
    result, ja, en = MAINTENANCE[path]
    for language, text in (("ja", ja), ("en", en)):
        assert refusal(clients[language].call("POST", path, {})) == (498, result, text)


@pytest.fixture
def reader(clients: dict[str, Ita], web: WebApp, datastore: Datastore, ports: Ports, roles: Roles) -> Ita:
    """Who may read everything, and change agents, but schedule nothing."""
    roles.add("Reader", SYSTEM)
    for node in ("Jobs/Scheduling", "Topology/Teams", "Topology/Agents", "Library/Run Books"):
        roles.grant("Reader", Right.READ, node, SYSTEM)
    Logins(datastore, ports, cheap_passwords()).add("reader", "pw", SYSTEM, roles=["Reader"], language="ja")
    return Ita(web, "reader", "pw", base=BASE)


def test_who_may_only_read_is_refused(reader: Ita, clients: dict[str, Ita]) -> None:
    order = an_order(operation_name="sample_operation")
    clients["ja"].post("apply/", order)
    before = everything(reader)
    text = "対象のメニューに対するアクセス権限がありません。(menu: {})"
    assert refusal(reader.call("POST", "apply/", order)) == (401, "401-00001", text.format("operation_list"))
    assert refusal(reader.call("POST", EXECUTE, NAMES)) == (401, "401-00001", text.format("conductor_class_edit"))
    assert everything(reader) == before


@pytest.mark.parametrize(
    ("privileges", "refused"),
    [
        ({"operation_list": 2, "conductor_class_edit": 0, SHEETS[0]: 0}, "operation_list"),
        ({"operation_list": 1, SHEETS[0]: 0}, "conductor_class_edit"),
        ({"operation_list": 1, "conductor_class_edit": 2, SHEETS[0]: 2}, SHEETS[0]),
        ({"operation_list": 1, "conductor_class_edit": 2, SHEETS[0]: 1}, None),
    ],
)
def test_roles_need_privileges_in_each_menu(
    clients: dict[str, Ita], web: WebApp, hall: Hall, roles: Roles, privileges: dict[str, int], refused: str | None
) -> None:
    roles.add("Menus", SYSTEM)
    for node in ("Jobs/Scheduling", "Topology/Teams", "Topology/Agents", "Library/Run Books"):
        roles.grant("Menus", Right.MODIFY, node, SYSTEM)
    Logins(hall.datastore, hall.ports, cheap_passwords()).add("some", "pw", SYSTEM, roles=["Menus"], language="en")
    give(hall, "Menus", privileges)
    answer = Ita(web, "some", "pw", base=BASE).call("POST", "apply/", an_order())
    if refused is None:
        told(answer)
    else:
        text = f"You do not have access privileges to the target menu. (menu: {refused})"
        assert refusal(answer) == (401, "401-00001", text)
    with hall.datastore.read() as session:
        assert len(session.scalars(select(ITA_RUNS.c.job_id)).all()) == (refused is None)


def give(hall: Hall, role: str, privileges: dict[str, int]) -> None:
    """Give a role privileges in menus of all workspaces."""
    with hall.datastore.begin() as session:
        key = session.scalar(select(Role.id).where(Role.name == role))
        for workspace in session.scalars(select(ItaWorkspace.id)):
            for menu, privilege in privileges.items():
                stamp = {"updated_at": hall.ports.now(), "updated_by": "test", "is_discarded": False}
                place = {"id": hall.ports.new_id(), "workspace_id": workspace, "role_id": key}
                session.add(ItaRoleMenu(**place, **stamp, menu=menu, privilege=privilege))


def test_the_order_of_the_checks(manual: Ita) -> None:
    """What is wrong earlier is told, whatever is wrong later."""
    bad = {"type": "Register", "parameter": a_row(value="x" * 30)}
    steps = [
        (an_order({"no_menu": "x"}, conductor_class_name=""), "499-01901"),
        (an_order({SHEETS[0]: "x"}, {"no_menu": {"type": "x", "parameter": {}}}), "499-01902"),
        (an_order({SHEETS[0]: bad}, {"no_menu": bad}, conductor_class_name="none"), "499-00002"),
        ({"conductor_class_name": "none", "operation_name": "あ" * 86}, "499-00201"),
        ({"conductor_class_name": "none", "operation_name": "new"}, "499-01905"),
        (an_order({SHEETS[0]: bad}, conductor_class_name="none"), "499-00201"),
        (an_order(conductor_class_name="none"), "499-00804"),
    ]
    before = everything(manual)
    assert [refusal(manual.call("POST", "apply/", body))[1] for body, _ in steps] == [result for _, result in steps]
    assert everything(manual) == before


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({"operation_name": "x"}, "{'operation_name': 'x'}"),
        ({**NAMES, "conductor_class_name": None}, "conductor_class_name:None"),
        ({**NAMES, "operation_name": "x"}, "operation_name:x"),
        (
            {"conductor_class_name": "c", "operation_name": "o", "schedule_date": "2031/13/01 00:00"},
            "conductor_class_name:c, operation_name:o, schedule_date:2031/13/01 00:00",
        ),
        ({"conductor_class_id": "1", "operation_id": "2"}, "conductor_class_id:1, operation_id:2"),
    ],
)
def test_execute_says_what_is_wrong(clients: dict[str, Ita], body: dict[str, Any], wrong: str) -> None:
    parameter = {"operation_name": "sample_operation", "scheduled_date_for_execution": "2024/01/01 00:00"}
    change(clients["ja"], "operation_list", parameter=parameter)
    ja, en = (refusal(clients[language].call("POST", EXECUTE, body)) for language in ("ja", "en"))
    assert ja == (499, "499-00814", f"指定した条件では作業実行できません。作業条件を確認してください。({wrong})")
    text = "The operation cannot be executed under the specified conditions. Check working conditions."
    assert en == (499, "499-00814", f"{text} ({wrong})")


def test_without_hosts_a_conductor_that_asks_does_not_run(site: Ita) -> None:
    parameter = {"operation_name": "sample_operation", "scheduled_date_for_execution": "2024/01/01 00:00"}
    change(site, "operation_list", parameter=parameter)
    assert "(operation_name:sample_operation)" in refusal(site.call("POST", EXECUTE, NAMES))[2]
    assert refusal(site.call("POST", "apply/", NAMES))[1] == "499-00804"


DEEP = """
projects: [{name: Both, modules: [{module: Say}]}]
runbooks:
  - {name: low, steps: [{name: one, project: Both, who: [{ask: true}]}]}
  - {name: deep, steps: [{name: one, runbook: low, who: [{ask: true}]}]}
"""
SAY = "modules: [{name: Say, enabled: %s, tasks: [{type: command, name: say, settings: {command: echo said}}]}]"


@pytest.mark.parametrize(
    ("name", "menu", "discarded"),
    [
        ("deep", None, ""),
        ("sample_main_conductor", "conductor_class_list", "sample_sub_conductor"),
        ("sample_main_conductor", "operation_list", "sample_operation"),
    ],
)
def test_a_conductor_that_runs_something_discarded_is_refused(
    manual: Ita, load_library: Callable[[str], None], name: str, menu: str | None, discarded: str
) -> None:
    load_library(DEEP)
    names = {"conductor_class_name": name, "operation_name": "other"}
    row = a_row(operation_name_select="2024/01/01 00:00_other")
    parameter = {"operation_name": "other", "scheduled_date_for_execution": "2024/01/01 00:00"}
    change(manual, "operation_list", parameter=parameter)
    change(manual, SHEETS[0], parameter=row)
    told(manual.call("POST", "apply/", names))
    if menu is None:
        load_library(SAY % "false")
    else:
        record = next(one for one in records(manual, menu) if discarded in one.values())
        key = next(iter(record.keys() & {"conductor_class_id", "operation_id"}))
        part = {member: record[member] for member in (key, "last_update_date_time")}
        manual.post(f"menu/{menu}/maintenance/all/", [{"type": "Discard", "parameter": part}])
    before = everything(manual)
    another = {"type": "Register", "parameter": {**row, "host_name": "sample_host2"}}
    order = an_order({SHEETS[0]: another}, **names)
    assert refusal(manual.call("POST", "apply/", order))[1] == "499-00804"
    _, code, message = refusal(manual.call("POST", EXECUTE, names))
    assert (code, f"(conductor_class_name:{name})" in message) == ("499-00814", True)
    assert everything(manual) == before


TWINS = """
runbooks:
  - {name: Sample_Conductor, folder: A, steps: [{name: one, module: Say, who: [{ask: true}]}]}
  - {name: twin, folder: A, steps: [{name: one, module: Say, who: [{ask: true}]}]}
  - {name: twin, folder: B, steps: [{name: one, module: Say, who: [{ask: true}]}]}
"""


def test_a_name_that_several_conductors_have_or_none_exactly_is_refused(
    manual: Ita, load_library: Callable[[str], None]
) -> None:
    load_library(TWINS)
    for name in ("twin", "TWIN", "SAMPLE_CONDUCTOR", "SAMPLE_SUB_CONDUCTOR"):  # but for the first one nobody's
        for path, result in (("apply/", "499-00804"), (EXECUTE, "499-00814")):
            _, code, message = refusal(manual.call("POST", path, {**NAMES, "conductor_class_name": name}))
            assert (code, name in message) == (result, True)
    regular = {"conductor_name": "twin", "operation_name": "sample_operation", "start_date": "2031/06/01 02:00"}
    record = {"type": "Register", "parameter": {**regular, "period": "日", "interval": 1, "time": "02:00:00"}}
    refused = manual.call("POST", "menu/conductor_regularly_execution/maintenance/all/", [record])
    assert "conductor_name" in refusal(refused)[2]
    assert records(manual, "conductor_list") == []

    [operation] = records(manual, "operation_list")
    twins = [one for one in records(manual, "conductor_class_list") if one["conductor_name"] == "twin"]
    assert len(twins) == 2
    for one in twins:
        ids = {"conductor_class_id": one["conductor_class_id"], "operation_id": operation["operation_id"]}
        run = told(manual.call("POST", EXECUTE, ids))["conductor_instance_id"]
        state = manual.get(f"menu/conductor_confirmation/conductor/{run}/")
        assert state["conductor_class"]["conductor"]["id"] == one["conductor_class_id"]
    told(manual.call("POST", "apply/", NAMES))  # the other one has it in another case


ODD = (
    r'{"conductor_class_name": "\ud800", "operation_name": "n", "parameter_info": [{}]}',
    r'{"conductor_class_name": ["x"], "operation_name": {"x": 1}, "parameter_info": [{}]}',
    r'{"conductor_class_name": "c", "parameter_info": {"\ud800": {"type": "Register", "parameter": {}}}}',
    r'{"conductor_class_name": "c", "parameter_info": {"sample_menu_001": {"type": "Update", "parameter": {"x": 7}}}}',
    r'{"conductor_class_name": "sample_conductor", "parameter_info": [{}], "schedule_date": {"x": []}}',
    r'{"conductor_class_name": "sample_conductor", "parameter_info": [{}], "schedule_date": "0001/01/01 00:00"}',
    r'{"conductor_class_name": "sample_conductor", "parameter_info": [{}], "operation_name": 7, "schedule_date": 7}',
    "[]",
    '"x"',
    "{",
    "",
)


def test_whatever_is_sent_is_refused_as_such(site: Ita) -> None:
    for body in ODD:
        for path in ("apply/", EXECUTE):
            assert refusal(site.call("POST", path, body))[0] in (400, 499), body
    assert everything(site) == [[], [], [], []]
