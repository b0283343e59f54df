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
from dispatcher.wire.guids import NO_GUID, find_guid

_NOBODY = find_guid(NO_GUID)
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

    :raises InvalidValue: if the agent, a team, or every list is missing, or several agents are given.
    """
    if membership is None:
        raise InvalidValue("membership", "is missing")
    return MembershipRequest(
        _subject(membership.Agent, membership.AgentID, WhoKind.AGENT, "Agent"),
        _changes(membership, ("Teams", "RemoveTeams", "AddTeams"), WhoKind.TEAM),
    )


def to_team_membership(membership: Any) -> MembershipRequest:
    """Return what a ``TeamMembership`` asks for: ``Agents`` in order, then ``RemoveAgents``, then ``AddAgents``.

    :raises InvalidValue: if the team, an agent, or every list is missing, or several teams are given.
    """
    if membership is None:
        raise InvalidValue("membership", "is missing")
    return MembershipRequest(
        _subject(membership.Team, membership.TeamID, WhoKind.TEAM, "Team"),
        _changes(membership, ("Agents", "RemoveAgents", "AddAgents"), WhoKind.AGENT),
    )


def to_removal(removal: Any) -> RemovalRequest:
    """Return what a ``RemoveAgent`` asks for.

    :raises InvalidValue: if the agent is missing, is given as a team, or is several ones.
    """
    if removal is None:
        raise InvalidValue("removal", "is missing")
    if removal.Agent is not None and removal.Agent.Type == WhoKind.TEAM:
        raise InvalidValue("Agent/Type", "is a team: only agents are removed")
    choice = _subject(removal.Agent, removal.AgentID, WhoKind.AGENT, "Agent", others=[(removal.ID, removal.Name)])
    return RemovalRequest(choice, bool(removal.RemoveJobHistory))


def _subject(
    who: Any, identifier: str | None, kind: WhoKind, member: str, others: Sequence[tuple[str | None, str | None]] = ()
) -> WhoChoice:
    """Return the one choice that *who*, *identifier* and *others* (IDs and names) make; an empty *who* makes none.

    :raises InvalidValue: if there is none, or they differ; IDs are compared if there are any, else names.
    """
    given = [(identifier, None), *others] if who is None else [(who.ID, who.Name), (identifier, None), *others]
    for texts in zip(*given, strict=True):
        choices = [to_choice(text, None, kind, f"{member}/ID") for text in texts if _is_given(text)]
        if any(choice != choices[0] for choice in choices):
            raise InvalidValue(f"{member}/ID", f"several {kind.name.lower()}s are given")
        if choices:
            return choices[0]
    raise InvalidValue(f"{member}/ID", "is missing")


def _choice(identifier: str | None, name: str | None, kind: WhoKind, member: str) -> WhoChoice:
    """Return the choice by the *identifier* alone if there is one.

    Not also by *name*, as where jobs are submitted: sent again, the request would reach another of that name.
    """
    return to_choice(identifier, None, kind, member) if _is_given(identifier) else to_choice(name, None, kind, member)


def _is_given(text: str | None) -> bool:
    return text is not None and bool(text.strip()) and find_guid(text) != _NOBODY


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
    other = _choice(change.ID, change.Name, kind, f"{member}/ID")
    return Change(other, f"{member}/ID", joins=joins, as_primary=joins and bool(change.SetAsPrimary))


def _placed(wire_list: Iterable[Any] | None, member: str) -> Iterable[tuple[Any, str]]:
    """Return the items of a list that may be missing, each with what errors call it."""
    return [(item, f"{member}[{place}]") for place, item in enumerate(wire_list or ()) if item is not None]
