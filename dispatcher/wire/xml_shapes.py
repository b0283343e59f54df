"""Shapes of XML messages: one whose tags were all read before is read by its texts alone.

Clients send the same elements in the same order again and again; what differs stands between the tags. Of a message
whose tags, in order, are known no tree is made: its texts are told from its tags by one pass, and a function that was
written for its shape makes the values of them. Whatever is unusual, or wrong, is left to the reader and the decoder.

Two messages that have the same tags, as they are written, differ in their texts alone: a shape has nothing but tags
whose end is beyond doubt (no comments, no CDATA, no ``>`` in an attribute), and the texts no references, line ends or
characters that a parser would change or refuse.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from operator import itemgetter
from threading import Lock
from typing import Any, Generic, TypeVar

from dispatcher.wire.compiled import compiled
from dispatcher.wire.quotas import Quotas
from dispatcher.wire.scalars import WrongValue, text_reader
from dispatcher.wire.types import Kind, item_of, kind_of, members_of
from dispatcher.wire.xml_decoder import is_nil
from dispatcher.wire.xml_reader import SMALL_BYTES

#: What messages of a shape are for.
Meaning = TypeVar("Meaning")
#: The values in a message: made of its texts; dates without a zone are in the zone given.
Read = Callable[[Sequence[str], tzinfo], list[Any]]
#: The charset of a message, and its tags.
_Key = tuple[str | None, str]

#: How often a shape is seen before it is learnt, which takes as long as reading ten messages or twenty.
OFTEN = 20
#: How many tags a message with a shape has; how many all shapes that are known have together; how many are counted.
_MOST_TAGS, _MOST_KNOWN_TAGS, _MOST_COUNTED = 600, 20_000, 1_000

#: The white space of XML, but for the carriage return, which a parser changes.
_BLANK = " \t\n"
_NAME = r"[A-Za-z_][A-Za-z0-9_.-]*(?::[A-Za-z_][A-Za-z0-9_.-]*)?"
_ATTRIBUTE = rf"""[ \t\n]+{_NAME}=(?:"[^"]*"|'[^']*')"""
_TAG = re.compile(rf"/{_NAME}|{_NAME}(?:{_ATTRIBUTE})*[ \t\n]*/?")
_DECLARATION = re.compile(r"\?xml [^?]*\?")
#: The bytes that say nothing of where tags are, and that no parser changes or refuses. 0xEF begins the byte order mark
#: and the two characters of its plane that XML forbids.
_HARMLESS = bytes(byte for byte in range(256) if byte not in b"<>&\xef" and (byte >= 0x20 or byte in b"\t\n"))


class _Unusual(Exception):
    """What has come is not worth a shape."""


@dataclass(frozen=True, slots=True)
class _Shape(Generic[Meaning]):
    meaning: Meaning
    read: Read
    #: Gives the texts that stand where none is expected: ``nothing`` if there is none.
    between: Callable[[Sequence[str]], Sequence[str]]
    nothing: Sequence[str]
    #: How many tags it has.
    tags: int


@dataclass(frozen=True, slots=True)
class Split(Generic[Meaning]):
    """A message, split: its texts are those before, between and behind its tags."""

    key: _Key
    tags: Sequence[str]
    texts: Sequence[str]
    shape: _Shape[Meaning] | None

    def values(self, zone: tzinfo) -> tuple[Meaning, list[Any]] | None:
        """Return what the message is for, and the values in it; None if it has to be read and decoded."""
        shape = self.shape
        if shape is None:
            return None
        between = shape.between(self.texts)
        if between != shape.nothing and "".join(between).strip(_BLANK):
            return None
        try:
            return shape.meaning, shape.read(self.texts, zone)
        except WrongValue:
            return None  # the decoder says where


