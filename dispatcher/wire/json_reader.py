"""The JSON reader: bytes to plain values, within the quotas, forgiving what old clients get wrong."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Self

import orjson

from dispatcher.core.errors import BadRequest, QuotaExceeded
from dispatcher.wire.charsets import to_utf_8
from dispatcher.wire.quotas import Quotas

# A whole string, also an unterminated one. Possessive, so that no input makes it look at a character twice.
_STRING = rb'"(?:[^"\\]++|\\.)*+"?'
_ENDS = rb"(?=[ \t\r\n]*+[}\]])"
# One match takes everything up to the next trailing comma, which is left out of the group.
_UP_TO_TRAILING_COMMA = re.compile(rb'((?:[^",]++|' + _STRING + rb"|,(?!" + _ENDS + rb"))*+),?", re.DOTALL)
# A number that a machine's number cannot hold as it is (contract section 5.5): 12.50, or an integer of many digits.
_INEXACT = re.compile(rb"[:\[,][ \t\r\n]*+-?(?:[0-9]{16}|[0-9]++[.eE])")
#: What a quota is of.
_VALUES = "members and elements"


class Fraction(str):
    """A number with a fraction or an exponent, as it was sent: where a text is declared, 12.50 is one."""

    __slots__ = ()


class Number(float):
    """The same where no text is declared: a number that still knows how it was written."""

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> Self:
        """Return the number that *text* says."""
        number = super().__new__(cls, text)
        number.text = text
        return number


def read_json(
    body: bytes,
    charset: str | None,
    quotas: Quotas,
    *,
    number: Callable[[str], object] = Fraction,
    is_unique: bool = False,
    is_ordered: bool = False,
    latin_1: bool = False,
) -> Any:
    """Return the value in *body*; *charset* is the one of the Content-Type.

    Numbers that are no integers come as *number* makes them. Commas before ``}`` and ``]`` are ignored, of equal names
    the last wins (and is also the last in order if *is_ordered*) unless they have to be unique, and with *latin_1* a
    body of undeclared encoding that is not UTF-8 is read as Latin-1 (contract section 1.6).

    :raises QuotaExceeded: if it is larger, deeper or wider than *quotas*, or has longer strings or integers.
    :raises BadRequest: if it is no JSON.
    """
    if len(body) > quotas.message_bytes:
        raise QuotaExceeded(f"the message is larger than {quotas.message_bytes} bytes")
    text = to_utf_8(body, charset, latin_1=latin_1)
    if not text.strip():
        raise BadRequest("the message is empty")
    _check_integers(text, quotas.json_integer_digits)
    _check_commas(text, quotas.json_values)
    text, value = _parsed(text)
    opened = text.count(b"{") + text.count(b"[")
    is_wide = opened + text.count(b",") > quotas.json_values
    if opened > quotas.json_depth or is_wide or len(text) > quotas.string_chars:
        _check_values(value, quotas)
    if is_unique or is_ordered or _INEXACT.search(text):
        # Slower, and only for what is known to be valid, and neither deep nor wide.
        pairs = _unique if is_unique else _in_order if is_ordered else None
        return json.loads(text, parse_float=number, object_pairs_hook=pairs)
    return value


def read_json_with_controls(body: bytes, charset: str | None, quotas: Quotas, *, latin_1: bool = False) -> Any:
    """Return the value in *body*, strict JSON whose texts may hold line breaks, tabs and the like as they are.

    A text may be as long as the message. Of equal names the last wins (contract IES 1.2: ``strict=False``).

    :raises QuotaExceeded: if it is larger, deeper or wider than *quotas*.
    :raises BadRequest: if it is no such JSON.
    """
    if len(body) > quotas.message_bytes:
        raise QuotaExceeded(f"the message is larger than {quotas.message_bytes} bytes")
    text = to_utf_8(body, charset, latin_1=latin_1)
    _check_commas(text, quotas.json_values)
    try:
        value = json.loads(text.decode(), strict=False, parse_constant=_no_number, object_pairs_hook=_in_order)
    except RecursionError:
        raise _excess("depth", quotas.json_depth) from None
    except json.JSONDecodeError as error:
        raise BadRequest(f"the JSON cannot be read: {error}") from None
    except ValueError:  # Python reads integers of so many digits only
        raise _excess("digits of an integer", quotas.json_integer_digits) from None
    _check_values(value, replace(quotas, string_chars=quotas.message_bytes))
    return value


def _in_order(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the members, in which the last of equal names is also the last in order."""
    members: dict[str, Any] = {}
    for name, value in pairs:
        members.pop(name, None)
        members[name] = value
    return members


def _no_number(name: str) -> Any:
    raise BadRequest(f"the JSON cannot be read: {name} is no number")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        ((twice, _),) = Counter(name for name, _ in pairs).most_common(1)
        raise BadRequest(f"the JSON has the member {twice[:100]!r} twice")
    return members


def _parsed(text: bytes) -> tuple[bytes, Any]:
    """Return *text*, without trailing commas if it has any, and the value in it."""
    try:
        return text, orjson.loads(text)
    except orjson.JSONDecodeError:
        forgiven = _UP_TO_TRAILING_COMMA.sub(rb"\1", text)
    try:
        return forgiven, orjson.loads(forgiven)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"the JSON cannot be read: {error}") from None


def _excess(what: str, limit: int) -> QuotaExceeded:
    return QuotaExceeded(f"the JSON exceeds the quota: {what}, at most {limit}")


def _check_integers(text: bytes, digits: int) -> None:
    if len(text) > digits and re.search(rb"(?<![0-9])[0-9]{%d}" % (digits + 1), text):
        # Digits inside strings do not count.
        within_quota = rb'(?:[^"0-9]++|' + _STRING + rb"|[0-9]{1,%d}+(?![0-9]))*+" % digits
        if re.compile(within_quota + rb"[0-9]", re.DOTALL).match(text):
            raise _excess("digits of an integer", digits)


def _check_commas(text: bytes, values: int) -> None:
    """Refuse more commas than there may be *values*: what is wider by far is never made."""
    if text.count(b",") > values:
        # Those inside strings do not count. It ends at the first one that is too many.
        beyond = rb'(?:(?:[^",]++|' + _STRING + rb")*+,){%d}" % (values + 1)
        if re.compile(beyond, re.DOTALL).match(text):
            raise _excess(_VALUES, values)


def _check_values(value: Any, quotas: Quotas) -> None:
    """Go through *value* level by level: no recursion, each value once."""
    level, containers, values = [value], 0, 0
    for _ in range(quotas.json_depth + 1):
        below: list[Any] = []
        for one in level:
            if isinstance(one, (dict, list)):
                containers += 1
                values += len(one)
                if values > quotas.json_values:
                    raise _excess(_VALUES, quotas.json_values)
                below.extend(one.values() if isinstance(one, dict) else one)
            elif isinstance(one, str) and len(one) > quotas.string_chars:
                raise _excess("characters of one string", quotas.string_chars)
        if containers > quotas.json_containers:
            raise _excess("objects and arrays", quotas.json_containers)
        if not below:
            return
        level = below
    raise _excess("depth", quotas.json_depth)
