"""ICMP: echo requests ("ping"), all of them by one socket for IPv4 and one for IPv6.

One socket, not one for each address: a raw socket gets every answer that comes to this computer, so that a thousand of
them would read a thousand copies of each. An answer is known by the random token that it brings back and by its sender.
Whoever waits costs no descriptor, so thousands may; how many requests are sent in a second is bounded in place of that.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import secrets
import socket
import struct
import sys
from collections.abc import Callable
from contextlib import nullcontext, suppress

from dispatcher.core.computers import Way
from dispatcher.tasks.discovering.attached import Attached
from dispatcher.tasks.discovering.order import PINGS_PER_S
from dispatcher.tasks.discovering.pacing import Pace
from dispatcher.tasks.discovering.probes import Answer, Waiting

#: Types of messages: RFC 792, RFC 4443.
_REQUEST = {socket.AF_INET: 8, socket.AF_INET6: 128}
_REPLY = {socket.AF_INET: 0, socket.AF_INET6: 129}
_HEADER = struct.Struct("!BBHHH")
_TOKEN_BYTES = 16
#: How many requests are sent before answers are read: those of a fast network come at once.
_BURST = 64
#: How many addresses of networks that this computer is attached to are waited for at a time (see ``attached``).
MOST_ATTACHED = 512
#: This computer had no room for a request: it is as if it was lost on its way, and there may be a next time.
_NO_ROOM = frozenset({errno.ENOBUFS, errno.ENOMEM})
#: Have the system give answers only (``linux/icmp.h``, RFC 3542): a raw socket gets everything otherwise.
_FILTERS = {
    socket.AF_INET: (255, 1, struct.pack("=I", ~(1 << 0) & 0xFFFF_FFFF)),
    socket.AF_INET6: (
        socket.IPPROTO_ICMPV6,
        1,
        struct.pack("=8I", *[0xFFFF_FFFF] * 4, ~2 & 0xFFFF_FFFF, *[0xFFFF_FFFF] * 3),
    ),
}
#: Room for answers that come at once, in bytes.
_BUFFER_BYTES = 1 << 20

Opener = Callable[[socket.AddressFamily], socket.socket]


class NotPermitted(OSError):
    """Echo requests are not for this process."""


def open_socket(family: socket.AddressFamily) -> socket.socket:
    """Return a socket for echo requests: an unprivileged one where the system has that, else a raw one.

    :raises NotPermitted: if neither may be had.
    :raises OSError: if this computer does not have the family.
    """
    protocol = socket.IPPROTO_ICMP if family is socket.AF_INET else socket.IPPROTO_ICMPV6
    for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):
        if kind is socket.SOCK_DGRAM and sys.platform == "win32":
            continue  # it would be one for UDP
        with suppress(PermissionError):
            return socket.socket(family, kind, protocol)
    raise NotPermitted("echo requests need a raw socket, or a group in net.ipv4.ping_group_range")


class Pinger:
    """Asks for echoes, *per_s* a second at most. *opener* makes sockets as ``open_socket`` does."""

    way = Way.ICMP

    def __init__(
        self, opener: Opener = open_socket, per_s: int = PINGS_PER_S, attached: Attached | None = None
    ) -> None:
        self._opener = opener
        self._pace = Pace(per_s, _BURST)
        self._attached = Attached() if attached is None else attached
        self._near = asyncio.Semaphore(MOST_ATTACHED)
        self._echoes: dict[socket.AddressFamily, _Echo] = {}

    async def ask(self, address: str, waiting: Waiting) -> Answer | None:
        """Return an empty answer if the computer echoes, else None (see ``Probe``).

        :raises NotPermitted: if this process may not ask.
        """
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        echo = self._echoes.get(family)
        if echo is None:
            try:
                self._echoes[family] = echo = _Echo(self._opener(family), family, self._pace)
            except NotPermitted:
                raise
            except OSError:
                return None  # a family that this computer does not have reaches nobody
        plain = ipaddress.ip_address(address.partition("%")[0])
        async with self._near if plain in self._attached else nullcontext():
            return Answer() if await echo.ask(address, waiting) else None

    async def close(self) -> None:
        """Let go of the sockets."""
        for echo in self._echoes.values():
            await echo.close()
        self._echoes.clear()


class _Echo:
    """A socket for all requests of one family, with a task that reads what comes back."""

    def __init__(self, stream: socket.socket, family: socket.AddressFamily, pace: Pace) -> None:
        self._socket = stream
        self._family = family
        self._pace = pace
        self._waiting: dict[bytes, tuple[str, asyncio.Future[bool]]] = {}
        self._identifier = secrets.randbits(16)
        self._sequence = 0
        self._turn = asyncio.Lock()
        stream.setblocking(False)
        with suppress(OSError):
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        if stream.type is socket.SOCK_RAW and sys.platform == "linux":
            with suppress(OSError):
                stream.setsockopt(*_FILTERS[family])
        self._reader = asyncio.get_running_loop().create_task(self._read())

    async def ask(self, address: str, waiting: Waiting) -> bool:
        """Return whether *address* echoes; it is asked again after each time-out."""
        token = secrets.token_bytes(_TOKEN_BYTES)
        answered: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting[token] = _plain(address), answered
        try:
            # Numbers only: nothing is resolved. The zone of a link-local address becomes a number, too.
            [(*_, target), *_] = socket.getaddrinfo(address, 0, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST)
            for _ in range(waiting.times):
                if not await self._send(token, target):
                    return False
                with suppress(TimeoutError):
                    async with asyncio.timeout(waiting.timeout_s):
                        return await asyncio.shield(answered)
            return False
        finally:
            del self._waiting[token]
            answered.cancel()

    async def _send(self, token: bytes, target: tuple[object, ...]) -> bool:
        """Send a request; return False if there is no way to *target*."""
        self._sequence = (self._sequence + 1) & 0xFFFF
        parts = _REQUEST[self._family], 0, 0, self._identifier, self._sequence
        packet = _HEADER.pack(*parts) + token
        if self._family is socket.AF_INET:  # of IPv6 the system does the sum
            packet = _HEADER.pack(*parts[:2], checksum(packet), *parts[3:]) + token
        try:
            async with self._turn:
                await self._pace.turn()
                await asyncio.get_running_loop().sock_sendto(self._socket, packet, target)
                if self._sequence % _BURST == 0:
                    await asyncio.sleep(0)
        except OSError as error:
            # False also where a local firewall forbids it, and for broadcasts, which nobody has asked for.
            return error.errno in _NO_ROOM
        return True

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                packet, (sender, *_) = await loop.sock_recvfrom(self._socket, 2048)
            except OSError:
                # The system tells here, too, what has become of an earlier request.
                await asyncio.sleep(0.01)
                continue
            self._take(packet, sender)

    def _take(self, packet: bytes, sender: str) -> None:
        if self._family is socket.AF_INET and packet[:1] and packet[0] >> 4 == 4:
            packet = packet[(packet[0] & 15) * 4 :]  # raw sockets give the IP header, too
        if len(packet) < _HEADER.size + _TOKEN_BYTES or packet[0] != _REPLY[self._family]:
            return
        address, answered = self._waiting.get(packet[_HEADER.size :][:_TOKEN_BYTES], ("", None))
        if answered is not None and not answered.done() and _plain(sender) == address:
            answered.set_result(True)

    async def close(self) -> None:
        """Read nothing more."""
        self._reader.cancel()
        with suppress(asyncio.CancelledError):
            await self._reader
        self._socket.close()


def checksum(packet: bytes) -> int:
    """Return the Internet checksum of *packet* (RFC 1071)."""
    if len(packet) % 2:
        packet += b"\0"
    total: int = sum(struct.unpack(f"!{len(packet) // 2}H", packet))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _plain(address: str) -> str:
    """Return *address* as others write it, too, without its zone."""
    return str(ipaddress.ip_address(address.partition("%")[0]))
