"""Maintenance: what becomes of records, what is refused, and that nothing is stored then."""

from __future__ import annotations

import base64
import itertools
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from exastro_world import SAMPLE, World, a_column, a_menu, a_workspace, a_world, registering, updating
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dispatcher.core.errors import Forbidden, KeyReused
from dispatcher.core.permissions import NOBODY, SYSTEM
from dispatcher.datastore.exastro_ita import ITA_RECORDS
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.audit import Audit
from dispatcher.services.exastro_ita.columns import Kind
from dispatcher.services.exastro_ita.messages import InvalidRecords, ItaError, Message
from dispatcher.services.exastro_ita.records import Action
from dispatcher.services.exastro_ita.rows import Rows
from dispatcher.services.hall import Hall
from dispatcher.services.submits import SubmitKey

COLUMNS = (
    a_column("name", is_required=True, is_unique=True, max_bytes=20),
    *SAMPLE,
    a_column("password", Kind.PASSWORD),
    a_column("hidden", input="2"),
)
TEXT = base64.b64encode(b"abc").decode()
NO_ID = "00000000-0000-4000-8000-00000000dead"


@pytest.fixture
def world(hall: Hall) -> World:
    return a_world(hall, a_workspace(hall.datastore), a_menu(columns=COLUMNS))


def only(faults: dict[int, dict[str, list[Message]]]) -> tuple[str, str, tuple[object, ...]]:
    """Return the only fault: where it stands, and what it says."""
    [(_, found)] = faults.items()
    [(column, [message])] = found.items()
    return column, message.id, message.values


def test_a_record_lives(world: World, clock: Any) -> None:
    done = world.change(registering(name="a", column_1="x", uuid=NO_ID, hidden="h", last_updated_user="eve"))
    [key] = done.ids
    assert (done.counts, str(key) != NO_ID) == ({Action.REGISTER: 1}, True)
    assert [world.parameters()[0][one] for one in ("name", "column_1", "hidden", "last_updated_user")] == [
        "a",
        "x",
        None,
        "system",
    ]
    for kind, counted, discard, sent in (
        ("Update", Action.UPDATE, "0", {"column_1": "y", "remarks": "r"}),
        ("Discard", Action.DISCARD, "1", {"column_1": "passed over", "remarks": "gone"}),
        ("Restore", Action.RESTORE, "0", {}),
        ("Update", Action.DISCARD, "1", {"discard": "1"}),
        ("Update", Action.RESTORE, "0", {"discard": "0"}),
    ):
        clock.turn(timedelta(seconds=1))
        done = world.change(updating(world.known(key), kind, **sent))
        [found] = world.parameters()
        assert (done.counts, done.ids, found["discard"]) == ({counted: 1}, [key], discard)
    assert (found["column_1"], found["remarks"]) == ("y", "gone")
    assert world.change(updating(world.known(key), "Delete")).counts == {Action.DELETE: 1}
    assert world.parameters() == []


def test_without_a_type_the_key_decides(world: World) -> None:
    [key] = world.change({"parameter": {"name": "a", "uuid": ""}}).ids
    assert world.change({"parameter": {**world.known(key), "column_1": "y"}}).counts == {Action.UPDATE: 1}


@pytest.mark.parametrize(
    ("sent", "column", "message", "values"),
    [
        ({"type": "register", "parameter": {}}, "", "MSG-00027", ("register",)),
        ({"type": None, "parameter": {}}, "", "MSG-00027", (None,)),
        (updating({"uuid": NO_ID}), "", "MSG-00007", (NO_ID,)),
        (updating({}), "", "MSG-00007", ("",)),
        (updating({"uuid": 5}), "", "MSG-00007", (5,)),
        (registering(), "", "MSG-00024", ("['name']",)),
        (registering(column_1="x"), "name", "MSG-00030", ()),
        (registering(name=""), "name", "MSG-00030", ()),
        (registering(name="b", what=1, ever=2), "", "MSG-00029", ("what,ever",)),
        (registering(name="b", column_1="ä" * 5), "column_1", "MSG-00008", (8, 10)),
        (registering(name="taken"), "name", "MSG-00025", ("{key}", "taken")),
        (registering(name="b", column_2="f"), "column_2", "MSG-00012", ("f",)),
        (registering(name="b", column_2="f") | {"file": {"column_2": "YWJ"}}, "column_2", "MSG-00011", ()),
        (registering(name="b", column_2="a/b") | {"file": {"column_2": TEXT}}, "column_2", "MSG-00009", None),
    ],
)
def test_what_is_wrong_with_one_record(
    world: World, sent: dict[str, Any], column: str, message: str, values: tuple[object, ...] | None
) -> None:
    [key] = world.change(registering(name="taken")).ids
    found = only(world.faults(sent))
    assert found[:2] == (column, message)
    if values is not None:
        assert found[2] == tuple(str(key) if one == "{key}" else one for one in values)
    assert len(world.parameters()) == 1


