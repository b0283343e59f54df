"""Envelopes: bodies that are objects whose member ``value`` holds the message as loose JSON text (contract IES 1.2)."""

from __future__ import annotations

from typing import Any

from dispatcher.core.errors import BadRequest, InvalidValue, QuotaExceeded
from dispatcher.wire.json_reader import read_json_with_controls
from dispatcher.wire.loose_json import read_loose_json
from dispatcher.wire.quotas import Quotas

MEMBER = "value"


class TextTooLarge(InvalidValue, QuotaExceeded):
    """The text in an envelope is larger, deeper or wider than the quotas allow."""

    code = QuotaExceeded.code


def read_enveloped(quotas: Quotas, body: bytes, charset: str | None, *, latin_1: bool = False) -> dict[str, Any]:
    """Return the object whose text the member ``value``, in any letter case, of the object in *body* holds.

    :raises BadRequest: if *body* is no such object, or the text is none; errors in it tell its line and column.
    """
    envelope = read_json_with_controls(body, charset, quotas, latin_1=latin_1)
    if not isinstance(envelope, dict):
        raise BadRequest(f"the body must be an object with the member {MEMBER!r}")
    # Of equal names the last wins.
    texts = [text for name, text in envelope.items() if name.lower() == MEMBER]
    if not texts:
        raise InvalidValue(MEMBER, "is missing, the text that holds the message as JSON")
    if not isinstance(texts[-1], str):
        raise InvalidValue(MEMBER, "must be a text that holds the message as JSON")
    if not texts[-1].strip():
        raise InvalidValue(MEMBER, "is empty")
    try:
        message = read_loose_json(texts[-1], quotas)
    except QuotaExceeded as error:
        raise TextTooLarge(MEMBER, error.message) from None
    except BadRequest as error:
        raise InvalidValue(MEMBER, error.message) from None
    if not isinstance(message, dict):
        raise InvalidValue(MEMBER, "must hold an object")
    return message
