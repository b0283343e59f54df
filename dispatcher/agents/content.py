"""Contents at the agent: a cache of what tasks download, by SHA-256.

A content is fetched once, whoever asks for it; a fetch that was cut off is resumed. What has not been used for longest
goes when there is too much. Everything is checked against its hash when it comes and each time that it is used.
"""

from __future__ import annotations

import hashlib
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from dispatcher.tasks.work import Found, Source, TaskFailed

log = logging.getLogger(__name__)

#: How many bytes the cache may hold, unless the agent was told otherwise.
CACHE_BYTES = 1 << 30
_PART = ".part"
#: A fetch that has not gone on for so long is not resumed any more, in seconds.
_ABANDONED_AFTER_S = 86_400
_CHUNK = 1 << 20


class Cache:
    """Contents in the directory *home*, which may be used by several processes at once.

    *find* and *fetch* ask a dispatcher: for what a resource is, and for a content from an offset on.
    """

    def __init__(
        self,
        home: Path,
        max_bytes: int,
        find: Callable[[str], Found],
        fetch: Callable[[str, int], Iterator[bytes]],
    ) -> None:
        self._home = home
        self._max_bytes = max_bytes
        self._find = find
        self._fetch = fetch

    def find(self, resource: str) -> Found:
        """Return what *resource* is (see ``Contents``)."""
        return self._find(resource)

    def open(self, sha256: str, source: Source | None = None) -> BinaryIO:
        """Return a stream of the content (see ``Contents``)."""
        self._home.mkdir(mode=0o700, parents=True, exist_ok=True)
        file, path = self._home / sha256, self._home / f"{sha256}{_PART}"
        with _locked(path) as part:
            stream = _checked(file, sha256)
            if stream is None:
                self._complete(part, sha256, source or (lambda offset: self._fetch(sha256, offset)))
                path.replace(file)
                stream = file.open("rb")
            else:
                path.unlink()
        self._evict(sha256)
        return stream

    def _complete(self, part: BinaryIO, sha256: str, source: Source) -> None:
        """Fetch what is missing in *part*; all of it, if what is there turns out to be something else."""
        offset = part.seek(0, os.SEEK_END)
        while True:
            for data in source(offset):
                part.write(data)
            part.flush()
            os.fsync(part.fileno())
            part.seek(0)
            found = _sha256(part)
            if found == sha256:
                return
            part.seek(0)
            part.truncate()
            if not offset:
                raise TaskFailed(f"the content has the SHA-256 {found}, not {sha256}")
            offset = 0

    def _evict(self, spared: str) -> None:
        """Remove what was not used for longest until the rest fits; never *spared*, nor what is being fetched."""
        found = []
        for file in self._home.iterdir():
            try:
                status = file.stat()
            except FileNotFoundError:
                continue  # another task has removed it
            if file.suffix != _PART or time.time() - status.st_mtime > _ABANDONED_AFTER_S:
                found.append((status.st_mtime_ns, status.st_size, file))
        size = sum(length for _, length, _ in found)
        for _, length, file in sorted(found):
            if size <= self._max_bytes:
                return
            if file.name != spared:
                file.unlink(missing_ok=True)
                size -= length


def _checked(file: Path, sha256: str) -> BinaryIO | None:
    """Return a stream of *file* and count it as used; None if it is not there or damaged (it is removed then)."""
    try:
        stream = file.open("rb")
    except FileNotFoundError:
        return None
    if _sha256(stream) != sha256:
        stream.close()
        log.warning("cache.damaged sha256=%s", sha256)
        file.unlink(missing_ok=True)
        return None
    stream.seek(0)
    os.utime(file)
    return stream


def _sha256(stream: BinaryIO) -> str:
    digest = hashlib.sha256()
    while data := stream.read(_CHUNK):
        digest.update(data)
    return digest.hexdigest()


@contextmanager
def _locked(file: Path) -> Iterator[BinaryIO]:
    """Give *file*, open for reading and writing, to one process at a time."""
    while True:
        with os.fdopen(os.open(file, os.O_RDWR | os.O_CREAT, 0o600), "rb+") as stream:
            if sys.platform != "win32":
                import fcntl

                fcntl.flock(stream, fcntl.LOCK_EX)
            # Whoever had it before may have given it its final name, or removed it.
            if _is_at(stream, file):
                yield stream
                return


def _is_at(stream: BinaryIO, file: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(stream.fileno()), file.stat())
    except FileNotFoundError:
        return False
