"""Records of Exastro ITA on every database."""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from threading import Barrier
from typing import Any

import pytest
from exastro_world import (
    SAMPLE,
    World,
    a_column,
    a_menu,
    a_scope,
    a_workspace,
    a_world,
    changing,
    registering,
    updating,
)
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from statements import statements

from dispatcher.core.attempts import again
from dispatcher.core.permissions import SYSTEM
from dispatcher.datastore.base import Base
from dispatcher.datastore.exastro_ita import ITA_RECORDS
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.exastro_ita.columns import Kind
from dispatcher.services.exastro_ita.messages import InvalidRecords
from dispatcher.services.exastro_ita.records import Action, Change
from dispatcher.services.hall import Hall

COLUMNS = (
    a_column("name", is_required=True, is_unique=True, max_bytes=255),
    *SAMPLE,
    a_column("size", Kind.INTEGER),
    a_column("at", Kind.MOMENT),
    a_column("rate", Kind.NUMBER, is_unique=True),
)
#: What may stay behind though a request was refused.
KEPT = {"revision"}


@pytest.fixture
def world(hall: Hall) -> World:
    return a_world(hall, a_workspace(hall.datastore), a_menu(columns=COLUMNS))


def everything(datastore: Datastore) -> dict[str, int]:
    """Return how many rows there are of what stays."""
    with datastore.read() as session:
        tables = [table for table in Base.metadata.sorted_tables if table.name not in KEPT]
        return {table.name: session.scalar(select(func.count()).select_from(table)) or 0 for table in tables}


def test_a_record_lives(world: World, datastore: Datastore) -> None:
    text = base64.b64encode(bytes(range(256)) * 9_000).decode()
    empty = everything(datastore)
    sent = {"name": "Ä 🎈 'x' \\ \"", "column_1": None, "column_2": "f", "size": 5, "at": "2031/06/01 02:00:00"}
    [key, other] = world.change(
        registering(**sent) | {"file": {"column_2": text}}, registering(name="ä 🎈 'x' \\ \"")
    ).ids
    found, second = world.find()
    assert {name: found["parameter"][name] for name in sent} == sent
    assert found["file"] == {"column_2": text}
    assert second["parameter"]["name"] == "ä 🎈 'x' \\ \""
    for kind in ("Update", "Discard", "Restore"):
        world.change(updating(world.known(key), kind))
    assert [
        one["parameter"]["journal_action"]
        for one in world.queries.journal(world.workspace, "sheet_a", str(key), SYSTEM)
    ] == [
        "UPDATE",
        "UPDATE",
        "UPDATE",
        "INSERT",
    ]
    world.change(updating(world.known(key), "Delete"), updating(world.known(other), "Delete"))
    left = everything(datastore)
    assert {name for name, count in left.items() if count != empty[name]} == {"audit_entry", "content", "content_chunk"}


def test_numbers_are_as_small_and_large_as_they_were(world: World) -> None:
    sent = ["100000000000000000000", 2**64, 2**63, "-0.00001", -(2.0**63), 5e-324, 1.5e300]
    world.change(*(registering(name=f"n{place}", rate=one) for place, one in enumerate(sent)))
    shown = [one["rate"] for one in world.parameters()]
    assert shown == [float(one) for one in sent]
    faults = world.faults(*(registering(name=f"again {place}", rate=one) for place, one in enumerate(shown)))
    assert {one["rate"][0].id for one in faults.values()} == {"MSG-00025"}
    assert len(faults) == len(sent)
    for one in sent:
        assert len(world.parameters({"rate": {"LIST": [one]}})) == 1


def test_several_records_may_lack_a_unique_value(world: World) -> None:
    world.change(registering(name="a", rate=""), registering(name="b", rate=None), registering(name="c"))
    world.change(registering(name="d", rate=""))
    assert [one["rate"] for one in world.parameters()] == [None] * 4


def test_what_is_refused_leaves_nothing(world: World, datastore: Datastore) -> None:
    [key] = world.change(registering(name="a", column_1="x")).ids
    before = everything(datastore), world.find()
    refused = (
        registering(name="b", column_2="f") | {"file": {"column_2": "YWJj"}},
        updating(world.known(key), column_1="y"),
        registering(name="a"),
    )
    assert [*world.faults(*refused)] == [2]
    assert (everything(datastore), world.find()) == before


