"""Locking: the one order in which jobs and agents are locked, so that nobody waits for somebody who waits for them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from dispatcher.datastore.agents import Agent
from dispatcher.datastore.jobs import JOBS

_AGENTS = select(Agent.id).where(Agent.id.in_(bindparam("agents", expanding=True))).order_by(Agent.id)
_LOCK_AGENTS = _AGENTS.with_for_update(key_share=True)
_LOCK_FREE_AGENTS = _AGENTS.with_for_update(key_share=True, skip_locked=True)


def lock_jobs(session: Session, job_ids: Collection[UUID]) -> None:
    """Lock the jobs and all above them until the transaction ends: topmost first, each level in order of ids.

    Whoever changes a job and its runs calls this before anything else; runs are locked after their jobs, and child
    jobs after their parents. All locks leave the key alone (``FOR NO KEY UPDATE``): PostgreSQL looks at the keys of
    others' rows whenever it checks a foreign key. Where a database has one writer at a time there is nothing to lock.
    """
    parents: dict[UUID, UUID | None] = {}
    unknown = set(job_ids)
    while unknown:
        query = select(JOBS.c.id, JOBS.c.parent_id).where(JOBS.c.id.in_(unknown))
        found = dict(session.execute(query).tuples().all())
        parents |= found
        unknown = {parent for parent in found.values() if parent is not None and parent not in parents}
    # By the way down from the topmost one, which is the same whoever asks: not by the way up from those that are named.
    levels: defaultdict[int, list[UUID]] = defaultdict(list)
    for key in parents:
        levels[_depth(key, parents)].append(key)
    for _, level in sorted(levels.items()):
        session.execute(
            select(JOBS.c.id).where(JOBS.c.id.in_(level)).order_by(JOBS.c.id).with_for_update(key_share=True)
        )


def lock_agents(session: Session, agent_ids: Collection[UUID]) -> None:
    """Lock the agents, in order of ids, until the transaction ends; their keys are left alone, as by ``lock_jobs``."""
    session.connection().execute(_LOCK_AGENTS, {"agents": list(agent_ids)})


def lock_free_agents(session: Session, agent_ids: Collection[UUID]) -> set[UUID]:
    """Lock those of the agents that nobody else has locked, as ``lock_agents`` does, and return them."""
    return set(session.connection().execute(_LOCK_FREE_AGENTS, {"agents": list(agent_ids)}).scalars())


def _depth(job_id: UUID, parents: Mapping[UUID, UUID | None]) -> int:
    parent = parents.get(job_id)
    return 0 if parent is None else 1 + _depth(parent, parents)
