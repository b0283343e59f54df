"""Positions: files read and written at a position, also by several threads, on Windows too."""

from __future__ import annotations

import io
import os
import sys
from threading import Lock
from typing import BinaryIO

if sys.platform == "win32":
    _lock = Lock()  # there a file has but one position, which all duplicates of its descriptor share

    def read_at(descriptor: int, most: int, position: int) -> bytes:
        """Return what stands at *position*, at most so many bytes; nothing at the end."""
        with _lock:
            os.lseek(descriptor, position, os.SEEK_SET)
            return os.read(descriptor, most)

    def write_at(descriptor: int, data: bytes, position: int) -> int:
        """Write *data* at *position*; return how much of it was written."""
        with _lock:
            os.lseek(descriptor, position, os.SEEK_SET)
            return os.write(descriptor, data)

    def stream_from(descriptor: int, position: int) -> BinaryIO:
        """Return a stream that reads from *position* on; it leaves *descriptor* open."""
        return io.BufferedReader(_Reading(descriptor, position))

    class _Reading(io.RawIOBase):
        def __init__(self, descriptor: int, position: int) -> None:
            self._descriptor = descriptor
            self._position = position

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
            data = read_at(self._descriptor, len(buffer), self._position)
            buffer[: len(data)] = data
            self._position += len(data)
            return len(data)

else:
    read_at = os.pread
    write_at = os.pwrite

    def stream_from(descriptor: int, position: int) -> BinaryIO:
        """Return a stream that reads from *position* on; it leaves *descriptor* open."""
        stream = os.fdopen(os.dup(descriptor), "rb")
        stream.seek(position)
        return stream
