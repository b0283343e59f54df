"""Run jobs: the jobs of conductor runs and of their steps, read for many runs at once, and what they come to.

A run is a run book job with a row of its own (``ItaRun``). Of the conductors that it calls the jobs of its steps are
runs as well: they have no row, and their parents are known by the jobs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from dispatcher.core.definitions import StepDocument
from dispatcher.core.options import REQUIRED
from dispatcher.core.states import State
from dispatcher.datastore.base import Row
from dispatcher.datastore.jobs import JOBS
from dispatcher.services.exastro_ita import states
from dispatcher.services.exastro_ita.graph import is_pause
from dispatcher.services.exastro_ita.states import ConductorState, Standing, StepEnd
from dispatcher.services.plans import Plans
from dispatcher.services.portions import portions

#: How many jobs one statement names.
_MANY = 1_000
#: What a run or a step of it is shown by.
COLUMNS = tuple(
    JOBS.c[name]
    for name in (
        "id",
        "number",
        "parent_id",
        "step",
        "state",
        "reason",
        "is_runbook",
        "what",
        "invoker_info",
        "created_at",
        "started_at",
        "stopped_at",
        "ends_by",
        "options",
    )
)


@dataclass(frozen=True, slots=True)
class RunJob:
    """The job of a run, or of a step of one. Moments are aware UTC; ``approved_at`` is when somebody let it go on."""

    id: UUID
    number: int
    parent_id: UUID | None
    step: int
    is_runbook: bool
    what: Mapping[str, Any]
    user: str
    created_at: datetime
    started_at: datetime | None
    stopped_at: datetime | None
    approved_at: datetime | None
    inputs_of: str | None  #: what the values of its runs are of (``services.job_inputs``)
    standing: Standing


def to_run_job(row: Row, *, is_booked: bool = False) -> RunJob:
    """Return the job with the ``COLUMNS`` in *row*; *is_booked* says that its run is for a moment of its own."""
    options = row["options"] or {}
    approved_at = options.get("approved_at")
    state = State(row["state"])
    standing = Standing(
        state,
        has_started=row["started_at"] is not None,
        waits=options.get("approval") == REQUIRED,
        is_booked=is_booked,
        has_limit=state is State.ABORTING and row["ends_by"] is not None,
        reason=row["reason"],
    )
    return RunJob(
        id=row["id"],
        number=row["number"],
        parent_id=row["parent_id"],
        step=row["step"] or 0,
        is_runbook=row["is_runbook"],
        what=row["what"][0],
        user=row["invoker_info"],
        created_at=row["created_at"],
        started_at=row["started_at"],
        stopped_at=row["stopped_at"],
        approved_at=datetime.fromisoformat(approved_at) if approved_at else None,
        inputs_of=(options.get("inputs") or {}).get("of"),
        standing=standing,
    )


class Family:
    """Runs, the runs that they call, and as many of their steps as their states depend on."""

    def __init__(self, session: Session, plans: Plans, roots: Sequence[RunJob]) -> None:
        self._session = session
        self._plans = plans
        self._states: dict[UUID, ConductorState] = {}
        self._steps: defaultdict[UUID, dict[int, RunJob]] = defaultdict(dict)
        self.roots = roots
        self.jobs = {job.id: job for job in roots}
        #: The runs that are called, by level, those of a level in the order of their numbers.
        self.called: list[RunJob] = []

    def read(self, *, whole: Collection[UUID] = ()) -> Family:
        """Read, level by level, what the states depend on, and all steps of those in *whole*; return self."""
        level = list(self.roots)
        while level:
            open_ids = [job.id for job in level if job.id in whole or states.depends(job.standing)]
            others = [job.id for job in level if job.id not in whole and not states.depends(job.standing)]
            found = self._children(open_ids) + self._children(others, JOBS.c.is_runbook)
            for job in found:
                self.jobs[job.id] = job
                if job.parent_id is not None:
                    self._steps[job.parent_id][job.step] = job
            level = sorted((job for job in found if job.is_runbook), key=lambda job: job.number)
            self.called += level
        return self

    def steps(self, job: RunJob) -> Mapping[int, RunJob]:
        """Return the jobs of the steps of *job* that have begun, as far as they were read, by their positions."""
        return self._steps[job.id]

    def top(self, job: RunJob) -> RunJob:
        """Return the run that *job* is a part of."""
        while job.parent_id in self.jobs:
            job = self.jobs[job.parent_id]
        return job

    def state(self, job: RunJob) -> ConductorState:
        """Return the state of the run with *job*."""
        found = self._states.get(job.id)
        if found is None:
            found = self._states[job.id] = self._judge(job)
        return found

    def document(self, job: RunJob) -> Mapping[str, Any]:
        """Return what the run book of *job* says."""
        return self._plans.document(self._session, job.what)

    def _judge(self, job: RunJob) -> ConductorState:
        if not states.depends(job.standing):
            return states.conductor_state(job.standing)
        steps = self.document(job)["steps"]
        ends = [self.end(steps[at], child) for at, child in self.steps(job).items()]
        return states.conductor_state(job.standing, ends)

    def end(self, step: StepDocument, job: RunJob) -> StepEnd:
        """Return how *step*, which has become *job*, stands for the run that it is of."""
        if is_pause(step) and job.standing.never_let_go:
            node = states.pause_state(job.standing)
        else:
            node = states.node_state(job.standing, self.state(job) if job.is_runbook else None)
        return StepEnd(node, step["on_error"] == "continue", job.standing.is_on_hold)

    def _children(self, ids: Iterable[UUID], *only: ColumnElement[bool]) -> list[RunJob]:
        found: list[RunJob] = []
        for some in portions(ids, _MANY):
            query = select(*COLUMNS).where(JOBS.c.parent_id.in_(some), *only)
            found += map(to_run_job, self._session.connection().execute(query).mappings())
        return found
