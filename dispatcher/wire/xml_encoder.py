"""The XML encoder: values to data-contract XML, by functions compiled once per declared type.

All members are written, in declared order (contract section 12); a missing one is nil, or left out where its type
cannot be nil.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from functools import cache
from typing import Any

from dispatcher.wire.compiled import compiled
from dispatcher.wire.dates import format_xml
from dispatcher.wire.once import GAP, Filled, Once
from dispatcher.wire.types import ARRAYS_NAMESPACE, Kind, item_of, kind_of, members_of

#: Writes the whole element of a value.
Encode = Callable[[Any], str]

XSI = "http://www.w3.org/2001/XMLSchema-instance"
SERIALIZATION = "http://schemas.microsoft.com/2003/10/Serialization/"

#: What bytes of ASCII are as element content: 1 for what needs no escaping.
_PLAIN = bytes([chr(code) in "\t\n" or (code >= 0x20 and chr(code) not in "&<>") for code in range(256)])
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def escape(text: str) -> str:
    """Return *text* as element content; what XML 1.0 forbids becomes U+FFFD."""
    if _is_plain(text):
        return text
    text = without_forbidden(text)
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace("\r", "&#xD;")  # a bare one would be read back as a line feed


def without_forbidden(text: str) -> str:
    """Return *text* with U+FFFD in place of what XML 1.0 forbids, however it is escaped."""
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)


def _is_plain(text: str) -> bool:
    """Whether *text* needs no escaping; not of every such one."""
    if text.isascii():
        return 0 not in text.encode().translate(_PLAIN)
    return text.isprintable() and "&" not in text and "<" not in text and ">" not in text


@cache
def root_encoder(spyne_type: Any, root_name: str | None = None) -> Encode:
    """Return the encoder of *spyne_type* as a whole REST document without a declaration (contract section 8.6)."""
    kind = kind_of(spyne_type)
    if kind in (Kind.RECORD, Kind.ENUM):
        name, namespace = spyne_type.get_type_name(), spyne_type.get_namespace()
    elif kind is Kind.ARRAY:
        item = item_of(spyne_type)[1]
        simple = kind_of(item) not in (Kind.RECORD, Kind.ENUM)
        name = f"ArrayOf{kind_of(item).value}" if simple else spyne_type.get_type_name()
        namespace = ARRAYS_NAMESPACE if simple else item.get_namespace()
    else:
        name, namespace = kind.value, SERIALIZATION
    attributes = f' xmlns="{namespace}" xmlns:i="{XSI}"'
    return _Element(root_name or name, attributes, "", is_root=True).encoder(spyne_type)


@cache
def result_encoder(spyne_type: Any, name: str) -> Encode:
    """Return the encoder of *spyne_type* as element *name* of a SOAP response (contract section 4.4).

    Its members are prefixed, so that *name* may stand in the default namespace of the wrapper.
    """
    item = item_of(spyne_type)[1] if kind_of(spyne_type) is Kind.ARRAY else spyne_type
    prefixed = kind_of(item) in (Kind.RECORD, Kind.ENUM)
    attributes = f' xmlns:a="{item.get_namespace()}" xmlns:i="{XSI}"' if prefixed else f' xmlns:i="{XSI}"'
    return _Element(name, attributes, "a:").encoder(spyne_type)


def encode_xml(spyne_type: Any, value: Any, root_name: str | None = None) -> bytes:
    """Return *value* as a whole REST document; *root_name* replaces the type's own."""
    return root_encoder(spyne_type, root_name)(value).encode()


class _Element:
    """The place of a value: its tag, the attributes of it, and the prefix of what is inside."""

    def __init__(self, tag: str, attributes: str, prefix: str, *, is_root: bool = False) -> None:
        self.tag = tag
        self.attributes = attributes
        self.prefix = prefix
        self.is_root = is_root

    @property
    def open(self) -> str:
        return f"<{self.tag}{self.attributes}>"

    @property
    def close(self) -> str:
        return f"</{self.tag}>"

    @property
    def nil(self) -> str:
        return f'<{self.tag}{self.attributes} i:nil="true"/>'

    def child(self, name: str) -> _Element:
        return _Element(self.prefix + name, "", self.prefix)

    def encoder(self, spyne_type: Any) -> Encode:
        kind = kind_of(spyne_type)
        if kind is Kind.RECORD:
            return _record_encoder(self, spyne_type)
        if kind is Kind.ARRAY:
            return _array_encoder(self, spyne_type)
        return _simple_encoder(self, spyne_type)


# Elements without attributes of their own recur: all types below a root share these, and one may contain itself.
_inner: dict[tuple[Any, str, str], Encode] = {}


def _inner_encoder(place: _Element, spyne_type: Any) -> Encode:
    key = (spyne_type, place.tag, place.prefix)
    if key not in _inner:
        _inner[key] = lambda value: _inner[key](value)
        _inner[key] = place.encoder(spyne_type)
    return _inner[key]


