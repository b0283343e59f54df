"""Reporting: what agents tell of their runs, stored once, whatever they repeat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from dispatcher.core.states import FINISHED, Event, State, move
from dispatcher.datastore.runs import CHUNKS, RUNS, TASK_RESULTS
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.activation import Activation
from dispatcher.services.leasing import Leasing, Standing
from dispatcher.services.locking import lock_jobs

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class RunStarted:
    """The agent starts the run."""

    at: datetime


@dataclass(slots=True)
class TaskStarted:
    """The agent has recorded the start of the task at ``position``."""

    position: int
    at: datetime


@dataclass(slots=True)
class Output:
    """Bytes that the task wrote, at ``offset``."""

    position: int
    offset: int
    data: bytes


@dataclass(slots=True)
class TaskFinished:
    """The task has ended; nothing of it is left running."""

    position: int
    at: datetime
    event: Event
    exit_code: int | None = None
    message: str = ""
    killed: list[str] = field(default_factory=list)
    outputs: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class RunFinished:
    """The run has ended."""

    at: datetime
    event: Event
    reason: str = ""


RunEvent = RunStarted | TaskStarted | Output | TaskFinished | RunFinished


@dataclass(slots=True)
class News:
    """An event of a run, with the fencing number of the lease it happened under."""

    run_id: UUID
    fence: int
    event: RunEvent


class Reporting:
    """Stores the news of agents."""

    def __init__(self, datastore: Datastore, *, leasing: Leasing, activation: Activation) -> None:
        self._datastore = datastore
        self._leasing = leasing
        self._activation = activation

    def report(self, agent_id: UUID, news: Sequence[News], held: Sequence[tuple[UUID, int]]) -> Standing:
        """Store *news* in order, renew the leases of *held*, and return what has become of those runs.

        Durable when it returns. News of another agent's run, of a lost lease or of a finished run change nothing,
        and neither does news that was stored before.
        """
        ending = {one.run_id for one in news if isinstance(one.event, RunFinished)}
        with self._datastore.begin() as session:
            if ending and not self._datastore.traits.single_writer:
                lock_jobs(session, set(session.scalars(select(RUNS.c.job_id).where(RUNS.c.id.in_(ending)))))
            runs = self._runs(session, agent_id, {one.run_id for one in news})
            for one in news:
                run = runs.get(one.run_id)
                if run is None or run["fence"] != one.fence:
                    # All that is kept of it: who it was and what it said, as evidence for people.
                    log.warning("run.late_news", run_id=str(one.run_id), fence=one.fence, news=type(one.event).__name__)
                elif State(run["state"]) not in FINISHED:
                    self._store(session, run, one.event)
            return self._leasing.standing_in(session, agent_id, held)

    def _runs(self, session: Session, agent_id: UUID, run_ids: set[UUID]) -> dict[UUID, dict[str, Any]]:
        if not run_ids:
            return {}
        mine = RUNS.c.agent_id == agent_id, RUNS.c.id.in_(run_ids)
        query = select(RUNS).where(*mine).order_by(RUNS.c.id).with_for_update(key_share=True)
        return {row["id"]: dict(row) for row in session.connection().execute(query).mappings()}

    def _store(self, session: Session, run: dict[str, Any], event: RunEvent) -> None:
        match event:
            case RunStarted():
                self._start(session, run, event.at)
            case TaskStarted():
                self._start_task(session, run, event)
            case Output():
                self._append(session, run, event)
            case TaskFinished():
                self._finish_task(session, run, event)
            case RunFinished():
                self._finish(session, run, event)

    def _start(self, session: Session, run: dict[str, Any], at: datetime) -> None:
        if run["started_at"] is None:
            state = run["state"] if run["state"] == State.ABORTING else move(State(run["state"]), Event.START)
            self._set(session, run, state=state, started_at=at)

    def _start_task(self, session: Session, run: dict[str, Any], event: TaskStarted) -> None:
        self._start(session, run, event.at)
        if self._task(session, run, event.position) is not None:
            return
        session.connection().execute(
            insert(TASK_RESULTS),
            {
                "run_id": run["id"],
                "position": event.position,
                "state": State.ACTIVE,
                "message": "",
                "killed": [],
                "outputs": {},
                "output_bytes": 0,
                "started_at": event.at,
            },
        )
        self._set(session, run, begun=True, position=event.position)

    def _append(self, session: Session, run: dict[str, Any], event: Output) -> None:
        task = self._task(session, run, event.position)
        if task is None or not event.data:
            return
        # A repeated chunk may begin before the end of what is stored; only what is new is kept. One that begins after
        # it leaves a gap: the agent had no room for what was there.
        offset = max(event.offset, task["output_bytes"])
        data = event.data[offset - event.offset :]
        if data:
            chunk = {"run_id": run["id"], "position": event.position, "offset": offset, "data": data}
            session.connection().execute(insert(CHUNKS), chunk)
            self._set_task(session, run, event.position, output_bytes=offset + len(data))

    def _finish_task(self, session: Session, run: dict[str, Any], event: TaskFinished) -> None:
        task = self._task(session, run, event.position)
        if task is None or task["state"] in FINISHED:
            return
        self._set_task(
            session,
            run,
            event.position,
            state=move(State.ACTIVE, event.event),
            exit_code=event.exit_code,
            message=event.message,
            killed=event.killed,
            outputs=event.outputs,
            stopped_at=event.at,
        )

    def _finish(self, session: Session, run: dict[str, Any], event: RunFinished) -> None:
        self._start(session, run, event.at)
        if event.event is Event.CONFIRM_ABORT and State(run["state"]) is not State.ABORTING:
            # Nobody aborted it: its agent was stopped and took it along.
            row = session.execute(select(RUNS).where(RUNS.c.id == run["id"])).one()
            self._leasing.give_up(session, row, event.reason or "its agent was stopped")
            run.update(session.execute(select(RUNS).where(RUNS.c.id == run["id"])).mappings().one())
            return
        state = move(State(run["state"]), event.event)
        self._set(
            session, run, state=state, reason=event.reason or run["reason"], stopped_at=event.at, leased_until=None
        )
        self._activation.run_ended(session, run["job_id"])

    def _task(self, session: Session, run: dict[str, Any], position: int) -> Any:
        return (
            session.connection()
            .execute(
                select(TASK_RESULTS).where(TASK_RESULTS.c.run_id == run["id"], TASK_RESULTS.c.position == position)
            )
            .mappings()
            .first()
        )

    def _set(self, session: Session, run: dict[str, Any], **values: Any) -> None:
        session.connection().execute(update(RUNS).where(RUNS.c.id == run["id"]).values(**values))
        run.update(values)

    def _set_task(self, session: Session, run: dict[str, Any], position: int, **values: Any) -> None:
        session.connection().execute(
            update(TASK_RESULTS)
            .where(TASK_RESULTS.c.run_id == run["id"], TASK_RESULTS.c.position == position)
            .values(**values)
        )
