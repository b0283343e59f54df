"""Job counts: how many jobs there are in a stage, exactly, without counting a million of them for every page."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import and_, bindparam, func, select, true
from sqlalchemy.orm import Session

from dispatcher.core.jobs import STAGES, Stage
from dispatcher.datastore import revisions
from dispatcher.datastore.jobs import JOBS
from dispatcher.datastore.revisions import Revision
from dispatcher.datastore.transactions import Datastore, is_writing

#: How many jobs may be counted anew each time before their count is kept, too.
MOST_NEW = 1_000
_IS_STEP, _IS_OCCURRENCE = JOBS.c.parent_id.is_not(None), JOBS.c.recurring_id.is_not(None)
_GROUPS = select(_IS_STEP, _IS_OCCURRENCE, func.count()).group_by(_IS_STEP, _IS_OCCURRENCE)
_NEW = _GROUPS.where(JOBS.c.number > bindparam("newest")).subquery()
_LATEST = select(func.max(JOBS.c.number)).scalar_subquery()
#: With the mark of the jobs, and the latest of them, before each group; these alone if there are no groups.
_NEWER = select(Revision.value, _LATEST, _NEW).outerjoin(_NEW, true()).where(Revision.name == revisions.JOBS)
_IN_STATES = _GROUPS.where(JOBS.c.state.in_(bindparam("states", expanding=True)))
_UNFINISHED = frozenset().union(*STAGES.values())


@dataclass(slots=True)
class _Kept:
    """How many jobs there were up to number *newest*, by whether they are steps and whether they are occurrences."""

    revision: int
    newest: int = 0
    counts: Counter[tuple[bool, bool]] = field(default_factory=Counter)


class JobCounts:
    """Counts jobs. May be used by many threads.

    What does not change is counted once: jobs up to some number are neither more nor others later, only fewer, and
    then the revision of the jobs is another.
    """

    def __init__(self, datastore: Datastore) -> None:
        self._datastore = datastore
        self._kept = _Kept(-1)

    def count(self, session: Session, stage: Stage, runbook_jobs: bool, recurring_jobs: bool) -> int:
        """Return how many jobs fit the condition that ``listed`` returns."""
        if not self._datastore.traits.single_writer:
            # Where several write at once, a job may be stored after one with a higher number: all are counted.
            query = select(func.count()).select_from(JOBS).where(listed(stage, runbook_jobs, recurring_jobs))
            return session.connection().execute(query).scalar_one()
        if stage in STAGES:
            counts = self._in_states(session, STAGES[stage])
        else:
            counts = self._all(session)
            if stage is Stage.HISTORY:  # most of all there are: those that have not ended are quicker to count
                counts = counts - self._in_states(session, _UNFINISHED)
        return sum(
            count
            for (is_step, is_occurrence), count in counts.items()
            if (runbook_jobs or not is_step) and (recurring_jobs or not is_occurrence)
        )

    def _in_states(self, session: Session, states: frozenset[int]) -> Counter[tuple[bool, bool]]:
        rows = session.connection().execute(_IN_STATES, {"states": sorted(states)})
        return Counter({(bool(row[0]), bool(row[1])): row[2] for row in rows})

    def _all(self, session: Session) -> Counter[tuple[bool, bool]]:
        may_keep = not is_writing(session)
        kept = self._kept if may_keep else _Kept(-1)
        rows = session.connection().execute(_NEWER, {"newest": kept.newest}).all()
        revision, latest = rows[0][0], rows[0][1] or 0
        # What another thread counted may be of a transaction that began later than this one.
        is_other = kept.newest > latest or (kept.newest > 0 and kept.revision != revision)
        if is_other:
            kept = _Kept(revision)
            rows = session.connection().execute(_NEWER, {"newest": 0}).all()
        newer = Counter({(bool(row[2]), bool(row[3])): row[4] for row in rows if row[4] is not None})
        counts = kept.counts + newer
        if may_keep and (is_other or newer.total() > MOST_NEW):
            self._kept = _Kept(revision, latest, counts)
        return counts


def listed(stage: Stage, runbook_jobs: bool, recurring_jobs: bool) -> Any:
    """Return the condition of the jobs in *stage*: steps of run books only with *runbook_jobs*, occurrences of a
    recurrence only with *recurring_jobs*.
    """
    conditions = []
    if stage is Stage.HISTORY:
        conditions.append(JOBS.c.state.not_in(_UNFINISHED))
    elif stage is not Stage.ALL:
        conditions.append(JOBS.c.state.in_(STAGES[stage]))
    if not runbook_jobs:
        conditions.append(~_IS_STEP)
    if not recurring_jobs:
        conditions.append(~_IS_OCCURRENCE)
    return and_(true(), *conditions)
