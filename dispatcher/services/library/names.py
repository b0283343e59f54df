"""Library names: how the objects of one kind are found by id, by path (``Demo/Files/Append a line``) or by name.

Names and folders are the same when they differ in case only: so they are on every database.
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

_Place = tuple[str, str]


class Names:
    """The objects of one kind, by folder and name. ``noun`` is what messages call one of them."""

    def __init__(self, noun: str, known: Iterable[tuple[UUID, str, str]] = ()) -> None:
        self.noun = noun
        #: Names of entries that have problems: what refers to them is no second problem.
        self.broken: set[str] = set()
        self._places: dict[UUID, _Place] = {}
        self._by_path: dict[str, set[UUID]] = {}
        self._by_name: dict[str, set[UUID]] = {}
        for key, folder, name in known:
            self.put(key, folder, name)

    def __contains__(self, key: UUID) -> bool:
        return key in self._places

    def put(self, key: UUID, folder: str, name: str) -> None:
        """Note that *key* has this place now, and no other."""
        if key in self._places:
            for index, text in self._texts(*self._places[key]):
                index[text].discard(key)
        self._places[key] = (folder, name)
        for index, text in self._texts(folder, name):
            index.setdefault(text, set()).add(key)

    def at(self, folder: str, name: str) -> list[UUID]:
        """Return the objects at this very place: at most one, but for agents, which may share a name."""
        wanted = (folder.casefold(), name.casefold())
        found = self._by_path.get(path_of(folder, name).casefold(), ())
        return sorted(key for key in found if tuple(part.casefold() for part in self._places[key]) == wanted)

    def folder_of(self, key: UUID) -> str:
        """Return the folder that *key* is in; empty for the root, and for what is not there."""
        return self._places.get(key, ("", ""))[0]

    def find(self, text: str) -> UUID:
        """Return the object whose id, path or name is *text*, in this order.

        :raises LookupError: if there is none, or several; the message says so.
        """
        try:
            if UUID(text) in self._places:
                return UUID(text)
        except ValueError:
            pass  # not an id, so a path or a name
        for index in (self._by_path, self._by_name):
            found = index.get(text.casefold(), ())
            if len(found) == 1:
                return next(iter(found))
            if found:
                raise LookupError(f"several {self.noun}s are called {text!r}: give folder/name or the id")
        raise LookupError(f"no {self.noun} is called {text!r}")

    def is_broken(self, text: str) -> bool:
        """Whether *text* is the name or path of an entry that has problems of its own."""
        return text.casefold() in self.broken or text.casefold().rpartition("/")[2] in self.broken

    def shortest(self, key: UUID) -> str:
        """Return the name of *key*, else its path, else its id: the first by which ``find`` finds it."""
        folder, name = self._places.get(key, ("", str(key)))
        for text in (name, path_of(folder, name)):
            try:
                if self.find(text) == key:
                    return text
            except LookupError:
                continue
        return str(key)

    def path(self, key: UUID) -> str:
        """Return the path of *key*, else its id: the first by which ``find`` finds it."""
        text = path_of(*self._places[key]) if key in self._places else ""
        return text if self._by_path.get(text.casefold()) == {key} else str(key)

    def sorted(self) -> list[UUID]:
        """Return all objects by folder, name and id."""
        return sorted(self._places, key=lambda key: (*self._places[key], key))

    def _texts(self, folder: str, name: str) -> list[tuple[dict[str, set[UUID]], str]]:
        return [(self._by_path, path_of(folder, name).casefold()), (self._by_name, name.casefold())]


def path_of(folder: str, name: str) -> str:
    """Return the path of an object called *name* in *folder*."""
    return f"{folder}/{name}" if folder else name
