"""Uploads on every database: at the same time, under one name, up to a quota, and never half of one."""

from __future__ import annotations

import hashlib
import io
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select

from dispatcher.core.contents import Content as MeasuredContent
from dispatcher.core.errors import Conflict, DispatcherError
from dispatcher.core.permissions import SYSTEM, Caller, Right, everything
from dispatcher.datastore.folders import Folder
from dispatcher.datastore.resources import Content, ContentChunk, Resource
from dispatcher.services.hall import Hall, build_hall
from dispatcher.services.library.exporting import export
from dispatcher.services.resources import CHUNK_BYTES, KEPT_FOR, QuotaReached
from dispatcher.services.uploads import Upload

THREADS = 4
API = Caller("api", everything(Right.MODIFY))
DATA = bytes(range(256)) * 9_000  # two chunks and a part of one
MODULE = "modules: [{name: Get, tasks: [{name: get, type: download, settings: {resource: tool, target: there}}]}]"


def content(data: bytes) -> MeasuredContent:
    return MeasuredContent(io.BytesIO(data), len(data), hashlib.sha256(data).digest())


def counts(datastore: Any) -> tuple[int, ...]:
    with datastore.read() as session:
        return tuple(
            session.scalar(select(func.count()).select_from(model)) for model in (Resource, Content, ContentChunk)
        )


def test_life_of_a_resource(hall: Hall, datastore: Any, load_library: Any, clock: Any) -> None:
    key = hall.uploads.store(Upload(file_name="tool", folder="A/B", description="one"), content(DATA), API)
    found = hall.resources.find("a/b/TOOL")
    assert hall.resources.read(found.sha256, CHUNK_BYTES - 1, 2) == DATA[CHUNK_BYTES - 1 : CHUNK_BYTES + 1]
    assert hall.uploads.store(Upload(resource_id=key, file_name="tool"), content(b"newer"), API) == key
    hall.uploads.store(Upload(resource_id=key, parse_variables=True, folder=""), None, API)
    assert hall.resources.find("tool").size == 5
    exported = export(datastore)
    assert "parse_variables: true" in exported
    assert "description: one" in exported
    load_library(MODULE)
    with pytest.raises(Conflict, match="needed by module Get"):
        hall.uploads.delete(key, API)
    load_library("modules: [{name: Get}]")
    hall.uploads.delete(key, API)
    assert counts(datastore) == (0, 2, 4)
    clock.turn(KEPT_FOR + timedelta(seconds=1))
    assert hall.resources.clean() == 2
    assert counts(datastore) == (0, 0, 0)


def _at_the_same_time(work: Any) -> list[Any]:
    """Return what *work*, given each number of a thread, returns or raises."""
    barrier = Barrier(THREADS)

    def one(number: int) -> Any:
        barrier.wait(30)
        try:
            return work(number)
        except DispatcherError as error:
            return error

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(one, range(THREADS)))


@pytest.fixture
def halls(datastore: Any, ports: Any, secrets: Any) -> list[Hall]:
    """Several dispatchers over one datastore."""
    return [build_hall(datastore, ports, secrets, lease=timedelta(seconds=30)) for _ in range(THREADS)]


def test_one_of_many_gets_the_name(halls: list[Hall], datastore: Any) -> None:
    upload = Upload(file_name="tool", folder="Tools")
    ended = _at_the_same_time(lambda number: halls[number].uploads.store(upload, content(b"%d" % number), API))
    assert [type(one) for one in ended if not isinstance(one, UUID)] == [Conflict] * (THREADS - 1)
    assert counts(datastore)[0] == 1


def test_many_overwrite_one_resource_and_make_one_folder(halls: list[Hall], datastore: Any) -> None:
    upload = Upload(file_name="tool", folder="Tools", overwrite=True)
    ended = _at_the_same_time(lambda number: halls[number].uploads.store(upload, content(b"%d" % number), API))
    assert len(set(ended)) == 1
    assert isinstance(ended[0], UUID)
    with datastore.read() as session:
        assert session.scalar(select(func.count()).select_from(Folder)) == 1
    assert counts(datastore)[0] == 1


