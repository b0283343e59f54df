"""Memberships: which agents are listed in which teams, and which team is an agent's primary one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.orm import Session

from dispatcher.core import team_rules
from dispatcher.core.errors import AgentNotFound, Conflict, InvalidValue
from dispatcher.core.jobs import Who, WhoChoice, WhoKind
from dispatcher.core.permissions import Caller, Node, Right
from dispatcher.core.ports import Ports
from dispatcher.datastore import revisions
from dispatcher.datastore.agents import Agent
from dispatcher.datastore.inserting import insert_if_missing
from dispatcher.datastore.teams import Team, TeamMember
from dispatcher.datastore.transactions import Datastore
from dispatcher.services import audit, holds
from dispatcher.services.audit import Subject
from dispatcher.services.chosen import chosen
from dispatcher.services.topology import Topology

log = structlog.get_logger(__name__)

#: How many memberships one request may change.
MAX_CHANGES = 1_000
#: How many of those that a request has changed the log names.
_MOST_LOGGED = 20

_MEMBERS: Any = TeamMember.__table__
_LEAVE = delete(_MEMBERS).where(_MEMBERS.c.agent_id == bindparam("agent"), _MEMBERS.c.team_id == bindparam("team"))


class HeldByRule(Conflict):
    """An agent that a team's rule fits cannot be taken out of the team."""

    code = "team.held_by_rule"

    def __init__(self, agent: str, team: str) -> None:
        super().__init__(f"agent {agent} belongs to team {team} by the team's rule", agent=agent, team=team)


@dataclass(frozen=True, slots=True)
class Change:
    """An agent and a team come together, or part. ``other`` is the one of them that the request is not about.

    ``member`` is what errors call it. ``as_primary`` makes the team the agent's primary one; it needs ``joins``.
    """

    other: WhoChoice
    member: str
    joins: bool = True
    as_primary: bool = False


