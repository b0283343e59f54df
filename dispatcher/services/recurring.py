"""Recurring: how the schedule of a recurring job is stored, and read again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, insert, or_, select, update
from sqlalchemy.orm import Session

from dispatcher.core.schedules import NEVER, Misfire, Outcome, Overlap, RecurrenceRequest
from dispatcher.core.states import State
from dispatcher.core.wallclock import Fold, Gap
from dispatcher.datastore.jobs import JOBS
from dispatcher.datastore.schedules import SCHEDULES

#: Whether somebody has ended the recurring job of a row, as ``end`` does; ``is_over`` asks it of one that is read.
IS_ENDED = (JOBS.c.state == State.CANCELLED) & (JOBS.c.starts_at >= JOBS.c.stopped_at)


def insert_schedule(session: Session, job_id: UUID, request: RecurrenceRequest) -> None:
    """Store how the recurring job, which is stored already, occurs."""
    session.connection().execute(insert(SCHEDULES), {"job_id": job_id, **_columns(request), "last_due_at": None})


def replace_schedule(session: Session, job_id: UUID, request: RecurrenceRequest) -> bool:
    """Let the recurring job, which is locked, occur as *request* says; return whether it has other due times then.

    A pause stays, unless *request* has another one.
    """
    old = session.connection().execute(select(SCHEDULES).where(SCHEDULES.c.job_id == job_id)).mappings().one()
    columns = _columns(request)
    if request.paused_until is None:
        del columns["paused_until"]
    session.connection().execute(update(SCHEDULES).where(SCHEDULES.c.job_id == job_id).values(**columns))
    return any(old[name] != columns[name] for name in ("rule", "gap", "fold"))


def _columns(request: RecurrenceRequest) -> dict[str, Any]:
    return {
        "rule": request.rule,
        "gap": request.gap,
        "fold": request.fold,
        "misfire": request.misfire,
        "misfire_window_s": int(request.misfire_window.total_seconds()),
        "overlap": request.overlap,
        "paused_until": request.paused_until,
    }


def new_entry(job_id: UUID, due_at: datetime, now: datetime, outcome: Outcome, reason: str = "") -> dict[str, Any]:
    """Return what comes into the ledger of the recurring job at *now* of a due time; its job is to be added."""
    return {
        "schedule_id": job_id,
        "due_at": due_at,
        "outcome": outcome,
        "reason": reason,
        "job_id": None,
        "noted_at": now,
        "held_since": now if outcome is Outcome.HELD else None,
    }


def read_schedules(session: Session, job_ids: Sequence[UUID]) -> dict[UUID, RecurrenceRequest]:
    """Return how the recurring jobs occur, by their ids."""
    rows = session.connection().execute(select(SCHEDULES).where(SCHEDULES.c.job_id.in_(job_ids))).mappings()
    return {row["job_id"]: to_request(row) for row in rows}


def skip_until(session: Session, job_id: UUID, moment: datetime) -> None:
    """Let the due times of a recurring job up to *moment* be skipped, those too that are not in the ledger yet."""
    paused_until = SCHEDULES.c.paused_until
    is_shorter = or_(paused_until.is_(None), paused_until < moment)
    mine = update(SCHEDULES).where(SCHEDULES.c.job_id == job_id, is_shorter)
    session.connection().execute(mine.values(paused_until=moment))


def end(session: Session, job_id: UUID, now: datetime, **values: str) -> None:
    """End the recurring job for good, also one that is over: it is cancelled, with these *values*."""
    ended = {"state": State.CANCELLED, "starts_at": NEVER, "stopped_at": func.coalesce(JOBS.c.stopped_at, now)}
    session.execute(update(JOBS).where(JOBS.c.id == job_id).values(**ended, **values))


def stays(row: Mapping[Any, Any]) -> bool:
    """Whether the recurring job *row* (its columns) goes on without a due time: something else lets it occur."""
    options = row["options"] or {}
    return bool(options.get("on_change") or (options.get("stays") and not ends_as_last(row)))


def ends_as_last(row: Mapping[Any, Any]) -> bool:
    """Whether the recurring job *row* (its columns) ends with its last occurrence, as that one does."""
    return bool((row["options"] or {}).get("ends_as_last"))


def is_over(row: Mapping[Any, Any]) -> bool:
    """Whether the recurring job *row* (its columns) has no due time any more, and nobody has ended it."""
    if row["state"] == State.COMPLETED or not ends_as_last(row):
        return bool(row["state"] == State.COMPLETED)
    if row["state"] == State.CANCELLED:  # its last occurrence has been, or else it had a due time
        return bool(row["starts_at"] < row["stopped_at"])
    return row["state"] not in (State.SCHEDULED, State.DISABLED)


def to_request(row: Mapping[Any, Any]) -> RecurrenceRequest:
    """Return how the stored schedule *row* (its columns) occurs."""
    return RecurrenceRequest(
        row["rule"],
        Gap(row["gap"]),
        Fold(row["fold"]),
        Misfire(row["misfire"]),
        timedelta(seconds=row["misfire_window_s"]),
        Overlap(row["overlap"]),
        row["paused_until"],
    )
