"""100 MB of output: neither the server nor the agent grows with it, and every byte can be read."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import psutil
import pytest
from real_server import in_a_process

from dispatcher.core.permissions import SYSTEM
from dispatcher.datastore.engines import parse_url
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.output import MAX_RANGE, Output

SIZE = 100_000_000
LINE = b"All work and no play makes Jack a dull boy.\n"
MORE_BYTES = 60_000_000
LIBRARY = f"""
modules:
  - name: Talk
    id: 00000000-0000-4000-8000-0000000000aa
    tasks:
      - {{type: command, name: talk, settings: {{command: "yes '{LINE.decode().strip()}' | head -c {SIZE}"}}}}
"""
TALK = "{00000000-0000-4000-8000-0000000000AA}"


class Watch:
    """Looks how much memory processes have, from the beginning to the end of the block."""

    def __init__(self, *pids: int) -> None:
        self._processes = [psutil.Process(pid) for pid in pids]
        self._before = self._now()
        self._most = list(self._before)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def _now(self) -> list[int]:
        return [process.memory_info().rss for process in self._processes]

    def _look(self) -> None:
        while not self._over.wait(0.05):
            self._most = [max(pair) for pair in zip(self._most, self._now(), strict=True)]

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def growth(self) -> list[int]:
        return [most - before for most, before in zip(self._most, self._before, strict=True)]


@pytest.mark.timeout(180)
def test_large_output_costs_no_memory_and_arrives_whole(
    start_server: Callable[..., Any], start_agent: Callable[..., Any], tmp_path: Path
) -> None:
    server = start_server("--no-local-agent")
    (tmp_path / "library.yaml").write_text(LIBRARY)
    in_a_process("library", "import", str(tmp_path / "library.yaml"), datastore=server.datastore)
    agent = start_agent(server, "remote")
    [remote] = server.wait_for_agents(1)
    server.get(f"what/modules/{TALK}/inputparameters")
    time.sleep(1)
    with Watch(server.process.popen.pid, agent.popen.pid) as watch:
        job = server.schedule(TALK, [remote])
        assert server.wait_for_end(job, timeout_s=120) == 4
        assert len(server.get(f"jobs/{job}/results?overview=True&detailed=True").content) < 3_000_000
    assert max(watch.growth()) < MORE_BYTES, watch.growth()

    datastore = Datastore(parse_url(server.datastore))
    output = Output(datastore)
    digest, offset = hashlib.sha256(), 0
    while True:
        part = output.read(UUID(job), UUID(remote), 0, offset, MAX_RANGE, SYSTEM)
        assert part.offset == offset
        if not part.data:
            break
        digest.update(part.data)
        offset += len(part.data)
    datastore.close()
    assert (offset, part.total, part.is_complete) == (SIZE, SIZE, True)
    whole = LINE * (SIZE // len(LINE) + 1)
    assert digest.hexdigest() == hashlib.sha256(whole[:SIZE]).hexdigest()