class Memberships:
    """Changes who is listed in which team."""

    def __init__(self, datastore: Datastore, ports: Ports, topology: Topology) -> None:
        self._datastore = datastore
        self._ports = ports
        self._topology = topology

    def change(self, subject: WhoChoice, changes: Sequence[Change], caller: Caller) -> list[Who]:
        """Let the agent *subject* join and leave teams, or agents join and leave the team *subject*; all, or nothing.

        The changes are made in order: the last team that is to be the primary one is. Who is a member already does
        not join, and who is none does not leave; the primary team that an agent leaves is its primary one no more.
        Return the others whose membership, or primary team, has changed, in order, each once.

        :raises InvalidValue: if something named is not there, or there are more than ``MAX_CHANGES`` changes.
        :raises HeldByRule: if an agent is to leave a team whose rule it fits.
        :raises Forbidden: without Modify on every agent and team named.
        """
        for node in (Node.TEAMS, Node.AGENTS):
            caller.require_some(Right.MODIFY, node)
        if len(changes) > MAX_CHANGES:
            raise InvalidValue(changes[0].member, f"more than {MAX_CHANGES} changes in one request")
        with self._datastore.read() as session:
            choices = [(subject, f"{subject.kind.name.capitalize()}/ID")]
            choices += [(change.other, change.member) for change in changes]
            one, *others = chosen(session, self._topology, Right.MODIFY, choices, caller)
        with self._datastore.begin() as session:
            pairs = [_pair(one, other) for other in others]
            roll = self._read(session, pairs)
            changed = {
                other.id: self._topology.who_of(roll.agents[other.id]) if other.kind is WhoKind.AGENT else other
                for change, other, pair in zip(changes, others, pairs, strict=True)
                if roll.apply(change, *pair)
            }
            if changed:
                self._store(session, roll, caller)
        if changed:
            log.info(
                "memberships.changed",
                by=caller.name,
                joined=len(roll.joined),
                left=len(roll.left),
                moved=len(roll.moved),
                of=str(one.id),
                others=[str(other_id) for other_id in changed][:_MOST_LOGGED],
            )
        return list(changed.values())

    def take_out(self, team: WhoChoice, agents: Sequence[WhoChoice], caller: Caller) -> None:
        """Let *agents* leave *team*, all named by their ids, as ``change`` does, with no statement for each of them.

        Whoever calls this has checked the caller's rights, and takes ``MAX_CHANGES`` of them at most.

        :raises AgentNotFound: if one is not there.
        :raises HeldByRule: if one fits the team's rule.
        """
        (team_id,) = (key for key in team.identifiers if isinstance(key, UUID))
        pairs = [(key, team_id) for agent in agents for key in agent.identifiers if isinstance(key, UUID)]
        with self._datastore.begin() as session:
            roll = self._read(session, pairs)
            left = [roll.apply(Change(team, "team", joins=False), *pair) for pair in pairs]
            if any(left):
                self._store(session, roll, caller)
        log.info("memberships.changed", by=caller.name, left=sum(left), of=str(team_id))

    def _read(self, session: Session, pairs: Sequence[tuple[UUID, UUID]]) -> _Roll:
        """Return how the agents and teams of *pairs* stand to each other; the agents are locked."""
        agent_ids, team_ids = {agent for agent, _ in pairs}, {team for _, team in pairs}
        present = select(Agent).where(Agent.id.in_(agent_ids), Agent.removed_at.is_(None))
        locked = present.order_by(Agent.id).with_for_update(key_share=True)
        agents = {agent.id: agent for agent in session.scalars(locked)}
        for agent_id in agent_ids - agents.keys():
            raise AgentNotFound(agent_id)  # it has been removed meanwhile
        teams = {team.id: team for team in session.scalars(select(Team).where(Team.id.in_(team_ids)))}
        listed = select(_MEMBERS.c.agent_id, _MEMBERS.c.team_id).where(
            _MEMBERS.c.agent_id.in_(agent_ids), _MEMBERS.c.team_id.in_(team_ids)
        )
        return _Roll(
            agents=agents,
            teams=teams,
            listed=set(session.execute(listed).tuples()),
            by_rule=self._by_rule(session, agents, teams),
        )

    def _by_rule(
        self, session: Session, agents: Mapping[UUID, Agent], teams: Mapping[UUID, Team]
    ) -> set[tuple[UUID, UUID]]:
        rules = [(team.id, team_rules.parse(team.rule)) for team in teams.values() if team.rule]
        if not rules:
            return set()
        names = {row.id: row.name for row in session.execute(select(Team.id, Team.name))}
        facts = {agent.id: self._topology.facts_of(agent, names) for agent in agents.values()}
        return {(agent_id, team_id) for agent_id in agents for team_id, rule in rules if rule.fits(facts[agent_id])}

    def _store(self, session: Session, roll: _Roll, caller: Caller) -> None:
        """Store what has changed in *roll*."""
        now = self._ports.now()
        self._record(session, roll, now, caller)
        for agent_id, team_id in sorted(roll.joined):
            insert_if_missing(session, _MEMBERS, {"agent_id": agent_id, "team_id": team_id})
        if roll.left:
            gone = [{"agent": agent_id, "team": team_id} for agent_id, team_id in sorted(roll.left)]
            session.connection().execute(_LEAVE, gone)
        if teams := {team_id for _, team_id in roll.joined | roll.left}:
            noted = update(Team).where(Team.id.in_(teams)).values(updated_at=now, updated_by=caller.name)
            session.execute(noted, execution_options={"synchronize_session": False})
        if roll.moved:
            for agent_id in roll.moved:
                roll.agents[agent_id].updated_at, roll.agents[agent_id].updated_by = now, caller.name
            session.flush()
            # Launch windows are the primary team's.
            holds.look_again(session, now, select(Agent.id).where(Agent.id.in_(roll.moved)))
        revisions.bump(session, revisions.TOPOLOGY)

    def _record(self, session: Session, roll: _Roll, now: datetime, caller: Caller) -> None:
        """Note for the audit, agent by agent, which teams it has left and joined, and its primary one."""
        left, joined = _by_agent(roll.left), _by_agent(roll.joined)
        # Also those primary teams that the request does not name.
        primary_teams = {*roll.were.values(), *(agent.primary_team_id for agent in roll.agents.values())} - {None}
        others = select(Team.id, Team.name).where(Team.id.in_(primary_teams))
        names = {team.id: team.name for team in roll.teams.values()} | dict(session.execute(others).tuples().all())
        changes = []
        for agent_id in sorted({*left, *joined, *roll.moved}):
            agent = roll.agents[agent_id]
            old, new = (
                {
                    "teams": [audit.named(names[key], key) for key in teams.get(agent_id, ())],
                    "primary_team": primary and audit.named(names[primary], primary),
                }
                for teams, primary in ((left, roll.were.get(agent_id)), (joined, agent.primary_team_id))
            )
            if agent_id not in roll.moved:
                old["primary_team"] = new["primary_team"]
            subject = Subject("agent", agent.name, agent_id)
            changes.append(audit.Change("agent.teams", subject, old, new))
        audit.record_all(session, now, caller, changes)


