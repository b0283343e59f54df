"""Uniqueness: who has which value of the unique columns of a menu, also while a request changes one record by one.

A combination of columns that is unique (``Menu.unique_together``) is one more column, with the texts of all of them as
its value; it is stored beside the others (``ItaUnique``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson

from dispatcher.services.exastro_ita.columns import Kind
from dispatcher.services.exastro_ita.menus import Menu
from dispatcher.services.exastro_ita.records import Scope, Shared


class Uniqueness:
    """The unique values of the live records of a menu, as they are in the transaction of *scope*.

    They are looked up column by column (``look_up``), and followed from change to change (``put``, ``take_away``).
    """

    def __init__(self, scope: Scope, menu: Menu) -> None:
        self._scope = scope
        self._source = menu.source
        self._columns = [one.name for one in menu.columns if one.is_unique and one.kind is not Kind.KEY]
        self._together = {",".join(names): names for names in menu.unique_together}
        #: In their order, the last one that came to have the value at the end; mostly there is one.
        self._holders: defaultdict[tuple[str, str], dict[UUID, None]] = defaultdict(dict)
        self._known: set[tuple[str, str]] = set()

    @property
    def is_needed(self) -> bool:
        """Whether there is anything that is unique."""
        return bool(self._columns or self._together)

    def texts(self, values: Mapping[str, Any]) -> dict[str, str]:
        """Return the unique values of a record by their columns, without those that are empty."""
        found = {name: text for name in self._columns if (text := unique_text(values.get(name)))}
        for name, names in self._together.items():
            found[name] = orjson.dumps([unique_text(values.get(one)) for one in names]).decode()
        return found

    def columns_of(self, name: str) -> tuple[str, ...] | None:
        """Return the columns of the combination *name*; None if it is a column."""
        return self._together.get(name)

    def look_up(self, records: Iterable[Mapping[str, str]]) -> None:
        """Find the holders of the values (``texts``) of *records*, by one query for each column."""
        wanted: dict[str, set[str]] = defaultdict(set)
        for texts in records:
            for name, text in texts.items():
                if (name, text) not in self._known:
                    wanted[name].add(text)
        for name, some in wanted.items():
            self._known.update((name, text) for text in some)
            for text, keys in self._found(name, some).items():
                self._holders[name, text] |= dict.fromkeys(keys)

    def others(self, texts: Mapping[str, str], own: UUID, names: Collection[str]) -> dict[str, UUID]:
        """Return which of the values in the columns *names* other records than *own* have, and the last of these."""
        if any((name, text) not in self._known for name, text in texts.items()):
            self.look_up([texts])  # what an earlier change of the request has made of the record
        held: dict[str, UUID] = {}
        for name in names:
            others = [key for key in self._holders.get((name, texts[name]), ()) if key != own] if name in texts else []
            if others:
                held[name] = others[-1]
        return held

    def _found(self, name: str, texts: Collection[str]) -> Mapping[str, Sequence[UUID]]:
        if isinstance(self._source, Shared):
            return self._source.holders(self._scope, name, texts)
        return {text: [key] for text, key in self._source.taken(self._scope, name, texts).items()}

    def put(self, texts: Mapping[str, str], own: UUID) -> None:
        """Note that the record *own* has these values from now on."""
        for one in texts.items():
            self._holders[one][own] = None
            self._known.add(one)

    def take_away(self, texts: Mapping[str, str], own: UUID) -> None:
        """Note that the record *own* no longer has these values."""
        for one in texts.items():
            self._holders[one].pop(own, None)
            self._known.add(one)


def unique_text(value: Any) -> str:
    """Return the text by which two values of a column are the same; "" of nothing."""
    if value is None:
        return ""
    if isinstance(value, dict):  # a file
        return str(value.get("name", ""))
    return value if isinstance(value, str) else orjson.dumps(value).decode()
