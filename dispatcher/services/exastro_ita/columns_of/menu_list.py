"""Columns of menus. Menus are made by library files, and not changed by this one, as the vendor's can be."""

from __future__ import annotations

from dispatcher.services.exastro_ita.columns import Column, Kind, Label
from dispatcher.services.exastro_ita.columns_of.ordinary import LONG, SHORT, ending, key
from dispatcher.services.exastro_ita.menus import Menu
from dispatcher.services.exastro_ita.records import Source

#: Those of ``menu_list``.
MENUS = (
    key("menu_id", "メニューID", "Menu id"),
    Column(
        "menu_group_name", Label("メニューグループ", "Menu group"), Kind.CHOICE, is_required=True, choices="menu_groups"
    ),
    Column("menu_name_ja", Label("メニュー名(ja)", "Menu name(ja)"), Kind.TEXT, is_required=True, max_bytes=SHORT),
    Column("menu_name_en", Label("メニュー名(en)", "Menu name(en)"), Kind.TEXT, is_required=True, max_bytes=SHORT),
    Column(
        "menu_name_rest",
        Label("メニュー名(rest)", "Menu name(rest)"),
        Kind.TEXT,
        is_required=True,
        is_unique=True,
        max_bytes=SHORT,
    ),
    Column(
        "display_order",
        Label("メニューグループ内表示順序", "DISP_SEQ"),
        Kind.INTEGER,
        is_required=True,
        least=0,
        most=2147483647,
    ),
    Column(
        "autofilter_flg",
        Label("オートフィルタチェック", "AUTOFILTER_FLG"),
        Kind.CHOICE,
        is_required=True,
        choices="booleans",
    ),
    Column(
        "initial_filter_flg",
        Label("初回フィルタ", "INITIAL_FILTER_FLG"),
        Kind.CHOICE,
        is_required=True,
        choices="booleans",
    ),
    Column("custom_menu_item", Label("独自メニュー用素材", "CUSTOM_MENU_ITEM"), Kind.FILE),
    Column("web_print_limit", Label("Web表示最大行数", "WEB_PRINT_LIMIT"), Kind.INTEGER, least=0, most=1000000),
    Column("web_print_confirm", Label("Web表示前確認行数", "WEB_PRINT_CONFIRM"), Kind.INTEGER, least=0, most=1000000),
    Column("xls_print_limit", Label("Excel出力最大行数", "XLS_PRINT_LIMIT"), Kind.INTEGER, least=0, most=1000000),
    Column("sort_key", Label("ソートキー", "SORT_KEY"), Kind.LINES, max_bytes=LONG),
    *ending(),
)


def menu_list(source: Source) -> Menu:
    """Return the menu ``menu_list`` over *source*."""
    return Menu(
        name="menu_list",
        label=Label("メニュー管理", "Menu list"),
        columns=MENUS,
        source=source,
        id="10103",
        actions=frozenset(),
        group=Label("管理コンソール", "Management Console"),
        order=(
            ("ASC", "display_order"),
            ("ASC", "menu_group_name"),
        ),
        unique_together=(
            (
                "menu_group_name",
                "menu_name_ja",
            ),
            (
                "menu_group_name",
                "menu_name_en",
            ),
        ),
    )
