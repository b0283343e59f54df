"""Library items: entries of library files on their way into the datastore."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any, Generic, TypeVar

from dispatcher.services.library.entries import NamedEntry
from dispatcher.services.library.source import Path, Source

E = TypeVar("E", bound=NamedEntry)


class Outcome(Enum):
    """What importing did to an object."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


@dataclass(slots=True)
class Item(Generic[E]):
    """An entry with its place in the file and, once it is claimed, the stored ``row`` that it describes."""

    section: str
    entry: E
    source: Source
    path: Path
    row: Any = None
    outcome: Outcome = Outcome.UNCHANGED
    prepared: Any = None  #: what its section has stored before the transaction of the import
    #: What has become different of the stored object, by its members, for the audit: as it was, and as it is.
    old: dict[str, Any] = field(default_factory=dict)
    new: dict[str, Any] = field(default_factory=dict)

    def problem(self, text: str, *path: str | int) -> None:
        """Note a problem with the member at *path* of the entry."""
        self.source.add((*self.path, *path), text)

    def assign(self, **values: Any) -> bool:
        """Set the columns of the row that differ from *values*; return whether there were any."""
        different = {name: value for name, value in values.items() if getattr(self.row, name) != value}
        for name, value in different.items():
            self.note(name, getattr(self.row, name), value)
            setattr(self.row, name, value)
        return bool(different)

    def note(self, member: str, old: Any, new: Any) -> None:
        """Note for the audit that a member of the stored object, no secret, was *old* before, and is *new*."""
        self.old.setdefault(member, old)
        self.new[member] = new

    def changed(self, now: datetime, by: str) -> None:
        """Note that the stored object is not what it was, since *now* and because of the login *by*."""
        if self.outcome is Outcome.UNCHANGED:
            self.outcome = Outcome.UPDATED
        self.row.updated_at, self.row.updated_by = now, by[:255]
