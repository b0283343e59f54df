"""Starting: an operation and a conductor become a conductor run, which is a run book job of the core."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import insert

from dispatcher.core.errors import DispatcherError, InvalidValue
from dispatcher.core.jobs import Job, JobRequest, WhatChoice, WhatKind, When, WhoChoice, WhoKind
from dispatcher.datastore.exastro_ita import ITA_RUNS
from dispatcher.services.exastro_ita.conductor_parts import problem_of
from dispatcher.services.exastro_ita.named_hosts import NamedHosts
from dispatcher.services.exastro_ita.operations import Operation
from dispatcher.services.exastro_ita.records import Scope
from dispatcher.services.exastro_ita.run_remarks import details_of
from dispatcher.services.exastro_ita.run_values import options_of
from dispatcher.services.library.catalogue import Library
from dispatcher.services.scheduling import Scheduling

#: A booked run waits for its time, were it over: the vendor shows such a run as booked before it shows it as running.
_SOONEST = timedelta(milliseconds=1)


class NotStartable(DispatcherError):
    """The conductor cannot run for the operation; callers say so with a result code of their own."""

    code = "exastro_ita.not_startable"


class InvalidConductor(NotStartable):
    """The conductor can run for no operation: something that it runs is discarded."""


@dataclass(frozen=True, slots=True)
class Conductor:
    """The run book that a run is of."""

    id: UUID
    name: str


class ConductorRuns:
    """Starts conductor runs. Every method works inside the transaction of its scope."""

    def __init__(self, *, scheduling: Scheduling, library: Library, hosts: NamedHosts) -> None:
        self._scheduling = scheduling
        self._library = library
        self._hosts = hosts

    def start(
        self, scope: Scope, conductor: Conductor, operation: Operation, booked_for: datetime | None = None
    ) -> Job:
        """Start *conductor* for *operation*, or book it for a moment; return the job, whose id is that of the run.

        One that is booked for a moment that is over runs at once; it is a booked one all the same. Steps that ask run
        on the hosts that have records for the operation.

        :raises InvalidConductor: if something that it runs, at any depth, is discarded.
        :raises NotStartable: if there are no such hosts for a step that asks, or the conductor may not run as it is.
        :raises Forbidden: without Modify on Jobs/Scheduling, and Read on the conductor and its hosts.
        """
        entry = self._library.definition(scope.session, WhatKind.RUNBOOK, conductor.id)
        if entry is None:
            raise NotStartable(f"there is no conductor {conductor.name}")
        if problem := problem_of(scope, conductor.id):
            raise InvalidConductor(problem)
        hosts = self._hosts.of(scope, operation.id)
        if not hosts and asks(entry.document):
            raise NotStartable(f"operation {operation.name} has records of no host")
        request = JobRequest(
            what=[WhatChoice(conductor.id, WhatKind.RUNBOOK)],
            who=[WhoChoice([host], WhoKind.AGENT) for host in hosts],
            when=_when(booked_for, scope.now),
            description=conductor.name,
            options=options_of(operation.id),
        )
        try:
            job = self._scheduling.submit(request, scope.caller)
        except InvalidValue as error:
            raise NotStartable(error.message) from None
        self._note(scope, job, conductor, operation, booked_for)
        return job

    def _note(
        self, scope: Scope, job: Job, conductor: Conductor, operation: Operation, booked_for: datetime | None
    ) -> None:
        """Note that *job* is a run of the workspace."""
        row = {
            "job_id": job.id,
            "workspace_id": scope.workspace.id,
            "number": job.number,
            "operation_id": operation.id,
            "operation_name": operation.name,
            "conductor_id": conductor.id,
            "conductor_name": conductor.name,
            "regular_id": None,
            "booked_for": booked_for,
            "details": details_of(scope.session, [conductor.id])[conductor.id],
        }
        scope.session.connection().execute(insert(ITA_RUNS), row)


def asks(document: Mapping[str, Any]) -> bool:
    """Whether the run book *document* has a step that runs on those whom the run book was started on.

    That is one that says so, or names nobody; and a run book with such a step, started on them. A step with an
    operation of its own runs on the hosts of that.
    """
    return any(_asks(step) for step in document.get("steps", ()))


def _asks(step: Mapping[str, Any]) -> bool:
    who: Sequence[Mapping[str, Any]] = step["who"]
    if "operation" in step.get("options", {}) or (who and not any("ask" in entry for entry in who)):
        return False
    return step["kind"] != WhatKind.RUNBOOK or asks(step["what"])


def _when(booked_for: datetime | None, now: datetime) -> When:
    if booked_for is None:
        return When()
    return When(immediate=False, starts_at=max(booked_for, now + _SOONEST))
