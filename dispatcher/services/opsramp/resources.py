"""Resources: agents as OpsRamp knows them, and the credential sets that jobs log in to them with."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, insert, select
from sqlalchemy.orm import Session

from dispatcher.core.errors import NotFound
from dispatcher.core.jobs import Who, WhoKind
from dispatcher.core.permissions import Caller, Node, Right
from dispatcher.core.ports import Ports
from dispatcher.datastore import revisions
from dispatcher.datastore.agents import Agent
from dispatcher.datastore.opsramp import OpsRampResource
from dispatcher.datastore.teams import TeamMember
from dispatcher.datastore.transactions import Datastore
from dispatcher.services import audit
from dispatcher.services.access import may_who, require_who
from dispatcher.services.audit import Subject
from dispatcher.services.credential_sets import CredentialSet, CredentialSets
from dispatcher.services.opsramp.queries import Query, SortedPage, paged
from dispatcher.services.opsramp.resource_queries import ANY, Known, known_of
from dispatcher.services.opsramp.tenants import Tenant, Tenants, tenant_ids
from dispatcher.services.submits import SubmitKey, Submits

#: What keys of submits count for.
_CREATE = "opsramp.create_resource"
#: What a resource is that nothing else is said of.
DEVICE = "DEVICE"
_AGENTS: Any = Agent.__table__
_RESOURCES: Any = OpsRampResource.__table__
_SYSTEMS = {"linux": "Linux", "windows": "Windows", "macos": "Mac"}
_MANY = 500
#: By what resources may be looked for, and what has that of them.
_FIELDS: Mapping[str, Callable[[Resource], str]] = {
    "id": lambda one: str(one.id),
    "hostname": lambda one: one.host,
    "dnsname": lambda one: one.host,
    "resourcename": lambda one: one.resource_name,
    "name": lambda one: one.name,
    "aliasname": lambda one: one.alias,
    "ipaddress": lambda one: one.address,
    "type": lambda one: one.type,
    "devicetype": lambda one: one.resource_type,
    "resourcetype": lambda one: one.resource_type,
    "agentinstalled": lambda one: str(one.has_agent).lower(),
    "state": lambda _one: "active",
}
_ID = "id"
#: What a resource is made of: agents have more, and that may be much.
_COLUMNS = select(
    *(_AGENTS.c[name] for name in ("id", "name", "hostname", "address", "primary_team_id", "os", "os_version")),
    *(_AGENTS.c[name] for name in ("macs", "enrolled_at", "updated_at", "removed_at")),
    _RESOURCES.c.document,
).outerjoin(_RESOURCES, _RESOURCES.c.agent_id == _AGENTS.c.id)


class ResourceNotFound(NotFound):
    """The tenant reaches no agent with this id."""

    code = "opsramp.resource_not_found"
    kind = "resource"


@dataclass(frozen=True, slots=True)
class Resource:
    """An agent as a resource; ``client`` is the tenant that owns it."""

    id: UUID
    name: str
    host: str
    address: str
    client: str
    resource_type: str
    os: str
    macs: Sequence[str]
    has_agent: bool
    updated_at: datetime
    details: Mapping[str, Any] = field(default_factory=dict)  #: what was said of it when it was made

    @property
    def type(self) -> str:
        """The kind of resource."""
        return str(self.details.get("type") or DEVICE)

    @property
    def resource_name(self) -> str:
        """What it is called, apart from its host."""
        return str(self.details.get("resourceName") or self.name)

    @property
    def alias(self) -> str:
        """What else it is called; empty if nothing."""
        return str(self.details.get("aliasName") or "")


@dataclass(frozen=True, slots=True)
class NewResource:
    """A resource to be made. ``details`` are kept as they are, and shown again."""

    name: str
    address: str = ""
    macs: Sequence[str] = ()
    details: Mapping[str, Any] = field(default_factory=dict)


class Resources:
    """Shows and makes resources, and lists credential sets."""

    def __init__(
        self,
        datastore: Datastore,
        ports: Ports,
        *,
        tenants: Tenants,
        credential_sets: CredentialSets,
        submits: Submits,
    ) -> None:
        self._submits = submits
        self._datastore = datastore
        self._ports = ports
        self._tenants = tenants
        self._credential_sets = credential_sets

    def search(self, tenant_id: str, query: Query, caller: Caller) -> SortedPage[Resource]:
        """Return the page of the tenant's resources that *query* asks for.

        :raises TenantNotFound: if there is no such tenant.
        """
        with self._datastore.read() as session:
            tenant = self._tenants.find(session, tenant_id, caller)
            page = self._page(session, tenant, query, caller)
            return page or paged(self._all(session, tenant, query, caller), query, _FIELDS)

    def _page(self, session: Session, tenant: Tenant, query: Query, caller: Caller) -> SortedPage[Resource] | None:
        """Return the page, if the database alone can tell what is on it."""
        known, is_by_id = self._known(query), query.sort.casefold() not in _FIELDS or query.sort.casefold() == _ID
        if not known.say_all or not is_by_id or not caller.may_all(Right.READ, Node.AGENTS):
            return None
        reach = self._tenants.reach(session, tenant)
        if reach is None:
            return None
        wanted = (reach, *known.conditions)
        total = session.scalar(select(func.count()).select_from(_AGENTS).where(*wanted)) or 0
        order = _AGENTS.c.id.desc() if query.descending else _AGENTS.c.id
        page = _COLUMNS.where(*wanted).order_by(order).limit(query.page_size).offset((query.page - 1) * query.page_size)
        items = _described(session, session.execute(page).all(), tenant)
        return SortedPage(items, total, query.page, query.page_size, _ID, query.descending)

    def all(self, tenant_id: str, query: Query, caller: Caller) -> list[Resource]:
        """Return all of the tenant's resources that *query* looks for, by name.

        :raises TenantNotFound: if there is no such tenant.
        """
        with self._datastore.read() as session:
            tenant = self._tenants.find(session, tenant_id, caller)
            return self._all(session, tenant, query, caller)

    def _all(self, session: Session, tenant: Tenant, query: Query, caller: Caller) -> list[Resource]:
        conditions, reach = self._known(query).conditions, self._tenants.reach(session, tenant)
        if reach is None:
            rows = list(_rows(session, self._tenants.agents(session, tenant), *conditions))
        else:
            rows = list(session.execute(_COLUMNS.where(reach, *conditions)))
        may = may_who(session, Right.READ, [Who(row.id, "", WhoKind.AGENT) for row in rows], caller)
        found = _described(session, [row for row, allowed in zip(rows, may, strict=True) if allowed], tenant)
        wanted = [one for one in found if query.fits(one, _FIELDS, ANY)]
        return sorted(wanted, key=lambda one: (one.name.casefold(), one.id))

    def _known(self, query: Query) -> Known:
        return known_of(query, self._datastore.traits.exact_collation)

    def get(self, tenant_id: str, resource_id: str, caller: Caller) -> Resource:
        """Return the resource.

        :raises TenantNotFound: if there is no such tenant.
        :raises ResourceNotFound: if the tenant reaches no such resource.
        """
        with self._datastore.read() as session:
            tenant = self._tenants.find(session, tenant_id, caller)
            key = to_id(resource_id)
            reached = self._tenants.reached(session, tenant, [] if key is None else [key])
            for one in describe(session, reached, tenant, caller).values():
                return one
        raise ResourceNotFound(resource_id)

    def accounts(self, tenant_id: str, caller: Caller) -> list[CredentialSet]:
        """Return the credential sets of the tenant, and of its clients, by name.

        :raises TenantNotFound: if there is no such tenant.
        """
        with self._datastore.read() as session:
            tenant = self._tenants.find(session, tenant_id, caller)
        found = {one.id: one for team in tenant.teams for one in self._credential_sets.of_client(team, caller)}
        return sorted(found.values(), key=lambda one: (one.name.casefold(), one.id))

    def accounts_of(self, tenant_id: str, resource_id: str, caller: Caller) -> list[CredentialSet]:
        """Return the credential sets of the resource, by name.

        :raises TenantNotFound: if there is no such tenant.
        :raises ResourceNotFound: if the tenant does not reach it.
        """
        resource = self.get(tenant_id, resource_id, caller)
        return self._credential_sets.of_resource(resource.id, caller)

    def create(self, tenant_id: str, new: NewResource, caller: Caller, key: SubmitKey | None = None) -> Resource:
        """Make an agent that has never enrolled, whose primary team is the tenant's, and return it.

        Asked for again with the same *key*, it is the agent that was made then.

        :raises TenantNotFound: if there is no such tenant.
        :raises ResourceNotFound: if what was made with this *key* has been removed since.
        :raises Forbidden: without Modify on Topology/Agents and on the tenant's team.
        """
        caller.require(Right.MODIFY, Node.AGENTS)
        with self._datastore.begin() as session:
            tenant = self._tenants.find(session, tenant_id, caller)
            require_who(session, Right.MODIFY, [tenant.team], caller)
            made = self._submits.once_id(caller, _CREATE, key, lambda: self._make(session, tenant, new, caller))
            for row in _rows(session, [made]):
                if row.removed_at is None:
                    return _resource(row, tenant_ids(session, [row.primary_team_id or tenant.team.id]), tenant)
        raise ResourceNotFound(str(made))

    def _make(self, session: Session, tenant: Tenant, new: NewResource, caller: Caller) -> UUID:
        now = self._ports.now()
        agent = Agent(
            id=self._ports.new_id(),
            name=new.name,
            address=new.address,
            macs=list(new.macs),
            primary_team_id=tenant.team.id,
            updated_at=now,
            updated_by=caller.name,
        )
        session.add(agent)
        session.flush()
        session.add(TeamMember(team_id=tenant.team.id, agent_id=agent.id))
        set_details(session, agent.id, new.details)
        revisions.bump(session, revisions.TOPOLOGY)
        values = {"address": new.address, "primary_team": tenant.team.name}
        audit.record(session, now, caller, "agent.created", Subject("agent", new.name, agent.id), new=values)
        return agent.id


def set_details(session: Session, agent_id: UUID, details: Mapping[str, Any]) -> None:
    """Keep *details*, and no others, of the agent."""
    session.execute(delete(_RESOURCES).where(_RESOURCES.c.agent_id == agent_id))
    if details:
        session.connection().execute(insert(_RESOURCES), {"agent_id": agent_id, "document": dict(details)})


def describe(session: Session, agent_ids: Collection[UUID], tenant: Tenant, caller: Caller) -> dict[UUID, Resource]:
    """Return those of the agents that *caller* may read as resources, by id; without a primary team one is *tenant*'s.

    What was removed is there, too.
    """
    who = [Who(agent_id, "", WhoKind.AGENT) for agent_id in agent_ids]
    may = may_who(session, Right.READ, who, caller)
    rows = list(_rows(session, (one.id for one, allowed in zip(who, may, strict=True) if allowed)))
    return {one.id: one for one in _described(session, rows, tenant)}


def _described(session: Session, rows: Sequence[Any], tenant: Tenant) -> list[Resource]:
    clients = tenant_ids(session, {row.primary_team_id for row in rows if row.primary_team_id is not None})
    return [_resource(row, clients, tenant) for row in rows]


def _rows(session: Session, agent_ids: Iterable[UUID], *conditions: ColumnElement[bool]) -> Iterator[Any]:
    wanted, query = list(agent_ids), _COLUMNS.where(*conditions)
    for start in range(0, len(wanted), _MANY):
        yield from session.execute(query.where(_AGENTS.c.id.in_(wanted[start : start + _MANY])))


def _resource(row: Any, clients: Mapping[UUID, str], tenant: Tenant) -> Resource:
    details = row.document or {}
    return Resource(
        id=row.id,
        name=row.name,
        host=row.hostname or row.name,
        address=row.address,
        client=clients.get(row.primary_team_id) or tenant.id,
        resource_type=str(details.get("resourceType") or _SYSTEMS.get(row.os, "Device")),
        os=_os(_SYSTEMS.get(row.os, row.os), row.os_version),
        macs=row.macs,
        has_agent=row.enrolled_at is not None,
        updated_at=row.updated_at,
        details=details,
    )


def _os(name: str, version: str) -> str:
    """Return the operating system in words; many versions begin with its name."""
    return version if version.startswith(name) else f"{name} {version}".strip()


def to_id(text: str) -> UUID | None:
    """Return the id that *text* is; None if it is none."""
    try:
        return UUID(text.strip())
    except ValueError:
        return None
