"""Menu list: the records of ``menu_list``: all menus, for those who look for their REST names (seed section 2)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import select

from dispatcher.core.permissions import SYSTEM
from dispatcher.datastore.exastro_ita import ItaMenu
from dispatcher.services.exastro_ita.catalogue import Catalogue
from dispatcher.services.exastro_ita.column_info import STEP
from dispatcher.services.exastro_ita.fixed_choices import MENU_GROUPS
from dispatcher.services.exastro_ita.menu_info import PRINT_CONFIRM, PRINT_LIMIT, sort_key
from dispatcher.services.exastro_ita.menus import Menu
from dispatcher.services.exastro_ita.records import Change, Found, Record, Scope

#: What the ids of the menus that are always there are made with; it must never change.
_NAMESPACE = UUID("8c0f6f1e-0d0b-5d2c-9a53-6c1a0d1f7c55")
#: Since when these menus are there.
_ALWAYS = datetime(2026, 11, 1, tzinfo=UTC)
_YES = "1"


class MenuList:
    """The source of ``menu_list``. Nothing is changed by it: users define sheets in library files."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def read(self, scope: Scope, ids: Collection[UUID] | None = None) -> Iterator[Record]:
        """Give the menus, those with *ids* only if given: first those that are always there, then sheets by name."""
        stored = scope.session.execute(select(ItaMenu.name, ItaMenu.id, ItaMenu.updated_at, ItaMenu.updated_by))
        sheets = {name: (key, at, by) for name, key, at, by in stored.tuples()}
        for place, menu in enumerate(self._catalogue.menus(scope.session), 1):
            always = (uuid5(_NAMESPACE, menu.name), _ALWAYS, SYSTEM.name)
            key, at, by = sheets.get(menu.name, always) if menu.is_sheet else always
            if ids is None or key in ids:
                yield Record(key, _values(menu, place), False, at, by)

    def lock(self, scope: Scope, ids: Collection[UUID]) -> Mapping[UUID, Record]:
        """Return those of the menus that are there; nothing here changes them."""
        return {record.id: record for record in self.read(scope, ids)}

    def taken(self, scope: Scope, column: str, values: Collection[str]) -> Mapping[str, UUID]:
        """Return which menu has each of *values* as its REST name."""
        named = {record.values[column]: record.id for record in self.read(scope)} if column == "menu_name_rest" else {}
        return {value: named[value] for value in values if value in named}

    def write(self, scope: Scope, changes: Sequence[Change]) -> Found:  # noqa: ARG002
        """Change nothing: the menu takes no changes, so there are none."""
        return {}


def _values(menu: Menu, place: int) -> dict[str, Any]:
    return {
        "menu_group_name": next((key for key, label in MENU_GROUPS.items() if label == menu.group), None),
        "menu_name_ja": menu.label.ja,
        "menu_name_en": menu.label.en,
        "menu_name_rest": menu.name,
        "display_order": place * STEP,
        "autofilter_flg": _YES,
        "initial_filter_flg": _YES,
        "web_print_limit": PRINT_LIMIT,
        "web_print_confirm": PRINT_CONFIRM,
        "sort_key": sort_key(menu),
    }
