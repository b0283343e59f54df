"""Recurring jobs on the wire: their rules, and their ledger. Total and pure, as ``translate``."""

from __future__ import annotations

from datetime import timedelta
from enum import Enum
from typing import Any, TypeVar

from dispatcher.bindings.ivanti_automation import contract
from dispatcher.core.errors import InvalidValue
from dispatcher.core.schedules import (
    LONGEST_MISFIRE_WINDOW,
    LedgerEntry,
    LedgerPage,
    Misfire,
    Overlap,
    RecurrenceRequest,
)
from dispatcher.core.wallclock import Fold, Gap
from dispatcher.wire.guids import format_guid
from dispatcher.wire.types import new

_Choice = TypeVar("_Choice", bound=Enum)
_DEFAULTS = RecurrenceRequest("")


def to_recurrence(when: Any) -> RecurrenceRequest | None:
    """Return how a ``JobWhen`` recurs: ``RecurringSchedule`` is RFC 5545 text (contract section 12); None if once.

    :raises InvalidValue: if that is none, or a member of its ``Recurrence`` none of the words or numbers it may be.
    """
    if not (when.RecurringSchedule or "").strip():
        return None
    more = when.Recurrence
    if more is None:
        return _possible(RecurrenceRequest(when.RecurringSchedule))
    return _possible(
        RecurrenceRequest(
            when.RecurringSchedule,
            gap=_choice(Gap, more.DaylightGap, "DaylightGap", _DEFAULTS.gap),
            fold=_choice(Fold, more.DaylightRepeat, "DaylightRepeat", _DEFAULTS.fold),
            misfire=_choice(Misfire, more.MisfireRule, "MisfireRule", _DEFAULTS.misfire),
            misfire_window=_window(more.MisfireWindowSeconds),
            overlap=_choice(Overlap, more.OverlapRule, "OverlapRule", _DEFAULTS.overlap),
            paused_until=more.PausedUntil,
        )
    )


def to_wire_recurrence(recurrence: RecurrenceRequest) -> Any:
    """Return the rules of *recurrence* as a ``JobRecurrence``."""
    return new(
        contract.JobRecurrence,
        DaylightGap=recurrence.gap.value,
        DaylightRepeat=recurrence.fold.value,
        MisfireRule=recurrence.misfire.value,
        MisfireWindowSeconds=int(recurrence.misfire_window.total_seconds()),
        OverlapRule=recurrence.overlap.value,
        PausedUntil=recurrence.paused_until,
    )


def to_wire_ledger(page: LedgerPage) -> Any:
    """Return *page* as an ``OccurrencePage``, which echoes the page asked for as every page does."""
    return new(
        contract.OccurrencePage,
        CurrentPage=page.page,
        Items=[_to_wire_occurrence(entry) for entry in page.items],
        PageCount=-(-page.total // page.page_size),
        PageSize=page.page_size,
        TotalCount=page.total,
    )


def _to_wire_occurrence(entry: LedgerEntry) -> Any:
    return new(
        contract.JobOccurrence,
        DueDateTime=entry.due_at,
        JobID=format_guid(entry.job_id) if entry.job_id else None,
        NotedDateTime=entry.noted_at,
        Outcome=entry.outcome.name.capitalize(),
        Reason=entry.reason,
    )


def _possible(request: RecurrenceRequest) -> RecurrenceRequest:
    """Return *request* if its rule can be read: the core names the part of it that cannot, but not the member."""
    try:
        request.read()
    except InvalidValue as error:
        raise InvalidValue("When/RecurringSchedule", error.message.removeprefix("recurrence: ")) from None
    return request


def _window(seconds: int | None) -> timedelta:
    if seconds is None:
        return _DEFAULTS.misfire_window
    longest = int(LONGEST_MISFIRE_WINDOW.total_seconds())
    if not 0 <= seconds <= longest:
        raise InvalidValue("When/Recurrence/MisfireWindowSeconds", f"{seconds} is not from 0 to {longest}")
    return timedelta(seconds=seconds)


def _choice(choices: type[_Choice], text: str | None, member: str, default: _Choice) -> _Choice:
    if not text:
        return default
    for choice in choices:
        if choice.value == text.strip().lower():
            return choice
    words = ", ".join(str(choice.value) for choice in choices)
    raise InvalidValue(f"When/Recurrence/{member}", f"{text!r} is none of {words}")
