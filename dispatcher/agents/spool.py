"""The spool: an agent's journal of what it started and of every event that its dispatcher has not confirmed.

One file. A line is a checksum, a letter and JSON: ``R`` a run that was taken (its tasks), ``E`` an event to be
delivered, ``A`` how far delivery has been confirmed, ``C`` a run that is no longer ours. ``sync`` puts everything
written on disk; a start counts only after it. Confirmed lines are dropped when the file has grown, but for what is
needed to tell after a crash which runs had started what.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any
from uuid import UUID

from dispatcher.agents.positions import read_at, stream_from, write_at

log = logging.getLogger(__name__)

#: The file grows by so many bytes at a time, filled with zeros: a sync that need not record a new length waits for
#: nobody else who writes to the same file system.
ALLOCATE_BYTES = 1 << 20
#: The file is rewritten when so many bytes of it are confirmed.
COMPACT_BYTES = 1 << 20
_EVENT = re.compile(rb'\{"kind":"([a-z_]+)","run_id":"([0-9a-f-]{36})","fence":(\d+)(?:,"position":(\d+))?')
_sync = getattr(os, "fdatasync", os.fsync)


@dataclass(slots=True)
class TakenTask:
    """What has to be known of a task if the agent dies while it runs."""

    name: str
    repeatable: bool


@dataclass(slots=True)
class OpenRun:
    """A run that has been taken and has not finished."""

    run_id: UUID
    fence: int
    tasks: list[TakenTask]
    started: list[int] = field(default_factory=list)  #: positions
    finished: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Batch:
    """Events to deliver, each as JSON, in order. ``end`` is what to confirm."""

    events: list[bytes]
    end: int
    finished: list[tuple[UUID, int]]  #: run and fence of the runs that end in it
    is_cut: bool = False  #: there are more


class Spool:
    """The journal in one file. Safe to use from several threads.

    :raises OSError: from every method that writes, if the disk is full or broken; nothing is half-written then.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = Lock()
        self._descriptor = _open(file)
        self._open_runs: dict[UUID, OpenRun] = {}
        self._confirmed = 0
        self._size = 0
        self._allocated = 0
        self._unconfirmed_ends: dict[UUID, int] = {}
        self._is_renamed = False  #: to a name that may not be on disk
        self._unwritten_mark = b""  #: the last ``A``: it goes with the line that follows it
        self._load()

    @property
    def backlog(self) -> int:
        """How many bytes are written and not confirmed."""
        return self._size - self._confirmed

    def open_runs(self) -> list[OpenRun]:
        """Return the runs that were taken and have not finished, oldest first."""
        with self._lock:
            return list(self._open_runs.values())

    def open_run(self, run_id: UUID) -> OpenRun | None:
        """Return what is known of a run that has not finished; None of any other."""
        with self._lock:
            return self._open_runs.get(run_id)

    def unconfirmed_ends(self) -> dict[UUID, int]:
        """Return run and fence of the runs whose ends are to be delivered. Only of use right after opening."""
        return dict(self._unconfirmed_ends)

    def take(self, run_id: UUID, fence: int, tasks: Sequence[TakenTask], *events: bytes) -> None:
        """Note that a run has been taken, and add its first *events* (see ``add``)."""
        run = OpenRun(run_id, fence, list(tasks))
        with self._lock:
            self._append(_line(b"R", _dump_run(run)), *(_line(b"E", event) for event in events))
            self._open_runs[run_id] = run
            for event in events:
                self._note(event)

    def add(self, *events: bytes) -> None:
        """Append events, all or none: each JSON without line breaks, ``kind run_id fence position`` first."""
        with self._lock:
            self._append(*(_line(b"E", event) for event in events))
            for event in events:
                self._note(event)

    def close_run(self, run_id: UUID) -> None:
        """Forget a run: after a crash nothing is said about it."""
        with self._lock:
            if run_id in self._open_runs:
                self._append(_line(b"C", str(run_id).encode()))
                del self._open_runs[run_id]

    def sync(self) -> None:
        """Return when everything written so far is on disk."""
        with self._lock:
            self._sync_name()
            descriptor = os.dup(self._descriptor)
        # Without the lock: nobody need wait for the disk to read or add events.
        try:
            _sync(descriptor)
        finally:
            os.close(descriptor)

    def batch(self, max_bytes: int, max_events: int) -> Batch:
        """Return the oldest unconfirmed events: at least one, if there is any, and no more than the limits."""
        with self._lock:
            start, size, descriptor = self._confirmed, self._size, os.dup(self._descriptor)
        batch = Batch([], start, [])
        length = 0
        try:
            for end, letter, body in _lines(descriptor, start, size):
                if letter == b"E":
                    length += len(body) + 1
                    if batch.events and (length > max_bytes or len(batch.events) == max_events):
                        batch.is_cut = True
                        return batch
                    batch.events.append(body)
                    if body.startswith(b'{"kind":"run_finished"') and (match := _EVENT.match(body)):
                        batch.finished.append((UUID(match[2].decode()), int(match[3])))
                batch.end = end
        finally:
            os.close(descriptor)
        return batch

    def confirm(self, batch: Batch) -> None:
        """Note that the events of *batch* are durable elsewhere. It need not be on disk: delivery may be repeated."""
        with self._lock:
            self._confirmed = batch.end
            # Not before most of it is confirmed: copying a long backlog again and again would be quadratic.
            if self._confirmed >= max(COMPACT_BYTES, self._size // 2):
                self._compact()
            else:
                self._unwritten_mark = _line(b"A", str(batch.end).encode())

    def close(self) -> None:
        """Close the file."""
        try:
            self._append()
        except OSError as error:
            log.warning("spool.not_confirmed error=%s", error)
        os.close(self._descriptor)

    def _append(self, *lines: bytes) -> None:
        """Write *lines*, and how far delivery has been confirmed if that has not been written."""
        line = self._unwritten_mark + b"".join(lines)
        if self._size + len(line) > self._allocated:
            wanted = self._size + len(line) + ALLOCATE_BYTES
            try:
                _write(self._descriptor, bytes(wanted - self._allocated), self._allocated)
            except OSError:
                os.ftruncate(self._descriptor, self._allocated)
                raise
            self._allocated = wanted
        _write(self._descriptor, line, self._size)
        self._size += len(line)
        self._unwritten_mark = b""

    def _note(self, event: bytes) -> None:
        match = _EVENT.match(event)
        if match is None:
            return
        kind, run = match[1], self._open_runs.get(UUID(match[2].decode()))
        if run is None:
            return
        if kind == b"task_started":
            run.started.append(int(match[4]))
        elif kind == b"task_finished":
            run.finished.append(int(match[4]))
        elif kind == b"run_finished":
            del self._open_runs[run.run_id]

    def _load(self) -> None:
        size = os.fstat(self._descriptor).st_size
        for end, letter, body in _lines(self._descriptor, 0, size):
            if letter == b"R":
                run = _load_run(body)
                self._open_runs[run.run_id] = run
            elif letter == b"E":
                self._note(body)
            elif letter == b"A":
                self._confirmed = int(body)
            elif letter == b"C":
                self._open_runs.pop(UUID(body.decode()), None)
            self._size = end
        if read_at(self._descriptor, size - self._size, self._size).strip(b"\0"):
            log.warning("spool.cut file=%s kept=%d bytes", self._file, self._size)
        os.ftruncate(self._descriptor, self._size)
        self._allocated = self._size
        for _, letter, body in _lines(self._descriptor, self._confirmed, self._size):
            match = _EVENT.match(body)
            if letter == b"E" and match and match[1] == b"run_finished":
                self._unconfirmed_ends[UUID(match[2].decode())] = int(match[3])

    def _compact(self) -> None:
        """Write a new file: the open runs as they stand, then everything unconfirmed."""
        head = b"".join(_line(b"R", _dump_run(run)) for run in self._open_runs.values())
        # The number has a fixed width, so that the length of its own line is known.
        head += _line(b"A", b"%012d" % (len(head) + len(_line(b"A", b"%012d" % 0))))
        temporary = self._file.with_suffix(".new")
        descriptor = _open(temporary, os.O_TRUNC)
        try:
            _write(descriptor, head, 0)
            size = len(head)
            for _, letter, body in _lines(self._descriptor, self._confirmed, self._size):
                if letter == b"E":
                    line = _line(letter, body)
                    _write(descriptor, line, size)
                    size += len(line)
            _sync(descriptor)
        except OSError:
            os.close(descriptor)
            raise
        self._replace(temporary, descriptor)
        self._confirmed = len(head)
        self._size = self._allocated = size
        self._unwritten_mark = b""
        self._is_renamed = True
        self._sync_name()

    def _replace(self, temporary: Path, descriptor: int) -> None:
        """Have the file *temporary*, open as *descriptor*, in place of the one so far."""
        if sys.platform == "win32":
            # There an open file can be neither renamed nor replaced.
            os.close(self._descriptor)
            os.close(descriptor)
            try:
                temporary.replace(self._file)
            finally:
                self._descriptor = _open(self._file)
        else:
            try:
                temporary.replace(self._file)
            except OSError:
                os.close(descriptor)
                raise
            os.close(self._descriptor)
            self._descriptor = descriptor

    def _sync_name(self) -> None:
        """Have the name of a new file on disk: until then the old one would be back after a power failure."""
        if self._is_renamed:
            _sync_directory(self._file.parent)
            self._is_renamed = False


def _open(file: Path, flags: int = 0) -> int:
    flags |= os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    return os.open(file, flags, 0o600)


def _line(letter: bytes, body: bytes) -> bytes:
    record = letter + body
    return b"%08x" % zlib.crc32(record) + record + b"\n"


def _lines(descriptor: int, start: int, end: int) -> Iterator[tuple[int, bytes, bytes]]:
    """Return where each line ends, its letter and its body, up to the first that is not whole."""
    with stream_from(descriptor, start) as stream:
        while start < end:
            line = stream.readline()
            record = line[8:-1]
            if not line.endswith(b"\n") or line[:8] != b"%08x" % zlib.crc32(record):
                return
            start += len(line)
            yield start, record[:1], record[1:]


def _write(descriptor: int, data: bytes, position: int) -> None:
    while data:
        written = write_at(descriptor, data, position)
        data, position = data[written:], position + written


def _dump_run(run: OpenRun) -> bytes:
    document: dict[str, Any] = {
        "run_id": str(run.run_id),
        "fence": run.fence,
        "tasks": [[task.name, task.repeatable] for task in run.tasks],
        "started": run.started,
        "finished": run.finished,
    }
    return json.dumps(document).encode()


def _load_run(body: bytes) -> OpenRun:
    document = json.loads(body)
    tasks = [TakenTask(name, repeatable) for name, repeatable in document["tasks"]]
    return OpenRun(UUID(document["run_id"]), document["fence"], tasks, document["started"], document["finished"])


def _sync_directory(directory: Path) -> None:
    if os.name == "nt":
        return  # there a rename is durable by itself, and a directory cannot be opened
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
