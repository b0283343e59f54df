"""Columns of conductors."""

from __future__ import annotations

from dispatcher.services.exastro_ita.columns import Column, Kind, Label
from dispatcher.services.exastro_ita.columns_of.ordinary import SHORT, ending, key
from dispatcher.services.exastro_ita.menus import Menu
from dispatcher.services.exastro_ita.records import Action, Source

#: Those of ``conductor_class_list``.
CONDUCTORS = (
    key("conductor_class_id", "ConductorクラスID", "Conductor class ID"),
    Column("detail", Label("詳細", "Detail"), Kind.BUTTON, input="2"),
    Column(
        "conductor_name",
        Label("Conductor名称", "Conductor name"),
        Kind.TEXT,
        is_required=True,
        is_unique=True,
        max_bytes=SHORT,
    ),
    Column("setting", Label("設定", "Setting"), Kind.JSON, input="2", is_viewed=False),
    *ending(),
)


def conductor_class_list(source: Source) -> Menu:
    """Return the menu ``conductor_class_list`` over *source*."""
    return Menu(
        name="conductor_class_list",
        label=Label("Conductor一覧", "Conductor class list"),
        columns=CONDUCTORS,
        source=source,
        id="30103",
        actions=frozenset({Action.UPDATE, Action.DISCARD, Action.RESTORE}),
        group=Label("Conductor", "Conductor"),
        order=(("ASC", "conductor_name"),),
    )


#: Those of ``conductor_class_edit``.
EDITED = (
    key("conductor_class_id", "ConductorクラスID", "Conductor class ID"),
    Column(
        "conductor_name",
        Label("Conductor名称", "Conductor name"),
        Kind.TEXT,
        is_required=True,
        is_unique=True,
        max_bytes=SHORT,
    ),
    Column("setting", Label("設定", "Setting"), Kind.JSON, is_required=True),
    *ending(),
)


def conductor_class_edit(source: Source) -> Menu:
    """Return the menu ``conductor_class_edit`` over *source*."""
    return Menu(
        name="conductor_class_edit",
        label=Label("Conductor編集/作業実行", "Conductor class edit/execute"),
        columns=EDITED,
        source=source,
        id="30104",
        sheet_type="14",
        group=Label("Conductor", "Conductor"),
    )
