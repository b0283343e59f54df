"""Bounded sockets: connections of which each answer is short, and comes in time."""

from __future__ import annotations

import socket
import ssl
import time


class TooMuch(OSError):
    """An answer is longer than any that was expected."""


class BoundedSocket:
    """As much of a socket as LDAP's client uses. ``begin`` says what the next answer may take."""

    def __init__(self, inner: socket.socket, timeout_s: float, most_bytes: int) -> None:
        self._inner = inner
        self._timeout_s = timeout_s
        self._most = most_bytes
        self.begin()

    def begin(self) -> None:
        """Let the next answer have all the time and all the bytes."""
        self._ends_at = time.monotonic() + self._timeout_s
        self._left = self._most

    def encrypt(self, context: ssl.SSLContext, name: str) -> None:
        """Speak TLS from now on with the computer called *name*.

        :raises OSError: if that fails, or it is another computer.
        """
        self._inner.settimeout(self._left_s())
        self._inner = context.wrap_socket(self._inner, server_hostname=name)

    def recv(self, most: int) -> bytes:
        """Return the next bytes.

        :raises TimeoutError: if they do not come in time.
        :raises TooMuch: if there are more than the answer may have.
        """
        self._inner.settimeout(self._left_s())
        data = self._inner.recv(min(most, self._left + 1))
        self._left -= len(data)
        if self._left < 0:
            raise TooMuch("the answer is too long")
        return data

    def sendall(self, data: bytes) -> None:
        """Send *data*."""
        self._inner.settimeout(self._left_s())
        self._inner.sendall(data)

    def shutdown(self, how: int) -> None:
        """Do as a socket does."""
        self._inner.shutdown(how)

    def close(self) -> None:
        """Do as a socket does."""
        self._inner.close()

    def _left_s(self) -> float:
        left_s = self._ends_at - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("no answer in time")
        return left_s
