"""Texts are the vendor's, in both languages, and there is one for everything that the services say."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest

import dispatcher.services.exastro_ita as services
from dispatcher.bindings.exastro_ita.message_texts import MESSAGES
from dispatcher.bindings.exastro_ita.result_texts import RESULTS
from dispatcher.bindings.exastro_ita.texts import text, text_of_apply
from dispatcher.services.exastro_ita.messages import Message

#: Contract section 3.6, "Error table"; the values are ours.
TABLE = [
    ("400-00002", ("x",), "リクエストボディのパラメータ(x)が不正です", "Request-Body Paramater(x) is Invalid"),
    (
        "400-00003",
        ("a/b",),
        "リクエストボディのパラメータが不正です (Content-Type:a/b)",
        "Request-Body Paramater is Invalid (Content-Type: a/b)",
    ),
    (
        "401-00001",
        ("m",),
        "対象のメニューに対するアクセス権限がありません。(menu: m)",
        "You do not have access privileges to the target menu. (menu: m)",
    ),
    ("platform-401-00002", (), "認証に失敗しました。", "Certification failed."),
    ("403-00001", (), "permission error", "Permission error"),
    ("499-00201", ("{}",), "{}", "{}"),
    (
        "499-00804",
        ("c", None, "d"),
        "Conductor作業実行の登録処理に失敗しました。(ConductorクラスID:c, オペレーションID:None,予約日時:d)",
        "Failed to register Conductor work execution. (conductor_class_id:c, operation_id:None,schedule_date:d)",
    ),
    (
        "499-00814",
        ("operation_name:xx",),
        "指定した条件では作業実行できません。作業条件を確認してください。(operation_name:xx)",
        "The operation cannot be executed under the specified conditions. "
        "Check working conditions. (operation_name:xx)",
    ),
    (
        "400-00001",
        ("x",),
        "リクエストヘッダーのパラメータ(x)が不正です",
        "Request-Header Paramater(x) is Invalid",
    ),
    (
        "401-00003",
        ("x",),
        "対象メニューの紐付設定が不正です。(menu: x)",
        "The linking setting of the target menu is invalid. (menu: x)",
    ),
    (
        "498-00001",
        (),
        "メンテナンス中のため、データの登録・更新は行うことができません。",
        "Data cannot be registered or updated due to maintenance.",
    ),
    (
        "498-00006",
        (),
        "メンテナンス中のため、Conductor作業実行を行うことができません。",
        "Due to maintenance, you cannot Conductor executed.",
    ),
    (
        "498-00007",
        (),
        "メンテナンス中のため、予約取消を行うことができません。",
        "Reservations cannot be canceled due to maintenance.",
    ),
    (
        "498-00008",
        (),
        "メンテナンス中のため、緊急停止を行うことができません。",
        "Emergency stop cannot be performed due to maintenance.",
    ),
    (
        "499-00001",
        ("x",),
        "[menu]が不正です。(menu: x)",
        "[menu] is invalid. (menu: x)",
    ),
    (
        "499-00002",
        ("x",),
        "『メニュー管理』に対象のメニューが存在しません。(menu: x)",
        'The target menu does not exist in "Menu list". (menu: x)',
    ),
    (
        "499-00003",
        ("x",),
        "『メニュー-テーブル紐付管理』に対象のメニューが存在しません。(menu: x)",
        'The target menu does not exist in "Menu Table list".(menu: x)',
    ),
    (
        "499-00004",
        ("x",),
        "『メニューグループ管理』に対象のメニューが所属するグループが存在しません。(menu: x)",
        'The group to which the target menu belongs does not exist in "Menu Group list"(menu: x)',
    ),
    (
        "499-01901",
        ("x",),
        "Conductorクラス名が指定されていません。(conductor_class_id:x)",
        "No Conductor Class name is specified. (conductor_class_id:x)",
    ),
    (
        "499-01902",
        ("x", "y"),
        "パラメータ情報の型が不正です。(menu:x, type:y)",
        "The parameter information type is invalid.(menu:x, type:y)",
    ),
    (
        "499-01903",
        ("x",),
        "必須項目(type, parameter)が不足しています(menu:x)",
        "A required item(type, parameter)is not filled in.(menu:x)",
    ),
    (
        "499-01904",
        ("x", "y"),
        "レコードの操作種別にはRegister/Update/Restore/Discardのいずれかを指定してください。(menu:x, type:y)",
        "Records must have one of the following operation types specified to them: Register/Update/Restore/Di"
        "scard.(menu:x, type:y)",
    ),
    (
        "499-01905",
        (),
        "既存のオペレーション名を指定しない場合は、parameter_infoの指定が必須となります。",
        "If no existing operation name is specified, 'parameter_info' must be specified.",
    ),
    (
        "MSG-00007",
        ("x",),
        "対象のレコードが存在しません(対象ID:x)",
        "Target record does not exist (target ID: x)",
    ),
    (
        "MSG-00023",
        ("x",),
        "対象のレコードが廃止済みのため、処理を中止しました。(対象IDx)",
        "Processing has been canceled because the target record has been deprecated. (Target ID x)",
    ),
    (
        "MSG-00024",
        ("x",),
        "必須項目が不足しています(x)",
        "Missing required items (x)",
    ),
    (
        "MSG-00027",
        ("x",),
        "実行種別が不正です。(x)",
        "The execution type is invalid.(x)",
    ),
    (
        "MSG-00028",
        ("x",),
        "最終更新日時が不正です。(x)",
        "last_update_date_time is invalid (x)",
    ),
    (
        "MSG-00029",
        ("x",),
        "入力パラメータのキーが不正です。(x)",
        "The input parameter key is invalid. (x)",
    ),
    ("999-99999", (), "システムエラー", "System Error"),
    (
        "MSG-00005",
        ("i",),
        "別セッションからレコードが更新されたため、処理を中止しました。(対象ID:i)",
        "Processing was canceled because the record was updated from another session. (Target ID: i)",
    ),
    (
        "MSG-00008",
        (8, 30),
        "文字長エラー (閾値:値<=8byte, 値:30byte)",
        "Character length error (threshold:Value<=8byte, Value:30byte)",
    ),
    (
        "MSG-00025",
        ("i", "v"),
        "他レコードと重複しています。(対象ID:i,値:v)",
        "It is duplicated with other records. (Target ID: i, Value: v)",
    ),
    ("MSG-00030", (), "必須項目です。", "Required fields."),
    ("MSG-00004", (), "(個別チェック)", "Individual check"),
]


@pytest.mark.parametrize(("key", "values", "japanese", "english"), TABLE, ids=[one[0] for one in TABLE])
def test_texts_of_the_error_table(key: str, values: tuple[object, ...], japanese: str, english: str) -> None:
    assert text(Message(key, values), "ja") == japanese
    assert text(Message(key, values), "en") == english


def test_a_message_in_a_message_is_told_in_the_same_language() -> None:
    nested = Message("499-00201", (Message("MSG-00034", ("NORMAL", "x")),))
    assert text(nested, "en") == "Specify search options from (NORMAL).(x)"
    assert text(nested, "ja") == "検索オプションは(NORMAL)から指定してください。(x)"


def test_apply_says_the_menu_and_has_the_spelling_of_the_seed() -> None:
    long = Message("MSG-00008", (8, 30))
    assert text_of_apply(long, "ja", "sample_menu_001") == (
        "文字長エラー (閾値 : 値<=8byte, 値 : 30byte), menu : sample_menu_001"
    )
    assert text_of_apply(long, "en", "m").endswith("Value:30byte), menu : m")
    assert text_of_apply(Message("MSG-00030"), "ja", "m") == "必須項目です。, menu : m"


def braces(pattern: str) -> int:
    return sum(1 for _, field, _, _ in Formatter().parse(pattern) if field is not None)


def test_both_languages_take_the_same_values() -> None:
    # The vendor's own text of this one forgets its words in Japanese.
    assert [key for key, (one, other) in (MESSAGES | RESULTS).items() if braces(one) != braces(other)] == []


def _said(tree: ast.AST) -> set[str]:
    constants = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return {one for one in constants if isinstance(one, str) and (one[:4] == "MSG-" or one[3:5] == "-0")}


def test_there_is_a_text_for_everything_that_is_said() -> None:
    folder = Path(services.__file__).parent
    said = {one for path in folder.rglob("*.py") for one in _said(ast.parse(path.read_text(encoding="utf-8")))}
    assert len(said) > 20
    assert {one for one in said if len(one) == 9} - (MESSAGES | RESULTS).keys() == set()


def _given(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Give the ids of messages that are made in *tree*, with how many values each is given, where that can be seen."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args or not isinstance(node.args[0], ast.Constant):
            continue
        name, values = getattr(node.func, "id", ""), node.args[1:]
        if name == "Message" and values and isinstance(values[0], ast.Tuple):
            values = values[0].elts
        elif name not in ("ItaError", "Message") or (name == "Message" and values):
            continue
        if not any(isinstance(one, ast.Starred) for one in values):
            yield str(node.args[0].value), len(values)


def test_every_text_gets_the_values_that_it_takes() -> None:
    folder = Path(services.__file__).parent
    given = [one for path in folder.rglob("*.py") for one in _given(ast.parse(path.read_text(encoding="utf-8")))]
    assert len(given) > 40
    texts = MESSAGES | RESULTS
    assert [(key, count) for key, count in given if count < braces(texts[key][0])] == []
