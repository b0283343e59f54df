"""Scratch: the private directory of a slot, for what its run needs. No run finds there what an earlier one has left."""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import stat
import sys
from contextlib import suppress
from pathlib import Path

log = logging.getLogger(__name__)

#: Where the directories of all slots are, below the agent's home.
SCRATCH = "scratch"


class Scratch:
    """The directory of the slot with the process id *slot*; ``path`` is another when a run has tampered with it."""

    def __init__(self, home: Path, slot: int) -> None:
        self._slot = slot
        self._parent = home / SCRATCH
        self.path = self._new_path()

    def prepare(self) -> None:
        """Make ``path`` an empty directory that only this user can enter. If it cannot be made it is missing."""
        with suppress(OSError):
            if self._is_private() and self._is_empty():
                return
        self._give_up()
        try:
            self.path.mkdir(mode=0o700, parents=True)
        except OSError as error:
            log.error("scratch.not_made error=%s", error)

    def clear(self) -> None:
        """Leave nothing in it. An empty directory stays: to make or remove one is to wait for everybody's syncs."""
        try:
            if not self._is_empty():
                shutil.rmtree(self.path)
        except OSError as error:
            log.warning("scratch.not_cleared error=%s", error)
            self._give_up()

    def _give_up(self) -> None:
        """Have another path from now on: whatever a run has put in place of this one is nothing to the next."""
        discard(self.path)
        self.path = self._new_path()

    def _new_path(self) -> Path:
        return self._parent / f"{self._slot}-{secrets.token_hex(4)}"

    def _is_private(self) -> bool:
        """Whether it is a directory of ours, and no link to one, that a run has not opened to others."""
        found = self.path.lstat()
        is_private = stat.S_ISDIR(found.st_mode)
        if sys.platform != "win32":
            is_private = is_private and found.st_uid == os.geteuid() and found.st_mode & 0o777 == 0o700
        return is_private

    def _is_empty(self) -> bool:
        with os.scandir(self.path) as entries:
            return next(entries, None) is None


def discard(path: Path) -> None:
    """Remove a directory with all that is in it, or the link that is in its place, as far as that can be done."""
    with suppress(OSError):
        if path.is_symlink():
            path.unlink()
    shutil.rmtree(path, ignore_errors=True)


def discard_all(home: Path, slot: int) -> None:
    """Remove what is left of the directories of a slot that has ended, as far as that can be done."""
    for path in (home / SCRATCH).glob(f"{slot}-*"):
        discard(path)
