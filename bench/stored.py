"""Stored: what the datastore of a house holds, read beside its server as any other program could."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from dispatcher.core.states import State

#: How long to wait for a datastore that is being written, in seconds.
_BUSY_S = 30
_DONE_ONCE = """
    SELECT count(*), count(DISTINCT run.id), count(DISTINCT job.id)
    FROM run JOIN job ON job.id = run.job_id JOIN task_result ON task_result.run_id = run.id
    WHERE job.state = :completed AND run.state = :completed AND task_result.state = :completed AND run.attempt = 1
"""


@contextmanager
def reading(directory: Path) -> Iterator[sqlite3.Connection]:
    """Open the datastore of the house in *directory* for reading."""
    with closing(sqlite3.connect(f"file:{directory / 'bench.db'}?mode=ro", timeout=_BUSY_S, uri=True)) as connection:
        yield connection


def count(connection: sqlite3.Connection, query: str, *values: object) -> int:
    """Return the one number that *query* gives."""
    found: int = connection.execute(query, values).fetchone()[0]
    return found


def check_done_once(directory: Path, jobs: int, runs: int) -> None:
    """Check that there are so many *jobs* and *runs* of one task, and that all completed at the first attempt.

    :raises RuntimeError: if one is missing, did not complete, was done again, or is too many.
    """
    with reading(directory) as connection:
        done = connection.execute(_DONE_ONCE, {"completed": State.COMPLETED}).fetchone()
        stored = tuple(count(connection, f"SELECT count(*) FROM {table}") for table in ("task_result", "run", "job"))
    if done != (runs, runs, jobs) or stored != done:
        raise RuntimeError(f"{jobs} jobs with {runs} runs should be done once: of {stored} stored {done} are")
