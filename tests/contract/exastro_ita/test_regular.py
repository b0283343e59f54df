"""The menu ``conductor_regularly_execution`` as clients see it: registered, refused in both languages, applied."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from cheap_passwords import cheap_passwords
from exastro_client import Ita, refusal

from dispatcher.core.permissions import SYSTEM
from dispatcher.core.ports import Ports
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.hall import Hall
from dispatcher.services.logins import Logins
from dispatcher.web.app import WebApp

MENU = "menu/conductor_regularly_execution"
LIBRARY = """
menus:
  - {name: sheet_a, columns: [{name: column_1}]}
modules:
  - {name: Say, tasks: [{type: command, name: s, settings: {command: ls}}]}
runbooks:
  - {name: Nightly, steps: [{name: one, module: Say, who: [{ask: true}]}]}
"""
REGULAR = {
    "conductor_name": "Nightly",
    "operation_name": "op-1",
    "start_date": "2026/03/01 12:30:00",
    "period": "日",
    "interval": "1",
    "time": "02:00:00",
}


@pytest.fixture
def ita(ita: Ita, load_library: Callable[[str], None]) -> Ita:
    load_library(LIBRARY)
    operation = {"operation_name": "op-1", "scheduled_date_for_execution": "2031/06/01 02:00"}
    row = {"host_name": "h1", "operation_name_select": "2031/06/01 02:00_op-1", "column_1": "x"}
    for menu, parameter in (("operation_list", operation), ("sheet_a", row)):
        ita.post(f"menu/{menu}/maintenance/all/", [{"type": "Register", "parameter": parameter}])
    return ita


def change(ita: Ita, kind: str, **parameter: Any) -> Any:
    return ita.post(f"{MENU}/maintenance/all/", [{"type": kind, "parameter": parameter}])


def record(ita: Ita) -> dict[str, Any]:
    [found] = ita.post(f"{MENU}/filter/", {})
    return dict(found["parameter"])


def known(shown: dict[str, Any]) -> dict[str, Any]:
    return {name: shown[name] for name in ("regularly_id", "last_update_date_time")}


def test_it_goes_through_all_that_a_record_can(ita: Ita, hall: Hall, clock: Any) -> None:
    [key] = change(ita, "Register", **REGULAR, remarks="every night")["IdList"]
    shown = record(ita)
    assert {name: shown[name] for name in REGULAR} == {**REGULAR, "interval": 1}
    assert (shown["regularly_id"], shown["status"], shown["next_execution_date"]) == (
        key,
        "稼働中",
        "2026/03/02 02:00:00",
    )
    changes = {"period": "月(曜日指定)", "week_number": "最終", "day_of_week": '["金曜日"]'}
    change(ita, "Update", **known(shown), **changes)
    shown = record(ita)
    assert {name: shown[name] for name in changes} == changes
    assert shown["next_execution_date"] == "2026/03/27 02:00:00"

    clock.turn(timedelta(minutes=1))
    change(ita, "Discard", **known(shown))
    assert record(ita)["discard"] == "1"
    clock.turn(timedelta(days=30))
    assert hall.occurrences.fire_due()
    assert ita.get("menu/conductor_list/filter/count/") == 0
    change(ita, "Restore", **known(record(ita)))
    shown = record(ita)
    assert (shown["discard"], shown["next_execution_date"]) == ("0", "2026/04/24 02:00:00")
    assert len(ita.get(f"{MENU}/filter/journal/{key}/")) == 4
    change(ita, "Delete", **known(shown))
    assert ita.get(f"{MENU}/filter/") == []


def test_dates_are_those_of_the_clocks_of_the_site(ita: Ita, hall: Hall) -> None:
    hall.settings.set("webapi.site_time_zone", "Asia/Tokyo", SYSTEM)
    [key] = change(ita, "Register", **{**REGULAR, "start_date": "2026/03/01 22:00:00", "interval": "2"})["IdList"]
    shown = record(ita)
    assert (shown["start_date"], shown["time"]) == ("2026/03/01 22:00:00", "02:00:00")
    assert shown["next_execution_date"] == "2026/03/03 02:00:00"
    due = hall.schedules.get(UUID(key), SYSTEM).next_due_at
    assert due is not None
    assert due.isoformat() == "2026-03-02T17:00:00+00:00"


def test_choices_are_those_of_the_vendor(ita: Ita) -> None:
    found = ita.get(f"{MENU}/info/pulldown/")
    assert list(found["period"].values()) == ["時", "日", "週", "月(日付指定)", "月(曜日指定)", "月末", "分"]
    assert found["week_number"] == {"1": "第一", "2": "第二", "3": "第三", "4": "第四", "5": "最終"}
    assert [*found["status"]] == [str(number) for number in range(1, 9)]
    assert [*found["conductor_name"].values()] == ["Nightly"]
    assert [*found["operation_name"].values()] == ["op-1"]


@pytest.mark.parametrize(
    ("values", "japanese", "english"),
    [
        (
            {"end_date": "2026/03/01 12:30:00"},
            "開始日付と終了日付は違う値を入力する必要があります",
            "Start date and end date must be different",
        ),
        (
            {"period": "月(日付指定)", "day": "32", "time": "2:00"},
            "日の値が不正です(1\uff5e31までの半角数字のみ有効)\n時間の値が不正です(hh:mm:ss形式の正式な時間のみ有効)",
            "Invalid day value(Only half-width numbers from 1 to 31 are valid)\n"
            "Invalid time value(Valid only for official time in 'hh: mm: ss' format)",
        ),
        (
            {"period": "分", "week_number": "第一", "interval": "0"},
            "間隔の値が不正です(1\uff5e99までの半角数字のみ有効)\n入力不要の項目です(週番号,時間)",
            "Invalid interval value(Only single-byte numbers from 1 to 99 are valid)\n"
            "Items that do not require input (Week number,Time)",
        ),
    ],
)
def test_what_cannot_be_is_told_in_both_languages(
    ita: Ita,
    web: WebApp,
    datastore: Datastore,
    ports: Ports,
    values: dict[str, str],
    japanese: str,
    english: str,
) -> None:
    logins = Logins(datastore, ports, cheap_passwords())
    for name in ("ja", "en"):
        logins.add(name, name, SYSTEM, roles=["Full Access"], language=name)
    for language, place, text in (("ja", "(個別チェック)", japanese), ("en", "Individual check", english)):
        client = Ita(web, language, language)
        said = {**REGULAR, **values}
        if language == "en":
            said |= {name: translated(client, name, said[name]) for name in ("period", "week_number") if name in said}
        body = [{"type": "Register", "parameter": said}]
        status, result, message = refusal(client.call("POST", f"{MENU}/maintenance/all/", body))
        assert (status, result) == (499, "499-00201")
        assert json.loads(message) == {"0": {place: text.split("\n")}}
        assert client.get(f"{MENU}/filter/count/") == 0


def translated(client: Ita, column: str, text: str) -> str:
    """Return the English word for a choice."""
    words = {"月(日付指定)": "Month(Specify day)", "分": "Minutes", "日": "Day", "第一": "First"}
    assert words[text] in client.get(f"{MENU}/info/pulldown/")[column].values()
    return words[text]


def test_apply_names_the_new_operation(ita: Ita) -> None:
    """``conductor_regularly_execution.operation_name`` is filled with it (contract section 3.5)."""
    row = {"host_name": "h1", "column_1": "y"}
    regular = {name: value for name, value in REGULAR.items() if name != "operation_name"}
    info = [
        {"sheet_a": [{"type": "Register", "parameter": row}]},
        {"conductor_regularly_execution": {"type": "Register", "parameter": regular}},
    ]
    ita.post("apply/", {"conductor_class_name": "Nightly", "operation_name": "new", "parameter_info": info})
    assert record(ita)["operation_name"] == "new"