@pytest.mark.parametrize("kind", ["Update", "Discard", "Restore", "Delete"])
def test_the_moment_of_the_last_change_is_asked_for(world: World, kind: str, clock: Any) -> None:
    [key] = world.change(registering(name="a")).ids
    known = world.known(key)
    moment = known.pop("last_update_date_time")
    for sent, message in (
        ({}, Message("MSG-00028", (None,))),
        ({"last_update_date_time": "2026-03-01"}, Message("MSG-00028", ("2026/03/01",))),
        ({"last_update_date_time": 7}, Message("MSG-00028", (7,))),
        ({"last_update_date_time": "2026/03/01 12:00:00.000001"}, Message("MSG-00005", (str(key),))),
    ):
        assert world.faults(updating(known, kind, **sent)) == {0: {"": [message]}}
    world.change(updating(known, kind, last_update_date_time=moment.replace("/", "-")))


@pytest.mark.parametrize("kind", ["Update", "Discard", "Restore"])
@pytest.mark.parametrize("said", ["", "x", "1"])
def test_a_discarded_record_only_comes_back(world: World, kind: str, said: str) -> None:
    [key] = world.change(registering(name="a", column_1="x")).ids
    world.change(updating(world.known(key), "Discard"))
    faults = world.faults(updating(world.known(key), kind, discard=said, column_1="y"))
    assert only(faults) == ("", "MSG-00023", (str(key),))
    assert world.change(updating(world.known(key), kind, discard="0")).counts == {Action.RESTORE: 1}


def test_the_moment_is_by_the_clocks_of_the_site(world: World, hall: Hall) -> None:
    hall.settings.set("webapi.site_time_zone", "Asia/Tokyo", SYSTEM)
    [key] = world.change(registering(name="a")).ids
    assert world.known(key)["last_update_date_time"] == "2026/03/01 21:00:00.000000"
    world.change(updating(world.known(key), column_1="y"))


def test_a_discarded_record_is_not_changed(world: World) -> None:
    [key] = world.change(registering(name="a")).ids
    world.change(updating(world.known(key), "Discard"))
    refused = {0: {"": [Message("MSG-00023", (str(key),))]}}
    assert world.faults(updating(world.known(key), column_1="y")) == refused
    assert world.faults(updating(world.known(key), "Discard")) == refused
    assert world.faults(updating(world.known(key), discard="1")) == refused


def test_all_faults_of_all_records_are_told_and_nothing_is_stored(world: World) -> None:
    faults = world.faults(
        registering(name="a"),
        registering(name="b", column_1="far too long"),
        registering(name="c", x=1, column_1="far too long"),
        {"type": "?", "parameter": {}},
    )
    assert {
        index: {column: [one.id for one in some] for column, some in found.items()} for index, found in faults.items()
    } == {
        1: {"column_1": ["MSG-00008"]},
        2: {"": ["MSG-00029"], "column_1": ["MSG-00008"]},
        3: {"": ["MSG-00027"]},
    }
    assert world.parameters() == []


def test_each_record_sees_those_before_it(world: World) -> None:
    first, second = world.change(registering(name="a"), registering(name="b")).ids
    # What a gives up is free for a new record, and what b takes is not.
    done = world.change(
        updating(world.known(first), name="c"),
        registering(name="a"),
        updating(world.known(second), "Discard"),
        registering(name="b"),
        registering(name="d"),
    )
    assert [done.counts[one] for one in (Action.UPDATE, Action.REGISTER, Action.DISCARD)] == [1, 3, 1]
    faults = world.faults(registering(name="e"), registering(name="e"), updating(world.known(second), "Restore"))
    assert {index: [*found] for index, found in faults.items()} == {1: ["name"], 2: ["name"]}
    assert faults[2]["name"][0].id == "MSG-00025"
    # A record that is refused does not stand in the way of the next one.
    assert [*world.faults(registering(name="f", column_1="far too long"), registering(name="f"))] == [0]


