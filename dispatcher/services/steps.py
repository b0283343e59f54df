"""Steps: a run book is done step by step, each step a job of its own; one that ends leads to the next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from dispatcher.core import definitions
from dispatcher.core.definitions import StepDocument
from dispatcher.core.errors import InvalidValue
from dispatcher.core.jobs import Invoker, WhatKind, Who, WhoChoice, WhoKind
from dispatcher.core.parameters import Parameter
from dispatcher.core.ports import Ports
from dispatcher.core.states import FINISHED, State, outcome
from dispatcher.datastore.base import Row
from dispatcher.datastore.jobs import JOBS
from dispatcher.services.plans import Plans
from dispatcher.services.starting import EMPTY_JOB, Starting, to_entry, to_who
from dispatcher.services.topology import Topology

#: Child outcomes after which a run book goes on whatever its step says.
_GOOD = frozenset({State.COMPLETED, State.SKIPPED})
#: How deep run books may start run books: a loop among them must end.
MAX_DEPTH = 10


class Steps:
    """Moves run books on, and ends jobs. Every method works inside the caller's transaction."""

    def __init__(self, ports: Ports, plans: Plans, topology: Topology, starting: Starting) -> None:
        self._ports = ports
        self._plans = plans
        self._topology = topology
        self._starting = starting

    def begin(self, session: Session, job: Row) -> State | None:
        """Begin the run book *job*; return its outcome if it has ended already."""
        changes = self._starting.started(job)
        self._set(session, job["id"], **changes, open_runs=len(self._runbook(session, job)["steps"]))
        return self._go_on(session, {**job, **changes}, 0)

    def finish(self, session: Session, job: Row, state: State, reason: str = "") -> None:
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
            self._starting.insert(session, child)
            return self._end(session, child, State.FAILED, problem)
        if child["is_runbook"]:
            self._starting.insert(session, child)
            return self.begin(session, child)
        runs, changes = self._starting.begin(session, child)
        child.update(changes)
        self._starting.insert(session, child)
        self._starting.insert_runs(session, runs)
        return State(child["state"]) if child["state"] in FINISHED else None

    def _step_job(self, job: Row, position: int, step: StepDocument, values: Sequence[Parameter]) -> dict[str, Any]:
        """Return the columns of a new job for the step; its targets are still to be found."""
        now = self._ports.now()
        inner = self._plans.declared(step["what"])
        outer = job["what"][0]
        return {
            **EMPTY_JOB,
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

    def _end(self, session: Session, job: Row, state: State, reason: str = "") -> State:
        """Store the outcome of *job* and return it."""
        reason = reason or job["reason"]
        self._set(session, job["id"], state=state, stopped_at=self._ports.now(), open_runs=0, reason=reason)
        return state

    def _outcome_of_steps(self, session: Session, job_id: UUID) -> State:
        states = session.scalars(select(JOBS.c.state).where(JOBS.c.parent_id == job_id).distinct())
        return outcome(map(State, states))

    def _runbook(self, session: Session, job: Row) -> Mapping[str, Any]:
        return self._plans.document(session, job["what"][0])

    def _job(self, session: Session, job_id: UUID) -> Row:
        return session.connection().execute(select(JOBS).where(JOBS.c.id == job_id)).mappings().one()

    def _set(self, session: Session, job_id: UUID, **values: Any) -> None:
        session.connection().execute(update(JOBS).where(JOBS.c.id == job_id).values(**values))


def _stops(steps: Sequence[StepDocument], position: int, state: State) -> bool:
    """Whether the outcome of the step at *position* keeps the steps after it from being done."""
    return state not in _GOOD and steps[position]["on_error"] == "stop" and position + 1 < len(steps)


def _stop_reason(steps: Sequence[StepDocument], position: int, state: State) -> str:
    return f"step {steps[position]['name']}: {state.text}"
