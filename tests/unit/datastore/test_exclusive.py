"""One server over one SQLite file, until it ends, however it ends."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dispatcher.datastore.exclusive import ServedElsewhere, ServerLock

HOLD = """
import sys, time
from pathlib import Path
from dispatcher.datastore.exclusive import ServerLock
lock = ServerLock(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


def test_a_second_server_is_refused_by_name_until_the_first_one_ends(tmp_path: Path) -> None:
    file = tmp_path / "test.db"
    lock = ServerLock(file)
    with pytest.raises(ServedElsewhere, match=rf"test\.db is served .* \(process {os.getpid()}\)"):
        ServerLock(file)
    lock.release()
    ServerLock(file).release()


def test_a_killed_server_holds_nothing(tmp_path: Path) -> None:
    file = tmp_path / "test.db"
    with subprocess.Popen([sys.executable, "-c", HOLD, str(file)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(ServedElsewhere, match=f"process {holder.pid}"):
            ServerLock(file)
        holder.kill()
    ServerLock(file).release()


def test_two_files_may_be_served_at_once(tmp_path: Path) -> None:
    one, other = ServerLock(tmp_path / "one.db"), ServerLock(tmp_path / "other.db")
    one.release()
    other.release()
