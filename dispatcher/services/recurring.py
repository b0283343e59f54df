"""Recurring: how the schedule of a recurring job is stored, and read again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import insert, or_, select, update
from sqlalchemy.orm import Session

from dispatcher.core.schedules import Misfire, Outcome, Overlap, RecurrenceRequest
from dispatcher.core.wallclock import Fold, Gap
from dispatcher.datastore.schedules import SCHEDULES


def insert_schedule(session: Session, job_id: UUID, request: RecurrenceRequest) -> None:
    """Store how the recurring job, which is stored already, occurs."""
    row: dict[str, Any] = {
        "job_id": job_id,
        "rule": request.rule,
        "gap": request.gap,
        "fold": request.fold,
        "misfire": request.misfire,
        "misfire_window_s": int(request.misfire_window.total_seconds()),
        "overlap": request.overlap,
        "paused_until": request.paused_until,
        "last_due_at": None,
    }
    session.connection().execute(insert(SCHEDULES), row)


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
