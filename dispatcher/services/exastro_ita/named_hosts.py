"""Named hosts: those that have values for an operation, by a record of their own or by one for a group of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from uuid import UUID

from sqlalchemy import bindparam, select

from dispatcher.core.jobs import Who, WhoKind
from dispatcher.datastore.exastro_ita import ITA_RECORDS
from dispatcher.services.exastro_ita.host_groups import HostGroups
from dispatcher.services.exastro_ita.hosts import Hosts
from dispatcher.services.exastro_ita.records import Scope
from dispatcher.services.portions import portions


class NamedHosts:
    """Finds the hosts that runs for an operation are meant for."""

    def __init__(self, hosts: Hosts, groups: HostGroups) -> None:
        self._hosts = hosts
        self._groups = groups

    def of(self, scope: Scope, operation_id: UUID) -> list[UUID]:
        """Return the hosts that have live records for the operation, by name."""
        return [who.id for who in self.of_all(scope, [operation_id]).get(operation_id, ())]

    def of_all(self, scope: Scope, operation_ids: Collection[UUID]) -> dict[UUID, list[Who]]:
        """Return the hosts that have live records for operations, by name; those operations that have any."""
        query = select(ITA_RECORDS.c.operation_id, ITA_RECORDS.c.agent_id).where(
            ITA_RECORDS.c.operation_id.in_(bindparam("operations", expanding=True)),
            ITA_RECORDS.c.workspace_id == scope.workspace.id,
            ITA_RECORDS.c.agent_id.is_not(None),
            ITA_RECORDS.c.is_discarded.is_(False),
        )
        named: defaultdict[UUID, set[UUID]] = defaultdict(set)
        for some in portions(operation_ids):
            for operation_id, key in scope.session.connection().execute(query.distinct(), {"operations": some}):
                named[operation_id].add(key)
        if not named:
            return {}
        live = self._hosts.live(scope.session, scope.workspace)
        found: dict[UUID, list[Who]] = {}
        for operation_id, keys in named.items():
            hosts = keys
            if not keys <= live.keys():  # some may be groups
                members = self._groups.members(scope, operation_id)
                hosts = {host for one in keys for host in members.of(one)}
            found[operation_id] = [Who(key, name, WhoKind.AGENT) for key, name in live.items() if key in hosts]
        return found
