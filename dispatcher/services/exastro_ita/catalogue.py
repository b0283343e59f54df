"""Catalogue: all menus by name: those that are always there, and the parameter sheets that users have defined."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from dispatcher.datastore import revisions
from dispatcher.datastore.exastro_ita import ItaMenu
from dispatcher.services.exastro_ita import sheets
from dispatcher.services.exastro_ita.menus import Menu
from dispatcher.services.exastro_ita.records import Source


class Catalogue:
    """Finds menus. May be used by many threads once all that are always there have been added."""

    def __init__(self, rows: Callable[[str], Source]) -> None:
        """*rows* makes the source of the records of a sheet from its name."""
        self._rows = rows
        self._built_in: dict[str, Menu] = {}
        #: The sheets, and the revision of the library at which they were read: replaced as one.
        self._kept: tuple[int, Mapping[str, Menu]] = (-1, {})

    def add(self, menus: Iterable[Menu]) -> None:
        """Add menus that are always there, while the suite is built; no sheet can hide one."""
        self._built_in.update((menu.name, menu) for menu in menus)

    def menu(self, session: Session, name: str) -> Menu | None:
        """Return the menu with the REST name *name*, exactly as it is written; None if there is none."""
        return self._built_in.get(name) or self._sheets(session).get(name)

    def menus(self, session: Session) -> list[Menu]:
        """Return all menus: first those that are always there, then the sheets by name."""
        own = [menu for name, menu in self._sheets(session).items() if name not in self._built_in]
        return [*self._built_in.values(), *own]

    def _sheets(self, session: Session) -> Mapping[str, Menu]:
        mark = revisions.current(session)[revisions.LIBRARY]
        kept_at, kept = self._kept
        if kept_at == mark:
            return kept
        stored = session.scalars(select(ItaMenu).order_by(ItaMenu.name))
        read = {row.name: sheets.to_menu(row.id, row.definition, self._rows(row.name)) for row in stored}
        # What this transaction has changed may be rolled back.
        if not revisions.is_changing(session, revisions.LIBRARY):
            self._kept = (mark, read)
        return read