def test_folder_that_has_gone_is_made_again(hall: Hall, datastore: Any, monkeypatch: Any) -> None:
    """No name is taken only because a folder went between the look at it and the resource."""
    folder, gone = hall.uploads._folder, [UUID(int=9)]
    monkeypatch.setattr(hall.uploads, "_folder", lambda *args: gone.pop() if gone else folder(*args))
    key = hall.uploads.store(Upload(file_name="tool", folder="Tools"), content(b"x"), API)
    assert gone == []
    assert hall.resources.find("Tools/tool") == hall.resources.find(str(key))


def test_stored_content_costs_nothing_when_the_quota_is_used_up(hall: Hall) -> None:
    hall.settings.set("resources.login_quota_bytes", str(len(DATA)), SYSTEM)
    hall.uploads.store(Upload(file_name="tool"), content(DATA), API)
    again = Upload(file_name="tool", overwrite=True)
    assert hall.uploads.admit(again, API) == len(DATA)
    hall.uploads.store(again, content(DATA), API)
    with pytest.raises(QuotaReached):
        hall.uploads.store(again, content(b"other"), API)


def test_the_same_content_is_stored_once(halls: list[Hall], datastore: Any) -> None:
    ended = _at_the_same_time(
        lambda number: halls[number].uploads.store(Upload(file_name=f"tool-{number}"), content(DATA), API)
    )
    assert len({one for one in ended if isinstance(one, UUID)}) == THREADS
    assert counts(datastore) == (THREADS, 1, 3)


def test_names_that_a_database_takes_for_the_same_are_refused_or_told_apart(hall: Hall, datastore: Any) -> None:
    names = ["Gr\u00fc\u00dfe", "Grusse", "GRUESSE", "Gru\u00dfe", "Gr\u00fcsse", "\u0130x", "ix", "i\u0307x"]
    kept = {}
    for name in names:
        try:
            kept[name] = hall.uploads.store(Upload(file_name=name, folder=f"in {name}"), content(b"x"), API)
            kept[name] = hall.uploads.store(Upload(file_name=f"{name}.txt", folder="all"), content(b"x"), API)
        except Conflict:
            continue
    assert len(kept) > 2
    for name, key in kept.items():
        assert hall.resources.find(f"all/{name}.txt") == hall.resources.find(str(key))


def test_quota_counts_what_is_kept(hall: Hall, datastore: Any, clock: Any) -> None:
    hall.settings.set("resources.login_quota_bytes", str(len(DATA) + 1), SYSTEM)
    key = hall.uploads.store(Upload(file_name="tool"), content(DATA), API)
    with pytest.raises(QuotaReached):
        hall.uploads.store(Upload(file_name="more"), content(b"12"), API)
    assert counts(datastore) == (1, 1, 3)
    hall.uploads.delete(key, API)
    clock.turn(KEPT_FOR + timedelta(seconds=1))
    hall.resources.clean()
    hall.uploads.store(Upload(file_name="more"), content(b"12"), API)


def test_upload_that_breaks_off_is_collected_and_can_be_repeated(
    hall: Hall, datastore: Any, clock: Any, monkeypatch: Any
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(hall.resources, "_finish", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            hall.uploads.store(Upload(file_name="tool"), content(DATA), API)
    assert counts(datastore) == (0, 1, 3)
    hall.uploads.store(Upload(file_name="tool"), content(DATA), API)
    assert hall.resources.find("tool").size == len(DATA)
    with monkeypatch.context() as patched:
        patched.setattr(hall.resources, "_finish", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            hall.uploads.store(Upload(file_name="other"), content(DATA + b"other"), API)
    clock.turn(KEPT_FOR + timedelta(seconds=1))
    assert hall.resources.clean() == 1
    assert counts(datastore) == (1, 1, 3)
