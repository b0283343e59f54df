"""Progress: what the news in reports changes of their runs, gathered in memory and stored by a few statements."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Update, bindparam, insert, select, update
from sqlalchemy.orm import Session

from dispatcher.core.states import FINISHED, Event, State, move
from dispatcher.datastore.base import Row
from dispatcher.datastore.runs import CHUNKS, RUNS, TASK_RESULTS

_RUNS_OF = (
    select(RUNS.c.id, RUNS.c.agent_id, RUNS.c.job_id, RUNS.c.fence, RUNS.c.state, RUNS.c.reason, RUNS.c.started_at)
    .where(RUNS.c.agent_id.in_(bindparam("agents", expanding=True)), RUNS.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(RUNS.c.id)
    .with_for_update(key_share=True)
)
_TASKS_OF = select(
    TASK_RESULTS.c.run_id, TASK_RESULTS.c.position, TASK_RESULTS.c.state, TASK_RESULTS.c.output_bytes
).where(
    TASK_RESULTS.c.run_id.in_(bindparam("ids", expanding=True)),
    TASK_RESULTS.c.position.in_(bindparam("positions", expanding=True)),
)
_STANDS = select(RUNS.c.fence, RUNS.c.state).where(RUNS.c.id == bindparam("key"))
#: Each sets the columns that are named beside its own parameters.
_SET_RUN = update(RUNS).where(RUNS.c.id == bindparam("key"))
_SET_TASK = update(TASK_RESULTS).where(
    TASK_RESULTS.c.run_id == bindparam("key"), TASK_RESULTS.c.position == bindparam("place")
)
_ADD_TASKS = insert(TASK_RESULTS)
_ADD_CHUNKS = insert(CHUNKS)
#: A task that has begun and not ended.
_NEW_TASK: dict[str, Any] = {
    "state": State.ACTIVE,
    "exit_code": None,
    "message": "",
    "killed": [],
    "outputs": {},
    "output_bytes": 0,
    "attempts": 1,
    "started_at": None,
    "stopped_at": None,
}


class _Task:
    """A task of a run: how it stands, and what of that is not stored yet."""

    __slots__ = ("changes", "is_new", "output_bytes", "state")

    def __init__(self, state: int, output_bytes: int, *, is_new: bool) -> None:
        self.state = state
        self.output_bytes = output_bytes
        self.is_new = is_new
        self.changes: dict[str, Any] = {}

    def set(self, **values: Any) -> None:
        """Change columns of the task."""
        self.changes.update(values)
        self.state = self.changes.get("state", self.state)
        self.output_bytes = self.changes.get("output_bytes", self.output_bytes)


class Progress:
    """One run that news came of, and what that changes. Nothing is written before ``store``."""

    def __init__(self, row: Row) -> None:
        self.id: UUID = row["id"]
        self.agent_id: UUID = row["agent_id"]
        self.job_id: UUID = row["job_id"]
        self.fence: int = row["fence"]
        self.state = State(row["state"])
        self._reason: str = row["reason"]
        self._started_at: datetime | None = row["started_at"]
        self._changes: dict[str, Any] = {}
        self._tasks: dict[int, _Task] = {}
        self._chunks: list[dict[str, Any]] = []

    @property
    def has_tasks(self) -> bool:
        """Whether results of its tasks may be stored: every task starts its run."""
        return self._started_at is not None

    def start(self, at: datetime, leased_until: datetime) -> None:
        """Note that the run has started; its lease lasts until *leased_until* then. It starts once."""
        if self._started_at is None:
            self._started_at = at
            self.state = self.state if self.state is State.ABORTING else move(self.state, Event.START)
            # A lease that was over before this news came begins again: without one nobody would miss the run.
            self._changes.update(state=self.state, started_at=at, leased_until=leased_until)

    def start_task(self, position: int, at: datetime) -> None:
        """Note that the task has started. It starts once."""
        if position not in self._tasks:
            self._new_task(position).set(started_at=at)
            self._changes.update(begun=True, position=position)

    def append(self, position: int, offset: int, data: bytes) -> None:
        """Add *data*, which the task wrote at *offset*, to its output; what is there already stays as it is."""
        task = self._tasks.get(position)
        if task is None:
            return
        # A repeated chunk may begin before the end of what is stored; only what is new is kept. One that begins after
        # it leaves a gap: the agent had no room for what was there.
        begin = max(offset, task.output_bytes)
        data = data[begin - offset :]
        if data:
            self._chunks.append({"run_id": self.id, "position": position, "offset": begin, "data": data})
            task.set(output_bytes=begin + len(data))

    def end_task(self, position: int, event: Event, **columns: Any) -> None:
        """Note that the task has ended by *event*, with these columns. It ends once, and needs not have started."""
        task = self._tasks.get(position)
        if task is None and columns["message"]:
            task = self._new_task(position)
        elif task is None or task.state in FINISHED:
            return  # one that was skipped because the run was over needs no row
        task.set(state=move(State.ACTIVE, event), **columns)

    def end(self, event: Event, at: datetime, reason: str, outputs: list[dict[str, list[str]]] | None) -> None:
        """Note that the run has ended by *event*, and what it gave out."""
        self.state = move(self.state, event)
        self._changes.update(state=self.state, stopped_at=at, leased_until=None, reason=reason or self._reason)
        if outputs is not None:
            self._changes["outputs"] = outputs

    def renew(self, leased_until: datetime) -> None:
        """Let the lease last until *leased_until*."""
        self._changes["leased_until"] = leased_until

    def read_again(self, session: Session) -> None:
        """Note what somebody else has made of the run in this transaction; nothing of this may be unstored."""
        row = session.connection().execute(_STANDS, {"key": self.id}).one()
        self.fence, self.state = row.fence, State(row.state)

    def _new_task(self, position: int) -> _Task:
        task = self._tasks[position] = _Task(State.ACTIVE, 0, is_new=True)
        return task

    def note_stored_task(self, row: Row) -> None:
        """Take in a task that is stored."""
        self._tasks[row["position"]] = _Task(row["state"], row["output_bytes"], is_new=False)

    def take_changes(self) -> tuple[dict[str, Any], dict[int, _Task], list[dict[str, Any]]]:
        """Return what is not stored yet: columns of the run, tasks by their positions, and chunks of output."""
        changes, self._changes = self._changes, {}
        chunks, self._chunks = self._chunks, []
        return changes, {place: task for place, task in self._tasks.items() if task.is_new or task.changes}, chunks


def read(
    session: Session,
    agent_ids: Collection[UUID],
    run_ids: Collection[UUID],
    told: Collection[UUID],
    positions: Collection[int],
) -> dict[UUID, Progress]:
    """Lock those of the runs that are the agents', and return them by their ids; those *told* of with their tasks.

    Of their tasks those at *positions*.
    """
    if not run_ids:
        return {}
    connection = session.connection()
    rows = connection.execute(_RUNS_OF, {"agents": list(agent_ids), "ids": list(run_ids)}).mappings()
    runs = {row["id"]: Progress(row) for row in rows}
    begun = [run.id for run in runs.values() if run.id in told and run.has_tasks]
    if begun and positions:
        for row in connection.execute(_TASKS_OF, {"ids": begun, "positions": list(positions)}).mappings():
            runs[row["run_id"]].note_stored_task(row)
    return runs


def store(session: Session, runs: Iterable[Progress]) -> None:
    """Write what has changed of *runs*."""
    connection = session.connection()
    changed_runs: list[dict[str, Any]] = []
    changed_tasks: list[dict[str, Any]] = []
    new_tasks: list[dict[str, Any]] = []
    new_chunks: list[dict[str, Any]] = []
    for run in runs:
        changes, tasks, chunks = run.take_changes()
        if changes:
            changed_runs.append({"key": run.id, **changes})
        for position, task in tasks.items():
            if task.is_new:
                new_tasks.append({"run_id": run.id, "position": position, **_NEW_TASK, **task.changes})
            else:
                changed_tasks.append({"key": run.id, "place": position, **task.changes})
            task.is_new, task.changes = False, {}
        new_chunks += chunks
    _update(connection, _SET_RUN, changed_runs)
    _update(connection, _SET_TASK, changed_tasks)
    if new_tasks:
        connection.execute(_ADD_TASKS, new_tasks)
    if new_chunks:
        connection.execute(_ADD_CHUNKS, new_chunks)


def _update(connection: Connection, statement: Update, rows: Iterable[dict[str, Any]]) -> None:
    """Set in each of *rows* the columns that it names; those that set the same ones together."""
    alike: defaultdict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        alike[tuple(sorted(row))].append(row)
    for some in alike.values():
        connection.execute(statement, some)
