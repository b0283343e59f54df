"""Contents on every database: stored once however many store them at once, read in parts, removed when useless."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

from sqlalchemy import func, select

from dispatcher.datastore.resources import Content, ContentChunk
from dispatcher.services.hall import Hall
from dispatcher.services.library.importing import import_files
from dispatcher.services.resources import CHUNK_BYTES, KEPT_FOR, Resources

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
