"""The JSON codec: plain values to declared types and back, as DataContractJsonSerializer does (contract section 8.5).

Reading is as lenient as real clients need: members in any case, numbers and booleans as strings, texts as numbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, tzinfo
from typing import Any

import orjson

from dispatcher.wire.compiled import compiled
from dispatcher.wire.dates import format_json
from dispatcher.wire.json_reader import Fraction
from dispatcher.wire.once import GAP, Filled, Once
from dispatcher.wire.scalars import ReadText, WrongValue, passing_over, read_bytes, read_text, shown, text_reader
from dispatcher.wire.types import Kind, item_of, kind_of, members_of

#: Reads a plain value that is not None; dates without a zone are in the zone given.
Decode = Callable[[Any, tzinfo], Any]
#: Turns a value that is not None into a plain one; dates carry the offset of the zone given.
Encode = Callable[[Any, tzinfo], Any]

_GAP = orjson.dumps(GAP)
_SURROGATE = re.compile("[\ud800-\udfff]")

_decoders: dict[Any, Decode] = {}
_encoders: dict[Any, Encode] = {}


def json_decoder(spyne_type: Any) -> Decode:
    """Return the decoder of *spyne_type*; it raises WrongValue."""
    if spyne_type not in _decoders:
        # A type that contains itself finds this entry while its own decoder is being compiled.
        _decoders[spyne_type] = lambda value, zone: _decoders[spyne_type](value, zone)
        _decoders[spyne_type] = _compile_decoder(spyne_type)
    return _decoders[spyne_type]


def encode_json(spyne_type: Any, value: Any, site_zone: tzinfo = UTC) -> bytes:
    r"""Return *value* as JSON in UTF-8, every ``/`` written as ``\/``: old clients know dates by ``\/Date(``."""
    plain = None if value is None else _encoder(spyne_type)(value, site_zone)
    content = _to_json(plain).replace(b"/", b"\\/")
    if b"\xef" in content:  # .NET writes the noncharacters U+FFFE and U+FFFF so, and reads them no other way.
        content = content.replace(b"\xef\xbf\xbe", b"\\ufffe").replace(b"\xef\xbf\xbf", b"\\uffff")
    return content


def _to_json(plain: Any) -> bytes:
    try:
        return orjson.dumps(plain)
    except TypeError:
        return orjson.dumps(_without_surrogates(plain))


def _without_surrogates(plain: Any) -> Any:
    if isinstance(plain, str):
        return _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", plain)
    if isinstance(plain, list):
        return [_without_surrogates(item) for item in plain]
    if isinstance(plain, dict):
        return {name: _without_surrogates(value) for name, value in plain.items()}
    return plain


def _compile_decoder(spyne_type: Any) -> Decode:
    kind = kind_of(spyne_type)
    if kind is Kind.RECORD:
        return _record_decoder(spyne_type)
    if kind is Kind.ARRAY:
        item = item_of(spyne_type)[1]
        return _array_decoder(json_decoder(item), of_texts=kind_of(item) is Kind.TEXT)
    if kind is Kind.TEXT:
        return _decode_text
    if kind is Kind.BYTES:
        return _decode_bytes
    if kind is Kind.MOMENT:
        return _moment_decoder(text_reader(spyne_type))
    return _simple_decoder(text_reader(spyne_type))


def _decode_text(value: Any, _zone: tzinfo) -> str:
    if isinstance(value, str):
        return read_text(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, dict) and isinstance(value.get("value"), str):
        return read_text(value["value"])  # what Windows PowerShell 5.1 makes of a line that Get-Content has read
    raise WrongValue("a text is expected")


def _simple_decoder(read: ReadText) -> Decode:
    """Return the decoder of flags, enumerations and numbers: all may come as strings or numbers."""

    def decode(value: Any, zone: tzinfo) -> Any:
        if isinstance(value, Fraction) and float(value).is_integer():
            value = int(float(value))
        if isinstance(value, (str, int)):
            return read(str(value), zone)
        raise WrongValue(f"{shown(value)} is not expected here")

    return decode


def _moment_decoder(read: ReadText) -> Decode:
    def decode(value: Any, zone: tzinfo) -> Any:
        if isinstance(value, dict):
            # What Windows PowerShell 5.1 makes of a date it was given (contract section 2.1).
            given = value.get("value")
            value = value.get("DateTime") if given is None else given
        if value is None:
            return None
        if not isinstance(value, str):
            raise WrongValue(f"{shown(value)} is no date")
        return read(value, zone)

    return decode


def _decode_bytes(value: Any, zone: tzinfo) -> bytes:
    if isinstance(value, str):
        return read_bytes(value, zone)
    if not isinstance(value, list):
        raise WrongValue("an array of bytes is expected")
    try:
        return bytes(value)
    except (TypeError, ValueError):
        raise WrongValue("the array holds something else than bytes") from None


def _array_decoder(read_item: Decode, *, of_texts: bool) -> Decode:
    def decode(value: Any, zone: tzinfo) -> list[Any]:
        if value == "":
            return []  # as ConvertTo-Json writes an empty array that lies too deep
        if not isinstance(value, list):
            if not (of_texts or isinstance(value, dict)):
                raise WrongValue("an array is expected")
            value = [value]  # PowerShell unwraps what is one item
        items = []
        index = 0
        try:
            for index, item in enumerate(value):  # noqa: B007 - the error names it
                if item is not None:
                    items.append(read_item(item, zone))
        except WrongValue as wrong:
            raise wrong.inside(f"[{index}]") from None
        return items

    return decode


def _record_decoder(model: Any) -> Decode:
    members = members_of(model)
    blank: dict[str, Any] = dict.fromkeys(members)
    readers = {name: json_decoder(spyne_type) for name, spyne_type in members.items()}
    readers |= {name: passing_over(readers[name]) for name in model.passed_over}
    exact = {name: (name, read) for name, read in readers.items()}
    folded = {name.casefold(): entry for name, entry in exact.items()}

    def in_another_case(name: str, state: dict[str, Any]) -> tuple[str, Decode] | None:
        # Such a member never overrides one that is named exactly.
        entry = folded.get(name.casefold())
        return entry if entry is not None and state[entry[0]] is None else None

    def decode(value: Any, zone: tzinfo) -> Any:
        if not isinstance(value, dict):
            raise WrongValue("an object is expected")
        state = blank.copy()
        name = ""
        try:
            for key, one in value.items():
                if one is None:
                    continue
                entry = exact.get(key) or in_another_case(key, state)
                if entry is not None:
                    name, read = entry
                    state[name] = read(one, zone)
        except WrongValue as wrong:
            raise wrong.inside(name) from None
        instance = object.__new__(model)
        instance.__dict__ = state
        return instance

    return decode


def _encoder(spyne_type: Any) -> Encode:
    if spyne_type not in _encoders:
        _encoders[spyne_type] = lambda value, zone: _encoders[spyne_type](value, zone)
        _encoders[spyne_type] = _compile_encoder(spyne_type)
    return _encoders[spyne_type]


def _compile_encoder(spyne_type: Any) -> Encode:
    kind = kind_of(spyne_type)
    if kind is Kind.RECORD:
        return _record_encoder(members_of(spyne_type))
    if kind is Kind.ARRAY:
        return _array_encoder(_encoder(item_of(spyne_type)[1]))
    if kind is Kind.MOMENT:
        return format_json
    if kind is Kind.BYTES:
        return lambda value, _zone: list(value)
    return lambda value, _zone: value


def _written(once: Once, encode: Encode, zone: tzinfo) -> Any:
    """Return what *encode* makes of it, as JSON already."""
    found = once.written.get(zone)
    if found is None:
        text = _to_json(encode(once.value, zone))
        found = once.keep(zone, orjson.Fragment(text), len(text))
    return found


def _filled(filled: Filled, encode: Encode, zone: tzinfo) -> Any:
    """Return the record with its texts in place, as JSON already."""
    texts = map(_to_json, filled.texts)
    return orjson.Fragment(filled.written(zone, _GAP, lambda record: _to_json(encode(record, zone)), texts))


def _array_encoder(item: Encode) -> Encode:
    def encode(values: Any, zone: tzinfo) -> Any:
        if type(values) is Once:
            return _written(values, encode, zone)
        return [item(value, zone) for value in values if value is not None]

    return encode


def _record_encoder(members: Mapping[str, Any]) -> Encode:
    names: dict[str, Any] = {"Once": Once, "written": _written, "Filled": Filled, "filled": _filled}
    items = []
    for name, spyne_type in members.items():
        item = f"value.{name}"
        # Texts, flags, numbers and enumerations are inside what they are in JSON.
        if kind_of(spyne_type) in (Kind.RECORD, Kind.ARRAY, Kind.MOMENT, Kind.BYTES):
            item = f"None if (member := {item}) is None else encode_{name}(member, zone)"
            names[f"encode_{name}"] = _encoder(spyne_type)
        items.append(f"{name!r}: {item}")
    source = f"""
def encode(value, zone):
    if type(value) is Once:
        return written(value, encode, zone)
    if type(value) is Filled:
        return filled(value, encode, zone)
    return {{{", ".join(items)}}}
"""
    return compiled(source, "encode", names)
