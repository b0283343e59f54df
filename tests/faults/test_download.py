"""A download goes on where it was when its server was killed, and what arrives is what was stored."""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from real_server import in_a_process

MODULE = "00000000-0000-4000-8000-000000000001"
SIZE = 64 << 20
LIBRARY = f"""
resources: [{{name: Installer, folder: Tools, file: installer.bin}}]
modules:
  - name: Fetch
    id: {MODULE}
    tasks:
      - {{name: fetch, type: download, settings: {{resource: Tools/Installer, target: installed, mode: '0700'}}}}
      - {{name: check, type: command, settings: {{command: test -x installed}}}}
"""
COMPLETED = 4


def test_download_survives_a_killed_server(
    start_server: Callable[..., Any], start_agent: Callable[..., Any], tmp_path: Path
) -> None:
    data = random.Random(1).randbytes(SIZE)
    (tmp_path / "installer.bin").write_bytes(data)
    (tmp_path / "library.yaml").write_text(LIBRARY)
    server = start_server(DISPATCHER_LOCAL_AGENT__ENABLED="false")
    in_a_process("library", "import", str(tmp_path / "library.yaml"), datastore=server.datastore)
    start_agent(server, "one")
    home = tmp_path / "agent-one"
    job = server.schedule(MODULE, server.wait_for_agents(1))
    part = home / "cache" / f"{hashlib.sha256(data).hexdigest()}.part"
    deadline = time.monotonic() + 30
    while not (part.exists() and part.stat().st_size > 1 << 20):
        assert time.monotonic() < deadline
        time.sleep(0.001)
    server.process.kill()
    arrived = part.stat().st_size
    assert arrived < SIZE
    server = start_server(DISPATCHER_LOCAL_AGENT__ENABLED="false")
    assert server.wait_for_end(job, 60) == COMPLETED
    assert (home / "work" / "installed").read_bytes() == data
    assert [file.name for file in (home / "cache").iterdir()] == [part.stem]