def test_of_those_who_register_a_name_at_once_one_does(world: World, datastore: Datastore) -> None:
    rounds, threads = 5, 4
    ready = Barrier(threads)

    def register(number: int) -> str:
        ready.wait(20)
        try:
            world.change(*[registering(name=f"{number} {place}") for place in range(20)])
        except InvalidRecords as error:
            return "".join({one.id for found in error.faults.values() for some in found.values() for one in some})
        return "done"

    with ThreadPoolExecutor(threads) as pool:
        for number in range(rounds):
            done = sorted(pool.map(register, [number] * threads))
            assert done == ["MSG-00025"] * (threads - 1) + ["done"]
    with datastore.read() as session:
        numbers = session.scalars(select(ITA_RECORDS.c.number).order_by(ITA_RECORDS.c.number)).all()
    assert list(numbers) == list(range(1, rounds * 20 + 1))


def test_who_has_not_waited_is_found_out_by_the_database(world: World, datastore: Datastore, hall: Hall) -> None:
    menu = world.menus["sheet_a"]
    one, other = (
        Change(0, Action.REGISTER, hall.ports.new_id(), {"name": "a"}, unique={"name": "a"}) for _ in range(2)
    )
    with changing(datastore, world.workspace) as scope:
        menu.source.write(scope, [one])
    with pytest.raises(IntegrityError), changing(datastore, world.workspace) as scope:
        menu.source.write(scope, [other])
    assert len(world.find()) == 1


def test_of_those_who_change_a_record_at_once_one_does(world: World, clock: Any) -> None:
    [key] = world.change(registering(name="a")).ids
    clock.moment = clock.moment.replace(microsecond=1)
    known, ready = world.known(key), Barrier(3)

    def change(text: str) -> str:
        ready.wait(20)
        try:
            again(partial(world.change, updating(known, column_1=text)))
        except InvalidRecords as error:
            return error.faults[0][""][0].id
        return "done"

    with ThreadPoolExecutor(3) as pool:
        assert sorted(pool.map(change, "xyz")) == ["MSG-00005", "MSG-00005", "done"]


def test_more_records_take_no_more_statements(world: World, datastore: Datastore) -> None:
    def sent(count: int) -> list[str]:
        names = [f"{count} {place}" for place in range(count)]
        file = {"file": {"column_2": base64.b64encode(str(count).encode()).decode()}}
        with statements(datastore) as counted:
            done = world.change(*[registering(name=name, column_2="f") | file for name in names])
            known = world.parameters({"name": {"LIST": names}})
            known = [{one: found[one] for one in ("uuid", "last_update_date_time")} for found in known]
            world.change(*[updating(one, column_1="x", name=f"new {one['uuid']}") for one in known])
            world.change(*[updating(one, "Discard") for one in known])
            world.find()
            world.change(*[updating(one, "Delete") for one in known])
        assert len(done.ids) == count
        return list(counted)

    sent(1)  # settings are read once
    few, many = sent(2), sent(200)
    assert len(few) == len(many), set(many) - set(few)


def test_old_history_goes_with_what_it_keeps(world: World, datastore: Datastore, hall: Hall, clock: Any) -> None:
    sent = [registering(name=str(place), column_2="f") for place in range(60)]
    world.change(*sent, contents={place: {"column_2": b"abc"} for place in range(60)})
    hall.settings.set("exastro_ita.journal_days", "1", SYSTEM)
    clock.turn(timedelta(days=2))
    while hall.retention.sweep():
        clock.turn(timedelta(seconds=1))
    left = everything(datastore)
    assert [left[name] for name in ("ita_journal", "ita_file", "ita_record", "content")] == [0, 60, 60, 1]
    assert hall.resources.clean() == 0
    known = world.parameters()
    world.change(
        *[updating({name: one[name] for name in ("uuid", "last_update_date_time")}, "Delete") for one in known]
    )
    assert hall.resources.clean() == 1


def test_lists_are_read_page_by_page_in_order(
    world: World, datastore: Datastore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dispatcher.services.exastro_ita.rows.PAGE", 3)
    keys = world.change(*[registering(name=str(place)) for place in range(7)]).ids
    source = world.menus["sheet_a"].source
    with datastore.read() as session:
        scope = a_scope(session, world.workspace)
        assert [record.id for record in source.read(scope)] == keys
        assert [record.id for record in source.read(scope, keys[::-1])] == keys
        assert list(source.read(scope, [])) == []
        assert dict(source.taken(scope, "name", ["3", "8"])) == {"3": keys[3]}
