"""Hardware: the MAC addresses of computers on the same network, as the system has learned them by talking to them."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import shutil
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from dispatcher.core.computers import Way
from dispatcher.tasks.discovering.probes import Answer, Waiting

#: How long what was read of the table is good, in seconds: it is read once for many computers.
FRESH_S = 0.5
#: How long a program that shows the table may take, in seconds.
_PROGRAM_S = 10.0
_ARP = Path("/proc/net/arp")
#: An entry of Linux's table that is complete (``ATF_COM`` of ``linux/if_arp.h``).
_COMPLETE = 0x2
_MAC = re.compile(r"[0-9A-Fa-f]{1,2}(?:[:-][0-9A-Fa-f]{1,2}){5}")
#: The groups that everybody listens to, and nobody: no computer's address.
_NOBODY = frozenset({"00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff"})


class Neighbours:
    """The addresses of this computer itself, and its neighbours, by address."""

    way = Way.MAC

    def __init__(self, arp: Path = _ARP) -> None:
        self._arp = arp
        self._own = dict(_own())
        self._known: dict[str, str] = {}
        self._read_at = float("-inf")
        self._reading = asyncio.Lock()

    async def ask(self, address: str, waiting: Waiting) -> Answer | None:  # noqa: ARG002 - nobody is waited for
        """Return the MAC address of *address*, if it is on a network of this computer (see ``Probe``).

        It must have been talked to before: nothing is sent.
        """
        key = _key(address)
        mac = self._own.get(key) or self._known.get(key)
        if not mac and not ipaddress.ip_address(key).is_loopback:  # no neighbour has those
            await self._read()
            mac = self._known.get(key)
        return Answer(mac=mac) if mac else None

    async def close(self) -> None:
        """Do nothing: nothing is open."""

    async def _read(self) -> None:
        """Read the table, not before the one that was read last is stale."""
        asked_at = time.monotonic()
        async with self._reading:
            if self._read_at >= asked_at:
                return  # read since
            await asyncio.sleep(self._read_at + FRESH_S - time.monotonic())
            self._read_at = time.monotonic()
            self._known = dict(self._neighbours())
            for command in _programs():
                self._known |= dict(in_text(await _output(command)))

    def _neighbours(self) -> Iterator[tuple[str, str]]:
        """Give what the kernel says of IPv4 (proc(5)): address, type, flags, MAC address, mask, device."""
        with suppress(OSError):
            for line in self._arp.read_text("ascii", "replace").splitlines()[1:]:
                address, _, flags, mac, *_ = line.split()
                if int(flags, 16) & _COMPLETE and mac not in _NOBODY:
                    yield _key(address), mac.lower()


def normal(mac: str) -> str:
    """Return *mac* as ``00:11:22:33:44:55``; empty if it is none, or that of nobody."""
    digits = re.sub("[^0-9a-f]", "", mac.lower())
    if len(digits) != 12:
        return ""
    written = ":".join(digits[place : place + 2] for place in range(0, 12, 2))
    return "" if written in _NOBODY else written


def in_text(text: str) -> Iterator[tuple[str, str]]:
    """Give the neighbours in the output of ``ip neigh``, ``arp -an`` or ``ndp -an``, whatever else they write."""
    for line in text.splitlines():
        found = _MAC.search(line)
        if found is None:
            continue
        mac = normal(":".join(part.zfill(2) for part in re.split("[:-]", found[0])))
        for word in line[: found.start()].replace("(", " ").replace(")", " ").split():
            with suppress(ValueError):
                key = _key(word)
                if mac:
                    yield key, mac
                break


def _programs() -> list[list[str]]:
    """Return the commands that tell what no file does."""
    others = [["arp", "-an"], ["ndp", "-an"]]  # macOS and its kin
    return {"linux": [["ip", "-6", "neigh", "show"]], "win32": [["arp", "-a"]]}.get(sys.platform, others)


async def _output(command: list[str]) -> str:
    program = shutil.which(command[0])
    if program is None:
        return ""
    pipe, nothing = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    try:
        process = await asyncio.create_subprocess_exec(
            program, *command[1:], stdin=nothing, stdout=pipe, stderr=nothing
        )
    except OSError:
        return ""
    try:
        async with asyncio.timeout(_PROGRAM_S):
            output, _ = await process.communicate()
    except TimeoutError:
        return ""
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return output.decode("utf-8", "replace")


def _own() -> Iterator[tuple[str, str]]:
    """Give the addresses of this computer."""
    import psutil

    for addresses in psutil.net_if_addrs().values():
        macs = [mac for one in addresses if one.family == psutil.AF_LINK and (mac := normal(one.address))]
        for one in addresses:
            if macs and one.family in (socket.AF_INET, socket.AF_INET6):
                yield _key(one.address), macs[0]


def _key(address: str) -> str:
    return str(ipaddress.ip_address(address.partition("%")[0]))
