"""Multipart: what a form says, whatever its parts are kept apart by: clients take another boundary each time."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import BinaryIO

from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import Data, Epilogue, Event, Field, File, MultipartDecoder, NeedData

#: How many fields and files a form has at most: one file for each record that there may be, and the message.
MOST_PARTS = 10_001
KIND = "multipart/form-data"
#: How much is read at once, in bytes.
_PIECE_BYTES = 1 << 16


class Uncut:
    """A stream that is never cut between the two dashes that end a form.

    There werkzeug's decoder takes the line break before the boundary for the end of the last content.
    """

    def __init__(self, stream: BinaryIO, boundary: bytes) -> None:
        self._stream = stream
        self._end = b"--" + boundary + b"-"

    def read(self, size: int = -1) -> bytes:
        """Return *size* bytes, or one more; fewer at the end, and all that are left if *size* is negative."""
        piece = self._stream.read(size)
        return piece + self._stream.read(1) if piece.endswith(self._end) else piece


def digest_of(stream: BinaryIO, content_type: str) -> bytes | None:
    """Return SHA-256 of what the form in *stream*, of this ``Content-Type``, says: its parts in their order.

    Of each part that is its name, the name and the type of its file, and its content. None if it is no multipart form,
    or none that can be read. The stream is read from where it stands, and little of it kept in memory.
    """
    kind, options = parse_options_header(content_type)
    if kind.lower() != KIND or not (boundary := options.get("boundary")):
        return None
    try:
        return _digest(_events(stream, boundary.encode("ascii")))
    except (ValueError, RequestEntityTooLarge):
        return None


def _digest(events: Iterator[Event]) -> bytes:
    whole, content = sha256(), sha256()
    for event in events:
        if isinstance(event, Field | File):
            head = (event.name, getattr(event, "filename", None), event.headers.get("content-type"))
            whole.update(sha256(repr(head).encode("utf-8", "backslashreplace")).digest())
            content = sha256()
        elif isinstance(event, Data):
            content.update(event.data)
            if not event.more_data:
                whole.update(content.digest())
    return whole.digest()


def _events(stream: BinaryIO, boundary: bytes) -> Iterator[Event]:
    """Give what the decoder finds.

    :raises ValueError: if it is broken, or ends too early.
    :raises RequestEntityTooLarge: if it has too many parts.
    """
    decoder, pieces = MultipartDecoder(boundary, max_parts=MOST_PARTS), Uncut(stream, boundary)
    event: Event | None = None
    while not isinstance(event, Epilogue):
        decoder.receive_data(pieces.read(_PIECE_BYTES) or None)
        while not isinstance(event := decoder.next_event(), NeedData | Epilogue):
            yield event
