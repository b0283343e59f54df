"""Topology: agents and teams, who belongs where, and who is meant by a caller's choice."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple, cast
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from dispatcher.core import team_rules
from dispatcher.core.console import By
from dispatcher.core.errors import InvalidValue
from dispatcher.core.jobs import Who, WhoChoice, WhoKind
from dispatcher.core.permissions import Caller, Node, Right
from dispatcher.core.ports import Ports
from dispatcher.core.spelling import name_key
from dispatcher.datastore import revisions
from dispatcher.datastore.agents import Agent
from dispatcher.datastore.naming import stored_key
from dispatcher.datastore.teams import Team, TeamMember
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.access import readable_agents, readable_teams
from dispatcher.services.console_users import agents_of
from dispatcher.services.lasting import Lasting

_AGENTS: Any = Agent.__table__
#: The members of ``Target``, in their order.
_TARGETS = (
    select(
        _AGENTS.c.id,
        _AGENTS.c.name,
        _AGENTS.c.os,
        _AGENTS.c.time_zone,
        func.coalesce(_AGENTS.c.launch_window, Team.launch_window),
        _AGENTS.c.number,
        _AGENTS.c.enrolled_at.is_not(None),
        _AGENTS.c.gateway_id,
        _AGENTS.c.primary_team_id,
        _AGENTS.c.address,
    )
    .outerjoin(Team, Team.id == _AGENTS.c.primary_team_id)
    .where(_AGENTS.c.removed_at.is_(None))
)
#: Of thousands of agents rows cost a third of what objects do.
_LISTED = (
    select(
        *(_AGENTS.c[name] for name in ("id", "name", "os", "address", "facts", "primary_team_id", "licensed")),
        *(_AGENTS.c[name] for name in ("online", "last_contact", "console_user", "last_console_user")),
    )
    .where(_AGENTS.c.removed_at.is_(None))
    .order_by(_AGENTS.c.name, _AGENTS.c.id)
)
#: An agent that has been silent for longer is shown as offline, whatever it said last.
ONLINE_FOR = timedelta(seconds=90)


@dataclass(frozen=True, slots=True)
class Target:
    """An agent that a job is meant for. Targets are shared: they are kept until the topology changes."""

    id: UUID
    name: str
    os: str
    time_zone: str = ""  #: an IANA name, as the agent says; empty if it does not know
    launch_window: str | None = None  #: its own, else that of its primary team
    number: int = 0
    is_enrolled: bool = True  #: it has agent software of its own
    gateway_id: UUID | None = None  #: who works for it if it has not, where that is said
    primary_team_id: UUID | None = None
    address: str = ""  #: as it was when the topology changed last
    worker_id: UUID | None = None  #: of a certain run: who works for it, if another one does


@dataclass(slots=True)
class _Kept:
    """What was found at one revision of the topology."""

    resolved: dict[tuple[WhoKind, UUID | str], Who] = field(default_factory=dict)
    keyed: dict[tuple[WhoKind, str], Who] = field(default_factory=dict)  #: by ``name_key``, those that alone have it
    targets: dict[UUID, Target] = field(default_factory=dict)


class _Found(NamedTuple):
    """Those that an id or a name fits; by a name that is spelled in another way if not *exact*."""

    matches: Sequence[Who] = ()
    exact: bool = False
    identifier: UUID | str = ""


class Topology:
    """Lists agents and teams, and finds the agents that a job is meant for. May be used by many threads."""

    def __init__(self, datastore: Datastore, ports: Ports) -> None:
        self._datastore = datastore
        self._ports = ports
        self._kept = Lasting(_Kept, revisions.TOPOLOGY)

    def who(self, agents: bool, teams: bool, online: bool, licensed: bool, search: str, caller: Caller) -> list[Who]:
        """Return agents, then teams, each sorted by name, that *caller* may read.

        *search* is a part of the name, without regard to case; ``*`` and ``?`` in it are wildcards. *online* and
        *licensed* leave out other agents; they do not touch teams.
        """
        found: list[Who] = []
        with self._datastore.read() as session:
            if agents and caller.may_some(Right.READ, Node.AGENTS):
                found += [self.who_of(agent) for agent in readable_agents(session, self.agents(session), caller)]
            if teams and caller.may_some(Right.READ, Node.TEAMS):
                enabled = session.scalars(select(Team).where(Team.enabled).order_by(Team.name, Team.id)).all()
                found += [Who(row.id, row.name, WhoKind.TEAM) for row in readable_teams(session, enabled, caller)]
        fits = _search(search)
        return [
            who
            for who in found
            if fits(who.name)
            and (who.kind is WhoKind.TEAM or ((who.is_online or not online) and (who.is_licensed or not licensed)))
        ]

    def agents(self, session: Session) -> Iterable[Agent]:
        """Return all agents, by name: rows with those members of an ``Agent`` that lists and rules look at."""
        return cast("Iterable[Agent]", session.connection().execute(_LISTED))

    def resolve(self, session: Session, choices: Sequence[WhoChoice]) -> list[Who]:
        """Return the agents and teams that *choices* name, in order: an id first, else a name.

        A name is spelled exactly, else its letters may have another case, and blanks stand around it.

        :raises InvalidValue: if one names nothing, or a name that several agents share.
        """
        return [self.resolve_one(session, choice, f"Who[{place}]/ID") for place, choice in enumerate(choices)]

    def resolve_name(self, session: Session, text: str, member: str) -> Who:
        """Return the agent, else the team, whose id or name is *text*; *member* is named in errors.

        Both are looked for by the exact name before another spelling counts.

        :raises InvalidValue: if there is none, or several agents of that name.
        """
        key = _to_id(text)
        identifiers: list[UUID | str] = [text] if key is None else [key, text]
        agents = self._find(session, WhoKind.AGENT, identifiers)
        teams = _Found() if agents.exact else self._find(session, WhoKind.TEAM, identifiers)
        if agents.exact or (agents.matches and not teams.exact):
            return _only(agents, WhoChoice(identifiers, WhoKind.AGENT), member)
        return _only(teams, WhoChoice(identifiers, WhoKind.TEAM), member)

    def resolve_names(self, session: Session, text: str, member: str, by: By = By.COMPUTER) -> list[Who]:
        """Return the agents and teams that *text* lists, joined by ``;``, in order; none if it is empty.

        Unless *by* computer it is one user, and stands for the agents of that; an id still names an agent.

        :raises InvalidValue: as ``resolve_name``, for the first of them that is wrong; if the user has no agent.
        """
        user = text.strip()
        if by is not By.COMPUTER and user and _to_id(user) is None:
            found = agents_of(session, user, by)
            if not found:
                noun = "console user" if by is By.CONSOLE_USER else "last console user"
                raise _Unknown(member, f"no agent whose {noun} is {user!r}")
            return found
        return [self.resolve_name(session, name, member) for part in text.split(";") if (name := part.strip())]

    def targets_of(self, session: Session, chosen: Sequence[Who]) -> list[Target]:
        """Return the agents of *chosen*, each once, by name: those named and the present members of the teams."""
        agent_ids = {who.id for who in chosen if who.kind is WhoKind.AGENT}
        team_ids = [who.id for who in chosen if who.kind is WhoKind.TEAM]
        if team_ids:
            agent_ids |= self._members(session, team_ids)
        return sorted(self.targets(session, agent_ids).values(), key=lambda target: (target.name, target.id))

    def teams_of(self, session: Session, agent_id: UUID, team_ids: Collection[UUID]) -> set[UUID]:
        """Return those of *team_ids* that the agent is a member of now: listed there, or fit for their rules."""
        if not team_ids:
            return set()
        listed = select(TeamMember.team_id).where(TeamMember.agent_id == agent_id, TeamMember.team_id.in_(team_ids))
        found = set(session.scalars(listed))
        with_rules = select(Team.id, Team.rule).where(Team.id.in_(set(team_ids) - found), Team.rule.is_not(None))
        rules = {row.id: team_rules.parse(row.rule) for row in session.execute(with_rules) if row.rule}
        agent = session.scalar(select(Agent).where(Agent.id == agent_id)) if rules else None
        if agent is not None:
            primary = select(Team.id, Team.name).where(Team.id == agent.primary_team_id)
            facts = self.facts_of(agent, {row.id: row.name for row in session.execute(primary)})
            found |= {team_id for team_id, rule in rules.items() if rule.fits(facts)}
        return found

    def targets(self, session: Session, agent_ids: Collection[UUID]) -> dict[UUID, Target]:
        """Return those of *agent_ids* that there are, by their ids."""
        kept = self._kept.of(session)
        found = {agent_id: target for agent_id in agent_ids if (target := kept.targets.get(agent_id))}
        if len(found) == len(agent_ids):
            return found
        unknown = [agent_id for agent_id in agent_ids if agent_id not in found]
        for start in range(0, len(unknown), 1_000):
            rows = session.execute(_TARGETS.where(_AGENTS.c.id.in_(unknown[start : start + 1_000]))).tuples().all()
            kept.targets.update((row[0], Target(*row)) for row in rows)
            # Whoever names hundreds of them by their ids does not look for each.
            kept.resolved.update(((WhoKind.AGENT, row[0]), Who(row[0], row[1], WhoKind.AGENT)) for row in rows)
        return {agent_id: kept.targets[agent_id] for agent_id in agent_ids if agent_id in kept.targets}

    def _members(self, session: Session, team_ids: Sequence[UUID]) -> set[UUID]:
        members = set(session.scalars(select(TeamMember.agent_id).where(TeamMember.team_id.in_(team_ids))))
        texts = session.scalars(select(Team.rule).where(Team.id.in_(team_ids), Team.rule.is_not(None)))
        rules = [team_rules.parse(text) for text in texts if text]
        if rules:
            primary_teams = {row.id: row.name for row in session.execute(select(Team.id, Team.name))}
            for agent in self.agents(session):
                facts = self.facts_of(agent, primary_teams)
                if any(rule.fits(facts) for rule in rules):
                    members.add(agent.id)
        return members

    def facts_of(self, agent: Agent, team_names: Mapping[UUID, str]) -> dict[str, str | bool]:
        """Return what team rules may ask about the agent; *team_names* has at least that of its primary team."""
        primary = team_names.get(agent.primary_team_id, "") if agent.primary_team_id else ""
        facts: dict[str, str | bool] = {f"fact.{name}": str(value) for name, value in agent.facts.items()}
        facts |= {
            "name": agent.name,
            "os": agent.os,
            "address": agent.address,
            "online": is_online(agent, self._ports.now()),
            "primary_team": primary,
            "console_user": agent.console_user,
            "last_console_user": agent.last_console_user,
        }
        return facts

    def resolve_one(self, session: Session, choice: WhoChoice, member: str) -> Who:
        """Return the agent or team that *choice* names: by an id first, else by a name; *member* is named in errors.

        :raises InvalidValue: if it names nothing, or a name that several agents share.
        """
        return _only(self._find(session, choice.kind, choice.identifiers), choice, member)

    def _find(self, session: Session, kind: WhoKind, identifiers: Sequence[UUID | str]) -> _Found:
        """Return what the first of *identifiers* fits exactly, else what the first fits in another spelling."""
        loose = _Found()
        for identifier in identifiers:
            found = self._find_one(session, kind, identifier)
            if found.exact:
                return found
            loose = loose if loose.matches else found
        return loose

    def _find_one(self, session: Session, kind: WhoKind, identifier: UUID | str) -> _Found:
        kept = self._kept.of(session)
        known = kept.resolved.get((kind, identifier))
        if known is not None:
            return _Found([known], True, identifier)
        key = name_key(identifier) if isinstance(identifier, str) else ""
        known = kept.keyed.get((kind, key))
        if known is not None:
            return _Found([known], False, identifier)
        # Without the flags: they change from moment to moment, and nobody resolves to read them.
        found = [Who(row.id, row.name, kind) for row in session.execute(_named(kind, identifier))]
        if isinstance(identifier, str):
            # MariaDB finds others, too, that differ in accents, and of a long name the key is cut off.
            found = [who for who in found if name_key(who.name) == key]
            if len(found) == 1 and found[0].name != identifier:
                kept.keyed[kind, key] = found[0]
        exact = [who for who in found if identifier in (who.id, who.name)]
        if len(exact) == 1:
            kept.resolved[kind, identifier] = exact[0]
        return _Found(exact or found, bool(exact), identifier)

    def who_of(self, agent: Agent) -> Who:
        """Return the agent as lists show it."""
        return Who(agent.id, agent.name, WhoKind.AGENT, is_online(agent, self._ports.now()), agent.licensed)


class _Unknown(InvalidValue):
    """Nothing has this id or name."""


def _only(found: _Found, choice: WhoChoice, member: str) -> Who:
    """Return the one that *found* holds.

    :raises InvalidValue: if there is none, or more than one.
    """
    if len(found.matches) == 1:
        return found.matches[0]
    noun = choice.kind.name.lower()
    if found.matches:
        raise InvalidValue(member, f"the name {found.identifier!r} fits several {noun}s: use the id")
    raise _Unknown(member, f"no {noun} {' or '.join(map(str, choice.identifiers)) or '(empty)'}")


def _named(kind: WhoKind, identifier: UUID | str) -> Select[tuple[UUID, str]]:
    model: type[Agent] | type[Team] = Agent if kind is WhoKind.AGENT else Team
    fits = model.id == identifier if isinstance(identifier, UUID) else model.name_key == stored_key(identifier)
    query = select(model.id, model.name).where(fits)
    return query if kind is WhoKind.TEAM else query.where(Agent.removed_at.is_(None))


def is_online(agent: Agent, now: datetime) -> bool:
    """Whether *agent* is connected, as far as anybody can know *now*."""
    return agent.online and agent.last_contact is not None and now - agent.last_contact <= ONLINE_FOR


def _to_id(text: str) -> UUID | None:
    with suppress(ValueError):  # what is no id is a name
        return UUID(text.strip("{} "))
    return None


def _search(text: str) -> Callable[[str], bool]:
    wanted = text.strip().casefold()
    if "*" in wanted or "?" in wanted:
        return lambda name: fnmatch.fnmatchcase(name.casefold(), wanted)
    return lambda name: wanted in name.casefold()
