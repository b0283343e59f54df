"""Resources: contents are stored once, in chunks, in little memory, and only what is whole can be read."""

from __future__ import annotations

import hashlib
import io
import tracemalloc
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, update

from dispatcher.core.errors import InvalidValue
from dispatcher.datastore.resources import Content, ContentChunk
from dispatcher.services import resources
from dispatcher.services.resources import CHUNK_BYTES, ContentNotFound, DamagedContent, Resources

LARGE = bytes(range(256)) * 12_000  # almost three chunks


@pytest.fixture
def store(datastore: Any, ports: Any) -> Resources:
    return Resources(datastore, ports)


def count(datastore: Any, model: Any) -> int:
    with datastore.read() as session:
        return session.scalar(select(func.count()).select_from(model))


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("data", [b"", b"x", LARGE, b"y" * CHUNK_BYTES], ids=["empty", "short", "long", "one chunk"])
def test_what_is_stored_can_be_read(store: Resources, data: bytes) -> None:
    digest = store.store(io.BytesIO(data))

    assert digest == sha256(data)
    assert store.size(digest) == len(data)
    assert store.read(digest, 0, len(data) + 1) == data


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
@given(offset=st.integers(0, len(LARGE) + 10), length=st.integers(0, len(LARGE)))
def test_any_part_can_be_read(store: Resources, offset: int, length: int) -> None:
    assert store.read(store.store(io.BytesIO(LARGE)), offset, length) == LARGE[offset : offset + length]


def test_same_content_is_stored_once(store: Resources, datastore: Any) -> None:
    assert store.store(io.BytesIO(LARGE)) == store.store(io.BytesIO(LARGE))
    assert (count(datastore, Content), count(datastore, ContentChunk)) == (1, 3)


def test_stream_that_cannot_be_read_twice_is_stored(store: Resources) -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def read(self, size: int | None = -1) -> bytes:
            return super().read(min(size or 0, 1000))  # as pipes do: less than was asked for

    assert store.read(store.store(Pipe(LARGE)), 0, len(LARGE)) == LARGE


def test_file_that_changes_while_it_is_stored_is_refused(store: Resources, datastore: Any) -> None:
    class Changing(io.BytesIO):
        def seek(self, *place: int) -> int:
            super().write(b"other")
            return super().seek(*place)

    with pytest.raises(DamagedContent):
        store.store(Changing(b"bytes"))
    assert (count(datastore, Content), count(datastore, ContentChunk)) == (0, 0)


def test_storing_goes_on_where_an_earlier_attempt_ended(store: Resources, datastore: Any, monkeypatch: Any) -> None:
    add = Resources._add

    def fail_at_the_second(self: Resources, digest: bytes, position: int, data: bytes) -> None:
        if position == 1:
            raise OSError("the cable was pulled")
        add(self, digest, position, data)

    with monkeypatch.context() as patched:
        patched.setattr(Resources, "_add", fail_at_the_second)
        with pytest.raises(OSError, match="cable"):
            store.store(io.BytesIO(LARGE))
    assert count(datastore, ContentChunk) == 1
    with pytest.raises(ContentNotFound):
        store.read(sha256(LARGE), 0, 1)
    assert store.read(store.store(io.BytesIO(LARGE)), 0, len(LARGE)) == LARGE


def test_damaged_chunk_of_an_earlier_attempt_is_noticed(store: Resources, datastore: Any) -> None:
    digest = store.store(io.BytesIO(LARGE))
    with datastore.begin() as session:
        session.execute(update(Content).values(is_complete=False))
        session.execute(update(ContentChunk).where(ContentChunk.position == 1).values(data=b"z" * CHUNK_BYTES))

    with pytest.raises(DamagedContent):
        store.store(io.BytesIO(LARGE))
    assert store.store(io.BytesIO(LARGE)) == digest


def test_64_mib_are_stored_and_read_in_little_memory(store: Resources) -> None:
    class Large(io.RawIOBase):
        def __init__(self) -> None:
            self.left = 64 << 20

        def seekable(self) -> bool:
            return True

        def tell(self) -> int:
            return 0

        def seek(self, offset: int, whence: int = 0) -> int:
            self.left = 64 << 20
            return 0

        def read(self, size: int = -1) -> bytes:
            size = min(size, self.left)
            self.left -= size
            return b"\x01" * size

    stream: Any = Large()
    tracemalloc.start()
    try:
        digest = store.store(stream)
        for offset in range(0, 64 << 20, CHUNK_BYTES):
            assert len(store.read(digest, offset, CHUNK_BYTES)) == CHUNK_BYTES
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


def test_what_nobody_needs_is_removed_after_a_day(store: Resources, datastore: Any, clock: Any) -> None:
    digest = store.store(io.BytesIO(LARGE))
    clock.turn(resources.KEPT_FOR)
    store.store(io.BytesIO(LARGE))  # needed again: the day begins anew
    clock.turn(timedelta(seconds=1))
    assert store.clean() == 0
    clock.turn(resources.KEPT_FOR)

    assert store.clean() == 1
    assert (count(datastore, Content), count(datastore, ContentChunk)) == (0, 0)
    with pytest.raises(ContentNotFound):
        store.size(digest)


def test_content_of_a_resource_stays(
    store: Resources, load_library: Any, clock: Any, tmp_path: Any, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tool").write_bytes(LARGE)
    load_library("resources: [{name: Tool, file: tool}]")
    clock.turn(2 * resources.KEPT_FOR)
    assert store.clean() == 0
    assert store.size(store.find("Tool").sha256) == len(LARGE)

    (tmp_path / "tool").write_bytes(b"newer")
    load_library("resources: [{name: Tool, file: tool}]")
    assert store.find("tool").sha256 == sha256(b"newer")
    assert store.clean() == 1


def test_names_that_mean_nothing_or_two_things_are_refused(
    store: Resources, load_library: Any, tmp_path: Any, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tool").write_bytes(b"1")
    load_library("resources: [{name: Tool, folder: A, file: tool}, {name: Tool, folder: B, file: tool}]")

    assert store.find("a/tool") == store.find("B/Tool")
    with pytest.raises(InvalidValue, match="several"):
        store.find("Tool")
    with pytest.raises(InvalidValue, match="no resource is called 'Other'"):
        store.find("Other")
    for text in ("", "zz", "..", "0" * 64, "é" * 64, "0" * 100_000):
        with pytest.raises(ContentNotFound):
            store.size(text)
