"""The columns of all menus that are always there, by the REST names of these."""

from __future__ import annotations

from collections.abc import Mapping

from dispatcher.services.exastro_ita.columns import Column
from dispatcher.services.exastro_ita.columns_of.conductor_runs import RUN, RUNS
from dispatcher.services.exastro_ita.columns_of.conductors import CONDUCTORS, EDITED
from dispatcher.services.exastro_ita.columns_of.devices import DEVICES
from dispatcher.services.exastro_ita.columns_of.host_groups import HOST_GROUPS, LINKS_OF_GROUPS, LINKS_OF_HOSTS
from dispatcher.services.exastro_ita.columns_of.menu_list import MENUS
from dispatcher.services.exastro_ita.columns_of.operations import OPERATIONS
from dispatcher.services.exastro_ita.columns_of.playbooks import PLAYBOOKS
from dispatcher.services.exastro_ita.columns_of.regular import REGULAR
from dispatcher.services.exastro_ita.columns_of.role_menus import ROLE_MENUS

BUILT_IN: Mapping[str, tuple[Column, ...]] = {
    "conductor_class_edit": EDITED,
    "conductor_class_list": CONDUCTORS,
    "conductor_confirmation": RUN,
    "conductor_list": RUNS,
    "conductor_regularly_execution": REGULAR,
    "device_list": DEVICES,
    "host_link_list": LINKS_OF_HOSTS,
    "hostgroup_management": HOST_GROUPS,
    "hostgroup_parent_child_link_list": LINKS_OF_GROUPS,
    "menu_list": MENUS,
    "operation_list": OPERATIONS,
    "playbook_files": PLAYBOOKS,
    "role_menu_link_list": ROLE_MENUS,
}
