"""Wake-on-LAN: sends the magic packet that switches sleeping computers on, to the network of this agent."""

from __future__ import annotations

import re
import socket
from typing import Annotated

from pydantic import Field

from dispatcher.core.errors import InvalidValue
from dispatcher.core.networks import Networks
from dispatcher.tasks import targets
from dispatcher.tasks.types import TaskSettings, Text
from dispatcher.tasks.work import Tools, WorkType

#: Everybody on the network that this computer is in. No router passes it on, so no policy is asked.
BROADCAST = "255.255.255.255"
#: The port that packets go to: nobody listens there, the network card reads them.
PORT = 9
_DIGITS = re.compile(r"[0-9a-f]{12}")


class WakeOnLanSettings(TaskSettings):
    """What a wake-on-LAN task does."""

    macs: Annotated[list[Annotated[Text, Field(min_length=1)]], Field(min_length=1, max_length=1000)]
    address: Annotated[Text, Field(min_length=1)] = BROADCAST  #: a broadcast address, or that of a relay
    port: Annotated[int, Field(ge=1, le=65535)] = PORT


class WakeOnLan(WorkType[WakeOnLanSettings]):
    """Wakes computers."""

    name = "wake_on_lan"
    Settings = WakeOnLanSettings

    def summary(self, settings: WakeOnLanSettings) -> str:
        """Return whom it wakes."""
        return ", ".join(settings.macs)[:80]

    def do(self, settings: WakeOnLanSettings, tools: Tools) -> str:
        """Send a packet for each; whether anybody wakes up is not known.

        :raises InvalidValue: if a MAC address is none.
        :raises RefusedByPolicy: if the address may not be called.
        """
        macs = [tools.fill(mac) for mac in settings.macs]
        wake(tools.networks, macs, tools.fill(settings.address), settings.port)
        for mac in macs:
            tools.say(f"sent to {mac}")
        return ""


def wake(networks: Networks, macs: list[str], address: str = BROADCAST, port: int = PORT) -> None:
    """Send the magic packets of *macs* to *address*.

    :raises InvalidValue: if a MAC address is none; nothing is sent then.
    :raises RefusedByPolicy: if *address* may not be called.
    :raises OSError: if it cannot be reached.
    """
    import wakeonlan

    packets = [wakeonlan.create_magic_packet(_plain(mac)) for mac in macs]
    if address != BROADCAST:
        address = targets.addresses(networks, address, port, socket.SOCK_DGRAM)[0]
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        for packet in packets:
            sender.sendto(packet, (address, port))


def _plain(mac: str) -> str:
    digits = re.sub("[:.-]", "", mac.strip()).lower()
    if not _DIGITS.fullmatch(digits):
        raise InvalidValue("macs", f"{mac!r:.40} is no MAC address, such as 00:11:22:33:44:55")
    return digits


TYPE = WakeOnLan()
