"""Devices: the records of ``device_list`` are the agents in the team of the workspace, enrolled or not.

``host_name`` and ``ip_address`` are the agent's name and address, whichever dialect asks. What only this menu knows,
and whether the device is discarded, is kept for each workspace (``ItaDetail``): discarded, it is no choice there, and
gets no runs. Register makes an agent that has never enrolled; one that enrols by that name takes it over.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from dispatcher.core.jobs import Who, WhoKind
from dispatcher.core.permissions import Node, Right
from dispatcher.datastore.exastro_ita import ITA_DETAILS
from dispatcher.datastore.teams import Team
from dispatcher.datastore.transactions import is_writing
from dispatcher.services.access import readable_agents, require_who
from dispatcher.services.exastro_ita.device_changes import DeviceChanges
from dispatcher.services.exastro_ita.device_checks import faults_of
from dispatcher.services.exastro_ita.hosts import DEVICE_LIST, Host, Hosts, discarded
from dispatcher.services.exastro_ita.records import Action, Change, Found, Record, Scope
from dispatcher.services.locking import lock_agents
from dispatcher.services.portions import portions

#: The columns that are the agent's.
NAME, ADDRESS = "host_name", "ip_address"
#: What an agent that came from elsewhere has in a column that must have a value: the vendor's initial one, ``machine``.
_INITIAL = {"connection_type": "1"}
_DETAILS = select(
    *(ITA_DETAILS.c[name] for name in ("object_id", "values", "is_discarded", "changed_at", "changed_by"))
)


class Devices:
    """The source of ``device_list``. May be used by many threads."""

    def __init__(self, hosts: Hosts, changes: DeviceChanges) -> None:
        self._hosts = hosts
        self._changes = changes

    def read(self, scope: Scope, ids: Collection[UUID] | None = None) -> Iterable[Record]:
        """Give the devices that the caller may read, those with *ids* only if given, by name."""
        hosts: Any = self._hosts.members(scope.session, scope.workspace, ids)
        readable: Any = readable_agents(scope.session, hosts, scope.caller)
        details = _details(scope, ids)
        return [_record(host, details.get(host.id)) for host in readable]

    def lock(self, scope: Scope, ids: Collection[UUID]) -> Mapping[UUID, Record]:
        """Return those of the devices that are there, and that the caller may read; their agents are locked."""
        if ids:
            lock_agents(scope.session, ids)
        return {record.id: record for record in self.read(scope, ids)}

    def taken(self, scope: Scope, column: str, values: Collection[str]) -> Mapping[str, UUID]:
        """Return which live device has each of *values* as its ``host_name``, whoever may read it.

        Until the transaction ends nobody else in the team asks for this: of two that register a name one is too late.
        """
        if column != NAME:
            return {}
        if is_writing(scope.session):
            locked = select(Team.id).where(Team.id == scope.workspace.team_id).with_for_update(key_share=True)
            scope.session.connection().execute(locked)
        gone = discarded(scope.session, scope.workspace)
        found = self._hosts.named(scope.session, scope.workspace, values)
        return {host.name: host.id for host in reversed(found) if host.id not in gone}

    def write(self, scope: Scope, changes: Sequence[Change]) -> Found:
        """Carry out *changes* in order; return what is wrong with some of them.

        :raises Forbidden: without Modify on what is changed: Topology/Agents for new ones, the agents, and the team if
            agents join or leave it.
        :raises HeldByRule: if one is to be deleted that is in the team by the team's rule.
        """
        _require(scope, changes)
        found: Found = {}
        for change in changes:
            if change.action in (Action.REGISTER, Action.UPDATE):
                before = change.before.values if change.before else {}
                if faults := faults_of(before, change.after):
                    found[change.index] = faults
        if not found:
            self._changes.store(scope, changes)
        return found


def _require(scope: Scope, changes: Sequence[Change]) -> None:
    caller, actions = scope.caller, {change.action for change in changes}
    if Action.REGISTER in actions:
        caller.require(Right.MODIFY, Node.AGENTS)
    who = [Who(change.id, "", WhoKind.AGENT) for change in changes if change.action is not Action.REGISTER]
    if not actions.isdisjoint((Action.REGISTER, Action.DELETE)):
        who.append(Who(scope.workspace.team_id, scope.workspace.name, WhoKind.TEAM))
    require_who(scope.session, Right.MODIFY, who, caller)


def _details(scope: Scope, ids: Collection[UUID] | None) -> dict[UUID, Any]:
    """Return what the workspace knows of devices, by their ids."""
    query = _DETAILS.where(ITA_DETAILS.c.workspace_id == scope.workspace.id, ITA_DETAILS.c.menu == DEVICE_LIST)
    return {row.object_id: row for row in _rows(scope.session, query, ids)}


def _rows(session: Session, query: Any, ids: Collection[UUID] | None) -> Iterator[Any]:
    if ids is None:
        yield from session.connection().execute(query)
        return
    for some in portions(ids):
        yield from session.connection().execute(query.where(ITA_DETAILS.c.object_id.in_(some)))


def _record(host: Host, detail: Any) -> Record:
    values = {**_INITIAL, **(detail.values if detail is not None else {}), NAME: host.name, ADDRESS: _shown(host)}
    is_later = detail is not None and detail.changed_at >= host.updated_at
    return Record(
        id=host.id,
        values=values,
        is_discarded=detail is not None and detail.is_discarded,
        changed_at=detail.changed_at if is_later else host.updated_at,
        changed_by=detail.changed_by if is_later else host.updated_by,
    )


def _shown(host: Host) -> str | None:
    """Return the address if the column takes it: clients send back what they were shown, and others are refused."""
    try:
        return str(ipaddress.IPv4Address(host.address))
    except ValueError:
        return None
