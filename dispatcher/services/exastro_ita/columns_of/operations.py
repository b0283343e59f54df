"""Columns of operations."""

from __future__ import annotations

from dispatcher.services.exastro_ita.columns import Column, Kind, Label
from dispatcher.services.exastro_ita.columns_of.ordinary import ID, SHORT, ending, key
from dispatcher.services.exastro_ita.menus import Menu
from dispatcher.services.exastro_ita.records import Source

#: Those of ``operation_list``.
OPERATIONS = (
    key("operation_id", "オペレーションID", "Operation id"),
    Column(
        "operation_name",
        Label("オペレーション名", "Operation name"),
        Kind.TEXT,
        is_required=True,
        is_unique=True,
        max_bytes=SHORT,
    ),
    Column(
        "scheduled_date_for_execution",
        Label("実施予定日時", "Scheduled date for execution"),
        Kind.MOMENT,
        is_required=True,
    ),
    Column("last_run_date", Label("最終実行日時", "Last run date"), Kind.MOMENT, input="0"),
    Column("environment", Label("環境", "Environment"), Kind.CHOICE, choices="environments"),
    Column("language", Label("言語", "Language"), Kind.TEXT, is_auto=True, input="0", max_bytes=ID),
    *ending(),
)


def operation_list(source: Source) -> Menu:
    """Return the menu ``operation_list`` over *source*."""
    return Menu(
        name="operation_list",
        label=Label("オペレーション一覧", "Operation list"),
        columns=OPERATIONS,
        source=source,
        id="10201",
        group=Label("基本コンソール", "Basic Console"),
        order=(("ASC", "operation_name"),),
    )
