"""Starting: a job that is due becomes runs, one on each of its agents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.orm import Session

from dispatcher.core.jobs import Who, WhoKind
from dispatcher.core.ports import Ports
from dispatcher.core.states import Event, State, move
from dispatcher.datastore.base import Row
from dispatcher.datastore.jobs import JOBS
from dispatcher.datastore.runs import RUNS
from dispatcher.datastore.transactions import after_commit
from dispatcher.services.plans import Plans
from dispatcher.services.topology import Target, Topology

_INSERT_JOB = insert(JOBS)
_INSERT_RUN = insert(RUNS)
#: A new job's columns; the number comes from the database.
EMPTY_JOB: dict[str, Any] = {column: None for column in JOBS.columns.keys() if column != "number"}  # noqa: SIM118
EMPTY_JOB["is_recurring"] = False


class Starting:
    """Starts jobs that are no run books. Every method works inside the caller's transaction."""

    def __init__(self, ports: Ports, plans: Plans, topology: Topology) -> None:
        self._ports = ports
        self._plans = plans
        self._topology = topology

    def insert(self, session: Session, job: Mapping[str, Any]) -> int:
        """Insert the new *job* (its columns) as it is; return its number."""
        key = session.connection().execute(_INSERT_JOB, job).inserted_primary_key
        assert key is not None  # noqa: S101 - every database gives the key of a row that was inserted alone
        number: int = key[0]
        return number

    def insert_runs(self, session: Session, runs: Sequence[Mapping[str, Any]]) -> None:
        """Insert the new *runs* (their columns), and wake the agents that may fetch one."""
        if runs:
            session.connection().execute(_INSERT_RUN, runs)
        woken = [run["agent_id"] for run in runs if run["state"] is State.PENDING]
        if woken:
            after_commit(session, lambda: self._ports.wakeup.agents(woken))

    def started(self, job: Row) -> dict[str, Any]:
        """Return what changes in *job* (its columns) when it starts now."""
        now = self._ports.now()
        return {"state": move(State(job["state"]), Event.ACTIVATE), "started_at": now, "sorted_at": now}

    def begin(self, session: Session, job: Row) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Return the runs of *job*, and how its start changes it; without any run to do it is over at once."""
        changes = self.started(job)
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
        now = self._ports.now()
        fitting = {os for os in {target.os for target in targets} if self._plans.outline(session, job["what"], os)}
        runs = []
        for target in targets:
            fits = target.os in fitting
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


def to_entry(who: Who) -> dict[str, Any]:
    """Return *who* as a job stores it."""
    return {"kind": who.kind, "id": str(who.id), "name": who.name}


def to_who(entry: Mapping[str, Any]) -> Who:
    """Return the stored *entry* as it was when the job was scheduled; its flags are not known."""
    return Who(UUID(entry["id"]), entry["name"], WhoKind(entry["kind"]))
