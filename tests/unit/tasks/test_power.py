"""Power and wake-on-LAN: what switches computers off and on."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from pydantic import ValidationError

from dispatcher.core.errors import InvalidValue
from dispatcher.core.networks import RefusedByPolicy
from dispatcher.tasks import power, wake_on_lan
from dispatcher.tasks.work import TaskFailed

HARMLESS = {"action": "reboot", "command": 'printf %s $[Why] > "went down"'}


def test_nothing_goes_down_unless_the_agent_allows_it(workshop: Any) -> None:
    for settings in (HARMLESS, {"action": "shutdown"}, {"action": "log_off"}):
        with pytest.raises(TaskFailed, match=r"refused by policy: .* --allow-power"):
            workshop.do(power.TYPE, settings, PARAM_Why="x")
    assert list(workshop.work.iterdir()) == []


def test_order_that_is_accepted_completes_the_task(workshop: Any) -> None:
    workshop.allows_power = True
    assert workshop.do(power.TYPE, HARMLESS, PARAM_Why="$(update)") == "reboot ordered"
    assert (workshop.work / "went down").read_text() == "$(update)"


def test_order_that_is_refused_fails_it(workshop: Any, monkeypatch: Any) -> None:
    workshop.allows_power = True
    with pytest.raises(TaskFailed, match="refused: exit code 4"):
        workshop.do(power.TYPE, {"action": "reboot", "command": "exit 4"})
    monkeypatch.setattr(power, "system_command", lambda *_: ["no-such-program"])
    with pytest.raises(TaskFailed, match="there is no no-such-program"):
        workshop.do(power.TYPE, {"action": "reboot"})


@pytest.mark.parametrize(
    ("platform", "action", "delay_s", "command"),
    [
        ("linux", "reboot", 61, ["shutdown", "-r", "--", "+2", "bye"]),
        ("linux", "shutdown", 0, ["shutdown", "-h", "--", "+0", "bye"]),
        ("darwin", "reboot", 60, ["shutdown", "-r", "--", "+1", "bye"]),
        ("win32", "reboot", 61, ["shutdown", "/r", "/t", "61", "/c", "bye"]),
        ("win32", "shutdown", 0, ["shutdown", "/s", "/t", "0", "/c", "bye"]),
        ("win32", "log_off", 0, ["logoff", "console"]),
        ("linux", "log_off", 0, ["loginctl", "terminate-seat", "seat0"]),
    ],
)
def test_command_of_each_system(platform: str, action: Any, delay_s: int, command: list[str]) -> None:
    assert power.system_command(platform, action, delay_s, "bye") == command


def test_nobody_is_logged_off_where_that_is_not_known() -> None:
    with pytest.raises(TaskFailed, match="darwin"):
        power.system_command("darwin", "log_off", 0, "")


def test_power_settings() -> None:
    kind = power.TYPE
    assert kind.summary(kind.Settings.model_validate({"action": "log_off", "delay_s": 5})) == "log off in 5 s"
    for settings in ({"action": "explode"}, {"action": "reboot", "message": "a\nb"}, {}):
        with pytest.raises(ValidationError):
            kind.Settings.model_validate(settings)


def test_magic_packets_are_sent(workshop: Any) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(5)
        settings = {"macs": ["$[Mac]", "00-11-22-33-44-55"], "address": "127.0.0.1", "port": receiver.getsockname()[1]}
        workshop.do(wake_on_lan.TYPE, settings, PARAM_Mac="AA:bb:cc:dd:ee:ff")
        packets = [receiver.recv(1000) for _ in range(2)]
    assert packets == [b"\xff" * 6 + bytes.fromhex(mac) * 16 for mac in ("aabbccddeeff", "001122334455")]


def test_packets_go_to_allowed_addresses_only(workshop: Any) -> None:
    with pytest.raises(RefusedByPolicy):
        workshop.do(wake_on_lan.TYPE, {"macs": ["001122334455"], "address": "8.8.8.8"})


@pytest.mark.parametrize("mac", ["", "x", "00:11:22:33:44", "00:11:22:33:44:55:66", "00:11:22:33:44:5g"])
def test_what_is_no_mac_address_sends_nothing(workshop: Any, mac: str) -> None:
    with pytest.raises(InvalidValue, match="is no MAC address"):
        workshop.do(wake_on_lan.TYPE, {"macs": ["$[Mac]"], "address": "127.0.0.1"}, PARAM_Mac=mac)
