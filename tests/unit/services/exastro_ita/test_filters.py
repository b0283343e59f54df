"""Filters: which records are found, and which conditions are none."""

from __future__ import annotations

import time
from typing import Any

import pytest
from exastro_world import World, a_column, a_menu, a_record, a_workspace, a_world, updating
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.core.permissions import NOBODY, SYSTEM
from dispatcher.services.exastro_ita.columns import Kind
from dispatcher.services.exastro_ita.filters import compile_filter
from dispatcher.services.exastro_ita.messages import InvalidRecords, ItaError, Message
from dispatcher.services.hall import Hall

COLUMNS = (
    a_column("name"),
    a_column("size", Kind.INTEGER),
    a_column("rate", Kind.NUMBER),
    a_column("day", Kind.DATE),
    a_column("at", Kind.MOMENT),
    a_column("color", Kind.CHOICE, choices="colors"),
    a_column("colors", Kind.CHOICE, choices="colors", is_many=True),
    a_column("password", Kind.PASSWORD),
    a_column("secret", is_viewed=False),
)
MENU = a_menu(columns=COLUMNS)


class Colors:
    def all(self, _scope: Any) -> dict[str, str]:
        return {"1": "red", "2": "dark red"}


@pytest.fixture
def world(hall: Hall) -> World:
    """Records a to d; of d nothing is known but its name, and it is discarded."""
    workspace = a_workspace(hall.datastore)
    place = (hall.datastore, workspace, "sheet_a")
    at = "2031-06-01T02:00:0{}+00:00"
    a_record(
        *place,
        name="a",
        size=9,
        rate=0.5,
        day="2031/06/01",
        at=at.format(0),
        color="1",
        colors=["1", "2"],
        password="v1:x",
    )
    a_record(*place, name="b", size=10, rate=2, day="2031/06/02", at=at.format(1), color="2", secret="s")
    a_record(*place, name="B c", size=-1, rate=1e3, day="2031/07/01", at=at.format(2), color="2", colors=["2"])
    a_record(*place, name="d", is_discarded=True)
    return a_world(hall, workspace, MENU, lists={"colors": Colors()})


@pytest.mark.parametrize(
    ("body", "names"),
    [
        (None, "a b B c d"),
        ({}, "a b B c d"),
        ({"name": {}}, "a b B c d"),
        ({"name": {"NORMAL": "b"}}, "b"),
        ({"name": {"NORMAL": "%"}}, ""),
        ({"name": {"NORMAL": ""}}, "a b B c d"),
        ({"day": {"NORMAL": ""}}, "a b B c"),
        ({"name": {"LIST": ["a", "d", "x"]}}, "a d"),
        ({"day": {"LIST": ["2031/06/01", None]}}, "a d"),
        ({"nobody_knows": {"LIST": ["x"]}}, "a b B c d"),
        ({"discard": {"NORMAL": "1"}}, "d"),
        ({"discard": {"LIST": ["0"]}, "name": {"NORMAL": "b"}}, "b"),
        ({"size": {"NORMAL": "1"}}, "b B c"),
        ({"size": {"LIST": [9, "10"]}}, "a b"),
        ({"size": {"RANGE": {"START": "0", "END": 10}}}, "a b"),
        ({"size": {"RANGE": {"END": 9}}}, "a B c"),
        ({"rate": {"RANGE": {"START": "0.5", "END": "2.0"}}}, "a b"),
        ({"rate": {"NORMAL": "0.5"}}, "a"),
        ({"day": {"RANGE": {"START": "2031/06/02"}}}, "b B c"),
        ({"at": {"RANGE": {"START": "2031/06/01 11:00:01"}}}, "b B c"),
        ({"at": {"RANGE": {"END": "2031/06/01 11:00"}}}, "a"),
        ({"at": {"NORMAL": "11:00:02"}}, "B c"),
        (
            {"last_update_date_time": {"RANGE": {"START": "2026/03/01", "END": "2026/03/01 21:00:00.000000"}}},
            "a b B c d",
        ),
        ({"last_update_date_time": {"RANGE": {"START": "2026/03/01 21:00:00.000001"}}}, ""),
        ({"color": {"NORMAL": "red"}}, "a b B c"),
        ({"color": {"LIST": ["red"]}}, "a"),
        ({"color": {"NORMAL": "1"}}, ""),
        ({"colors": {"LIST": ["red"]}}, "a"),
        ({"colors": {"LIST": ["blue", "dark red"]}}, "a B c"),
        ({"colors": {"LIST": ["blue", None]}}, "b d"),
        ({"colors": {"LIST": ["blue"]}}, ""),
        ({"colors": {"NORMAL": "dark"}}, "a B c"),
        ({"colors": {"NORMAL": '", "'}}, ""),
        ({"password": {"NORMAL": ""}}, ""),
        ({"secret": {"LIST": ["s"]}}, "b"),
        ({"uuid": {"LIST": ["no id", 5]}}, ""),
    ],
)
def test_records_are_found(world: World, hall: Hall, body: Any, names: str) -> None:
    hall.settings.set("webapi.site_time_zone", "Asia/Tokyo", SYSTEM)
    found = world.parameters(body)
    assert " ".join(one["name"] for one in found) == names
    assert world.queries.count(world.workspace, "sheet_a", body, SYSTEM) == len(found)
    assert all(one["password"] is None and "secret" not in one for one in found)


