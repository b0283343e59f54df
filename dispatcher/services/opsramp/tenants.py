"""Tenants: teams as OpsRamp knows them, and the agents and tenants that each of them reaches.

A tenant is the team with that alias (``opsramp``, ``tenant``), else the one of that name that has no such alias. One
whose id begins with ``msp_`` is a service provider: its clients are the teams in the folder that is called as its own
team is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, or_, select, true
from sqlalchemy.orm import Session

from dispatcher.core.errors import Forbidden, NotFound
from dispatcher.core.jobs import Who, WhoKind
from dispatcher.core.permissions import Caller, Node, Right
from dispatcher.datastore.agents import Agent
from dispatcher.datastore.folders import Folder
from dispatcher.datastore.settings import Alias
from dispatcher.datastore.teams import Team, TeamMember
from dispatcher.services.access import may_who
from dispatcher.services.library.names import path_of
from dispatcher.services.topology import Topology

_MSP = "msp_"
#: How many ids one statement names.
_MANY = 1_000
_AGENTS: Any = Agent.__table__
_ALIASES = select(Alias.object_id, Alias.external_id).where(Alias.dialect == "opsramp", Alias.kind == "tenant")
_TEAMS = select(Team.id, Team.name, Folder.path).outerjoin(Folder, Folder.id == Team.folder_id)


class TenantNotFound(NotFound):
    """No team is known as this tenant."""

    code = "opsramp.tenant_not_found"
    kind = "tenant"


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant: the team that it is, and ``teams``: that, and those of its clients that its caller may read."""

    id: str
    team: Who
    teams: tuple[UUID, ...]


class Tenants:
    """Finds tenants. Every method works inside the caller's transaction."""

    def __init__(self, topology: Topology) -> None:
        self._topology = topology

    def find(self, session: Session, tenant_id: str, caller: Caller) -> Tenant:
        """Return the tenant, if *caller* may read its team.

        Whoever may not read all teams cannot tell a tenant that he may not see from one that is not there.

        :raises TenantNotFound: if there is none with this id.
        :raises Forbidden: without Read on its team.
        """
        row = _team(session, tenant_id)
        if row is None and caller.may_all(Right.READ, Node.TEAMS):
            raise TenantNotFound(tenant_id)
        teams = [] if row is None else [Who(row.id, row.name, WhoKind.TEAM)]
        if row is not None and tenant_id.lower().startswith(_MSP):
            teams += _clients(session, row)
        readable = [one for one, may in zip(teams, may_who(session, Right.READ, teams, caller), strict=True) if may]
        if not readable or readable[0] is not teams[0]:
            raise Forbidden(caller.name, Right.READ.name.capitalize(), f"{Node.TEAMS.value}/{tenant_id[:100]}")
        return Tenant(tenant_id, readable[0], tuple(one.id for one in readable))

    def agents(self, session: Session, tenant: Tenant) -> set[UUID]:
        """Return the agents that *tenant* reaches: the members of its teams, and those whose primary team is one."""
        teams = [Who(team_id, "", WhoKind.TEAM) for team_id in tenant.teams]
        members = {target.id for target in self._topology.targets_of(session, teams)}
        own = select(_AGENTS.c.id).where(_AGENTS.c.removed_at.is_(None), _AGENTS.c.primary_team_id.in_(tenant.teams))
        return members | set(session.scalars(own))

    def reach(self, session: Session, tenant: Tenant) -> ColumnElement[bool] | None:
        """Return what tells the agents that *tenant* reaches from all others; None if members are found by a rule."""
        by_rule = select(Team.id).where(Team.id.in_(tenant.teams), Team.rule.is_not(None))
        if session.scalar(by_rule.limit(1)) is not None:
            return None
        return _belongs(tenant)

    def reached(self, session: Session, tenant: Tenant, agent_ids: Collection[UUID]) -> set[UUID]:
        """Return those of the agents that *tenant* reaches."""
        wanted, found = sorted(set(agent_ids)), set[UUID]()
        query = select(_AGENTS.c.id).where(_belongs(tenant))
        for start in range(0, len(wanted), _MANY):
            found |= set(session.scalars(query.where(_AGENTS.c.id.in_(wanted[start : start + _MANY]))))
        # Who is left may be a member by a rule, for which every agent is looked at.
        return found if len(found) == len(wanted) else self.agents(session, tenant).intersection(wanted)


def tenant_ids(session: Session, team_ids: Collection[UUID]) -> Mapping[UUID, str]:
    """Return by which ids the teams are known as tenants."""
    wanted = set(team_ids)
    names = dict(session.execute(select(Team.id, Team.name).where(Team.id.in_(wanted))).tuples().all())
    aliases = session.execute(_ALIASES.where(Alias.object_id.in_(wanted)).order_by(Alias.external_id.desc()))
    return names | dict(aliases.tuples().all())


def _belongs(tenant: Tenant) -> ColumnElement[bool]:
    """Return whether an agent is listed in a team of *tenant*, or that is its primary team."""
    listed = exists().where(TeamMember.agent_id == _AGENTS.c.id, TeamMember.team_id.in_(tenant.teams))
    return and_(_AGENTS.c.removed_at.is_(None), or_(_AGENTS.c.primary_team_id.in_(tenant.teams), listed))


def _team(session: Session, tenant_id: str) -> Any:
    # Not every database tells A from a.
    named = session.execute(_ALIASES.where(Alias.external_id == tenant_id)).all()
    aliased = [row.object_id for row in named if row.external_id == tenant_id]
    if aliased:
        return session.execute(_TEAMS.where(Team.id == aliased[0], Team.enabled == true())).one_or_none()
    unaliased = Team.id.not_in(_ALIASES.with_only_columns(Alias.object_id))
    rows = session.execute(_TEAMS.where(Team.name == tenant_id, Team.enabled == true(), unaliased)).all()
    found = [row for row in rows if row.name == tenant_id]
    return found[0] if len(found) == 1 else None


def _clients(session: Session, provider: Any) -> list[Who]:
    path = path_of(provider.path or "", provider.name)
    below: ColumnElement[bool] = Folder.path.startswith(f"{path}/", autoescape=True)
    rows = session.execute(_TEAMS.where(or_(Folder.path == path, below), Team.enabled == true()))
    return [Who(row.id, row.name, WhoKind.TEAM) for row in rows if row.id != provider.id]
