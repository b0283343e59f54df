"""Contents on every database: stored once however many store them at once, read in parts, removed when useless."""

from __future__ import annotations

import hashlib
import io
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import delete, func, select

from dispatcher.core.contents import Content as MeasuredContent
from dispatcher.datastore.resources import Content, ContentChunk
from dispatcher.services import resources as resources_module
from dispatcher.services.hall import Hall
from dispatcher.services.library.importing import import_files
from dispatcher.services.resources import CHUNK_BYTES, KEPT_FOR, DamagedContent, Resources

DATA = bytes(range(256)) * 14_000  # three chunks and a part of one
THREADS = 4


def rows(datastore: Any) -> tuple[int, int]:
    with datastore.read() as session:
        return tuple(session.scalar(select(func.count()).select_from(model)) for model in (Content, ContentChunk))


def test_content_that_many_store_at_once_is_there_once(datastore: Any, ports: Any) -> None:
    barrier = Barrier(THREADS)

    def store(_: int) -> str:
        stores = Resources(datastore, ports)
        barrier.wait(10)
        return stores.store(io.BytesIO(DATA))

    with ThreadPoolExecutor(THREADS) as pool:
        (digest,) = set(pool.map(store, range(THREADS)))
    resources = Resources(datastore, ports)
    assert rows(datastore) == (1, 4)
    assert resources.size(digest) == len(DATA)
    assert resources.read(digest, 0, len(DATA)) == DATA
    for offset, length in ((0, 1), (CHUNK_BYTES - 1, 2), (2 * CHUNK_BYTES, CHUNK_BYTES), (len(DATA) - 1, 10)):
        assert resources.read(digest, offset, length) == DATA[offset : offset + length]


def test_resource_keeps_its_content_until_it_has_another(
    datastore: Any, ports: Any, secrets: Any, hall: Hall, clock: Any, tmp_path: Any
) -> None:
    library = tmp_path / "library.yaml"
    library.write_text("resources: [{name: Tool, file: tool}]")
    for number in range(2):
        (tmp_path / "tool").write_bytes(DATA + bytes([number]))
        import_files(datastore, ports, secrets, [library])
        assert hall.resources.read(hall.resources.find("tool").sha256, len(DATA), 10) == bytes([number])
    assert hall.resources.clean() == 0
    clock.turn(2 * KEPT_FOR)
    assert hall.resources.clean() == 1
    assert rows(datastore) == (1, 4)
    assert hall.resources.read(hall.resources.find("Tool").sha256, 0, len(DATA)) == DATA


def measured() -> MeasuredContent:
    return MeasuredContent(io.BytesIO(DATA), len(DATA), hashlib.sha256(DATA).digest())


@pytest.mark.parametrize("removals", [0, 1, 3])
@pytest.mark.parametrize("is_whole", [True, False])
def test_content_that_comes_again_while_it_is_removed_stays(
    datastore: Any, ports: Any, clock: Any, monkeypatch: Any, removals: int, is_whole: bool
) -> None:
    monkeypatch.setattr(resources_module, "_BATCH", 1)
    cleaning, storing = Resources(datastore, ports), Resources(datastore, ports)
    digest = storing.store(io.BytesIO(DATA))
    clock.turn(2 * KEPT_FOR)
    remove_some, done = cleaning._remove_some, []

    def interrupted(*args: Any) -> bool | None:
        done.append(args)
        if len(done) - 1 == removals:
            if is_whole:
                storing.put(measured())
            else:
                assert not storing._begin(measured(), "api", None)
        return remove_some(*args)

    monkeypatch.setattr(cleaning, "_remove_some", interrupted)
    assert cleaning.clean() == 0
    assert len(done) == removals + 1
    assert rows(datastore) == (1, 4 if is_whole else 4 - removals)
    storing.put(measured())
    assert storing.read(digest, 0, len(DATA)) == DATA


def test_content_that_somebody_else_has_made_complete_is_not_removed(datastore: Any, ports: Any) -> None:
    """Who found it damaged before may be late."""
    resources = Resources(datastore, ports)
    digest = resources.store(io.BytesIO(DATA))
    assert resources._remove(bytes.fromhex(digest)) is False
    assert rows(datastore) == (1, 4)


def test_content_is_not_complete_when_chunks_go_after_it_was_read_back(
    datastore: Any, ports: Any, clock: Any, monkeypatch: Any
) -> None:
    storing = Resources(datastore, ports)
    complete = storing._complete

    def robbed(*args: Any) -> None:
        with datastore.begin() as session:
            session.execute(delete(ContentChunk).where(ContentChunk.position == 3))
        complete(*args)

    with monkeypatch.context() as patched:
        patched.setattr(storing, "_complete", robbed)
        with pytest.raises(DamagedContent):
            storing.put(measured())
    storing.put(measured())
    assert storing.read(hashlib.sha256(DATA).hexdigest(), 0, len(DATA)) == DATA


def test_many_store_what_others_remove(datastore: Any, ports: Any, clock: Any, monkeypatch: Any) -> None:
    """Whoever is told that a content is stored finds it whole, however it was removed meanwhile."""
    monkeypatch.setattr(resources_module, "_BATCH", 1)
    digest = Resources(datastore, ports).store(io.BytesIO(DATA))
    clock.turn(2 * KEPT_FOR)
    barrier = Barrier(THREADS)

    def work(number: int) -> None:
        resources = Resources(datastore, ports)
        barrier.wait(10)
        if number % 2:
            resources.clean()
        else:
            resources.put(measured())
            assert resources.read(digest, 0, len(DATA)) == DATA

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, range(THREADS)))
    assert rows(datastore) == (1, 4)
