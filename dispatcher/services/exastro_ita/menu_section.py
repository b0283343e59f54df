"""Menu section: the ``menus`` of library files: parameter sheets that users define.

A changed definition leaves the records of the sheet as they are, also what they have for a column that is gone.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from dispatcher.datastore import revisions
from dispatcher.datastore.exastro_ita import ItaMenu
from dispatcher.services.exastro_ita import sheet_columns, sheets
from dispatcher.services.exastro_ita.columns_of.built_in import BUILT_IN
from dispatcher.services.exastro_ita.menu_entries import MenuColumnEntry, MenuEntry
from dispatcher.services.exastro_ita.redefining import GONE, Redefined, redefine, with_gone
from dispatcher.services.library import aliases
from dispatcher.services.library.claiming import claim_named
from dispatcher.services.library.items import Item, Outcome
from dispatcher.services.library.names import Names
from dispatcher.services.library.sections import Exporting, Importing

_TYPES = tuple(map(int, sheets.TYPES))


class MenuSection:
    """Sheets, by their REST names."""

    name = "menus"
    entry = MenuEntry
    revision = revisions.LIBRARY

    def names(self, session: Session) -> Names:
        """Return what is stored."""
        return Names("menu", ((key, "", name) for key, name in session.execute(select(ItaMenu.id, ItaMenu.name))))

    def check(self, item: Item[MenuEntry]) -> None:
        """Note a name that is taken by a menu which is always there, and what is wrong with columns themselves."""
        entry = item.entry
        aliases.check(item, entry.aliases, self.name)
        if entry.name.casefold() in BUILT_IN:
            item.problem("a menu that is always there has this name", "name")
        if entry.type not in _TYPES:
            item.problem(f"is one of {', '.join(sheets.TYPES)}", "type")
        sheet_columns.check(item)

    def claim(self, importing: Importing, item: Item[MenuEntry]) -> None:
        """Give the item the menu with its id, else that of its name, else a new one; its columns are known by that."""
        entry = item.entry
        if not claim_named(importing, item, ItaMenu()):
            return
        if item.outcome is not Outcome.CREATED:
            item.prepared = Redefined(item.row.name, item.row.definition)
        if item.assign(name=entry.name, definition=with_gone(_definition(entry), item.prepared)):
            item.changed(importing.now, importing.caller.name)
        importing.session.add(item.row)
        importing.session.flush()

    def fill(self, importing: Importing, item: Item[MenuEntry]) -> None:
        """Let the records follow the definition; note columns that choices are from and that are not there."""
        if item.outcome is not Outcome.UNCHANGED:
            revisions.bump(importing.session, revisions.LIBRARY)
        for place, column in enumerate(item.entry.columns):
            if isinstance(column.choices, MenuColumnEntry):
                _check_source(importing, item, column.choices, "columns", place, "choices")
        if item.prepared is not None and item.outcome is not Outcome.UNCHANGED:
            new = Redefined(item.row.name, item.row.definition)
            for place, text in redefine(importing.session, item.prepared, new):
                item.problem(text, "columns", place)

    def dump(self, exporting: Exporting, key: UUID) -> dict[str, Any]:
        """Return the stored sheet *key* as a member of the section."""
        row = exporting.session.get_one(ItaMenu, key)
        definition = {name: value for name, value in row.definition.items() if name != GONE}
        return {"name": row.name, "id": str(row.id), **definition}


def _definition(entry: MenuEntry) -> dict[str, Any]:
    """Return what is stored of *entry*: what it says, where that is not what holds anyway."""
    stored = entry.model_dump(mode="json", exclude_defaults=True, exclude={"id", "aliases"})
    return {"name": entry.name, "columns": [], **stored}


def _check_source(importing: Importing, item: Item[MenuEntry], source: MenuColumnEntry, *path: str | int) -> None:
    if source.menu in BUILT_IN:
        known = {column.name for column in BUILT_IN[source.menu]}
    else:
        menu_id = importing.find("menus", source.menu, item, *path, "menu")
        if menu_id is None:
            return
        row = importing.session.get_one(ItaMenu, menu_id)
        if row.name != source.menu:
            item.problem(f"the menu is called {row.name!r}", *path, "menu")
        known = {column["name"] for column in row.definition["columns"]}
    if source.column not in known:
        item.problem(f"the menu {source.menu} has no column {source.column!r} of its own", *path, "column")
