"""Columns of the rights of roles in menus."""

from __future__ import annotations

from dispatcher.services.exastro_ita.columns import Column, Kind, Label
from dispatcher.services.exastro_ita.columns_of.ordinary import ending, key
from dispatcher.services.exastro_ita.menus import Menu
from dispatcher.services.exastro_ita.records import Source

#: Those of ``role_menu_link_list``.
ROLE_MENUS = (
    key("uuid", "UUID", "UUID"),
    Column("role_name", Label("ロール", "Role name"), Kind.CHOICE, is_required=True, choices="roles"),
    Column("menu_name", Label("メニュー", "Menu name"), Kind.CHOICE, is_required=True, choices="menus"),
    Column("associate", Label("紐付", "Associate"), Kind.CHOICE, is_required=True, choices="privileges"),
    *ending(),
)


def role_menu_link_list(source: Source) -> Menu:
    """Return the menu ``role_menu_link_list`` over *source*."""
    return Menu(
        name="role_menu_link_list",
        label=Label("ロール-メニュー紐付管理", "Role-Menu link list"),
        columns=ROLE_MENUS,
        source=source,
        id="10104",
        group=Label("管理コンソール", "Management Console"),
        order=(
            ("ASC", "menu_name"),
            ("ASC", "role_name"),
        ),
        unique_together=(
            (
                "role_name",
                "menu_name",
            ),
        ),
    )
