"""Columns of groups of hosts."""

from __future__ import annotations

from dispatcher.services.exastro_ita.columns import Column, Kind, Label
from dispatcher.services.exastro_ita.columns_of.ordinary import SHORT, ending, key
from dispatcher.services.exastro_ita.menus import Menu
from dispatcher.services.exastro_ita.records import Source

#: Those of ``hostgroup_management``.
HOST_GROUPS = (
    key("hostgroup_id", "ホストグループID", "Hostgroup id"),
    Column(
        "hostgroup_name",
        Label("ホストグループ名", "Hostgroup name"),
        Kind.TEXT,
        is_required=True,
        is_unique=True,
        max_bytes=SHORT,
    ),
    Column("priority", Label("優先順位", "Priority"), Kind.INTEGER, least=0, most=2147483647),
    *ending(),
)


def hostgroup_management(source: Source) -> Menu:
    """Return the menu ``hostgroup_management`` over *source*."""
    return Menu(
        name="hostgroup_management",
        label=Label("ホストグループ一覧", "HostGroup management"),
        columns=HOST_GROUPS,
        source=source,
        id="70101",
        group=Label("ホストグループ管理", "HostGroup management"),
        order=(("ASC", "hostgroup_name"),),
    )


#: Those of ``hostgroup_parent_child_link_list``.
LINKS_OF_GROUPS = (
    key("host_link_list_id", "項番", "Host link list id"),
    Column(
        "hostgroup_parent",
        Label("親ホストグループ", "HostGroup Parent"),
        Kind.CHOICE,
        is_required=True,
        choices="host_groups",
    ),
    Column(
        "hostgroup_child",
        Label("子ホストグループ", "HostGroup Child"),
        Kind.CHOICE,
        is_required=True,
        choices="host_groups",
    ),
    *ending(),
)


def hostgroup_parent_child_link_list(source: Source) -> Menu:
    """Return the menu ``hostgroup_parent_child_link_list`` over *source*."""
    return Menu(
        name="hostgroup_parent_child_link_list",
        label=Label("ホストグループ親子紐付", "HostGroup parent_child link list"),
        columns=LINKS_OF_GROUPS,
        source=source,
        id="70102",
        group=Label("ホストグループ管理", "HostGroup management"),
        order=(
            ("ASC", "hostgroup_child"),
            ("ASC", "hostgroup_parent"),
        ),
        unique_together=(
            (
                "hostgroup_parent",
                "hostgroup_child",
            ),
        ),
    )


#: Those of ``host_link_list``.
LINKS_OF_HOSTS = (
    key("host_link_id", "項番", "Host link id"),
    Column(
        "hostgroup_name",
        Label("ホストグループ名", "Hostgroup name"),
        Kind.CHOICE,
        is_required=True,
        choices="host_groups",
    ),
    Column("operation", Label("オペレーション", "Operation"), Kind.CHOICE, choices="operation_names"),
    Column("hostname", Label("ホスト名", "Hostname"), Kind.CHOICE, is_required=True, choices="devices"),
    *ending(),
)


def host_link_list(source: Source) -> Menu:
    """Return the menu ``host_link_list`` over *source*."""
    return Menu(
        name="host_link_list",
        label=Label("ホスト紐付管理", "Host link list"),
        columns=LINKS_OF_HOSTS,
        source=source,
        id="70103",
        group=Label("ホストグループ管理", "HostGroup management"),
        order=(
            ("ASC", "hostname"),
            ("ASC", "operation"),
            ("ASC", "hostgroup_name"),
        ),
        unique_together=(
            (
                "hostgroup_name",
                "operation",
                "hostname",
            ),
        ),
    )
