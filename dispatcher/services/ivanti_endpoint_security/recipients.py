"""Recipients: the agents and groups that a deployment is for, as its order names them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from dispatcher.core.errors import Forbidden, InvalidValue
from dispatcher.core.jobs import Who, WhoChoice, WhoKind
from dispatcher.core.permissions import Caller, Node, Right
from dispatcher.datastore.found_computers import FOUND_COMPUTERS
from dispatcher.datastore.teams import Team
from dispatcher.services.access import may_who
from dispatcher.services.ivanti_endpoint_security import numbers
from dispatcher.services.ivanti_endpoint_security.orders import DeploymentOrder
from dispatcher.services.portions import portions
from dispatcher.services.topology import Topology

#: How many of those that are wrong are told.
_MOST = 20


def recipients(session: Session, topology: Topology, order: DeploymentOrder, caller: Caller) -> list[WhoChoice]:
    """Return those that *order* is for, each once.

    A number is easily guessed: whoever may not read all groups is refused one that is nobody's in the words for one
    that he may not read, as names are (``services.chosen``). Agents that he may not read are left to the scheduling.

    :raises InvalidValue: if there is no such agent or group; it names them.
    :raises Forbidden: without Read on a group.
    """
    return [*_agents(session, topology, order.agents, caller), *_groups(session, order.groups, caller)]


def _agents(session: Session, topology: Topology, agents: Sequence[UUID], caller: Caller) -> Iterable[WhoChoice]:
    wanted = list(dict.fromkeys(agents))
    present = topology.targets(session, wanted)
    missing = [key for key in wanted if key not in present]
    if missing:
        raise InvalidValue("AgentGuids", _missing(session, missing, caller))
    return [WhoChoice([key], WhoKind.AGENT) for key in wanted]


def _missing(session: Session, missing: Sequence[UUID], caller: Caller) -> str:
    """Return why *missing* are no agents."""
    found: set[UUID] = set()
    if caller.may_all(Right.READ, Node.AGENTS):
        for some in portions(missing):
            found |= set(session.scalars(select(FOUND_COMPUTERS.c.id).where(FOUND_COMPUTERS.c.id.in_(some))))
    unknown = [key for key in missing if key not in found]
    told = [f"there is no agent {_listed(unknown)}"] if unknown else []
    if found:
        told.append(f"no agent is on {_listed([key for key in missing if key in found])}, only found by a discovery")
    return "; ".join(told)


def _groups(session: Session, groups: Sequence[int], caller: Caller) -> Iterable[WhoChoice]:
    caller_may_all = caller.may_all(Right.READ, Node.TEAMS)
    known = numbers.find(session, numbers.GROUP, groups)
    enabled = set(session.scalars(select(Team.id).where(Team.id.in_(known.values()), Team.enabled)))
    wanted = {number: known[number] for number in dict.fromkeys(groups) if known.get(number) in enabled}
    missing = [number for number in dict.fromkeys(groups) if number not in wanted]
    who = [Who(key, "", WhoKind.TEAM) for key in wanted.values()]
    denied = [number for number, may in zip(wanted, may_who(session, Right.READ, who, caller), strict=True) if not may]
    if missing and caller_may_all:
        raise InvalidValue("GroupIds", f"there is no group {_listed(missing)}")
    if missing or denied:
        among = {*missing, *denied}
        first = next(number for number in groups if number in among)
        raise Forbidden(caller.name, "Read", f"{Node.TEAMS.value}/{first}")
    return [WhoChoice([key], WhoKind.TEAM) for key in wanted.values()]


def _listed(keys: Sequence[Any]) -> str:
    rest = len(keys) - _MOST
    return ", ".join(map(str, keys[:_MOST])) + (f" and {rest} more" if rest > 0 else "")
