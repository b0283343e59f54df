"""Occurrences: every due time of a recurring job comes into the ledger, once, together with what it became."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import bindparam, exists, func, insert, select, true, update
from sqlalchemy.orm import Session

from dispatcher.core import recurrence
from dispatcher.core.errors import Unavailable
from dispatcher.core.jobs import Invoker
from dispatcher.core.ports import Ports
from dispatcher.core.schedules import NEVER, Outcome, Overlap, RecurrenceRequest, Verdict, judge
from dispatcher.core.states import FINISHED, Event, State, move
from dispatcher.datastore.base import Row
from dispatcher.datastore.jobs import JOBS
from dispatcher.datastore.schedules import OCCURRENCES, SCHEDULES
from dispatcher.datastore.transactions import Datastore, after_commit
from dispatcher.services.aborting import Aborting
from dispatcher.services.activation import Activation
from dispatcher.services.firing import Attention, Firing, Wanted
from dispatcher.services.recurring import ends_as_last, new_entry, stays, to_request

log = structlog.get_logger(__name__)

#: How many recurring jobs are looked after in one transaction.
BATCH = 250
#: How many due times of one recurring job, and of all, come into the ledger in one transaction.
ROWS_EACH, ROWS_A_TURN = 500, 2_000
#: How many occurrences of one recurring job may wait for the one before them.
MAX_HELD = 100
#: How often those that wait are looked at: another dispatcher may have seen the end of what they wait for.
HELD_EVERY = timedelta(seconds=1)
#: When to look again while another dispatcher fires what is due.
_AGAIN = timedelta(milliseconds=50)
_INSTANT = timedelta(microseconds=1)

#: Said of an occurrence that was held, once it has fired.
_WAITED = "waited for the job before it"
_LIVE = (State.SCHEDULED, State.DISABLED)
#: In which states a recurring job is whose due times are over, while something of it is active.
_OVER = (State.ACTIVE, State.ABORTING)
_MOVE_ON = (
    update(JOBS).where(JOBS.c.id == bindparam("key")).values(starts_at=bindparam("next"), sorted_at=bindparam("shown"))
)
_NOTE = update(SCHEDULES).where(SCHEDULES.c.job_id == bindparam("key")).values(last_due_at=bindparam("last"))
_RELEASE = (
    update(OCCURRENCES)
    .where(OCCURRENCES.c.schedule_id == bindparam("key"), OCCURRENCES.c.due_at == bindparam("due"))
    .values(outcome=Outcome.FIRED, reason=_WAITED, job_id=bindparam("job"), noted_at=bindparam("now"), held_since=None)
)


@dataclass(frozen=True, slots=True)
class _Judged:
    """A recurring job (its columns and its schedule's), its due times, and the one after them."""

    row: Row
    request: RecurrenceRequest
    verdicts: list[Verdict]
    next_due_at: datetime | None


@dataclass(slots=True)
class _Turn:
    """What one transaction writes."""

    now: datetime
    entries: list[dict[str, Any]] = field(default_factory=list)
    fired: list[tuple[dict[str, Any], Wanted]] = field(default_factory=list)
    aborted: list[UUID] = field(default_factory=list)
    moved: list[dict[str, Any]] = field(default_factory=list)
    noted: list[dict[str, Any]] = field(default_factory=list)
    over: list[Row] = field(default_factory=list)


class Occurrences:
    """Fires what is due. Several dispatchers may do that at the same time: each takes what no other has locked."""

    def __init__(
        self, datastore: Datastore, ports: Ports, *, activation: Activation, aborting: Aborting, firing: Firing
    ) -> None:
        self._datastore = datastore
        self._ports = ports
        self._activation = activation
        self._aborting = aborting
        self._firing = firing
        self._is_holding = False
        self._others_fire = False
        activation.on_end = self._job_ended

    def fire_due(self) -> int:
        """Bring the due times that have come into the ledger, with their jobs, of at most ``BATCH`` recurring jobs.

        Return how many recurring jobs that were: fewer than were due if there was more to write than one transaction
        should. One whose due times cannot be dealt with does not keep the others: they are skipped, with a reason.
        """
        with self._datastore.read() as session:
            due = session.scalars(
                select(JOBS.c.id)
                .where(JOBS.c.state.in_(_LIVE), JOBS.c.is_recurring == true(), JOBS.c.starts_at <= self._ports.now())
                .order_by(JOBS.c.starts_at)
                .limit(BATCH)
            ).all()
        if not due:
            self._others_fire = False
            return 0
        try:
            done = self._fire(due)
        except Unavailable:
            raise
        except Exception:
            log.exception("schedules.not_fired", count=len(due))
            done = sum(self._fire_alone(job_id) for job_id in due)
        self._others_fire = not done
        return done

    def next_moment(self) -> datetime | None:
        """Return when the next due time comes; None if there is none."""
        with self._datastore.read() as session:
            moments = [
                session.scalar(
                    select(func.min(JOBS.c.starts_at)).where(JOBS.c.state == state, JOBS.c.is_recurring == true())
                )
                for state in _LIVE
            ]
        moment = min((one for one in moments if one is not None and one < NEVER), default=None)
        return moment and max(moment, self._ports.now() + _AGAIN) if self._others_fire else moment

    def release_held(self) -> int:
        """Fire the oldest occurrence of each recurring job that waits for one that is over now; return how many.

        Those of recurring jobs that have ended are skipped. Recurring jobs that end as their last occurrence does are
        ended, if that one has.
        """
        self._end_as_last()
        holding = self._holding()
        self._is_holding |= bool(holding)
        released = 0
        while holding:
            released += self._release_of(holding)
            holding = self._holding(after=holding[-1])
        return released

    def _end_as_last(self) -> None:
        """End the recurring jobs whose due times are over, and of which nothing is active any more."""
        job = JOBS.alias()
        is_busy = exists().where(job.c.recurring_id == JOBS.c.id, job.c.state.not_in(FINISHED))
        query = select(JOBS.c.id, is_busy).where(JOBS.c.state.in_(_OVER), JOBS.c.is_recurring == true())
        with self._datastore.read() as session:
            found = session.execute(query).tuples().all()
        self._is_holding = bool(found)
        free = [job_id for job_id, busy in found if not busy]
        for start in range(0, len(free), BATCH):
            with self._datastore.begin() as session:
                rows = self._lock(session, free[start : start + BATCH])
                self._complete(session, [row for row in rows if row["state"] in _OVER], self._ports.now())

    def _holding(self, after: UUID | None = None) -> Sequence[UUID]:
        """Return recurring jobs of which something waits: the next after *after*, at most ``BATCH``."""
        query = select(OCCURRENCES.c.schedule_id).where(OCCURRENCES.c.held_since.is_not(None))
        if after is not None:
            query = query.where(OCCURRENCES.c.schedule_id > after)
        with self._datastore.read() as session:
            return session.scalars(query.distinct().order_by(OCCURRENCES.c.schedule_id).limit(BATCH)).all()

    def _release_of(self, job_ids: Sequence[UUID]) -> int:
        """Fire or skip what waits of the recurring jobs, as ``release_held`` says, in one transaction."""
        with self._datastore.begin() as session:
            rows = self._lock(session, job_ids)
            active = self._active(session, [row["id"] for row in rows])
            now = self._ports.now()
            free = [row for row in rows if row["id"] not in active and _is_live(row, now)]
            self._skip_held(session, [row["id"] for row in rows if row["state"] in FINISHED], now)
            return self._release(session, free, now)

    def held_moment(self) -> datetime | None:
        """Return when to look again for what waits; None if nothing does."""
        return self._ports.now() + HELD_EVERY if self._is_holding else None

    def _job_ended(self, session: Session) -> None:
        """Look at once whether an occurrence has waited for the job that ends."""
        if self._is_holding:
            after_commit(session, self._ports.wakeup.engine)

    def _fire_alone(self, job_id: UUID) -> int:
        """Do what is due of one recurring job, in spite of a defect."""
        try:
            return self._fire([job_id])
        except Unavailable:
            raise
        except Exception:
            log.exception("schedule.not_fired", job_id=str(job_id))
        reason = "it could not be fired: see the log"
        try:
            return self._fire([job_id], against=reason)
        except Unavailable:
            raise
        except Exception:
            log.exception("schedule.failed", job_id=str(job_id))
        with self._datastore.begin() as session:
            self._activation.end(session, job_id, State.FAILED, reason)
        return 1

    def _fire(self, job_ids: Sequence[UUID], against: str = "") -> int:
        """Do what is due, in one transaction; *against* is a reason to skip it all."""
        with self._datastore.begin() as session:
            turn = _Turn(self._ports.now())
            rows = self._lock(session, job_ids, turn.now)
            attention = self._firing.attention(session, rows)
            judged = list(_judged(rows, turn.now, attention.objections(session), against))
            careful = [one.row["id"] for one in judged if one.request.overlap is not Overlap.ALLOW]
            active = self._active(session, careful)
            held = self._held(session) if careful else {}
            for one in judged:
                _add(turn, one, active.get(one.row["id"]), held.get(one.row["id"], 0))
            self._write(session, turn, attention)
            return len(judged)

    def _lock(self, session: Session, job_ids: Sequence[UUID], due_by: datetime | None = None) -> Sequence[Row]:
        """Return those of the recurring jobs that no other dispatcher has locked, and are due, locked."""
        query = select(JOBS, SCHEDULES).join(SCHEDULES, SCHEDULES.c.job_id == JOBS.c.id).where(JOBS.c.id.in_(job_ids))
        if due_by is not None:
            query = query.where(JOBS.c.state.in_(_LIVE), JOBS.c.starts_at <= due_by)
        if self._datastore.traits.skip_locked:
            query = query.with_for_update(of=JOBS, key_share=True, skip_locked=True)
        return session.connection().execute(query.order_by(JOBS.c.id)).mappings().all()

    def _active(self, session: Session, job_ids: Sequence[UUID]) -> dict[UUID, UUID]:
        """Return, by recurring job, the latest occurrence by its rule where that one is not over.

        Those on demand keep nothing: they may be for one agent only.
        """
        if not job_ids:
            return {}
        job = JOBS.alias()
        latest = (
            select(job.c.number)
            .where(job.c.recurring_id == SCHEDULES.c.job_id, job.c.invoker == Invoker.RECURRENCE)
            .order_by(job.c.number.desc())
            .limit(1)
            .correlate(SCHEDULES)
            .scalar_subquery()
        )
        query = select(SCHEDULES.c.job_id, JOBS.c.id).select_from(SCHEDULES).join(JOBS, JOBS.c.number == latest)
        rows = session.execute(query.where(SCHEDULES.c.job_id.in_(job_ids), JOBS.c.state.not_in(FINISHED)))
        return {row.job_id: row.id for row in rows}

    def _held(self, session: Session) -> dict[UUID, int]:
        """Return how many occurrences wait, by recurring job."""
        query = select(OCCURRENCES.c.schedule_id, func.count()).where(OCCURRENCES.c.held_since.is_not(None))
        return dict(session.execute(query.group_by(OCCURRENCES.c.schedule_id)).tuples().all())

    def _write(self, session: Session, turn: _Turn, attention: Attention) -> None:
        if turn.aborted:
            self._aborting.abort_in(session, turn.aborted, "the next occurrence was due")
        jobs = self._firing.fire(session, [wanted for _, wanted in turn.fired], attention)
        for (entry, _), job_id in zip(turn.fired, jobs, strict=True):
            entry["job_id"] = job_id
        if turn.entries:
            session.connection().execute(insert(OCCURRENCES), turn.entries)
            self._is_holding |= any(entry["held_since"] is not None for entry in turn.entries)
        if turn.noted:
            session.connection().execute(_NOTE, turn.noted)
        if turn.moved:
            session.connection().execute(_MOVE_ON, turn.moved)
        self._complete(session, turn.over, turn.now)

    def _complete(self, session: Session, rows: Sequence[Row], now: datetime) -> None:
        """End the recurring jobs that have no due time any more, or let them be what their latest occurrence is."""
        latest = self._latest(session, [row["id"] for row in rows if ends_as_last(row)])
        for row in rows:
            values = {"state": move(State(row["state"]), Event.COMPLETE), "stopped_at": now}
            last = latest.get(row["id"])
            if last is not None and last["state"] in FINISHED:
                values = {name: last[name] for name in ("state", "reason", "stopped_at")}
            elif last is not None:
                values = {"state": State(row["state"]) if row["state"] in _OVER else State.ACTIVE}
                self._is_holding = True
            session.execute(update(JOBS).where(JOBS.c.id == row["id"]).values(values))

    def _latest(self, session: Session, job_ids: Sequence[UUID]) -> dict[UUID, Row]:
        """Return the latest occurrence of each recurring job, one that is not over before all that are."""
        job = JOBS.alias()
        latest = (
            select(job.c.number)
            .where(job.c.recurring_id == SCHEDULES.c.job_id)
            .order_by(job.c.state.in_(FINISHED), job.c.number.desc())
            .limit(1)
            .correlate(SCHEDULES)
            .scalar_subquery()
        )
        query = select(JOBS).select_from(SCHEDULES).join(JOBS, JOBS.c.number == latest)
        query = query.where(SCHEDULES.c.job_id.in_(job_ids))
        rows = session.connection().execute(query).mappings() if job_ids else ()
        return {row["recurring_id"]: row for row in rows}

    def _release(self, session: Session, rows: Sequence[Row], now: datetime) -> int:
        """Fire the oldest waiting occurrence of each of the recurring jobs; return how many."""
        oldest = select(OCCURRENCES.c.schedule_id, func.min(OCCURRENCES.c.due_at)).where(
            OCCURRENCES.c.held_since.is_not(None), OCCURRENCES.c.schedule_id.in_([row["id"] for row in rows])
        )
        due = dict(session.execute(oldest.group_by(OCCURRENCES.c.schedule_id)).tuples().all()) if rows else {}
        wanted = [Wanted(row, due[row["id"]]) for row in rows if row["id"] in due]
        jobs = self._firing.fire(session, wanted)
        if wanted:
            released = [
                {"key": one.pattern["id"], "due": one.due_at, "job": job_id, "now": now}
                for one, job_id in zip(wanted, jobs, strict=True)
            ]
            session.connection().execute(_RELEASE, released)
        left = self._held(session)
        self._complete(session, [row for row in rows if _may_end(row) and row["id"] not in left], now)
        return len(wanted)

    def _skip_held(self, session: Session, job_ids: Sequence[UUID], now: datetime) -> None:
        """Skip what waits of recurring jobs that have ended."""
        if job_ids:
            session.execute(
                update(OCCURRENCES)
                .where(OCCURRENCES.c.schedule_id.in_(job_ids), OCCURRENCES.c.held_since.is_not(None))
                .values(outcome=Outcome.SKIPPED, reason="the recurring job ended before", held_since=None, noted_at=now)
            )


def _judged(rows: Sequence[Row], now: datetime, objections: Mapping[UUID, str], against: str) -> Iterator[_Judged]:
    """Give the recurring jobs with their due times, as many as one transaction should write.

    *objections*, by their ids, and *against* are reasons to skip them.
    """
    left = ROWS_A_TURN
    for row in rows:
        if left <= 0:
            return
        request = to_request(row)
        found = recurrence.parse(request.rule, request.gap, request.fold)
        # By the job's own next due time: that is what has been locked, and is as the last turn left it.
        verdicts, following = judge(request, found, row["starts_at"] - _INSTANT, now, min(ROWS_EACH, left))
        reason = against or ("disabled" if row["state"] == State.DISABLED else objections.get(row["id"], ""))
        if reason:
            verdicts = [Verdict(one.due_at, reason) for one in verdicts]
        left -= len(verdicts)
        yield _Judged(row, request, verdicts, following)


def _add(turn: _Turn, one: _Judged, active: UUID | None, held: int) -> None:
    """Add to *turn* what is to be written of *one*; its latest occurrence is *active*, and so many are *held*."""
    key = one.row["id"]
    for verdict, outcome, reason in _outcomes(one, active is not None, held):
        entry = new_entry(key, verdict.due_at, turn.now, outcome, reason)
        held += outcome is Outcome.HELD
        turn.entries.append(entry)
        if outcome is Outcome.FIRED:
            turn.fired.append((entry, Wanted(one.row, verdict.due_at)))
            if active is not None and one.request.overlap is Overlap.CANCEL:
                turn.aborted.append(active)
    if one.verdicts:
        turn.noted.append({"key": key, "last": one.verdicts[-1].due_at})
    if one.next_due_at is not None:
        turn.moved.append({"key": key, "next": one.next_due_at, "shown": one.next_due_at})
    elif held or stays(one.row):  # what waits must still occur before it is over
        turn.moved.append({"key": key, "next": NEVER, "shown": one.row["sorted_at"]})
    else:
        turn.over.append(one.row)


def _outcomes(one: _Judged, busy: bool, held: int) -> Iterator[tuple[Verdict, Outcome, str]]:
    """Give what becomes of each due time, by the overlap rule; *busy* if the latest occurrence is not over."""
    last = max((verdict.due_at for verdict in one.verdicts if not verdict.reason), default=None)
    for verdict in one.verdicts:
        outcome, reason = Outcome.FIRED, ""
        if verdict.reason:
            outcome, reason = Outcome.SKIPPED, verdict.reason
        elif one.request.overlap is Overlap.SKIP and busy:
            outcome, reason = Outcome.SKIPPED, "overlap: the job before it was active"
        elif one.request.overlap is Overlap.QUEUE and held >= MAX_HELD:
            outcome, reason = Outcome.SKIPPED, f"overlap: {MAX_HELD} waited already"
        elif one.request.overlap is Overlap.QUEUE and (busy or held):
            outcome, reason = Outcome.HELD, "waits for the job before it"
            held += 1
        elif one.request.overlap is Overlap.CANCEL and verdict.due_at != last:
            outcome, reason = Outcome.SKIPPED, "overlap: the next one was due as well"
        busy |= outcome is Outcome.FIRED
        yield verdict, outcome, reason


def _may_end(row: Row) -> bool:
    """Whether the recurring job has no due time any more, and none on demand."""
    return row["starts_at"] == NEVER and not stays(row)


def _is_live(row: Row, now: datetime) -> bool:
    """Whether what waits of the recurring job may occur now."""
    return row["state"] == State.SCHEDULED and (row["paused_until"] is None or row["paused_until"] <= now)