class Shapes(Generic[Meaning]):
    """The shapes of the messages that have come to one place. Safe to share between threads."""

    def __init__(self, quotas: Quotas) -> None:
        self._most_bytes = min(SMALL_BYTES, quotas.message_bytes, quotas.string_chars, quotas.xml_name_chars)
        self._known: dict[_Key, _Shape[Meaning]] = {}
        self._known_tags = 0
        self._counts: dict[int, int] = {}
        self._lock = Lock()

    def split(self, body: bytes, charset: str | None) -> Split[Meaning] | None:
        """Return the message in *body*, split; None if it is none for which a shape could be known."""
        if len(body) > self._most_bytes or body[:1] != b"<":
            return None
        marks = body.translate(None, _HARMLESS)
        if len(marks) > 2 * _MOST_TAGS or marks != b"<>" * (len(marks) // 2):
            return None
        try:
            parts = body.decode().replace("<", ">").split(">")
        except UnicodeDecodeError:
            return None
        tags = parts[1::2]
        key = charset, ">".join(tags)
        return Split(key, tags, parts[::2], self._known.get(key))

    def learn(
        self, split: Split[Meaning], root: Any, meaning: Meaning, write: Callable[[ShapeWriter], Sequence[str]]
    ) -> None:
        """Note that the message *split*, whose tree is *root*, was right; learn its shape if it has come often.

        *meaning* is what it is for, *write* has the values in it written. Only for what has been done: whoever has no
        rights teaches nothing.
        """
        mark = hash(split.key)
        with self._lock:
            count = self._counts.pop(mark, 0) + 1
            if count < OFTEN:
                if len(self._counts) >= _MOST_COUNTED:
                    self._counts.clear()
                self._counts[mark] = count
                return
        try:
            writer = ShapeWriter(_places(split.tags, root))
            values = write(writer)
        except _Unusual:
            return
        gaps = [place for place in range(len(split.texts)) if place not in writer.texts]
        source = f"def read(t, zone):\n    return [{', '.join(values)}]\n"
        read = compiled(source, "read", writer.names)
        self._keep(split, _Shape(meaning, read, itemgetter(*gaps), ("",) * len(gaps), len(split.tags)))

    def _keep(self, split: Split[Meaning], shape: _Shape[Meaning]) -> None:
        with self._lock:
            if split.key in self._known:
                return
            self._known[split.key] = shape
            self._known_tags += shape.tags
            while self._known_tags > _MOST_KNOWN_TAGS:
                oldest = next(iter(self._known))
                self._known_tags -= self._known.pop(oldest).tags


class ShapeWriter:
    """Writes, for a message that is right, the expressions by which its texts ``t`` become values as it has them.

    They say the same as the decoder does (``xml_decoder``). *places* says where the text of an element is, for those
    that have a closing tag.
    """

    def __init__(self, places: Mapping[Any, int]) -> None:
        self._places = places
        self.names: dict[str, Any] = {"record": _record}
        #: The places of the texts that may be anything.
        self.texts: set[int] = set()

    def arguments(self, element: Any, arguments: Sequence[tuple[str, Any]]) -> Sequence[str]:
        """Return what makes the *arguments* of an operation, in declared order, of the *element* that wraps them."""
        return [*self._members(element, dict(arguments)).values()]

    def value(self, element: Any, spyne_type: Any) -> str:
        """Return what makes the value of *element*."""
        kind = kind_of(spyne_type)
        if kind is Kind.RECORD:
            return self._record(element, spyne_type)
        if kind is Kind.ARRAY:
            return self._array(element, item_of(spyne_type)[1])
        text = self._text(element)
        if kind is Kind.TEXT:
            return f"{text} or None" if element.keys() and is_nil(element) else text
        read = f"{self._named(text_reader(spyne_type))}({text}, zone)"
        if kind is Kind.ENUM:
            numbers = self._named(spyne_type.members)  # nearly always spelt as it is declared
            return f"{numbers}[{text}] if {text} in {numbers} else {read} if {text} else None"
        return f"{read} if {text} else None"

    def _record(self, element: Any, model: Any) -> str:
        if not len(element) and is_nil(element):
            return "None"
        members = self._members(element, members_of(model), model.passed_over)
        inside = ", ".join([f"{name!r}: {value}" for name, value in members.items()])
        return f"record({self._named(model)}, {{{inside}}})"

    def _array(self, element: Any, item_type: Any) -> str:
        if not len(element):
            return "None" if is_nil(element) else "[]"
        items = [self.value(child, item_type) for child in element]
        if kind_of(item_type) is Kind.RECORD:
            return f"[{', '.join([item for item in items if item != 'None'])}]"
        return f"[item for item in ({', '.join(items)},) if item is not None]"

    def _members(self, element: Any, members: Mapping[str, Any], passed_over: Sequence[str] = ()) -> dict[str, str]:
        written = dict.fromkeys(members, "None")
        folded = {name.casefold() for name in members}
        for child in element:
            name = child.tag.rpartition("}")[2]
            if name in members and written[name] == "None" and name not in passed_over:
                written[name] = self.value(child, members[name])
            elif name.casefold() in folded:
                raise _Unusual  # twice, in another case, or one that may be wrong
            else:
                self.texts |= {self._places[one] for one in child.iter() if one in self._places}  # nobody reads it
        return written

    def _text(self, element: Any) -> str:
        if element not in self._places:
            return "''"
        place = self._places[element]
        self.texts.add(place)
        return f"t[{place}]"

    def _named(self, used: Any) -> str:
        name = f"used_{id(used)}"
        self.names[name] = used
        return name


def _record(model: Any, members: dict[str, Any]) -> Any:
    instance = object.__new__(model)
    instance.__dict__ = members
    return instance


def _places(tags: Sequence[str], root: Any) -> dict[Any, int]:
    """Return where the text behind the opening tag of each element is, for those that have a closing tag.

    :raises _Unusual: if one of *tags* is something else, or may be.
    """
    first = 1 if _DECLARATION.fullmatch(tags[0]) else 0
    if not all(map(_TAG.fullmatch, tags[first:])):
        raise _Unusual
    opening = [place for place, tag in enumerate(tags) if place >= first and not tag.startswith("/")]
    pairs = zip(root.iter(), opening, strict=True)
    return {element: place + 1 for element, place in pairs if not tags[place].endswith("/")}
