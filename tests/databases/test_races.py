"""Races: agents report, callers abort and the engine takes leases back, all at once, and every job ends once.

MariaDB locks more than it is asked to and may end a transaction for the sake of another: whoever asked tries again, as
agents, clients and the engine do. On the other databases nobody ever has to.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

from job_world import orders, standing
from sqlalchemy import select

from dispatcher.core.attempts import again
from dispatcher.core.jobs import JobRequest, WhatChoice, WhatKind, When, WhoChoice, WhoKind
from dispatcher.core.permissions import SYSTEM
from dispatcher.core.states import FINISHED, Event
from dispatcher.datastore.runs import Run
from dispatcher.services.hall import Hall
from dispatcher.services.leasing import Ask
from dispatcher.services.reporting import News, Report, RunFinished, TaskStarted

MODULE, RUNBOOK = UUID(int=1), UUID(int=2)
LIBRARY = f"""
modules: [{{name: M, id: {MODULE}, tasks: [{{type: command, name: t, settings: {{command: 'true'}}}}]}}]
runbooks:
  - name: R
    id: {RUNBOOK}
    steps: [{{name: a, module: M, who: [{{ask: true}}]}}, {{name: b, module: M, who: [{{ask: true}}]}}]
"""
ROUNDS = 12
TRIES = 50
T = TypeVar("T")


class Crowd:
    """Threads that all use one hall; the first failure ends them all."""

    def __init__(self, hall: Hall, now: Callable[[], Any], tries: int) -> None:
        self.hall = hall
        self.tries = tries
        self.now = now
        self.jobs: list[UUID] = []
        self.failures: list[BaseException] = []
        self.done = threading.Event()

    def ask(self, call: Callable[..., T], *arguments: Any) -> T:
        return again(partial(call, *arguments), self.tries)

    def thread(self, body: Callable[..., None], *arguments: Any) -> threading.Thread:
        def run() -> None:
            try:
                body(*arguments)
            except BaseException as error:
                self.failures.append(error)
                self.done.set()

        return threading.Thread(target=run)

    def work(self, agent: UUID) -> None:
        while not self.done.is_set():
            runs, _ = self.ask(orders, self.hall, agent, 2, [])
            held = [(run.id, run.fence) for run in runs]
            started = [News(*one, TaskStarted(0, self.now())) for one in held]
            self.ask(self.hall.reporting.report, agent, started, held)
            poll = self.thread(self.ask, standing, self.hall, agent, held)
            poll.start()
            ended = [News(*one, RunFinished(self.now(), Event.COMPLETE)) for one in held]
            self.ask(self.hall.reporting.report, agent, ended, [])
            poll.join()

    def work_together(self, agents: list[UUID]) -> None:
        """Do what ``work`` does for all *agents* at once, as a dispatcher does that has many."""
        while not self.done.is_set():
            given = self.ask(self.hall.leasing.orders_of, [Ask(agent, 2, []) for agent in agents])
            held = {
                agent: [(run.id, run.fence) for run in runs] for agent, (runs, _) in zip(agents, given, strict=True)
            }
            self.ask(self.hall.reporting.report_all, [self.tell(agent, held[agent], is_over=False) for agent in agents])
            poll = self.thread(self.ask, self.hall.leasing.orders_of, [Ask(one, 0, held[one]) for one in agents])
            poll.start()
            self.ask(self.hall.reporting.report_all, [self.tell(agent, held[agent], is_over=True) for agent in agents])
            poll.join()

    def tell(self, agent: UUID, held: list[tuple[UUID, int]], *, is_over: bool) -> Report:
        event = RunFinished(self.now(), Event.COMPLETE) if is_over else TaskStarted(0, self.now())
        return Report(agent, [News(*one, event) for one in held], [] if is_over else held)

    def submit(self, agents: list[UUID]) -> None:
        who = [WhoChoice([agent], WhoKind.AGENT) for agent in agents]
        for number in range(ROUNDS):
            what = WhatChoice(RUNBOOK, WhatKind.RUNBOOK) if number % 2 else WhatChoice(MODULE, WhatKind.MODULE)
            self.jobs.append(self.ask(self.hall.scheduling.submit, JobRequest([what], who, When()), SYSTEM).id)

    def abort(self) -> None:
        aborted = 0
        while aborted < ROUNDS // 2 and not self.done.is_set():
            for job in self.jobs[aborted * 2 : aborted * 2 + 1]:
                self.ask(self.hall.aborting.abort, job, SYSTEM)
                aborted += 1

    def look_after(self) -> None:
        while not self.done.is_set():
            self.ask(self.hall.recovery.take_back)
            self.ask(self.hall.clockwork.activate_due)

    def all_ended(self) -> bool:
        return all(self.hall.jobs.get(job, SYSTEM).state in FINISHED for job in self.jobs)


def test_everything_at_once_ends_every_job_and_fails_nobody(
    hall: Hall, enrol: Callable[..., UUID], load_library: Callable[[str], None], clock: Any, datastore: Any
) -> None:
    load_library(LIBRARY)
    agents = [enrol(f"agent {number}") for number in range(3)]
    is_mariadb = datastore.engine.dialect.name in ("mysql", "mariadb")
    crowd = Crowd(hall, clock, tries=TRIES if is_mariadb else 1)
    workers = [
        *(crowd.thread(crowd.work, agent) for agent in agents),
        crowd.thread(crowd.work_together, agents),
        crowd.thread(crowd.work_together, agents[::-1]),
        crowd.thread(crowd.look_after),
    ]
    callers = [crowd.thread(crowd.submit, agents), crowd.thread(crowd.abort)]
    for thread in (*workers, *callers):
        thread.start()
    for thread in callers:
        thread.join(60)
    for _ in range(600):
        if crowd.done.wait(0.05) or crowd.all_ended():
            break
    crowd.done.set()
    for thread in workers:
        thread.join(30)
    assert crowd.failures == []
    assert crowd.all_ended()
    with datastore.read() as session:
        held = session.execute(select(Run.id).where(Run.state.in_(FINISHED), Run.leased_until.is_not(None))).all()
    assert held == []
