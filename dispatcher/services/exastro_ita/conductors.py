"""Conductors: the run books of the library, as records of the menu ``conductor_class_list``.

That menu takes no new ones and deletes none (``ROW_INSERT_FLAG`` and ``ROW_DELETE_FLAG`` of the vendor's
``conductor_master.sql`` are 0): conductors come from library files. Their names and remarks are changed here, and
whether they are discarded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Select

from dispatcher.core.jobs import WhatKind
from dispatcher.services.exastro_ita.library_records import Entry, LibraryRecords, Place
from dispatcher.services.exastro_ita.messages import NO_COLUMN, Message
from dispatcher.services.exastro_ita.records import Action, Change, Scope


class Conductors(LibraryRecords):
    """The run books that a workspace sees."""

    kind = WhatKind.RUNBOOK
    section = "runbooks"
    menu = "conductor_class_list"
    name = "conductor_name"

    def only(self, query: Select[Any]) -> Select[Any]:
        """Return *query*: all run books are conductors."""
        return query

    def own_values(self, scope: Scope, places: Sequence[Place]) -> Mapping[UUID, Mapping[str, Any]]:  # noqa: ARG002
        """Return nothing more: what a conductor does is shown by ``conductor_confirmation``."""
        return {one.id: {} for one in places}

    def changed(self, change: Change, entry: Entry | None, scope: Scope) -> Entry:  # noqa: ARG002
        """Return *entry* as it is: name, remarks and discarding are all there is to change."""
        return entry or {}

    def faults(self, change: Change) -> Mapping[str, list[Message]]:
        """Refuse new ones and deletions, also where another menu of them would take these."""
        if change.before is not None and change.action is not Action.DELETE:
            return {}
        return {NO_COLUMN: [Message("401-00002", (change.action.value, self.menu))]}
