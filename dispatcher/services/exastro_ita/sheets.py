"""Sheets: the menus that users define in library files, whose records give hosts the values of an operation.

A definition is stored as library files have it (``services.exastro_ita.menu_section``). Every sheet has, besides its
own columns, those that the vendor gives to the sheets that it creates (``ita_by_menu_create``, ``backyard_main.py``);
the operation is shown as it is sent, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from dispatcher.services.exastro_ita.columns import NOTHING, Column, Kind, Label
from dispatcher.services.exastro_ita.columns_of.ordinary import ending, key
from dispatcher.services.exastro_ita.menus import SHEETS, Menu
from dispatcher.services.exastro_ita.places import TOGETHER
from dispatcher.services.exastro_ita.records import Source
from dispatcher.services.exastro_ita.rows import HOST, OPERATION

#: Sheets of this type are of operations, but of no hosts.
WITHOUT_HOSTS = "3"
#: What the names (``Column.choices``) of lists begin with, before a menu and a column: of those that the definition of
#: a sheet gives for the column, and of what the live records of the menu have in the column.
GIVEN, FROM_MENU = "given", "menu"
_GROUP = Label("入力用", "Input")
_OPERATION, _OPERATION_NAME = Label("オペレーション", "Operation"), Label("オペレーション名", "Operation name")
_PARAMETERS = Label("パラメータ", "Parameter")
#: What is shown of the operation that the record is of, and never sent (``services.exastro_ita.sheet_rows``).
NAME_SHOWN, BASE, PLANNED, LAST_RUN = "operation_name_disp", "base_datetime", "operation_date", "last_execute_timestamp"
_MOMENTS = (
    (BASE, Label("基準日時", "Base datetime")),
    (PLANNED, Label("実施予定日", "Operation date")),
    (LAST_RUN, Label("最終実行日時", "Last execute datetime")),
)
#: The types of sheets: with hosts and operations, without hosts, and with files.
TYPES = SHEETS
#: The columns that every sheet has.
RESERVED = frozenset(
    {
        "uuid",
        HOST,
        OPERATION,
        NAME_SHOWN,
        BASE,
        PLANNED,
        LAST_RUN,
        *(column.name for column in ending()),
    }
)
#: Of the kinds that library files name, the kinds of columns.
KINDS: Mapping[str, Kind] = {
    "text": Kind.TEXT,
    "lines": Kind.LINES,
    "integer": Kind.INTEGER,
    "number": Kind.NUMBER,
    "date": Kind.DATE,
    "moment": Kind.MOMENT,
    "choice": Kind.CHOICE,
    "password": Kind.PASSWORD,
    "file": Kind.FILE,
    "link": Kind.LINK,
}


def to_menu(menu_id: UUID, definition: Mapping[str, Any], source: Source) -> Menu:
    """Return the menu that a stored *definition* is of, over *source*."""
    sheet_type = str(definition.get("type", 1))
    own = [to_column(definition["name"], one) for one in definition["columns"]]
    listed = ((one["name"], one.get("choices")) for one in definition["columns"])
    return Menu(
        name=definition["name"],
        label=to_label(definition.get("title"), definition["name"]),
        columns=(*_beginning(sheet_type), *own, *ending()),
        source=source,
        id=str(menu_id),
        sheet_type=sheet_type,
        group=_GROUP,
        description=to_label(definition.get("description"), ""),
        order=(("ASC", OPERATION),),
        given={name: tuple(given) for name, given in listed if isinstance(given, list)},
        unique_together=() if sheet_type == WITHOUT_HOSTS else (TOGETHER,),
    )


def to_label(text: Any, otherwise: str) -> Label:
    """Return the label that a definition has: a text for both languages, or one for each."""
    if isinstance(text, Mapping):
        ja, en = text.get("ja"), text.get("en")
        return Label(ja or en or otherwise, en or ja or otherwise)
    return Label(text or otherwise, text or otherwise)


def _beginning(sheet_type: str) -> Iterator[Column]:
    yield replace(key("uuid", "項番", "uuid"), input="0")
    has_hosts = sheet_type != WITHOUT_HOSTS
    if has_hosts:
        yield Column(HOST, Label("ホスト名", "Host name"), Kind.CHOICE, is_required=True, choices="hosts_or_groups")
    groups = (_OPERATION,)
    yield Column(
        OPERATION,
        _OPERATION_NAME,
        Kind.CHOICE,
        is_required=True,
        is_unique=not has_hosts,
        choices="operations",
        groups=groups,
    )
    yield Column(NAME_SHOWN, _OPERATION_NAME, Kind.TEXT, input="2", groups=groups)
    for name, label in _MOMENTS:
        yield Column(name, label, Kind.MOMENT, is_auto=True, input="0", groups=groups)


def to_column(menu: str, one: Mapping[str, Any]) -> Column:
    """Return the column of the sheet *menu* that a part of its definition is of."""
    groups: Sequence[Any] = one.get("groups", ())
    kind = KINDS[one.get("kind", "text")]
    return Column(
        one["name"],
        to_label(one.get("title"), one["name"]),
        kind,
        is_required=one.get("required", False),
        is_unique=one.get("unique", False),
        max_bytes=one.get("max_bytes"),
        least=_plain(one.get("min")),
        most=_plain(one.get("max")),
        pattern=one.get("pattern", ""),
        choices=_choices(menu, one) if kind is Kind.CHOICE else "",
        initial=one.get("initial"),
        description=to_label(one["description"], "") if one.get("description") else NOTHING,
        groups=(_PARAMETERS, *(to_label(group, "") for group in groups)),
    )


def _choices(menu: str, one: Mapping[str, Any]) -> str:
    given = one.get("choices", [])
    if isinstance(given, str):
        return given
    if isinstance(given, Mapping):
        return f"{FROM_MENU} {given['menu']} {given['column']}"
    return f"{GIVEN} {menu} {one['name']}"


def _plain(limit: float | None) -> float | None:
    """Return *limit* as messages have it: what is whole has no point."""
    return int(limit) if limit is not None and limit % 1 == 0 else limit
