"""Listers: lists of choices that are neither fixed nor of one noun alone, and how they are read."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from dispatcher.datastore.logins import Role
from dispatcher.services.exastro_ita.catalogue import Catalogue
from dispatcher.services.exastro_ita.menus import Menu
from dispatcher.services.exastro_ita.operations import NAME, PLANNED, select_text
from dispatcher.services.exastro_ita.records import Scope, Source
from dispatcher.services.settings import Settings

#: What stands before the name where an operation is chosen with its date.
_DATED = re.compile(r"[0-9]{4}/[0-9]{2}/[0-9]{2} [0-9]{2}:[0-9]{2}_")


class MenuLister:
    """Menus, as rights are given for them: their heading and their name, by REST names."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def all(self, scope: Scope) -> Mapping[str, str]:
        """Return the texts by the REST names of the menus."""
        return {menu.name: _titled(menu, scope.language) for menu in self._catalogue.menus(scope.session)}


def _titled(menu: Menu, language: str) -> str:
    return f"{menu.group.text(language)}:{menu.label.text(language)}"


class RoleLister:
    """Roles of the dispatcher."""

    def all(self, scope: Scope) -> Mapping[str, str]:
        """Return the names by the ids of the roles, sorted by name."""
        stored = scope.session.execute(select(Role.id, Role.name)).tuples()
        return {str(key): name for key, name in sorted(stored, key=lambda one: one[1])}


class OperationNames:
    """Live operations by their names alone."""

    def __init__(self, operations: Source) -> None:
        """*operations* is the source of ``operation_list``."""
        self._operations = operations

    def all(self, scope: Scope) -> Mapping[str, str]:
        """Return the names by the ids of the operations, sorted by name."""
        live = (record for record in self._operations.read(scope) if not record.is_discarded)
        return dict(sorted(((str(one.id), one.values[NAME]) for one in live), key=lambda one: one[1]))

    def find(self, scope: Scope, text: str) -> Sequence[str]:
        """Return the ids of the operations with this name: one at most."""
        return [str(key) for key in self._operations.taken(scope, NAME, [text]).values()]


class DatedOperations:
    """Live operations, by ``YYYY/MM/DD HH:MM_<name>`` (seed section 3.3.3)."""

    def __init__(self, operations: Source, settings: Settings) -> None:
        """*operations* is the source of ``operation_list``."""
        self._operations = operations
        self._settings = settings

    def all(self, scope: Scope) -> Mapping[str, str]:
        """Return the texts by the ids of the operations, sorted by text."""
        return dict(sorted(self._live(scope).items(), key=lambda one: one[1]))

    def find(self, scope: Scope, text: str) -> Sequence[str]:
        """Return the ids of the operations that are shown as *text*: names are unique, so that is one at most."""
        if (match := _DATED.match(text)) is None:
            return []
        found = self._operations.taken(scope, NAME, [text[match.end() :]])
        live = self._live(scope, list(found.values())) if found else {}
        return [key for key, shown in live.items() if shown == text]

    def _live(self, scope: Scope, ids: Sequence[UUID] | None = None) -> dict[str, str]:
        zone = self._settings.site_zone()
        live = (record for record in self._operations.read(scope, ids) if not record.is_discarded)
        return {
            str(one.id): select_text(datetime.fromisoformat(one.values[PLANNED]), one.values[NAME], zone)
            for one in live
        }
