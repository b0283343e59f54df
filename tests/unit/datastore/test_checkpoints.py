"""Checkpoints: what is committed is carried over into the file, and no commit has to do it."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert, text
from structlog.testing import capture_logs

from dispatcher.datastore import checkpoints
from dispatcher.datastore.checkpoints import COMMITS, MOST_PAGES, Checkpoints
from dispatcher.datastore.engines import open_engine, parse_url
from dispatcher.datastore.settings import Setting
from dispatcher.datastore.transactions import Datastore

WAIT_S = 20


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    found = open_engine(parse_url(f"sqlite:///{tmp_path}/one.db"))
    yield found
    found.dispose()


def holds(file: Path, text: str) -> bool:
    return text.encode() in file.read_bytes()


def wait_until_it_holds(file: Path, text: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while not holds(file, text):
        assert time.monotonic() < deadline, "it was not carried over"
        time.sleep(0.01)


def test_what_is_committed_comes_into_the_file(datastore: Datastore) -> None:
    file = Path(datastore.engine.url.database or "")
    for number in range(COMMITS):
        assert not holds(file, "carried over")
        with datastore.begin() as session:
            session.execute(insert(Setting), {"name": f"s{number}", "dispatcher": "", "value": "carried over"})
    wait_until_it_holds(file, "carried over")


def test_commits_leave_it_to_the_thread(datastore: Datastore) -> None:
    with datastore.begin() as session:
        assert session.scalar(text("PRAGMA wal_autocheckpoint")) == MOST_PAGES


def test_a_failure_is_told_and_the_next_time_it_is_tried_again(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "REST_S", 0)
    file = tmp_path / "one.db"
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE one (value TEXT)")
        connection.exec_driver_sql("INSERT INTO one VALUES ('carried over')")
        connection.commit()
        assert not holds(file, "carried over")
        connect, failures = engine.connect, 0

        def fail_once() -> object:
            nonlocal failures
            failures += 1
            if failures == 1:
                raise OSError("no more files")
            return connect()

        monkeypatch.setattr(engine, "connect", fail_once)
        with capture_logs() as logs:
            carrier = Checkpoints(engine)
            for _ in range(2):
                for _ in range(COMMITS):
                    carrier.note()
                deadline = time.monotonic() + WAIT_S
                before = failures
                while failures == before and time.monotonic() < deadline:
                    time.sleep(0.01)
            wait_until_it_holds(file, "carried over")
            carrier.close()
    assert [one["event"] for one in logs] == ["datastore.not_carried_over"]


def test_it_ends_when_it_is_closed_at_the_very_moment_it_begins(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "REST_S", 0)
    carrier = Checkpoints(engine)
    clear, closer = carrier._is_due.clear, threading.Thread(target=carrier.close, daemon=True)

    def close_then_clear() -> None:
        closer.start()
        assert carrier._closed.wait(WAIT_S)
        time.sleep(0.05)  # until it has set the other one, too, and waits for the thread
        clear()

    monkeypatch.setattr(carrier._is_due, "clear", close_then_clear)
    for _ in range(COMMITS):
        carrier.note()
    carrier._thread.join(WAIT_S)
    assert not carrier._thread.is_alive()
