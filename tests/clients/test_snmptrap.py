"""Net-SNMP's commands, over a socket: its traps are heeded, and its informs acknowledged."""

from __future__ import annotations

import queue
import subprocess
import time
from collections.abc import Collection, Iterator

import pytest
from client_story import need
from snmp_messages import CHANGED

from dispatcher.snmp import CHANGE_TRAPS
from dispatcher.traps import Rest, Traps

UPTIME_NOW = ""


class Listener:
    """Traps that are listened for, and who has told of a change."""

    def __init__(self) -> None:
        self.heard: queue.Queue[Collection[str]] = queue.Queue()
        self.traps = Traps(
            "127.0.0.1",
            0,
            communities=["secret"],
            ids=CHANGE_TRAPS,
            changed=self.heard.put,
            steady=time.monotonic,
            rest=Rest(quiet_s=0, longest_s=0),
        )

    def told(self, command: str, *arguments: str, version: str = "2c", community: str = "secret") -> bool:
        """Let the command of Net-SNMP send; return whether it ends well."""
        where = f"127.0.0.1:{self.traps.port}"
        options = ["-v", version, "-c", community, "-r", "0", "-t", "2", "-M", "", "-m", ""]
        return subprocess.run([command, *options, where, *arguments], timeout=30, check=False).returncode == 0


@pytest.fixture
def listener() -> Iterator[Listener]:
    need("Net-SNMP", "snmptrap", "-V")
    listener = Listener()
    listener.traps.start()
    yield listener
    listener.traps.stop()


def test_its_traps_of_both_versions_are_heeded(listener: Listener) -> None:
    terminal = ("1.3.6.1.4.1.9.9.43.1.1.6.1.3.7", "i", "1")
    assert listener.told("snmptrap", UPTIME_NOW, CHANGED, *terminal, community="guess")
    for sent in (
        listener.told("snmptrap", UPTIME_NOW, CHANGED, *terminal),
        listener.told("snmptrap", "1.3.6.1.4.1.9.9.43.2", "127.0.0.1", "6", "1", UPTIME_NOW, *terminal, version="1"),
    ):
        assert sent
        assert listener.heard.get(timeout=10) == ["127.0.0.1"]
    assert listener.heard.empty()


def test_its_informs_are_acknowledged(listener: Listener) -> None:
    assert listener.told("snmpinform", UPTIME_NOW, CHANGED)
    assert listener.heard.get(timeout=10) == ["127.0.0.1"]
    assert listener.told("snmpinform", UPTIME_NOW, "1.3.6.1.6.3.1.1.5.4")
    assert not listener.told("snmpinform", UPTIME_NOW, CHANGED, community="guess")
    assert listener.heard.empty()
