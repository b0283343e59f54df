"""Fixed choices: the lists of choices that are the same in every workspace, by their names (``Column.choices``).

Ids and texts are the vendor's (contract section 3.6; the tables that its columns refer to); those of devices are the
ones that the seed's answer lists.
"""

from __future__ import annotations

from collections.abc import Mapping

from dispatcher.services.exastro_ita.columns import Label


def _same(*texts: tuple[str, str]) -> Mapping[str, Label]:
    return {key: Label(text, text) for key, text in texts}


#: A heading of menus that there is a menu under here; sheets are for input.
MENU_GROUPS = {
    "101": Label("管理コンソール", "Management Console"),
    "102": Label("基本コンソール", "Basic Console"),
    "201": Label("Ansible共通", "Ansible Common"),
    "202": Label("Ansible-Legacy", "Ansible-Legacy"),
    "301": Label("Conductor", "Conductor"),
    "502": Label("入力用", "Input"),
    "701": Label("ホストグループ管理", "HostGroup management"),
}

FIXED: Mapping[str, Mapping[str, Label]] = {
    "authentication_methods": {
        "1": Label("鍵認証(パスフレーズなし)", "Key authentication (no passphrase)"),
        "2": Label("パスワード認証", "Password authentication"),
        "4": Label("鍵認証(パスフレーズあり)", "Key authentication (with passphrase)"),
        "5": Label("パスワード認証(winrm)", "Password authentication (winrm)"),
    },
    "booleans": _same(("0", "False"), ("1", "True")),
    "conductor_states": {
        "1": Label("未実行", "Unexecuted"),
        "2": Label("未実行(予約)", "Unexecuted (schedule)"),
        "3": Label("実行中", "Executing"),
        "4": Label("実行中(遅延)", "Executing (delay)"),
        "5": Label("一時停止", "Pause"),
        "6": Label("正常終了", "Normal end"),
        "7": Label("異常終了", "Abend"),
        "8": Label("警告終了", "Warning end"),
        "9": Label("緊急停止", "Emergency stop"),
        "10": Label("予約取消", "Schedule cancellation"),
        "11": Label("想定外エラー", "Unexpected error"),
    },
    "connection_types": _same(("1", "machine"), ("4", "network")),
    "days_of_week": {
        "1": Label("月曜日", "Monday"),
        "2": Label("火曜日", "Tuesday"),
        "3": Label("水曜日", "Wednesday"),
        "4": Label("木曜日", "Thursday"),
        "5": Label("金曜日", "Friday"),
        "6": Label("土曜日", "Saturday"),
        "7": Label("日曜日", "Sunday"),
    },
    "device_types": _same(("1", "SV"), ("2", "ST"), ("3", "NW")),
    "encodings": _same(("1", "utf-8"), ("2", "shift_jis"), ("3", "euc")),
    "environments": {},
    "instance_groups": {},
    "menu_groups": MENU_GROUPS,
    "os_types": {},
    "privileges": {
        "0": Label("メンテナンス可\uff0b削除可", "Can perform maintenance and delete"),
        "1": Label("メンテナンス可", "Can perform maintenance"),
        "2": Label("閲覧のみ", "View only"),
    },
    "protocols": _same(("1", "telnet"), ("2", "ssh")),
    "regular_periods": {
        "1": Label("時", "Time"),
        "2": Label("日", "Day"),
        "3": Label("週", "Week"),
        "4": Label("月(日付指定)", "Month(Specify day)"),
        "5": Label("月(曜日指定)", "Month(Specify day of week)"),
        "6": Label("月末", "End of month"),
        "7": Label("分", "Minutes"),
    },
    "regular_states": {
        "1": Label("準備中", "In preparation"),
        "2": Label("稼働中", "In operation"),
        "3": Label("完了", "Completed"),
        "4": Label("不整合エラー", "Mismatch error"),
        "5": Label("紐付けエラー", "Linking error"),
        "6": Label("想定外エラー", "Unexpected error"),
        "7": Label("Conductor廃止", "Conductor discard"),
        "8": Label("Operation廃止", "Operation discard"),
    },
    "week_numbers": {
        "1": Label("第一", "First"),
        "2": Label("第二", "Second"),
        "3": Label("第三", "Third"),
        "4": Label("第四", "Forth"),
        "5": Label("最終", "Last"),
    },
}
