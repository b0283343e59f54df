"""Host groups: who their hosts are, whose values win, and that no group is above itself."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import pytest
from exastro_world import a_record, a_scope, a_workspace, an_operation, changing, hosts_of
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from dispatcher.core.permissions import SYSTEM
from dispatcher.datastore.agents import Agent
from dispatcher.datastore.exastro_ita import ItaDetail, ItaRecord
from dispatcher.services.exastro_ita.host_groups import (
    GROUP_LINKS,
    GROUPS,
    HOST_LINKS,
    GroupLinks,
    HostGroups,
    HostOrGroupNames,
    Members,
)
from dispatcher.services.exastro_ita.hosts import DEVICE_LIST, HostNames, Hosts
from dispatcher.services.exastro_ita.messages import InvalidRecords, Message
from dispatcher.services.exastro_ita.named_hosts import NamedHosts
from dispatcher.services.exastro_ita.records import Action, Change, Found
from dispatcher.services.exastro_ita.rows import Rows
from dispatcher.services.exastro_ita.suite import build_exastro_ita
from dispatcher.services.hall import Hall


class World:
    """A workspace with the hosts h1, h2 and h3, and its groups."""

    def __init__(self, hall: Hall) -> None:
        self.datastore = hall.datastore
        self.workspace = a_workspace(hall.datastore, hosts=["h1", "h2", "h3"])
        self.ids = hosts_of(hall.datastore, self.workspace)
        self.hosts = Hosts(hall.topology)
        self.groups = HostGroups(self.hosts)

    def group(self, name: str, *members: str, priority: int | None = None, **linked: UUID | None) -> UUID:
        """Make a group with hosts or groups in it; *linked* are hosts for an operation."""
        key = self.ids[name] = uuid4()
        values = {"hostgroup_name": name, "priority": priority}
        with changing(self.datastore, self.workspace) as scope:
            change = Change(0, Action.REGISTER, key, values, unique={"hostgroup_name": name})
            assert Rows(GROUPS).write(scope, [change]) == {}
        for member in members:
            self.link(name, member)
        for host, operation in linked.items():
            self.link(name, host, operation)
        return key

    def link(self, group: str, member: str, operation: UUID | None = None, **rest: Any) -> UUID:
        one, other = str(self.ids[group]), str(self.ids[member])
        if member.startswith("h"):
            values = {"hostgroup_name": one, "hostname": other, "operation": operation and str(operation)}
            return a_record(self.datastore, self.workspace, HOST_LINKS, **values, **rest)
        return a_record(
            self.datastore, self.workspace, GROUP_LINKS, hostgroup_parent=one, hostgroup_child=other, **rest
        )

    def members(self, operation: UUID | None = None) -> Members:
        with self.datastore.read() as session:
            return self.groups.members(a_scope(session, self.workspace), operation)

    def of(self, group: str, operation: UUID | None = None) -> list[str]:
        names = {key: name for name, key in self.ids.items()}
        return [names[key] for key in self.members(operation).of(self.ids[group])]

    def spread(self, *rows: tuple[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        """Return what hosts have by rows, without the host itself."""
        names = {key: name for name, key in self.ids.items()}
        found = self.members().spread((self.ids[name], {"host_name": "?", **values}) for name, values in rows)
        assert all(values.pop("host_name") == str(key) for key, values in found.items())
        return {names[key]: values for key, values in sorted(found.items(), key=lambda one: names[one[0]])}

    def try_links(self, *links: tuple[str, str], key: UUID | None = None) -> Found:
        """Link groups in one request, each child to its parent; *key* is a link that is changed instead."""
        with self.datastore.begin() as session:
            scope, source = a_scope(session, self.workspace), GroupLinks()
            before = source.lock(scope, [key])[key] if key else None
            action = Action.UPDATE if before else Action.REGISTER
            changes = [
                Change(place, action, key or uuid4(), self._link(parent, child), before)
                for place, (parent, child) in enumerate(links)
            ]
            return source.write(scope, changes)

    def _link(self, parent: str, child: str) -> dict[str, Any]:
        return {"hostgroup_parent": str(self.ids[parent]), "hostgroup_child": str(self.ids[child])}


@pytest.fixture
def world(hall: Hall) -> World:
    return World(hall)


def test_a_group_has_its_hosts_and_those_of_the_groups_below_it(world: World) -> None:
    """Whatever is discarded, or in no group, does not count; a host is itself; nobody is there twice."""
    world.group("web", "h1", "h2")
    world.group("all", "web", "h2", "h3")
    assert world.of("all") == ["h2", "h3", "h1"]
    assert world.of("h1") == ["h1"]
    gone = a_record(world.datastore, world.workspace, GROUPS, is_discarded=True, hostgroup_name="gone")
    world.ids["gone"] = gone
    world.link("gone", "h1")
    world.link("web", "h3", is_discarded=True)
    assert (world.of("gone"), world.of("web")) == ([], ["h1", "h2"])


def test_a_discarded_host_is_in_no_group(world: World) -> None:
    world.group("web", "h1", "h2")
    with changing(world.datastore, world.workspace) as scope:
        stamp = {"changed_at": scope.now, "changed_by": "x"}
        place = {"workspace_id": world.workspace.id, "object_id": world.ids["h1"], "menu": DEVICE_LIST}
        scope.session.add(ItaDetail(**place, values={}, is_discarded=True, **stamp))
    assert world.of("web") == ["h2"]


def test_a_host_may_be_in_a_group_for_one_operation_only(world: World) -> None:
    one, other = (an_operation(world.datastore, world.workspace, name) for name in ("op-1", "op-2"))
    world.group("web", h1=one, h2=None)
    assert [world.of("web", operation) for operation in (one, other, None)] == [["h1", "h2"], ["h2"], ["h2"]]


def test_the_nearest_row_wins_column_by_column(world: World) -> None:
    """The host's own first, then its groups, then theirs; an empty value is none."""
    world.group("web", "h1", "h2")
    world.group("all", "web", "h3")
    assert world.spread(
        ("h1", {"a": "host", "b": "", "c": None}),
        ("all", {"a": "all", "b": "all", "c": "all", "d": "all"}),
        ("web", {"a": "web", "b": "web", "c": None, "d": None}),
    ) == {
        "h1": {"a": "host", "b": "web", "c": "all", "d": "all"},
        "h2": {"a": "web", "b": "web", "c": "all", "d": "all"},
        "h3": {"a": "all", "b": "all", "c": "all", "d": "all"},
    }


