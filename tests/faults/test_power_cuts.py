"""Power cuts: at any instant, whatever the disk had not been told to keep may be gone, in part and in any order."""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
import struct
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from needed import missing
from world import World

_HEAD = struct.Struct("dqqcc6x")
#: What a disk writes at once, in bytes: a longer write may be done in part.
_SECTOR = 512


@dataclass
class Step:
    """What a process did to a file."""

    at: float
    what: str
    file: str
    offset: int
    data: bytes


@dataclass
class File:
    """A file: what is durable of it, and what was done since."""

    durable: bytearray = field(default_factory=bytearray)
    pending: list[Step] = field(default_factory=list)

    def do(self, step: Step) -> None:
        if step.what == "S":
            for one in self.pending:
                apply(self.durable, one)
            self.pending = []
        else:
            self.pending.append(step)

    def after_cut(self, chance: random.Random) -> bytearray:
        """Return what the file may hold: of all that is not durable, any sectors in any order."""
        content = bytearray(self.durable)
        kept = [one for one in self.pending if chance.random() < 0.5]
        chance.shuffle(kept)
        for one in kept:
            for start in range(0, max(len(one.data), 1), _SECTOR):
                if chance.random() < 0.9:
                    part = one.data[start : start + _SECTOR]
                    apply(content, Step(one.at, one.what, one.file, one.offset + start, part))
        return content


def apply(content: bytearray, step: Step) -> None:
    if step.what == "T":
        del content[step.offset :]
        return
    content.extend(bytes(max(0, step.offset + len(step.data) - len(content))))
    content[step.offset : step.offset + len(step.data)] = step.data


def steps(journal: Path) -> Iterator[Step]:
    with journal.open("rb") as stream:
        while head := stream.read(_HEAD.size):
            at, offset, length, what, file = _HEAD.unpack(head)
            yield Step(at, what.decode(), file.decode(), offset, stream.read(length))


@pytest.fixture
def recorder(tmp_path: Path) -> Path:
    """The library that records what is written."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        missing("gcc")
    library = tmp_path / "power_log.so"
    source = Path(__file__).with_name("power_log.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"], check=True)
    return library


@pytest.mark.promise("P1")
@pytest.mark.timeout(3600)
def test_power_cut_at_any_instant(world: World, recorder: Path, tmp_path: Path, times: Any) -> None:
    journal = tmp_path / "power.log"
    world.environment |= {
        "LD_PRELOAD": str(recorder),
        "POWER_DATABASE": str(tmp_path / "server.db"),
        "POWER_LOG": str(journal),
    }
    world.prepare("one")
    with world.load(rate=20, clients=4, pause_s=0):
        time.sleep(times(5, 30))
    lines = [json.loads(line) for line in world.history.read_text().splitlines()]
    acknowledged = [(line["at"], line["job"]) for line in lines if line.get("outcome") == "acknowledged"]
    assert len(acknowledged) > 20

    done = list(steps(journal))
    cuts = sorted(world.random.sample(range(len(done)), min(len(done), times(100, 2_000))))
    files = {"d": File(), "w": File()}
    begun = 0
    for number, step in enumerate(done):
        files[step.file].do(step)
        if begun < len(cuts) and cuts[begun] == number:
            begun += 1
            owed = {job.strip("{}").lower() for at, job in acknowledged if at < step.at}
            check_cut(tmp_path / "cut.db", files, owed, world.random)
    assert begun == len(cuts)


def check_cut(path: Path, files: dict[str, File], owed: set[str], chance: random.Random) -> None:
    """Check that the datastore opens after a power cut, and that every job is there that was acknowledged before."""
    path.write_bytes(files["d"].after_cut(chance))
    path.with_name(f"{path.name}-wal").write_bytes(files["w"].after_cut(chance))
    path.with_name(f"{path.name}-shm").unlink(missing_ok=True)
    database = sqlite3.connect(path)
    try:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        has_jobs = database.execute("SELECT 1 FROM sqlite_master WHERE name = 'job'").fetchone()
        found = {identify(row[0]) for row in database.execute("SELECT id FROM job")} if has_jobs else set()
    finally:
        database.close()
    assert owed - found == set()


def identify(value: Any) -> str:
    """Return a GUID, as the datastore keeps it, in the form of the wire."""
    text = value.hex() if isinstance(value, bytes) else str(value).replace("-", "")
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:])).lower()


def test_promised_writes_survive_and_others_need_not() -> None:
    chance = random.Random(1)
    file = File()
    file.do(Step(0, "W", "d", 0, b"durable"))
    file.do(Step(0, "S", "d", 0, b""))
    file.do(Step(0, "W", "d", 0, b"pending"))
    assert {bytes(file.after_cut(chance)) for _ in range(100)} == {b"durable", b"pending"}


def test_job_that_the_disk_was_not_told_to_keep_is_missed(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "made.db")
    database.execute("CREATE TABLE job (id TEXT)")
    database.close()
    files = {"d": File(bytearray((tmp_path / "made.db").read_bytes())), "w": File()}
    check_cut(tmp_path / "cut.db", files, set(), random.Random(1))
    with pytest.raises(AssertionError):
        check_cut(tmp_path / "cut.db", files, {"019a0000-0000-7000-8000-000000000001"}, random.Random(1))
