"""M8: how late jobs come when there are many schedules and a lot of them are due at once."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from bench import houses, stored
from bench.due import Plan
from bench.figures import Figure, Round, Series, Verdict
from bench.houses import AGENT_ID, ONE_ID, Running
from bench.load import percentile
from bench.peers.missing import PeerMissing
from dispatcher.core.jobs import JobRequest, WhatChoice, WhatKind, When, WhoChoice, WhoKind
from dispatcher.core.permissions import SYSTEM
from dispatcher.core.ports import NoWakeup, Ports
from dispatcher.core.schedules import Outcome, Overlap, RecurrenceRequest
from dispatcher.datastore.transactions import Datastore
from dispatcher.real_ports import new_id, now, steady
from dispatcher.services.hall import build_hall
from dispatcher.services.secrets import Secrets

#: How many schedules there are, and how many of them are due at once.
SCHEDULES, DUE = 100_000, 1_000
#: How many schedules are stored by one commit.
_BATCH = 1_000
#: How often the ledger is looked at from outside, in seconds.
_LOOK_EVERY_S = 0.002
_GOAL_MS = 500


def run(directory: Path, rounds: int, schedules: int, due: int) -> Figure:
    """Measure how long after its due time each occurrence is durable, beside APScheduler with an SQL store.

    Dispatcher's are taken when another process sees the ledger's row, which is there when the job is; the agent they
    are for never comes. APScheduler's are taken when the job's function starts, in the same process.

    :raises RuntimeError: if a due time gave no job, or two.
    """
    figure = Figure("M8", f"Lateness: {schedules} schedules, {due} of them due at once", unit="job")
    ours = _measure(directory / "m8", Plan(schedules, due, _next_minute()), rounds)
    figure.series.append(ours)
    try:
        figure.series.append(_measure_peer(directory / "m8-peer", Plan(schedules, due, _next_minute()), rounds))
    except (PeerMissing, RuntimeError) as reason:  # one that falls a minute behind skips what was due meanwhile
        figure.notes.append(f"APScheduler is left out: {reason}.")
    p99 = ours.median("p99_ms")
    figure.verdicts.append(Verdict(f"p99 at most {_GOAL_MS} ms", f"{p99:.0f} ms", p99 <= _GOAL_MS))
    figure.notes.append(f"Each of {rounds * due} due times gave one job.")
    return figure


def _next_minute() -> float:
    return (time.time() // 60 + 1) * 60


def _measure(directory: Path, plan: Plan, rounds: int) -> Series:
    laid: dict[bytes, int] = {}

    def prepare(datastore: Datastore) -> None:
        laid.update(_lay(datastore, plan))

    with houses.dispatcher(directory, None, prepare=prepare) as house:
        moments = plan.moments(time.time(), rounds + 1)
        with _Observer(house) as observer:
            _wait_until(moments[1] - 1)  # the first one only warms up
            before = house.server.cpu_s()
            _wait_until(moments[-1] + plan.apart_s - 1)
            used = house.server.cpu_s() - before
        house.server.check()
    seen = [(laid[schedule], due_at, at) for schedule, due_at, at in observer.fired]
    plan.check(moments, seen)
    series = Series("Dispatcher, until the job is durable")
    for moment in moments[1:]:
        series.rounds.append(_round([at - due_at for _, due_at, at in seen if due_at == moment], used / rounds))
    return series


def _lay(datastore: Datastore, plan: Plan) -> dict[bytes, int]:
    """Store the schedules of *plan* through the services; return the number of each by its id."""
    ports = Ports(now, steady, new_id, NoWakeup())
    hall = build_hall(datastore, ports, Secrets(bytes(32)), lease=timedelta(seconds=30))
    laid: dict[bytes, int] = {}
    for first in range(0, plan.schedules, _BATCH):
        with datastore.begin():
            for number in range(first, min(first + _BATCH, plan.schedules)):
                laid[hall.scheduling.submit(_request(plan, number), SYSTEM).id.bytes] = number
    return laid


def _request(plan: Plan, number: int) -> JobRequest:
    start = datetime.fromtimestamp(plan.start_of(number), UTC)
    rule = f"FREQ=MINUTELY;INTERVAL={plan.period_s // 60}" if plan.is_due(number) else "FREQ=DAILY"
    recurrence = RecurrenceRequest(f"DTSTART:{start:%Y%m%dT%H%M%SZ}\nRRULE:{rule}", overlap=Overlap.ALLOW)
    return JobRequest(
        [WhatChoice(UUID(ONE_ID.strip("{}")), WhatKind.MODULE)],
        [WhoChoice([UUID(AGENT_ID.strip("{}"))], WhoKind.AGENT)],
        When(immediate=False, starts_at=start, recurrence=recurrence),
    )


class _Observer:
    """Looks at the ledger from outside, in a thread. ``fired`` is ``(schedule, due time, when it was seen)``."""

    def __init__(self, house: Running) -> None:
        self._house = house
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.fired: list[tuple[bytes, float, float]] = []

    def __enter__(self) -> _Observer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _run(self) -> None:
        with stored.reading(self._house.directory) as connection:
            row = stored.count(connection, "SELECT coalesce(max(rowid), 0) FROM occurrence")
            while not self._is_over.wait(_LOOK_EVERY_S):
                row = self._look(connection, row)

    def _look(self, connection: sqlite3.Connection, row: int) -> int:
        new = connection.execute(
            "SELECT occurrence.rowid, schedule_id, due_at FROM occurrence JOIN job ON job.id = job_id"
            " WHERE occurrence.rowid > ? AND outcome = ?",
            (row, Outcome.FIRED),
        ).fetchall()
        at = time.time()
        for _, schedule, due_at in new:
            moment = datetime.fromisoformat(due_at).replace(tzinfo=UTC).timestamp()
            self.fired.append((schedule, moment, at))
        return max([row, *(int(one[0]) for one in new)])


def _measure_peer(directory: Path, plan: Plan, rounds: int) -> Series:
    from bench.peers import apscheduler_due

    noted = apscheduler_due.measure(directory, plan, rounds + 1)
    # A job does not know when it was due: at the last moment of its schedule.
    seen = [(number, plan.last_due(number, at), at) for number, at in noted.starts]
    plan.check(noted.moments, seen)
    series = Series("APScheduler, SQLite store, until the function starts")
    for moment in noted.moments[1:]:
        late = [at - due_at for _, due_at, at in seen if due_at == moment]
        series.rounds.append(_round(late, noted.cpu_s / (rounds + 1)))
    return series


def _round(late_s: Sequence[float], cpu_s: float) -> Round:
    late_ms = [1000 * one for one in late_s]
    spread_s = max(late_s) if late_s else 0.0
    return Round(
        len(late_ms),
        0,
        len(late_ms) / max(spread_s, 0.001),
        len(late_ms) / max(cpu_s, 0.01),
        percentile(late_ms, 50),
        percentile(late_ms, 99),
    )


def _wait_until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.time()))
