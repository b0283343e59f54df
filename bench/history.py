"""History: a datastore with as many finished jobs as one likes, multiplied from one that was really done."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from bench import crowd, houses
from dispatcher.core.jobs import Job, JobRequest, WhatChoice, WhatKind, When, WhoChoice, WhoKind
from dispatcher.core.permissions import SYSTEM
from dispatcher.core.ports import NoWakeup, Ports
from dispatcher.core.states import Event, State
from dispatcher.datastore.transactions import Datastore
from dispatcher.real_ports import new_id, now, steady
from dispatcher.services.hall import Hall, build_hall
from dispatcher.services.leasing import Ask
from dispatcher.services.library.importing import import_texts
from dispatcher.services.reporting import News, RunFinished, RunStarted, TaskFinished, TaskStarted
from dispatcher.services.run_orders import LeasedRun
from dispatcher.services.secrets import Secrets

#: How many agents the jobs were and are for.
AGENTS = 100
#: How far apart the finished jobs started.
APART = timedelta(seconds=1)
_LEASE = timedelta(minutes=10)
#: How SQLite keeps moments.
_MOMENT = "%Y-%m-%d %H:%M:%S.%f"
#: Where the rows of a job are.
_ROWS = {
    "job": "SELECT * FROM job WHERE id = ?",
    "run": "SELECT * FROM run WHERE job_id = ?",
    "task_result": "SELECT * FROM task_result WHERE run_id = (SELECT id FROM run WHERE job_id = ?)",
}


@dataclass(slots=True)
class History:
    """A datastore with jobs that are over, and the services over it."""

    directory: Path
    datastore: Datastore
    hall: Hall
    agent_ids: list[UUID]
    first: UUID  #: the job that was really done

    def submit(self, agent_id: UUID) -> Job:
        """Schedule a job with one parameter on the agent, at once."""
        return self.hall.scheduling.submit(_request(agent_id), SYSTEM)

    def claim(self, agent_id: UUID, most: int) -> list[LeasedRun]:
        """Lend at most so many runs to the agent, as its poll would."""
        [(runs, _)] = self.hall.leasing.orders_of([Ask(agent_id, most, [])])
        return runs

    def complete(self, agent_id: UUID, runs: Sequence[LeasedRun]) -> None:
        """Report that the agent has done *runs*, as its report would."""
        at = now()
        events = (
            RunStarted(at),
            TaskStarted(0, at),
            TaskFinished(0, at, Event.COMPLETE, exit_code=0),
            RunFinished(at, Event.COMPLETE),
        )
        news = [News(run.id, run.fence, event) for run in runs for event in events]
        self.hall.reporting.report(agent_id, news, [(run.id, run.fence) for run in runs])


@contextmanager
def opened(directory: Path) -> Iterator[History]:
    """Make a datastore in *directory* with the library of the figures, some agents, and one job that one has done."""
    directory.mkdir(parents=True)
    with houses.datastore(directory) as datastore:
        ports, secrets = Ports(now, steady, new_id, NoWakeup()), Secrets(b"bench" * 6 + b"be")
        import_texts(datastore, ports, secrets, {"bench.yaml": houses.library_text().encode()})
        agent_ids = [UUID(agent_id) for agent_id, _ in crowd.lay(datastore, AGENTS)]
        hall = build_hall(datastore, ports, secrets, lease=_LEASE)
        first = hall.scheduling.submit(_request(agent_ids[0]), SYSTEM).id
        history = History(directory, datastore, hall, agent_ids, first)
        history.complete(agent_ids[0], history.claim(agent_ids[0], 1))
        yield history


def multiply(history: History, job_id: UUID, copies: int, until: datetime) -> None:
    """Add so many *copies* of a job, with their runs and results: each earlier than the next, the last at *until*.

    They are for all agents in turn. Directly, without the services: a million jobs would take them an hour.
    """
    with closing(sqlite3.connect(history.directory / "bench.db")) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        first_number = connection.execute("SELECT max(number) FROM job").fetchone()[0] + 1
        for table, query in _ROWS.items():
            cursor = connection.execute(query, [job_id.bytes])
            names, found = [column[0] for column in cursor.description], cursor.fetchone()
            if found is None:
                continue  # one that waits has no result yet
            template = dict(zip(names, found, strict=True))
            rows = _copies(table, template, range(first_number, first_number + copies), history.agent_ids, until)
            columns, marks = ", ".join(f'"{name}"' for name in names), ", ".join("?" * len(names))
            connection.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", rows)
        connection.commit()


def end_claimed(history: History) -> None:
    """Let all runs that are claimed have completed, with their jobs, as the first one did; directly, too."""
    with closing(sqlite3.connect(history.directory / "bench.db")) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        names = [row[1] for row in connection.execute("PRAGMA table_info(task_result)") if row[1] != "run_id"]
        columns, values = ", ".join(names), ", ".join(f"task_result.{name}" for name in names)
        first = "(SELECT id FROM run WHERE job_id = :first)"
        for statement in (
            f"INSERT INTO task_result (run_id, {columns}) SELECT claimed.id, {values} FROM run AS claimed, task_result"
            f" WHERE task_result.run_id = {first} AND claimed.leased_until IS NOT NULL",
            "UPDATE job SET state = :done, open_runs = 0, stopped_at = :at"
            " WHERE id IN (SELECT job_id FROM run WHERE leased_until IS NOT NULL)",
            "UPDATE run SET state = :done, leased_until = NULL, begun = 1, started_at = :at, stopped_at = :at"
            " WHERE leased_until IS NOT NULL",
        ):
            at = now().strftime(_MOMENT)
            connection.execute(statement, {"first": history.first.bytes, "done": State.COMPLETED, "at": at})
        connection.commit()


def _copies(
    table: str, template: dict[str, Any], numbers: Sequence[int], agent_ids: Sequence[UUID], until: datetime
) -> Iterator[list[Any]]:
    row = dict(template)
    moments = [name for name, value in template.items() if name.endswith("_at") and value is not None]
    agents = [agent_id.bytes for agent_id in agent_ids]
    for number in numbers:
        moment = until - (numbers[-1] - number) * APART
        text = moment.strftime(_MOMENT)
        row.update(dict.fromkeys(moments, text))
        key = _key(moment.timestamp(), number)
        if table == "job":
            row.update(number=number, id=key, description=f"History {number}")
        elif table == "run":
            row.update(id=key, job_id=key, agent_id=agents[number % len(agents)])
        else:
            row.update(run_id=key)
        yield list(row.values())


def _key(seconds: float, number: int) -> bytes:
    """Return the bytes of a uuid7 of that moment; another for each *number*."""
    return (int(seconds * 1000) << 80 | 7 << 76 | 2 << 62 | number).to_bytes(16, "big")


def _request(agent_id: UUID) -> JobRequest:
    what = WhatChoice(UUID(houses.ONE_ID.strip("{}")), WhatKind.MODULE)
    return JobRequest([what], [WhoChoice([agent_id], WhoKind.AGENT)], When())
