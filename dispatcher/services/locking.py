"""Locking: the one order in which jobs are locked, so that nobody waits for somebody who waits for them."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from dispatcher.datastore.jobs import JOBS


def lock_jobs(session: Session, job_ids: Collection[UUID]) -> None:
    """Lock the jobs and all above them until the transaction ends: topmost first, each level in order of ids.

    Whoever changes a job and its runs calls this before anything else; runs are locked after their jobs, and child
    jobs after their parents. All locks leave the key alone (``FOR NO KEY UPDATE``): PostgreSQL looks at the keys of
    others' rows whenever it checks a foreign key. Where a database has one writer at a time there is nothing to lock.
    """
    levels: list[set[UUID]] = []
    level = set(job_ids)
    while level:
        levels.append(level)
        parents = select(JOBS.c.parent_id).where(JOBS.c.id.in_(level), JOBS.c.parent_id.is_not(None))
        level = set(session.scalars(parents))
    for level in reversed(levels):
        session.execute(
            select(JOBS.c.id).where(JOBS.c.id.in_(level)).order_by(JOBS.c.id).with_for_update(key_share=True)
        )
