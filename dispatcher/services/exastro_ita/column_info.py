"""Column info: what the vendor's pages are told of the columns of a menu, and of the headings that these stand under.

Names and flags of members are those of ``collect_menu_info`` (``common_libs/common/menu_info.py`` of 2.7). What they
say of the vendor's own tables is empty.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from uuid import NAMESPACE_OID, UUID, uuid5

from dispatcher.services.exastro_ita.columns import Column, Kind, Label
from dispatcher.services.exastro_ita.menus import Menu
from dispatcher.services.exastro_ita.values import Forms

#: The vendor counts what is to be shown in tens.
STEP = 10
_TYPES = {
    Kind.KEY: "SingleTextColumn",
    Kind.TEXT: "SingleTextColumn",
    Kind.LINES: "MultiTextColumn",
    Kind.INTEGER: "NumColumn",
    Kind.NUMBER: "FloatColumn",
    Kind.DATE: "DateColumn",
    Kind.MOMENT: "DateTimeColumn",
    Kind.CHOICE: "IDColumn",
    Kind.PASSWORD: "PasswordColumn",
    Kind.FILE: "FileUploadColumn",
    Kind.LINK: "HostInsideLinkTextColumn",
    Kind.JSON: "JsonColumn",
    Kind.BUTTON: "ButtonColumn",
    Kind.REMARKS: "NoteColumn",
    Kind.DISCARD: "SingleTextColumn",
    Kind.CHANGED_AT: "LastUpdateDateColumn",
    Kind.CHANGED_BY: "LastUpdateUserColumn",
}
#: Choices that the vendor has columns of their own for.
_TYPES_OF_CHOICES = {"roles": "RoleIDColumn", "environments": "EnvironmentIDColumn"}


def flag(value: object) -> str:
    """Return ``1`` or ``0``."""
    return "1" if value else "0"


def is_known(column: Column) -> bool:
    """Whether clients are told of the column at all: it is taken or shown."""
    return column.input != "2" or column.is_viewed


def columns_of(menu: Menu, forms: Forms) -> dict[str, dict[str, Any]]:
    """Return all that is told of the columns, by ``c1``, ``c2`` and so on; hidden ones are counted, too."""
    return {
        f"c{place}": _told(menu, column, place, forms)
        for place, column in enumerate(menu.columns, 1)
        if is_known(column)
    }


def _told(menu: Menu, column: Column, place: int, forms: Forms) -> dict[str, Any]:
    language = forms.language
    return {
        "column_id": _id_of(menu, column, place),
        "column_name": column.label.text(language),
        "column_name_rest": column.name,
        "column_group_id": group_id(column.groups),
        "column_group_name": "/".join(label.text(language) for label in column.groups) or None,
        "column_type": _type(column),
        "column_disp_seq": place * STEP,
        "description": column.description.text(language) or None,
        "ref_table_name": None,
        "ref_pkey_name": None,
        "ref_col_name": None,
        "ref_sort_conditions": None,
        "ref_multi_lang": "0",
        "sensitive_coloumn_name": None,
        "col_name": None,
        "button_action": None,
        "save_type": "JSON" if menu.is_sheet else None,
        "auto_input": flag(column.is_auto),
        "input_item": column.input,
        "view_item": flag(column.is_viewed),
        "unique_item": flag(column.is_unique),
        "required_item": flag(column.is_required),
        "initial_value": _initial(column, forms),
        "validate_option": _limits(column),
        "before_validate_register": None,
        "after_validate_register": None,
    }


def _id_of(menu: Menu, column: Column, place: int) -> str:
    return f"{menu.id}{place:02}" if menu.id.isdecimal() else str(uuid5(UUID(menu.id), column.name))


def _type(column: Column) -> str:
    if column.kind is Kind.CHOICE:
        return "MultiSelectIDColumn" if column.is_many else _TYPES_OF_CHOICES.get(column.choices, _TYPES[Kind.CHOICE])
    return "FileUploadEncryptColumn" if column.is_secret else _TYPES[column.kind]


def _initial(column: Column, forms: Forms) -> str | None:
    """Return the first value as it is shown; the choices of sheets are named by their texts already."""
    if column.kind is not Kind.CHOICE or column.initial is None:
        return column.initial
    return forms.lists.of(column.choices).get(column.initial, column.initial)


def _limits(column: Column) -> str | None:
    limits: dict[str, float] = {}
    if column.max_bytes is not None:
        limits = {"min_length": 0, "max_length": column.max_bytes}
    kind = "int" if column.kind is Kind.INTEGER else "float"
    if column.least is not None:
        limits[f"{kind}_min"] = column.least
    if column.most is not None:
        limits[f"{kind}_max"] = column.most
    return json.dumps(limits) if limits else None


def group_id(groups: tuple[Label, ...]) -> str | None:
    """Return the id of the innermost of *groups*: the same for the same headings in all menus."""
    return str(uuid5(NAMESPACE_OID, "/".join(label.en for label in groups))) if groups else None


class Groups:
    """The headings of a menu, ``g1``, ``g2`` and so on: what stands under each, of what *columns* (``columns_of``)."""

    def __init__(self, menu: Menu, told: dict[str, dict[str, Any]], language: str) -> None:
        self._language = language
        self._names: dict[tuple[Label, ...], str] = {}
        #: What stands under each heading, and under none; of all columns, those that are taken, and those shown.
        self._under: dict[tuple[Label, ...], dict[str, list[str]]] = {(): {"": [], "_input": [], "_view": []}}
        places = {f"c{place}": column for place, column in enumerate(menu.columns, 1)}
        for number in told:
            for ending in _endings(places[number]):
                self._put(number, places[number].groups, ending)

    def _put(self, item: str, groups: tuple[Label, ...], ending: str) -> None:
        """Note *item*, a column or heading, under its heading, and that under its own."""
        if groups and groups not in self._names:
            self._names[groups] = f"g{len(self._names) + 1}"
            self._under[groups] = {"": [], "_input": [], "_view": []}
        under = self._under[groups][ending]
        if item not in under:
            under.append(item)
        if groups:
            self._put(self._names[groups], groups[:-1], ending)

    def told(self) -> dict[str, dict[str, Any]]:
        """Return all that is told of the headings."""
        return {
            name: {
                **self.top(groups),
                "column_group_id": group_id(groups),
                "column_group_name": groups[-1].text(self._language),
                "parent_column_group_id": group_id(groups[:-1]),
                "parent_column_group_name": groups[-2].text(self._language) if len(groups) > 1 else None,
            }
            for groups, name in self._names.items()
        }

    def top(self, groups: tuple[Label, ...] = ()) -> dict[str, list[str]]:
        """Return what stands under a heading, or under none: all, what is taken, and what is shown."""
        return {f"columns{ending}": items for ending, items in self._under[groups].items()}


def _endings(column: Column) -> Iterator[str]:
    yield ""
    if column.input != "2":
        yield "_input"
    if column.is_viewed:
        yield "_view"
