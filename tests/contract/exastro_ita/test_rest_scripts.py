"""The vendor's REST scripts, request for request, in their order: ``test/rest/*.rest`` of the GitHub repository
exastro-suite/exastro-it-automation at 2.7 (Apache License 2.0).

The editor that they are written for encodes ``Basic user password`` before it sends that, as ``requests`` does here,
and puts what an earlier answer had into the variables in braces; where there is no such answer they stay as they are.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests
from exastro_server import Site

USER = ("test_user", "password")
#: What a role may do: write, and delete.
MAY_DELETE = "メンテナンス可\uff0b削除可"
#: The groups of menus that the scripts look for.
GROUPS = {"discard": {"NORMAL": "0"}, "menu_group_name": {"LIST": ["管理コンソール", "基本コンソール"]}}


@pytest.fixture(scope="module")
def scripts(real_site: Site) -> Site:
    """The workspace that the scripts name."""
    return Site(real_site.server, "org1", "ws1")


def send(site: Site, method: str, path: str, body: Any = None) -> tuple[int, dict[str, Any]]:
    """Send a request of a script; return the status and the answer."""
    given: dict[str, Any] = {}
    if body is not None:
        given = {"data": json.dumps(body).encode(), "headers": {"content-type": "application/json"}}
    answer = requests.request(method, f"{site.base}/{path}", auth=USER, timeout=30, **given)
    return answer.status_code, answer.json()


def ok(site: Site, method: str, path: str, body: Any = None) -> Any:
    status, answer = send(site, method, path, body)
    assert (status, answer["result"]) == (200, "000-00000"), answer
    return answer["data"]


def refused(site: Site, method: str, path: str, body: Any = None) -> tuple[str, Any]:
    """Return the code and the message of a request that is refused, with the status that goes with the code."""
    status, answer = send(site, method, path, body)
    assert status == int(answer["result"].partition("-")[0]), answer
    assert "data" not in answer
    return answer["result"], answer["message"]


def test_menu_filter(scripts: Site) -> None:
    """``api_ita_menu_filter.rest``, with its menu ``menu_list``."""
    everything = ok(scripts, "GET", "menu/menu_list/filter/count/")
    some = ok(scripts, "POST", "menu/menu_list/filter/count/", GROUPS)
    assert 0 < some < everything
    assert len(ok(scripts, "GET", "menu/menu_list/filter/")) == everything
    found = [record["parameter"] for record in ok(scripts, "POST", "menu/menu_list/filter/", GROUPS)]
    assert {one["menu_group_name"] for one in found} <= set(GROUPS["menu_group_name"]["LIST"])
    assert {one["menu_name_rest"] for one in found} >= {"operation_list", "role_menu_link_list", "menu_list"}
    # The record whose id the vendor's first installation has: nobody has changed it.
    assert ok(scripts, "GET", "menu/menu_list/filter/journal/10101/") == []


def test_menu_info(scripts: Site) -> None:
    """``api_ita_menu_info.rest``, with its menu ``menu_list``; its last request is the one before it once more."""
    info = ok(scripts, "GET", "menu/menu_list/info/")
    names = [column["column_name_rest"] for column in info["column_info"].values()]
    assert list(ok(scripts, "GET", "menu/menu_list/info/column/")) == sorted(names)
    first, second = (ok(scripts, "GET", "menu/menu_list/info/pulldown/") for _ in range(2))
    assert first == second
    assert set(first) <= set(names)


def test_menu_maintenance(scripts: Site) -> None:
    """``api_ita_menu_maintenance.rest``, with its menu ``operation_list``."""
    parameter = {"operation_name": "ope1", "scheduled_date_for_execution": "2024/01/01 01:23:45", "remarks": "test"}
    made = ok(scripts, "POST", "menu/operation_list/maintenance/", {"parameter": parameter, "file": {}})
    assert made["Register"] == 1
    # Its id is nobody's: the variable says 111111. There is no slash at the end of the path.
    parameter = {
        "operation_id": "1",
        "operation_name": "ope1",
        "remarks": "test",
        "scheduled_date_for_execution": "2024/01/01 01:23:45",
        "last_update_date_time": "2024/01/01 12:34:56.000000",
    }
    body = {"parameter": parameter, "file": {}}
    code, message = refused(scripts, "PATCH", "menu/operation_list/maintenance/111111", body)
    assert (code, list(json.loads(message))) == ("499-00201", ["0"])
    # With the id and the date of the record it is updated.
    [key] = made["IdList"]
    [record] = ok(scripts, "POST", "menu/operation_list/filter/", {"operation_id": {"LIST": [key]}})
    body["parameter"]["last_update_date_time"] = record["parameter"]["last_update_date_time"]
    assert ok(scripts, "PATCH", f"menu/operation_list/maintenance/{key}", body)["Update"] == 1


def test_menu_maintenance_all(scripts: Site) -> None:
    """``api_ita_menu_maintenance_all.rest``: no slash at the end of ``maintenance/all``."""
    change, find = "menu/operation_list/maintenance/all", "menu/operation_list/filter/?file=no"
    parameter = {"operation_name": "ope2", "remarks": "test", "scheduled_date_for_execution": "2024/01/01 01:23:45"}
    assert ok(scripts, "POST", change, [{"parameter": parameter, "file": {}, "type": "Register"}])["Register"] == 1
    terms = {"discard": {"NORMAL": "0"}, "operation_name": {"NORMAL": "ope2"}}
    [record] = ok(scripts, "POST", find, terms)
    got = record["parameter"]
    assert got["scheduled_date_for_execution"] == "2024/01/01 01:23:45"

    # The line that renames it.
    parameter = {
        "operation_id": got["operation_id"],
        "operation_name": "ope2-rename-2",
        "remarks": "test",
        "scheduled_date_for_execution": "2024/01/01 01:23:45",
        "last_update_date_time": got["last_update_date_time"],
    }
    assert ok(scripts, "POST", change, [{"parameter": parameter, "file": {}, "type": "Update"}])["Update"] == 1

    # The line that deletes it has no date: by the source that is MSG-00028 (contract section 3.4).
    delete = [{"parameter": {"operation_id": got["operation_id"]}, "file": {}, "type": "Delete"}]
    code, message = refused(scripts, "POST", change, delete)
    assert code == "499-00201"
    [texts] = json.loads(message)["0"].values()
    assert "最終更新日時が不正です" in texts[0]
    [record] = ok(scripts, "POST", find, terms)
    delete[0]["parameter"]["last_update_date_time"] = record["parameter"]["last_update_date_time"]
    assert ok(scripts, "POST", change, delete)["Delete"] == 1


def test_privileges_in_the_same_script(scripts: Site) -> None:
    """What ``api_ita_menu_maintenance_all.rest`` does with ``role_menu_link_list`` and ``menu_table_link_list``.

    The vendor's first installation has records there that no workspace here begins with.
    """
    find, change = "menu/role_menu_link_list/filter/?file=no", "menu/role_menu_link_list/maintenance/all"
    assert ok(scripts, "POST", find, {"menu_name": {"LIST": ["基本コンソール:オペレーション一覧"]}}) == []
    parameter = {
        "uuid": "10201",
        "role_name": "_ws1-admin",
        "menu_name": "基本コンソール:オペレーション一覧",
        "associate": MAY_DELETE,
        "remarks": None,
        "last_update_date_time": "{{ludt_opelist}}",
    }
    code, message = refused(scripts, "POST", change, [{"parameter": parameter, "file": {}, "type": "Update"}])
    assert (code, list(json.loads(message))) == ("499-00201", ["0"])

    assert ok(scripts, "POST", find, {"menu_name": {"LIST": ["基本コンソール:メニュー-テーブル紐付管理"]}}) == []
    parameter = {
        "discard": "0",
        "uuid": "10203",
        "associate": MAY_DELETE,
        "last_update_date_time": "{{ludt_menu_table_link}}",
    }
    code, _ = refused(scripts, "POST", change, [{"parameter": parameter, "file": {}, "type": "Update"}])
    assert code == "499-00201"

    # A menu that there is none of here: which menus may be deleted from is fixed.
    find, change = "menu/menu_table_link_list/filter/?file=no", "menu/menu_table_link_list/maintenance/all"
    terms = {"menu_name": {"LIST": ["基本コンソール:オペレーション一覧"]}}
    assert refused(scripts, "POST", find, terms)[0] == "499-00002"
    parameter = {
        "discard": "0",
        "uuid": "10201",
        "row_delete_flag": "True",
        "last_update_date_time": "{{ludt_menu_table_link}}",
    }
    assert refused(scripts, "POST", change, [{"parameter": parameter, "file": {}, "type": "Update"}])[0] == "499-00002"
