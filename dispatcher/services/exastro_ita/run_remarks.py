"""Run remarks: those that conductors had when a run began are the remarks of it, and of the runs that it calls.

So the vendor has it: ``NOTE`` of the conductor becomes ``remarks`` and ``instance_source_remarks`` of its instance.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from dispatcher.core.jobs import WhatKind
from dispatcher.datastore.runbooks import RunBook, RunBookStep
from dispatcher.services.portions import portions

_MEMBER = "remarks"


def details_of(session: Session, conductor_ids: Collection[UUID]) -> dict[UUID, dict[str, Any]]:
    """Return what new runs of the conductors keep (``ItaRun.details``): their remarks, and those of what they call.

    That takes a statement for each level of calls, and one for the remarks, however many conductors there are.
    """
    calls: dict[UUID, set[UUID]] = {}
    level = set(conductor_ids)
    while level:
        calls |= {key: set() for key in level}
        for key, called in _calls(session, level):
            calls[key].add(called)
        level = {called for key in level for called in calls[key]} - calls.keys()
    remarks = dict(_remarks(session, calls))
    found = {key: {str(one): remarks[one] for one in _all_of(key, calls) if one in remarks} for key in conductor_ids}
    return {key: {_MEMBER: some} if some else {} for key, some in found.items()}


def remarks_in(details: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the remarks in the *details* of a run, by the ids of the conductors."""
    found: Mapping[str, str] = details.get(_MEMBER, {})
    return found


def _all_of(conductor_id: UUID, calls: Mapping[UUID, Collection[UUID]]) -> set[UUID]:
    """Return the conductor and all that it calls, at whatever depth."""
    found: set[UUID] = set()
    waiting = [conductor_id]
    while waiting:
        if (key := waiting.pop()) not in found:
            found.add(key)
            waiting += calls[key]
    return found


def _calls(session: Session, conductor_ids: Iterable[UUID]) -> Iterator[tuple[UUID, UUID]]:
    query = select(RunBookStep.runbook_id, RunBookStep.what_id).where(RunBookStep.what_kind == int(WhatKind.RUNBOOK))
    for some in portions(conductor_ids):
        yield from session.execute(query.where(RunBookStep.runbook_id.in_(some))).tuples()


def _remarks(session: Session, conductor_ids: Iterable[UUID]) -> Iterator[tuple[UUID, str]]:
    query = select(RunBook.id, RunBook.description).where(RunBook.description != "")
    for some in portions(conductor_ids):
        yield from session.execute(query.where(RunBook.id.in_(some))).tuples()
