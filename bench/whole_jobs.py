"""M4: whole jobs, from their submission to a stored result, with a task that does nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

from bench import houses, load, stored
from bench.figures import Figure, Round, Series, Verdict
from bench.houses import AGENT_ID, NOTHING_ID, Running
from bench.messages import schedule_job
from bench.peers.missing import PeerMissing
from bench.processes import Server

#: How many tasks each contestant does at a time.
SLOTS = 2
#: How many jobs a turn has.
JOBS = 1_000
#: How long the jobs of a turn may take, in seconds.
_PATIENCE_S = 120
_JOB_ID = r"JobID>([^<]+)<"
_ENDED = "SELECT count(*) FROM job WHERE stopped_at IS NOT NULL"
#: How many times the peer's runs per second are to be reached.
_GOALS = {"Procrastinate": 2.0, "Celery": 0.75}


class Contestant(Protocol):
    """A job system that runs."""

    name: str

    def do(self, jobs: int) -> float:
        """Submit *jobs* and wait for all their results; return the seconds."""
        ...

    def cpu_s(self) -> float:
        """Return the processor time of everything but the client so far, in seconds."""
        ...

    def check(self) -> None:
        """Raise RuntimeError if a job was lost or done twice."""
        ...


class Dispatcher:
    """A dispatcher with SQLite and one remote agent. Jobs are submitted by SOAP from 16 connections."""

    name = "Dispatcher, durable, one agent over HTTP"

    def __init__(self, house: Running, agent: Server) -> None:
        self._house = house
        self._agent = agent
        self._request = schedule_job(house.target, NOTHING_ID, AGENT_ID, {})
        self._acknowledged: list[str] = []

    def do(self, jobs: int) -> float:
        """Submit *jobs* and wait until all of them are stored as ended; return the seconds.

        :raises RuntimeError: if one is refused, or that takes too long.
        """
        report = load.run(self._house.target.port, self._request, _PATIENCE_S, collect=_JOB_ID, most=jobs)
        if report.errors or report.answers != jobs:
            raise RuntimeError(f"{report.answers} of {jobs} jobs were answered, {report.errors} refused")
        self._acknowledged += [job_id for _, job_id in report.collected]
        with stored.reading(self._house.directory) as monitor:
            while stored.count(monitor, _ENDED) < len(self._acknowledged):
                self._house.server.check()
                self._agent.check()
                if time.perf_counter() - report.begun_at > _PATIENCE_S:
                    raise RuntimeError("the jobs have not ended in time")
                time.sleep(0.01)
        return time.perf_counter() - report.begun_at

    def cpu_s(self) -> float:
        """Return the processor time of server and agent, with all their processes, in seconds."""
        return self._house.server.cpu_s() + self._agent.cpu_s()

    def check(self) -> None:
        """Check that exactly the acknowledged jobs are there, each with one run, one attempt and one result.

        :raises RuntimeError: if not.
        """
        if sorted(self._house.all_jobs()) != sorted(self._acknowledged):
            raise RuntimeError("jobs are lost, or were never acknowledged")
        stored.check_done_once(self._house.directory, len(self._acknowledged), len(self._acknowledged))


@contextmanager
def _dispatcher(directory: Path, slots: int) -> Iterator[Dispatcher]:
    with houses.dispatcher(directory, None) as house, houses.remote_agent(house, slots) as agent:
        yield Dispatcher(house, agent)


def _procrastinate(directory: Path, slots: int) -> AbstractContextManager[Contestant]:
    from bench.peers import procrastinate_jobs

    return procrastinate_jobs.running(directory, slots)


def _celery(directory: Path, slots: int) -> AbstractContextManager[Contestant]:
    from bench.peers import celery_jobs

    return celery_jobs.running(directory, slots)


_PEERS: dict[str, Callable[[Path, int], AbstractContextManager[Contestant]]] = {
    "Procrastinate": _procrastinate,
    "Celery": _celery,
}


def run(directory: Path, pairs: int, jobs: int) -> Figure:
    """Measure whole jobs beside Procrastinate and Celery, in turns of so many *jobs*.

    Nothing is pinned: each contestant may use all cores. A peer that is not installed is left out, and named.

    :raises RuntimeError: if a job is lost or doubled.
    """
    figure = Figure("M4", f"Whole jobs, submit to stored result: no-op, {SLOTS} at a time, {jobs} a turn", unit="run")
    with ExitStack() as started:
        ours: Contestant = started.enter_context(_dispatcher(directory / "m4", SLOTS))
        peers: dict[str, Contestant] = {}
        for name, start in _PEERS.items():
            try:
                peers[name] = started.enter_context(start(directory / f"m4-{name.lower()}", SLOTS))
            except PeerMissing as missing:
                figure.notes.append(f"{name} was not measured: {missing}.")
        contestants = [ours, *peers.values()]
        figure.series = [Series(one.name) for one in contestants]
        for turn in range(pairs + 1):
            for contestant, series in zip(contestants, figure.series, strict=True):
                one = _turn(contestant, jobs)
                if turn:  # the first turn only warms up
                    series.rounds.append(one)
        for contestant in contestants:
            contestant.check()
    for name, series in zip(peers, figure.series[1:], strict=True):
        goal, times = _GOALS[name], figure.series[0].times(series, "per_second")
        figure.verdicts.append(Verdict(f"at least {goal:g} times {name}", f"{times:.2f} times", times >= goal))
    figure.notes.append("The processor time is that of server and workers; the clients' is not counted.")
    figure.notes.append("Every acknowledged job was done, once.")
    return figure


def _turn(contestant: Contestant, jobs: int) -> Round:
    before = contestant.cpu_s()
    seconds = contestant.do(jobs)
    used = contestant.cpu_s() - before
    return Round(jobs, 0, jobs / seconds, jobs / max(used, 0.01))
