"""A network where nobody answers a ping: loopback in a network namespace of its own, told to ignore echo requests."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from needed import missing

#: Makes the namespace silent, then does the two discoveries and prints what they took.
PROGRAM = """
import asyncio, fcntl, json, pathlib, socket, struct, sys, time
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
    fcntl.ioctl(one, 0x8914, struct.pack("16sh22x", b"lo", 1))  # SIOCSIFFLAGS: up
pathlib.Path("/proc/sys/net/ipv4/icmp_echo_ignore_all").write_text("1")

from dispatcher.core.networks import Networks
from dispatcher.tasks import discovery
from dispatcher.tasks.discovering.order import DiscoveryOrder
from dispatcher.tasks.work import Tools

lines = []
class Told(Tools):
    def say(self, text):
        lines.append(text)

folder = pathlib.Path(sys.argv[1])
tools = Told({}, folder, folder, folder / "outputs", Networks.parse(["127.0.0.0/8"]), None, False, folder)

def order(end, timeout_ms):
    one = {"kind": "range", "start": "127.9.0.0", "end": end, "timeout_ms": timeout_ms, "retry": 1}
    options = {"icmp": True, "verify_with_ping": True, "port_scan": True}
    return DiscoveryOrder.model_validate({"targets": [one], "options": options, "pings_per_s": 20_000})

def echoes():
    names, values = [line.split() for line in open("/proc/net/snmp") if line.startswith("IcmpMsg:")]
    return int(dict(zip(names, values)).get("InType8", 0))

async def abort():
    before, until = echoes(), time.monotonic() + 20
    task = asyncio.create_task(discovery._discover(order("127.9.255.255", 60_000), tools))
    while echoes() < before + 2048 and time.monotonic() < until:
        await asyncio.sleep(0.1)
    await asyncio.sleep(0.1)
    began = time.monotonic()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return time.monotonic() - began

began = time.monotonic()
said = asyncio.run(discovery._discover(order("127.9.15.255", 300), tools))
told = {"said": said, "took_s": time.monotonic() - began, "echoes": echoes(), "lines": lines[:]}
told["aborted_s"] = asyncio.run(abort())
told["waited_for"] = echoes() - told["echoes"]
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What the program has told."""
    unshare = shutil.which("unshare")
    # As root there, where it may not be root here.
    inside = [unshare or "", "--net", "--map-root-user"]
    check = [*inside, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/icmp_echo_ignore_all"]
    if not unshare or subprocess.run(check, capture_output=True, check=False).returncode:
        missing("the right to make a network namespace")
    folder: Path = tmp_path_factory.mktemp("silent")
    command = [*inside, sys.executable, "-c", PROGRAM, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_thousands_of_silent_addresses_are_waited_for_at_a_time(told: Any) -> None:
    assert told["said"] == "0 computers found, 4096 addresses did not answer, 0 refused by policy"
    assert told["lines"] == ["127.9.0.0 - 127.9.15.255\tNo answer\t"]
    # Two rounds of 2 x 0.3 s; by 128 at a time it would be 32 of them.
    assert 1.2 <= told["took_s"] < 8


def test_each_is_asked_as_often_as_said(told: Any) -> None:
    assert told["echoes"] == 2 * 4096


def test_it_is_aborted_within_a_second_however_many_are_waited_for(told: Any) -> None:
    assert told["waited_for"] == 2048
    assert told["aborted_s"] < 1
