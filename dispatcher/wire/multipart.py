"""Multipart: what a form says, whatever its parts are kept apart by: clients take another boundary each time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import BinaryIO

from werkzeug.datastructures import Headers
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import (
    NEED_DATA,
    Data,
    Epilogue,
    Event,
    Field,
    File,
    MultipartDecoder,
    NeedData,
    State,
)

#: How many fields and files a form has at most: one file for each record that there may be, and the message.
MOST_PARTS = 10_001
#: How large the headers of a part may be together, in bytes, and how many lines they may have.
MOST_HEAD_BYTES, MOST_HEAD_LINES = 16 * 1024, 100
#: How many characters a boundary has at most (RFC 2046, 5.1.1): each byte of a form may be compared with all of them.
MOST_BOUNDARY = 70
KIND = "multipart/form-data"
#: How much is read at once, in bytes.
_PIECE_BYTES = 1 << 16
#: How many blanks may follow a boundary in its line ("transport padding"); a line with more of them is none.
_MOST_PADDING = 100
_LINE_BREAK = re.compile(rb"\r\n|\n|\r")


class _Decoder(MultipartDecoder):
    """Finds the parts of a form, the same ones wherever the pieces are cut that it comes in.

    Neither a head without end nor what stands before the first part is kept. werkzeug's own decoder keeps both, and
    takes the line break before a boundary that is cut behind a dash or a blank for the end of the content.
    """

    def __init__(self, boundary: bytes) -> None:
        super().__init__(boundary, max_parts=MOST_PARTS)
        self._line = b"--" + boundary
        escaped, padding = re.escape(self._line), rb"[^\S\n\r]{0,%d}" % _MOST_PADDING
        end = rb"(--%s(?:\r\n|\n|\r)?|%s(?:\r\n|\n|\r))" % (padding, padding)
        self.preamble_re = re.compile(rb"(?:\r\n|\n|\r)?" + escaped + end)
        self.boundary_re = re.compile(rb"(?:\r\n|\n|\r)" + escaped + end)
        self._unended = re.compile(escaped + rb"(?:-|%s)" % padding)
        #: No line with a boundary is longer, with both its line breaks.
        self._longest = len(self._line) + _MOST_PADDING + 6

    def next_event(self) -> Event:
        """Return what comes next.

        :raises ValueError: if the form is broken, or ends too early.
        :raises RequestEntityTooLarge: if it has too many parts, or the headers of one are too large.
        """
        if self.state is State.DATA_START and len(self.buffer) < self._longest and not self.complete:
            return NEED_DATA  # the line break before the content may be that before a boundary, too
        event = super().next_event()
        if isinstance(event, NeedData):
            if self.state is State.PREAMBLE:
                del self.buffer[: -self._longest]
                self._search_position = 0
            elif self.state is State.PART and len(self.buffer) > MOST_HEAD_BYTES + len(b"\r\n\r\n"):
                raise RequestEntityTooLarge
        return event

    def _parse_headers(self, data: bytes | bytearray) -> Headers:
        if len(data) > MOST_HEAD_BYTES or len(data.splitlines()) > MOST_HEAD_LINES:
            raise RequestEntityTooLarge
        return super()._parse_headers(data)

    def _parse_data(self, data: bytes | bytearray, *, start: bool) -> tuple[bytes, int, bool]:
        """Return content, how much is done with it and the boundary behind it, and whether more of it comes."""
        first = _LINE_BREAK.match(data) if start else None
        begin = 0 if first is None else first.end()
        match = self.boundary_re.search(data) if self._line in data else None
        if match is None:
            end = self._unsure(data)
            return bytes(data[begin:end]), end, True
        self.state = State.EPILOGUE if match[1].startswith(b"--") else State.PART
        return bytes(data[begin : match.start()]), match.end(), False

    def _unsure(self, data: bytes | bytearray) -> int:
        """Return where the last line of *data* begins, with the break before it, if it may become a boundary."""
        tail = bytes(data[-self._longest :])
        at = max(tail.rfind(b"\n"), tail.rfind(b"\r"))
        rest = tail[at + 1 :]
        if at < 0 or not (self._line.startswith(rest) or self._unended.fullmatch(rest)):
            return len(data)
        return len(data) - len(rest) - (2 if tail[: at + 1].endswith(b"\r\n") else 1)


def boundary_of(content_type: str) -> bytes | None:
    """Return the boundary that a form of this ``Content-Type`` has; None if it is no multipart form, or has none."""
    kind, options = parse_options_header(content_type)
    boundary = options.get("boundary", "")
    if kind.lower() != KIND or not boundary.isascii() or not 0 < len(boundary) <= MOST_BOUNDARY:
        return None
    return boundary.encode("ascii")


def parts(stream: BinaryIO, boundary: bytes) -> Iterator[Field | File | Data]:
    """Give the parts of the form in *stream*: of each its head, and then its content in pieces.

    The stream is read from where it stands to the end of the last part, and little of it kept in memory.

    :raises ValueError: if the form is broken, or ends too early.
    :raises RequestEntityTooLarge: if it has too many parts, or the headers of one are too large.
    """
    decoder = _Decoder(boundary)
    while decoder.state not in (State.EPILOGUE, State.COMPLETE):
        piece = stream.read(_PIECE_BYTES)
        if piece.endswith(b"\r"):  # what ends a line comes in one piece
            piece += stream.read(1)
        decoder.receive_data(piece or None)
        while not isinstance(event := decoder.next_event(), NeedData | Epilogue):
            if isinstance(event, Field | File | Data):
                yield event


def digest_of(stream: BinaryIO, content_type: str) -> bytes | None:
    """Return SHA-256 of what the form in *stream*, of this ``Content-Type``, says: its parts in their order.

    Of each part that is its name, the name and the type of its file, and its content. None if it is no multipart form,
    or none that can be read. The stream is read from where it stands, and little of it kept in memory.
    """
    if (boundary := boundary_of(content_type)) is None:
        return None
    try:
        return _digest(parts(stream, boundary))
    except (ValueError, RequestEntityTooLarge):
        return None


def _digest(events: Iterable[Event]) -> bytes:
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
