"""The XML decoder: elements to values, by closures compiled once per declared type.

Members come in any order and namespace, are named exactly or, failing that, in any case; unknown ones are ignored and
missing ones are None (contract section 1.5).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import tzinfo
from typing import Any

from dispatcher.wire.scalars import ReadText, WrongValue, passing_over, text_reader
from dispatcher.wire.types import Kind, item_of, kind_of, members_of

#: Reads the value of an element; dates without a zone are in the zone given.
Decode = Callable[[Any, tzinfo], Any]
#: The name of a member, and what reads it (None: a text, which is read in place).
_Entry = tuple[str, Decode | None]

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
        item = item_of(spyne_type)[1]
        return _array_decoder(xml_decoder(item), of_texts=kind_of(item) is Kind.TEXT)
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


def _array_decoder(read_item: Decode, *, of_texts: bool) -> Decode:
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
        if items or len(element):
            return items
        if is_nil(element):
            return None
        return [element.text] if of_texts and _has_text(element) else _empty(element, items)

    return decode


def _has_text(element: Any) -> bool:
    return bool(element.text) and not element.text.isspace()


def _empty(element: Any, value: Any) -> Any:
    """Return *value*, what an element without members is; a text in it would be lost."""
    if _has_text(element):
        raise WrongValue("elements are expected, not a text")
    return value


def _record_decoder(model: Any) -> Decode:
    read_members = _members_decoder(members_of(model), model.passed_over)
    make = object.__new__

    def decode(element: Any, zone: tzinfo) -> Any:
        if not len(element) and _empty(element, is_nil(element)):
            return None
        instance = make(model)
        instance.__dict__ = read_members(element, zone)
        return instance

    return decode


def _members_decoder(
    members: Mapping[str, Any], passed_over: Collection[str] = ()
) -> Callable[[Any, tzinfo], dict[str, Any]]:
    blank: dict[str, Any] = dict.fromkeys(members)
    readers = {name: _leaf(spyne_type) for name, spyne_type in members.items()}
    readers |= {name: passing_over(xml_decoder(members[name])) for name in passed_over}
    spelt: dict[str, _Entry] = {name: (name, read) for name, read in readers.items()}
    resolve = _resolver(spelt)

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


def _resolver(spelt: dict[str, _Entry]) -> Callable[[str, Mapping[str, Any]], _Entry | None]:
    """Return what finds the member that a tag means, when *spelt* does not have it; exact names are added to it."""
    exact = dict(spelt)
    folded = {name.casefold(): entry for name, entry in exact.items()}

    def resolve(tag: str, state: Mapping[str, Any]) -> _Entry | None:
        name = tag.rpartition("}")[2]  # a namespace may hold braces, a name may not
        entry = exact.get(name)
        if entry is None:
            # A member in another case never overrides one that is named exactly.
            entry = folded.get(name.casefold())
            return entry if entry is not None and state[entry[0]] is None else None
        if len(spelt) < _MAX_SPELLINGS and len(tag) <= _MAX_SPELLING:
            spelt[tag] = entry
        return entry

    return resolve


def _leaf(spyne_type: Any) -> Decode | None:
    """Return the decoder, None for texts."""
    return None if kind_of(spyne_type) is Kind.TEXT else xml_decoder(spyne_type)
