"""Host groups: their members are resolved before a run; a row for a group counts for its hosts.

What wins where rows differ, and how deep groups may lie, is the vendor's ``common_libs/hostgroup`` (the process
``ita_by_hostgroup_split``): column by column what is nearest to the host, its own row first; of groups as near as each
other the one with the larger priority, one without any before all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from dispatcher.services.exastro_ita.hosts import HostNames, Hosts
from dispatcher.services.exastro_ita.messages import NO_COLUMN, Message
from dispatcher.services.exastro_ita.records import Action, Change, Found, Record, Scope
from dispatcher.services.exastro_ita.rows import HOST, Rows

GROUPS, GROUP_LINKS, HOST_LINKS = "hostgroup_management", "hostgroup_parent_child_link_list", "host_link_list"
#: What groups are told from hosts by, in columns that have both.
PREFIX = "[HG]"

#: How many links a group may have above it.
_MOST_ABOVE = 15
#: That of groups that have none.
_NO_PRIORITY = 2_147_483_647


class GroupLinks(Rows):
    """The records of ``hostgroup_parent_child_link_list``: no group is above itself."""

    def __init__(self) -> None:
        super().__init__(GROUP_LINKS)

    def write(self, scope: Scope, changes: Sequence[Change]) -> Found:
        """Carry out *changes* in order, unless one of them would close a circle, or make the groups too deep."""
        links = {record.id: _link(record.values) for record in self.read(scope) if not record.is_discarded}
        parents: defaultdict[UUID | None, dict[UUID, UUID | None]] = defaultdict(dict)
        for key, (parent, child) in links.items():
            parents[child][key] = parent
        found: Found = {}
        for change in changes:
            if change.id in links:
                parents[links.pop(change.id)[1]].pop(change.id)
            if change.is_discarded or change.action is Action.DELETE:
                continue
            parent, child = links[change.id] = _link(change.after)
            if _closes(parents, parent, child):
                found[change.index] = {NO_COLUMN: [Message("MSG-70001")]}
            parents[child][change.id] = parent
        return found or super().write(scope, changes)


def _link(values: Mapping[str, Any]) -> tuple[UUID | None, UUID | None]:
    return to_key(values.get("hostgroup_parent")), to_key(values.get("hostgroup_child"))


def _closes(parents: Mapping[UUID | None, Mapping[UUID, UUID | None]], parent: UUID | None, child: UUID | None) -> bool:
    """Whether *child* is *parent*, or above it; or too many are above it to look through."""
    open_, seen = [parent], 0
    while open_:
        group = open_.pop()
        if group == child:
            return True
        above = parents.get(group, {}).values()
        seen += len(above)
        if seen > _MOST_ABOVE:
            return True
        open_ += above
    return False


class Members:
    """The hosts of a workspace, and those of its groups as they are for one operation. For one thread."""

    def __init__(
        self, hosts: Mapping[UUID, str], priorities: Mapping[UUID, int], direct: _Links, below: _Links
    ) -> None:
        """*hosts* and groups, by their *priorities*, are those that are live; of each group what is linked to it."""
        self.hosts = hosts
        self._priorities = priorities
        self._direct = direct
        self._below = below
        self._levels: dict[UUID, Mapping[UUID, int]] = {}

    def of(self, key: UUID) -> Iterator[UUID]:
        """Give the host *key*, or those of the group *key*; nothing if it is none that is live."""
        if key in self.hosts:
            yield key
        yield from self._reached(key)

    def spread(self, rows: Iterable[tuple[UUID, Mapping[str, Any]]]) -> dict[UUID, dict[str, Any]]:
        """Return what hosts have by the *rows* of one sheet, each for a host or a group and with its values.

        Where neither level nor priority decides, a later row wins.
        """
        found: defaultdict[UUID, list[tuple[int, int, int, Mapping[str, Any]]]] = defaultdict(list)
        for place, (key, values) in enumerate(rows):
            if key in self.hosts:
                found[key].append((0, 0, place, values))
            for host, level in self._reached(key).items():
                found[host].append((-level, self._priorities[key], place, values))
        return {host: _merged(host, sorted(some, key=lambda one: one[:3])) for host, some in found.items()}

    def _reached(self, group: UUID) -> Mapping[UUID, int]:
        """Return the hosts of *group*, and over how many links each is reached at least."""
        if group not in self._levels:
            is_live = group in self._priorities
            self._levels[group] = dict(_reach(group, self._direct, self._below)) if is_live else {}
        return self._levels[group]


def _merged(host: UUID, candidates: Iterable[tuple[int, int, int, Mapping[str, Any]]]) -> dict[str, Any]:
    """Return the values of *candidates*, of which later ones win where they have any."""
    merged: dict[str, Any] = {}
    for *_, values in candidates:
        merged |= {name: value for name, value in values.items() if name not in merged or value not in (None, "")}
    merged[HOST] = str(host)
    return merged


class HostGroups:
    """Finds groups and their hosts. May be used by many threads."""

    def __init__(self, hosts: Hosts) -> None:
        self._hosts = hosts
        self._groups, self._group_links, self._host_links = Rows(GROUPS), Rows(GROUP_LINKS), Rows(HOST_LINKS)

    def choices(self, scope: Scope) -> dict[UUID, str]:
        """Return the live groups by name, as columns show them that have hosts, too."""
        named = {key: f"{PREFIX}{group.values['hostgroup_name']}" for key, group in self._live(scope).items()}
        return dict(sorted(named.items(), key=lambda one: (one[1], one[0])))

    def members(self, scope: Scope, operation_id: UUID | None) -> Members:
        """Return all hosts of the workspace, whoever may read them, and the groups that they are in for the operation.

        A host that is linked without an operation is in the group for all of them.
        """
        groups, hosts = self._live(scope), self._hosts.live(scope.session, scope.workspace)
        # The vendor takes 0 for none as well.
        priorities = {key: int(group.values.get("priority") or _NO_PRIORITY) for key, group in groups.items()}
        direct, below = _Links(list), _Links(list)
        for record in self._host_links.read(scope) if groups else ():
            group, host = to_key(record.values.get("hostgroup_name")), to_key(record.values.get("hostname"))
            is_meant = to_key(record.values.get("operation")) in (None, operation_id)
            if not record.is_discarded and is_meant and group in groups and host in hosts:
                direct[group].append(host)
        for record in self._group_links.read(scope) if groups else ():
            parent, child = _link(record.values)
            if not record.is_discarded and parent in groups and child in groups:
                below[parent].append(child)
        return Members(hosts, priorities, direct, below)

    def named(self, scope: Scope, name: str) -> list[UUID]:
        """Return the live groups that are called *name*: one at most."""
        return list(self._groups.taken(scope, "hostgroup_name", [name]).values())

    def _live(self, scope: Scope) -> dict[UUID, Record]:
        return {record.id: record for record in self._groups.read(scope) if not record.is_discarded}


class HostOrGroupNames:
    """The list of choices of hosts and, with ``[HG]`` before their names, of groups: whom rows of sheets are for."""

    def __init__(self, hosts: HostNames, groups: HostGroups) -> None:
        self._hosts = hosts
        self._groups = groups

    def all(self, scope: Scope) -> Mapping[str, str]:
        """Return the names by their ids: of hosts, then of groups, each by name."""
        groups = {str(key): name for key, name in self._groups.choices(scope).items()}
        return {**self._hosts.all(scope), **groups}

    def find(self, scope: Scope, text: str) -> Sequence[str]:
        """Return the ids of those that are shown as *text*: the group, where an agent is called so, too."""
        groups = self._groups.named(scope, text.removeprefix(PREFIX)) if text.startswith(PREFIX) else []
        return [str(key) for key in groups] or self._hosts.find(scope, text)


_Links = defaultdict[UUID, list[UUID]]


def _reach(group: UUID, direct: _Links, below: _Links) -> Iterator[tuple[UUID, int]]:
    """Give the hosts of *group*, each once, with the number of links on the shortest way to it, nearest first."""
    level, front, seen = 1, [group], {group}
    given: set[UUID] = set()
    while front:
        for host in dict.fromkeys(host for one in front for host in direct.get(one, ())):
            if host not in given:
                given.add(host)
                yield host, level
        front = list(dict.fromkeys(child for one in front for child in below.get(one, ()) if child not in seen))
        seen.update(front)
        level += 1


def to_key(value: Any) -> UUID | None:
    """Return the id that is stored as the text of a choice; None for nothing."""
    return UUID(value) if value else None