def test_ids_are_the_same_in_any_letter_case(world: World) -> None:
    key = world.parameters({"name": {"LIST": ["a"]}})[0]["uuid"]
    for said in ({"LIST": [key.upper()]}, {"NORMAL": key.upper()[3:]}, {"LIST": key.upper(), "NORMAL": key}):
        assert [one["name"] for one in world.parameters({"uuid": said})] == ["a"]


@pytest.mark.parametrize(("said", "shown"), [("0.00001", 1e-05), ("1" + "0" * 20, 1e20)])
def test_numbers_are_compared_as_people_write_them(said: str, shown: float) -> None:
    [(_, test)] = compile_filter(MENU, {"rate": {"NORMAL": said}}).tests
    assert test(shown)


@pytest.mark.parametrize(
    ("body", "faults"),
    [
        ({"name": {"normal": "a"}}, {0: {"name": [Message("MSG-00034", ("NORMAL,LIST,RANGE", "normal"))]}}),
        ({"name": {"LIST": []}}, {0: {"name": [Message("MSG-00035", ("[]",))]}}),
        (
            {"x": {"RANGE": {}}, "name": {"LIST": None, "?": 1}},
            {
                0: {"x": [Message("MSG-00035", ("{}",))]},
                1: {"name": [Message("MSG-00035", ("null",))]},
                2: {"name": [Message("MSG-00034", ("NORMAL,LIST,RANGE", "?"))]},
            },
        ),
        ({"size": {"NORMAL": "x"}}, {0: {"size": [Message("MSG-00002", ("int", "x"))]}}),
        ({"rate": {"LIST": ["nan"]}}, {0: {"rate": [Message("MSG-00002", ("float", "nan"))]}}),
        ({"size": {"RANGE": {"START": None}}}, {0: {"size": [Message("MSG-00002", ("int", None))]}}),
        ({"day": {"RANGE": {"END": ""}}}, {0: {"day": [Message("MSG-00002", ("YYYY/MM/DD", ""))]}}),
        (
            {"at": {"RANGE": {"START": "2031-06-01"}}},
            {0: {"at": [Message("MSG-00002", ("YYYY/MM/DD hh:mm:ss", "2031-06-01"))]}},
        ),
    ],
)
def test_what_is_no_condition_is_told(body: Any, faults: Any) -> None:
    with pytest.raises(InvalidRecords) as caught:
        compile_filter(MENU, body)
    assert caught.value.faults == faults


@pytest.mark.parametrize("column", ["name", "color", "uuid", "discard"])
def test_what_has_no_order_has_no_range(column: str) -> None:
    with pytest.raises(ItaError, match=f"499-00101: {column}"):
        compile_filter(MENU, {column: {"RANGE": {"START": "1"}}})


@given(
    st.dictionaries(
        st.sampled_from([column.name for column in MENU.columns]),
        st.dictionaries(
            st.sampled_from(["NORMAL", "LIST", "RANGE"]),
            st.recursive(
                st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
                lambda some: st.lists(some, max_size=3) | st.dictionaries(st.sampled_from(["START", "END"]), some),
                max_leaves=4,
            ),
            max_size=2,
        ),
        max_size=2,
    )
    | st.lists(st.integers(), min_size=1)
)
def test_whatever_is_sent_is_a_filter_or_refused(body: Any) -> None:
    try:
        compile_filter(MENU, body)
        result = ""
    except ItaError as error:
        result = error.result
    assert result in ("", "499-00201", "499-00101", "400-00002")


def test_who_may_not_read_finds_nothing_out(world: World) -> None:
    for ask in (world.queries.filter, world.queries.count):
        with pytest.raises(ItaError, match="401-00001"):
            ask(world.workspace, "sheet_a", {"name": {"?": 1}}, NOBODY)
        with pytest.raises(ItaError, match="499-00002"):
            ask(world.workspace, "sheet_b", {}, SYSTEM)
    with pytest.raises(ItaError, match="401-00001"):
        world.queries.journal(world.workspace, "sheet_a", "x", NOBODY)


def test_another_workspace_sees_none_of_them(world: World, hall: Hall) -> None:
    [found] = world.parameters({"name": {"LIST": ["a"]}})
    other = a_world(hall, a_workspace(hall.datastore, "ws3", hosts=()), MENU)
    assert other.parameters({"uuid": {"LIST": [found["uuid"]]}}) == []
    known = {one: found[one] for one in ("uuid", "last_update_date_time")}
    assert other.faults(updating(known)) == {0: {"": [Message("MSG-00007", (found["uuid"],))]}}


def test_a_filter_takes_time_in_proportion() -> None:
    def cost(count: int) -> float:
        body = {"name": {"LIST": [f"name {number}" for number in range(count)]}}
        begun = time.thread_time()
        [(_, test)] = compile_filter(MENU, body).tests
        assert not any(test("nobody") for _ in range(count))
        return time.thread_time() - begun

    small = min(cost(4_000) for _ in range(3))
    assert min(cost(40_000) for _ in range(3)) < 30 * small
