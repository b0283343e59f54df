"""Gateways: agents that work for computers which have no agent software of their own, such as switches.

A run for such a computer is done by its gateway if all that it does is done over the network anyway. That is the agent
that the library names; else one of the agents of its primary team: of those that are online, always the same one while
they are the same ones, so that what it knows of the computer (its host key) is of use. Those that only the rule of the
team makes its members do not count: a gateway is lent the accounts of its devices, and rules go by what agents say.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, or_, select
from sqlalchemy.orm import Session

from dispatcher.datastore.agents import AGENTS
from dispatcher.datastore.teams import TeamMember
from dispatcher.services.placing import Placing
from dispatcher.services.plans import Plans
from dispatcher.services.topology import Target, Topology

_LISTED = select(TeamMember.agent_id).where(TeamMember.team_id == bindparam("team"))
#: The agents with software of their own that somebody has put into a team.
_MEMBERS = select(AGENTS.c.id).where(
    AGENTS.c.enrolled_at.is_not(None),
    AGENTS.c.removed_at.is_(None),
    or_(AGENTS.c.primary_team_id == bindparam("team"), AGENTS.c.id.in_(_LISTED)),
)


class Gateways:
    """Finds gateways. Nothing is stored here."""

    def __init__(self, plans: Plans, topology: Topology, placing: Placing) -> None:
        self._plans = plans
        self._topology = topology
        self._placing = placing

    def devices(
        self, session: Session, what: Sequence[Mapping[str, Any]], targets: Sequence[Target]
    ) -> Sequence[Target]:
        """Return those of *targets* that somebody else may do *what* for: none if it must be done on the spot."""
        devices = [target for target in targets if not target.is_enrolled]
        return devices if devices and self._plans.is_remote(session, what) else []

    def workers(
        self, session: Session, what: Sequence[Mapping[str, Any]], devices: Collection[Target]
    ) -> dict[UUID, Target | None]:
        """Return who works for *devices* (see above), by their ids; None where nobody can.

        If they could do *what* themselves once they have an agent, those are left out that nobody works for.
        """
        found = self.choose(session, devices)
        if self._plans.can_wait(session, what):
            return {device_id: worker for device_id, worker in found.items() if worker is not None}
        return found

    def choose(self, session: Session, devices: Collection[Target]) -> dict[UUID, Target | None]:
        """Return who works for *devices* now, by their ids; None where nobody can."""
        teams = {device.primary_team_id for device in devices if device.gateway_id is None}
        members = {team_id: self._members(session, team_id) for team_id in teams}
        return {device.id: self._worker(session, device, members) for device in devices}

    def _worker(
        self, session: Session, device: Target, members: Mapping[UUID | None, Sequence[Target]]
    ) -> Target | None:
        if device.gateway_id is not None:
            named = self._topology.targets(session, [device.gateway_id]).get(device.gateway_id)
            return named if named is not None and named.is_enrolled else None
        candidates = members[device.primary_team_id]
        return candidates[device.number % len(candidates)] if candidates else None

    def _members(self, session: Session, team_id: UUID | None) -> Sequence[Target]:
        """Return the agents of the team that are online, else all of them, by name; no team has none."""
        if team_id is None:
            return []
        found = self._topology.targets(session, session.scalars(_MEMBERS, {"team": team_id}).all())
        members = sorted(found.values(), key=lambda target: (target.name, target.id))
        offline = self._placing.offline(session, [*found])
        return [target for target in members if target.id not in offline] or members
