"""Re-run: a job that has ended is done again, as it was, on all its agents or on those that it failed on."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from dispatcher.core.errors import Conflict, JobNotFound
from dispatcher.core.jobs import Invoker, Job, WhatKind, Who, WhoKind
from dispatcher.core.options import REQUIRED
from dispatcher.core.permissions import Caller, Node, Right
from dispatcher.core.ports import Ports
from dispatcher.core.states import FINISHED, State
from dispatcher.datastore.base import Row
from dispatcher.datastore.jobs import JOBS
from dispatcher.datastore.runs import RUNS
from dispatcher.datastore.targets import target, with_targets
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.access import require_who
from dispatcher.services.activation import Activation
from dispatcher.services.job_inputs import JobInputs
from dispatcher.services.jobs import Jobs
from dispatcher.services.library.catalogue import Library
from dispatcher.services.runbook_who import RunBookWho
from dispatcher.services.starting import NEW_JOB, SAME, to_entry

#: Options that are of no use to another job.
_OF_THAT_JOB = ("local_time", "approved_at")
#: How a run ended that need not be done again: it had nothing to do, or did it.
_DONE = (State.COMPLETED, State.SKIPPED)


class NotRepeatable(Conflict):
    """The job cannot be run again, or not in this way."""

    code = "job.not_repeatable"


class Rerun:
    """Makes jobs of jobs."""

    def __init__(
        self,
        datastore: Datastore,
        ports: Ports,
        *,
        library: Library,
        activation: Activation,
        jobs: Jobs,
        runbook_who: RunBookWho,
        job_inputs: JobInputs,
    ) -> None:
        self._datastore = datastore
        self._ports = ports
        self._library = library
        self._activation = activation
        self._jobs = jobs
        self._runbook_who = runbook_who
        self._job_inputs = job_inputs

    def rerun(self, job_id: UUID, failed_only: bool, caller: Caller) -> Job:
        """Start a new job with the versions, values and options of the job that has ended, and return it.

        With *failed_only* it runs on those agents whose run did not complete: it failed, timed out, was aborted or
        never began. Otherwise it runs on whoever the old one names, the present members of teams. A run book is run
        again as a whole.

        :raises JobNotFound: if there is none with this id.
        :raises NotRepeatable: if it has not ended, or recurs; with *failed_only*, if it failed on no agent, or is a
            run book; or if what it runs has been disabled.
        :raises Forbidden: without Modify on Jobs/Scheduling and Read on every what and who, or what else the inputs of
            the job require.
        """
        caller.require(Right.MODIFY, Node.SCHEDULING)
        with self._datastore.begin() as session:
            old = session.execute(select(JOBS).where(JOBS.c.id == job_id)).mappings().first()
            if old is None:
                raise JobNotFound(job_id)
            # Rights first: whoever may not read what it runs is not told how it stands.
            row = self._row(old, caller) | ({"who": []} if failed_only else {})
            self._runbook_who.require_job(session, row, caller)
            self._job_inputs.require(session, row["options"], caller)
            _check(old, failed_only)
            if failed_only:
                failed = self._failed(session, job_id)
                require_who(session, Right.READ, failed, caller)
                row["who"] = [to_entry(who) for who in failed]
            self._check_what(session, old)
            self._activation.insert_and_activate(session, row)
            return self._jobs.get_in(session, row["id"])

    def _check_what(self, session: Session, old: Row) -> None:
        """Check that what the job runs may still be scheduled; one that is no longer in the library may."""
        for item in old["what"]:
            kind = WhatKind(item["kind"])
            entry = self._library.definition(session, kind, UUID(item["id"]))
            if entry is not None and not entry.enabled:
                raise NotRepeatable(f"the {kind.noun} {item['name']} is disabled")

    def _failed(self, session: Session, job_id: UUID) -> list[Who]:
        """Return the agents, by name, whose run did not complete.

        :raises NotRepeatable: if there is none.
        """
        key, name = target("id"), target("name")
        query = with_targets(select(key, name)).where(RUNS.c.job_id == job_id, RUNS.c.state.not_in(_DONE))
        present = query.where(target("removed_at").is_(None)).order_by(name, key)
        failed = [Who(agent_id, text, WhoKind.AGENT) for agent_id, text in session.execute(present)]
        if not failed:
            raise NotRepeatable(f"job {job_id} failed on no agent")
        return failed

    def _row(self, old: Row, caller: Caller) -> dict[str, Any]:
        now = self._ports.now()
        # It starts now, whatever the clocks show.
        options = {name: value for name, value in (old["options"] or {}).items() if name not in _OF_THAT_JOB}
        if "approval" in options:
            options["approval"] = REQUIRED
        return {
            **NEW_JOB,
            **{name: old[name] for name in SAME},
            # The values it was scheduled with, whatever the steps of a run book have changed since.
            "parameters": old["parameters"][-len(old["what"]) :],
            "id": self._ports.new_id(),
            "invoker": Invoker.USER,
            "invoker_info": caller.name,
            "immediate": True,
            "starts_at": now,
            "created_at": now,
            "sorted_at": now,
            "options": options or None,
        }


def _check(old: Row, failed_only: bool) -> None:
    """Check that the job can be run again.

    :raises NotRepeatable: if it cannot.
    """
    if old["is_recurring"]:
        raise NotRepeatable(f"job {old['id']} recurs: run one of its occurrences again")
    if State(old["state"]) not in FINISHED:
        raise NotRepeatable(f"job {old['id']} has not ended")
    if failed_only and old["is_runbook"]:
        raise NotRepeatable("a run book can only be run again as a whole")
