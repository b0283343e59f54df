"""Retention: what is older than the settings say goes, a little at a time, so that nobody else waits for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Select, and_, bindparam, delete, exists, false, func, literal, or_, select
from sqlalchemy.orm import Session

from dispatcher.core.attempts import again
from dispatcher.core.errors import Unavailable
from dispatcher.core.ports import Ports
from dispatcher.core.states import FINISHED
from dispatcher.datastore import revisions
from dispatcher.datastore.agents import AGENTS
from dispatcher.datastore.alerts import ALERTS
from dispatcher.datastore.audit import AUDIT
from dispatcher.datastore.configurations import CONFIGURATION_PARTS, CONFIGURATIONS, FETCHED_PARTS
from dispatcher.datastore.exastro_ita import ITA_ANSWERS, ITA_DETAILS, ITA_FILES, ITA_JOURNAL
from dispatcher.datastore.jobs import JOBS
from dispatcher.datastore.runs import CHUNKS, RUNS, TASK_RESULTS
from dispatcher.datastore.schedules import OCCURRENCES, SCHEDULES
from dispatcher.datastore.submits import SUBMITS
from dispatcher.datastore.targets import runs_for
from dispatcher.datastore.tokens import AccessToken
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.recurring import IS_ENDED
from dispatcher.services.settings import Settings
from dispatcher.services.submits import KEPT_FOR

log = structlog.get_logger(__name__)

#: The most that goes in one transaction.
BATCH_ROWS = 200
BATCH_BYTES = 4 << 20
#: How long others have the datastore for themselves between two batches.
PAUSE = timedelta(milliseconds=50)
#: How long it rests when nothing is left to remove.
REST = timedelta(minutes=10)
#: How many jobs, or runs, or recurring jobs are looked at for one batch.
AT_ONCE = 50
#: What a job must be to go.
_HAS_ENDED = JOBS.c.state.in_(FINISHED)
#: What is kept though it is over: nobody has ended it (see ``recurring.is_over``).
_STAYS = func.coalesce(JOBS.c.options["stays"].as_boolean(), false()) & ~IS_ENDED
#: What agents are that were removed with their history.
_WITH_HISTORY = (AGENTS.c.removed_at.is_not(None), AGENTS.c.history_removed_at.is_not(None))


@dataclass(slots=True)
class Budget:
    """How many rows, and how many bytes of output, may still go in this transaction; whether jobs go in it."""

    rows: int = BATCH_ROWS
    bytes: int = BATCH_BYTES
    removes_jobs: bool = False


class Retention:
    """Removes old jobs with all that belongs to them, old output, old ledger entries, old audit entries and alerts, old
    submit keys, access tokens that have expired, fetched texts that were left behind, the runs and configurations of
    agents that were removed with their history, and the old history of records of Exastro ITA.

    What has not ended stays, however old it is. A job goes with its steps, its runs and their output, output first. A
    recurring job goes when it has ended and neither a job nor an entry of the ledger is left of it; one with the option
    ``stays`` only if somebody has ended it.
    """

    def __init__(self, datastore: Datastore, ports: Ports, settings: Settings) -> None:
        self._datastore = datastore
        self._ports = ports
        self._settings = settings
        self._steps: Iterator[int] | None = None
        self._next_at: datetime | None = None
        self._last_run: UUID | None = None
        self._last_schedule: UUID | None = None

    def next_moment(self) -> datetime | None:
        """Return when ``sweep`` has something to do again."""
        return self._next_at

    def sweep(self) -> int:
        """Remove one batch if it is time, in one transaction; return how many rows have gone."""
        now = self._ports.now()
        if self._next_at is not None and now < self._next_at:
            return 0
        steps, self._steps = self._steps or self._pass(), None
        # Should it fail, a new pass begins later.
        self._next_at = now + REST
        removed = next(steps, None)
        if removed is None:
            return 0
        self._steps, self._next_at = steps, now + PAUSE
        return removed

    def _pass(self) -> Iterator[int]:
        """Remove all that may go; give the number of rows after each batch."""
        total = 0
        self._last_run = self._last_schedule = None
        works = (
            self._submits,
            self._access_tokens,
            self._audit,
            self._alerts,
            self._ita_journal,
            self._ita_answers,
            self._fetched_texts,
            self._histories,
            self._configurations,
            self._output,
            self._ledger,
            self._jobs,
            self._recurring_jobs,
        )
        for work in works:
            while True:
                # Another dispatcher may clean as well.
                removed, has_more = again(partial(self._batch, work))
                total += removed
                if not has_more:
                    break
                yield removed
        if total:
            log.info("retention.removed", rows=total)

    def _batch(self, work: Callable[[Session, Budget], bool]) -> tuple[int, bool]:
        """Do a batch of *work*; return how many rows have gone, and whether there are more."""
        budget, places = Budget(), (self._last_run, self._last_schedule)
        try:
            with self._datastore.begin() as session:
                has_more = work(session, budget)
                if budget.removes_jobs:
                    # Last: whoever has this row must not have to wait for another one that cleans.
                    revisions.bump(session, revisions.JOBS)
        except Unavailable:
            self._last_run, self._last_schedule = places
            raise
        return BATCH_ROWS - budget.rows, has_more

    def _before(self, setting: str) -> datetime | None:
        """Return the moment before which things may go; None if they are kept for ever."""
        days = self._settings.current().number(setting if "." in setting else f"retention.{setting}")
        return self._ports.now() - timedelta(days=days) if days else None

    def _submits(self, session: Session, budget: Budget) -> bool:
        return not _clear(session, SUBMITS, SUBMITS.c.created_at <= self._ports.now() - KEPT_FOR, budget)

    def _access_tokens(self, session: Session, budget: Budget) -> bool:
        table = AccessToken.__table__
        return not _clear(session, table, table.c.expires_at <= self._ports.now(), budget)

    def _audit(self, session: Session, budget: Budget) -> bool:
        before = self._before("audit_days")
        return before is not None and not _clear(session, AUDIT, AUDIT.c.at < before, budget)

    def _alerts(self, session: Session, budget: Budget) -> bool:
        before = self._before("alerts_days")
        return before is not None and not _clear(session, ALERTS, ALERTS.c.at < before, budget)

    def _ita_journal(self, session: Session, budget: Budget) -> bool:
        """Remove old entries of the history of records, first what they keep of files."""
        before = self._before("exastro_ita.journal_days")
        if before is None:
            return False
        query = select(ITA_JOURNAL.c.id).where(ITA_JOURNAL.c.at < before).order_by(ITA_JOURNAL.c.at)
        old = session.scalars(query.limit(AT_ONCE)).all()
        no_file = _clear(session, ITA_FILES, ITA_FILES.c.record_id.in_(old), budget)
        return not (no_file and _clear(session, ITA_JOURNAL, ITA_JOURNAL.c.id.in_(old), budget)) or len(old) == AT_ONCE

    def _ita_answers(self, session: Session, budget: Budget) -> bool:
        """Remove what requests were answered whose keys are forgotten for certain."""
        before = self._ports.now() - 2 * KEPT_FOR
        return not _clear(session, ITA_ANSWERS, ITA_ANSWERS.c.created_at <= before, budget)

    def _fetched_texts(self, session: Session, budget: Budget) -> bool:
        """Remove the parts of texts whose runs have ended without a word of them, or were lent again since."""
        is_over = RUNS.c.state.in_(FINISHED) | (RUNS.c.fence != FETCHED_PARTS.c.fence)
        theirs = exists().where(RUNS.c.id == FETCHED_PARTS.c.run_id, is_over)
        return not _clear(session, FETCHED_PARTS, theirs, budget, FETCHED_PARTS.c.data)

    def _histories(self, session: Session, budget: Budget) -> bool:
        """Remove the runs for agents that were removed with their history, but those of jobs that have not ended."""
        has_ended = exists().where(JOBS.c.id == RUNS.c.job_id, _HAS_ENDED)
        left = or_(*(exists().where(theirs, has_ended) for theirs in runs_for(AGENTS.c)))
        agents = session.execute(select(AGENTS.c.id, AGENTS.c.number).where(*_WITH_HISTORY, left).limit(AT_ONCE)).all()
        for theirs in (one for agent in agents for one in runs_for(agent)):
            query = select(RUNS.c.id).where(theirs, has_ended).limit(AT_ONCE)
            runs = session.scalars(self._locking(query, RUNS)).all()
            if not all(_clear_runs(session, RUNS.c.id == run_id, budget) for run_id in runs):
                break
        return bool(agents)

    def _configurations(self, session: Session, budget: Budget) -> bool:
        """Remove what was kept of the configurations of removed agents, with their history, or when none is left."""
        without = [~exists().where(theirs) for theirs in runs_for(AGENTS.c)]
        gone = select(AGENTS.c.id).where(AGENTS.c.removed_at.is_not(None), or_(_WITH_HISTORY[1], and_(*without)))
        theirs = CONFIGURATIONS.c.agent_id.in_(gone)
        texts = CONFIGURATION_PARTS.c.configuration_id.in_(select(CONFIGURATIONS.c.id).where(theirs))
        no_text = _clear(session, CONFIGURATION_PARTS, texts, budget, CONFIGURATION_PARTS.c.data)
        return not (no_text and _clear(session, CONFIGURATIONS, theirs, budget))

    def _output(self, session: Session, budget: Budget) -> bool:
        """Remove output of runs that have ended; the results themselves stay."""
        before = self._before("output_days")
        if before is None:
            return False
        for _ in range(AT_ONCE):
            run_id = session.scalar(_next(CHUNKS.c.run_id, self._last_run).limit(1))
            if run_id is None:
                return False
            query = select(RUNS.c.state, RUNS.c.stopped_at, JOBS.c.created_at).join(JOBS, JOBS.c.id == RUNS.c.job_id)
            run = session.execute(query.where(RUNS.c.id == run_id)).one()
            if run.created_at >= before:
                return False  # ids grow with time: the later ones are younger still
            has_ended = run.state in FINISHED and run.stopped_at is not None and run.stopped_at < before
            if has_ended and not _clear(session, CHUNKS, CHUNKS.c.run_id == run_id, budget, CHUNKS.c.data):
                return True
            self._last_run = run_id
        return True

    def _ledger(self, session: Session, budget: Budget) -> bool:
        before = self._before("ledger_days")
        if before is None:
            return False
        schedules = session.scalars(_next(SCHEDULES.c.job_id, self._last_schedule).limit(AT_ONCE)).all()
        for schedule_id in schedules:
            mine = (OCCURRENCES.c.schedule_id == schedule_id) & (OCCURRENCES.c.due_at < before)
            if not _clear(session, OCCURRENCES, mine & OCCURRENCES.c.held_since.is_(None), budget):
                return True
            self._last_schedule = schedule_id
        return len(schedules) == AT_ONCE

    def _jobs(self, session: Session, budget: Budget) -> bool:
        before = self._before("jobs_days")
        if before is None:
            return False
        query = (
            select(JOBS.c.id)
            .where(
                JOBS.c.sorted_at < before,
                _HAS_ENDED,
                JOBS.c.stopped_at < before,
                JOBS.c.parent_id.is_(None),
                ~JOBS.c.is_recurring,
            )
            .order_by(JOBS.c.sorted_at, JOBS.c.id)
            .limit(AT_ONCE)
        )
        jobs = session.scalars(self._locking(query)).all()
        return not all(_clear_job(session, job_id, budget) for job_id in jobs) or len(jobs) == AT_ONCE

    def _recurring_jobs(self, session: Session, budget: Budget) -> bool:
        before = self._before("jobs_days")
        if before is None:
            return False
        jobs = JOBS.alias()
        query = (
            select(JOBS.c.id)
            .where(
                JOBS.c.is_recurring,
                _HAS_ENDED,
                ~_STAYS,
                JOBS.c.stopped_at < before,
                ~exists().where(OCCURRENCES.c.schedule_id == JOBS.c.id),
                ~exists().where(jobs.c.recurring_id == JOBS.c.id),
            )
            .limit(AT_ONCE)
        )
        found = session.scalars(self._locking(query)).all()
        parts = (
            (ITA_JOURNAL, ITA_JOURNAL.c.record_id),  # of regular executions: there are no files in it
            (ITA_DETAILS, ITA_DETAILS.c.object_id),
            (SCHEDULES, SCHEDULES.c.job_id),
            (JOBS, JOBS.c.id),
        )
        are_gone = all(_clear(session, table, key.in_(found), budget) for table, key in parts)
        return not are_gone or len(found) == AT_ONCE

    def _locking(self, query: Any, table: Any = JOBS) -> Any:
        """Return *query* so that another dispatcher that cleans at the same time takes other rows of *table*."""
        return query.with_for_update(of=table, skip_locked=True) if self._datastore.traits.skip_locked else query


def _next(column: Any, last: UUID | None) -> Select[Any]:
    """Return a query for the ids after *last*, in order."""
    query = select(column).order_by(column)
    return query if last is None else query.where(column > last)


def _clear_job(session: Session, job_id: UUID, budget: Budget) -> bool:
    """Remove the job and all below it, as far as *budget* goes; return whether nothing is left of it."""
    children = session.scalars(select(JOBS.c.id).where(JOBS.c.parent_id == job_id)).all()
    steps: list[Callable[[], bool]] = [
        lambda: all(_clear_job(session, child, budget) for child in children),
        lambda: _clear_runs(session, RUNS.c.job_id == job_id, budget),
        lambda: _clear(session, JOBS, JOBS.c.id == job_id, budget),
    ]
    return all(step() for step in steps)


def _clear_runs(session: Session, which: Any, budget: Budget) -> bool:
    """Remove runs with all that belongs to them, as far as *budget* goes; return whether nothing is left of them."""
    runs = select(RUNS.c.id).where(which)
    steps: list[Callable[[], bool]] = [
        lambda: _clear(session, CHUNKS, CHUNKS.c.run_id.in_(runs), budget, CHUNKS.c.data),
        lambda: _clear(session, TASK_RESULTS, TASK_RESULTS.c.run_id.in_(runs), budget),
        lambda: _clear(session, RUNS, which, budget),
    ]
    return all(step() for step in steps)


def _clear(session: Session, table: Any, which: Any, budget: Budget, measured: Any = None) -> bool:
    """Delete rows of *table* in order of their keys, as far as *budget* goes; return whether none is left.

    The bytes of the column *measured* count, too; the first row of a batch may have any size.
    """
    if budget.rows <= 0:
        return False
    keys = list(table.primary_key.columns)
    size = func.length(measured) if measured is not None else literal(0)
    found = session.execute(select(*keys, size.label("size")).where(which).order_by(*keys).limit(budget.rows)).all()
    taken: list[dict[str, Any]] = []
    for row in found:
        if row.size > budget.bytes and (taken or budget.rows < BATCH_ROWS):
            break
        budget.bytes -= row.size
        taken.append({f"key_{column.name}": row[place] for place, column in enumerate(keys)})
    if taken:
        one = [column == bindparam(f"key_{column.name}") for column in keys]
        session.connection().execute(delete(table).where(*one), taken)
        budget.removes_jobs |= table is JOBS
    is_all = len(taken) == len(found) < budget.rows
    budget.rows -= len(taken)
    return is_all
