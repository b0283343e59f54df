"""Steps: a run book is done step by step, each step a job of its own; one that ends leads to the next.

Steps that start together are a group (``core.steps``). A run book goes on when the last step of a group has ended:
``open_runs`` of its job counts the steps that have not, those that have not started included.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from dispatcher.core import definitions
from dispatcher.core.definitions import StepDocument
from dispatcher.core.errors import DispatcherError, InvalidValue
from dispatcher.core.jobs import WhoChoice, WhoKind
from dispatcher.core.parameters import values_of
from dispatcher.core.ports import Ports
from dispatcher.core.states import FINISHED, State, outcome
from dispatcher.core.steps import group_at, stopping
from dispatcher.datastore.base import Row
from dispatcher.datastore.jobs import COUNT_DOWN, JOBS, SET_JOB, UNTIMED
from dispatcher.services.job_inputs import JobInputs
from dispatcher.services.plans import Plans
from dispatcher.services.runbook_who import RunBookWho
from dispatcher.services.starting import Starting, to_entry
from dispatcher.services.step_jobs import StepJobs
from dispatcher.services.topology import Topology
from dispatcher.services.waiting_steps import WaitingSteps

log = structlog.get_logger(__name__)

#: Why a step failed that is not to blame.
NOT_STARTED = "it could not be started: see the log"


class Steps:
    """Moves run books on, and ends jobs. Every method works inside the caller's transaction."""

    def __init__(self, ports: Ports, plans: Plans, topology: Topology, starting: Starting, inputs: JobInputs) -> None:
        self._ports = ports
        self._plans = plans
        self._starting = starting
        self._inputs = inputs
        self._topology = topology
        self._step_jobs = StepJobs(ports, plans, topology, inputs)
        self._runbook_who = RunBookWho(plans, topology)
        self._waiting = WaitingSteps(ports)

    def begin(self, session: Session, job: Row) -> State | None:
        """Begin the run book *job*, which is stored; return its outcome if it has ended already."""
        try:
            taken = self._runbook_who.taken(session, job)
        except InvalidValue as error:
            return self._end(session, job, State.CANCELLED, error.message)
        changes = {**self._starting.started(job), **taken, **self._present_who(session, job)}
        self._set(session, job["id"], **changes, open_runs=len(self._steps(session, job)))
        return self._go_on(session, {**job, **changes}, 0)

    def _present_who(self, session: Session, job: Row) -> dict[str, Any]:
        """Return what changes in the run book *job* that has waited for its time: those that it has inputs for now.

        That may be nobody: steps that ask fail then (``StepJobs``). If nobody can be asked it stays as it is.
        """
        inputs = (job["options"] or {}).get("inputs")
        if inputs is None or job["immediate"] or job["parent_id"] is not None or job["recurring_id"] is not None:
            return {}
        agents = self._inputs.agents(session, inputs)
        if agents is None:
            return {}
        choices = [WhoChoice([agent], WhoKind.AGENT) for agent in agents]
        return {"who": [to_entry(who) for who in self._topology.resolve(session, choices)]}

    def finish(self, session: Session, job: Row, state: State, reason: str = "") -> None:
        """End *job*; the run books above it go on from there. The caller has locked the job and all above it."""
        self._end(session, job, state, reason)
        while job["parent_id"] is not None:
            # Counted by the database, under the lock of the run book: of two steps that end at once, one is the last.
            session.connection().execute(COUNT_DOWN, {"key": job["parent_id"], "ended": 1})
            parent = self._job(session, job["parent_id"])
            if self._step_ended(session, parent, job["step"]) is None:
                return
            job = parent

    def _step_ended(self, session: Session, job: dict[str, Any], position: int) -> State | None:
        """Let the run book *job* go on after its step at *position*; return its outcome if that was the end of it."""
        steps = self._steps(session, job)
        group = group_at(steps, position)
        if job["state"] in FINISHED:
            return None
        if job["open_runs"] > len(steps) - group.stop and not self._ends_waiting(session, job, group):
            return None  # others of the group are under way
        if job["state"] == State.ABORTING:
            return self._end(session, job, forced_end(job))
        ended = self._close(session, job, group)
        return ended if ended is not None else self._go_on(session, job, group.stop)

    def _go_on(self, session: Session, job: dict[str, Any], position: int) -> State | None:
        """Do the steps of the run book *job* from *position* on, group by group, until one is under way.

        Return None then; after the last step, or a group that stops the run book, end it and return its outcome.
        """
        steps = self._steps(session, job)
        while position < len(steps):
            group = group_at(steps, position)
            previous = self._previous(session, job, group)
            ended = sum(self._start(session, job, at, previous) for at in group)
            if ended:
                session.connection().execute(COUNT_DOWN, {"key": job["id"], "ended": ended})
            if ended < len(group) and not self._ends_waiting(session, job, group):
                return None
            state = self._close(session, job, group)
            if state is not None:
                return state
            position = group.stop
        states = session.scalars(select(JOBS.c.state).where(JOBS.c.parent_id == job["id"]).distinct())
        return self._end(session, job, outcome(map(State, states)))

    def _ends_waiting(self, session: Session, job: Row, group: range) -> bool:
        """Whether nothing of *group* is left under way now, as what waited has been ended."""
        ended = self._waiting.end(session, job, self._steps(session, job), group)
        if ended:
            session.connection().execute(COUNT_DOWN, {"key": job["id"], "ended": ended})
        return ended > 0

    def _previous(self, session: Session, job: Row, group: range) -> str:
        """Return how the group before *group* has ended, as its conditions ask for it; "" if none asks."""
        steps = self._steps(session, job)
        if group.start == 0 or not any("condition" in steps[at] for at in group):
            return ""
        before = self._children(session, job, group_at(steps, group.start - 1))
        return outcome(State(child["state"]) for child in before.values()).name.lower()

    def _start(self, session: Session, job: Row, position: int, previous: str) -> bool:
        """Start the step; return whether it ended at once."""
        child = self._step_jobs.make(session, job, position, previous)
        try:
            with session.connection().begin_nested():
                return self._start_job(session, {**child})
        except SQLAlchemyError:
            raise
        except Exception:  # a defect in one step must not keep an agent from reporting the end of the step before
            log.exception("step.not_started", job_id=str(job["id"]), step=position)
            failed = {"state": State.FAILED, "stopped_at": self._ports.now(), "reason": NOT_STARTED}
            self._starting.insert(session, {**child, **failed})
            return True

    def _start_job(self, session: Session, child: dict[str, Any]) -> bool:
        """Store and start the new job of a step; return whether it ended at once."""
        if child["state"] in FINISHED:
            self._starting.insert(session, child)
            return True
        if child["is_runbook"]:
            self._starting.insert(session, child)
            return self.begin(session, child) is not None
        self._starting.insert_started(session, child)
        return child["state"] in FINISHED

    def _close(self, session: Session, job: dict[str, Any], group: range) -> State | None:
        """Take the outputs of *group*, whose steps have all ended, into the run book *job*, and look at the outcomes.

        Return the outcome of the run book if this was the end of it; else None.
        """
        steps = self._steps(session, job)
        children = self._children(session, job, group)
        try:
            self._take_outputs(session, job, children)
        except DispatcherError as error:
            return self._end(session, job, State.FAILED, error.message)
        states = {at: State(child["state"]) for at, child in children.items()}
        culprits = stopping(steps, group, states)
        if not culprits:
            return None
        reason = ", ".join(f"step {steps[at]['name']}: {states[at].text}" for at in culprits)
        return self._end(session, job, State.STOPPED, reason)

    def _take_outputs(self, session: Session, job: dict[str, Any], children: Mapping[int, Row]) -> None:
        """Store in the run book *job* the values that its steps take from the outputs of *children*, in order.

        :raises InvalidValue: if one is none of the choices of the parameter that takes it.
        """
        document = self._plans.document(session, job["what"][0])
        giving = {at: child for at, child in children.items() if child["outputs"] and "get" in document["steps"][at]}
        if not giving:
            return
        values = self._plans.open(document, job["parameters"][0])
        for at, child in giving.items():
            [given] = child["outputs"]
            inner = self._plans.open(self._plans.document(session, child["what"][0]), given)
            inner = [parameter for parameter in inner if parameter.name in given]
            step: StepDocument = document["steps"][at]
            try:
                values = definitions.take(values, step["get"], inner)
            except InvalidValue as error:
                raise InvalidValue(f"step {step['name']}", error.message) from None
        job["parameters"] = [self._plans.seal(values, values_of(values)), job["parameters"][-1]]
        self._set(session, job["id"], parameters=job["parameters"])

    def _end(self, session: Session, job: Row, state: State, reason: str = "") -> State:
        """Store the outcome of *job* and return it."""
        changes: dict[str, Any] = {"state": state, "stopped_at": self._ports.now(), "open_runs": 0, **UNTIMED}
        if job["is_runbook"] and job["started_at"] is not None:
            changes["outputs"] = self._outputs(session, job)
        self._set(session, job["id"], **changes, reason=reason or job["reason"])
        return state

    def _outputs(self, session: Session, job: Row) -> list[dict[str, list[str]]] | None:
        """Return what the run book *job* gives out: the present values of its output parameters, as they are stored."""
        values = job["parameters"][0]
        declared = self._plans.document(session, job["what"][0])["parameters"]
        given = {one["name"]: values[one["name"]] for one in declared if one["is_output"] and one["name"] in values}
        return [given] if given else None

    def _children(self, session: Session, job: Row, group: range) -> dict[int, Row]:
        """Return the jobs of the steps in *group* by their positions, in order."""
        query = select(JOBS).where(JOBS.c.parent_id == job["id"], JOBS.c.step.between(group.start, group.stop - 1))
        rows = session.connection().execute(query.order_by(JOBS.c.step)).mappings()
        return {row["step"]: row for row in rows}

    def _steps(self, session: Session, job: Row) -> Sequence[StepDocument]:
        steps: Sequence[StepDocument] = self._plans.document(session, job["what"][0])["steps"]
        return steps

    def _job(self, session: Session, job_id: UUID) -> dict[str, Any]:
        return dict(session.connection().execute(select(JOBS).where(JOBS.c.id == job_id)).mappings().one())

    def _set(self, session: Session, job_id: UUID, **values: Any) -> None:
        session.connection().execute(SET_JOB, {"key": job_id, **values})


def forced_end(job: Row) -> State:
    """Return how *job*, which was ABORTING, ends: aborted, or timed out if it kept its ``ends_by``."""
    return State.ABORTED if job["ends_by"] is None else State.TIMED_OUT
