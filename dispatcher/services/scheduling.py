"""Scheduling: a caller's request becomes a job that survives whatever comes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from dispatcher.core import local_time, options
from dispatcher.core.errors import InvalidValue
from dispatcher.core.jobs import GivenSet, Invoker, Job, JobRequest, Options, WhatChoice, WhatKind, When, Who
from dispatcher.core.parameters import GivenValue, Parameter, merge
from dispatcher.core.permissions import Caller, Node, Right
from dispatcher.core.ports import Ports
from dispatcher.core.schedules import NEVER, RecurrenceRequest
from dispatcher.datastore.transactions import Datastore, after_commit
from dispatcher.services.access import WHAT_NODES
from dispatcher.services.activation import Activation
from dispatcher.services.chosen import chosen
from dispatcher.services.jobs import Jobs
from dispatcher.services.library.catalogue import Library, LibraryEntry
from dispatcher.services.plans import Plans
from dispatcher.services.recurring import insert_schedule
from dispatcher.services.runbook_who import RunBookWho
from dispatcher.services.settings import Settings
from dispatcher.services.starting import NEW_JOB, to_entry
from dispatcher.services.topology import Topology


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
        self._library = library
        self._topology = topology
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
            entries = [self._entry(session, choice, place, caller) for place, choice in enumerate(request.what)]
            choices = ((choice, f"Who[{place}]/ID") for place, choice in enumerate(request.who))
            who = chosen(session, self._topology, Right.READ, choices, caller)
            _check_targets(entries, who)
            parameters = [
                merge(entry.parameters, _given(request.parameters, entry, place, len(entries)))
                for place, entry in enumerate(entries)
            ]
            first = entries[0]  # a run book is alone
            row = self._row(request, entries, who, parameters, caller)
            at_once = request.when.recurrence is None and row["starts_at"] <= row["created_at"]
            self._runbook_who.require(session, first.document, first.parameters, parameters[0], caller, at_once=at_once)
            self._runbook_who.check(session, first.document, parameters[0])
            number: int | None
            if request.when.recurrence is not None:
                number = self._activation.insert(session, row)
                insert_schedule(session, row["id"], request.when.recurrence)
                after_commit(session, self._ports.wakeup.engine)
            elif at_once:
                number = self._activation.insert_and_activate(session, row)
            else:
                number = self._activation.insert(session, row)
                after_commit(session, self._ports.wakeup.engine)
            if number is None:
                return self._jobs.get_in(session, row["id"])
            row["number"] = number
            return self._jobs.to_job(session, row, parameters, recurrence=request.when.recurrence)

    def _entry(self, session: Session, choice: WhatChoice, place: int, caller: Caller) -> LibraryEntry:
        caller.require_some(Right.READ, WHAT_NODES[choice.kind])
        entry = self._library.definition(session, choice.kind, choice.id)
        if entry is None or not entry.enabled:
            raise InvalidValue(f"What[{place}]/ID", f"no {choice.kind.noun} {choice.id}")
        if caller.fine:  # else the node has said it all
            caller.require(Right.READ, entry.thing)
        return entry

    def _row(
        self,
        request: JobRequest,
        entries: Sequence[LibraryEntry],
        who: Sequence[Who],
        parameters: Sequence[Sequence[Parameter]],
        caller: Caller,
    ) -> dict[str, Any]:
        when = request.when
        stored: Options = {**request.options} if request.options else {}
        return {
            **NEW_JOB,
            **self._moments(when, stored),
            "id": self._ports.new_id(),
            "description": request.description or entries[0].name,
            "is_runbook": entries[0].kind is WhatKind.RUNBOOK,
            "what": [
                {"kind": entry.kind, "id": str(entry.id), "name": entry.name, "definition": str(entry.definition_id)}
                for entry in entries
            ],
            "who": [to_entry(one) for one in who],
            "parameters": [self._plans.seal(values) for values in parameters],
            "invoker": Invoker.USER,
            "invoker_info": caller.name,
            "immediate": when.immediate and when.recurrence is None,
            "is_recurring": when.recurrence is not None,
            "is_local_time": when.is_local_time,
            "use_wake_on_lan": when.use_wake_on_lan,
            "in_parallel": request.in_parallel,
            "outside_launch_window": request.outside_launch_window,
            "tags": request.tags,
            "options": stored or None,
        }

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
            shown_at, starts_at = _first_due(when.recurrence, now)
        return {"created_at": now, "starts_at": starts_at, "sorted_at": shown_at}


def _check_shape(request: JobRequest) -> None:
    if not request.what:
        raise InvalidValue("What", "names nothing to run")
    options.check(request.options or {})
    if request.when.recurrence is not None:
        if request.when.is_local_time:
            raise InvalidValue("When/IsLocalTime", "does not go with a recurrence, which names its own time zone")
    elif not request.when.immediate and request.when.starts_at is None:
        raise InvalidValue("When/ScheduledDateTime", "is missing, and Immediate is not true")


def _first_due(request: RecurrenceRequest, now: datetime) -> tuple[datetime, datetime]:
    """Return the first due time from *now* on, as it is shown and as it is stored.

    :raises InvalidValue: if the rule is none, or is over already.
    """
    found = request.read()
    if found is None:
        return now, NEVER
    due = found.after(now - timedelta(microseconds=1))
    if due is None:
        raise InvalidValue("When/Recurrence", "is over: it has no due time any more")
    return due, due


def _check_targets(entries: Sequence[LibraryEntry], who: Sequence[Who]) -> None:
    runbooks = sum(entry.kind is WhatKind.RUNBOOK for entry in entries)
    if runbooks and len(entries) > 1:
        raise InvalidValue("What", "a run book must be scheduled alone")
    if not runbooks and not who:
        raise InvalidValue("Who", "names no agent or team")


def _given(sets: Sequence[GivenSet], entry: LibraryEntry, place: int, count: int) -> Sequence[GivenValue]:
    """Return the values sent for *entry*: of the set with its id, else the one at its place, else the only one."""
    for given in sets:
        if given.what_id == entry.id:
            return given.values
    if count == 1 and len(sets) == 1:
        return sets[0].values
    return sets[place].values if place < len(sets) and sets[place].what_id is None else ()
