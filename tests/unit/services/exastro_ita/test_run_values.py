"""Run values: every host gets what the records of the operation have for it, and nothing of the others."""

from __future__ import annotations

import hashlib
from typing import Any
from uuid import UUID

import pytest
from exastro_world import a_record, a_sheet, a_workspace, an_operation, hosts_of
from statements import statements

from dispatcher.core.errors import InvalidValue
from dispatcher.core.inputs import Input
from dispatcher.services.exastro_ita.run_values import PROVIDER, RunValues, inputs_of
from dispatcher.services.exastro_ita.suite import build_exastro_ita
from dispatcher.services.exastro_ita.workspaces import Workspace
from dispatcher.services.job_inputs import Wanted

FILE = {"name": "motd", "sha256": hashlib.sha256(b"hi").hexdigest(), "size": 2}
COLUMNS = (
    {"name": "column_1"},
    {"name": "size", "kind": "integer"},
    {"name": "color", "kind": "choice", "choices": ["red", "blue"]},
    {"name": "at", "kind": "moment"},
    {"name": "key", "kind": "password"},
    {"name": "motd", "kind": "file"},
)


@pytest.fixture
def values(hall: Any) -> RunValues:
    build_exastro_ita(hall)
    found = hall.job_inputs._providers[PROVIDER]
    assert isinstance(found, RunValues)
    return found


@pytest.fixture
def workspace(datastore: Any) -> Workspace:
    a_sheet(datastore, "sheet_a", COLUMNS)
    a_sheet(datastore, "sheet_b", [{"name": "column_1"}, {"name": "own_b"}])
    return a_workspace(datastore, hosts=["h1", "h2", "h3"])


class Sheets:
    """Makes records of sheets for an operation, and asks for what its hosts get."""

    def __init__(self, datastore: Any, values: RunValues, workspace: Workspace) -> None:
        self.datastore, self.values, self.workspace = datastore, values, workspace
        self.operation = an_operation(datastore, workspace)
        self.hosts = hosts_of(datastore, workspace)

    def row(self, host: str | UUID | None, sheet: str = "sheet_a", operation: UUID | None = None, **given: Any) -> None:
        who = {} if host is None else {"host_name": str(self.hosts.get(host, host))}  # type: ignore[call-overload]
        what = {"operation_name_select": str(operation or self.operation)}
        a_record(self.datastore, self.workspace, sheet, **{**who, **what, **given})

    def ask(self, *hosts: str, operation: UUID | None = None) -> list[dict[str, Any]]:
        """Return the values of *hosts* by name, without those that name host and operation."""
        wanted = [Wanted(str(operation or self.operation), self.hosts[host]) for host in hosts]
        with self.datastore.read() as session:
            found = self.values.inputs(session, wanted)
        shown = [{one.name: one.sha256 or one.value for one in found.get(key, ())} for key in wanted]
        return [{name: one[name] for name in one if name[:5] not in ("host_", "opera")} for one in shown]


@pytest.fixture
def sheets(datastore: Any, values: RunValues, workspace: Workspace) -> Sheets:
    return Sheets(datastore, values, workspace)


def test_values_are_those_of_the_host_and_the_operation(sheets: Sheets, secrets: Any) -> None:
    sealed = secrets.seal("p4ss")
    moment = "2031-06-01T02:00:00+00:00"
    sheets.row("h1", column_1="one", size=3, color="blue", at=moment, key=sealed, motd=FILE)
    sheets.row("h2", column_1="two", size=None, color="gone")
    sheets.row("h1", operation=an_operation(sheets.datastore, sheets.workspace, "op-2"), column_1="other")
    sheets.row("h1", column_1="gone", is_discarded=True)
    first, second, third = sheets.ask("h1", "h2", "h3")
    assert first == {
        "column_1": "one",
        "size": 3,
        "color": "blue",
        "at": "2031/06/01 02:00:00",
        "key": sealed,
        "motd": FILE["sha256"],
    }
    assert (second, third) == ({"column_1": "two"}, {})


def test_the_host_and_the_operation_are_values_by_their_names(sheets: Sheets) -> None:
    sheets.row("h1")
    wanted = Wanted(str(sheets.operation), sheets.hosts["h1"])
    with sheets.datastore.read() as session:
        found = sheets.values.inputs(session, [wanted])[wanted]
    assert list(found) == [
        Input("host_name", "h1"),
        Input("operation_name_select", "2031/06/01 02:00_op-1"),
    ]


def test_later_menus_and_records_come_before_earlier_ones(sheets: Sheets) -> None:
    sheets.row("h1", "sheet_b", column_1="of b", own_b="b")
    sheets.row("h1", column_1="of a", size=1)
    sheets.row("h1", size=2, column_1="later")
    sheets.row("h2", "sheet_b", column_1="")
    sheets.row("h2", column_1="of a")
    assert sheets.ask("h1", "h2") == [{"column_1": "of b", "own_b": "b", "size": 2}, {"column_1": "of a"}]


def test_groups_and_sheets_without_hosts_give_values_to_their_hosts(sheets: Sheets) -> None:
    group = a_record(sheets.datastore, sheets.workspace, "hostgroup_management", hostgroup_name="web")
    link = {"hostgroup_name": str(group), "hostname": str(sheets.hosts["h2"])}
    a_record(sheets.datastore, sheets.workspace, "host_link_list", **link)
    sheets.row(group, column_1="of the group", size=5)
    sheets.row("h2", column_1="own")
    sheets.row(None, "sheet_b", column_1="all", own_b="all")
    everybody = {"column_1": "all", "own_b": "all"}
    assert sheets.ask("h1", "h2") == [everybody, {**everybody, "column_1": "own", "size": 5}]
    with sheets.datastore.read() as session:
        op_2 = an_operation(sheets.datastore, sheets.workspace, "op-2")
        sheets.row(group, operation=op_2)
    with sheets.datastore.read() as session:
        called = sheets.values.called(session, str(sheets.operation), "op-2")
        assert (called.of, called.agents) == (str(op_2), [sheets.hosts["h2"]])


def test_an_operation_is_called_by_its_name_in_the_workspace(sheets: Sheets) -> None:
    other = a_workspace(sheets.datastore, "ws3", hosts=["x"])
    an_operation(sheets.datastore, other, "theirs")
    with sheets.datastore.read() as session:
        assert sheets.values.called(session, str(sheets.operation), "op-1").agents == []
        for name in ("theirs", "none"):
            with pytest.raises(InvalidValue, match="there is no operation"):
                sheets.values.called(session, str(sheets.operation), name)
        with pytest.raises(InvalidValue):
            sheets.values.called(session, str(UUID(int=5)), "op-1")


def test_many_hosts_cost_no_statement_more_than_one(sheets: Sheets) -> None:
    for host in ("h1", "h2", "h3"):
        sheets.row(host, color="red")
    sheets.ask("h1")  # menus are read once
    counts = []
    for hosts in (["h1"], ["h1", "h2", "h3"]):
        with statements(sheets.datastore) as sent:
            assert sheets.ask(*hosts) == [{"color": "red"}] * len(hosts)
        counts.append(len(sent))
    assert counts[0] == counts[1] <= 6


def test_jobs_say_whose_values_they_have() -> None:
    assert inputs_of(UUID(int=1)) == {"provider": "exastro_ita", "of": str(UUID(int=1))}
