"""Memberships on the wire: who joins and leaves which team, and which agent goes. Total and pure, as ``translate``.

Nothing public tells these messages (contract section 3.11): whatever names an agent or a team is understood.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from dispatcher.bindings.ivanti_automation import contract
from dispatcher.bindings.ivanti_automation.translate import to_choice
from dispatcher.core.errors import InvalidValue
from dispatcher.core.jobs import WhoChoice, WhoKind
from dispatcher.services.memberships import Change

_REMOVE = contract.TeamChangeAction.members["Remove"]


class MembershipRequest(NamedTuple):
    """Whose memberships change, and how."""

    subject: WhoChoice
    changes: list[Change]


class RemovalRequest(NamedTuple):
    """Which agent goes, and whether its history does."""

    agent: WhoChoice
    with_history: bool


def to_agent_membership(membership: Any) -> MembershipRequest:
    """Return what an ``AgentMembership`` asks for: ``Teams`` in order, then ``RemoveTeams``, then ``AddTeams``.

    :raises InvalidValue: if the agent, a team, or every list is missing.
    """
    if membership is None:
        raise InvalidValue("membership", "is missing")
    return MembershipRequest(
        _subject(membership.Agent, membership.AgentID, WhoKind.AGENT, "Agent"),
        _changes(membership, ("Teams", "RemoveTeams", "AddTeams"), WhoKind.TEAM),
    )


def to_team_membership(membership: Any) -> MembershipRequest:
    """Return what a ``TeamMembership`` asks for: ``Agents`` in order, then ``RemoveAgents``, then ``AddAgents``.

    :raises InvalidValue: if the team, an agent, or every list is missing.
    """
    if membership is None:
        raise InvalidValue("membership", "is missing")
    return MembershipRequest(
        _subject(membership.Team, membership.TeamID, WhoKind.TEAM, "Team"),
        _changes(membership, ("Agents", "RemoveAgents", "AddAgents"), WhoKind.AGENT),
    )


def to_removal(removal: Any) -> RemovalRequest:
    """Return what a ``RemoveAgent`` asks for.

    :raises InvalidValue: if the agent is missing.
    """
    if removal is None:
        raise InvalidValue("removal", "is missing")
    agent = removal.Agent
    if agent is None and not removal.AgentID:
        agent = removal
    choice = _subject(agent, removal.AgentID, WhoKind.AGENT, "Agent")
    return RemovalRequest(choice, bool(removal.RemoveJobHistory))


def _subject(who: Any, identifier: str | None, kind: WhoKind, member: str) -> WhoChoice:
    """Return the choice of *who*, else of the *identifier* alone."""
    if who is None:
        return to_choice(identifier, None, kind, f"{member}/ID")
    return to_choice(who.ID, who.Name, kind, f"{member}/ID")


def _changes(membership: Any, members: Sequence[str], kind: WhoKind) -> list[Change]:
    """Return the changes in the lists *members*: of ``TeamChange``, of those that leave, of those that join."""
    lists = [getattr(membership, member) for member in members]
    if all(given is None for given in lists):
        raise InvalidValue(f"membership/{members[0]}", "is missing")
    detailed, leaving, joining = (list(_placed(given, member)) for given, member in zip(lists, members, strict=True))
    return [
        *(_change(one, member, kind) for one, member in detailed),
        *(Change(to_choice(one, None, kind, member), member, joins=False) for one, member in leaving),
        *(Change(to_choice(one, None, kind, member), member) for one, member in joining),
    ]


def _change(change: Any, member: str, kind: WhoKind) -> Change:
    joins = change.Action != _REMOVE
    other = to_choice(change.ID, change.Name, kind, f"{member}/ID")
    return Change(other, f"{member}/ID", joins=joins, as_primary=joins and bool(change.SetAsPrimary))


def _placed(wire_list: Iterable[Any] | None, member: str) -> Iterable[tuple[Any, str]]:
    """Return the items of a list that may be missing, each with what errors call it."""
    return [(item, f"{member}[{place}]") for place, item in enumerate(wire_list or ()) if item is not None]
