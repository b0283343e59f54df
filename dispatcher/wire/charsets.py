"""Charsets: which encodings a message may have, and how its bytes become UTF-8."""

from __future__ import annotations

import codecs
from collections.abc import Callable

from dispatcher.core.errors import BadRequest

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
#: What no text in UTF-8 begins with.
_GZIP = b"\x1f\x8b"
#: What a message may call its encoding, and the family of encodings that this agrees with.
_FAMILIES = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "us-ascii": "utf-8",
    "ascii": "utf-8",
    "utf-16": "utf-16",
    "utf-16le": "utf-16",
    "utf-16be": "utf-16",
}


def _nothing_declared(_text: bytes) -> str | None:
    return None


def to_utf_8(
    body: bytes,
    charset: str | None,
    *,
    latin_1: bool,
    declared: Callable[[bytes], str | None] = _nothing_declared,
) -> bytes:
    """Return *body* in valid UTF-8 without byte order mark.

    The bytes themselves tell UTF-16 from UTF-8; *charset* (of the Content-Type) and what *declared* finds in the
    message must agree with them. With *latin_1*, a body that nothing declares and that is not UTF-8 is Latin-1:
    Windows PowerShell 5.1 posts so (contract section 1.6).

    :raises BadRequest: if the encoding is unknown or contradictory, or the bytes are wrong in it.
    """
    encoding, mark = _recognised(body)
    text = body[mark:] if mark else body
    if encoding != "utf-8":
        text = _decoded(text, encoding).encode()
    claims = [claim for claim in (charset, declared(text)) if claim]
    for claim in claims:
        if _FAMILIES.get(claim.strip("\"' ").lower()) != encoding.removesuffix("-le").removesuffix("-be"):
            raise BadRequest(f"the encoding {claim[:40]!r} is not supported, or the message is not written in it")
    try:
        text.decode()
    except UnicodeDecodeError:
        if body.startswith(_GZIP):
            raise BadRequest("the message is compressed, which is not supported") from None
        if mark or claims or not latin_1:
            raise BadRequest("the message is not in UTF-8") from None
        return text.decode("latin-1").encode()
    return text


def _recognised(body: bytes) -> tuple[str, int]:
    """Return the encoding that the first bytes show, and the length of the byte order mark."""
    for mark, encoding in _MARKS:
        if body.startswith(mark):
            return encoding, len(mark)
    # Every message starts with an ASCII character; in UTF-16 its other half is zero.
    if body[1:2] == b"\0":
        return "utf-16-le", 0
    if body[:1] == b"\0":
        return "utf-16-be", 0
    return "utf-8", 0


def _decoded(text: bytes, encoding: str) -> str:
    try:
        return text.decode(encoding)
    except UnicodeDecodeError:
        raise BadRequest("the message is not in UTF-16") from None
