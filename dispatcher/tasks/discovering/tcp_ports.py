"""TCP ports: which of them are open, found by connecting. A refusal shows a computer, too."""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
import sys
from collections.abc import Sequence
from contextlib import suppress
from enum import Enum

from dispatcher.core.computers import Way
from dispatcher.tasks.discovering.probes import Answer, Waiting, together

#: How many ports of one computer are tried at a time.
PORTS_AT_A_TIME = 8
#: How many descriptors this process needs for other things: of each computer that is asked, and altogether.
_OTHERS, _SPARE = 3, 100
#: How many connections are tried at a time where nobody says how many descriptors there are, and at least.
_MOST, _LEAST = 2_000, 16
_REFUSALS = frozenset({errno.ECONNREFUSED, errno.ECONNRESET, errno.ECONNABORTED})
#: This computer is at its limits: nothing is known of the other one then.
_OWN_LIMITS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL})
#: Closing a connection resets it: thousands of them leave nothing behind here.
_RESET = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)


class State(Enum):
    """What became of a connection."""

    OPEN = "open"
    REFUSED = "refused"
    SILENT = "silent"


class PortScan:
    """Tries *ports* of each computer; of all computers together at most *connections* at a time."""

    way = Way.PORTS

    def __init__(self, ports: Sequence[int], connections: int) -> None:
        self._ports = sorted(set(ports))
        self._free = asyncio.Semaphore(connections)

    async def ask(self, address: str, waiting: Waiting) -> Answer | None:
        """Return the open ports, perhaps none, if the computer answers at one of them (see ``Probe``)."""
        remaining = iter(self._ports)
        states: dict[int, State] = {}

        async def try_ports() -> None:
            for port in remaining:
                states[port] = await self._try(address, port, waiting)

        await together(try_ports() for _ in range(min(PORTS_AT_A_TIME, len(self._ports))))
        if all(state is State.SILENT for state in states.values()):
            return None
        return Answer(ports=tuple(sorted(port for port, state in states.items() if state is State.OPEN)))

    async def _try(self, address: str, port: int, waiting: Waiting) -> State:
        async with self._free:
            return await attempt(address, port, waiting)

    async def close(self) -> None:
        """Do nothing: every connection is closed at once."""


async def attempt(address: str, port: int, waiting: Waiting) -> State:
    """Try to connect, again after each time-out.

    :raises OSError: if this computer can make no more connections.
    """
    for _ in range(waiting.times):
        with suppress(TimeoutError):
            async with asyncio.timeout(waiting.timeout_s):
                return await connect(address, port)
    return State.SILENT


async def connect(address: str, port: int) -> State:
    """Try a connection until it is decided. Where no way leads there, that is silence.

    :raises OSError: if this computer can make no more connections.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as stream:
            stream.setblocking(False)
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            [(*_, target), *_] = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
            await asyncio.get_running_loop().sock_connect(stream, target)
            return State.OPEN
    except TimeoutError:
        return State.SILENT  # the system's own, which is an OSError too
    except OSError as error:
        if error.errno in _OWN_LIMITS:
            raise
        return State.REFUSED if error.errno in _REFUSALS else State.SILENT


def connections(parallel: int) -> int:
    """Return how many connections may be tried at a time when *parallel* computers are asked at a time.

    This process is given the descriptors for that, as far as the system lets it.
    """
    wanted = PORTS_AT_A_TIME * parallel
    if sys.platform == "win32":
        return min(wanted, _MOST)
    else:  # noqa: RET505 - the type checker knows what it must not look at
        import resource

        others = _OTHERS * parallel + _SPARE
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft != resource.RLIM_INFINITY and soft < wanted + others:
            soft = wanted + others if hard == resource.RLIM_INFINITY else min(wanted + others, hard)
            with suppress(OSError, ValueError):  # macOS has a lower limit than it says
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return wanted if soft == resource.RLIM_INFINITY else max(_LEAST, min(wanted, soft - others))
