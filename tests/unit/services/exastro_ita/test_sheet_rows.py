"""Sheet rows: who may not read a host sees nothing of its records, and changes none."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from exastro_world import a_record, a_sheet, a_workspace, an_operation, hosts_of, registering, updating
from statements import statements

from dispatcher.core.permissions import SYSTEM, Caller, Node, Right, RoleRights
from dispatcher.services.exastro_ita.messages import InvalidRecords, Message
from dispatcher.services.exastro_ita.suite import ExastroIta, build_exastro_ita
from dispatcher.services.exastro_ita.workspaces import Workspace
from dispatcher.services.hall import Hall

OPERATION = {"operation_name_select": "2031/06/01 02:00_op-1"}


@pytest.fixture
def workspace(hall: Hall) -> Workspace:
    workspace = a_workspace(hall.datastore)
    an_operation(hall.datastore, workspace)
    a_sheet(hall.datastore)
    return workspace


@pytest.fixture
def ita(hall: Hall) -> ExastroIta:
    return build_exastro_ita(hall)


def who_reads(*agents: UUID) -> Caller:
    grants: dict[Any, Right] = {(Node.AGENTS, key): Right.READ for key in agents}
    return Caller.of("one", [RoleRights("One", {(Node.SCHEDULING, None): Right.MODIFY, **grants})])


def made(ita: ExastroIta, workspace: Workspace, *hosts: str) -> list[dict[str, Any]]:
    """Make a record of each of the hosts; return their parameters."""
    records = [registering(host_name=host, column_1=host, **OPERATION) for host in hosts]
    ita.maintenance.change(workspace, "sheet_a", records, SYSTEM)
    return [one["parameter"] for one in ita.records.filter(workspace, "sheet_a", {}, SYSTEM)]


def test_records_of_hosts_that_are_not_readable_are_not_there(
    hall: Hall, ita: ExastroIta, workspace: Workspace
) -> None:
    first, second = made(ita, workspace, "h1", "h2")
    group = a_record(hall.datastore, workspace, "hostgroup_management", hostgroup_name="web")
    of_group = a_record(hall.datastore, workspace, "sheet_a", host_name=str(group), column_1="web")
    caller = who_reads(hosts_of(hall.datastore, workspace)["h1"])
    place = (workspace, "sheet_a")

    found = ita.records.filter(*place, {}, caller)
    assert [one["parameter"]["uuid"] for one in found] == [first["uuid"], str(of_group)]
    assert ita.records.count(*place, {}, caller) == 2
    assert ita.records.count(*place, {"uuid": {"LIST": [second["uuid"]]}}, caller) == 0
    assert "h2" not in ita.menu_info.candidates(*place, "column_1", caller, "en")
    assert ita.records.journal(*place, second["uuid"], caller) == []
    known = {name: second[name] for name in ("uuid", "last_update_date_time")}
    with pytest.raises(InvalidRecords) as caught:
        ita.maintenance.change(*place, [updating(known, column_1="x")], caller)
    assert caught.value.faults == {0: {"": [Message("MSG-00007", (second["uuid"],))]}}
    assert ita.records.count(*place, {}, who_reads()) == 1
    assert ita.records.count(*place, {}, SYSTEM) == 3


def test_what_a_record_was_for_another_host_is_not_told(hall: Hall, ita: ExastroIta, workspace: Workspace) -> None:
    [record] = made(ita, workspace, "h2")
    known = {name: record[name] for name in ("uuid", "last_update_date_time")}
    ita.maintenance.change(workspace, "sheet_a", [updating(known, host_name="h1")], SYSTEM)
    caller = who_reads(hosts_of(hall.datastore, workspace)["h1"])
    for one, count in ((caller, 1), (SYSTEM, 2)):
        assert len(ita.records.journal(workspace, "sheet_a", record["uuid"], one)) == count


def test_rights_on_hosts_are_read_once_for_many_records(hall: Hall, ita: ExastroIta, workspace: Workspace) -> None:
    hosts = hosts_of(hall.datastore, workspace)
    caller = who_reads(hosts["h1"])
    made(ita, workspace, "h1", "h2")
    costs = []
    for _ in range(2):
        for host in [*hosts.values()] * 20:
            a_record(hall.datastore, workspace, "sheet_a", host_name=str(host), column_1="x")
        with statements(hall.datastore) as seen:
            assert ita.records.count(workspace, "sheet_a", {}, caller) > 20
        costs.append(len(seen))
    assert costs[0] == costs[1]
