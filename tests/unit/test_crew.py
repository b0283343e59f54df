"""The crew's parent: starts dead members again, ever more patiently, and ends them all when it is told to."""

from __future__ import annotations

import itertools
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from dispatcher.addresses import Address
from dispatcher.config import load
from dispatcher.crew import NoCrew, reserve, run

SCRIPT = """
import sys, time
from dispatcher.crew import Crew

def work(index, is_first):
    with open(sys.argv[1], "a") as file:
        file.write(f"{index} {is_first} {time.monotonic()}\\n")
    if index == 0:
        return 3
    time.sleep(60)

Crew(2, work).run()
"""


@pytest.mark.skipif(not hasattr(signal, "sigtimedwait"), reason="needs Linux")
def test_a_member_that_dies_again_and_again_is_started_ever_later(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    parent = subprocess.Popen([sys.executable, "-c", SCRIPT, str(notes)], stdout=subprocess.PIPE)
    deadline = time.monotonic() + 30
    while not notes.exists() or notes.read_text().count("\n0 ") < 3:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    members = psutil.Process(parent.pid).children()
    parent.terminate()
    output, _ = parent.communicate(timeout=20)
    assert parent.returncode == 0
    assert psutil.wait_procs(members, timeout=10)[1] == []

    lines = [line.split() for line in notes.read_text().splitlines()]
    assert [line[1] for line in lines if line[0] == "1"] == ["True"]
    dying = [line for line in lines if line[0] == "0"]
    assert [line[1] for line in dying] == ["True"] + ["False"] * (len(dying) - 1)
    gaps = [float(after[2]) - float(before[2]) for before, after in itertools.pairwise(dying)]
    for gap, least in zip(gaps, (0.2, 0.4, 0.8), strict=False):
        assert least <= gap < least + 5
    assert output.count(b"crew.member_ended") >= 3


STUBBORN = """
import os, signal, time
from dispatcher.crew import Crew

def work(index, is_first):
    signal.signal(signal.SIGTERM, lambda *_: os.write(2, b"told\\n"))
    os.write(2, b"ready\\n")
    while True:
        time.sleep(60)

Crew(2, work).run()
"""


@pytest.mark.skipif(not hasattr(signal, "sigtimedwait"), reason="needs Linux")
def test_a_second_signal_kills_the_members() -> None:
    # Their own words go another way than the log of the parent.
    command, devnull = [sys.executable, "-c", STUBBORN], subprocess.DEVNULL
    with subprocess.Popen(command, stdout=devnull, stderr=subprocess.PIPE, text=True) as parent:
        assert parent.stderr is not None
        members: list[psutil.Process] = []
        try:
            assert [parent.stderr.readline() for _ in range(2)] == ["ready\n"] * 2
            members = psutil.Process(parent.pid).children()
            parent.terminate()
            assert [parent.stderr.readline() for _ in range(2)] == ["told\n"] * 2
            parent.terminate()
            assert parent.wait(20) == 0
            assert psutil.wait_procs(members, timeout=10)[1] == []
        finally:
            parent.kill()
            for member in psutil.wait_procs(members, timeout=0)[1]:
                member.kill()


def test_sqlite_has_no_crew(tmp_path: Path) -> None:
    config = load({"datastore": {"url": f"sqlite:///{tmp_path / 'test.db'}"}}, environ={})
    with pytest.raises(NoCrew, match="PostgreSQL or MariaDB"):
        run(config, 2, prepare=lambda *_: None, ready=lambda _: None)
    assert not (tmp_path / "test.db").exists()


def test_every_listener_is_kept_for_the_crew() -> None:
    given = {"web": {"listen": "127.0.0.1:0"}, "agents": {"listen": "127.0.0.1:0"}, "listeners": {"ccs": "127.0.0.1:0"}}
    configured = load(given, environ={})
    with ExitStack() as closing:
        shared = reserve(configured, closing)
        addresses = [shared.web.listen, shared.agents.listen, shared.listeners.ccs]
        ports = {one.port for one in addresses if isinstance(one, Address)}
        assert len(ports) == 3
        assert 0 not in ports
        for port in ports:
            with socket.socket() as another, pytest.raises(OSError, match="in use"):
                another.bind(("127.0.0.1", port))
    for port in ports:
        with socket.socket() as another:
            another.bind(("127.0.0.1", port))


def test_a_listener_that_is_not_wanted_is_not_kept() -> None:
    given = {"web": {"listen": "127.0.0.1:0"}, "agents": {"listen": "127.0.0.1:0"}}
    with ExitStack() as closing:
        assert reserve(load(given, environ={}), closing).listeners.ccs == ""
