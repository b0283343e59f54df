"""What a server uses is read for its whole tree."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import psutil

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
#: Starts a server, tells its pid and waits to be killed.
_BENCHMARK = """
import sys
from pathlib import Path
from bench.processes import Server
with Server([sys.executable, "-c", "import signal; signal.pause()"], {}, None, Path(sys.argv[1])) as server:
    print(server.pid, flush=True)
    sys.stdin.read()
"""


def test_server_ends_with_a_benchmark_that_is_killed(tmp_path: Path) -> None:
    benchmark = subprocess.Popen(
        [sys.executable, "-c", _BENCHMARK, tmp_path / "log"],
        cwd=Path(__file__).parents[3],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with benchmark:
        server = psutil.Process(int(benchmark.stdout.readline()))
        benchmark.kill()
    psutil.wait_procs([server], 10)
    assert not server.is_running() or server.status() == psutil.STATUS_ZOMBIE


def test_memory_and_processor_time_of_children_count(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with Server([sys.executable, "-c", _PARENT], {}, None, log) as server:
        wait_until(lambda: "started" in log.read_text(), server)
        before = server.cpu_s()
        time.sleep(0.3)
        wait_until(lambda: server.memory_mib() > 64, server, 10)

        assert server.cpu_s() > before
