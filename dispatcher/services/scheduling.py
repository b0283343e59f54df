"""Scheduling: a caller's request becomes a job that survives whatever comes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from dispatcher.core import local_time, options
from dispatcher.core.errors import InvalidMove, InvalidValue, JobNotFound
from dispatcher.core.given_sets import matched
from dispatcher.core.jobs import (
    GivenSet,
    Job,
    JobRequest,
    Options,
    WhatChoice,
    WhatKind,
    When,
    WhoChoice,
    WhoKind,
)
from dispatcher.core.parameters import GivenValue, ParameterType, Values
from dispatcher.core.permissions import Caller, Node, Right
from dispatcher.core.ports import Ports
from dispatcher.core.schedules import NEVER, RecurrenceRequest
from dispatcher.core.states import FINISHED, State
from dispatcher.datastore.base import Row
from dispatcher.datastore.jobs import JOBS, SET_JOB
from dispatcher.datastore.transactions import Datastore, after_commit
from dispatcher.services import audit, late
from dispatcher.services.activation import Activation
from dispatcher.services.audit import Subject
from dispatcher.services.jobs import Jobs
from dispatcher.services.library.catalogue import Library, LibraryEntry
from dispatcher.services.locking import lock_jobs
from dispatcher.services.plans import Plans
from dispatcher.services.recurring import insert_schedule, is_over, read_schedules, replace_schedule, stays
from dispatcher.services.runbook_who import RunBookWho
from dispatcher.services.selections import Selection, Selections
from dispatcher.services.settings import Settings
from dispatcher.services.topology import Topology

#: How many things a job may run: all of them are shown wherever it is.
MOST_WHAT = 1_000
#: What ``change`` gives a recurring job anew, whatever becomes of its due times.
_CHANGEABLE = (
    "description",
    "is_runbook",
    "what",
    "who",
    "parameters",
    "use_wake_on_lan",
    "in_parallel",
    "outside_launch_window",
    "tags",
    "options",
)
#: What the audit keeps of that.
_AUDITED = ("description", "what", "who", "options")


class Scheduling:
    """Makes jobs."""

    def __init__(
        self,
        datastore: Datastore,
        ports: Ports,
        *,
        library: Library,
        topology: Topology,
        plans: Plans,
        activation: Activation,
        jobs: Jobs,
        settings: Settings,
        runbook_who: RunBookWho,
    ) -> None:
        self._datastore = datastore
        self._ports = ports
        self._settings = settings
        self._selections = Selections(library, topology)
        self._plans = plans
        self._runbook_who = runbook_who
        self._activation = activation
        self._jobs = jobs

    def submit(self, request: JobRequest, caller: Caller) -> Job:
        """Store the job that *request* asks for and return it; once this returns, it survives a power cut.

        A job that is due is started at once, in the same transaction. The order of ``what`` is kept. With a recurrence
        the job never starts: it is the pattern of those that occur (see ``services.occurrences``).

        :raises InvalidValue: if a member is missing or names nothing; nothing is stored then.
        :raises Forbidden: without Modify on Jobs/Scheduling and Read on every what and who.
        """
        caller.require(Right.MODIFY, Node.SCHEDULING)
        _check_shape(request)
        with self._datastore.begin() as session:
            row = self._made(session, request, caller)
            number: int | None
            if request.when.recurrence is not None:
                _refuse_over(request.when.recurrence, row)
                number = self._activation.insert(session, row)
                insert_schedule(session, row["id"], request.when.recurrence)
                after_commit(session, self._ports.wakeup.engine)
            elif _is_due(request, row):
                number = self._activation.insert_and_activate(session, row)
            else:
                number = self._activation.insert(session, row)
                after_commit(session, self._ports.wakeup.engine)
            if number is None:
                return self._jobs.get_in(session, row["id"])
            row["number"] = number
            return self._jobs.to_job(session, row, request.when.recurrence)

    def change(self, job_id: UUID, request: JobRequest, caller: Caller) -> Job:
        """Make the recurring job what *request* asks for, and return it: what it runs, on whom, how and when.

        Its id, its number, who made it, its ledger and the jobs that have occurred stay. With the recurrence that it
        has already no due time is lost nor comes again; another one holds from now on, also of one that was over.

        :raises JobNotFound: if there is no recurring job with this id.
        :raises InvalidMove: if somebody has ended it.
        :raises InvalidValue: as ``submit``; nothing is changed then.
        :raises Forbidden: as ``submit``, for what the job is and for what it is to be.
        """
        caller.require(Right.MODIFY, Node.SCHEDULING)
        _check_shape(request)
        recurrence = request.when.recurrence
        if recurrence is None:
            raise InvalidValue("When/RecurringSchedule", "is missing: the job recurs")
        with self._datastore.begin() as session:
            lock_jobs(session, [job_id])
            row = session.connection().execute(select(JOBS).where(JOBS.c.id == job_id)).mappings().first()
            if row is None or not row["is_recurring"]:
                raise JobNotFound(job_id)
            if row["state"] in FINISHED and not is_over(row):
                raise InvalidMove(f"change: not possible for something {State(row['state']).text}")
            self._runbook_who.require_job(session, row, caller)
            made = self._made(session, request, caller, {UUID(item["id"]) for item in row["what"]})
            changes = {name: made[name] for name in _CHANGEABLE}
            before = read_schedules(session, [job_id])[job_id]
            is_new = replace_schedule(session, job_id, recurrence)
            if is_new:
                _refuse_over(recurrence, made)
                after_commit(session, self._ports.wakeup.engine)
            changes |= _due_anew(row, made, is_new=is_new)
            session.connection().execute(SET_JOB, {"key": job_id, **changes})
            subject = Subject("job", changes["description"], job_id)
            old, new = (
                {**{name: one[name] for name in _AUDITED}, "rule": rule}
                for one, rule in ((row, before.rule), (made, recurrence.rule))
            )
            audit.record(session, self._ports.now(), caller, "job.changed", subject, old=old, new=new)
            return self._jobs.get_in(session, job_id)

    def requested(self, session: Session, job_id: UUID) -> JobRequest:
        """Return the request by which ``change`` leaves the recurring job what it is, its secrets open: for a part.

        A description that only says what it runs is left to that.

        :raises JobNotFound: if there is no recurring job with this id.
        """
        row = session.connection().execute(select(JOBS).where(JOBS.c.id == job_id)).mappings().first()
        if row is None or not row["is_recurring"]:
            raise JobNotFound(job_id)
        recurrence = read_schedules(session, [job_id])[job_id]
        sets = zip(row["what"], row["parameters"], strict=False)
        return JobRequest(
            what=[_to_choice(item) for item in row["what"]],
            who=[WhoChoice([UUID(one["id"])], WhoKind(one["kind"])) for one in row["who"]],
            when=When(immediate=False, use_wake_on_lan=row["use_wake_on_lan"], recurrence=recurrence),
            description="" if row["description"] == row["what"][0]["name"] else row["description"],
            parameters=[GivenSet(None, self._values(session, item, stored)) for item, stored in sets],
            in_parallel=row["in_parallel"],
            outside_launch_window=row["outside_launch_window"],
            tags=row["tags"],
            options=row["options"],
        )

    def _values(self, session: Session, item: Mapping[str, Any], stored: Mapping[str, Any]) -> list[GivenValue]:
        """Return the values that a job has *stored* for *item*, one of its ``what``, as a caller gives them."""
        opened = self._plans.open(self._plans.document(session, item), stored) if "definition" in item else []
        given = {
            one.name: GivenValue(one.name, one.value1, one.value2 if one.type is ParameterType.CREDENTIALS else None)
            for one in opened
        }
        return [given.get(name) or GivenValue(name, values[0]) for name, values in stored.items()]

    def _made(
        self, session: Session, request: JobRequest, caller: Caller, has: Collection[UUID] = ()
    ) -> dict[str, Any]:
        """Return the columns of the job that *request* asks for, all checked.

        What it *has* already it may keep, though that was disabled since.
        """
        selection = self._selections.find(session, request, caller, has)
        if not (selection.who or selection.is_runbook or request.may_name_nobody):
            raise InvalidValue("Who", "names no agent or team")
        entries = selection.entries
        values = _values(request.parameters, entries)
        stored = [self._plans.seal(entry.form.secrets, its) for entry, its in zip(entries, values, strict=True)]
        row = self._row(request, selection, stored, caller)
        if selection.is_runbook:
            (book,) = entries  # it is alone
            at_once = _is_due(request, row)
            self._runbook_who.require(session, book.document, book.parameters, values[0], caller, at_once=at_once)
            self._runbook_who.check(session, book.document, values[0])
        return row

    def _row(
        self, request: JobRequest, selection: Selection, parameters: Sequence[Values], caller: Caller
    ) -> dict[str, Any]:
        when = request.when
        stored: Options = {**request.options} if request.options else {}
        row = {**selection.columns, **self._moments(when, stored)}
        row["id"] = request.id or self._ports.new_id()
        if request.description:
            row["description"] = request.description
        row["parameters"] = parameters
        row["invoker_info"] = caller.name
        row["immediate"] = when.immediate and when.recurrence is None
        row["is_recurring"] = when.recurrence is not None
        row["is_local_time"] = when.is_local_time
        row["use_wake_on_lan"] = when.use_wake_on_lan
        row["in_parallel"] = request.in_parallel
        row["outside_launch_window"] = request.outside_launch_window
        row["tags"] = request.tags
        row["options"] = stored or None
        return row

    def _moments(self, when: When, stored: Options) -> dict[str, datetime]:
        """Return when the new job was made, when it starts, and when lists say so; note in *stored* a local time.

        :raises InvalidValue: if there is no such time.
        """
        now = self._ports.now()
        shown_at = starts_at = now if when.immediate or when.starts_at is None else when.starts_at
        if when.is_local_time and not when.immediate:
            # It starts when its time comes anywhere on earth; each run then waits for the clock of its agent.
            stored["local_time"] = local_time.write(shown_at, self._settings.site_zone())
            starts_at = local_time.first_moment(stored["local_time"])
        if when.recurrence is not None:
            shown_at, starts_at = _first_due(when.recurrence, when.since or now)
        return {"created_at": now, "starts_at": starts_at, "sorted_at": shown_at}


def _values(sets: Sequence[GivenSet], entries: Sequence[LibraryEntry]) -> list[Values]:
    """Return the values of all *entries*, with those of *sets* in place."""
    # Something that is run again with the same values is filled once: there may be many of both.
    filled: dict[tuple[Any, ...], Values] = {}
    values = []
    for entry, given in zip(entries, matched(sets, [entry.id for entry in entries]), strict=True):
        key = (entry.kind, entry.id, entry.alias, id(given))
        if key not in filled:
            is_known = entry.alias is None
            filled[key] = entry.form.filled(given) if is_known else late.values(entry.parameters, given)
        values.append(filled[key])
    return values


def _is_due(request: JobRequest, row: Mapping[str, Any]) -> bool:
    """Whether the new job *row* starts at once."""
    return request.when.recurrence is None and row["starts_at"] <= row["created_at"]


def _check_shape(request: JobRequest) -> None:
    if not request.what:
        raise InvalidValue("What", "names nothing to run")
    if len(request.what) > MOST_WHAT:
        raise InvalidValue("What", f"names more than {MOST_WHAT} things to run")
    if request.options:
        options.check(request.options)
    if request.when.recurrence is not None:
        if request.when.is_local_time:
            raise InvalidValue("When/IsLocalTime", "does not go with a recurrence, which names its own time zone")
    elif not request.when.immediate and request.when.starts_at is None:
        raise InvalidValue("When/ScheduledDateTime", "is missing, and Immediate is not true")


def _first_due(request: RecurrenceRequest, since: datetime) -> tuple[datetime, datetime]:
    """Return the first due time from *since* on, as it is shown and as it is stored.

    :raises InvalidValue: if the rule is none.
    """
    found = request.read()
    due = None if found is None else found.after(since - timedelta(microseconds=1))
    return (since, NEVER) if due is None else (due, due)


def _due_anew(row: Row, made: Mapping[str, Any], *, is_new: bool) -> dict[str, Any]:
    """Return the columns by which the recurring job *row* is due as *made* says, if its rule *is_new*."""
    changes: dict[str, Any] = {}
    if is_new:
        changes = {name: made[name] for name in ("starts_at", "sorted_at")}
    elif is_over(row) and stays(made):
        changes = {"starts_at": NEVER}
    if changes and is_over(row):  # over no more: the same job, but another schedule
        changes |= {"state": State.SCHEDULED, "stopped_at": None, "reason": ""}
    return changes


def _refuse_over(request: RecurrenceRequest, row: Mapping[str, Any]) -> None:
    """Refuse a recurrence that has due times, but none for the new columns *row* of its job."""
    if request.has_due_times and row["starts_at"] == NEVER:
        raise InvalidValue("When/RecurringSchedule", "is over: it has no due time any more")


def _to_choice(item: Mapping[str, Any]) -> WhatChoice:
    """Return the choice by which a job has got *item* of its ``what``."""
    return WhatChoice(UUID(item["id"]), WhatKind(item["kind"]), tuple(item["alias"]) if "alias" in item else None)
