"""Multipart: forms with a message and files beside it, as ``curl -F`` sends them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from io import BytesIO

from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import FormDataParser
from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import Data, Field, File

from dispatcher.core.errors import QuotaExceeded
from dispatcher.wire.multipart import KIND, MOST_HEAD_BYTES, MOST_HEAD_LINES, MOST_PARTS, boundary_of, parts

#: What the text of a field may be in beside UTF-8.
_CHARSETS = {"ascii", "us-ascii", "iso-8859-1"}


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a form, the first of each name, and its files: name and content, in the order of the form."""

    fields: dict[str, str] = field(default_factory=dict)
    files: list[tuple[str, bytes]] = field(default_factory=list)


def read_form(body: bytes, content_type: str, largest: int) -> Form:
    """Return the form in *body*, whose fields together have *largest* bytes at most; an empty one if it is none.

    :raises QuotaExceeded: if it has more, too many parts, or one with too large a head.
    """
    kind, options = parse_options_header(content_type)
    if kind.lower() != KIND:
        _, fields, _ = FormDataParser().parse(BytesIO(body), kind.lower(), len(body), options)
        return Form(fields.to_dict())
    if (boundary := boundary_of(content_type)) is None:
        return Form()
    try:
        return _read(parts(BytesIO(body), boundary), largest)
    except ValueError:
        return Form()
    except RequestEntityTooLarge:
        raise QuotaExceeded(
            f"a form has {MOST_PARTS} parts and {largest} bytes in its fields at most, "
            f"and a part {MOST_HEAD_LINES} headers with {MOST_HEAD_BYTES} bytes"
        ) from None


def _read(events: Iterable[Field | File | Data], largest: int) -> Form:
    form, content = Form(), bytearray()
    head: Field | File | None = None
    size = 0
    for event in events:
        if isinstance(event, Field | File):
            head, content = event, bytearray()
            continue
        content += event.data
        if isinstance(head, Field):
            size += len(event.data)
            if size > largest:
                raise RequestEntityTooLarge
        if head is None or event.more_data:
            continue
        name = head.name or ""  # a part may come without any
        if isinstance(head, File):
            form.files.append((name, bytes(content)))
        else:
            form.fields.setdefault(name, content.decode(_charset(head), "replace"))
    return form


def _charset(head: Field) -> str:
    charset = parse_options_header(head.headers.get("content-type"))[1].get("charset", "").lower()
    return charset if charset in _CHARSETS else "utf-8"
