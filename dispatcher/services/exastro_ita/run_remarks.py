"""Run remarks: those that conductors had when a run began are the remarks of it, and of the runs that it calls.

So the vendor has it: ``NOTE`` of the conductor becomes ``remarks`` and ``instance_source_remarks`` of its instance.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from dispatcher.core.jobs import WhatKind
from dispatcher.services.library.catalogue import Library

_MEMBER = "remarks"


def details_of(session: Session, library: Library, conductor_id: UUID) -> dict[str, Any]:
    """Return what a new run of the conductor keeps (``ItaRun.details``): its remarks, and those of what it calls."""
    found: dict[str, str] = {}
    seen: set[UUID] = set()
    level = {conductor_id}
    while level:
        seen |= level
        entries = [library.definition(session, WhatKind.RUNBOOK, key) for key in level]
        there = [entry for entry in entries if entry is not None]
        found |= {str(entry.id): entry.what.description for entry in there if entry.what.description}
        level = {UUID(key) for entry in there for key in _called(entry.document)} - seen
    return {_MEMBER: found} if found else {}


def remarks_in(details: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the remarks in the *details* of a run, by the ids of the conductors."""
    found: Mapping[str, str] = details.get(_MEMBER, {})
    return found


def _called(document: Mapping[str, Any]) -> list[str]:
    return [step["what"]["id"] for step in document["steps"] if step["kind"] == WhatKind.RUNBOOK]
