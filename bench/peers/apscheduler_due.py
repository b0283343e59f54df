"""APScheduler with its SQLAlchemy store: as many schedules, as many of them due at once. A process of its own.

Reads a ``Spec`` as JSON from standard input and writes what it has noted as JSON to standard output. Its jobs are
functions that note the time; there are no agents, and nothing is kept of what they did.
"""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.due import Plan
from bench.peers.missing import PeerMissing

try:
    from apscheduler.executors.pool import ThreadPoolExecutor
    from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
    from apscheduler.schedulers.background import BackgroundScheduler
    from apscheduler.triggers.interval import IntervalTrigger
except ImportError as error:
    raise PeerMissing(f"it needs apscheduler: {error}") from None

#: How many jobs run at a time; each takes microseconds.
_THREADS = 10
_SPARE_S = 300
_NAME = "bench.peers.apscheduler_due"

_noted: list[tuple[int, float]] = []


@dataclass(slots=True)
class Noted:
    """When the job of which schedule started (in seconds of the computer's clock), and the processor time in all."""

    starts: list[tuple[int, float]] = field(default_factory=list)
    cpu_s: float = 0.0
    moments: list[float] = field(default_factory=list)


def measure(directory: Path, plan: Plan, rounds: int) -> Noted:
    """Run the peer in *directory* until so many moments have been due.

    :raises RuntimeError: if it fails.
    """
    directory.mkdir(parents=True)
    spec = {"url": f"sqlite:///{directory.resolve()}/peer.db", "plan": asdict(plan), "rounds": rounds}
    done = subprocess.run(
        [sys.executable, "-m", _NAME],
        input=json.dumps(spec),
        capture_output=True,
        text=True,
        check=False,
        timeout=plan.seconds(rounds) + _SPARE_S,
    )
    if done.returncode:
        raise RuntimeError(f"APScheduler failed:\n{done.stderr[-2000:]}")
    return Noted(**json.loads(done.stdout))


def note(number: int) -> None:
    """Note when schedule *number* started a job."""
    _noted.append((number, time.time()))


def serve(url: str, plan: Plan, rounds: int) -> Noted:
    """Lay the schedules, let so many moments pass, and return what was noted."""
    store = SQLAlchemyJobStore(url=url)
    scheduler = BackgroundScheduler(
        jobstores={"default": store},
        executors={"default": ThreadPoolExecutor(_THREADS)},
        job_defaults={"misfire_grace_time": None, "coalesce": True},
        timezone=UTC,
    )
    scheduler.start(paused=True)
    _lay(scheduler, store, plan)
    moments = plan.moments(time.time(), rounds)
    scheduler.resume()
    time.sleep(max(0.0, moments[0] - time.time() - 1))
    begun = time.process_time()
    time.sleep(moments[-1] + plan.apart_s - time.time())
    used = time.process_time() - begun
    scheduler.shutdown(wait=False)
    return Noted(list(_noted), used, moments)


def _lay(scheduler: Any, store: Any, plan: Plan) -> None:
    """Add the first schedule by the scheduler; write the others, which differ in id and times, into its table.

    One by one it would take minutes: every one is a commit.
    """
    scheduler.add_job(f"{_NAME}:note", IntervalTrigger(days=1), id="template", args=[0], jobstore="default")
    template = store.lookup_job("template").__getstate__()
    scheduler.remove_job("template")
    rows = []
    for number in range(plan.schedules):
        start = datetime.fromtimestamp(plan.start_of(number), UTC)
        seconds = plan.period_s if plan.is_due(number) else 24 * 3600
        trigger = IntervalTrigger(seconds=seconds, start_date=start, timezone=UTC)
        state = {**template, "id": str(number), "args": (number,), "trigger": trigger, "next_run_time": start}
        content = pickle.dumps(state, store.pickle_protocol)
        rows.append({"id": str(number), "next_run_time": start.timestamp(), "job_state": content})
    with store.engine.begin() as connection:
        connection.execute(store.jobs_t.insert(), rows)


if __name__ == "__main__":
    # By its name, as APScheduler imports it to call ``note``: what that writes is in that module.
    from bench.peers import apscheduler_due

    given = json.load(sys.stdin)
    print(json.dumps(asdict(apscheduler_due.serve(given["url"], Plan(**given["plan"]), given["rounds"]))))
