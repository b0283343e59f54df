"""Exclusive: one server over one SQLite file. The kernel lets go of the lock, however its holder ends."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from dispatcher.core.errors import Conflict


class ServedElsewhere(Conflict):
    """Another server has the SQLite file open."""

    code = "datastore.served_elsewhere"

    def __init__(self, file: Path, holder: str) -> None:
        super().__init__(
            f"{file} is served by another dispatcher already{f' (process {holder})' if holder else ''}: "
            "SQLite has room for one server; stop that one, or use PostgreSQL or MariaDB",
            file=str(file),
        )


class ServerLock:
    """Held from its making to ``release``, by a file beside *file* that is called like it with ``.lock`` added.

    :raises ServedElsewhere: if another process holds it.
    """

    def __init__(self, file: Path) -> None:
        self._descriptor = os.open(f"{file}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        if not _try_lock(self._descriptor):
            holder = os.pread(self._descriptor, 20, 0).decode("ascii", "replace") if hasattr(os, "pread") else ""
            os.close(self._descriptor)
            raise ServedElsewhere(file, holder.strip())
        # For people: the lock itself is what counts.
        os.ftruncate(self._descriptor, 0)
        os.write(self._descriptor, f"{os.getpid()}\n".encode())

    def release(self) -> None:
        """Let others in. The file stays: to remove it would let two in."""
        os.close(self._descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            # Far behind what is written there: the locked bytes of a file cannot be read on Windows.
            os.lseek(descriptor, 1 << 20, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            os.lseek(descriptor, 0, os.SEEK_SET)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
