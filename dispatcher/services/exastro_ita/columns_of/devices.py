"""Columns of devices."""

from __future__ import annotations

from dispatcher.services.exastro_ita.columns import Column, Kind, Label
from dispatcher.services.exastro_ita.columns_of.ordinary import LONG, SHORT, ending, key
from dispatcher.services.exastro_ita.menus import Menu
from dispatcher.services.exastro_ita.records import Source

#: Those of ``device_list``.
DEVICES = (
    key("managed_system_item_number", "管理システム項番", "Managed system item number"),
    Column("hw_device_type", Label("HW機器種別", "HW device type"), Kind.CHOICE, choices="device_types"),
    Column("host_name", Label("ホスト名", "Host name"), Kind.TEXT, is_required=True, is_unique=True, max_bytes=SHORT),
    Column("host_dns_name", Label("DNSホスト名", "DNS Host name"), Kind.TEXT, max_bytes=SHORT),
    Column(
        "ip_address",
        Label("IPアドレス", "IP address"),
        Kind.TEXT,
        max_bytes=15,
        pattern="^$|^(([1-9]?[0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5])\\.){3}([1-9]?[0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5])$",
    ),
    Column(
        "login_user",
        Label("ユーザ", "Login user"),
        Kind.TEXT,
        max_bytes=SHORT,
        groups=(Label("ログインパスワード", "Login password"),),
    ),
    Column(
        "login_password",
        Label("パスワード", "Login password"),
        Kind.PASSWORD,
        max_bytes=SHORT,
        groups=(Label("ログインパスワード", "Login password"),),
    ),
    Column(
        "ssh_private_key_file",
        Label("ssh秘密鍵ファイル", "ssh private key file"),
        Kind.FILE,
        is_secret=True,
        groups=(Label("ssh鍵認証情報", "ssh key credentials"),),
    ),
    Column(
        "passphrase",
        Label("パスフレーズ", "Passphrase"),
        Kind.PASSWORD,
        max_bytes=SHORT,
        groups=(Label("ssh鍵認証情報", "ssh key credentials"),),
    ),
    Column(
        "authentication_method",
        Label("認証方式", "Authentication method"),
        Kind.CHOICE,
        choices="authentication_methods",
        groups=(
            Label("Ansible利用情報", "Ansible Dedicated information"),
            Label("Legacy/Role利用情報", "Legacy/Role Dedicated information"),
        ),
    ),
    Column(
        "port_no",
        Label("ポート番号", "Port no"),
        Kind.INTEGER,
        least=0,
        most=65535,
        groups=(
            Label("Ansible利用情報", "Ansible Dedicated information"),
            Label("Legacy/Role利用情報", "Legacy/Role Dedicated information"),
            Label("WinRM接続情報", "WinRM connection information"),
        ),
    ),
    Column(
        "winrm_public_key_file",
        Label("winrm公開鍵ファイル", "winrm public key file"),
        Kind.FILE,
        is_secret=True,
        groups=(
            Label("Ansible利用情報", "Ansible Dedicated information"),
            Label("Legacy/Role利用情報", "Legacy/Role Dedicated information"),
            Label("WinRM接続情報", "WinRM connection information"),
        ),
    ),
    Column(
        "winrm_private_key_file",
        Label("winrm秘密鍵ファイル", "winrm private key file"),
        Kind.FILE,
        is_secret=True,
        groups=(
            Label("Ansible利用情報", "Ansible Dedicated information"),
            Label("Legacy/Role利用情報", "Legacy/Role Dedicated information"),
            Label("WinRM接続情報", "WinRM connection information"),
        ),
    ),
    Column(
        "protocol",
        Label("プロトコル", "Protocol"),
        Kind.CHOICE,
        choices="protocols",
        groups=(
            Label("Ansible利用情報", "Ansible Dedicated information"),
            Label("Pioneer利用情報", "Pioneer Dedicated information"),
        ),
    ),
    Column(
        "os_type",
        Label("OS種別", "OS type"),
        Kind.CHOICE,
        choices="os_types",
        groups=(
            Label("Ansible利用情報", "Ansible Dedicated information"),
            Label("Pioneer利用情報", "Pioneer Dedicated information"),
        ),
    ),
    Column(
        "lang",
        Label("LANG", "LANG"),
        Kind.CHOICE,
        choices="encodings",
        groups=(
            Label("Ansible利用情報", "Ansible Dedicated information"),
            Label("Pioneer利用情報", "Pioneer Dedicated information"),
        ),
    ),
    Column(
        "connection_options",
        Label("接続オプション", "Connection options"),
        Kind.TEXT,
        max_bytes=LONG,
        groups=(Label("Ansible利用情報", "Ansible Dedicated information"),),
    ),
    Column(
        "inventory_file_additional_option",
        Label("インベントリファイル\n追加オプション", "Inventory file Additional option"),
        Kind.LINES,
        max_bytes=LONG,
        groups=(Label("Ansible利用情報", "Ansible Dedicated information"),),
    ),
    Column(
        "instance_group_name",
        Label("インスタンスグループ名", "Instance group name"),
        Kind.CHOICE,
        choices="instance_groups",
        groups=(
            Label("Ansible利用情報", "Ansible Dedicated information"),
            Label("Ansible Automation Controller利用情報", "Ansible Automation Controller Dedicated information"),
        ),
    ),
    Column(
        "connection_type",
        Label("接続タイプ", "Connection type"),
        Kind.CHOICE,
        is_required=True,
        choices="connection_types",
        initial="1",
        groups=(
            Label("Ansible利用情報", "Ansible Dedicated information"),
            Label("Ansible Automation Controller利用情報", "Ansible Automation Controller Dedicated information"),
        ),
    ),
    *ending(),
)


def device_list(source: Source) -> Menu:
    """Return the menu ``device_list`` over *source*."""
    return Menu(
        name="device_list",
        label=Label("機器一覧", "Device list"),
        columns=DEVICES,
        source=source,
        id="20101",
        group=Label("Ansible共通", "Ansible Common"),
        order=(("ASC", "host_name"),),
    )