@dataclass(slots=True)
class _Roll:
    """Agents and teams, which of the agents are in which of the teams, and what has changed of that.

    Pairs are of an agent and a team; ``moved`` are the agents that have another primary team now.
    """

    agents: Mapping[UUID, Agent]
    teams: Mapping[UUID, Team]
    listed: set[tuple[UUID, UUID]]
    by_rule: set[tuple[UUID, UUID]]
    joined: set[tuple[UUID, UUID]] = field(default_factory=set)
    left: set[tuple[UUID, UUID]] = field(default_factory=set)
    moved: set[UUID] = field(default_factory=set)
    were: dict[UUID, UUID | None] = field(default_factory=dict)  #: the primary teams that those had

    def apply(self, change: Change, agent_id: UUID, team_id: UUID) -> bool:
        """Make *change*; return whether anything is different by that.

        :raises HeldByRule: if the agent is to leave a team whose rule it fits.
        """
        agent, pair = self.agents[agent_id], (agent_id, team_id)
        if change.joins:
            return self._join(pair) | (change.as_primary and self._move(agent, team_id))
        if pair in self.by_rule:
            raise HeldByRule(agent.name, self.teams[team_id].name)
        if pair not in self.listed:
            return False
        self.listed.discard(pair)
        _note(pair, self.left, self.joined)
        if agent.primary_team_id == team_id:
            self._move(agent, None)
        return True

    def _join(self, pair: tuple[UUID, UUID]) -> bool:
        if pair in self.listed or pair in self.by_rule:
            return False
        self.listed.add(pair)
        _note(pair, self.joined, self.left)
        return True

    def _move(self, agent: Agent, team_id: UUID | None) -> bool:
        if agent.primary_team_id == team_id:
            return False
        self.were.setdefault(agent.id, agent.primary_team_id)
        agent.primary_team_id = team_id
        self.moved.add(agent.id)
        return True


def _note(pair: tuple[UUID, UUID], done: set[tuple[UUID, UUID]], undone: set[tuple[UUID, UUID]]) -> None:
    """Note *pair* in *done*, unless that only takes back what is noted in *undone*."""
    if pair in undone:
        undone.discard(pair)
    else:
        done.add(pair)


def _by_agent(pairs: set[tuple[UUID, UUID]]) -> Mapping[UUID, list[UUID]]:
    """Return the teams of each agent in *pairs*, in order."""
    teams: defaultdict[UUID, list[UUID]] = defaultdict(list)
    for agent_id, team_id in sorted(pairs):
        teams[agent_id].append(team_id)
    return teams


def _pair(one: Who, other: Who) -> tuple[UUID, UUID]:
    return (one.id, other.id) if one.kind is WhoKind.AGENT else (other.id, one.id)
