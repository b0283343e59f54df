"""Attached networks: what the table of routes of Linux tells."""

from __future__ import annotations

import sys
from ipaddress import ip_address

import pytest

from dispatcher.tasks.discovering.attached import Attached

#: The default by a gateway, two networks of its own, one behind a gateway, one that is down.
ROUTES = """\
Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT
eth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
eth1\t000010AC\t00000000\t0001\t0\t0\t0\t0000F0FF\t0\t0\t0
eth1\t0000000A\t010010AC\t0003\t0\t0\t0\t000000FF\t0\t0\t0
eth2\t0002A8C0\t00000000\t0000\t0\t0\t0\t00FFFFFF\t0\t0\t0
cut
"""


@pytest.mark.skipif(sys.byteorder != "little", reason="the table has the numbers of this computer")
@pytest.mark.parametrize(
    ("address", "is_attached"),
    [
        ("192.168.1.7", True),
        ("172.31.255.255", True),
        ("172.32.0.0", False),
        ("10.1.2.3", False),
        ("192.168.2.7", False),
        ("8.8.8.8", False),
        ("127.0.0.1", False),
        ("::1", False),
        ("fd00::1", True),  # nothing is known of it
    ],
)
def test_networks_without_a_gateway_are_attached(address: str, is_attached: bool) -> None:
    assert (ip_address(address) in Attached(ROUTES)) is is_attached


def test_without_a_table_everything_may_be_but_this_computer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    assert ip_address("8.8.8.8") in Attached()
    assert ip_address("127.8.8.8") not in Attached()


@pytest.mark.skipif(sys.platform != "linux", reason="others have no such table")
def test_the_table_of_this_computer_is_understood() -> None:
    assert ip_address("127.0.0.1") not in Attached()
