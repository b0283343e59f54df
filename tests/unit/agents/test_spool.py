"""The spool: what was written survives, what was confirmed goes away, and a torn end is cut."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.agents import spool as spool_module
from dispatcher.agents.spool import Spool, TakenTask

TASKS = [TakenTask("first", False), TakenTask("second", True)]


def event(kind: str, run_id: UUID, position: int | None = None, data: str = "") -> bytes:
    place = "" if position is None else f',"position":{position}'
    return f'{{"kind":"{kind}","run_id":"{run_id}","fence":3{place},"data":"{data}"}}'.encode()


@pytest.fixture(autouse=True)
def _small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_module, "ALLOCATE_BYTES", 500)


def everything(spool: Spool) -> list[bytes]:
    return spool.batch(1 << 30, 1 << 30).events


def reopened(spool: Spool, file: Path) -> Spool:
    spool.close()
    return Spool(file)


def test_unconfirmed_events_survive_in_order(tmp_path: Path) -> None:
    file = tmp_path / "spool"
    spool = Spool(file)
    run_id = uuid4()
    events = [event("output", run_id, 0, str(number)) for number in range(5)]
    for one in events:
        spool.add(one)
    spool.sync()
    spool.confirm(spool.batch(1 << 30, 2))
    spool = reopened(spool, file)
    assert everything(spool) == events[2:]
    assert spool.backlog > 0


def test_batches_keep_to_their_limits_but_move_on(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    run_id = uuid4()
    spool.add(event("output", run_id, 0, "x" * 1000))
    spool.add(event("output", run_id, 0))
    spool.add(event("run_finished", run_id))
    first = spool.batch(100, 10)
    assert (len(first.events), first.is_cut, first.finished) == (1, True, [])
    spool.confirm(first)
    rest = spool.batch(1000, 10)
    assert (len(rest.events), rest.is_cut, rest.finished) == (2, False, [(run_id, 3)])
    spool.confirm(rest)
    assert spool.batch(1000, 10).events == []
    assert spool.backlog == 0


def test_tells_what_had_begun(tmp_path: Path) -> None:
    file = tmp_path / "spool"
    spool = Spool(file)
    waiting, running, done, closed = uuid4(), uuid4(), uuid4(), uuid4()
    for run_id in (waiting, running, done, closed):
        spool.take(run_id, 3, TASKS)
    spool.add(event("task_started", running, 0))
    spool.add(event("task_finished", running, 0))
    spool.add(event("task_started", running, 1))
    spool.add(event("run_finished", done))
    spool.close_run(closed)
    spool = reopened(spool, file)
    assert [run.run_id for run in spool.open_runs()] == [waiting, running]
    run = spool.open_run(running)
    assert run is not None
    assert (run.fence, run.tasks, run.started, run.finished) == (3, TASKS, [0, 1], [0])


def test_tells_whose_end_is_unconfirmed(tmp_path: Path) -> None:
    file = tmp_path / "spool"
    spool = Spool(file)
    told, running, done, closed = uuid4(), uuid4(), uuid4(), uuid4()
    for run_id in (told, running, done, closed):
        spool.take(run_id, 3, TASKS, event("run_started", run_id), event("task_started", run_id, 1))
    spool.add(event("run_finished", told))
    spool.confirm(spool.batch(1 << 30, 1 << 30))
    spool.add(event("task_finished", running, 1), event("task_finished", closed, 1), event("run_finished", done))
    spool.close_run(closed)
    assert reopened(spool, file).unconfirmed_ends() == {done: 3}


def test_compaction_forgets_what_is_confirmed_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_module, "COMPACT_BYTES", 10_000)
    file = tmp_path / "spool"
    spool = Spool(file)
    running, done = uuid4(), uuid4()
    spool.take(running, 3, TASKS)
    spool.add(event("task_started", running, 0))
    expected: list[bytes] = []
    for number in range(200):
        expected.append(event("output", done, 0, f"{number:0200}"))
        spool.add(expected[-1])
        if number % 7 == 0:
            batch = spool.batch(1 << 30, 4)
            del expected[: len([one for one in batch.events if b'"output"' in one])]
            spool.confirm(batch)
    while len(expected) > 3:
        batch = spool.batch(1 << 30, 1)
        del expected[: len([one for one in batch.events if b'"output"' in one])]
        spool.confirm(batch)
    assert file.stat().st_size < 30_000
    assert everything(spool) == expected
    spool = reopened(spool, file)
    assert everything(spool) == expected
    assert [(run.run_id, run.started) for run in spool.open_runs()] == [(running, [0])]


def test_file_that_was_replaced_is_written_though_its_name_may_not_be_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(directory: Path) -> None:
        raise OSError(errno.EIO, "broken", directory)

    monkeypatch.setattr(spool_module, "COMPACT_BYTES", 1)
    file = tmp_path / "spool"
    spool = Spool(file)
    spool.add(event("output", uuid4(), 0, "a"))
    with monkeypatch.context() as disk:
        disk.setattr(spool_module, "_sync_directory", broken)
        with pytest.raises(OSError, match="broken"):
            spool.confirm(spool.batch(1 << 20, 1))
        last = event("output", uuid4(), 0, "b")
        spool.add(last)
        # Until it is, nothing counts as being on disk.
        with pytest.raises(OSError, match="broken"):
            spool.sync()
    spool.sync()
    assert everything(spool) == [last]
    assert everything(reopened(spool, file)) == [last]


@given(cut=st.integers(0, 10_000), junk=st.binary(max_size=20))
def test_whatever_the_end_looks_like_whole_records_are_kept(
    tmp_path_factory: pytest.TempPathFactory, cut: int, junk: bytes
) -> None:
    file = tmp_path_factory.mktemp("spool") / "spool"
    spool = Spool(file)
    events = [event("output", uuid4(), 0, "x" * size) for size in range(10)]
    ends = []
    for one in events:
        spool.add(one)
        ends.append(spool.backlog)
    spool.close()
    data = file.read_bytes()
    cut %= ends[-1] + 1
    file.write_bytes(data[:cut] + junk)
    spool = Spool(file)
    whole = sum(end <= cut for end in ends)
    assert everything(spool)[:whole] == events[:whole]
    assert len(everything(spool)) <= len(events)
    spool.add(events[0])
    spool = reopened(spool, file)
    assert everything(spool)[-1] == events[0]
    spool.close()


def test_changed_byte_cuts_there(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "spool"
    spool = Spool(file)
    spool.add(event("output", uuid4(), 0, "a"))
    size = spool.backlog
    spool.add(event("output", uuid4(), 0, "b"))
    spool.close()
    data = bytearray(file.read_bytes())
    data[size + 20] ^= 1
    file.write_bytes(data)
    assert len(everything(Spool(file))) == 1
    assert file.stat().st_size == size
    assert "spool.cut" in caplog.text


def test_full_disk_leaves_no_half_record(tmp_path: Path) -> None:
    import resource
    import signal

    file = tmp_path / "spool"
    spool = Spool(file)
    run_id = uuid4()
    spool.add(event("output", run_id, 0, "kept"))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file.stat().st_size + 50, before[1]))
    try:
        with pytest.raises(OSError, match=os.strerror(errno.EFBIG)):
            spool.add(event("output", run_id, 0, "x" * 1000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    spool.add(event("output", run_id, 0, "after"))
    kept = everything(reopened(spool, file))
    assert [b"kept" in kept[0], b"after" in kept[1], len(kept)] == [True, True, 2]


def test_events_that_are_added_together_are_written_together(tmp_path: Path) -> None:
    file = tmp_path / "spool"
    spool = Spool(file)
    run_id = uuid4()
    started = event("run_started", run_id), event("task_started", run_id, 0)
    spool.take(run_id, 3, TASKS, *started)
    assert [run.started for run in spool.open_runs()] == [[0]]
    ended = event("task_finished", run_id, 0), event("run_finished", run_id)
    spool.add(*ended)
    assert spool.open_runs() == []
    assert everything(reopened(spool, file)) == [*started, *ended]


def test_confirmation_is_written_with_what_comes_next(tmp_path: Path) -> None:
    file = tmp_path / "spool"
    spool = Spool(file)
    spool.add(event("output", uuid4(), 0, "a"))
    before = file.read_bytes()
    spool.confirm(spool.batch(1 << 20, 10))
    assert file.read_bytes() == before
    assert spool.backlog == 0
    after = event("output", uuid4(), 0, "b")
    spool.add(after)
    assert everything(Spool(file)) == [after]
