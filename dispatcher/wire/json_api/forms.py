"""Forms: what token calls send, whatever they call it: form text, or JSON."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum, auto
from typing import Any
from urllib.parse import parse_qsl

from dispatcher.core.errors import BadRequest, QuotaExceeded
from dispatcher.wire.charsets import to_utf_8
from dispatcher.wire.json_reader import Number, read_json
from dispatcher.wire.quotas import Quotas

#: How many fields a form may have.
MAX_FIELDS = 100


class FormStyle(Enum):
    """How the text of a form is to be read."""

    STANDARD = auto()  #: as browsers write it: ``+`` is a blank, and ``%XX`` a character
    RAW = auto()  #: as it is, written by clients that put it together without encoding anything


def read_form(
    body: bytes, charset: str | None, style: FormStyle, quotas: Quotas, *, latin_1: bool = False
) -> dict[str, Any]:
    """Return the fields of the form in *body* by name.

    A body that begins with ``{`` is JSON with the same members. With *latin_1* one of undeclared encoding that is not
    UTF-8 is read as Latin-1.

    :raises BadRequest: if it is neither, one is there twice, there are too many fields, or they are too long.
    """
    if len(body) > quotas.message_bytes:
        raise QuotaExceeded(f"the message is larger than {quotas.message_bytes} bytes")
    text = to_utf_8(body, charset, latin_1=latin_1)
    if text.lstrip().startswith((b"{", b"[")):
        document = read_json(text, None, quotas, number=Number, is_unique=True)
        if not isinstance(document, dict):
            raise BadRequest("the message is no JSON object")
        return document
    if text.count(b"&") >= MAX_FIELDS:
        raise BadRequest(f"a form has {MAX_FIELDS} fields at most")
    fields = _fields(text.decode(), style)
    if any(len(one) > quotas.string_chars for pair in fields.items() for one in pair):
        raise QuotaExceeded(f"a field of the form is longer than {quotas.string_chars} characters")
    return fields


def _fields(text: str, style: FormStyle) -> dict[str, str]:
    if style is FormStyle.STANDARD:
        return _unique(parse_qsl(text, keep_blank_values=True))
    pairs = (pair.partition("=") for pair in text.strip("\r\n").split("&") if pair)
    # Who has copied a sample from a web page may send "&amp;" for "&".
    return _unique((name.removeprefix("amp;"), value) for name, _, value in pairs)


def _unique(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    fields: dict[str, str] = {}
    for name, value in pairs:
        if name in fields:
            raise BadRequest(f"the form has the field {name[:50]!r} twice")
        fields[name] = value
    return fields
