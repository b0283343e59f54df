"""Multipart: forms with a message and files beside it, as ``curl -F`` sends them."""

from __future__ import annotations

from dataclasses import dataclass, field
from io import BytesIO
from typing import IO, cast

from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import FormDataParser
from werkzeug.http import parse_options_header

from dispatcher.core.errors import QuotaExceeded
from dispatcher.wire.multipart import MOST_PARTS, Uncut


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a form, the first of each name, and its files: name and content, in the order of the form."""

    fields: dict[str, str] = field(default_factory=dict)
    files: list[tuple[str, bytes]] = field(default_factory=list)


def read_form(body: bytes, content_type: str, largest: int) -> Form:
    """Return the form in *body*, whose fields together have *largest* bytes at most; an empty one if it is none.

    :raises QuotaExceeded: if it has more, or too many parts.
    """
    kind, options = parse_options_header(content_type)
    # Contents are wanted in memory; files on the disk would stay open where the form breaks off.
    parser = FormDataParser(lambda *_, **__: BytesIO(), max_form_memory_size=largest, max_form_parts=MOST_PARTS)
    stream = Uncut(BytesIO(body), options.get("boundary", "").encode("utf-8", "replace"))
    try:
        _, fields, files = parser.parse(cast("IO[bytes]", stream), kind.lower(), len(body), options)
    except RequestEntityTooLarge:
        raise QuotaExceeded(f"a form has {MOST_PARTS} parts and {largest} bytes in its fields at most") from None
    # A part may come without any name.
    contents = [(name or "", file.stream.read()) for name, file in files.items(multi=True)]
    return Form(fields.to_dict(), contents)