def _content(spyne_type: Any) -> Callable[[Any], str]:
    """Return what writes the content of a simple type."""
    if kind_of(spyne_type) is Kind.ENUM:
        names: dict[int, str] = spyne_type.names
        return names.__getitem__
    return _CONTENTS[kind_of(spyne_type)]


def _flag_content(value: bool) -> str:
    return "true" if value else "false"


def _bytes_content(value: bytes) -> str:
    return base64.b64encode(value).decode()


_CONTENTS: dict[Kind, Callable[[Any], str]] = {
    Kind.TEXT: escape,
    Kind.FLAG: _flag_content,
    Kind.NUMBER: str,
    Kind.LONG: str,
    Kind.MOMENT: format_xml,
    Kind.BYTES: _bytes_content,
}


def _simple_encoder(place: _Element, spyne_type: Any) -> Encode:
    content, begin, end = _content(spyne_type), place.open, place.close
    missing = place.nil if spyne_type.Attributes.nillable or place.is_root else ""

    def encode(value: Any) -> str:
        return missing if value is None else begin + content(value) + end

    return encode


def _written(once: Once, encode: Encode) -> str:
    """Return what *encode* makes of it; each place has an encoder, and a text, of its own."""
    text: str | None = once.written.get(encode)
    if text is None:
        text = encode(once.value)
        once.keep(encode, text, len(text))
    return text


def _filled(filled: Filled, encode: Encode) -> str:
    """Return the record with its texts in place."""
    texts = filled.texts
    return filled.written(encode, GAP, encode, texts if _is_plain("".join(texts)) else map(escape, texts))


def _array_encoder(place: _Element, spyne_type: Any) -> Encode:
    name, item_type = item_of(spyne_type)
    kind = kind_of(item_type)
    if kind in (Kind.RECORD, Kind.ENUM):
        begin, inside = place.open, place.child(name)
    else:
        # Items of primitive types have a namespace of their own (contract section 8.6).
        prefix = "" if place.is_root else "b:"
        begin = place.open if place.is_root else f'{place.open[:-1]} xmlns:b="{ARRAYS_NAMESPACE}">'
        inside = _Element(prefix + kind.value, "", prefix)
    item = _inner_encoder(inside, item_type)
    end, nil = place.close, place.nil

    def encode(values: Any) -> str:
        if values is None:
            return nil
        if type(values) is Once:
            return _written(values, encode)
        pieces = [begin]  # in place of a comprehension: most lists have one item or none
        for value in values:
            if value is not None:
                pieces.append(item(value))
        pieces.append(end)
        return "".join(pieces)

    return encode


def _record_encoder(place: _Element, model: Any) -> Encode:
    """Return the encoder of records of *model*."""
    names: dict[str, Any] = {"model": model, "Once": Once, "written": _written, "Filled": Filled, "filled": _filled}
    names |= {"is_plain": _is_plain, "escape": escape, "begin": place.open, "end": place.close, "nil": place.nil}
    members = members_of(model)
    texts = [name for name, spyne_type in members.items() if kind_of(spyne_type) is Kind.TEXT]
    read = "".join([f"    _{name} = value.{name}\n" for name in members])
    # Texts that need no escaping are the rule: one test for all of them.
    escaped = "".join([f"        _{name} = _{name} and escape(_{name})\n" for name in texts])
    written = [_member(place.child(name), name, spyne_type, names) for name, spyne_type in members.items()]
    source = f"""
def encode(value):
    if type(value) is not model:
        if value is None:
            return nil
        if type(value) is Once:
            return written(value, encode)
        if type(value) is Filled:
            return filled(value, encode)
{read}
    texts = f"{"".join([f"{{_{name} or ''}}" for name in texts])}"
    if texts and not is_plain(texts):
        pass
{escaped}
    return f"{{begin}}{"".join(written)}{{end}}"
"""
    return compiled(source, "encode", names)


def _member(place: _Element, name: str, spyne_type: Any, names: dict[str, Any]) -> str:
    """Return what writes the member *name*, as a replacement field of an f-string; *names* gets what it needs."""
    kind = kind_of(spyne_type)
    if kind in (Kind.RECORD, Kind.ARRAY):
        names |= {f"write_{name}": _inner_encoder(place, spyne_type), f"missing_{name}": place.nil}
        return f"{{missing_{name} if _{name} is None else write_{name}(_{name})}}"
    missing = place.nil if spyne_type.Attributes.nillable else ""
    content = _content(spyne_type)
    if kind is Kind.ENUM:
        elements = {number: place.open + content(number) + place.close for number in spyne_type.names}
        names[f"elements_{name}"] = elements | {None: missing}
        return f"{{elements_{name}[_{name}]}}"
    names |= {f"missing_{name}": missing, f"content_{name}": content}
    if kind is Kind.FLAG:
        yes, no = (f"'{place.open}{content(flag)}{place.close}'" for flag in (True, False))
        return f"{{{yes} if _{name} else missing_{name} if _{name} is None else {no}}}"
    shown = f"_{name}" if kind is Kind.TEXT else f"content_{name}(_{name})"
    return f"{{missing_{name} if _{name} is None else f'{place.open}{{{shown}}}{place.close}'}}"
