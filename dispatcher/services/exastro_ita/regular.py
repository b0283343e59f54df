"""Regular executions: the records of ``conductor_regularly_execution`` are the recurring jobs of run books.

When such a job is due is its rule in the core, whichever dialect has made it; which operation it is for, and the words
that the rule was said in, are in ``ItaDetail``. Where the rule has been changed since, or was made elsewhere, the
columns say what it is now, as far as a period says the same. Discard is the pause of the job, Delete its end.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy import and_, select

from dispatcher.core.errors import InvalidMove, InvalidValue
from dispatcher.core.jobs import JobRequest, Options, WhatChoice, WhatKind, When, Who, WhoChoice, WhoKind
from dispatcher.core.permissions import Node, Right
from dispatcher.core.schedules import DEMAND, NEVER, Misfire, RecurrenceRequest
from dispatcher.core.states import FINISHED, State
from dispatcher.datastore.base import Row
from dispatcher.datastore.exastro_ita import ITA_DETAILS
from dispatcher.datastore.jobs import JOBS
from dispatcher.datastore.schedules import SCHEDULES
from dispatcher.services.aborting import Aborting
from dispatcher.services.exastro_ita import regular_details
from dispatcher.services.exastro_ita.conductor_parts import problem_of
from dispatcher.services.exastro_ita.library_records import folders_of_others, is_below
from dispatcher.services.exastro_ita.messages import NO_COLUMN, Message
from dispatcher.services.exastro_ita.periods import from_rule, to_rule
from dispatcher.services.exastro_ita.records import Action, Change, Found, Record, Scope
from dispatcher.services.exastro_ita.regular_changes import LastChange, changed, last_changes
from dispatcher.services.exastro_ita.regular_occurrences import Obstacle, Regular, RegularOccurrences, to_regular
from dispatcher.services.exastro_ita.regular_values import (
    SCHEDULE,
    faults_of,
    missing,
    out_of_range,
    to_timetable,
    to_values,
)
from dispatcher.services.exastro_ita.run_values import inputs_of
from dispatcher.services.library.catalogue import Library
from dispatcher.services.locking import lock_jobs
from dispatcher.services.portions import portions
from dispatcher.services.schedules import Schedules
from dispatcher.services.scheduling import Scheduling
from dispatcher.services.settings import Settings

_IN_OPERATION, _COMPLETED, _UNEXPECTED = "2", "3", "6"
#: Where a recurring job stands that has due times, or waits for them: all others are over, or may soon be.
_RECURS = (State.SCHEDULED, State.DISABLED)
#: Hosts by operation.
HostsOf = Mapping[UUID, Sequence[Who]]


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
        theirs = regular_details.owned_by_others(scope, ids)
        rows = [row for row in self._rows(scope, ids) if row["id"] not in theirs]
        rows = [row for row in rows if self._is_visible(scope, row, others)]
        regulars = [to_regular(row["id"], scope.workspace, _named(row)) for row in rows]
        obstacles = self._occurrences.obstacles(scope.session, regulars)
        last = last_changes(scope.session, [row["id"] for row in rows])
        return [self._record(row, obstacles.get(row["id"]), last.get(row["id"])) for row in rows]

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
        work = [(change, changed(change)) for change in changes]
        found: Found = {}
        for change, made in work:
            if not made.isdisjoint(SCHEDULE) and (faults := self._faults(scope, change)):
                found[change.index] = faults
        if found:
            return found
        regulars = [to_regular(change.id, scope.workspace, change.after) for change, made in work if made]
        hosts = self._occurrences.hosts_of(scope.session, regulars)
        problems = self._problems(scope, regulars, hosts)
        over = _over(scope, [change.id for change, _ in work])
        for change, made in work:
            if made and change.id in problems:
                found[change.index] = {NO_COLUMN: [Message("499-00814", (problems[change.id],))]}
            elif wrong := self._carry_out(scope, change, made, hosts, is_over=change.id in over):
                found[change.index] = {NO_COLUMN: wrong}
            elif made:
                over.discard(change.id)
        return found

    def _problems(self, scope: Scope, regulars: Sequence[Regular], hosts: HostsOf) -> dict[UUID, str]:
        """Return why some of *regulars* could never run as they are to be, by their ids.

        Each conductor is looked at once. That its operation has no host now keeps nobody from waiting for one.
        """
        obstacles = self._occurrences.obstacles(scope.session, regulars, hosts)
        found = {key: one.reason for key, one in obstacles.items() if one is not Obstacle.NO_HOST}
        parts = {key: problem_of(scope, key) for key in {one.conductor_id for one in regulars}}
        return {one.id: text for one in regulars if (text := found.get(one.id) or parts[one.conductor_id])}

    def _faults(self, scope: Scope, change: Change) -> dict[str, list[Message]]:
        """Return what is wrong with the schedule that a change makes."""
        faults = missing(change.after) | out_of_range(change.after, self._settings.site_zone())
        if wrong := faults_of(change.after, scope.language):
            faults[NO_COLUMN] = wrong
        return faults

    def _carry_out(
        self, scope: Scope, change: Change, made: frozenset[str], hosts: HostsOf, *, is_over: bool
    ) -> list[Message]:
        """Carry out a change, which changes the columns *made*; *hosts* are those of its operation.

        Of a job that *is over* nothing is paused: only the workspace says that it is discarded.
        """
        match change.action:
            case Action.REGISTER | Action.UPDATE if made:
                try:
                    self._schedule(scope, change, made, hosts)
                except (InvalidMove, InvalidValue) as error:  # it has been ended, or may not run as it is to be
                    return [Message("499-00814", (error.message,))]
            case Action.DISCARD if not is_over:
                self._schedules.pause(change.id, None, scope.caller)
            case Action.RESTORE if not is_over:
                self._schedules.resume(change.id, scope.caller)
            case Action.DELETE:
                self._aborting.end(change.id, scope.caller)
        regular_details.keep(scope, change)
        return []

    def _schedule(self, scope: Scope, change: Change, made: frozenset[str], hosts: HostsOf) -> None:
        """Make the recurring job, or change of it what the columns *made* stand for; all else stays."""
        regular = to_regular(change.id, scope.workspace, change.after)
        if change.action is Action.REGISTER:
            request = JobRequest([], [], When(recurrence=RecurrenceRequest(DEMAND, misfire=Misfire.SKIP)), id=change.id)
        else:
            request = self._scheduling.requested(scope.session, change.id)
        options: Options = {**request.options} if request.options else {}
        if "conductor_name" in made:
            request.what, request.parameters = [WhatChoice(regular.conductor_id, WhatKind.RUNBOOK)], []
        if regular.operation_id is not None:
            options["inputs"] = inputs_of(regular.operation_id)
            # Those of now: each occurrence has those of then.
            request.who = [WhoChoice([one.id], WhoKind.AGENT) for one in hosts.get(regular.operation_id, ())]
        if request.when.recurrence is not None and not made.isdisjoint(SCHEDULE):
            options["stays"] = True
            rule = self._rule(scope, change.after)
            request.when.recurrence = replace(request.when.recurrence, rule=rule)
        request.options = options
        if change.action is Action.REGISTER:
            self._scheduling.submit(request, scope.caller)
        else:
            self._scheduling.change(change.id, request, scope.caller)

    def _rule(self, scope: Scope, values: Mapping[str, Any]) -> str:
        """Return the rule of a schedule, that of none if nothing is due any more."""
        rule = to_rule(to_timetable(values), self._settings.site_zone())
        return DEMAND if rule is None or _is_over(rule, scope) else rule

    def _rows(self, scope: Scope, ids: Collection[UUID] | None) -> Sequence[Row]:
        columns = ("values", "is_discarded", "changed_at", "changed_by")
        query = (
            select(JOBS, SCHEDULES.c.rule, *(ITA_DETAILS.c[name].label(f"detail_{name}") for name in columns))
            .join(SCHEDULES, SCHEDULES.c.job_id == JOBS.c.id)
            .outerjoin(ITA_DETAILS, and_(ITA_DETAILS.c.object_id == JOBS.c.id, regular_details.of_workspace(scope)))
            .where(JOBS.c.is_recurring, JOBS.c.is_runbook, JOBS.c.state != State.CANCELLED)
            .order_by(JOBS.c.number)
        )
        if ids is not None:
            query = query.where(JOBS.c.id.in_(list(ids)))
        return scope.session.connection().execute(query).mappings().all()

    def _is_visible(self, scope: Scope, row: Row, others: Collection[str]) -> bool:
        """Whether the recurring job belongs to the workspace, or to none and the caller may read what it runs.

        *others* are the folders of other workspaces.
        """
        if regular_details.is_owned(row["detail_values"]):
            return True
        entry = self._library.definition(scope.session, WhatKind.RUNBOOK, UUID(row["what"][0]["id"]))
        if entry is None or not scope.caller.may(Right.READ, entry.thing):
            return False
        return not is_below(entry.what.folder, others)

    def _record(self, row: Row, obstacle: Obstacle | None, last: LastChange | None) -> Record:
        values = {**_named(row), **self._when(row)}
        state, is_finished = State(row["state"]), row["state"] in FINISHED
        has_next = not is_finished and row["starts_at"] != NEVER
        values["next_execution_date"] = row["starts_at"].isoformat() if has_next else None
        values["status"] = obstacle.value if obstacle else _IN_OPERATION
        if not has_next:
            values["status"] = _UNEXPECTED if state is State.FAILED else _COMPLETED
        changed_at = row["detail_changed_at"] or row["created_at"]
        changed_by = row["detail_changed_by"] or row["invoker_info"]
        if last is not None and last.at > changed_at:  # somebody has changed it elsewhere since
            changed_at, changed_by = last.at, last.by
        return Record(
            id=row["id"],
            values=values,
            is_discarded=state is State.DISABLED if state in _RECURS else bool(row["detail_is_discarded"]),
            changed_at=changed_at,
            changed_by=changed_by,
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


def _over(scope: Scope, ids: Collection[UUID]) -> set[UUID]:
    """Return those of the recurring jobs that cannot be paused."""
    found: set[UUID] = set()
    for some in portions(ids):
        query = select(JOBS.c.id).where(JOBS.c.id.in_(some), JOBS.c.state.not_in(_RECURS))
        found.update(scope.session.connection().execute(query).scalars())
    return found


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
