"""Found computers: what tasks have found, on its way from the file that they leave in scratch to the dispatcher.

Any task of a run can write that file: a line that is no computer is left out, and there is a limit to all of them.
"""

from __future__ import annotations

import logging
import os
import stat
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import BinaryIO

from pydantic import ValidationError

from dispatcher.agents.masking import Masker
from dispatcher.agents.protocol import MOST_COMPUTERS, Computer, Found, Message, RunOrder, dump
from dispatcher.tasks.discovering.findings import FILE

log = logging.getLogger(__name__)

#: How long a line may be, in bytes; what is longer is no computer.
MAX_LINE_BYTES = 1 << 16
#: How much one task may have found.
MAX_BYTES = 1 << 28
#: How often that is done at most while a task goes on and writes, in seconds: of a long one that is cut off much is
#: known then. A discovery writes every minute at least.
EVERY_S = 5.0
#: What one event carries at most, in bytes.
PART_BYTES = 1 << 18
#: Texts that others have made up.
_TEXTS = ("name", "dns_name", "netbios_name", "description")
_OPEN = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


class FoundComputers:
    """What the tasks of one run find, one task after the other."""

    def __init__(self, scratch: Path, order: RunOrder, tell: Callable[[Message], None]) -> None:
        self._file = scratch / FILE
        self._order = order
        self._tell = tell
        self._read_bytes = 0  #: how much of the file was looked at
        self._looked_at = float("-inf")
        self._position, self._end = -1, 0  #: of the task, and how far its lines are looked at

    def glance(self, position: int, secrets: Collection[str]) -> None:
        """Do as ``hand_on``, if that was not done lately: the task goes on.

        :raises BrokenPipeError: if the agent is dead.
        """
        if time.monotonic() - self._looked_at >= EVERY_S:
            self.hand_on(position, secrets, is_over=False)

    def hand_on(self, position: int, secrets: Collection[str], *, is_over: bool = True) -> None:
        """Tell what was added since the last time, by the task at *position*. What cannot be read is left out.

        Before the task *is_over* a line that is not whole is left for the next time.

        :raises BrokenPipeError: if the agent is dead.
        """
        self._looked_at = time.monotonic()
        if position != self._position:
            self._position, self._end = position, self._read_bytes + MAX_BYTES
        try:
            stream = self._open()
        except OSError:
            return
        if stream is None:
            return
        with stream:
            part: list[Computer] = []
            size = 0
            for computer in self._computers(self._lines(stream, is_over=is_over), Masker(secrets)):
                length = len(dump(computer))
                if part and (len(part) == MOST_COMPUTERS or size + length > PART_BYTES):
                    self._send(position, part)
                    part, size = [], 0
                part.append(computer)
                size += length
            if part:
                self._send(position, part)

    def _send(self, position: int, computers: list[Computer]) -> None:
        order = self._order
        self._tell(Found(run_id=order.run_id, fence=order.fence, position=position, computers=computers))

    def _open(self) -> BinaryIO | None:
        """Return the new part of the file, if there is one; anything but a plain file of this directory is none."""
        descriptor = os.open(self._file, _OPEN)
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size <= self._read_bytes:
            os.close(descriptor)
            return None
        stream = os.fdopen(descriptor, "rb")
        stream.seek(self._read_bytes)
        return stream

    def _computers(self, lines: Iterator[bytes], masker: Masker) -> Iterator[Computer]:
        strange = 0
        try:
            for line in lines:
                computer = _computer(line)
                if computer is None:
                    strange += bool(line.strip())
                else:
                    masked = {name: masker.text(text) for name in _TEXTS if (text := getattr(computer, name))}
                    yield computer.model_copy(update=masked)
        except OSError as error:
            if isinstance(error, BrokenPipeError):
                raise
            log.warning("found.unreadable run_id=%s error=%s", self._order.run_id, error)
        if strange:
            log.warning("found.strange_lines run_id=%s count=%d", self._order.run_id, strange)

    def _lines(self, stream: BinaryIO, *, is_over: bool) -> Iterator[bytes]:
        """Give the lines that are whole and not too long; of a cut one nothing."""
        is_inside = False  #: of a line that is too long
        while line := stream.readline(MAX_LINE_BYTES):
            if not is_over and len(line) < MAX_LINE_BYTES and not line.endswith(b"\n"):
                return
            self._read_bytes += len(line)
            if self._read_bytes > self._end:
                log.warning("found.too_much run_id=%s most=%d", self._order.run_id, MAX_BYTES)
                self._read_bytes = os.fstat(stream.fileno()).st_size
                return
            is_whole = line.endswith(b"\n")
            if is_whole and not is_inside:
                yield line
            is_inside = not is_whole


def _computer(line: bytes) -> Computer | None:
    try:
        computer = Computer.model_validate_json(line)
    except ValidationError:
        return None
    return computer if computer.address or computer.name else None
