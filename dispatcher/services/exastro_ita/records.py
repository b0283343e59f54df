"""Records: the members of menus, and what sources of them, core objects or rows of our own, have to do for a menu."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable
from uuid import UUID

from sqlalchemy.orm import Session

from dispatcher.core.permissions import Caller
from dispatcher.services.exastro_ita.messages import Message
from dispatcher.services.exastro_ita.workspaces import Workspace


class Action(StrEnum):
    """What is done with a record, in the vendor's words."""

    REGISTER = "Register"
    UPDATE = "Update"
    DISCARD = "Discard"
    RESTORE = "Restore"
    DELETE = "Delete"


@dataclass(frozen=True, slots=True)
class Scope:
    """Where and for whom records are read or changed: one transaction, one workspace, one caller, one moment."""

    session: Session
    workspace: Workspace
    caller: Caller
    now: datetime
    language: str = "ja"  #: of the caller: ``ja`` or ``en``; some choices differ by it


@dataclass(slots=True)
class Record:
    """A record with its values in their stored form (``columns``), by the REST names of the columns."""

    id: UUID
    values: dict[str, Any]
    is_discarded: bool
    changed_at: datetime
    changed_by: str


@dataclass(slots=True)
class Change:
    """What becomes of one record. ``index`` is its place in the request, ``id`` that of a new one, too.

    ``values`` are those of the columns that were sent, checked and in their stored form (of Discard and Restore:
    remarks at most); ``before`` is the record as it is, None for a new one.
    """

    index: int
    action: Action
    id: UUID
    values: dict[str, Any]
    before: Record | None = None
    files: dict[str, bytes] = field(default_factory=dict)  #: contents that were sent, by column
    unique: Mapping[str, str] = field(default_factory=dict)  #: what unique columns have after it, as texts; never ""

    @property
    def is_discarded(self) -> bool:
        """Whether the record is discarded after the change."""
        if self.action is Action.UPDATE and self.before is not None:
            return self.before.is_discarded
        return self.action is Action.DISCARD

    @property
    def after(self) -> dict[str, Any]:
        """The values of the record after the change."""
        return {**(self.before.values if self.before else {}), **self.values}


#: Finds faults: index of the change -> column -> messages.
Found = dict[int, dict[str, list[Message]]]


class Source(Protocol):
    """Where the records of a menu come from. All is done in the transaction of the scope."""

    def read(self, scope: Scope, ids: Collection[UUID] | None = None) -> Iterable[Record]:
        """Give the records of the workspace that the caller may see, those with *ids* only if given, in their order."""

    def lock(self, scope: Scope, ids: Collection[UUID]) -> Mapping[UUID, Record]:
        """Return those of the records that are there, locked until the transaction ends."""

    def taken(self, scope: Scope, column: str, values: Collection[str]) -> Mapping[str, UUID]:
        """Return which live record has each of *values* of a unique column, as far as one has it."""

    def write(self, scope: Scope, changes: Sequence[Change]) -> Found:
        """Carry out *changes* in order; return what is wrong with some of them, which undoes the whole transaction."""


@runtime_checkable
class LockedFirst(Protocol):
    """A source that has something to lock which others have locked already when they lock workspaces."""

    def lock_first(self, scope: Scope) -> None:
        """Lock it until the transaction ends; nothing of the workspace is locked yet."""


@runtime_checkable
class Shared(Protocol):
    """A source in which several records may have one unique value, from before that was refused."""

    def holders(self, scope: Scope, column: str, values: Collection[str]) -> Mapping[str, Sequence[UUID]]:
        """Return which live records have each of *values* of a unique column, in their order; never none."""


@runtime_checkable
class Completing(Protocol):
    """A source that shows more of a record than is stored with it, in its history, too."""

    def complete(self, scope: Scope, records: Iterable[Record]) -> None:
        """Add to the values of *records*, each as it was once, what is shown besides."""


@runtime_checkable
class Limited(Protocol):
    """A source of whose records a caller may see some and others not."""

    def visible(self, scope: Scope, records: Iterable[Record]) -> Iterable[Record]:
        """Give those of *records*, each as it is or was once, that the caller may see."""


@runtime_checkable
class Keeper(Protocol):
    """A source that has the contents of its files itself, such as the text of a playbook: no ``ItaFile`` has them."""

    def contents(self, scope: Scope, column: str, ids: Collection[UUID]) -> Mapping[UUID, bytes]:
        """Return the contents of the files in *column* of those of the records that have one there."""
