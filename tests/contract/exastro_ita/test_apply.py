"""Apply and conductor/execute: the cases of the manual's section 3.3, and what comes of them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from exastro_client import Ita, refusal, told
from exastro_manual import (
    EXECUTE,
    EXISTING,
    GOLDEN,
    SHEETS,
    a_row,
    an_order,
    change,
    records,
)
from job_world import work_off

from dispatcher.core.permissions import SYSTEM
from dispatcher.core.states import State
from dispatcher.services.hall import Hall


def state_of(site: Ita, run: str) -> dict[str, Any]:
    return dict(site.get(f"menu/conductor_confirmation/conductor/{run}/")["conductor"])


def hosts_of(hall: Hall, run: str) -> list[str]:
    return [who.name for who in hall.jobs.get(UUID(run), SYSTEM).who]


def of_manual(number: int) -> str:
    return (GOLDEN / f"apply-{number}.json").read_text("utf-8")


@pytest.mark.parametrize(
    ("number", "hosts", "is_new"),
    [
        (1, ["sample_host2"], False),
        (2, ["sample_host2"], False),
        (3, ["sample_host1", "sample_host2"], False),
        (4, ["sample_host1"], True),
        (5, ["sample_host1"], True),
        (6, ["sample_host1", "sample_host2"], True),
        (7, ["sample_host1", "sample_host2"], True),
    ],
)
def test_the_cases_of_the_manual(manual: Ita, hall: Hall, number: int, hosts: list[str], *, is_new: bool) -> None:
    sent = json.loads(of_manual(number))
    before = records(manual, "operation_list")
    run = manual.post("apply/", of_manual(number))["conductor_instance_id"]
    state = state_of(manual, run)
    name = state["operation_name"]
    assert (hosts_of(hall, run), state["conductor_name"]) == (hosts, sent["conductor_class_name"])
    new = [
        one
        for one in records(manual, "operation_list")
        if one["operation_id"] not in [old["operation_id"] for old in before]
    ]
    assert [one["operation_name"] for one in new] == ([name] if is_new else [])
    # A new one is planned for this moment; the clock of tests stands.
    assert {one["scheduled_date_for_execution"] for one in new} <= {"2026/03/01 12:00:00"}
    assert name == sent.get("operation_name") or re.fullmatch(r"20260301120000000000[0-9]", name)
    asked = [
        (menu, one["parameter"]["host_name"], one["parameter"].get("operation_name_select", f"2026/03/01 12:00_{name}"))
        for part in sent.get("parameter_info", ())
        for menu, some in part.items()
        for one in some
    ]
    stored = [
        (menu, one["host_name"], one["operation_name_select"]) for menu in SHEETS for one in records(manual, menu)
    ]
    assert stored[1:] == asked
    is_booked = bool(sent.get("schedule_date"))
    assert state["status_id"] == ("2" if is_booked else "3")
    assert state["time_book"] == ("2024/12/31 23:59:00" if is_booked else None)


def test_a_sub_conductor_runs_for_its_own_operation(
    manual: Ita, hall: Hall, enrol: Callable[..., UUID], clock: Any
) -> None:
    """Section 3.3.7: the step asks for ``sample_operation``, whose records are for other hosts here."""
    agents = {name: enrol(name) for name in ("sample_host1", "sample_host2")}
    order = json.loads(of_manual(7))
    order["parameter_info"][0]["sample_menu_001"].pop()
    order["parameter_info"][1]["sample_menu_002"].pop(0)
    run = manual.post("apply/", order)["conductor_instance_id"]
    assert hosts_of(hall, run) == ["sample_host1"]
    done = [(name, len(work_off(hall, key, clock()))) for name, key in agents.items()]
    assert done == [("sample_host1", 1), ("sample_host2", 1)]
    assert state_of(manual, run)["status"] == "正常終了"


def test_a_reservation_waits_for_its_date(manual: Ita, hall: Hall, clock: Any) -> None:
    body = {"conductor_class_name": "sample_conductor", "operation_name": "sample_operation"}
    run = manual.post("apply/", {**body, "schedule_date": "2026/03/01 12:30:15"})["conductor_instance_id"]
    assert (state_of(manual, run)["status"], state_of(manual, run)["time_book"]) == (
        "未実行(予約)",
        "2026/03/01 12:30:15",
    )
    clock.turn(timedelta(minutes=30, seconds=14))
    hall.clockwork.activate_due()
    assert hall.jobs.get(UUID(run), SYSTEM).state is State.SCHEDULED
    clock.turn(timedelta(seconds=1))
    hall.clockwork.activate_due()
    assert state_of(manual, run)["status"] == "実行中"
    assert records(manual, "operation_list")[0]["last_run_date"] == "2026/03/01 12:30:15"


def test_agents_hear_of_it_when_it_is_stored(manual: Ita, wakeup: Any) -> None:
    assert refusal(manual.call("POST", "apply/", an_order(conductor_class_name="none")))[1] == "499-00804"
    assert wakeup.agent_ids == []
    manual.post("apply/", an_order(operation_name="new"))
    assert len(wakeup.agent_ids) == 1


def test_records_are_updated_discarded_and_restored_without_the_moment_of_their_last_change(manual: Ita) -> None:
    [row] = records(manual, SHEETS[0])
    key = {"uuid": row["uuid"]}
    changes = [
        {"type": "Update", "parameter": {**key, "column_1": "second"}},
        {"type": "Update", "parameter": {**key, "column_1": "third", "last_update_date_time": None}},
        {"type": "Register", "parameter": a_row(operation_name_select=EXISTING)},
    ]
    manual.post("apply/", an_order({SHEETS[0]: changes}, operation_name="sample_operation"))
    assert [one["column_1"] for one in records(manual, SHEETS[0])] == ["third", "value"]
    for kind, discard in (("Discard", "1"), ("Restore", "0")):
        manual.post(
            "apply/", an_order({SHEETS[0]: {"type": kind, "parameter": key}}, operation_name="sample_operation")
        )
        assert records(manual, SHEETS[0])[0]["discard"] == discard
    old = {
        "type": "Update",
        "parameter": {**key, "last_update_date_time": row["last_update_date_time"].replace("2026", "2025")},
    }
    status, result, message = refusal(
        manual.call("POST", "apply/", an_order({SHEETS[0]: old}, operation_name="sample_operation"))
    )
    assert (status, result, list(message["0"])) == (499, "499-00201", ["(個別チェック)"])


def test_a_new_operation_is_filled_in_only_where_none_is_named(manual: Ita) -> None:
    rows = [
        a_row(),
        a_row(operation_name_select=EXISTING),
        a_row("sample_host2", operation_name_select=""),
    ]
    nulled = {"type": "Register", "parameter": {**a_row(), "operation_name_select": None}}
    info = {SHEETS[1]: [{"type": "Register", "parameter": row} for row in rows], SHEETS[0]: nulled}
    manual.post("apply/", an_order(info, operation_name="n"))
    mine = "2026/03/01 12:00_n"
    assert [one["operation_name_select"] for one in records(manual, SHEETS[1])] == [mine, EXISTING, mine]
    assert records(manual, SHEETS[0])[-1]["operation_name_select"] == mine


@pytest.mark.parametrize(("sent", "name"), [(7, "7"), (True, "True")])
def test_what_can_be_written_as_a_text_is_a_name(site: Ita, sent: object, name: str) -> None:
    run = site.post("apply/", an_order(operation_name=sent))["conductor_instance_id"]
    assert [one["operation_name"] for one in records(site, "operation_list")] == [name]
    assert state_of(site, run)["operation_name"] == name
    site.post("apply/", {"conductor_class_name": "sample_conductor", "operation_name": sent})


def test_all_kinds_of_records_may_be_applied(site: Ita, hall: Hall) -> None:
    """A host, a group with it, the link of both for the operation, parameters for it, and a regular execution."""
    device = {"host_name": "h9", "hw_device_type": "SV", "ip_address": "127.0.0.9", "connection_type": "machine"}
    login = {"authentication_method": "パスワード認証", "login_user": "root", "login_password": "secret"}
    regular = {"conductor_name": "sample_conductor", "start_date": "2031/06/01 02:00", "period": "日", "interval": 1}
    parts: list[tuple[str, dict[str, Any]]] = [
        ("device_list", {**device, **login}),
        ("hostgroup_management", {"hostgroup_name": "g"}),
        ("host_link_list", {"hostgroup_name": "g", "hostname": "h9"}),
        (SHEETS[0], a_row("h9")),
        ("conductor_regularly_execution", {**regular, "time": "02:00:00"}),
    ]
    order = an_order(*({menu: {"type": "Register", "parameter": one}} for menu, one in parts), operation_name="new")
    run = site.post("apply/", order)["conductor_instance_id"]
    assert hosts_of(hall, run) == ["h9"]
    assert [one["operation"] for one in records(site, "host_link_list")] == ["new"]
    assert [one["operation_name"] for one in records(site, "conductor_regularly_execution")] == ["new"]


def test_automatic_names_take_the_next_free_digit(manual: Ita, clock: Any) -> None:
    for _ in range(11):
        manual.post("apply/", an_order())
    names = sorted(one["operation_name"] for one in records(manual, "operation_list"))
    assert names[:-1] == [f"20260301120000000000{digit}" for digit in range(10)] + ["202603011200000000010"]


def test_one_key_stands_for_one_run(manual: Ita) -> None:
    key = {"Idempotency-Key": "7"}
    first, again = (told(manual.call("POST", "apply/", an_order(operation_name="n"), **key)) for _ in range(2))
    assert first == again
    other = refusal(manual.call("POST", "apply/", an_order(operation_name="other"), **key))
    assert other[:2] == (409, "409-00001")
    assert len(records(manual, "conductor_list")) == 1


def test_execute_runs_a_conductor_for_an_operation(manual: Ita, hall: Hall) -> None:
    names = {"conductor_class_name": "sample_conductor", "operation_name": "sample_operation", "schedule_date": ""}
    run = manual.post(EXECUTE, names)["conductor_instance_id"]
    assert (hosts_of(hall, run), state_of(manual, run)["status_id"]) == (["sample_host2"], "3")
    [operation] = records(manual, "operation_list")
    [conductor] = [
        one for one in records(manual, "conductor_class_list") if one["conductor_name"] == "sample_conductor"
    ]
    ids = {"conductor_class_id": conductor["conductor_class_id"], "operation_id": operation["operation_id"]}
    run = manual.post(EXECUTE, {**ids, "schedule_date": "2031/06/01 02:00"})["conductor_instance_id"]
    assert (state_of(manual, run)["status_id"], state_of(manual, run)["time_book"]) == ("2", "2031/06/01 02:00:00")


def test_the_last_moment_of_the_calendar_is_taken_and_told_in_every_zone(manual: Ita, hall: Hall) -> None:
    last = "9999/12/31 23:59:59"
    for number, zone in enumerate(("UTC", "Asia/Tokyo", "Pacific/Honolulu", "Asia/Tokyo"), 1):
        hall.settings.set("webapi.site_time_zone", zone, SYSTEM)
        name = f"last {number}"
        change(manual, "operation_list", parameter={"operation_name": name, "scheduled_date_for_execution": last})
        row = a_row(operation_name_select=f"9999/12/31 23:59_{name}")
        part = {SHEETS[0]: {"type": "Register", "parameter": row}}
        order = an_order(part, operation_name=name, schedule_date=last)
        run = manual.post("apply/", order)["conductor_instance_id"]
        assert state_of(manual, run)["time_book"] == last
        assert records(manual, "operation_list")[-1]["scheduled_date_for_execution"] == last
        assert records(manual, SHEETS[0])[-1]["operation_date"] == last
        booked = {one["conductor_instance_id"]: one["time_book"] for one in records(manual, "conductor_list")}
        assert (len(booked), booked[run]) == (number, last)
        pulldown = manual.get(f"menu/{SHEETS[0]}/info/pulldown/")["operation_name_select"].values()
        assert f"9999/12/31 23:59_{name}" in pulldown
