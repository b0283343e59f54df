"""Facts: what an agent tells about its computer."""

from __future__ import annotations

import platform
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import tzlocal

from dispatcher import __version__
from dispatcher.agents.protocol import Facts
from dispatcher.core.console import NOBODY, Console

#: The longest name of a time zone or id of a boot that is told.
_LONGEST = 64
_LINUX_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_SYSTEMS = {"linux": "linux", "win32": "windows", "darwin": "macos"}


def read_facts(dispatcher: str, extra: Mapping[str, str], console: Console = NOBODY) -> Facts:
    """Return the facts of this computer; its address is the one that the way to *dispatcher* (a URL) begins with."""
    facts = Facts(
        os=_SYSTEMS.get(sys.platform, sys.platform),
        os_version=platform.platform()[:200],
        hostname=socket.gethostname()[:255],
        address=_address(dispatcher),
        macs=_macs(),
        python=platform.python_version(),
        version=__version__,
        time_zone=_time_zone(),
        boot_id=_boot_id(),
        extra=dict(extra),
    )
    return with_console(facts, console)


def with_console(facts: Facts, console: Console) -> Facts:
    """Return *facts* with what has been seen at the console of the computer."""
    told = {"console_user": console.user, "last_console_user": console.last_user, "console_user_at": console.at}
    return facts.model_copy(update=told)


def task_facts(name: str, facts: Facts) -> dict[str, str]:
    """Return the facts as tasks see them (``@[os]``), those of the settings included."""
    own = facts.model_dump(include={"os", "os_version", "hostname", "address", "python", "version"})
    return {**facts.extra, **own, "name": name}


def _address(url: str) -> str:
    parts = urlsplit(url)
    try:
        family, kind, _, _, target = socket.getaddrinfo(parts.hostname, parts.port or 80, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind) as probe:
            probe.connect(target)  # of a datagram socket: finds the way and sends nothing
            return str(probe.getsockname()[0])
    except OSError:
        return ""  # no name service or no way at the moment; everything else is still worth telling


def _time_zone() -> str:
    try:
        name = tzlocal.get_localzone_name() or ""
    except (LookupError, OSError, ValueError):
        return ""  # the system's own files contradict each other, or name a zone that nobody knows
    return name if name.isascii() and name.isprintable() and len(name) <= _LONGEST else ""


def _boot_id() -> str:
    try:
        return _LINUX_BOOT_ID.read_text(encoding="ascii").strip()[:_LONGEST]
    except (OSError, ValueError):
        return f"{psutil.boot_time():.0f}"  # no Linux: the moment of the boot, about (``core.boots``)


def _macs() -> list[str]:
    addresses = {
        address.address.lower().replace("-", ":")
        for interface in psutil.net_if_addrs().values()
        for address in interface
        if address.family == psutil.AF_LINK
    }
    return sorted(addresses - {"", "00:00:00:00:00:00"})[:64]
