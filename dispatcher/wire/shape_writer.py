"""The writer of what reads messages of a shape: what the decoder does, for texts that are known by their places."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC
from functools import cache
from typing import Any

from dispatcher.wire.scalars import ReadText, text_reader
from dispatcher.wire.types import Kind, item_of, kind_of, members_of
from dispatcher.wire.xml_decoder import is_nil


class Unusual(Exception):
    """What has come is not worth a shape."""


class ShapeWriter:
    """Writes what makes values of the texts ``t`` of messages like one that was right, the same as the decoder makes.

    *leaves* says which text is that of an element, for those that have one.
    """

    def __init__(self, leaves: Mapping[Any, int]) -> None:
        self._leaves = leaves
        #: What makes records, line by line; and what the lines and expressions name.
        self.lines: list[str] = []
        self.names: dict[str, Any] = {}
        #: The texts that may be anything.
        self.texts: set[int] = set()

    def arguments(self, element: Any, arguments: Sequence[tuple[str, Any]]) -> list[str]:
        """Return what makes the *arguments* of an operation, in declared order, of the *element* that wraps them."""
        members = dict(arguments)
        return [*(dict.fromkeys(members, "None") | self._members(element, members)).values()]

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
        if kind in (Kind.ENUM, Kind.FLAG):
            return f"{self._named(_spelt(spyne_type))}[{text}]"
        return f"{self._named(text_reader(spyne_type))}({text}, zone) if {text} else None"

    def _record(self, element: Any, model: Any) -> str:
        if not len(element) and is_nil(element):
            return "None"
        members = self._members(element, members_of(model), model.passed_over)
        record = f"record_{len(self.lines)}"
        self.lines += [f"{record} = {self._named(model)}()"]
        self.lines += [f"{record}.{name} = {value}" for name, value in members.items()]
        return record

    def _array(self, element: Any, item_type: Any) -> str:
        if not len(element):
            return "None" if is_nil(element) else "[]"
        items = [self.value(child, item_type) for child in element]
        if kind_of(item_type) is Kind.RECORD:
            return f"[{', '.join([item for item in items if item != 'None'])}]"
        return f"[item for item in ({', '.join(items)},) if item is not None]"

    def _members(self, element: Any, members: Mapping[str, Any], passed_over: Collection[str] = ()) -> dict[str, str]:
        """Return what makes the *members* that are in *element*."""
        written: dict[str, str] = {}
        folded = {name.casefold() for name in members}
        for child in element:
            name = child.tag.rpartition("}")[2]
            if name in members and name not in written and name not in passed_over:
                written[name] = self.value(child, members[name])
            elif name.casefold() in folded:
                raise Unusual  # twice, in another case, or one that may be wrong
            else:
                self.texts |= {self._leaves[one] for one in child.iter() if one in self._leaves}  # nobody reads them
        return written

    def _text(self, element: Any) -> str:
        if element not in self._leaves:
            return "''"
        place = self._leaves[element]
        self.texts.add(place)
        return f"t[{place}]"

    def _named(self, used: Any) -> str:
        name = f"used_{id(used)}"
        self.names[name] = used
        return name


class _Spelt(dict[str, Any]):
    """Values by their names; of what else may stand for one *read* knows what it means."""

    def __init__(self, values: Mapping[str, Any], read: ReadText) -> None:
        super().__init__(values)
        self._read = read

    def __missing__(self, text: str) -> Any:
        return self._read(text, UTC)


@cache
def _spelt(spyne_type: Any) -> _Spelt:
    """Return the values of an enumeration, or of flags, by their names: nearly always they are spelt as declared."""
    values = spyne_type.members if kind_of(spyne_type) is Kind.ENUM else {"true": True, "false": False}
    return _Spelt(values, text_reader(spyne_type))
