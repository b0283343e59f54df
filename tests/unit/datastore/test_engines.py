"""Engines: several may open a new SQLite file at the same time."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

from dispatcher.datastore.engines import open_engine, parse_url


def test_who_opens_a_file_that_another_one_is_changing_waits(tmp_path: Path) -> None:
    file = tmp_path / "new.db"
    other = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    other.execute("CREATE TABLE t (x)")
    other.execute("BEGIN IMMEDIATE")
    timer = threading.Timer(0.2, other.execute, ["COMMIT"])
    timer.start()
    engine = open_engine(parse_url(f"sqlite:///{file}"))
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    engine.dispose()
    timer.join()
    other.close()
