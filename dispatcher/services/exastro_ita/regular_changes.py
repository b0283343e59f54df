"""Regular changes: what changes of a regular execution, here and by whoever changes its recurring job elsewhere."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from dispatcher.datastore.audit import AUDIT
from dispatcher.services.exastro_ita.records import Action, Change
from dispatcher.services.exastro_ita.regular_values import SCHEDULE
from dispatcher.services.portions import portions

#: The columns that a recurring job is made of; all others are only said of it.
_MADE_OF = ("conductor_name", "operation_name", *SCHEDULE)
#: What the audit calls changes of recurring jobs that records show.
_ACTIONS = ("job.changed", "job.paused", "job.resumed", "job.disabled", "job.enabled", "job.aborted")


class LastChange(NamedTuple):
    """When a recurring job was last changed, by whomever, in whichever dialect."""

    at: datetime
    by: str


def changed(change: Change) -> frozenset[str]:
    """Return the columns of which *change* makes something else, as far as the recurring job is made of them."""
    if change.action not in (Action.REGISTER, Action.UPDATE):
        return frozenset()
    if change.before is None:
        return frozenset(_MADE_OF)
    before, sent = change.before.values, change.values
    return frozenset(name for name in _MADE_OF if name in sent and _plain(sent[name]) != _plain(before.get(name)))


def _plain(value: Any) -> Any:
    return None if value in ("", []) else value


def last_changes(session: Session, job_ids: Collection[UUID]) -> dict[UUID, LastChange]:
    """Return the last change of each of the recurring jobs that the audit has one of."""
    found: dict[UUID, LastChange] = {}
    for some in portions(job_ids):
        theirs = AUDIT.c.object_id.in_(some), AUDIT.c.action.in_(_ACTIONS)
        latest = select(func.max(AUDIT.c.number)).where(*theirs).group_by(AUDIT.c.object_id)
        query = select(AUDIT.c.object_id, AUDIT.c.at, AUDIT.c.login).where(AUDIT.c.number.in_(latest))
        found |= {key: LastChange(at, by) for key, at, by in session.connection().execute(query).tuples()}
    return found
