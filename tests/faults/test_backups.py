"""Backups under load: what is restored elsewhere is whole, and holds all that was acknowledged before the backup."""

from __future__ import annotations

import json
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
from real_server import in_a_process
from world import World


@pytest.mark.promise("P1")
@pytest.mark.timeout(600)
def test_backup_under_load_restored_elsewhere(world: World, tmp_path: Path, times: Any) -> None:
    world.prepare("one")
    backups: list[tuple[float, Path]] = []
    with world.load(rate=8, pause_s=0.1):
        for number in range(times(2, 50)):
            time.sleep(world.random.uniform(0.5, 2))
            backups.append((time.monotonic(), tmp_path / f"backup-{number}"))
            world.command("backup", str(backups[-1][1]))
    lines = [json.loads(line) for line in world.history.read_text().splitlines()]
    for began, backup in backups:
        elsewhere = tmp_path / "elsewhere" / f"{backup.name}.db"
        elsewhere.parent.mkdir(exist_ok=True)
        in_a_process("restore", str(backup), datastore=f"sqlite:///{elsewhere}")
        database = sqlite3.connect(elsewhere)
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
        found = {str(row[0]) for row in database.execute("SELECT description FROM job")}
        database.close()
        owed = {line["text"] for line in lines if line.get("outcome") == "acknowledged" and line["at"] < began}
        assert owed
        assert owed <= found
