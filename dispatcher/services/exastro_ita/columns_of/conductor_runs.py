"""Columns of the runs of conductors."""

from __future__ import annotations

from dispatcher.services.exastro_ita.columns import Column, Kind, Label
from dispatcher.services.exastro_ita.columns_of.ordinary import ID, SHORT, ending, key
from dispatcher.services.exastro_ita.menus import Menu
from dispatcher.services.exastro_ita.records import Action, Source

#: Those of ``conductor_list``.
RUNS = (
    key("conductor_instance_id", "ConductorインスタンスID", "Conductor instance ID"),
    Column("detail", Label("詳細", "Detail"), Kind.BUTTON, input="2"),
    Column(
        "conductor_instance_name", Label("Conductor名称", "Conductor name"), Kind.TEXT, is_required=True, max_bytes=ID
    ),
    Column(
        "instance_source_class_id",
        Label("インスタンス元のクラスID", "Instance source class ID"),
        Kind.TEXT,
        is_required=True,
        is_viewed=False,
        max_bytes=ID,
    ),
    Column(
        "instance_source_class_name",
        Label("インスタンス元のクラス名", "Instance source class name"),
        Kind.TEXT,
        is_required=True,
        is_viewed=False,
        max_bytes=SHORT,
    ),
    Column(
        "instance_source_settings",
        Label("インスタンス元の設定", "Instance source settings"),
        Kind.JSON,
        is_required=True,
        input="2",
        is_viewed=False,
    ),
    Column(
        "instance_source_remarks", Label("インスタンス元の備考", "Instance source Remarks"), Kind.LINES, is_viewed=False
    ),
    Column(
        "class_settings", Label("クラス設定", "Class settings"), Kind.JSON, is_required=True, input="2", is_viewed=False
    ),
    Column("status_id", Label("ステータスID", "Status ID"), Kind.CHOICE, is_required=True, choices="conductor_states"),
    Column("operation_id", Label("オペレーションID", "Operation ID"), Kind.TEXT, is_required=True, max_bytes=ID),
    Column(
        "operation_name",
        Label("実行時のオペレーション名", "Operation name"),
        Kind.TEXT,
        is_required=True,
        max_bytes=SHORT,
    ),
    Column("execution_user", Label("作業実行ユーザー", "Execution user"), Kind.TEXT, is_required=True, max_bytes=SHORT),
    Column(
        "parent_conductor_instance_id",
        Label("親ConductorインスタンスID", "Parent Conductor instance ID"),
        Kind.TEXT,
        max_bytes=ID,
    ),
    Column(
        "parent_conductor_instance_name", Label("親Conductor名称", "Parent Conductor name"), Kind.TEXT, max_bytes=SHORT
    ),
    Column(
        "top_conductor_instance_id",
        Label("最上位ConductorインスタンスID", "Top Conductor instance ID"),
        Kind.TEXT,
        max_bytes=ID,
    ),
    Column(
        "top_conductor_instance_name", Label("最上位Conductor名称", "Top Conductor name"), Kind.TEXT, max_bytes=SHORT
    ),
    Column("notice_info", Label("通知設定", "Notice info"), Kind.JSON, input="2", is_viewed=False),
    Column("notice_definition", Label("通知定義", "Notice definition"), Kind.JSON, input="2", is_viewed=False),
    Column(
        "abort_execute_flag",
        Label("緊急停止フラグ", "Abort execute flag"),
        Kind.CHOICE,
        is_required=True,
        choices="booleans",
    ),
    Column("input_data", Label("投入データ一式(zip)", "Input data set (zip)"), Kind.BUTTON, input="2"),
    Column("result_data", Label("結果データ一式(zip)", "Result data set (zip)"), Kind.BUTTON, input="2"),
    Column("time_register", Label("登録日時", "Time Register"), Kind.MOMENT, is_required=True),
    Column("time_book", Label("予約日時", "Time book"), Kind.MOMENT),
    Column("time_start", Label("開始日時", "Time start"), Kind.MOMENT),
    Column("time_end", Label("終了日時", "Time end"), Kind.MOMENT),
    Column("notification_log", Label("通知ログ", "Notification log"), Kind.FILE, input="0"),
    *ending(discard="0"),
)


