"""Waiting steps: in a run book with ``ends_waiting`` nothing waits for an approval beside a step that has failed.

As long as another step of their group is under way they wait on, and may be approved.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from dispatcher.core.definitions import StepDocument
from dispatcher.core.options import REQUIRED
from dispatcher.core.ports import Ports
from dispatcher.core.states import FINISHED, Event, State, move
from dispatcher.core.steps import failing
from dispatcher.datastore.base import Row
from dispatcher.datastore.jobs import JOBS, SET_JOB, UNTIMED
from dispatcher.datastore.runs import RUNS


class WaitingSteps:
    """Ends steps that wait. Works inside the caller's transaction, which has locked the run book."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    def end(self, session: Session, job: Row, steps: Sequence[StepDocument], group: range) -> int:
        """Cancel what waits of *group*, steps of the run book *job*, if nothing else of it is left beside a failure.

        Return how many steps that were; none if the run book does not ask for it, or is being ended itself.
        """
        if not (job["options"] or {}).get("ends_waiting") or job["state"] != State.ACTIVE:
            return 0
        mine = (JOBS.c.parent_id == job["id"]) & JOBS.c.step.between(group.start, group.stop - 1)
        rows = session.connection().execute(select(JOBS.c.step, JOBS.c.state).where(mine)).tuples()
        ended = {at: State(state) for at, state in rows if state in FINISHED}
        culprits = failing(steps, group, ended)
        waiting = self._waiting(session, mine) if culprits else None
        if not waiting:
            return 0
        reason = ", ".join(f"step {steps[at]['name']}: {ended[at].text}" for at in culprits)
        for one in waiting:
            self._cancel(session, one, reason)
        return sum(one["parent_id"] == job["id"] for one in waiting)

    def _waiting(self, session: Session, mine: ColumnElement[bool]) -> list[Row] | None:
        """Return the jobs *mine* that have not ended, and the steps of these, if all of them wait; else None."""
        found: list[Row] = []
        query = select(JOBS).where(mine, JOBS.c.state.not_in(FINISHED)).order_by(JOBS.c.id)
        for job in session.connection().execute(query).mappings().all():
            inner = self._waiting(session, JOBS.c.parent_id == job["id"]) if job["is_runbook"] else []
            if inner is None or not _waits(job):
                return None
            found += [job, *inner]
        return found

    def _cancel(self, session: Session, job: Row, reason: str) -> None:
        """Cancel a job that has not begun."""
        connection, now = session.connection(), self._ports.now()
        if not job["is_runbook"]:
            end = {"state": State.CANCELLED, "reason": reason, "stopped_at": now, "hold": None, "due_at": None}
            held = (RUNS.c.job_id == job["id"]) & (RUNS.c.state == State.PENDING)
            connection.execute(update(RUNS).where(held).values(**end))
        state = move(State(job["state"]), Event.CANCEL)
        changes: dict[str, Any] = {"state": state, "stopped_at": now, "open_runs": 0, "reason": reason, **UNTIMED}
        connection.execute(SET_JOB, {"key": job["id"], **changes})


def _waits(job: Row) -> bool:
    """Whether the job has begun to wait for an approval that nobody has given."""
    return job["state"] == State.ACTIVE and (job["options"] or {}).get("approval") == REQUIRED
