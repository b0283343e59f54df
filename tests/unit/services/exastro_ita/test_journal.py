"""The journal: what records were, how long that stays, and what goes with them."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from exastro_world import SAMPLE, World, a_column, a_menu, a_workspace, a_world, hosts_of, registering, updating
from sqlalchemy import func, select

from dispatcher.core.jobs import WhoChoice, WhoKind
from dispatcher.core.permissions import SYSTEM, Caller, Node, Right, RoleRights
from dispatcher.datastore.exastro_ita import ITA_ANSWERS, ITA_FILES, ITA_JOURNAL
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.exastro_ita.columns import Kind
from dispatcher.services.exastro_ita.suite import build_exastro_ita
from dispatcher.services.hall import Hall
from dispatcher.services.submits import SubmitKey

COLUMNS = (*SAMPLE, a_column("password", Kind.PASSWORD))


@pytest.fixture
def world(hall: Hall) -> World:
    return a_world(hall, a_workspace(hall.datastore), a_menu(columns=COLUMNS))


def count(datastore: Datastore, table: Any) -> int:
    with datastore.read() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def sweep(hall: Hall, clock: Any) -> None:
    """Let the engine remove all that may go."""
    clock.turn(timedelta(minutes=11))
    while hall.retention.sweep():
        clock.turn(timedelta(seconds=1))


def test_what_a_record_was_is_told_the_latest_first(world: World, clock: Any) -> None:
    sent = registering(column_1="a", column_2="f", password="canary")
    [key] = world.change(sent | {"file": {"column_2": "YWJj"}}).ids
    clock.turn(timedelta(seconds=1))
    world.change(updating(world.known(key), column_1="b"), contents={0: {"column_2": b"passed over"}})
    # Two changes at the same moment are told in their order, too.
    world.change(updating(world.known(key), column_2="g"), contents={0: {"column_2": b"xyz"}})
    world.change(updating(world.known(key), "Discard", remarks="gone"))
    found = world.queries.journal(world.workspace, "sheet_a", str(key), SYSTEM)
    told = [[one["parameter"][name] for name in ("journal_action", "column_1", "column_2", "discard")] for one in found]
    assert told == [
        ["UPDATE", "b", "g", "1"],
        ["UPDATE", "b", "g", "0"],
        ["UPDATE", "b", "f", "0"],
        ["INSERT", "a", "f", "0"],
    ]
    contents = [base64.b64decode(one["file"]["column_2"]) for one in found]
    assert contents == [b"xyz", b"xyz", b"abc", b"abc"]
    moments = [one["parameter"]["journal_datetime"] for one in found]
    assert moments == ["2026/03/01 12:00:01.000000"] * 3 + ["2026/03/01 12:00:00.000000"]
    assert len({one["parameter"]["journal_id"] for one in found}) == 4
    assert "canary" not in str(found)
    without = world.queries.journal(world.workspace, "sheet_a", str(key), SYSTEM, with_files=False)
    assert {one["file"]["column_2"] for one in without} == {""}


@pytest.mark.parametrize("key", ["00000000-0000-4000-8000-00000000dead", "no id", ""])
def test_of_no_record_there_is_none(world: World, key: str) -> None:
    world.change(registering(column_1="a"))
    assert world.queries.journal(world.workspace, "sheet_a", key, SYSTEM) == []


def test_who_does_not_see_a_record_does_not_see_what_it_was(hall: Hall, datastore: Datastore) -> None:
    """Nor does anybody where the menu has it no more: a device that has left the team."""
    workspace, ita = a_workspace(datastore), build_exastro_ita(hall)
    known = hosts_of(datastore, workspace)
    devices = [one["parameter"] for one in ita.records.filter(workspace, "device_list", {}, SYSTEM)]
    at = {one["host_name"]: one["last_update_date_time"] for one in devices}
    sent = [
        updating({"managed_system_item_number": str(known[name]), "last_update_date_time": at[name]}, login_user=name)
        for name in known
    ]
    ita.maintenance.change(workspace, "device_list", sent, SYSTEM)
    play = [
        {**registering(playbook_name=name, playbook_file="a.yml"), "file": {"playbook_file": "W10K"}} for name in "ab"
    ]
    plays = ita.maintenance.change(workspace, "playbook_files", play, SYSTEM).ids
    seen: dict[Any, Right] = {(Node.AGENTS, known["h2"]): Right.READ, (Node.MODULES, plays[1]): Right.READ}
    eve = Caller.of("eve", [RoleRights("some", seen)])

    def told(menu: str, key: UUID, caller: Caller) -> int:
        return len(ita.records.journal(workspace, menu, str(key), caller))

    assert [told("device_list", known[name], eve) for name in ("h1", "h2")] == [0, 1]
    assert [told("playbook_files", key, eve) for key in plays] == [0, 1]
    assert [told("device_list", key, SYSTEM) for key in known.values()] == [1, 1]
    assert [told("playbook_files", key, SYSTEM) for key in plays] == [1, 1]
    team = WhoChoice([workspace.team_id], WhoKind.TEAM)
    hall.memberships.take_out(team, [WhoChoice([known["h1"]], WhoKind.AGENT)], SYSTEM)
    assert told("device_list", known["h1"], SYSTEM) == 0


def test_it_goes_with_its_record(world: World, datastore: Datastore) -> None:
    keys = world.change(*[registering(column_2="f") | {"file": {"column_2": "YWJj"}}] * 2).ids
    assert (count(datastore, ITA_JOURNAL), count(datastore, ITA_FILES)) == (2, 4)
    world.change(updating(world.known(keys[0]), "Delete"))
    assert (count(datastore, ITA_JOURNAL), count(datastore, ITA_FILES)) == (1, 2)


def test_the_engine_removes_what_is_older_than_the_setting_says(
    world: World, hall: Hall, datastore: Datastore, clock: Any
) -> None:
    sent = [registering(column_1=str(number), column_2="f") | {"file": {"column_2": "YWJj"}} for number in range(120)]
    key = world.change(*sent, key=SubmitKey.of("k", b"")).ids[0]
    clock.turn(timedelta(days=3))
    sweep(hall, clock)
    assert (count(datastore, ITA_JOURNAL), count(datastore, ITA_ANSWERS)) == (120, 0)
    world.change(updating(world.known(key), column_1="new"))
    hall.settings.set("exastro_ita.journal_days", "2", SYSTEM)
    sweep(hall, clock)
    [left] = world.queries.journal(world.workspace, "sheet_a", str(key), SYSTEM)
    assert (left["parameter"]["column_1"], left["file"]) == ("new", {"column_2": "YWJj"})
    assert (count(datastore, ITA_JOURNAL), count(datastore, ITA_FILES)) == (1, 121)
    assert len(world.find()) == 120