def conductor_list(source: Source) -> Menu:
    """Return the menu ``conductor_list`` over *source*."""
    return Menu(
        name="conductor_list",
        label=Label("Conductor作業履歴", "Conductor history"),
        columns=RUNS,
        source=source,
        id="30105",
        actions=frozenset(),
        group=Label("Conductor", "Conductor"),
        order=(("DESC", "time_register"),),
    )


#: Those of ``conductor_confirmation``.
RUN = (
    key("conductor_instance_id", "ConductorインスタンスID", "Conductor instance ID"),
    Column("conductor_instance_name", Label("Conductor名称", "Conductor name"), Kind.TEXT, max_bytes=SHORT),
    Column(
        "instance_source_class_id",
        Label("インスタンス元のクラスID", "Instance source class ID"),
        Kind.TEXT,
        max_bytes=ID,
    ),
    Column(
        "instance_source_class_name",
        Label("インスタンス元のクラス名", "Instance source class name"),
        Kind.TEXT,
        max_bytes=SHORT,
    ),
    Column("instance_source_settings", Label("インスタンス元の設定", "Instance source settings"), Kind.JSON),
    Column("instance_source_remarks", Label("インスタンス元の備考", "Instance source Remarks"), Kind.LINES),
    Column("class_settings", Label("クラス設定", "Class settings"), Kind.JSON),
    Column("status_id", Label("ステータスID", "Status ID"), Kind.CHOICE, choices="conductor_states"),
    Column("operation_id", Label("オペレーションID", "Operation ID"), Kind.TEXT, max_bytes=ID),
    Column("operation_name", Label("実行時のオペレーション名", "Operation name"), Kind.TEXT, max_bytes=SHORT),
    Column("execution_user", Label("作業実行ユーザー", "Execution user"), Kind.TEXT, max_bytes=SHORT),
    Column(
        "parent_conductor_instance_id",
        Label("親ConductorインスタンスID", "Parent Conductor instance ID"),
        Kind.TEXT,
        max_bytes=ID,
    ),
    Column(
        "parent_conductor_instance_name", Label("親Conductor名称", "Parent Conductor name"), Kind.TEXT, max_bytes=SHORT
    ),
    Column(
        "top_conductor_instance_id",
        Label("最上位ConductorインスタンスID", "Top Conductor instance ID"),
        Kind.TEXT,
        max_bytes=ID,
    ),
    Column(
        "top_conductor_instance_name", Label("最上位Conductor名称", "Top Conductor name"), Kind.TEXT, max_bytes=SHORT
    ),
    Column("abort_execute_flag", Label("緊急停止フラグ", "Abort execute flag"), Kind.CHOICE, choices="booleans"),
    Column("time_register", Label("登録日時", "Time Register"), Kind.MOMENT),
    Column("time_book", Label("予約日時", "Time book"), Kind.MOMENT),
    Column("time_start", Label("開始日時", "Time start"), Kind.MOMENT),
    Column("time_end", Label("終了日時", "Time end"), Kind.MOMENT),
    Column("execution_log", Label("実行ログ", "Execution log"), Kind.JSON),
    Column("notification_log", Label("通知ログ", "Notification log"), Kind.FILE),
    *ending(),
)


def conductor_confirmation(source: Source) -> Menu:
    """Return the menu ``conductor_confirmation`` over *source*."""
    return Menu(
        name="conductor_confirmation",
        label=Label("Conductor作業確認", "Conductor confirmation"),
        columns=RUN,
        source=source,
        id="30106",
        sheet_type="16",
        actions=frozenset({Action.UPDATE}),
        group=Label("Conductor", "Conductor"),
    )
