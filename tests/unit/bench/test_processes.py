"""What a server uses is read for its whole tree."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from bench.processes import Server, wait_until

#: Works as long as its parent lives.
_CHILD = """
import os
parent = os.getppid()
held = bytearray(64 << 20)
for place in range(0, len(held), 4096):
    held[place] = 1
while os.getppid() == parent:
    pass
"""
_PARENT = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {_CHILD!r}])
print("started", flush=True)
child.wait()
"""


def test_memory_and_processor_time_of_children_count(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with Server([sys.executable, "-c", _PARENT], {}, None, log) as server:
        wait_until(lambda: "started" in log.read_text(), server)
        before = server.cpu_s()
        time.sleep(0.3)
        wait_until(lambda: server.memory_mib() > 64, server, 10)

        assert server.cpu_s() > before