def test_of_groups_as_near_as_each_other_the_larger_priority_wins(world: World) -> None:
    """One without a priority, which 0 is as well, goes before all."""
    world.group("low", "h1", "h2", priority=1)
    world.group("high", "h1", "h3", priority=7)
    world.group("none", "h3", priority=0)
    assert world.spread(("high", {"a": "high"}), ("low", {"a": "low"}), ("none", {"a": "none"})) == {
        "h1": {"a": "high"},
        "h2": {"a": "low"},
        "h3": {"a": "none"},
    }


@pytest.mark.parametrize("links", [[("a", "a")], [("b", "a")], [("c", "a")], [("d", "a"), ("c", "d")]])
def test_no_group_is_above_itself(world: World, links: list[tuple[str, str]]) -> None:
    """Neither by what is there nor by the request itself."""
    for name in "abcd":
        world.group(name)
    world.link("a", "b")
    world.link("b", "c")
    assert world.try_links(*links) == {len(links) - 1: {"": [Message("MSG-70001")]}}


def test_a_link_may_be_turned_round(world: World) -> None:
    """The link that is changed is not in its own way; what is discarded closes no circle."""
    for name in "abc":
        world.group(name)
    key = world.link("a", "b")
    world.link("b", "c", is_discarded=True)
    assert world.try_links(("b", "a"), key=key) == {}
    assert world.try_links(("c", "b")) == {}
    assert world.try_links(("a", "c")) == {0: {"": [Message("MSG-70001")]}}


def test_at_most_fifteen_links_lie_above_a_group(world: World) -> None:
    names = [f"g{number:02}" for number in range(18)]
    for name in names:
        world.group(name)
    above = list(pairwise(names))
    assert world.try_links(*above[:16]) == {}
    assert world.try_links(above[16]) == {0: {"": [Message("MSG-70001")]}}
    world.link(names[16], "h1")
    assert world.of(names[0]) == ["h1"]


