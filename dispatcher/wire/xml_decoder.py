"""The XML decoder: elements to values, by closures compiled once per declared type.

Members come in any order and namespace, are named exactly or, failing that, in any case; unknown ones are ignored and
missing ones are None (contract section 1.5).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import tzinfo
from typing import Any

from lxml import etree

from dispatcher.wire.scalars import ReadText, WrongValue, text_reader
from dispatcher.wire.types import Kind, item_of, kind_of, members_of

#: Reads the value of an element; dates without a zone are in the zone given.
Decode = Callable[[Any, tzinfo], Any]

_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
#: How many spellings of its members a type remembers, and how long ones: namespaces are the caller's to choose.
_MAX_SPELLINGS, _MAX_SPELLING = 500, 500

_compiled: dict[Any, Decode] = {}


def xml_decoder(spyne_type: Any) -> Decode:
    """Return the decoder of *spyne_type*; it raises WrongValue."""
    if spyne_type not in _compiled:
        # A type that contains itself finds this entry while its own decoder is being compiled.
        _compiled[spyne_type] = lambda element, zone: _compiled[spyne_type](element, zone)
        _compiled[spyne_type] = _compile(spyne_type)
    return _compiled[spyne_type]


def arguments_decoder(arguments: Sequence[tuple[str, Any]]) -> Callable[[Any, tzinfo], list[Any]]:
    """Return the decoder of the element that wraps an operation's *arguments*, in declared order.

    It raises InvalidValue, which names the member by its path from the argument.
    """
    read_members = _members_decoder(dict(arguments))

    def decode(element: Any, zone: tzinfo) -> list[Any]:
        try:
            return list(read_members(element, zone).values())
        except WrongValue as wrong:
            raise wrong.named() from None

    return decode


def is_nil(element: Any) -> bool:
    """Whether *element* is empty because it says so (``i:nil="false"`` does not)."""
    return element.get(_NIL, "").strip() in ("true", "1")


def _compile(spyne_type: Any) -> Decode:
    kind = kind_of(spyne_type)
    if kind is Kind.RECORD:
        return _record_decoder(spyne_type)
    if kind is Kind.ARRAY:
        return _array_decoder(xml_decoder(item_of(spyne_type)[1]))
    return _text_decoder if kind is Kind.TEXT else _scalar_decoder(text_reader(spyne_type))


def _text_decoder(element: Any, _zone: tzinfo) -> str | None:
    if len(element):
        raise _no_text()  # also after some text: what follows the element would be lost
    return element.text or _without_text(element)


def _no_text() -> WrongValue:
    return WrongValue("a text is expected, not elements")


def _without_text(element: Any) -> str | None:
    return None if element.keys() and is_nil(element) else ""


def _scalar_decoder(read: ReadText) -> Decode:
    def decode(element: Any, zone: tzinfo) -> Any:
        if len(element):
            raise _no_text()
        text = element.text
        return None if text is None else read(text, zone)

    return decode


def _array_decoder(read_item: Decode) -> Decode:
    def decode(element: Any, zone: tzinfo) -> list[Any] | None:
        items = []
        index = 0
        try:
            for child in element:
                item = read_item(child, zone)
                if item is not None:
                    items.append(item)
                index += 1
        except WrongValue as wrong:
            raise wrong.inside(f"[{index}]") from None
        return None if not items and is_nil(element) else items

    return decode


def _record_decoder(model: Any) -> Decode:
    read_members = _members_decoder(members_of(model))
    make = object.__new__

    def decode(element: Any, zone: tzinfo) -> Any:
        if not len(element) and is_nil(element):
            return None
        instance = make(model)
        instance.__dict__ = read_members(element, zone)
        return instance

    return decode


def _members_decoder(members: Mapping[str, Any]) -> Callable[[Any, tzinfo], dict[str, Any]]:
    blank: dict[str, Any] = dict.fromkeys(members)
    exact = {name: (name, _leaf(spyne_type)) for name, spyne_type in members.items()}
    folded = {name.casefold(): entry for name, entry in exact.items()}
    spelt = dict(exact)

    def resolve(tag: str, state: dict[str, Any]) -> tuple[str, Decode | None] | None:
        name = etree.QName(tag).localname
        entry = exact.get(name)
        if entry is None:
            # A member in another case never overrides one that is named exactly.
            entry = folded.get(name.casefold())
            return entry if entry is not None and state[entry[0]] is None else None
        if len(spelt) < _MAX_SPELLINGS and len(tag) <= _MAX_SPELLING:
            spelt[tag] = entry
        return entry

    def decode(element: Any, zone: tzinfo) -> dict[str, Any]:
        state = blank.copy()
        name = ""
        try:
            for child in element:
                entry = spelt.get(child.tag)
                if entry is None:
                    entry = resolve(child.tag, state)
                    if entry is None:
                        continue
                name, read = entry
                if read is not None:
                    state[name] = read(child, zone)
                elif len(child):
                    raise _no_text()
                else:
                    # Texts are read in place: most members are.
                    state[name] = child.text or _without_text(child)
        except WrongValue as wrong:
            raise wrong.inside(name) from None
        return state

    return decode


def _leaf(spyne_type: Any) -> Decode | None:
    """Return the decoder, None for texts."""
    return None if kind_of(spyne_type) is Kind.TEXT else xml_decoder(spyne_type)