def test_what_is_brought_back_is_judged_again(hall: Hall) -> None:
    class Colors:
        colors = {"1": "red", "2": "blue"}

        def all(self, _scope: Any) -> dict[str, str]:
            return self.colors

    columns = (a_column("name", is_required=True), a_column("color", Kind.CHOICE, choices="colors"))
    world = a_world(hall, a_workspace(hall.datastore), a_menu(columns=columns), lists={"colors": Colors()})
    keys = world.change(registering(name="a", color="red"), registering(name="b", color="blue")).ids
    world.change(*[updating(world.known(key), "Discard") for key in keys])
    del Colors.colors["2"]
    faults = world.faults(*[updating(world.known(key), "Restore") for key in keys])
    assert faults == {1: {"color": [Message("MSG-00032", ("2",))]}}


def test_combinations_are_unique(hall: Hall) -> None:
    menu = a_menu(columns=(a_column("one"), a_column("two")), unique_together=(("one", "two"),))
    world = a_world(hall, a_workspace(hall.datastore), menu)
    [key, other] = world.change(registering(one="a", two="b"), registering(one="a", two="c")).ids
    assert only(world.faults(registering(two="b", one="a"))) == (
        "",
        "MSG-00006",
        ("{'one': 'a', 'two': 'b'}", f"['{key}']"),
    )
    assert only(world.faults(updating(world.known(other), two="b")))[1] == "MSG-00006"
    world.change(updating(world.known(other), two="d"), registering(one="a", two="c"))


def test_what_a_menu_does_not_allow_is_refused_per_record(hall: Hall) -> None:
    menu = a_menu(actions=frozenset({Action.REGISTER, Action.UPDATE}))
    world = a_world(hall, a_workspace(hall.datastore), menu)
    [key] = world.change(registering(column_1="a")).ids
    found = only(world.faults(updating(world.known(key), "Discard")))
    assert found == ("", "401-00002", ("Discard", "sheet_a"))


def test_what_only_the_source_finds_is_told_with_the_rest(hall: Hall) -> None:
    class Picky(Rows):
        def write(self, scope: Any, changes: Any) -> Any:
            super().write(scope, changes)
            return {
                one.index: {"column_1": [Message("MSG-00032", ("x",))]}
                for one in changes
                if one.after["column_1"] == "x"
            }

    world = a_world(hall, a_workspace(hall.datastore), a_menu(source=Picky("sheet_a")))
    faults = world.faults(registering(column_1="x"), registering(column_1="far too long"), registering(column_1="y"))
    assert {index: found["column_1"][0].id for index, found in faults.items()} == {0: "MSG-00032", 1: "MSG-00008"}
    assert world.parameters() == []


def test_files_are_kept_renamed_and_removed(world: World) -> None:
    [key] = world.change(registering(name="a", column_2="f") | {"file": {"column_2": TEXT}}).ids
    world.change(updating(world.known(key), column_2="g"))
    [found] = world.find()
    assert (found["parameter"]["column_2"], found["file"]) == ("g", {"column_2": TEXT})
    world.change(updating(world.known(key), column_2="h"), contents={0: {"column_2": b"xyz"}})
    assert base64.b64decode(world.find()[0]["file"]["column_2"]) == b"xyz"
    world.change(updating(world.known(key), column_2=""))
    assert world.find()[0]["file"] == {"column_2": None}


def test_passwords_are_sealed_and_never_shown(world: World, datastore: Datastore) -> None:
    [key] = world.change(registering(name="a", password="canary-1")).ids
    world.change(updating(world.known(key), password="canary-2"))
    world.change(updating(world.known(key), "Delete"))
    shown = [world.parameters(), world.queries.journal(world.workspace, "sheet_a", str(key), SYSTEM)]
    told = Audit(datastore).list(SYSTEM)
    assert "canary" not in str([shown, told])
    assert [one.action for one in told[:3]] == ["record.removed", "record.changed", "record.changed"]
    assert told[0].old == {"name": "a"}


