"""Regular details: what a workspace alone knows of a recurring job, beside what this is in the core.

A recurring job belongs to the workspace that knows an operation for it: its runs are conductor runs of that. What
others say of one that belongs to nobody, such as their remarks, is for each of them alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import delete, insert, select, update

from dispatcher.datastore.exastro_ita import ITA_DETAILS
from dispatcher.services.exastro_ita.records import Action, Change, Scope
from dispatcher.services.exastro_ita.regular_occurrences import MENU
from dispatcher.services.exastro_ita.regular_values import SCHEDULE
from dispatcher.services.portions import portions

#: What is kept of a record beside the schedule.
_KEPT = ("conductor_name", "operation_name", "execution_user", "remarks", *SCHEDULE)
_OF_MENU = ITA_DETAILS.c.menu == MENU


def of_workspace(scope: Scope) -> Any:
    """Return the condition of the details of the workspace."""
    return _OF_MENU & (ITA_DETAILS.c.workspace_id == scope.workspace.id)


def is_owned(values: Mapping[str, Any] | None) -> bool:
    """Whether a recurring job belongs to the workspace that knows these *values* of it."""
    return bool(values and values.get("operation_name"))


def owned_by_others(scope: Scope, ids: Collection[UUID] | None) -> set[UUID]:
    """Return the recurring jobs, of *ids* only if given, that belong to other workspaces."""
    query = select(ITA_DETAILS.c.object_id, ITA_DETAILS.c["values"])
    query = query.where(_OF_MENU, ITA_DETAILS.c.workspace_id != scope.workspace.id)
    parts = [query] if ids is None else [query.where(ITA_DETAILS.c.object_id.in_(some)) for some in portions(ids)]
    rows = (row for part in parts for row in scope.session.connection().execute(part).tuples())
    return {key for key, values in rows if is_owned(values)}


def keep(scope: Scope, change: Change) -> None:
    """Keep what the workspace alone knows of the recurring job after *change*; of one that is deleted nobody does."""
    connection, this = scope.session.connection(), ITA_DETAILS.c.object_id == change.id
    if change.action is Action.DELETE:
        connection.execute(delete(ITA_DETAILS).where(_OF_MENU, this))
        return
    values = {name: change.after.get(name) for name in _KEPT}
    # What belongs to nobody here is of another dialect, and its runs are those of whom they were.
    if change.action in (Action.REGISTER, Action.UPDATE) and is_owned(values):
        values["execution_user"] = scope.caller.name
    detail = {"values": values, "is_discarded": change.is_discarded}
    detail |= {"changed_at": scope.now, "changed_by": scope.caller.name[:255]}
    if not connection.execute(update(ITA_DETAILS).where(of_workspace(scope), this).values(**detail)).rowcount:
        place = {"workspace_id": scope.workspace.id, "object_id": change.id, "menu": MENU}
        connection.execute(insert(ITA_DETAILS), {**place, **detail})
