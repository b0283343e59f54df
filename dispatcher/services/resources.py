"""Resources: files in the library, and their contents, each stored once under its SHA-256.

A content is stored in chunks, each in a short transaction of its own: a large file blocks no other writer. It is of no
use until all of it is there and has been read back; what nobody uses is removed by ``clean``.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from threading import Lock
from typing import BinaryIO, cast
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, CursorResult, delete, exists, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from dispatcher.core.attempts import again
from dispatcher.core.contents import Content as MeasuredContent
from dispatcher.core.errors import Conflict, InvalidValue, NotFound, QuotaExceeded
from dispatcher.core.permissions import SYSTEM
from dispatcher.core.ports import Ports
from dispatcher.datastore import revisions
from dispatcher.datastore.exastro_ita import ItaFile
from dispatcher.datastore.folders import Folder
from dispatcher.datastore.resources import Content, ContentChunk, Resource
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.library.names import Names

log = structlog.get_logger(__name__)

#: The size of all chunks of a content but the last, in bytes. It must never change: it says where a byte is.
CHUNK_BYTES = 1 << 20
#: How long a content is kept that is not complete, or that nobody has.
KEPT_FOR = timedelta(days=1)
#: How many chunks are removed in one transaction.
_BATCH = 16


class ContentNotFound(NotFound):
    """No content has this SHA-256."""

    code = "resource.content_not_found"
    kind = "content"


class DamagedContent(Conflict):
    """What was stored is not what was given."""

    code = "resource.damaged"


class QuotaReached(QuotaExceeded):
    """A login has brought as much as it may."""

    code = "resource.quota_reached"

    def __init__(self, quota_bytes: int) -> None:
        super().__init__(f"the contents that a login has brought may have {quota_bytes} bytes in all")


@dataclass(frozen=True, slots=True)
class FoundResource:
    """What a resource is at the moment."""

    sha256: str  #: in hex
    size: int  #: in bytes
    file_name: str


@dataclass(slots=True)
class _Kept:
    """What was read at one revision of the library."""

    revision: int
    names: Names = field(default_factory=lambda: Names("resource"))
    found: dict[UUID, FoundResource] = field(default_factory=dict)


class Resources:
    """Stores and reads contents, and finds the resources that have them. May be used by many threads."""

    def __init__(self, datastore: Datastore, ports: Ports) -> None:
        self._datastore = datastore
        self._ports = ports
        self._kept = _Kept(-1)
        self._lock = Lock()

    def store(self, stream: BinaryIO) -> str:
        """Store what *stream* gives, unless it is stored already; return its SHA-256 in hex.

        Not to be called inside a transaction. It needs little memory, however much there is.

        :raises DamagedContent: if *stream* can be read twice and gave something else the second time.
        :raises OSError: if it cannot be read.
        """
        if not stream.seekable():
            with tempfile.TemporaryFile() as copy:
                for data in _chunks(stream):
                    copy.write(data)
                copy.seek(0)
                return self.store(cast("BinaryIO", copy))
        start, digest, size = stream.tell(), hashlib.sha256(), 0
        for data in _chunks(stream):
            digest.update(data)
            size += len(data)
        stream.seek(start)
        self.put(MeasuredContent(stream, size, digest.digest()))
        return digest.hexdigest()

    def put(self, content: MeasuredContent, by: str = SYSTEM.name, quota_bytes: int | None = None) -> None:
        """Store *content* in the name of the login *by*, unless it is stored already; not inside a transaction.

        :raises QuotaReached: if all that *by* has brought would be more than *quota_bytes*.
        :raises DamagedContent: if the stream gives something else than what was measured.
        """
        if self._begin(content, by, quota_bytes):
            return
        for position, data in enumerate(_chunks(content.stream)):
            again(partial(self._add, content.sha256, position, data))
        self._finish(content.sha256, content.size)

    def read(self, sha256: str, offset: int, length: int) -> bytes:
        """Return at most *length* bytes of a complete content from *offset* on; nothing behind its end.

        :raises ContentNotFound: if there is no such content.
        """
        with self._datastore.read() as session:
            _size(session, sha256)
            return _read(session, bytes.fromhex(sha256), offset, length)

    def size(self, sha256: str) -> int:
        """Return the size of a complete content in bytes.

        :raises ContentNotFound: if there is no such content.
        """
        with self._datastore.read() as session:
            return _size(session, sha256)

    def find(self, name: str) -> FoundResource:
        """Return what the resource *name* (its id, path or name) is at the moment.

        :raises InvalidValue: if there is none, or there are several.
        """
        with self._datastore.read() as session:
            kept = self._current(session)
        try:
            return kept.found[kept.names.find(name)]
        except LookupError as error:
            raise InvalidValue("resource", str(error)) from None

    def clean(self) -> int:
        """Remove contents that are not complete or that nobody has, if they are old; return how many."""
        before = self._ports.now() - KEPT_FOR
        # Of a resource, or of a record of Exastro ITA.
        is_used = or_(*(exists().where(one.sha256 == Content.sha256) for one in (Resource, ItaFile)))
        is_useless = (Content.created_at < before, or_(~Content.is_complete, ~is_used))
        with self._datastore.read() as session:
            found = session.scalars(select(Content.sha256).where(*is_useless)).all()
        removed = 0
        for sha256 in found:
            with self._datastore.begin() as session:
                # From here on nobody can use it; before, somebody may have begun to.
                mark = update(Content).where(Content.sha256 == sha256, *is_useless).values(is_complete=False)
                result = cast(
                    "CursorResult[object]", session.execute(mark.execution_options(synchronize_session=False))
                )
            if result.rowcount and self._remove(sha256, Content.created_at < before):
                removed += 1
                log.info("content.removed", sha256=sha256.hex())
        return removed

    def _begin(self, content: MeasuredContent, by: str, quota_bytes: int | None) -> bool:
        """Note that a content is being stored, or used again; return whether it is there already."""
        try:
            with self._datastore.begin() as session:
                is_complete = touch(session, content.sha256, self._ports)
                if is_complete is None:
                    values = {"sha256": content.sha256, "size": content.size, "is_complete": False, "created_by": by}
                    session.execute(insert(Content).values({**values, "created_at": self._ports.now()}))
                    if quota_bytes is not None and brought_by(session, by) > quota_bytes:
                        raise QuotaReached(quota_bytes)
                return bool(is_complete)
        except IntegrityError:  # another process has begun to store the same
            return False

    def _add(self, sha256: bytes, position: int, data: bytes) -> None:
        where = (ContentChunk.sha256 == sha256, ContentChunk.position == position)
        try:
            with self._datastore.begin() as session:
                if session.scalar(select(ContentChunk.position).where(*where)) is None:
                    values = {"sha256": sha256, "position": position, "data": data}
                    session.execute(insert(ContentChunk).values(values))
        except IntegrityError:
            # Another process stores the same, or ``clean`` has removed the head: ``_finish`` tells.
            log.info("content.chunk_not_added", sha256=sha256.hex(), position=position)

    def _finish(self, sha256: bytes, size: int) -> None:
        """Read the content back and make it complete."""
        digest = hashlib.sha256()
        for offset in range(0, size, CHUNK_BYTES):
            with self._datastore.read() as session:
                digest.update(_read(session, sha256, offset, CHUNK_BYTES))
        if digest.digest() != sha256:
            self._remove(sha256)
            raise DamagedContent("the content was changed while it was stored")
        again(partial(self._complete, sha256, size))

    def _complete(self, sha256: bytes, size: int) -> None:
        mine = Content.sha256 == sha256
        with self._datastore.begin() as session:
            is_complete = session.scalar(select(Content.is_complete).where(mine).with_for_update())
            if is_complete:
                return
            count = select(func.count()).select_from(ContentChunk).where(ContentChunk.sha256 == sha256)
            # ``_remove`` may have begun since it was read back.
            if is_complete is None or session.scalar(count) != -(-size // CHUNK_BYTES):
                raise DamagedContent("the content was removed while it was stored")
            session.execute(update(Content).where(mine).values(is_complete=True, created_at=self._ports.now()))

    def _remove(self, sha256: bytes, *conditions: ColumnElement[bool]) -> bool:
        """Remove a content that is not complete, chunks first; return whether it is gone.

        It stays, with whatever it has then, once somebody has made it complete or it no longer meets *conditions*.
        """
        while (is_gone := again(partial(self._remove_some, sha256, conditions))) is None:
            pass
        return is_gone

    def _remove_some(self, sha256: bytes, conditions: tuple[ColumnElement[bool], ...]) -> bool | None:
        """Remove the last chunks, and the content when there are no more; return None if there may be."""
        with self._datastore.begin() as session:
            # Each time: who stores the same between two of these transactions may make it complete.
            head = select(Content.sha256).where(Content.sha256 == sha256, ~Content.is_complete, *conditions)
            if session.scalar(head.with_for_update()) is None:
                return False
            mine = ContentChunk.sha256 == sha256
            last = select(ContentChunk.position).where(mine).order_by(ContentChunk.position.desc()).limit(_BATCH)
            positions = session.scalars(last).all()
            session.execute(delete(ContentChunk).where(mine, ContentChunk.position.in_(positions)))
            if len(positions) == _BATCH:
                return None
            session.execute(delete(Content).where(Content.sha256 == sha256))
            return True

    def _current(self, session: Session) -> _Kept:
        revision = revisions.current(session)[revisions.LIBRARY]
        with self._lock:
            if self._kept.revision != revision:
                self._kept = _Kept(revision, names_of(session), _found(session))
            return self._kept


def names_of(session: Session) -> Names:
    """Return the stored resources by folder and name."""
    query = select(Resource.id, Folder.path, Resource.name).outerjoin(Folder, Folder.id == Resource.folder_id)
    return Names("resource", [(key, path or "", name) for key, path, name in session.execute(query)])


def touch(session: Session, sha256: bytes, ports: Ports) -> bool | None:
    """Keep a content from being removed soon; return whether it is complete, None if it is not there."""
    mine = Content.sha256 == sha256
    session.execute(update(Content).where(mine).values(created_at=ports.now()))
    return session.scalar(select(Content.is_complete).where(mine))


def brought_by(session: Session, login: str) -> int:
    """Return how many bytes the contents have that *login* has brought, as long as they are kept."""
    total = session.scalar(select(func.sum(Content.size)).where(Content.created_by == login))
    return int(total or 0)


def _found(session: Session) -> dict[UUID, FoundResource]:
    query = select(Resource.id, Resource.sha256, Content.size, Resource.file_name).join(
        Content, Content.sha256 == Resource.sha256
    )
    return {key: FoundResource(sha256.hex(), size, name) for key, sha256, size, name in session.execute(query)}


def _size(session: Session, sha256: str) -> int:
    try:
        digest = bytes.fromhex(sha256)
    except ValueError:
        raise ContentNotFound(sha256[:64]) from None
    size = session.scalar(select(Content.size).where(Content.sha256 == digest, Content.is_complete))
    if size is None:
        raise ContentNotFound(sha256[:64])
    return size


def _read(session: Session, sha256: bytes, offset: int, length: int) -> bytes:
    if length <= 0:
        return b""
    first, last = offset // CHUNK_BYTES, (offset + length - 1) // CHUNK_BYTES
    query = (
        select(ContentChunk.data)
        .where(ContentChunk.sha256 == sha256, ContentChunk.position.between(first, last))
        .order_by(ContentChunk.position)
    )
    begin = offset - first * CHUNK_BYTES
    return b"".join(session.scalars(query))[begin : begin + length]


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    """Give what *stream* holds from here on, in chunks of ``CHUNK_BYTES`` but for the last."""
    while True:
        parts, missing = [], CHUNK_BYTES
        while missing and (part := stream.read(missing)):
            parts.append(part)
            missing -= len(part)
        if parts:
            yield b"".join(parts)
        if missing:
            return
