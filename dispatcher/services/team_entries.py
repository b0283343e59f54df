"""Team entries: which agent of a team somebody takes over who enrols, and how one that nobody knew joins the team."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from dispatcher.core.permissions import Caller
from dispatcher.datastore.agents import Agent
from dispatcher.datastore.teams import Team, TeamMember
from dispatcher.services import audit
from dispatcher.services.audit import Subject
from dispatcher.services.topology import Topology


def members_among(session: Session, topology: Topology, agents: Iterable[Agent], team_id: UUID) -> list[Agent]:
    """Return those of *agents* that are in the team now: listed there, or fit for its rule by what is known of them."""
    return [agent for agent in agents if topology.teams_of(session, agent.id, [team_id])]


def join(session: Session, now: datetime, caller: Caller, agent: Agent, team_id: UUID) -> None:
    """List the new *agent*, which is stored already, in the team."""
    session.add(TeamMember(team_id=team_id, agent_id=agent.id))
    noted = update(Team).where(Team.id == team_id).values(updated_at=now, updated_by=caller.name)
    session.execute(noted, execution_options={"synchronize_session": False})
    team = audit.named(session.scalars(select(Team.name).where(Team.id == team_id)).one(), team_id)
    subject = Subject("agent", agent.name, agent.id)
    old: dict[str, Any] = {"teams": [], "primary_team": None}
    audit.record(session, now, caller, "agent.teams", subject, old=old, new={**old, "teams": [team]})
