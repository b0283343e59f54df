"""Schedules: recurring jobs, paused and resumed, and the ledger of what became of every due time."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from dispatcher.core.errors import Conflict, InvalidMove, InvalidValue, JobNotFound
from dispatcher.core.permissions import Caller, Node, Right
from dispatcher.core.ports import Ports
from dispatcher.core.schedules import NEVER, LedgerEntry, LedgerPage, Outcome, Schedule
from dispatcher.core.states import FINISHED, Event, State, move
from dispatcher.datastore.base import Row
from dispatcher.datastore.jobs import JOBS
from dispatcher.datastore.schedules import OCCURRENCES, SCHEDULES
from dispatcher.datastore.transactions import Datastore, after_commit
from dispatcher.services import audit
from dispatcher.services.audit import Subject
from dispatcher.services.locking import lock_jobs
from dispatcher.services.recurring import skip_until, to_request
from dispatcher.services.runbook_who import RunBookWho

#: The longest page of a ledger that a caller may ask for.
MAX_PAGE_SIZE = 1_000


class NotRecurring(Conflict):
    """The job exists, but does not recur."""

    code = "job.not_recurring"

    def __init__(self, job_id: UUID) -> None:
        super().__init__(f"job {job_id} does not recur", job_id=str(job_id))


class Schedules:
    """Looks after recurring jobs. They are made by ``Scheduling.submit`` and ended by ``Aborting.abort``."""

    def __init__(self, datastore: Datastore, ports: Ports, runbook_who: RunBookWho) -> None:
        self._datastore = datastore
        self._ports = ports
        self._runbook_who = runbook_who

    def get(self, job_id: UUID, caller: Caller) -> Schedule:
        """Return how the recurring job occurs, and where it stands.

        :raises JobNotFound: if there is no job with this id.
        :raises NotRecurring: if it does not recur.
        """
        caller.require(Right.READ, Node.SCHEDULING)
        with self._datastore.read() as session:
            return self._to_schedule(self._row(session, job_id))

    def ledger(self, job_id: UUID, page: int, page_size: int, caller: Caller) -> LedgerPage:
        """Return page number *page* (from 1) of the recurring job's ledger, latest due time first.

        :raises JobNotFound: if there is no job with this id.
        :raises NotRecurring: if it does not recur.
        :raises InvalidValue: if *page* or *page_size* is not positive.
        """
        caller.require(Right.READ, Node.SCHEDULING)
        for member, number in (("page", page), ("pagesize", page_size)):
            if number < 1:
                raise InvalidValue(member, f"{number} is not 1 or more")
        page_size = min(page_size, MAX_PAGE_SIZE)
        mine = OCCURRENCES.c.schedule_id == job_id
        with self._datastore.read() as session:
            self._row(session, job_id)
            total = session.scalar(select(func.count()).select_from(OCCURRENCES).where(mine)) or 0
            query = select(OCCURRENCES).where(mine).order_by(OCCURRENCES.c.due_at.desc())
            rows = session.execute(query.limit(page_size).offset((page - 1) * page_size))
            items = [
                LedgerEntry(row.due_at, Outcome(row.outcome), row.reason, row.job_id, row.noted_at) for row in rows
            ]
        return LedgerPage(items, page, page_size, total)

    def pause(self, job_id: UUID, until: datetime | None, caller: Caller) -> Schedule:
        """Skip the due times of the recurring job up to *until*; None: until it is resumed. Active jobs go on.

        :raises JobNotFound: if there is no job with this id.
        :raises NotRecurring: if it does not recur.
        :raises InvalidMove: if it has ended.
        :raises InvalidValue: if *until* is over.
        """
        if until is not None and until <= self._ports.now():
            raise InvalidValue("until", "is over already")
        event = Event.DISABLE if until is None else Event.ENABLE
        return self._change(job_id, event, until, caller, "job.paused")

    def resume(self, job_id: UUID, caller: Caller) -> Schedule:
        """End the pause of the recurring job: due times from now on occur again.

        :raises JobNotFound: if there is no job with this id.
        :raises NotRecurring: if it does not recur.
        :raises InvalidMove: if it has ended.
        """
        return self._change(job_id, Event.ENABLE, None, caller, "job.resumed")

    def _change(self, job_id: UUID, event: Event, until: datetime | None, caller: Caller, action: str) -> Schedule:
        caller.require(Right.MODIFY, Node.SCHEDULING)
        with self._datastore.begin() as session:
            lock_jobs(session, [job_id])
            row = self._job(session, job_id)
            is_resumed = event is Event.ENABLE and until is None
            self._runbook_who.require_job(session, row, caller, at_once=not is_resumed)
            _check_recurs(row)
            state = State(row["state"])
            if state in FINISHED:
                raise InvalidMove(f"{event.value}: not possible for something {state.text}")
            wanted = State.DISABLED if event is Event.DISABLE else State.SCHEDULED
            if state is not wanted:
                session.execute(update(JOBS).where(JOBS.c.id == job_id).values(state=move(state, event)))
            paused_until = until
            if is_resumed and row["paused_until"] is not None:
                # What was due in the pause and is not in the ledger yet stays skipped.
                paused_until = min(row["paused_until"], self._ports.now())
            session.execute(update(SCHEDULES).where(SCHEDULES.c.job_id == job_id).values(paused_until=paused_until))
            if state is State.DISABLED and wanted is State.SCHEDULED:
                skip_until(session, job_id, self._ports.now())
            after_commit(session, self._ports.wakeup.engine)
            changed = self._row(session, job_id)
            subject, old, new = Subject("job", row["description"], job_id), _standing(row), _standing(changed)
            audit.record(session, self._ports.now(), caller, action, subject, old=old, new=new)
            return self._to_schedule(changed)

    def _row(self, session: Session, job_id: UUID) -> Row:
        row = self._job(session, job_id)
        _check_recurs(row)
        return row

    def _job(self, session: Session, job_id: UUID) -> Row:
        """Return the job, with how it recurs if it does."""
        query = select(JOBS, SCHEDULES).join(SCHEDULES, SCHEDULES.c.job_id == JOBS.c.id, isouter=True)
        row = session.execute(query.where(JOBS.c.id == job_id)).mappings().first()
        if row is None:
            raise JobNotFound(job_id)
        return row

    def _to_schedule(self, row: Row) -> Schedule:
        state, paused_until = State(row["state"]), row["paused_until"]
        is_over = state not in (State.SCHEDULED, State.DISABLED) or row["starts_at"] == NEVER
        return Schedule(
            row["id"],
            to_request(row),
            None if is_over else row["starts_at"],
            row["last_due_at"],
            state is State.DISABLED or (paused_until is not None and paused_until > self._ports.now()),
        )


def _check_recurs(row: Row) -> None:
    """Check that the job recurs.

    :raises NotRecurring: if it does not.
    """
    if row["job_id"] is None:
        raise NotRecurring(row["id"])


def _standing(row: Row) -> audit.Values:
    """Return what a pause changes of a recurring job, as the audit has it."""
    return {"state": State(row["state"]).text, "paused_until": row["paused_until"]}
