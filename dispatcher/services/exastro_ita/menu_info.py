"""Menu info: what clients are told of a menu: its columns, what may be chosen in them, and which values there are."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from dispatcher.core.permissions import Caller
from dispatcher.core.ports import Ports
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.exastro_ita import rights
from dispatcher.services.exastro_ita.catalogue import Catalogue
from dispatcher.services.exastro_ita.choices import Choices
from dispatcher.services.exastro_ita.column_info import Groups, columns_of, flag, is_known
from dispatcher.services.exastro_ita.columns import Column, Kind
from dispatcher.services.exastro_ita.fixed_choices import MENU_GROUPS
from dispatcher.services.exastro_ita.menus import Menu
from dispatcher.services.exastro_ita.messages import ItaError
from dispatcher.services.exastro_ita.records import Action, Record, Scope
from dispatcher.services.exastro_ita.rights import Privilege
from dispatcher.services.exastro_ita.values import Forms
from dispatcher.services.exastro_ita.workspaces import Workspace

#: How many records the vendor's pages show, and from how many on they ask before.
PRINT_LIMIT, PRINT_CONFIRM = 10_000, 1_000


class MenuInfo:
    """Tells of menus. May be used by many threads; each answer is of one moment."""

    def __init__(self, datastore: Datastore, ports: Ports, catalogue: Catalogue, choices: Choices) -> None:
        self._datastore = datastore
        self._ports = ports
        self._catalogue = catalogue
        self._choices = choices

    def info(self, workspace: Workspace, menu: str, caller: Caller, language: str = "ja") -> dict[str, Any]:
        """Return the columns of *menu*, with their headings, and how the menu is shown.

        :raises ItaError: 499-00002, 499-00003 or 401-00001.
        """
        with self._reading(workspace, caller, language) as scope:
            found = self._menu(scope, menu)
            privilege = rights.require_read(scope, found)
            told = columns_of(found, self._choices.forms(scope))
            groups = Groups(found, told, language)
            return {
                "column_group_info": groups.told(),
                "column_info": told,
                "custom_menu": {},
                "menu_info": {**_told(found, privilege, language), **groups.top()},
            }

    def columns(self, workspace: Workspace, menu: str, caller: Caller, language: str = "ja") -> dict[str, str]:
        """Return what the columns of *menu* are called, by their REST names.

        :raises ItaError: 499-00002, 499-00003 or 401-00001.
        """
        with self._reading(workspace, caller, language) as scope:
            found = self._menu(scope, menu)
            known = {column.name: column.label.text(language) for column in found.columns if is_known(column)}
            return dict(sorted(known.items()))

    def pulldown(
        self, workspace: Workspace, menu: str, caller: Caller, language: str = "ja"
    ) -> dict[str, dict[str, str]]:
        """Return what may be chosen in the columns of *menu* where something is chosen: texts by their ids.

        :raises ItaError: 499-00002, 499-00003 or 401-00001.
        """
        with self._reading(workspace, caller, language) as scope:
            found = self._menu(scope, menu)
            lists = self._choices.within(scope)
            chosen = sorted((one for one in found.columns if one.kind is Kind.CHOICE), key=lambda one: one.name)
            return {column.name: dict(lists.of(column.choices)) for column in chosen}

    def candidates(
        self, workspace: Workspace, menu: str, column: str, caller: Caller, language: str = "ja"
    ) -> list[Any]:
        """Return the values that the records of *menu* show in *column*, sorted, each once; null first.

        Choices that are gone are left out.

        :raises ItaError: 499-00002, 499-00003, 401-00001; 499-00006 if there is no such column, 499-00010 if it has
            passwords.
        """
        with self._reading(workspace, caller, language) as scope:
            found = self._menu(scope, menu)
            wanted = found.by_name.get(column)
            if wanted is None or not is_known(wanted):
                raise ItaError("499-00006", menu, column)
            if wanted.kind is Kind.PASSWORD:
                raise ItaError("499-00010", menu, column)
            forms = self._choices.forms(scope)
            values = {value for record in found.source.read(scope) for value in _shown(forms, wanted, record)}
            return sorted(values, key=lambda one: (one is not None, isinstance(one, str), one))

    @contextmanager
    def _reading(self, workspace: Workspace, caller: Caller, language: str) -> Iterator[Scope]:
        with self._datastore.read() as session:
            yield Scope(session, workspace, caller, self._ports.now(), language)

    def _menu(self, scope: Scope, name: str) -> Menu:
        """Return the menu, of whichever type, that the caller may read."""
        menu = self._catalogue.menu(scope.session, name)
        if menu is None:
            raise ItaError("499-00002", name)
        if not menu.has_table:
            raise ItaError("499-00003", name)
        rights.require_read(scope, menu)
        return menu


def _shown(forms: Forms, column: Column, record: Record) -> Iterator[Any]:
    if column.kind is Kind.CHOICE:
        stored = record.values.get(column.name)
        known: Mapping[Any, str] = forms.lists.of(column.choices)
        keys = stored if isinstance(stored, list) else [stored]
        yield from (known[key] for key in keys if key in known)
        return
    value = forms.of_record(column, record)
    yield json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value


def _told(menu: Menu, privilege: Privilege, language: str) -> dict[str, Any]:
    group = next((key for key, label in MENU_GROUPS.items() if label == menu.group), None)
    return {
        "menu_info": menu.description.text(language),
        "menu_group_id": group,
        "menu_group_name": menu.group.text(language),
        "parent_menu_group_id": None,
        "parent_menu_group_name": None,
        "menu_id": menu.id,
        "menu_name": menu.label.text(language),
        "sheet_type": menu.sheet_type,
        "history_table_flag": "1",
        "table_name": None,
        "view_name": None,
        "pk_column_name_rest": menu.key.name,
        "inherit": "0",
        "vertical": "0",
        "row_insert_flag": flag(Action.REGISTER in menu.actions),
        "row_update_flag": flag(Action.UPDATE in menu.actions),
        "row_disuse_flag": flag(Action.DISCARD in menu.actions),
        "row_reuse_flag": flag(Action.RESTORE in menu.actions),
        "row_delete_flag": flag(Action.DELETE in menu.actions),
        "login_necessity": None,
        "auto_filter_flg": "1",
        "initial_filter_flg": "1",
        "web_print_limit": PRINT_LIMIT,
        "web_print_confirm": PRINT_CONFIRM,
        "xls_print_limit": None,
        "sort_key": sort_key(menu),
        "privilege": str(privilege.value),
    }


def sort_key(menu: Menu) -> str | None:
    """Return what the menu is sorted by on the vendor's pages, as JSON."""
    return json.dumps([{way: column} for way, column in menu.order]) if menu.order else None
