"""Own operations: those that steps of a run name instead of the one of the run, as nodes show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from dispatcher.core.definitions import StepDocument
from dispatcher.services.exastro_ita.operations import MENU, NAME, to_id
from dispatcher.services.exastro_ita.records import Scope
from dispatcher.services.exastro_ita.rows import Rows
from dispatcher.services.exastro_ita.run_jobs import RunJob
from dispatcher.services.exastro_ita.runs import operation_names


class OwnOperation(NamedTuple):
    """The operation of a step. Without an id there is none of this name, or was none when the step was to start."""

    id: str | None
    name: str


def of_steps(
    scope: Scope, run: RunJob, jobs: Mapping[int, RunJob], steps: Sequence[StepDocument]
) -> dict[int, OwnOperation]:
    """Return the operations of those *steps* that have one of their own, by position; *jobs* are what has begun."""
    called = {at: str(name) for at, step in enumerate(steps) if (name := step.get("options", {}).get("operation"))}
    if not called:
        return {}
    ids = {one for at in called if at in jobs and (one := to_id(jobs[at].inputs_of)) is not None}
    names = {str(one): name for one, name in operation_names(scope, ids).items()}
    there = Rows(MENU).taken(scope, NAME, set(called.values()))
    found: dict[int, OwnOperation] = {}
    for at, name in called.items():
        job = jobs.get(at)
        key = None if job is None else _of(job, run, names, name)
        if key is None and (job is None or not job.standing.could_not_start) and name in there:
            key = str(there[name])
        found[at] = OwnOperation(key, names.get(key, name) if key else name)
    return found


def _of(job: RunJob, run: RunJob, names: Mapping[str, str], name: str) -> str | None:
    """Return the operation that the job of a step is for; None if it ended before it came to have the one called so."""
    key = job.inputs_of
    if key == run.inputs_of and not job.standing.has_started and names.get(key or "") != name:
        return None
    return key
