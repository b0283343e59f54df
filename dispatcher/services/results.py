"""Results: what became of a job on each agent, and what its tasks wrote."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from dispatcher.core.definitions import ModuleDocument
from dispatcher.core.holds import Hold
from dispatcher.core.jobs import Job, What, WhatKind, Who, WhoKind
from dispatcher.core.permissions import Caller, Node, Right
from dispatcher.core.results import JobResult, RunResult, TaskResult
from dispatcher.core.states import FINISHED, State
from dispatcher.datastore.base import Row
from dispatcher.datastore.jobs import JOBS
from dispatcher.datastore.runs import RUNS, TASK_RESULTS
from dispatcher.datastore.targets import target, with_targets
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.jobs import Jobs
from dispatcher.services.output import pieces
from dispatcher.services.plans import Plans

#: How much of the end of a task's output a result carries, in bytes.
MAX_OUTPUT_BYTES = 256 * 1024
#: How tasks end that have not done what they should.
_BAD = (State.FAILED, State.TIMED_OUT, State.ABORTED)
#: A task with its position in the run, and its module.
_Planned = tuple[int, Mapping[str, Any], What]


class Results:
    """Collects results, also of jobs that still run."""

    def __init__(self, datastore: Datastore, plans: Plans, jobs: Jobs) -> None:
        self._datastore = datastore
        self._plans = plans
        self._jobs = jobs

    def collect(self, job_id: UUID, detailed: bool, caller: Caller) -> list[JobResult]:
        """Return the result of the job, then those of its steps in order, and of theirs.

        Agents are sorted by name. Tasks are given only if *detailed*, each with the end of its output.

        Of a recurring job that ends as its last occurrence does it is the result of the latest one.

        :raises JobNotFound: if there is none with this id.
        """
        caller.require(Right.READ, Node.RESULTS)
        with self._datastore.read() as session:
            job = self._jobs.get_in(session, job_id)
            if job.is_recurring and (job.options or {}).get("ends_as_last"):
                latest = select(JOBS.c.id).where(JOBS.c.recurring_id == job_id).order_by(JOBS.c.number.desc())
                key = session.scalar(latest.limit(1))
                job = job if key is None else self._jobs.get_in(session, key)
            return list(self._collect(session, job, detailed))

    def of_agent(self, job_id: UUID, agent_id: UUID, caller: Caller) -> RunResult | None:
        """Return in detail what became of the job, no run book, on one agent; None if it was not meant for that.

        :raises JobNotFound: if there is none with this id.
        """
        caller.require(Right.READ, Node.RESULTS)
        with self._datastore.read() as session:
            found = self._runs(session, self._jobs.get_in(session, job_id), True, agent_id)
        return found[0] if found else None

    def failures(self, job_id: UUID, caller: Caller) -> dict[UUID, str]:
        """Return by the ids of agents what the last task that failed there has said, behind the name of its module.

        Agents on which none has failed are left out.

        :raises JobNotFound: if there is none with this id.
        """
        caller.require(Right.READ, Node.RESULTS)
        wanted = (target("id"), target("os"), *(TASK_RESULTS.c[name] for name in ("position", "message", "exit_code")))
        query = (
            with_targets(select(*wanted))
            .join(TASK_RESULTS, TASK_RESULTS.c.run_id == RUNS.c.id)
            .where(RUNS.c.job_id == job_id, TASK_RESULTS.c.state.in_(_BAD))
            .order_by(TASK_RESULTS.c.position)
        )
        with self._datastore.read() as session:
            job, rows = self._jobs.get_in(session, job_id), session.execute(query).tuples().all()
            plans = self._outlines(session, job.id, {os for _, os, *_ in rows})
        found = {}
        for agent_id, os, position, message, exit_code in rows:
            modules = [module.name for _, _, module in plans[os][position : position + 1]]
            said = message or ("" if exit_code is None else f"exit code {exit_code}")
            found[agent_id] = ": ".join(filter(None, [*modules, said]))
        return found

    def _collect(self, session: Session, job: Job, detailed: bool) -> Iterator[JobResult]:
        yield JobResult(job, self._runs(session, job, detailed))
        if job.is_runbook:
            for child in self._jobs.children(session, job.id):
                yield from self._collect(session, child, detailed)

    def _runs(self, session: Session, job: Job, detailed: bool, only: UUID | None = None) -> list[RunResult]:
        """Return what became of the job on each agent, or on one *only*."""
        query = (
            with_targets(
                select(
                    RUNS,
                    target("name").label("agent_name"),
                    target("os").label("agent_os"),
                    target("id").label("resource_id"),
                )
            )
            .where(RUNS.c.job_id == job.id)
            .order_by(target("name"), RUNS.c.id)
        )
        if only is not None:
            query = query.where(target("id") == only)
        rows = session.execute(query).mappings().all()
        if not rows:
            return []
        plans = self._outlines(session, job.id, {row["agent_os"] for row in rows})
        which = RUNS.c.job_id == job.id if only is None else RUNS.c.id.in_([row["id"] for row in rows])
        done = self._task_rows(session, which) if detailed else {}
        results = []
        for row in rows:
            tasks = plans[row["agent_os"]]
            result = RunResult(
                agent=Who(row["resource_id"], row["agent_name"], WhoKind.AGENT),
                state=State(row["state"]),
                started_at=row["started_at"],
                stopped_at=row["stopped_at"],
                activity=_activity(row, tasks),
                reason=row["reason"],
            )
            if detailed:
                result.tasks = [
                    self._task(session, row, position, task, module, done.get((row["id"], position)))
                    for position, task, module in tasks
                ]
            results.append(result)
        return results

    def _outlines(self, session: Session, job_id: UUID, systems: Collection[str]) -> dict[str, list[_Planned]]:
        """Return the tasks of the job by the *systems* of agents, for which they may differ."""
        stored = session.scalars(select(JOBS.c.what).where(JOBS.c.id == job_id)).one()
        return {os: _numbered(self._plans.outline(session, stored, os)) for os in systems}

    def _task_rows(self, session: Session, which: Any) -> dict[tuple[UUID, int], Row]:
        query = select(TASK_RESULTS).join(RUNS, RUNS.c.id == TASK_RESULTS.c.run_id).where(which)
        return {(row["run_id"], row["position"]): row for row in session.execute(query).mappings()}

    def _task(
        self,
        session: Session,
        run: Row,
        position: int,
        task: Mapping[str, Any],
        module: What,
        row: Row | None,
    ) -> TaskResult:
        result = TaskResult(
            task_id=UUID(task["id"]),
            name=task["name"],
            type=task["type"],
            module=module,
            position=position,
            # A task that was never begun was skipped once its run has ended; until then it waits.
            state=State.SKIPPED if run["state"] in FINISHED else State.PENDING,
        )
        if row is not None:
            result.state = State(row["state"])
            if result.state is State.ACTIVE and run["state"] in FINISHED:
                result.state = State(run["state"])
            result.exit_code, result.message, result.killed = row["exit_code"], row["message"], row["killed"]
            result.started_at, result.stopped_at = row["started_at"], row["stopped_at"]
            result.attempts = row["attempts"]
            result.output_bytes = row["output_bytes"]
            result.output = self._output(session, run["id"], position, row["output_bytes"])
        return result

    def _output(self, session: Session, run_id: UUID, position: int, size: int) -> str:
        kept = pieces(session, run_id, position, max(0, size - MAX_OUTPUT_BYTES), size)
        return b"".join(data for _, data in kept).decode("utf-8", "replace")


def _numbered(modules: list[ModuleDocument]) -> list[_Planned]:
    """Return every task with its position in the run and its module."""
    pairs = [
        (task, What(UUID(module["id"]), module["name"], WhatKind.MODULE))
        for module in modules
        for task in module["tasks"]
    ]
    return [(position, task, what) for position, (task, what) in enumerate(pairs)]


def _activity(run: Row, tasks: list[_Planned]) -> str:
    """Return what the run is at, in words."""
    state = State(run["state"])
    if state is State.PENDING:
        held = "Waiting for the agent" if run["hold"] is None else Hold(run["hold"]).text
        return held if run["due_at"] is None else f"{held}, until {run['due_at']:%Y-%m-%d %H:%M} UTC"
    position = run["position"]
    if state in FINISHED or position is None or position >= len(tasks):
        return ""
    return f"Task {position + 1} of {len(tasks)}: {tasks[position][1]['name']}"
