"""Places: one live record of a sheet for each host, or group, and operation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import pytest
from exastro_world import a_record, a_sheet, a_workspace, an_operation, hosts_of, registering, updating
from statements import statements

from dispatcher.core.permissions import SYSTEM
from dispatcher.datastore.exastro_ita import ItaMenu
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.exastro_ita import places
from dispatcher.services.exastro_ita.maintenance import Changed
from dispatcher.services.exastro_ita.messages import InvalidRecords, Message
from dispatcher.services.exastro_ita.suite import ExastroIta, build_exastro_ita
from dispatcher.services.exastro_ita.workspaces import Workspace
from dispatcher.services.hall import Hall

FIRST, SECOND = "2031/06/01 02:00_op-1", "2031/06/01 02:00_op-2"


class World:
    """A workspace with two hosts and two operations, and a sheet."""

    def __init__(self, hall: Hall) -> None:
        self.hall = hall
        self.datastore: Datastore = hall.datastore
        self.workspace: Workspace = a_workspace(hall.datastore)
        self.operation = an_operation(hall.datastore, self.workspace)
        an_operation(hall.datastore, self.workspace, "op-2")
        self.sheet = a_sheet(hall.datastore)
        self.ita: ExastroIta = build_exastro_ita(hall)

    def change(self, *records: Mapping[str, Any]) -> Changed:
        return self.ita.maintenance.change(self.workspace, "sheet_a", records, SYSTEM)

    def faults(self, *records: Mapping[str, Any]) -> dict[int, dict[str, list[Message]]]:
        with pytest.raises(InvalidRecords) as caught:
            self.change(*records)
        return {index: {name: [*some] for name, some in found.items()} for index, found in caught.value.faults.items()}

    def known(self, key: object) -> dict[str, Any]:
        found = self.ita.records.filter(self.workspace, "sheet_a", {"uuid": {"LIST": [str(key)]}}, SYSTEM)
        return {name: found[0]["parameter"][name] for name in ("uuid", "last_update_date_time")}

    def older(self, host: str = "h1", **more: Any) -> Any:
        """Make a record for the host and the first operation as all were made before they had to be single."""
        key = str(hosts_of(self.datastore, self.workspace)[host])
        place = {"host_name": key, "operation_name_select": str(self.operation)}
        return a_record(self.datastore, self.workspace, "sheet_a", **{**place, **more})


@pytest.fixture
def world(hall: Hall) -> World:
    return World(hall)


def a_row(host: str = "h1", operation: str = FIRST, **more: Any) -> dict[str, Any]:
    return registering(host_name=host, operation_name_select=operation, **more)


def taken_by(key: object, host: str = "h1") -> Message:
    shown = f"{{'operation_name_select': '{FIRST}', 'host_name': '{host}'}}"
    return Message("MSG-00006", (shown, f"['{key}']"))


def test_there_is_one_live_record_for_a_host_and_an_operation(world: World) -> None:
    first, second, other = world.change(a_row(), a_row("h2"), a_row("h2", SECOND)).ids
    assert world.faults(a_row(), a_row(operation=SECOND)) == {0: {"": [taken_by(first)]}}
    moved = updating(world.known(other), operation_name_select=FIRST)
    assert world.faults(moved) == {0: {"": [taken_by(second, "h2")]}}

    world.change(updating(world.known(first), column_1="x"), updating(world.known(second), "Discard"), moved)
    assert world.faults(updating(world.known(second), "Restore")) == {0: {"": [taken_by(other, "h2")]}}
    world.change(updating(world.known(other), "Delete"), updating(world.known(second), "Restore"))


def test_records_of_one_request_count_for_each_other(world: World) -> None:
    faults = world.faults(a_row(), a_row("h2"), a_row())
    assert (list(faults), faults[2][""][0].id) == ([2], "MSG-00006")
    assert world.ita.records.count(world.workspace, "sheet_a", {}, SYSTEM) == 0


def test_a_group_is_one_as_a_host_is(world: World) -> None:
    group = a_record(
        world.datastore, world.workspace, "hostgroup_management", unique=("hostgroup_name",), hostgroup_name="web"
    )
    key = world.older("h2", host_name=str(group))
    assert world.faults(a_row("h1"), a_row("[HG]web")) == {1: {"": [taken_by(key, "[HG]web")]}}


def test_other_sheets_and_workspaces_have_their_own(world: World) -> None:
    a_sheet(world.datastore, "sheet_b")
    world.change(a_row())
    world.ita.maintenance.change(world.workspace, "sheet_b", [a_row()], SYSTEM)
    theirs = a_workspace(world.datastore, "ws3", hosts=("h1x",))
    an_operation(world.datastore, theirs)
    world.ita.maintenance.change(theirs, "sheet_a", [a_row("h1x")], SYSTEM)


def test_older_records_for_the_same_go_on_and_become_no_more(world: World) -> None:
    _, last = world.older(), world.older()
    row = {"host_name": "h1", "operation_name_select": FIRST, "column_1": "y"}
    world.change(updating(world.known(last), **row))
    assert world.faults(a_row()) == {0: {"": [taken_by(last)]}}
    world.change(updating(world.known(last), "Discard"))
    assert world.faults(updating(world.known(last), "Restore"))[0][""][0].id == "MSG-00006"


def test_older_records_for_the_same_become_no_more_in_one_request(world: World) -> None:
    first, last = world.older(), world.older()
    gone = updating(world.known(last), "Discard")
    assert world.faults(gone, a_row()) == {1: {"": [taken_by(first)]}}
    moved = updating(world.known(last), operation_name_select=SECOND)
    back = updating({"uuid": str(last)}, operation_name_select=FIRST)
    assert world.faults(moved, back)[1][""][-1] == taken_by(first)
    both = (updating(world.known(first), "Discard"), gone)
    assert sorted(world.faults(*both, a_row(), a_row())) == [3]
    world.change(*both, a_row())


def test_records_with_hosts_count_when_their_sheet_has_none_any_more(world: World) -> None:
    [older] = world.change(a_row()).ids
    with world.datastore.begin() as session:
        row = session.get_one(ItaMenu, world.sheet)
        row.definition = {**row.definition, "type": 3}
    world.ita = build_exastro_ita(world.hall)
    fault = {"operation_name_select": [Message("MSG-00025", (str(older), FIRST))]}
    assert world.faults(registering(operation_name_select=FIRST)) == {0: fault}
    world.change(updating(world.known(older), remarks="x"))
    assert world.faults(registering(operation_name_select=FIRST)) == {0: fault}


def test_a_sheet_without_hosts_has_one_record_for_each_operation(world: World) -> None:
    with world.datastore.begin() as session:
        row = session.get_one(ItaMenu, world.sheet)
        row.definition = {**row.definition, "type": 3}
    ita = world.ita = build_exastro_ita(world.hall)
    older = a_record(world.datastore, world.workspace, "sheet_a", operation_name_select=str(world.operation))
    ita.maintenance.change(world.workspace, "sheet_a", [registering(operation_name_select=SECOND)], SYSTEM)
    faults = world.faults(registering(operation_name_select=FIRST))
    assert faults == {0: {"operation_name_select": [Message("MSG-00025", (str(older), FIRST))]}}


def test_many_records_are_looked_for_at_once(world: World) -> None:
    costs = []
    for size, start in ((2, 10), (20, 100)):
        names = [f"op-{start + place}" for place in range(size)]
        for name in names:
            an_operation(world.datastore, world.workspace, name)
        with statements(world.datastore) as sent:
            world.change(*(a_row(host, f"2031/06/01 02:00_{name}") for name in names for host in ("h1", "h2")))
        costs.append(sum("ita_record.agent_id IN" in one for one in sent))
    assert costs == [1, 1]


def test_places_that_have_little_in_common_are_looked_for_in_parts() -> None:
    wanted = [(uuid4(), uuid4()) for _ in range(1_000)]
    blocks = list(places._blocks(wanted))
    assert len(blocks) == 10
    assert {place for place in wanted if any(place[0] in one and place[1] in other for one, other in blocks)} == {
        *wanted
    }
    one = uuid4()
    assert len(list(places._blocks((one, uuid4()) for _ in range(1_000)))) == 1
