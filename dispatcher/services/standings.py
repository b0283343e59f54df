"""Standing: what has become of the runs that agents hold, for many agents by a few statements."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, bindparam, exists, select, update
from sqlalchemy.orm import Session

from dispatcher.core.states import FINISHED, State
from dispatcher.datastore.agents import Agent
from dispatcher.datastore.runs import RUNS

#: The runs that an agent says it holds: run id and fence each.
Held = Sequence[tuple[UUID, int]]


@dataclass(slots=True)
class Standing:
    """What an agent must know of the runs it holds."""

    aborts: list[UUID]
    lost: list[UUID]
    is_unserved: bool = False  #: somebody else has locked the agent, so nothing could be lent: it shall ask again


_OF_AGENTS = RUNS.c.agent_id.in_(bindparam("agents", expanding=True))
_ABORTING = select(RUNS.c.agent_id, RUNS.c.id).where(_OF_AGENTS, RUNS.c.state == State.ABORTING)
#: Runs that their agents may have to hear of. The states by themselves: the index has them, and an agent may have any
#: number of finished runs.
UNSETTLED = RUNS.c.state.in_((State.PENDING, State.ABORTING))
#: By agents, not by runs: thousands of runs may wait for an agent, and one of them says it all.
_NOT_IDLE = select(Agent.id).where(
    Agent.id.in_(bindparam("agents", expanding=True)),
    exists().where(RUNS.c.agent_id == Agent.id, UNSETTLED, RUNS.c.hold.is_(None) | (RUNS.c.state == State.ABORTING)),
)
#: Runs that were lent to agents and have not begun.
_LENT = select(RUNS.c.agent_id, RUNS.c.id, RUNS.c.leased_until).where(
    _OF_AGENTS, RUNS.c.state == State.PENDING, RUNS.c.leased_until <= bindparam("until")
)
#: Under another fence: should the agent have got one all the same, its news changes nothing.
_RECLAIM = (
    update(RUNS)
    .where(
        RUNS.c.id == bindparam("key"),
        RUNS.c.agent_id == bindparam("agent"),
        RUNS.c.state == State.PENDING,
        RUNS.c.leased_until <= bindparam("until"),
    )
    .values(leased_until=None, fence=RUNS.c.fence + 1)
)
#: Also those whose lease was over before they had begun: as long as its fence stands, nobody else has such a run.
_HELD = (
    select(RUNS.c.agent_id, RUNS.c.id, RUNS.c.fence)
    .where(_OF_AGENTS, RUNS.c.id.in_(bindparam("ids", expanding=True)), RUNS.c.state.not_in(FINISHED))
    .order_by(RUNS.c.id)
)
#: A report of the same agent may be ending one of them at this moment: what is locked has its news from elsewhere, and
#: nobody waits for it here.
_HELD_LOCKED = _HELD.with_for_update(key_share=True, skip_locked=True)
_RENEW = update(RUNS).where(RUNS.c.id.in_(bindparam("ids", expanding=True))).values(leased_until=bindparam("until"))


def with_business(session: Session, agent_ids: Collection[UUID]) -> set[UUID]:
    """Return which of the agents have something to fetch or to abort, or were lent something and have not begun it."""
    return set(session.connection().execute(_NOT_IDLE, {"agents": list(agent_ids)}).scalars())


def unreached(session: Session, said: Mapping[UUID, tuple[Held, datetime]]) -> list[dict[str, Any]]:
    """Return what ``take_back`` needs of the runs that were lent to the agents and never reached them.

    *said* is what each agent has named as held, and until when the leases are of the runs that it has to know.
    """
    latest = max(until for _, until in said.values())
    found = []
    for agent_id, run_id, leased_until in session.connection().execute(_LENT, {"agents": list(said), "until": latest}):
        held, until = said[agent_id]
        if leased_until <= until and all(run_id != known for known, _ in held):
            found.append({"key": run_id, "agent": agent_id, "until": until})
    return found


def take_back(session: Session, runs: Sequence[dict[str, Any]]) -> None:
    """Let the runs that ``unreached`` has found wait again."""
    session.connection().execute(_RECLAIM, sorted(runs, key=lambda run: run["key"]))


def aborting(session: Session, agent_ids: Collection[UUID]) -> Mapping[UUID, list[UUID]]:
    """Return the runs that each of the agents has to end."""
    found: defaultdict[UUID, list[UUID]] = defaultdict(list)
    for agent_id, run_id in session.connection().execute(_ABORTING, {"agents": list(agent_ids)}):
        found[agent_id].append(run_id)
    return found


def _current(
    session: Session, query: Select[tuple[UUID, UUID, int]], named: Collection[tuple[UUID, UUID, int]]
) -> set[tuple[UUID, UUID, int]]:
    """Return which runs of those agents and ids are unfinished: agent, id and fence each."""
    keys = {"agents": list({agent_id for agent_id, _, _ in named}), "ids": [run_id for _, run_id, _ in named]}
    return set(session.connection().execute(query, keys).tuples())


def renew(session: Session, held: Mapping[UUID, Held], until: datetime) -> dict[UUID, Standing]:
    """Let the leases of what the agents hold last until *until*, and return what has become of it.

    ``lost`` are the runs that are not the agent's any more; ``aborts`` those that it must end, whether it named them
    or not (it may have been restarted). What somebody else has locked is neither renewed nor lost.
    """
    aborts = aborting(session, held)
    named = {(agent_id, run_id, fence) for agent_id, runs in held.items() for run_id, fence in runs}
    current = named & _current(session, _HELD_LOCKED, named) if named else named
    if current:
        session.connection().execute(_RENEW, {"ids": sorted(run_id for _, run_id, _ in current), "until": until})
    if len(current) < len(named):
        current |= _current(session, _HELD, named - current)
    return {
        agent_id: Standing(
            aborts.get(agent_id, []), [run_id for run_id, fence in runs if (agent_id, run_id, fence) not in current]
        )
        for agent_id, runs in held.items()
    }
