"""Columns of regular executions of conductors."""

from __future__ import annotations

from dispatcher.services.exastro_ita.columns import Column, Kind, Label
from dispatcher.services.exastro_ita.columns_of.ordinary import ending, key
from dispatcher.services.exastro_ita.menus import Menu
from dispatcher.services.exastro_ita.records import Source

#: Those of ``conductor_regularly_execution``.
REGULAR = (
    key("regularly_id", "定期作業実行ID", "Periodic work execution ID"),
    Column("check_the_work_list", Label("作業履歴", "History"), Kind.BUTTON, input="2"),
    Column(
        "conductor_name", Label("Conductor名称", "Conductor name"), Kind.CHOICE, is_required=True, choices="conductors"
    ),
    Column(
        "operation_name",
        Label("オペレーション名", "Operation name"),
        Kind.CHOICE,
        is_required=True,
        choices="operation_names",
    ),
    Column("status", Label("ステータス", "Status"), Kind.CHOICE, is_auto=True, input="0", choices="regular_states"),
    Column("execution_user", Label("実行ユーザ", "Execution user"), Kind.TEXT, is_auto=True, input="0"),
    Column("schedule_setting", Label("スケジュール設定", "Schedule setting"), Kind.BUTTON, is_viewed=False),
    Column(
        "next_execution_date",
        Label("次回実行日付", "Next execution date"),
        Kind.MOMENT,
        is_auto=True,
        input="0",
        groups=(Label("スケジュール", "Schedule"),),
    ),
    Column(
        "start_date",
        Label("開始日付", "Start date"),
        Kind.MOMENT,
        is_required=True,
        input="3",
        groups=(Label("スケジュール", "Schedule"),),
    ),
    Column(
        "end_date", Label("終了日付", "End date"), Kind.MOMENT, input="3", groups=(Label("スケジュール", "Schedule"),)
    ),
    Column(
        "period",
        Label("周期", "Period"),
        Kind.CHOICE,
        is_required=True,
        input="3",
        choices="regular_periods",
        groups=(Label("スケジュール", "Schedule"),),
    ),
    Column(
        "interval",
        Label("間隔", "Interval"),
        Kind.INTEGER,
        is_required=True,
        input="3",
        groups=(Label("スケジュール", "Schedule"),),
    ),
    Column(
        "week_number",
        Label("週番号", "Week number"),
        Kind.CHOICE,
        input="3",
        choices="week_numbers",
        groups=(Label("スケジュール", "Schedule"),),
    ),
    Column(
        "day_of_week",
        Label("曜日", "Day of week"),
        Kind.CHOICE,
        input="3",
        choices="days_of_week",
        is_many=True,
        groups=(Label("スケジュール", "Schedule"),),
    ),
    Column("day", Label("日", "Day"), Kind.INTEGER, input="3", groups=(Label("スケジュール", "Schedule"),)),
    Column("time", Label("時間", "Time"), Kind.TEXT, input="3", groups=(Label("スケジュール", "Schedule"),)),
    Column(
        "execution_stop_start_date",
        Label("開始", "Start"),
        Kind.MOMENT,
        input="3",
        groups=(Label("作業停止期間", "Work suspension period"),),
    ),
    Column(
        "execution_stop_end_date",
        Label("終了", "End"),
        Kind.MOMENT,
        input="3",
        groups=(Label("作業停止期間", "Work suspension period"),),
    ),
    *ending(discard="0", remarks="3"),
)


def conductor_regularly_execution(source: Source) -> Menu:
    """Return the menu ``conductor_regularly_execution`` over *source*."""
    return Menu(
        name="conductor_regularly_execution",
        label=Label("Conductor定期作業実行", "Conductor regularly execution"),
        columns=REGULAR,
        source=source,
        id="30107",
        group=Label("Conductor", "Conductor"),
    )
