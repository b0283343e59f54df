"""Negotiation: the format of an answer, chosen as WCF does (contract section 1.4).

The Accept header decides, by q-values; then the Content-Type of the request, even of a GET; then XML.
"""

from __future__ import annotations

from enum import Enum
from functools import lru_cache

from werkzeug.http import parse_accept_header, parse_options_header


class Format(Enum):
    """How a message is written."""

    XML = "application/xml; charset=utf-8"
    JSON = "application/json; charset=utf-8"
    #: A SOAP 1.2 envelope around the result.
    SOAP = "application/soap+xml; charset=utf-8"


_FORMATS = {
    "application/xml": Format.XML,
    "text/xml": Format.XML,
    "application/json": Format.JSON,
    "text/json": Format.JSON,
    "application/soap+xml": Format.SOAP,
}


@lru_cache(maxsize=1_000)
def answer_format(accept: str, content_type: str) -> Format:
    """Return the format to answer in. What is neither XML nor JSON, ``*/*`` among it, is no preference."""
    for media_type, quality in parse_accept_header(accept):
        name, _, parameters = media_type.lower().partition(";")
        if name == "text/xml" and "soap" in parameters:
            return Format.SOAP  # contract section 11
        if name in _FORMATS and quality > 0:
            return _FORMATS[name]
    found = body_format(content_type)[0]
    return Format.XML if found in (None, Format.SOAP) else found


@lru_cache(maxsize=1_000)
def body_format(content_type: str) -> tuple[Format | None, str | None]:
    """Return the format that *content_type* says, None if none that is known, and its charset."""
    name, parameters = parse_options_header(content_type)
    return _FORMATS.get(name.lower()), parameters.get("charset")