def test_who_may_not_write_is_refused_before_anything_else(world: World, hall: Hall) -> None:
    with pytest.raises(ItaError, match="401-00001"):
        world.change(registering(name="a"), caller=NOBODY)
    with pytest.raises(ItaError, match="499-00002: other"):
        world.change(registering(name="a"), menu="other")
    hall.settings.set("exastro_ita.max_records", "2", SYSTEM)
    with pytest.raises(ItaError, match="499-00223: 2"):
        world.change(*[registering(name=str(number)) for number in range(3)])
    hall.settings.set("exastro_ita.maintenance_mode", "ON", SYSTEM)
    with pytest.raises(ItaError, match="498-00001"):
        world.change(registering(name="a"), menu="other")


def test_the_same_key_changes_once(world: World) -> None:
    key = SubmitKey.of("k", b"body")
    first = world.change(registering(name="a"), key=key)
    again = world.change(registering(name="a"), key=key)
    assert (again.ids, again.counts) == (first.ids, first.counts)
    with pytest.raises(KeyReused):
        world.change(registering(name="b"), key=SubmitKey.of("k", b"other"))
    assert len(world.parameters()) == 1


def test_the_right_of_the_core_is_asked_by_the_source(hall: Hall) -> None:
    class Strict(Rows):
        def write(self, scope: Any, changes: Any) -> Any:
            raise Forbidden(scope.caller.name, "Modify", "Topology/Agents")

    world = a_world(hall, a_workspace(hall.datastore), a_menu(source=Strict("sheet_a")))
    with pytest.raises(Forbidden):
        world.change(registering(column_1="a"))


_SENT = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=9)
    | st.sampled_from(["2031/06/01", "2031/06/01 02:00", "1.5", '["red"]', "2026/03/01 12:00:00.000000"]),
    lambda some: st.lists(some, max_size=2) | st.dictionaries(st.text(max_size=2), some, max_size=2),
    max_leaves=3,
)
_KINDS = {kind.name: kind for kind in Kind if kind not in (Kind.JSON, Kind.BUTTON)}
_NAMES = st.sampled_from(["uuid", "discard", "last_update_date_time", "nobody_knows", *_KINDS])
_RECORD = st.fixed_dictionaries(
    {"parameter": st.dictionaries(_NAMES, _SENT, max_size=5)},
    optional={"type": st.sampled_from([*Action]) | _SENT, "file": st.dictionaries(_NAMES, _SENT, max_size=2) | _SENT},
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_RECORD, min_size=1, max_size=3))
def test_whatever_is_sent_is_stored_or_refused(every_kind: World, sent: list[dict[str, Any]]) -> None:
    before = every_kind.find()
    faults: Any = None
    try:
        done = every_kind.change(*sent)
    except InvalidRecords as error:
        faults = error.faults
    if faults is None:
        assert len(every_kind.find()) == len(before) + done.counts.get(Action.REGISTER, 0) - done.counts.get(
            Action.DELETE, 0
        )
    else:
        assert faults.keys() <= set(range(len(sent)))
        assert every_kind.find() == before


@pytest.fixture
def every_kind(hall: Hall) -> World:
    columns = tuple(a_column(name, kind, is_unique=kind is Kind.TEXT) for name, kind in _KINDS.items())
    return a_world(hall, a_workspace(hall.datastore), a_menu(columns=columns))


def cost(work: Callable[[], object]) -> float:
    """Return how many seconds of processor time *work* takes in this thread, at best."""
    taken = []
    for _ in range(3):
        begun = time.thread_time()
        work()
        taken.append(time.thread_time() - begun)
    return min(taken)


def test_a_thousand_records_cost_a_few_plain_inserts(world: World, datastore: Datastore, hall: Hall) -> None:
    numbers = itertools.count()

    def sent(count: int) -> list[dict[str, Any]]:
        return [registering(name=f"name {next(numbers)}", column_1="value", remarks="r") for _ in range(count)]

    def plain() -> None:
        stamp = {"is_discarded": False, "updated_at": hall.ports.now(), "updated_by": "x"}
        place = {"workspace_id": world.workspace.id, "menu": "plain", **stamp}
        rows = [
            {"id": uuid4(), "number": number, "values": one["parameter"], **place}
            for number, one in enumerate(sent(1_000))
        ]
        with datastore.begin() as session:
            session.connection().execute(ITA_RECORDS.insert(), rows)

    world.change(*sent(10))
    inserts, whole, some = cost(plain), cost(lambda: world.change(*sent(1_000))), cost(lambda: world.change(*sent(250)))
    assert whole < 10 * inserts, (whole, inserts)
    assert whole < 8 * some, (whole, some)
