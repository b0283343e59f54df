"""Regular executions: the records of ``conductor_regularly_execution`` are the recurring jobs of run books.

When such a job is due is its rule in the core, whichever dialect has made it; which operation it is for, and the words
that the rule was said in, are in ``ItaDetail``. Where the rule has been changed since, or was made elsewhere, the
columns say what it is now, as far as a period says the same. Discard is the pause of the job, Delete its end.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

from sqlalchemy import and_, delete, insert, select, update

from dispatcher.core.errors import InvalidValue
from dispatcher.core.jobs import JobRequest, Options, WhatChoice, WhatKind, When, WhoChoice, WhoKind
from dispatcher.core.permissions import Node, Right
from dispatcher.core.schedules import DEMAND, NEVER, Misfire, RecurrenceRequest
from dispatcher.core.states import FINISHED, State
from dispatcher.datastore.base import Row
from dispatcher.datastore.exastro_ita import ITA_DETAILS
from dispatcher.datastore.jobs import JOBS
from dispatcher.datastore.schedules import SCHEDULES
from dispatcher.services.aborting import Aborting
from dispatcher.services.exastro_ita.library_records import folders_of_others, is_below
from dispatcher.services.exastro_ita.messages import NO_COLUMN, Message
from dispatcher.services.exastro_ita.periods import from_rule, to_rule
from dispatcher.services.exastro_ita.records import Action, Change, Found, Record, Scope
from dispatcher.services.exastro_ita.regular_occurrences import (
    MENU,
    Obstacle,
    Regular,
    RegularOccurrences,
    to_regular,
)
from dispatcher.services.exastro_ita.regular_values import SCHEDULE, faults_of, out_of_range, to_timetable, to_values
from dispatcher.services.exastro_ita.run_values import inputs_of
from dispatcher.services.library.catalogue import Library
from dispatcher.services.locking import lock_jobs
from dispatcher.services.schedules import Schedules
from dispatcher.services.scheduling import Scheduling
from dispatcher.services.settings import Settings

_IN_OPERATION, _COMPLETED, _UNEXPECTED = "2", "3", "6"
#: What is kept of a record beside the schedule.
_KEPT = ("conductor_name", "operation_name", "execution_user", "remarks", *SCHEDULE)
_MINE = ITA_DETAILS.c.menu == MENU


class RegularExecutions:
    """The source of ``conductor_regularly_execution``. May be used by many threads."""

    def __init__(
        self,
        *,
        scheduling: Scheduling,
        schedules: Schedules,
        aborting: Aborting,
        library: Library,
        settings: Settings,
        occurrences: RegularOccurrences,
    ) -> None:
        self._scheduling = scheduling
        self._schedules = schedules
        self._aborting = aborting
        self._library = library
        self._settings = settings
        self._occurrences = occurrences

    def read(self, scope: Scope, ids: Collection[UUID] | None = None) -> Iterable[Record]:
        """Give the regular executions, those with *ids* only if given, oldest first.

        :raises Forbidden: without Read on Jobs/Scheduling.
        """
        scope.caller.require(Right.READ, Node.SCHEDULING)
        others = folders_of_others(scope)
        rows = [row for row in self._rows(scope, ids) if self._is_visible(scope, row, others)]
        regulars = [to_regular(row["id"], scope.workspace, _named(row)) for row in rows]
        obstacles = self._occurrences.obstacles(scope.session, regulars)
        return [self._record(row, obstacles.get(row["id"])) for row in rows]

    def lock(self, scope: Scope, ids: Collection[UUID]) -> Mapping[UUID, Record]:
        """Return those of the regular executions that are there, locked until the transaction ends."""
        if ids:
            lock_jobs(scope.session, ids)
        return {record.id: record for record in self.read(scope, ids)}

    def taken(self, scope: Scope, column: str, values: Collection[str]) -> Mapping[str, UUID]:  # noqa: ARG002
        """Return nothing: no column of a regular execution is unique but its id."""
        return {}

    def write(self, scope: Scope, changes: Sequence[Change]) -> Found:
        """Carry out *changes* in order; return what is wrong with some of them.

        :raises Forbidden: without Modify on Jobs/Scheduling, and Read on the conductor and its hosts.
        """
        scope.caller.require(Right.MODIFY, Node.SCHEDULING)
        found: Found = {}
        for change in changes:
            if change.action in (Action.REGISTER, Action.UPDATE):
                faults = out_of_range(change.after, self._settings.site_zone())
                if wrong := faults_of(change.after, scope.language):
                    faults[NO_COLUMN] = wrong
                if faults:
                    found[change.index] = faults
        if not found:
            for change in changes:
                if wrong := self._carry_out(scope, change):
                    found[change.index] = {NO_COLUMN: wrong}
        return found

    def _carry_out(self, scope: Scope, change: Change) -> list[Message]:
        is_over = change.before is not None and change.before.values.get("status") == _UNEXPECTED
        match change.action:
            case Action.REGISTER | Action.UPDATE:
                try:
                    self._schedule(scope, change)
                except InvalidValue as error:  # the conductor may not run as it is
                    return [Message("499-00814", (error.message,))]
            case Action.DISCARD if not is_over:
                self._schedules.pause(change.id, None, scope.caller)
            case Action.RESTORE if not is_over:
                self._schedules.resume(change.id, scope.caller)
            case Action.DELETE:
                self._aborting.end(change.id, scope.caller)
        self._keep(scope, change)
        return []

    def _schedule(self, scope: Scope, change: Change) -> None:
        """Make or change the recurring job."""
        values = change.after
        rule = to_rule(to_timetable(values), self._settings.site_zone()) or DEMAND
        regular = to_regular(change.id, scope.workspace, values)
        hosts = self._occurrences.hosts_of(scope.session, [regular])
        conductor = regular.conductor_id
        entry = self._library.definition(scope.session, WhatKind.RUNBOOK, conductor)
        request = JobRequest(
            what=[WhatChoice(conductor, WhatKind.RUNBOOK)],
            # Those of now: each occurrence has those of then.
            who=[WhoChoice([one.id], WhoKind.AGENT) for found in hosts.values() for one in found],
            when=When(immediate=False, recurrence=RecurrenceRequest(rule, misfire=Misfire.SKIP)),
            description=entry.name if entry else "",
            options=_options(regular),
            id=change.id,
        )
        if rule != DEMAND and _is_over(rule, scope):
            request.when.recurrence = RecurrenceRequest(DEMAND)
        if change.action is Action.REGISTER:
            self._scheduling.submit(request, scope.caller)
        else:
            self._scheduling.change(change.id, request, scope.caller)

    def _keep(self, scope: Scope, change: Change) -> None:
        """Keep what only this menu knows of the recurring job."""
        connection, mine = scope.session.connection(), _MINE & (ITA_DETAILS.c.object_id == change.id)
        if change.action is Action.DELETE:
            connection.execute(delete(ITA_DETAILS).where(mine))
            return
        values = {name: change.after.get(name) for name in _KEPT}
        if change.action in (Action.REGISTER, Action.UPDATE):
            values["execution_user"] = scope.caller.name
        detail = {"values": values, "is_discarded": change.is_discarded}
        detail |= {"changed_at": scope.now, "changed_by": scope.caller.name[:255]}
        if not connection.execute(update(ITA_DETAILS).where(mine).values(**detail)).rowcount:
            place = {"workspace_id": scope.workspace.id, "object_id": change.id, "menu": MENU}
            connection.execute(insert(ITA_DETAILS), {**place, **detail})

    def _rows(self, scope: Scope, ids: Collection[UUID] | None) -> Sequence[Row]:
        columns = ("workspace_id", "values", "is_discarded", "changed_at", "changed_by")
        query = (
            select(JOBS, SCHEDULES.c.rule, *(ITA_DETAILS.c[name].label(f"detail_{name}") for name in columns))
            .join(SCHEDULES, SCHEDULES.c.job_id == JOBS.c.id)
            .outerjoin(ITA_DETAILS, and_(ITA_DETAILS.c.object_id == JOBS.c.id, _MINE))
            .where(JOBS.c.is_recurring, JOBS.c.is_runbook, JOBS.c.state != State.CANCELLED)
            .order_by(JOBS.c.number)
        )
        if ids is not None:
            query = query.where(JOBS.c.id.in_(list(ids)))
        return scope.session.connection().execute(query).mappings().all()

    def _is_visible(self, scope: Scope, row: Row, others: Collection[str]) -> bool:
        """Whether the recurring job belongs to the workspace, or to none and the caller may read what it runs."""
        if row["detail_workspace_id"] is not None:
            return bool(row["detail_workspace_id"] == scope.workspace.id)
        entry = self._library.definition(scope.session, WhatKind.RUNBOOK, UUID(row["what"][0]["id"]))
        if entry is None or not scope.caller.may(Right.READ, entry.thing):
            return False
        return not is_below(entry.what.folder, others)

    def _record(self, row: Row, obstacle: Obstacle | None) -> Record:
        values = {**_named(row), **self._when(row)}
        state, is_finished = State(row["state"]), row["state"] in FINISHED
        has_next = not is_finished and row["starts_at"] != NEVER
        values["next_execution_date"] = row["starts_at"].isoformat() if has_next else None
        values["status"] = obstacle.value if obstacle else _IN_OPERATION
        if not has_next:
            values["status"] = _UNEXPECTED if state is State.FAILED else _COMPLETED
        return Record(
            id=row["id"],
            values=values,
            is_discarded=bool(row["detail_is_discarded"]) if is_finished else state is State.DISABLED,
            changed_at=row["detail_changed_at"] or row["created_at"],
            changed_by=row["detail_changed_by"] or row["invoker_info"],
        )

    def _when(self, row: Row) -> dict[str, Any]:
        """Return the columns that say when it runs: as they were sent, while the rule still says the same."""
        kept = row["detail_values"]
        zone = self._settings.site_zone()
        if kept and kept.get("start_date"):
            with suppress(InvalidValue):  # by the clocks of before it was in a year that rules have
                if row["rule"] in (to_rule(to_timetable(kept), zone), DEMAND):
                    return {name: kept.get(name) for name in SCHEDULE}
        return to_values(from_rule(row["rule"], zone))


def _options(regular: Regular) -> Options:
    """Return the options of the recurring job, which its occurrences have as well."""
    options: Options = {"stays": True}
    if regular.operation_id is not None:
        options["inputs"] = inputs_of(regular.operation_id)
    return options


def _is_over(rule: str, scope: Scope) -> bool:
    found = RecurrenceRequest(rule).read()
    return found is None or found.after(scope.now) is None


def _named(row: Row) -> dict[str, Any]:
    """Return what a record says beside the schedule."""
    kept = row["detail_values"] or {}
    return {
        "conductor_name": row["what"][0]["id"],
        "operation_name": kept.get("operation_name"),
        "execution_user": kept.get("execution_user") or row["invoker_info"],
        "remarks": kept.get("remarks"),
    }
