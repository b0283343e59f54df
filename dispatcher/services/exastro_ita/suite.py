"""The suite: all that the Exastro IT Automation dialect does over the services of the core."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dispatcher.core.ports import Ports
from dispatcher.services.exastro_ita.apply import Apply
from dispatcher.services.exastro_ita.catalogue import Catalogue
from dispatcher.services.exastro_ita.choices import Choices
from dispatcher.services.exastro_ita.columns_of.conductor_runs import conductor_confirmation, conductor_list
from dispatcher.services.exastro_ita.columns_of.conductors import conductor_class_edit, conductor_class_list
from dispatcher.services.exastro_ita.columns_of.devices import device_list
from dispatcher.services.exastro_ita.columns_of.host_groups import (
    host_link_list,
    hostgroup_management,
    hostgroup_parent_child_link_list,
)
from dispatcher.services.exastro_ita.columns_of.menu_list import menu_list
from dispatcher.services.exastro_ita.columns_of.operations import operation_list
from dispatcher.services.exastro_ita.columns_of.playbooks import playbook_files
from dispatcher.services.exastro_ita.columns_of.regular import conductor_regularly_execution
from dispatcher.services.exastro_ita.columns_of.role_menus import role_menu_link_list
from dispatcher.services.exastro_ita.conductors import Conductors
from dispatcher.services.exastro_ita.device_changes import DeviceChanges
from dispatcher.services.exastro_ita.devices import Devices
from dispatcher.services.exastro_ita.host_groups import GROUPS, HOST_LINKS, GroupLinks, HostGroups, HostOrGroupNames
from dispatcher.services.exastro_ita.hosts import HostNames, Hosts
from dispatcher.services.exastro_ita.listers import DatedOperations, MenuLister, OperationNames, RoleLister
from dispatcher.services.exastro_ita.maintenance import Maintenance
from dispatcher.services.exastro_ita.menu_info import MenuInfo
from dispatcher.services.exastro_ita.menu_list import MenuList
from dispatcher.services.exastro_ita.menus import Menu
from dispatcher.services.exastro_ita.named_hosts import NamedHosts
from dispatcher.services.exastro_ita.operations import OperationRows, Operations
from dispatcher.services.exastro_ita.parameters import Parameters
from dispatcher.services.exastro_ita.playbooks import Playbooks
from dispatcher.services.exastro_ita.queries import RecordQueries
from dispatcher.services.exastro_ita.regular import RegularExecutions
from dispatcher.services.exastro_ita.regular_occurrences import RegularOccurrences
from dispatcher.services.exastro_ita.rights import Rights
from dispatcher.services.exastro_ita.role_menus import RoleMenus
from dispatcher.services.exastro_ita.rows import Rows
from dispatcher.services.exastro_ita.run_actions import RunActions
from dispatcher.services.exastro_ita.run_values import PROVIDER, RunValues
from dispatcher.services.exastro_ita.run_views import RunViews
from dispatcher.services.exastro_ita.runs import RunRecords
from dispatcher.services.exastro_ita.sheet_rows import SheetRows
from dispatcher.services.exastro_ita.starting import ConductorRuns
from dispatcher.services.exastro_ita.user_menus import UserMenus
from dispatcher.services.exastro_ita.workspaces import Workspaces
from dispatcher.services.settings import Settings

if TYPE_CHECKING:
    from dispatcher.services.hall import Hall


@dataclass(frozen=True, slots=True)
class ExastroIta:
    """The services of the dialect by name."""

    ports: Ports
    settings: Settings
    apply: Apply
    catalogue: Catalogue
    choices: Choices
    workspaces: Workspaces
    rights: Rights
    records: RecordQueries
    maintenance: Maintenance
    runs: RunViews
    run_actions: RunActions
    menu_info: MenuInfo
    user_menus: UserMenus


def build_exastro_ita(hall: Hall) -> ExastroIta:
    """Return the services over those of the *hall*."""
    operations = operation_list(OperationRows())
    catalogue = Catalogue(lambda menu: SheetRows(menu, operations.source))
    choices = _choices(hall, catalogue, operations)
    catalogue.add([operations])
    catalogue.add([device_list(_devices(hall)), *_host_groups()])
    catalogue.add([conductor_regularly_execution(_regular_executions(hall))])
    catalogue.add([role_menu_link_list(RoleMenus()), menu_list(MenuList(catalogue))])
    library = (hall.datastore, hall.ports, hall.secrets)
    conductors = Conductors(*library)
    catalogue.add([conductor_class_list(conductors), conductor_class_edit(conductors)])
    catalogue.add([playbook_files(Playbooks(*library))])
    hall.job_inputs.provide(PROVIDER, _run_values(hall, catalogue, choices))
    runs = RunRecords(hall.plans)
    catalogue.add([conductor_list(runs), conductor_confirmation(runs)])
    rights = Rights(hall.datastore, hall.ports, catalogue)
    maintenance = _maintenance(hall, catalogue, choices)
    named = Operations(operations, maintenance, hall.settings)
    return ExastroIta(
        ports=hall.ports,
        settings=hall.settings,
        apply=_apply(hall, Parameters(catalogue, maintenance, named, hall.settings), named, conductors),
        catalogue=catalogue,
        choices=choices,
        workspaces=Workspaces(hall.datastore),
        rights=rights,
        records=RecordQueries(hall.datastore, hall.ports, catalogue, choices),
        maintenance=maintenance,
        runs=RunViews(hall.datastore, hall.ports, plans=hall.plans, settings=hall.settings, rights=rights),
        run_actions=_run_actions(hall, rights),
        menu_info=MenuInfo(hall.datastore, hall.ports, catalogue, choices),
        user_menus=UserMenus(rights),
    )


def _maintenance(hall: Hall, catalogue: Catalogue, choices: Choices) -> Maintenance:
    return Maintenance(
        hall.datastore,
        hall.ports,
        catalogue=catalogue,
        choices=choices,
        settings=hall.settings,
        submits=hall.submits,
    )


def _apply(hall: Hall, parameters: Parameters, operations: Operations, conductors: Conductors) -> Apply:
    hosts = Hosts(hall.topology)
    named = NamedHosts(hosts, HostGroups(hosts))
    return Apply(
        hall.datastore,
        hall.ports,
        conductors=conductors,
        operations=operations,
        parameters=parameters,
        runs=ConductorRuns(scheduling=hall.scheduling, library=hall.library, hosts=named),
        settings=hall.settings,
        submits=hall.submits,
    )


def _choices(hall: Hall, catalogue: Catalogue, operations: Menu) -> Choices:
    hosts = Hosts(hall.topology)
    return Choices(
        catalogue,
        hall.settings,
        hall.secrets,
        listers={"menus": MenuLister(catalogue), "roles": RoleLister()},
        finders={
            "devices": HostNames(hosts),
            "hosts_or_groups": HostOrGroupNames(HostNames(hosts), HostGroups(hosts)),
            "operations": DatedOperations(operations.source, hall.settings),
            "operation_names": OperationNames(operations.source),
        },
    )


def _run_values(hall: Hall, catalogue: Catalogue, choices: Choices) -> RunValues:
    hosts = Hosts(hall.topology)
    groups = HostGroups(hosts)
    return RunValues(
        hall.ports.now, catalogue=catalogue, choices=choices, groups=groups, hosts=NamedHosts(hosts, groups)
    )


def _devices(hall: Hall) -> Devices:
    return Devices(Hosts(hall.topology), DeviceChanges(hall.memberships, hall.removals))


def _host_groups() -> list[Menu]:
    groups, links = hostgroup_management(Rows(GROUPS)), hostgroup_parent_child_link_list(GroupLinks())
    return [groups, links, host_link_list(Rows(HOST_LINKS))]


def _regular_executions(hall: Hall) -> RegularExecutions:
    hosts = Hosts(hall.topology)
    named = NamedHosts(hosts, HostGroups(hosts))
    occurrences = RegularOccurrences(hall.ports, library=hall.library, hosts=named)
    hall.firing.attend("exastro_ita", occurrences)
    return RegularExecutions(
        scheduling=hall.scheduling,
        schedules=hall.schedules,
        aborting=hall.aborting,
        library=hall.library,
        settings=hall.settings,
        occurrences=occurrences,
    )


def _run_actions(hall: Hall, rights: Rights) -> RunActions:
    return RunActions(
        hall.datastore,
        hall.ports,
        aborting=hall.aborting,
        approvals=hall.approvals,
        plans=hall.plans,
        rights=rights,
    )
