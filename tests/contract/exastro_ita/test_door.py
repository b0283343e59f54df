"""The door: who is let in where, what answers come in, and how what is refused is told, in both languages."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import requests
from cheap_passwords import cheap_passwords
from exastro_client import HOST, OPERATION, OPERATIONS, AddLogin, Ita, refusal, told
from exastro_world import a_workspace

from dispatcher.core.permissions import SYSTEM, Right
from dispatcher.core.ports import Ports
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.logins import Logins
from dispatcher.services.settings import Settings
from dispatcher.web.app import WebApp

#: Contract section 3.1; the clock of tests stands at 2026-03-01T12:00.
MOMENT = re.compile(r"2026-03-01T12:00:00\.[0-9]{3}Z")


def nobody(answer: requests.Response, message: str = "認証に失敗しました。") -> bool:
    body = answer.json()
    assert MOMENT.fullmatch(body.pop("ts"))
    return answer.status_code == 401 and body == {"data": None, "message": message, "result": "401-00002"}


def test_answers_come_in_the_envelope(ita: Ita) -> None:
    answer = ita.call("GET", f"{OPERATIONS}/filter/count/")
    body = answer.json()
    assert MOMENT.fullmatch(body.pop("ts"))
    assert (answer.status_code, body) == (200, {"data": 0, "message": "SUCCESS", "result": "000-00000"})
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"


def test_every_path_is_found_with_and_without_its_last_slash(ita: Ita) -> None:
    for path in ("info", "info/column", "column", "info/pulldown", "filter", "filter/count", "filter/journal/x"):
        assert ita.get(f"{OPERATIONS}/{path}") == ita.get(f"{OPERATIONS}/{path}/")
    assert ita.get(f"{OPERATIONS}/column/") == ita.get(f"{OPERATIONS}/info/column/")
    assert ita.get(f"{OPERATIONS}/info/search/candidates/operation_name/") == []
    for slash in ("", "/"):
        record = {"type": "Register", "parameter": {**OPERATION, "operation_name": f"op{slash}"}}
        done = ita.post(f"{OPERATIONS}/maintenance/all{slash}", [record])
        assert len(done.pop("IdList")) == 1
        assert done == {"Register": 1, "Update": 0, "Restore": 0, "Discard": 0, "Delete": 0}
        assert ita.get(f"version{slash}") == {"version": "2.7.0", "installed_driver": ["Ansible"]}


def test_menus_of_the_caller_stand_under_their_headings(ita: Ita) -> None:
    groups = ita.get("user/menus/")["menu_groups"]
    assert [group["id"] for group in groups] == sorted(group["id"] for group in groups)
    named = {menu["menu_name_rest"]: (menu["id"], menu["menu_name"]) for group in groups for menu in group["menus"]}
    assert named["operation_list"] == ("10201", "オペレーション一覧")
    assert {"playbook_files", "device_list", "role_menu_link_list", "conductor_class_list"} <= named.keys()


def basic(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_whoever_is_nobody_is_told_so_in_japanese(add: AddLogin) -> None:
    ann = add("ann")
    ann.session.auth = None
    assert nobody(ann.call("GET", "version/"))
    good = basic("ann:pass word")
    for header in ("Basic", "Basic !", "Bearer x", f"Basic {basic('ann')}", f"Basic {good} x", f"Digest {good}", good):
        assert nobody(ann.call("GET", "version/", Authorization=header)), header
    assert nobody(ann.call("GET", "version/", Authorization=f"Basic {basic('ann:wrong')}"))
    assert nobody(ann.call("POST", "nothing", {}))


def test_the_scheme_is_known_in_any_case(add: AddLogin) -> None:
    ann = add("ann")
    ann.session.auth = None
    for scheme in ("Basic", "basic", "BASIC", "bAsIc"):
        told(ann.call("GET", "version/", Authorization=f"{scheme} {basic('ann:pass word')}"))


def test_before_the_first_login_nobody_is_let_in(
    add: AddLogin, datastore: Datastore, ports: Ports, web: WebApp
) -> None:
    new = add("new", first_login_pending=True, language="en")
    assert nobody(new.call("GET", "version/"), "Certification failed.")
    assert nobody(add("shin", first_login_pending=True, language="ja").call("GET", "version/"))
    refused = new.tokens(grant_type="password", username="new", password="pass word")
    assert (refused.status_code, refused.json()) == (
        400,
        {"error": "invalid_grant", "error_description": "Account is not fully set up"},
    )
    Logins(datastore, ports, cheap_passwords()).set_password("new", "own", SYSTEM)
    assert Ita(web, "new", "own").get("version/")["version"] == "2.7.0"


def test_workspaces_that_are_not_there_and_those_of_others_are_alike(
    add: AddLogin, web: WebApp, datastore: Datastore
) -> None:
    a_workspace(datastore, "ws3", hosts=["h3"])
    stranger = add("eve", (Right.READ, "Jobs/Scheduling"))
    for path in ("org9/workspaces/ws2", "org9/workspaces/ws3", "org9/workspaces/none", "none/workspaces/ws2"):
        answer = stranger.call("GET", f"{HOST}/api/{path}/ita/version/")
        body = answer.json()
        body.pop("ts")
        assert (answer.status_code, body) == (
            403,
            {"data": None, "message": "Permission error", "result": "403-00001"},
        )
    japanese = add("yui", (Right.READ, "Jobs/Scheduling"), language="ja")
    assert japanese.call("GET", "version/").json()["message"] == "permission error"


def test_each_workspace_has_its_own_records(ita: Ita, web: WebApp, datastore: Datastore) -> None:
    a_workspace(datastore, "ws2", organization="org8", team="other", hosts=["h3"])
    other = Ita(web, base=f"{HOST}/api/org8/workspaces/ws2/ita")
    ita.post(f"{OPERATIONS}/maintenance/all/", [{"type": "Register", "parameter": OPERATION}])
    assert (ita.get(f"{OPERATIONS}/filter/count/"), other.get(f"{OPERATIONS}/filter/count/")) == (1, 0)
    other.post(f"{OPERATIONS}/maintenance/all/", [{"type": "Register", "parameter": OPERATION}])


#: What is wrong, and how it is told: contract section 3.6. Each is sent by an English and by a Japanese login.
REFUSALS: list[tuple[str, str, Any, int, str, str, str]] = [
    (
        "GET",
        "menu/none/info/",
        None,
        499,
        "499-00002",
        "『メニュー管理』に対象のメニューが存在しません。(menu: none)",
        'The target menu does not exist in "Menu list". (menu: none)',
    ),
    (
        "GET",
        "menu/conductor_class_edit/filter/",
        None,
        499,
        "499-00001",
        "[menu]が不正です。(menu: conductor_class_edit)",
        "[menu] is invalid. (menu: conductor_class_edit)",
    ),
    (
        "POST",
        "menu/operation_list/conductor/execute/",
        {},
        499,
        "499-00001",
        "[menu]が不正です。(menu: operation_list)",
        "[menu] is invalid. (menu: operation_list)",
    ),
    (
        "POST",
        f"{OPERATIONS}/maintenance/all/",
        "[{",
        400,
        "400-00002",
        "リクエストボディのパラメータ(json_format)が不正です",
        "Request-Body Paramater(json_format) is Invalid",
    ),
    (
        "POST",
        "apply/",
        "[]",
        400,
        "400-00002",
        "リクエストボディのパラメータ(json_format)が不正です",
        "Request-Body Paramater(json_format) is Invalid",
    ),
    (
        "POST",
        f"{OPERATIONS}/maintenance/all/",
        [],
        400,
        "400-00003",
        "リクエストボディのパラメータが不正です (Content-Type:application/json)",
        "Request-Body Paramater is Invalid (Content-Type: application/json)",
    ),
    (
        "POST",
        "apply/",
        {},
        499,
        "499-01901",
        "Conductorクラス名が指定されていません。(conductor_class_id:None)",
        "No Conductor Class name is specified. (conductor_class_id:None)",
    ),
    (
        "POST",
        f"{OPERATIONS}/filter/",
        {"operation_name": {"LIKE": "x"}},
        499,
        "499-00201",
        "",
        "",
    ),
    (
        "POST",
        "menu/conductor_list/maintenance/all/",
        [{"type": "Register", "parameter": {}}],
        401,
        "401-00001",
        "対象のメニューに対するアクセス権限がありません。(menu: conductor_list)",
        "You do not have access privileges to the target menu. (menu: conductor_list)",
    ),
    ("GET", "nothing/", None, 404, "404-00001", "", ""),
    ("DELETE", f"{OPERATIONS}/filter/", None, 405, "405-00001", "", ""),
]


def test_what_is_refused_is_told_in_the_language_of_the_login(add: AddLogin) -> None:
    logins = {language: add(language, language=language) for language in ("ja", "en")}
    for method, path, body, status, result, japanese, english in REFUSALS:
        found = {language: refusal(login.call(method, path, body)) for language, login in logins.items()}
        assert {one[:2] for one in found.values()} == {(status, result)}, path
        texts = found["ja"][2], found["en"][2]
        assert texts == (japanese, english) if japanese else texts[0] != texts[1], path


def test_records_that_are_wrong_are_told_in_a_text_that_is_json(add: AddLogin) -> None:
    records = [
        {"type": "Register", "parameter": one} for one in (OPERATION, {"remarks": "x"}, {"a": 1, "b": 2, "c": 3})
    ]
    english = refusal(add("ann").call("POST", f"{OPERATIONS}/maintenance/all/", records))
    assert english[:2] == (499, "499-00201")
    assert isinstance(english[2], str)
    found = json.loads(english[2])
    assert found.keys() == {"1", "2"}
    assert "Individual check" in found["1"]
    japanese = refusal(add("yui", language="ja").call("POST", f"{OPERATIONS}/maintenance/all/", records))
    assert "(個別チェック)" in japanese[2]
    assert json.loads(japanese[2])["1"].keys() == {"(個別チェック)"}


def test_the_menu_is_looked_at_before_the_body(ita: Ita) -> None:
    assert refusal(ita.call("POST", "menu/none/maintenance/all/", "{"))[1] == "499-00002"
    assert refusal(ita.call("POST", "menu/none/filter/", "{"))[1] == "499-00002"


def test_maintenance_mode_stops_changes_and_nothing_else(ita: Ita, datastore: Datastore, ports: Ports) -> None:
    Settings(datastore, ports).set("exastro_ita.maintenance_mode", "on", SYSTEM)
    run = "menu/conductor_confirmation/conductor/x"
    codes = [
        refusal(ita.call(method, path, {}))[:2]
        for method, path in (
            ("POST", "menu/none/maintenance/all/"),
            ("POST", "menu/none/maintenance/"),
            ("PATCH", "menu/none/maintenance/x/"),
            ("POST", "apply/"),
            ("POST", "menu/none/conductor/execute/"),
            ("PATCH", f"{run}/cancel/"),
            ("PATCH", f"{run}/scram/"),
            ("PATCH", f"{run}/node/y/relese/"),
        )
    ]
    assert codes == [
        *[(498, "498-00001")] * 4,
        (498, "498-00006"),
        (498, "498-00007"),
        (498, "498-00008"),
        (498, "498-00009"),
    ]
    assert (
        refusal(ita.call("POST", "apply/", {}))[2] == "メンテナンス中のため、データの登録・更新は行うことができません。"
    )
    ita.get(f"{OPERATIONS}/filter/")


def test_more_records_than_the_limit_are_refused(ita: Ita, datastore: Datastore, ports: Ports) -> None:
    Settings(datastore, ports).set("exastro_ita.max_records", "2", SYSTEM)
    records = [{"type": "Register", "parameter": {**OPERATION, "operation_name": str(one)}} for one in range(3)]
    answer = ita.call("POST", f"{OPERATIONS}/maintenance/all/", records)
    assert refusal(answer) == (499, "499-00223", "一度に操作できるレコード数の上限(2)を超えました。")
    assert ita.post(f"{OPERATIONS}/maintenance/all/", records[:2])["Register"] == 2


def test_one_record_by_itself(ita: Ita) -> None:
    done = ita.post(f"{OPERATIONS}/maintenance/", {"parameter": OPERATION, "file": {}})
    [key] = done["IdList"]
    [found] = ita.post(f"{OPERATIONS}/filter/", {"operation_name": {"NORMAL": "op-77"}})
    changed = {**OPERATION, "remarks": "x", "last_update_date_time": found["parameter"]["last_update_date_time"]}
    # The path says which one, whatever the message has.
    body = {"parameter": {**changed, "operation_id": "other"}}
    assert told(ita.call("PATCH", f"{OPERATIONS}/maintenance/{key}", body))["Update"] == 1
    [found] = ita.get(f"{OPERATIONS}/filter/")
    assert (found["parameter"]["operation_id"], found["parameter"]["remarks"]) == (key, "x")


def test_the_same_key_changes_nothing_twice(ita: Ita) -> None:
    records = [{"type": "Register", "parameter": OPERATION}]
    path, key = f"{OPERATIONS}/maintenance/all/", {"Idempotency-Key": "k-1"}
    first, second = (told(ita.call("POST", path, records, **key)) for _ in range(2))
    assert first == second
    assert ita.get(f"{OPERATIONS}/filter/count/") == 1
    other = ita.call("POST", path, [{"type": "Register", "parameter": {**OPERATION, "operation_name": "z"}}], **key)
    assert refusal(other)[:2] == (409, "409-00001")
