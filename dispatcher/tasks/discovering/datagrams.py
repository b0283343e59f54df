"""Datagrams: questions by UDP to many computers, by one socket for each family of addresses."""

from __future__ import annotations

import asyncio
import errno
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from dispatcher.tasks.discovering.probes import T, Waiting

#: The longest answer that is looked at, in bytes: the rest of what is longer is lost.
LONGEST = 8_192
#: How many datagrams of one computer are looked at that are no answer; it is not waited for any longer then.
MOST_NONSENSE = 16
#: How many datagrams are taken before others of this process have their turn.
_AT_A_TIME = 32
#: Linux tells by them that nobody listens at a port (ip(7), ipv6(7)); Python does not name them.
_ERRORS = {socket.AF_INET: (socket.IPPROTO_IP, 11), socket.AF_INET6: (socket.IPPROTO_IPV6, 25)}
#: What sending says of a computer that cannot be reached from here.
_UNREACHABLE = {
    errno.EHOSTUNREACH,
    errno.ENETUNREACH,
    errno.ENETDOWN,
    errno.EHOSTDOWN,
    errno.EACCES,
    errno.EPERM,
    errno.EINVAL,
    errno.EADDRNOTAVAIL,
    errno.EAFNOSUPPORT,
}

_Peer = tuple[Any, ...]


class Malformed(ValueError):
    """A datagram is no answer to the question."""


class _Waiter:
    """Somebody who waits for an answer; what it becomes is in ``done``, None if nobody will answer."""

    def __init__(self, read: Callable[[bytes], Any]) -> None:
        self.read = read
        self.nonsense = 0
        self.done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def settle(self, answer: Any) -> None:
        """End the waiting."""
        if not self.done.done():
            self.done.set_result(answer)


class Datagrams:
    """Asks one port of many computers. Only what comes from there counts as an answer."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._sockets: dict[int, socket.socket] = {}
        self._waiting: dict[_Peer, list[_Waiter]] = {}
        self._closed = False

    async def ask(
        self, address: str, questions: Sequence[bytes], read: Callable[[bytes], T], waiting: Waiting
    ) -> T | None:
        """Send *questions* to *address* and return what *read* makes of the first answer; None if there is none.

        *read* raises ``Malformed`` for what is no answer; the right one may still come then.

        :raises OSError: if this computer has no sockets left.
        """
        family, peer = _peer(address, self._port)
        opened = self._socket(family)
        waiter = _Waiter(read)
        self._waiting.setdefault(peer, []).append(waiter)
        try:
            for _ in range(waiting.times):
                if not all(_send(opened, question, peer) for question in questions):
                    return None
                with suppress(TimeoutError):
                    async with asyncio.timeout(waiting.timeout_s):
                        return await asyncio.shield(waiter.done)
            return None
        finally:
            self._forget(peer, waiter)

    async def close(self) -> None:
        """Close the sockets; who still waits is told that there is no answer."""
        self._closed = True
        for opened in self._sockets.values():
            asyncio.get_running_loop().remove_reader(opened)
            opened.close()
        self._sockets.clear()
        for waiters in self._waiting.values():
            for waiter in waiters:
                waiter.settle(None)

    def _forget(self, peer: _Peer, waiter: _Waiter) -> None:
        left = [one for one in self._waiting.get(peer, []) if one is not waiter]
        if left:
            self._waiting[peer] = left
        else:
            self._waiting.pop(peer, None)

    def _socket(self, family: int) -> socket.socket:
        """Return the socket of *family*.

        :raises OSError: if there is none to be had.
        """
        if self._closed:
            raise OSError("nobody is asked any more")
        if family not in self._sockets:
            opened = socket.socket(family, socket.SOCK_DGRAM)
            opened.setblocking(False)
            if sys.platform == "linux":
                level, option = _ERRORS[socket.AddressFamily(family)]
                with suppress(OSError):
                    opened.setsockopt(level, option, 1)
            asyncio.get_running_loop().add_reader(opened, self._arrived, opened)
            self._sockets[family] = opened
        return self._sockets[family]

    def _arrived(self, opened: socket.socket) -> None:
        for _ in range(_AT_A_TIME):
            try:
                data, peer = opened.recvfrom(LONGEST)
            except BlockingIOError:
                break
            except OSError:  # news of somebody who does not listen: the queue says of whom
                continue
            self._answered(peer, data)
        for peer in _silent(opened):
            for waiter in self._waiting.get(peer, ()):
                waiter.settle(None)

    def _answered(self, peer: _Peer, data: bytes) -> None:
        for waiter in self._waiting.get(peer, ()):
            try:
                waiter.settle(waiter.read(data))
            except Malformed:
                waiter.nonsense += 1
                if waiter.nonsense >= MOST_NONSENSE:
                    waiter.settle(None)


def _peer(address: str, port: int) -> tuple[int, _Peer]:
    """Return the family of *address*, and how sockets name it with *port*.

    :raises OSError: if it is no address.
    """
    flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    family, *_, peer = socket.getaddrinfo(address, port, type=socket.SOCK_DGRAM, flags=flags)[0]
    return family, peer


def _send(opened: socket.socket, question: bytes, peer: _Peer) -> bool:
    """Send *question*; return whether *peer* can be reached at all."""
    for _ in range(_AT_A_TIME):
        try:
            opened.sendto(question, peer)
        except ConnectionRefusedError:
            continue  # that is news of somebody else, and it was not sent
        except BlockingIOError:
            return True  # as if it was lost on its way: it is sent again if there is a next time
        except OSError as error:
            if error.errno in _UNREACHABLE:
                return False
            if error.errno == errno.ENOBUFS:
                return True
            raise
        return True
    return True


def _silent(opened: socket.socket) -> list[_Peer]:
    """Return who is known not to listen."""
    found: list[_Peer] = []
    if sys.platform != "linux":
        return found
    with suppress(OSError):
        for _ in range(_AT_A_TIME):
            *_, peer = opened.recvmsg(1, 512, socket.MSG_ERRQUEUE | socket.MSG_DONTWAIT)
            found.append(tuple(peer))
    return found
