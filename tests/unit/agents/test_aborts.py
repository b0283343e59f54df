"""Aborts and time-outs: what tasks do to outlive them, and that nothing does."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from dispatcher.agents.protocol import Value

#: How long a run may take to end after it was aborted or has used up its time, in seconds.
END_S = 10
#: What all of them begin with: ``left`` has a process note its pid, ``deaf`` leaves it no signal that can be ignored.
COMMON = """
import os, signal, sys, time

def left():
    with open(sys.argv[1], "a") as pids:
        pids.write(f"{os.getpid()}\\n")

def deaf():
    for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}:
        signal.signal(number, signal.SIG_IGN)

def detach():
    for _ in range(2):
        if os.fork():
            os._exit(0)
        os.setsid() if os.getsid(0) != os.getpid() else None

def sleep():
    left()
    while True:
        time.sleep(300)
"""
TRICKS = {
    "detached": "deaf()\nfor _ in range(3):\n    if not os.fork():\n        detach(); sleep()\nsleep()",
    "respawning": """
def watch():
    # Of two processes each starts the other again when that is gone.
    while True:
        guarded = os.getpid()
        if not os.fork():
            os.setsid(); left()
            while os.getppid() == guarded:
                time.sleep(0.02)
            continue
        os.wait()
        time.sleep(0.02)
deaf(); left(); watch()
""",
    "heads": """
def heads(*_):
    # Asked to end, it leaves two in its place.
    for _ in range(2):
        if not os.fork():
            detach(); left()
            return
    os._exit(0)
signal.signal(signal.SIGTERM, heads)
sleep()
""",
    "stopped": "if not os.fork():\n    detach()\nleft(); os.kill(os.getpid(), signal.SIGSTOP); sleep()",
    "leaving": """
if not os.fork():
    os.setpgid(0, 0); deaf(); left(); os.closerange(0, 4096)
    while True:
        time.sleep(300)
left(); os.closerange(0, 4096); deaf()
while True:
    time.sleep(300)
""",
    "many": "for _ in range(200):\n    if not os.fork():\n        detach(); sleep()\nsleep()",
    "adopting": """
import ctypes
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
deaf()
for _ in range(3):
    if not os.fork():
        detach(); deaf(); sleep()
sleep()
""",
    "stopping its slot": """
if not os.fork():
    detach(); deaf(); sleep()
left(); os.kill(os.getppid(), signal.SIGSTOP); sleep()
""",
}
COUNTS = {
    "detached": 4,
    "respawning": 2,
    "heads": 1,
    "stopped": 2,
    "leaving": 2,
    "many": 201,
    "adopting": 4,
    "stopping its slot": 2,
}


@pytest.fixture
def trick(shared_agent: Any, an_order: Any, tmp_path: Path) -> Any:
    """Return an order for a task that plays the trick, and the file in which its processes note their pids."""

    def build(name: str, **more: Any) -> Any:
        script, pids = tmp_path / "trick.py", tmp_path / "pids"
        script.write_text(COMMON + TRICKS[name])
        pids.touch()
        settings = {"command": "exec python3 $[Script] $[Pids]"}
        values = (Value(name="Script", value=str(script)), Value(name="Pids", value=str(pids)))
        return an_order({"settings": settings, **more}, values=values), pids

    return build


def noted(pids: Path, at_least: int) -> set[int]:
    deadline = time.monotonic() + 20
    while len(found := pids.read_text().split()) < at_least:
        assert time.monotonic() < deadline, found
        time.sleep(0.02)
    return set(map(int, found))


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("name", TRICKS)
@pytest.mark.parametrize("how", ["aborted", "timed_out"])
def test_nothing_outlives_its_task(shared_gateway: Any, trick: Any, name: str, how: str) -> None:
    order, pids = trick(name, **({"timeout_s": 3} if how == "timed_out" else {}))
    shared_gateway.order(order)
    if how == "aborted":
        noted(pids, COUNTS[name])
        shared_gateway.abort(order.run_id)
    shared_gateway.finished(order.run_id, 2 * END_S)  # so much, because the machine may be busy
    ending = shared_gateway.of(order.run_id, "task_finished")[0]
    assert ending.state == how
    assert noted(pids, 0) - {int(one.split()[0]) for one in ending.killed} == set()
    assert [pid for pid in noted(pids, 0) if is_alive(pid)] == []
