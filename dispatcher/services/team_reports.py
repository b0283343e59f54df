"""Team reports: which agents belong to each team, by list or by rule."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from dispatcher.core import team_rules
from dispatcher.core.jobs import Who
from dispatcher.core.permissions import Caller, Node, Right
from dispatcher.datastore.teams import Team, TeamMember
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.access import readable_agents, readable_teams
from dispatcher.services.topology import Topology


@dataclass(frozen=True, slots=True)
class TeamReport:
    """A team with its present members, by name. Members of several teams are the same objects in each."""

    id: UUID
    name: str
    description: str
    agents: list[Who]


class TeamReports:
    """Reports on teams."""

    def __init__(self, datastore: Datastore, topology: Topology) -> None:
        self._datastore = datastore
        self._topology = topology

    def teams(self, caller: Caller) -> list[TeamReport]:
        """Return the enabled teams that *caller* may read, by name, each with the agents in it that *caller* may read.

        Takes five queries at most, whatever the number of teams and agents.
        """
        if not caller.may_some(Right.READ, Node.TEAMS):
            return []
        with self._datastore.read() as session:
            teams = session.scalars(select(Team).order_by(Team.name, Team.id)).all()
            readable = readable_teams(session, teams, caller)
            members = self._members(session, teams, caller) if caller.may_some(Right.READ, Node.AGENTS) else {}
        return [
            TeamReport(team.id, team.name, team.description, members.get(team.id, []))
            for team in readable
            if team.enabled
        ]

    def _members(self, session: Session, teams: Sequence[Team], caller: Caller) -> Mapping[UUID, list[Who]]:
        """Return the readable agents of *teams*, by name; agents are looked at one by one, against all rules."""
        teams_of: defaultdict[UUID, set[UUID]] = defaultdict(set)
        for team_id, agent_id in session.execute(select(TeamMember.team_id, TeamMember.agent_id)):
            teams_of[agent_id].add(team_id)
        rules = [(team.id, team_rules.parse(team.rule)) for team in teams if team.enabled and team.rule]
        names = {team.id: team.name for team in teams}
        members: defaultdict[UUID, list[Who]] = defaultdict(list)
        for agent in readable_agents(session, self._topology.agents(session), caller):
            belongs_to = teams_of[agent.id]
            if rules:
                facts = self._topology.facts_of(agent, names)
                belongs_to.update(team_id for team_id, rule in rules if rule.fits(facts))
            who = self._topology.who_of(agent)
            for team_id in belongs_to:
                members[team_id].append(who)
        return members
