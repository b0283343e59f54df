"""Negotiation: the format of an answer, chosen as WCF does (contract section 1.4).

The Accept header decides, by q-values; then the Content-Type of the request, even of a GET; then XML.
"""

from __future__ import annotations

import re
from enum import Enum
from functools import lru_cache

from werkzeug.http import parse_accept_header, parse_options_header


class Format(Enum):
    """How a message is written."""

    XML = "application/xml; charset=utf-8"
    JSON = "application/json; charset=utf-8"
    #: A SOAP 1.2 envelope around the result.
    SOAP = "application/soap+xml; charset=utf-8"


#: ``text/xml; soap`` prefers the envelope (contract section 11); Werkzeug's parser drops parameters without a value.
_XML_AS_SOAP = re.compile(r"text/xml\s*;\s*soap\b", re.IGNORECASE)
_FORMATS = {
    "application/xml": Format.XML,
    "text/xml": Format.XML,
    "application/json": Format.JSON,
    "text/json": Format.JSON,
    "application/soap+xml": Format.SOAP,
}
#: Answers are of such types, in XML as well as in JSON.
_RANGE = "application/*"


@lru_cache(maxsize=1_000)
def answer_format(accept: str, content_type: str) -> Format:
    """Return the format to answer in. What is neither XML nor JSON, ``*/*`` among it, is no preference.

    ``application/*`` counts for those of the two that are not named. Between both, or if all is refused, there is no
    preference.
    """
    if _XML_AS_SOAP.search(accept):
        return Format.SOAP
    named: dict[Format, float] = {}
    in_range = 0.0
    for media_type, quality in parse_accept_header(accept):  # the best first
        name = media_type.lower().partition(";")[0]
        if name == _RANGE:
            in_range = max(in_range, quality)
        elif name in _FORMATS:
            named.setdefault(_FORMATS[name], quality)
    others = [one for one in (Format.XML, Format.JSON) if one not in named]
    best = next(iter(named), None)
    if best is not None and named[best] > 0 and (named[best] >= in_range or not others):
        return best
    if in_range > 0 and len(others) == 1:
        return others[0]
    asks_for_json = body_format(content_type)[0] is Format.JSON and Format.JSON in others
    return Format.JSON if asks_for_json else Format.XML


@lru_cache(maxsize=1_000)
def body_format(content_type: str) -> tuple[Format | None, str | None]:
    """Return the format that *content_type* says, None if none that is known, and its charset."""
    name, parameters = parse_options_header(content_type)
    return _FORMATS.get(name.lower()), parameters.get("charset")
