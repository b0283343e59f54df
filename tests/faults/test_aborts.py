"""Aborts: whatever a task has left in whichever way, it is gone within ten seconds, and the result lists it."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import psutil
import pytest
from world import World

LIBRARY = """
modules:
  - name: Escape
    id: 00000000-0000-4000-8000-0000000000dd
    tasks:
      - type: script
        name: escape
        settings: {{language: python, text: {text}}}
      - {{type: command, name: never, settings: {{command: 'touch {never}'}}}}
"""
#: Forks, forks twice, leaves session and environment, and ignores what it can.
ESCAPE = """
import os, signal, sys, time
for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT): signal.signal(number, signal.SIG_IGN)
def note():
    with open({pids!r}, "a") as file: print(os.getpid(), file=file, flush=True)
def stay():
    note()
    while True: time.sleep(1)
if os.fork() == 0: stay()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            note()
            os.execve("/bin/sleep", ["sleep", "1000"], {{}})
        stay()
    os._exit(0)
stay()
"""
ESCAPES = "{00000000-0000-4000-8000-0000000000DD}"
#: How long an abort may take on an agent that is connected, in seconds.
GONE_WITHIN_S = 10


@pytest.mark.promise("P7")
@pytest.mark.parametrize("is_connected", [True, False], ids=["connected", "agent paused meanwhile"])
def test_abort_kills_what_forks_and_ignores_signals(world: World, tmp_path: Path, is_connected: bool) -> None:
    pids, never = tmp_path / "pids", tmp_path / "never"
    world.prepare("one")
    file = tmp_path / "escape.yaml"
    file.write_text(LIBRARY.format(text=json.dumps(ESCAPE.format(pids=str(pids))), never=never))
    world.command("library", "import", str(file))
    job = world.client.submit(ESCAPES, world.ids["one"], "escape")
    deadline = time.monotonic() + 20
    while not pids.exists() or len(pids.read_text().split()) < 4:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    escaped = [psutil.Process(int(pid)) for pid in pids.read_text().split()]

    agent = psutil.Process(world.agents["one"].popen.pid)
    if not is_connected:
        agent.suspend()
    status, _ = world.client.call("PUT", f"jobs/{job}", {"Type": 2}, {})
    assert status == 200
    if not is_connected:
        time.sleep(1)
        agent.resume()
    gone, alive = psutil.wait_procs(escaped, GONE_WITHIN_S)
    assert (len(gone), alive) == (4, [])

    verdict_by = time.monotonic() + GONE_WITHIN_S
    while world.client.call("GET", f"jobs/{job}", None, {})[1]["Status"]["Type"] != 3:
        assert time.monotonic() < verdict_by
        time.sleep(0.05)
    _, results = world.client.call("GET", f"jobs/{job}/results?overview=True&detailed=True", None, {})
    document = bytes(results["Xml"]).decode("utf-16-le")
    listed = {int(pid) for pid in re.findall(r"<process>(\d+)", document)}
    assert listed >= {process.pid for process in escaped}
    assert not never.exists()
