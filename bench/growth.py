"""M11: whether lists, claims and submits cost more when there are a million jobs than when there are few."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from pathlib import Path

from bench import history, stored
from bench.figures import Figure, Round, Series, Verdict
from bench.history import History
from dispatcher.core.jobs import Stage
from dispatcher.core.permissions import SYSTEM
from dispatcher.real_ports import now

#: How many finished jobs there are, where there are few and where there are many.
FEW, MANY = 10_000, 1_000_000
#: How many runs are claimed between the two measurements.
CLAIMS = 100_000
PAGE_SIZE = 100
#: How long one kind of work is repeated in a turn, in seconds.
TURN_S = 0.3
#: How many jobs are active when work of one kind begins, whatever was done before; nothing is done oftener in a turn.
ACTIVE = 100
#: How many runs are claimed at once between the measurements.
_AT_ONCE = 50
_GOAL = 1.5


class _Subject:
    """One datastore under measurement. The names of the kinds of work are the keys of ``kinds``."""

    def __init__(self, before: History, jobs: int) -> None:
        self._history = before
        self.jobs = jobs
        self._places = count()
        self._submitted = 1  # the first one, that all others are copies of
        self._done = 1
        self.kinds: dict[str, Callable[[], object]] = {
            "page 1": lambda: self._page(Stage.ALL, 1),
            "page 50": lambda: self._page(Stage.ALL, 50),
            "search by state: finished": lambda: self._page(Stage.HISTORY, 1),
            "search by state: active": lambda: self._page(Stage.ACTIVE, 1),
            "submit": self._submit,
            "claim, and report the run as done": self._run_one,
        }

    def turn(self, kind: str) -> Round:
        """Do work of one kind for a while; return how often it can be done."""
        work = self.kinds[kind]
        self._settle()
        begun, before, pieces = time.perf_counter(), time.process_time(), 0
        while pieces == 0 or (time.perf_counter() - begun < TURN_S and pieces < ACTIVE):
            work()
            pieces += 1
        used, seconds = time.process_time() - before, time.perf_counter() - begun
        return Round(pieces, 0, pieces / seconds, pieces / max(used, 1e-9))

    def claim(self, runs: int) -> None:
        """Let so many runs wait, for all agents in turn; have them claimed, and then let them have completed."""
        self._drain()
        waiting = self._history.submit(self._history.agent_ids[0])
        history.multiply(self._history, waiting.id, runs - 1, now())
        self._submitted += runs
        for agent_id in self._history.agent_ids:
            while claimed := self._history.claim(agent_id, _AT_ONCE):
                self._done += len(claimed)
        history.end_claimed(self._history)

    def check(self) -> None:
        """Check that every job is there, and that those which were claimed are done, once.

        :raises RuntimeError: if not.
        """
        self._drain()
        jobs = self.jobs + self._submitted
        stored.check_done_once(self._history.directory, jobs, jobs)
        if self._done != self._submitted:
            raise RuntimeError(f"of {self._submitted} submitted jobs {self._done} were given to agents")

    def _page(self, stage: Stage, number: int) -> None:
        page = self._history.hall.jobs.page(stage, True, True, number, PAGE_SIZE, SYSTEM)
        if stage is not Stage.ACTIVE and page.total > PAGE_SIZE * number and len(page.items) != PAGE_SIZE:
            raise RuntimeError(f"page {number} has {len(page.items)} jobs")

    def _submit(self) -> None:
        agents = self._history.agent_ids
        self._history.submit(agents[next(self._places) % len(agents)])
        self._submitted += 1

    def _run_one(self) -> None:
        """Do one waiting run of the next agent that has one."""
        agents = self._history.agent_ids
        for _ in agents:
            agent_id = agents[next(self._places) % len(agents)]
            runs = self._history.claim(agent_id, 1)
            if runs:
                self._history.complete(agent_id, runs)
                self._done += 1
                return
        raise RuntimeError("no run waits")

    def _settle(self) -> None:
        if self._submitted - self._done != ACTIVE:
            self._drain()
            for _ in range(ACTIVE):
                self._submit()

    def _drain(self) -> None:
        for agent_id in self._history.agent_ids:
            while runs := self._history.claim(agent_id, _AT_ONCE):
                self._history.complete(agent_id, runs)
                self._done += len(runs)


def run(directory: Path, pairs: int, few: int, many: int, claims: int) -> Figure:
    """Measure each kind of work at *few* and at *many* finished jobs, in turns, before and after so many *claims*.

    In this process, through the services, on SQLite: HTTP would cost the same whatever the size, and hide growth.

    :raises RuntimeError: if a job is lost or doubled.
    """
    figure = Figure("M11", f"Cost with {many} finished jobs as a ratio to {few}", unit="call")
    with _filled(directory / "m11-few", few) as small, _filled(directory / "m11-many", many) as large:
        _compare(figure, small, large, pairs, "")
        begun = time.monotonic()
        large.claim(claims)
        figure.notes.append(f"{claims} runs were claimed in {time.monotonic() - begun:.0f} s.")
        _compare(figure, small, large, pairs, f", after {claims} claims")
        small.check()
        large.check()
    figure.notes.append("No job was lost or doubled.")
    return figure


@contextmanager
def _filled(directory: Path, jobs: int) -> Iterator[_Subject]:
    with history.opened(directory) as before:
        history.multiply(before, before.first, jobs, now() - timedelta(minutes=1))
        yield _Subject(before, jobs)


def _compare(figure: Figure, small: _Subject, large: _Subject, pairs: int, when: str) -> None:
    for kind in small.kinds:
        both = [Series(f"{kind}, {one.jobs} jobs{when}") for one in (small, large)]
        for turn in range(pairs + 1):
            for one, series in zip((small, large), both, strict=True):
                measured = one.turn(kind)
                if turn:  # the first turn only warms up
                    series.rounds.append(measured)
        times = 1 / both[1].times(both[0])
        figure.series += both
        figure.verdicts.append(Verdict(f"{kind}{when}: at most {_GOAL:g} times", f"{times:.2f} times", times <= _GOAL))
