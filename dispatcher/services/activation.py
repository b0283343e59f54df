"""Activation: a job that is due becomes runs on agents, and its end becomes the next step or its outcome."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from dispatcher.core import definitions
from dispatcher.core.definitions import StepDocument
from dispatcher.core.errors import InvalidValue
from dispatcher.core.jobs import Invoker, WhatKind, Who, WhoChoice, WhoKind
from dispatcher.core.parameters import Parameter
from dispatcher.core.ports import Ports
from dispatcher.core.states import FINISHED, Event, State, move, outcome
from dispatcher.datastore.base import Row
from dispatcher.datastore.jobs import Job
from dispatcher.datastore.runs import Run
from dispatcher.datastore.transactions import after_commit
from dispatcher.services.plans import Plans, fits_platform
from dispatcher.services.topology import Target, Topology

JOBS: Any = Job.__table__
RUNS: Any = Run.__table__
_INSERT_JOB = insert(JOBS)
_INSERT_RUN = insert(RUNS)
#: A new job's columns; the number comes from the database.
_EMPTY = {column: None for column in JOBS.columns.keys() if column != "number"}  # noqa: SIM118 - not a mapping
#: Child outcomes after which a run book goes on whatever its step says.
_GOOD = frozenset({State.COMPLETED, State.SKIPPED})
#: How deep run books may start run books: a loop among them must end.
MAX_DEPTH = 10


class Activation:
    """Moves jobs on. Every method works inside the caller's transaction."""

    def __init__(self, ports: Ports, plans: Plans, topology: Topology) -> None:
        self._ports = ports
        self._plans = plans
        self._topology = topology

    def insert_and_activate(self, session: Session, job: dict[str, Any]) -> int | None:
        """Insert the new *job* (its columns), already started; complete *job* with what that changed.

        Return its number, or None if the job has moved on since (a run book): it must be read again then.
        """
        if job["is_runbook"]:
            self.insert(session, job)
            self._begin_steps(session, job)
            return None
        runs, changes = self._begin(session, job)
        job.update(changes)
        number = self.insert(session, job)
        self._insert_runs(session, runs)
        return number

    def insert(self, session: Session, job: Mapping[str, Any]) -> int:
        """Insert the new *job* (its columns) as it is; return its number."""
        key = session.connection().execute(_INSERT_JOB, job).inserted_primary_key
        assert key is not None  # noqa: S101 - every database gives the key of a row that was inserted alone
        number: int = key[0]
        return number

    def activate(self, session: Session, job: Row) -> None:
        """Start the stored *job* (its columns, state SCHEDULED): make its runs, or begin its first step."""
        if job["is_runbook"]:
            self._begin_steps(session, job)
            return
        runs, changes = self._begin(session, job)
        self._set(session, job["id"], **changes)
        self._insert_runs(session, runs)

    def _started(self, job: Row) -> dict[str, Any]:
        now = self._ports.now()
        return {"state": move(State(job["state"]), Event.ACTIVATE), "started_at": now, "sorted_at": now}

    def _begin(self, session: Session, job: Row) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Return the runs of *job*, and how its start changes it; without any run to do it is over at once."""
        changes = self._started(job)
        chosen = [to_who(entry) for entry in job["who"]]
        targets = self._topology.targets_of(session, chosen)
        runs = self._runs(session, job, targets)
        changes["open_runs"] = sum(run["state"] is State.PENDING for run in runs)
        if not changes["open_runs"]:
            reason = "" if targets else f"no agent: {', '.join(who.name for who in chosen)} has no members"
            changes |= {"state": State.SKIPPED, "stopped_at": changes["started_at"], "reason": reason}
        return runs, changes

    def _runs(self, session: Session, job: Row, targets: Sequence[Target]) -> list[dict[str, Any]]:
        """Return a new run for each of *targets*; one for whose platform the job has nothing is skipped."""
        platforms = self._platforms(session, job)
        now = self._ports.now()
        runs = []
        for target in targets:
            fits = any(fits_platform(supported, target.os) for supported in platforms)
            runs.append(
                {
                    "id": self._ports.new_id(),
                    "job_id": job["id"],
                    "agent_id": target.id,
                    "state": State.PENDING if fits else State.SKIPPED,
                    "reason": "" if fits else f"nothing in this job is for {target.os}",
                    "attempt": 0,
                    "fence": 0,
                    "begun": False,
                    "stopped_at": None if fits else now,
                }
            )
        return runs

    def _insert_runs(self, session: Session, runs: Sequence[Mapping[str, Any]]) -> None:
        if runs:
            session.connection().execute(_INSERT_RUN, runs)
        woken = [run["agent_id"] for run in runs if run["state"] is State.PENDING]
        if woken:
            after_commit(session, lambda: self._ports.wakeup.agents(woken))

    def run_ended(self, session: Session, job_id: UUID, ended: int = 1) -> None:
        """Note that *ended* runs of the job have reached their end; the last one gives the job its outcome."""
        # Counted by the database: another report may be counting down the same job at this moment.
        self._set(session, job_id, open_runs=JOBS.c.open_runs - ended)
        job = self._job(session, job_id)
        if job["open_runs"] <= 0 and State(job["state"]) not in FINISHED:
            state = State.ABORTED if job["state"] == State.ABORTING else self._outcome(session, job_id)
            self._finish(session, job, state)

    def end(self, session: Session, job_id: UUID, state: State, reason: str = "") -> None:
        """Give the job this outcome now; a run book it is a step of goes on from there."""
        self._finish(session, self._job(session, job_id), state, reason)

    def _platforms(self, session: Session, job: Row) -> list[list[str]]:
        found: list[list[str]] = []
        for item in job["what"]:
            document = self._plans.document(session, item)
            if item["kind"] == WhatKind.MODULE:
                found.append(document["platforms"])
            else:
                found += [linked["module"]["platforms"] for linked in document["modules"]]
        return found

    def _runbook(self, session: Session, job: Row) -> Mapping[str, Any]:
        return self._plans.document(session, job["what"][0])

    def _begin_steps(self, session: Session, job: Row) -> State | None:
        """Begin the run book *job*; return its outcome if it has ended already."""
        changes = self._started(job)
        self._set(session, job["id"], **changes, open_runs=len(self._runbook(session, job)["steps"]))
        return self._go_on(session, {**job, **changes}, 0)

    def _go_on(self, session: Session, job: Row, position: int) -> State | None:
        """Do the steps of the run book *job* from *position* on, until one is under way.

        Return None then; after the last step, or one whose failure stops the run book, end it and return its outcome.
        """
        steps: Sequence[StepDocument] = self._runbook(session, job)["steps"]
        while position < len(steps):
            state = self._do_step(session, job, position)
            if state is None:
                return None
            self._set(session, job["id"], open_runs=JOBS.c.open_runs - 1)
            if _stops(steps, position, state):
                return self._end(session, job, State.STOPPED, _stop_reason(steps, position, state))
            position += 1
        return self._end(session, job, self._outcome_of_steps(session, job["id"]))

    def _do_step(self, session: Session, job: Row, position: int) -> State | None:
        """Start the step; return its outcome if it ended at once, else None."""
        document = self._runbook(session, job)
        step: StepDocument = document["steps"][position]
        values = self._plans.open(document, job["parameters"][0])
        child = self._step_job(job, position, step, values)
        try:
            child["who"] = [to_entry(who) for who in self._step_targets(session, job, step, values)]
            problem = ""
            if len(child["what"][0]["path"]) > MAX_DEPTH:
                problem = f"run books are nested deeper than {MAX_DEPTH}"
        except InvalidValue as error:
            problem = error.message
        if problem:
            self.insert(session, child)
            return self._end(session, child, State.FAILED, problem)
        if child["is_runbook"]:
            self.insert(session, child)
            return self._begin_steps(session, child)
        self.insert_and_activate(session, child)
        return State(child["state"]) if child["state"] in FINISHED else None

    def _step_job(self, job: Row, position: int, step: StepDocument, values: Sequence[Parameter]) -> dict[str, Any]:
        """Return the columns of a new job for the step; its targets are still to be found."""
        now = self._ports.now()
        inner = self._plans.declared(step["what"])
        outer = job["what"][0]
        return {
            **_EMPTY,
            "id": self._ports.new_id(),
            "parent_id": job["id"],
            "step": position,
            "description": step["name"],
            "state": State.SCHEDULED,
            "reason": "",
            "is_runbook": step["kind"] == WhatKind.RUNBOOK,
            "what": [
                {
                    "kind": step["kind"],
                    "id": step["what"]["id"],
                    "name": step["what"]["name"],
                    "definition": outer["definition"],
                    "path": [*outer.get("path", ()), position],
                }
            ],
            "who": [],
            "parameters": [self._plans.seal(definitions.link(inner, step["parameters"], values))],
            "invoker": Invoker.RUNBOOK,
            "invoker_info": job["invoker_info"],
            "immediate": True,
            "starts_at": now,
            "is_local_time": False,
            "use_wake_on_lan": job["use_wake_on_lan"],
            "in_parallel": job["in_parallel"],
            "created_at": now,
            "sorted_at": now,
            "open_runs": 0,
        }

    def _step_targets(self, session: Session, job: Row, step: StepDocument, values: Sequence[Parameter]) -> list[Who]:
        """Return whom the step runs on.

        A step that names nobody runs on those the run book was scheduled on, as one that asks.

        :raises InvalidValue: if a parameter names no agent or team.
        """
        by_name = {parameter.name: parameter.value1 for parameter in values}
        targets: list[Who] = []
        for entry in step["who"] or [{"ask": True}]:
            if "parameter" in entry:
                name = entry["parameter"]
                for text in filter(None, (part.strip() for part in by_name.get(name, "").split(";"))):
                    targets.append(self._topology.resolve_name(session, text, f"parameter {name}"))
            elif "ask" in entry:
                targets += [to_who(who) for who in job["who"]]
            else:
                kind = WhoKind.AGENT if "agent" in entry else WhoKind.TEAM
                target = UUID(entry["agent"] if kind is WhoKind.AGENT else entry["team"])
                targets += self._topology.resolve(session, [WhoChoice([target], kind)])
        return targets

    def _finish(self, session: Session, job: Row, state: State, reason: str = "") -> None:
        """End *job*; the run books above it go on from there."""
        self._end(session, job, state, reason)
        while job["parent_id"] is not None:
            self._set(session, job["parent_id"], open_runs=JOBS.c.open_runs - 1)
            parent = self._job(session, job["parent_id"])
            steps = self._runbook(session, parent)["steps"]
            ended: State | None
            if State(parent["state"]) is State.ABORTING:
                ended = self._end(session, parent, State.ABORTED)
            elif _stops(steps, job["step"], state):
                ended = self._end(session, parent, State.STOPPED, _stop_reason(steps, job["step"], state))
            else:
                ended = self._go_on(session, parent, job["step"] + 1)
            if ended is None:
                return
            job, state = parent, ended

    def _end(self, session: Session, job: Row, state: State, reason: str = "") -> State:
        """Store the outcome of *job* and return it."""
        reason = reason or job["reason"]
        self._set(session, job["id"], state=state, stopped_at=self._ports.now(), open_runs=0, reason=reason)
        return state

    def _outcome(self, session: Session, job_id: UUID) -> State:
        states = session.scalars(select(Run.state).where(Run.job_id == job_id).distinct())
        return outcome(map(State, states))

    def _outcome_of_steps(self, session: Session, job_id: UUID) -> State:
        states = session.scalars(select(Job.state).where(Job.parent_id == job_id).distinct())
        return outcome(map(State, states))

    def _job(self, session: Session, job_id: UUID) -> Row:
        return session.connection().execute(select(JOBS).where(JOBS.c.id == job_id)).mappings().one()

    def _set(self, session: Session, job_id: UUID, **values: Any) -> None:
        session.connection().execute(update(JOBS).where(JOBS.c.id == job_id).values(**values))


def _stops(steps: Sequence[StepDocument], position: int, state: State) -> bool:
    """Whether the outcome of the step at *position* keeps the steps after it from being done."""
    return state not in _GOOD and steps[position]["on_error"] == "stop" and position + 1 < len(steps)


def _stop_reason(steps: Sequence[StepDocument], position: int, state: State) -> str:
    return f"step {steps[position]['name']}: {state.text}"


def to_entry(who: Who) -> dict[str, Any]:
    """Return *who* as a job stores it."""
    return {"kind": who.kind, "id": str(who.id), "name": who.name}


def to_who(entry: Mapping[str, Any]) -> Who:
    """Return the stored *entry* as it was when the job was scheduled; its flags are not known."""
    return Who(UUID(entry["id"]), entry["name"], WhoKind(entry["kind"]))