def test_choices_have_hosts_by_their_names_and_groups_with_a_mark(world: World) -> None:
    """What is looked for alone is what the whole list has of it."""
    world.group("web")
    world.group("h1")
    names = HostOrGroupNames(HostNames(world.hosts), world.groups)
    with world.datastore.read() as session:
        scope = a_scope(session, world.workspace)
        whole = names.all(scope)
        assert list(whole.values()) == ["h1", "h2", "h3", "[HG]h1", "[HG]web"]
        for text in ("h2", "[HG]web", "web", "[HG]h9", "H2", ""):
            assert list(names.find(scope, text)) == [key for key, known in whole.items() if known == text]


def test_a_group_is_found_where_an_agent_is_called_as_it_is_shown(world: World) -> None:
    """Agents come from elsewhere, too."""
    key = world.group("web")
    names = HostOrGroupNames(HostNames(world.hosts), world.groups)
    with world.datastore.begin() as session:
        session.execute(update(Agent).where(Agent.id == world.ids["h3"]).values(name="[HG]web"))
    with world.datastore.read() as session:
        assert names.find(a_scope(session, world.workspace), "[HG]web") == [str(key)]


_GROUPS = [UUID(int=number) for number in range(8)]
_HOSTS = [UUID(int=number) for number in range(100, 104)]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(range(8)), st.sampled_from(range(8))), max_size=16),
    st.lists(st.tuples(st.sampled_from(_GROUPS), st.sampled_from(_HOSTS)), max_size=10),
)
def test_a_group_reaches_what_any_way_down_reaches(
    below: list[tuple[int, int]], direct: list[tuple[UUID, UUID]]
) -> None:
    """As slow searches by all ways find it."""
    links: dict[str, Any] = {"direct": defaultdict(list), "below": defaultdict(list)}
    for parent, child in below:
        if parent < child:
            links["below"][_GROUPS[parent]].append(_GROUPS[child])
    for group, host in direct:
        links["direct"][group].append(host)
    members = Members(dict.fromkeys(_HOSTS, ""), dict.fromkeys(_GROUPS, 1), links["direct"], links["below"])

    def reached(group: UUID) -> set[UUID]:
        return set(links["direct"][group]).union(*map(reached, links["below"][group]))

    for group in _GROUPS:
        found = list(members.of(group))
        assert len(found) == len(set(found))
        assert set(found) == reached(group)


def test_what_clients_register_for_a_group_is_for_its_hosts(
    hall: Hall, load_library: Callable[[str], None], world: World
) -> None:
    """Groups, links and rows are named by their texts; a link that is there already is no second one."""
    load_library("menus: [{name: sheet_a, columns: [{name: column_1}]}]")
    suite = build_exastro_ita(hall)

    def send(menu: str, *records: dict[str, Any]) -> None:
        sent = [{"type": "Register", "parameter": one} for one in records]
        suite.maintenance.change(world.workspace, menu, sent, SYSTEM)

    send("operation_list", {"operation_name": "op-1", "scheduled_date_for_execution": "2031/06/01 02:00"})
    send(GROUPS, {"hostgroup_name": "web", "priority": "1"}, {"hostgroup_name": "all"})
    links = [
        {"hostgroup_name": "web", "hostname": host, "operation": of} for host, of in (("h1", "op-1"), ("h2", None))
    ]
    send(HOST_LINKS, *links)
    send(GROUP_LINKS, {"hostgroup_parent": "all", "hostgroup_child": "web"})
    operation = "2031/06/01 02:00_op-1"
    send("sheet_a", {"host_name": "[HG]all", "operation_name_select": operation, "column_1": "x"})
    for menu, record, fault in (
        (GROUP_LINKS, {"hostgroup_parent": "web", "hostgroup_child": "all"}, "MSG-70001"),
        (GROUP_LINKS, {"hostgroup_parent": "all", "hostgroup_child": "web"}, "MSG-00006"),
        (HOST_LINKS, links[1], "MSG-00006"),
    ):
        with pytest.raises(InvalidRecords) as refused:
            send(menu, record)
        ((found,),) = (faults[""] for faults in refused.value.faults.values())
        assert found.id == fault
    (row,) = suite.records.filter(world.workspace, "sheet_a", {}, SYSTEM)
    assert row["parameter"]["host_name"] == "[HG]all"
    with world.datastore.read() as session:
        scope = a_scope(session, world.workspace)
        ((key,),) = session.execute(select(ItaRecord.id).where(ItaRecord.menu == "operation_list"))
        assert NamedHosts(world.hosts, world.groups).of(scope, key) == [world.ids["h1"], world.ids["h2"]]
        assert NamedHosts(world.hosts, world.groups).of(scope, uuid4()) == []
