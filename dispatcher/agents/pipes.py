"""Pipes and bells that a selector can wait for. Windows waits for sockets only: there a thread passes on what comes."""

from __future__ import annotations

import os
import signal
import sys

_CHUNK = 65536

if sys.platform == "win32":
    import socket
    from threading import Thread

    #: How long what was written to a pipe before it was closed may take to come out, in seconds.
    _REST_S = 2.0

    class Bell:
        """Wakes who waits for it with a selector. May be rung from any thread and from signal handlers."""

        def __init__(self) -> None:
            self._heard, self._rope = socket.socketpair()
            self._heard.setblocking(False)
            self._rope.setblocking(False)

        def fileno(self) -> int:
            """Return what a selector waits for."""
            return self._heard.fileno()

        def ring_on_signals(self) -> None:
            """Ring at every signal that has a handler. Only in the main thread."""
            signal.set_wakeup_fd(self._rope.fileno(), warn_on_full_buffer=False)

        def ring(self) -> None:
            """Wake who waits, or will."""
            try:
                self._rope.send(b"!")
            except BlockingIOError:
                return  # so full that it will ring anyway

        def silence(self) -> None:
            """Take back all rings so far."""
            try:
                self._heard.recv(4096)
            except BlockingIOError:
                return  # silence is what is wanted

    class Inflow:
        """The reading end of a pipe, which is its own from now on."""

        def __init__(self, descriptor: int, *, blocking: bool = True) -> None:
            self._here, there = socket.socketpair()
            self._here.setblocking(blocking)
            Thread(target=self._pass_on, args=(descriptor, there), name="inflow", daemon=True).start()

        def fileno(self) -> int:
            """Return what a selector waits for."""
            return self._here.fileno()

        def read(self, most: int = _CHUNK) -> bytes:
            """Return what has come, at most so many bytes; nothing at the end.

            :raises BlockingIOError: if nothing has come and it does not block.
            """
            try:
                return self._here.recv(most)
            except TimeoutError as error:
                raise BlockingIOError from error

        def expect_end(self) -> None:
            """Have ``read`` wait a little: all who could write have ended, but not all may have been passed on."""
            self._here.settimeout(_REST_S)

        def close(self) -> None:
            """Read nothing more."""
            self._here.close()

        @staticmethod
        def _pass_on(descriptor: int, there: socket.socket) -> None:
            with there:
                try:
                    while data := os.read(descriptor, _CHUNK):
                        there.sendall(data)
                except OSError:
                    return  # nobody reads it any more
                finally:
                    os.close(descriptor)

else:

    class Bell:
        """Wakes who waits for it with a selector. May be rung from any thread and from signal handlers."""

        def __init__(self) -> None:
            self._heard, self._rope = os.pipe()
            os.set_blocking(self._heard, False)
            os.set_blocking(self._rope, False)

        def fileno(self) -> int:
            """Return what a selector waits for."""
            return self._heard

        def ring_on_signals(self) -> None:
            """Ring at every signal that has a handler. Only in the main thread."""
            signal.set_wakeup_fd(self._rope, warn_on_full_buffer=False)

        def ring(self) -> None:
            """Wake who waits, or will."""
            try:
                os.write(self._rope, b"!")
            except BlockingIOError:
                return  # so full that it will ring anyway

        def silence(self) -> None:
            """Take back all rings so far."""
            try:
                os.read(self._heard, 4096)
            except BlockingIOError:
                return  # silence is what is wanted

    class Inflow:
        """The reading end of a pipe, which is its own from now on."""

        def __init__(self, descriptor: int, *, blocking: bool = True) -> None:
            self._descriptor = descriptor
            if not blocking:
                os.set_blocking(descriptor, False)

        def fileno(self) -> int:
            """Return what a selector waits for."""
            return self._descriptor

        def read(self, most: int = _CHUNK) -> bytes:
            """Return what has come, at most so many bytes; nothing at the end.

            :raises BlockingIOError: if nothing has come and it does not block.
            """
            return os.read(self._descriptor, most)

        def expect_end(self) -> None:
            """Do nothing: what was written can be read."""

        def close(self) -> None:
            """Read nothing more."""
            os.close(self._descriptor)
