"""Agent policies: what users of computers may do about notices, where a deployment leaves that to the agent's policy.

A policy is for the agents of a group; one without a group is for all. Of several the one of a group counts, and of
those the first by name. An agent without one has the defaults of the vendor's wizard.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from sqlalchemy import select
from sqlalchemy.orm import Session

from dispatcher.core.jobs import Who, WhoKind
from dispatcher.core.permissions import Caller, Node, Right
from dispatcher.datastore.ivanti_endpoint_security import IES_AGENT_POLICIES
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.access import may_who
from dispatcher.services.ivanti_endpoint_security.numbers import GROUP, numbers_of
from dispatcher.services.ivanti_endpoint_security.orders import NoticeWish
from dispatcher.services.topology import Topology
from dispatcher.tasks.notices.order import NoticeOrder

_POLICIES = select(IES_AGENT_POLICIES.c.name, IES_AGENT_POLICIES.c.document, IES_AGENT_POLICIES.c.team_id).order_by(
    IES_AGENT_POLICIES.c.name
)
_FLAGS = {"allow_cancel": "cancel_by_policy", "allow_snooze": "snooze_by_policy", "on_top": "on_top_by_policy"}


class Policy(BaseModel):
    """What a policy says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    allow_cancel: bool = False
    allow_snooze: bool = True
    on_top: bool = True

    def applied_to(self, wish: NoticeWish) -> NoticeOrder:
        """Return the notice of *wish*, with what that leaves to the policy."""
        decides = {
            name for name, flag in _FLAGS.items() if wish.by_policy or (getattr(wish, flag) and name not in wish.own)
        }
        return wish.notice.model_copy(update={name: getattr(self, name) for name in decides})


@dataclass(frozen=True, slots=True)
class NamedPolicy:
    """A policy; ``group`` is by what clients know the team that it is for, None if it is for all agents."""

    name: str
    group: int | None
    policy: Policy


class Policies:
    """Finds policies."""

    def __init__(self, datastore: Datastore, topology: Topology) -> None:
        self._datastore = datastore
        self._topology = topology

    def all(self, caller: Caller) -> list[NamedPolicy]:
        """Return the policies whose groups *caller* may read, by name; none of a group that has no number."""
        caller.require_some(Right.READ, Node.TEAMS)
        with self._datastore.read() as session:
            rows = session.execute(_POLICIES).all()
            teams = [Who(row.team_id, "", WhoKind.TEAM) for row in rows if row.team_id is not None]
            may = dict(zip((one.id for one in teams), may_who(session, Right.READ, teams, caller), strict=True))
            numbers = numbers_of(session, GROUP)
        return [
            NamedPolicy(row.name, numbers.get(row.team_id), Policy.model_validate(row.document))
            for row in rows
            if row.team_id is None or (may[row.team_id] and row.team_id in numbers)
        ]

    def of_agents(self, session: Session, agent_ids: Collection[UUID]) -> Mapping[UUID, Policy]:
        """Return the policy of each of the agents."""
        rows = session.execute(_POLICIES).all()
        general = next((Policy.model_validate(row.document) for row in rows if row.team_id is None), Policy())
        found = dict.fromkeys(agent_ids, general)
        # The first one by name is put there last.
        for row in reversed([row for row in rows if row.team_id is not None]):
            members = self._members(session, row.team_id)
            found |= {key: Policy.model_validate(row.document) for key in members.intersection(found)}
        return found

    def _members(self, session: Session, team_id: UUID) -> set[UUID]:
        return {target.id for target in self._topology.targets_of(session, [Who(team_id, "", WhoKind.TEAM)])}
