"""Files: the contents in the columns of records. Each is stored once, under its SHA-256, beside those of resources.

A record names a file by ``{"name", "sha256", "size"}``. A row of ``ItaFile`` keeps its content for as long as the
record, or the entry of its history, is there; ``Resources.clean`` removes what nobody keeps any more.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from dispatcher.datastore.exastro_ita import ITA_FILES
from dispatcher.datastore.inserting import Inserting, insert_all_missing
from dispatcher.datastore.resources import Content, ContentChunk
from dispatcher.services.exastro_ita.columns import NOTHING, Column, Kind
from dispatcher.services.exastro_ita.records import Keeper, Scope, Source
from dispatcher.services.portions import portions
from dispatcher.services.resources import CHUNK_BYTES

_CONTENTS: Any = Content.__table__
_CHUNKS: Any = ContentChunk.__table__
_INSERT = Inserting(ITA_FILES)
#: What names of files are like, in the vendor's words (``common_libs/column/file_upload_class.py``).
NAME = Column("", NOTHING, Kind.TEXT, max_bytes=255, pattern=r"^[^,\"\t\/\r\n]*$")
_WHITE_SPACE = b" \t\r\n"
#: How many bytes are read by one query.
_AT_ONCE_BYTES = 16 << 20


Contents = Mapping[int, Mapping[str, bytes | None]]
"""Contents that came with records: by the index of the record, and the column; None where it was no BASE64."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A file in a column of a record, or of an entry of a history: what holds on to its content."""

    owner: UUID
    column: str
    sha256: bytes


def named(name: str, data: bytes) -> dict[str, Any]:
    """Return how a record names the file *name* with the content *data*."""
    return {"name": name, "sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}


def receive(records: Sequence[Mapping[str, Any]], beside: Mapping[int, Mapping[str, bytes]] | None = None) -> Contents:
    """Return the contents in the member ``file`` of *records*, and those that came *beside* them."""
    contents: dict[int, dict[str, bytes | None]] = {index: dict(some) for index, some in (beside or {}).items()}
    for index, record in enumerate(records):
        in_text = record.get("file")
        for column, text in in_text.items() if isinstance(in_text, dict) else ():
            if isinstance(text, str):
                contents.setdefault(index, {})[column] = _decode(text)
    return contents


def _decode(text: str) -> bytes | None:
    """Return the content that is in BASE64 in *text*, with white space anywhere; None if it is no such text.

    The vendor passes over what is no letter of it, and so stores something else than was meant.
    """
    try:
        return base64.b64decode(text.encode("ascii").translate(None, _WHITE_SPACE), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        return None


def keep_all(session: Session, kept: Iterable[Kept]) -> None:
    """Let the owners, which had none in these columns, hold on to the contents."""
    _INSERT.all(session, [{"record_id": one.owner, "column": one.column, "sha256": one.sha256} for one in kept])


def let_go(session: Session, owners: Collection[UUID]) -> None:
    """Let the owners hold on to nothing any more."""
    for some in portions(owners):
        session.connection().execute(delete(ITA_FILES).where(ITA_FILES.c.record_id.in_(some)))


def named_in(owner: UUID, values: Mapping[str, Any], columns: Collection[str] | None = None) -> Iterator[Kept]:
    """Give the files in *columns*, in all unless given, of the *values* of *owner*."""
    for column in values if columns is None else columns:
        if isinstance(found := values.get(column), dict) and "sha256" in found:
            yield Kept(owner, column, bytes.fromhex(found["sha256"]))


def store(session: Session, contents: Collection[bytes], now: datetime, by: str) -> int:
    """Store *contents*, unless they are stored already, in the name of *by*; return how many bytes are new."""
    added = 0
    found = {hashlib.sha256(data).digest(): data for data in contents}
    for some in portions(sorted(found)):
        # Before they are looked for: from here on nobody removes what is there.
        session.connection().execute(update(_CONTENTS).where(_CONTENTS.c.sha256.in_(some)).values(created_at=now))
        complete = select(_CONTENTS.c.sha256).where(_CONTENTS.c.sha256.in_(some), _CONTENTS.c.is_complete)
        there = set(session.scalars(complete))
        new = {key: found[key] for key in some if key not in there}
        _add(session, new, now, by)
        added += sum(map(len, new.values()))
    return added


def _add(session: Session, contents: Mapping[bytes, bytes], now: datetime, by: str) -> None:
    """Store contents of which nothing is there, or not all."""
    stamp = {"is_complete": False, "created_at": now, "created_by": by[:255]}
    heads = [{"sha256": key, "size": len(data), **stamp} for key, data in contents.items()]
    chunks = [
        {"sha256": key, "position": position, "data": data[start : start + CHUNK_BYTES]}
        for key, data in contents.items()
        for position, start in enumerate(range(0, len(data), CHUNK_BYTES))
    ]
    insert_all_missing(session, _CONTENTS, heads)
    insert_all_missing(session, _CHUNKS, chunks)
    for some in portions(contents):
        whole = update(_CONTENTS).where(_CONTENTS.c.sha256.in_(some))
        session.connection().execute(whole.values(is_complete=True))


def read(session: Session, wanted: Iterable[str]) -> Mapping[str, str]:
    """Return the contents *wanted*, by their SHA-256 in hex, in BASE64; without those that are not there."""
    found: dict[str, str] = {}
    for some in portions(sorted({bytes.fromhex(one) for one in wanted})):
        mine = (_CONTENTS.c.sha256.in_(some), _CONTENTS.c.is_complete)
        sizes = dict(session.execute(select(_CONTENTS.c.sha256, _CONTENTS.c.size).where(*mine)).tuples().all())
        for group in _groups(sizes):
            chunk = _CHUNKS.c
            query = select(chunk.sha256, chunk.data).where(chunk.sha256.in_(group))
            parts: dict[bytes, list[bytes]] = {key: [] for key in group}
            for key, data in session.execute(query.order_by(chunk.sha256, chunk.position)).tuples():
                parts[key].append(data)
            found |= {key.hex(): base64.b64encode(b"".join(data)).decode("ascii") for key, data in parts.items()}
    return found


def of_source(scope: Scope, source: Source, columns: Iterable[str], ids: Collection[UUID]) -> dict[str, str]:
    """Return the contents that *source* has itself for the records with *ids*, as ``read`` does."""
    if not isinstance(source, Keeper):
        return {}
    found = (data for column in columns for data in source.contents(scope, column, ids).values())
    return {hashlib.sha256(data).hexdigest(): base64.b64encode(data).decode("ascii") for data in found}


def _groups(sizes: Mapping[bytes, int]) -> Iterator[list[bytes]]:
    """Give the contents in groups of ``_AT_ONCE_BYTES`` at most; a larger one is alone."""
    group: list[bytes] = []
    total = 0
    for key, size in sizes.items():
        if group and total + size > _AT_ONCE_BYTES:
            yield group
            group, total = [], 0
        group.append(key)
        total += size
    if group:
        yield group
