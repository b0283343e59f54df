"""PowerShell: how its cmdlets turn objects into JSON and answers into objects, of Windows PowerShell 5.1 and of 7.

Objects are dictionaries here and dates aware ``datetime``s. Sources: ``ConvertToJsonCommand`` and ``JsonObject`` of the
PowerShell repository; ``JavaScriptSerializer`` and ``JavaScriptObjectDeserializer`` of the .NET Framework's reference
source, which 5.1 uses; Newtonsoft.Json, which 7 uses.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from lxml import etree
from traffic import Answer

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
#: The one spelling of a date that 5.1 knows: with escaped slashes.
_DATE_5 = re.compile(r'"\\/Date\((-?[0-9]+)(?:[a-zA-Z]|[+-][0-9]{4})?\)\\/"')
_DATE_7 = re.compile(r"/Date\((-?[0-9]+)(?:[+-][0-9]{4})?\)/")
_DECIMAL = re.compile(r'"\\u0000([0-9.-]+)"')
_BY_NAME = {'"': '\\"', "\\": "\\\\", "\r": "\\r", "\n": "\\n", "\t": "\\t", "\b": "\\b", "\f": "\\f"}
_ESCAPED_5 = re.compile("[\0-\x1f\"\\\\'<>&\x85\u2028\u2029]")


class NotConverted(Exception):
    """A cast or a conversion of PowerShell's that fails."""


def to_json_5(value: Any, depth: int = 2) -> str:
    r"""Return *value* as 5.1's ConvertTo-Json writes it: ``\u0027`` for an apostrophe, two blanks after a colon."""
    return _pretty(_cut(value, depth), "")


def to_json_7(value: Any, depth: int = 2) -> str:
    """Return *value* as 7's ConvertTo-Json writes it: dates in ISO 8601 with seven digits, few things escaped."""
    text = json.dumps(_cut(value, depth), indent=2, ensure_ascii=False, default=_extended)
    return _DECIMAL.sub(r"\1", text).replace("\n", "\r\n")


def from_json_5(text: str) -> Any:
    """Return what 5.1 makes of *text*; it refuses names that differ by their case alone."""
    dates = _DATE_5.sub(lambda match: f'{{"\\u0000": {match[1]}}}', text)
    return json.loads(dates, object_pairs_hook=_object_5)


def from_json_7(text: str) -> Any:
    """Return what 7 makes of *text*."""
    return _with_dates(json.loads(text, object_pairs_hook=_object))


def objects_of(answer: Answer, version: int) -> Any:
    """Return what Invoke-RestMethod gives for *answer*: objects, or for HTML a text; XML is a failure here."""
    assert answer.status == 200, answer.text
    kind = answer.headers["content-type"].partition(";")[0]
    if kind == "application/json":
        return from_json_5(answer.text) if version == 5 else from_json_7(answer.text)
    # Whatever its type, it is tried as XML, without a DTD, before it is given as a text.
    if "<!DOCTYPE" not in answer.text:
        raise NotConverted(f"{kind} would become an XmlDocument, not objects")
    return answer.text


def guid(text: str) -> UUID:
    """Cast *text* to a GUID as ``[guid]`` does: blanks around it, braces or none."""
    try:
        return UUID(text.strip())
    except ValueError:
        raise NotConverted(f"{text!r} is no GUID") from None


def xml(document: bytes) -> etree._Element:
    """Cast the text in *document*, UTF-16LE, to XML as ``[xml]`` does, which takes a byte order mark for text."""
    text = document.decode("utf-16-le")
    if not text.startswith("<"):
        raise NotConverted("data at the root level is invalid")
    return etree.fromstring(text.partition("?>")[2])  # the declaration says UTF-16, of what is a text by now


def without_case(names: Iterable[str]) -> list[str]:
    return [name.casefold() for name in names]


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = without_case(name for name, _ in pairs)
    if len(set(names)) < len(names):
        raise NotConverted("the JSON has names that differ by their case alone")
    return dict(pairs)


def _object_5(pairs: list[tuple[str, Any]]) -> Any:
    if pairs and pairs[0][0] == "\0":
        return _EPOCH + pairs[0][1] * _MILLISECOND
    return _object(pairs)


def _with_dates(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _with_dates(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_with_dates(one) for one in value]
    if isinstance(value, str) and (match := _DATE_7.fullmatch(value)):
        return _EPOCH + int(match[1]) * _MILLISECOND
    return value


def _cut(value: Any, depth: int) -> Any:
    """Return *value* with whatever lies deeper than *depth* as the text that PowerShell makes of it."""
    if isinstance(value, dict):
        return {name: _cut(one, depth - 1) for name, one in value.items()} if depth >= 0 else _shown(value)
    if isinstance(value, list):
        return [_cut(one, depth - 1) for one in value] if depth >= 0 else " ".join(map(_shown, value))
    return value


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "@{" + "; ".join(f"{name}={_shown(one)}" for name, one in value.items()) + "}"
    return "System.Object[]" if isinstance(value, list) else "" if value is None else str(value)


def _pretty(value: Any, margin: str) -> str:
    inner = margin + "    "
    if isinstance(value, dict):
        members = []
        for name, one in value.items():
            key = f"{_quoted(name)}:  "
            members.append(f"{inner}{key}{_pretty(one, inner + ' ' * len(key))}")
        return "{\r\n" + ",\r\n".join(members) + f"\r\n{margin}}}"
    if isinstance(value, list):
        items = [inner + _pretty(one, inner) for one in value]
        return "[\r\n" + ",\r\n".join(items) + f"\r\n{margin}]"
    return _scalar(value)


def _scalar(value: Any) -> str:
    if isinstance(value, datetime):
        return f'"\\/Date({(value - _EPOCH) // _MILLISECOND})\\/"'
    if isinstance(value, str):
        return _quoted(value)
    return str(value) if isinstance(value, Decimal) else json.dumps(value)


def _quoted(text: str) -> str:
    return '"' + _ESCAPED_5.sub(lambda match: _BY_NAME.get(match[0], f"\\u{ord(match[0]):04x}"), text) + '"'


def _extended(value: Any) -> Any:
    if isinstance(value, Decimal):
        return f"\0{value}"  # made a number again: the library writes none with a nought at its end
    return value.isoformat(timespec="microseconds").replace("+", "0+", 1)  # .NET counts in 100 ns
