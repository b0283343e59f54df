"""Peers: the packets that an agent sends for others."""

from __future__ import annotations

import logging
import socket
from typing import Any

from dispatcher.agents import peers
from dispatcher.core.networks import PRIVATE, Networks


def test_packet_is_sent_for_each_computer(caplog: Any) -> None:
    caplog.set_level(logging.INFO)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(5)
        macs = ["00:11:22:33:44:55", "80:00:00:48:fe:80:00:00:00:00:00:00", "00:11:22:33:44:66"]
        peers.wake(Networks.parse(PRIVATE), macs, "127.0.0.1", receiver.getsockname()[1])
        packets = [receiver.recv(1000) for _ in range(2)]
    assert packets == [b"\xff" * 6 + bytes.fromhex(mac.replace(":", "")) * 16 for mac in macs[::2]]
    assert [record.getMessage().split()[0] for record in caplog.records] == [
        "peers.woken",
        "peers.not_woken",
        "peers.woken",
    ]


def test_what_may_not_be_called_is_logged_and_no_more(caplog: Any) -> None:
    peers.wake(Networks.parse([]), ["00:11:22:33:44:55"], "127.0.0.1")
    assert "refused by policy" in caplog.text
