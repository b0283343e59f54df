"""Files: contents are stored once, for as long as a record or its history has them."""

from __future__ import annotations

import base64
import io
from datetime import timedelta
from typing import Any

import pytest
from exastro_world import NOW, SAMPLE, World, a_column, a_menu, a_workspace, a_world, registering, updating
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from dispatcher.core.errors import QuotaExceeded
from dispatcher.core.permissions import SYSTEM
from dispatcher.datastore.resources import Content, ContentChunk
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.exastro_ita import files
from dispatcher.services.exastro_ita.columns import Kind
from dispatcher.services.exastro_ita.messages import NO_COLUMN
from dispatcher.services.hall import Hall

LARGE = bytes(range(256)) * 9_000


@pytest.fixture
def world(hall: Hall) -> World:
    menu = a_menu(
        columns=(*SAMPLE, a_column("key", Kind.FILE, is_secret=True), a_column("small", Kind.FILE, max_bytes=3))
    )
    return a_world(hall, a_workspace(hall.datastore), menu)


def contents(datastore: Datastore) -> set[int]:
    """Return the sizes of the contents that are stored."""
    with datastore.read() as session:
        return set(session.scalars(select(Content.size).where(Content.is_complete)))


def test_a_content_is_stored_once_and_read_back(world: World, datastore: Datastore, hall: Hall) -> None:
    hall.resources.store(io.BytesIO(b"abc"))
    beside = {0: {"column_2": LARGE}, 1: {"column_2": LARGE}, 2: {"column_2": b"abc"}, 3: {"column_2": b""}}
    world.change(*[registering(column_2="f")] * 4, contents=beside)
    found = [base64.b64decode(one["file"]["column_2"]) for one in world.find()]
    assert found == [LARGE, LARGE, b"abc", b""]
    assert contents(datastore) == {len(LARGE), 3, 0}
    with datastore.read() as session:
        assert session.scalar(select(func.count()).select_from(ContentChunk)) == 3 + 1
        assert files.read(session, ["00" * 32]) == {}


def test_what_somebody_had_begun_to_store_is_completed(datastore: Datastore, hall: Hall) -> None:
    with datastore.begin() as session:
        assert files.store(session, [LARGE], NOW, "x") == len(LARGE)
        sha256 = files.named("f", LARGE)["sha256"]
        row = session.scalars(select(Content)).one()
        row.is_complete = False
        last = session.scalars(select(ContentChunk).where(ContentChunk.position == 2)).one()
        session.delete(last)
    with datastore.begin() as session:
        files.store(session, [LARGE], NOW, "x")
        assert files.store(session, [LARGE], NOW, "x") == 0
    assert hall.resources.read(sha256, 0, len(LARGE)) == LARGE


def test_a_content_stays_as_long_as_a_record_or_its_history_has_it(
    world: World, datastore: Datastore, hall: Hall, clock: Any
) -> None:
    def clean() -> set[int]:
        clock.turn(timedelta(days=2))
        hall.resources.clean()
        return contents(datastore)

    [key] = world.change(registering(column_2="f"), contents={0: {"column_2": b"1"}}).ids
    world.change(updating(world.known(key), column_2="f"), contents={0: {"column_2": b"22"}})
    assert clean() == {1, 2}
    hall.settings.set("exastro_ita.journal_days", "1", SYSTEM)
    clock.turn(timedelta(minutes=11))
    while hall.retention.sweep():
        clock.turn(timedelta(seconds=1))
    assert clean() == {2}
    world.change(updating(world.known(key), "Discard"))
    assert clean() == {2}
    world.change(updating(world.known(key), "Delete"))
    assert clean() == set()


def test_secret_contents_are_sealed_and_never_shown(world: World, datastore: Datastore) -> None:
    [key] = world.change(registering(key="id_rsa"), contents={0: {"key": b"canary"}}).ids
    world.change(updating(world.known(key), remarks="r"))
    shown = [*world.find(), *world.queries.journal(world.workspace, "sheet_a", str(key), SYSTEM)]
    assert {one["parameter"]["key"] for one in shown} == {"id_rsa"}
    assert [one["file"].keys() for one in shown] == [{"column_2", "small"}] * 3
    with datastore.read() as session:
        [data] = session.scalars(select(ContentChunk.data))
    assert b"canary" not in data


def test_what_is_too_large_is_refused(world: World, hall: Hall, datastore: Datastore) -> None:
    [fault] = world.faults(registering(small="f"), contents={0: {"small": b"1234"}})[0]["small"]
    assert (fault.id, fault.values) == ("MSG-00010", (3, 4))
    hall.settings.set("resources.login_quota_bytes", "1500", SYSTEM)
    [fault] = world.faults(registering(column_2="f"), contents={0: {"column_2": b"x" * 1_501}})[0][NO_COLUMN]
    assert (fault.id, fault.values) == ("499-00222", ("1,501 byte(s)",))
    assert contents(datastore) == set()


def test_files_that_are_too_large_for_one_answer_are_asked_for_by_parts(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dispatcher.services.exastro_ita.queries.MOST_BYTES", 5)
    keys = world.change(
        *[registering(column_2="f")] * 2, contents={place: {"column_2": b"abc"} for place in (0, 1)}
    ).ids
    with pytest.raises(QuotaExceeded, match="file=no"):
        world.find()
    assert len(world.find(with_files=False)) == 2
    assert world.find({"uuid": {"LIST": [str(keys[0])]}})[0]["file"]["column_2"] == "YWJj"


@pytest.mark.parametrize("text", ["!!!", "YWJ", "YWJj!", "YQ==YQ==", "=", "äYWJj", "-_-_"])
def test_what_is_no_base64_leaves_the_content_as_it_is(world: World, text: str) -> None:
    [key] = world.change(registering(column_2="f") | {"file": {"column_2": " YW\r\nJj\n"}}).ids
    [fault] = world.faults(updating(world.known(key), column_2="f") | {"file": {"column_2": text}})[0]["column_2"]
    assert fault.id == "MSG-00011"
    assert world.find()[0]["file"]["column_2"] == "YWJj"


@given(st.binary(max_size=40) | st.text(max_size=40))
def test_whatever_is_sent_as_base64_is_a_content_or_none(sent: bytes | str) -> None:
    text = base64.b64encode(sent).decode() if isinstance(sent, bytes) else sent
    found = files.receive([{"file": {"a": text, "b": 5, "c": None}}, {"file": None}, {}])
    assert found.keys() == {0}
    assert found[0].keys() == {"a"}
    if isinstance(sent, bytes):
        assert found[0]["a"] == sent
