"""Races: agents report, callers abort and the engine takes leases back, all at once, and every job ends once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any
from uuid import UUID

from sqlalchemy import select

from dispatcher.core.jobs import JobRequest, WhatChoice, WhatKind, When, WhoChoice, WhoKind
from dispatcher.core.permissions import SYSTEM
from dispatcher.core.states import FINISHED, Event
from dispatcher.datastore.runs import Run
from dispatcher.services.hall import Hall
from dispatcher.services.reporting import News, RunFinished, TaskStarted

MODULE, RUNBOOK = UUID(int=1), UUID(int=2)
LIBRARY = f"""
modules: [{{name: M, id: {MODULE}, tasks: [{{type: command, name: t, settings: {{command: 'true'}}}}]}}]
runbooks:
  - name: R
    id: {RUNBOOK}
    steps: [{{name: a, module: M, who: [{{ask: true}}]}}, {{name: b, module: M, who: [{{ask: true}}]}}]
"""
ROUNDS = 12


def test_everything_at_once_ends_every_job_and_fails_nobody(
    hall: Hall, enrol: Callable[..., UUID], load_library: Callable[[str], None], clock: Any, datastore: Any
) -> None:
    load_library(LIBRARY)
    agents = [enrol(f"agent {number}") for number in range(3)]
    jobs: list[UUID] = []
    failures: list[BaseException] = []
    done = threading.Event()

    def guarded(body: Callable[[], None]) -> threading.Thread:
        def run() -> None:
            try:
                body()
            except BaseException as error:
                failures.append(error)
                done.set()

        return threading.Thread(target=run)

    def work(agent: UUID) -> None:
        while not done.is_set():
            runs, _ = hall.leasing.orders(agent, 2, [])
            held = [(run.id, run.fence) for run in runs]
            hall.reporting.report(agent, [News(*one, TaskStarted(0, clock())) for one in held], held)
            poll = guarded(lambda held=held: hall.leasing.standing(agent, held))  # type: ignore[misc]
            poll.start()
            hall.reporting.report(agent, [News(*one, RunFinished(clock(), Event.COMPLETE)) for one in held], [])
            poll.join()

    def submit() -> None:
        for number in range(ROUNDS):
            kind, what = (WhatKind.RUNBOOK, RUNBOOK) if number % 2 else (WhatKind.MODULE, MODULE)
            who = [WhoChoice([agent], WhoKind.AGENT) for agent in agents]
            jobs.append(hall.scheduling.submit(JobRequest([WhatChoice(what, kind)], who, When()), SYSTEM).id)

    def abort() -> None:
        aborted = 0
        while aborted < ROUNDS // 2 and not done.is_set():
            for job in jobs[aborted * 2 : aborted * 2 + 1]:
                hall.aborting.abort(job, SYSTEM)
                aborted += 1

    def look_after() -> None:
        while not done.is_set():
            hall.leasing.take_back()
            hall.clockwork.activate_due()

    threads = [guarded(lambda agent=agent: work(agent)) for agent in agents]  # type: ignore[misc]
    callers = [guarded(submit), guarded(abort)]
    for thread in (*threads, *callers, engine := guarded(look_after)):
        thread.start()
    for thread in callers:
        thread.join(60)
    for _ in range(600):
        if done.wait(0.05) or all(hall.jobs.get(job, SYSTEM).state in FINISHED for job in jobs):
            break
    done.set()
    for thread in (*threads, engine):
        thread.join(30)
    assert failures == []
    assert {hall.jobs.get(job, SYSTEM).state in FINISHED for job in jobs} == {True}
    with datastore.read() as session:
        held = session.execute(select(Run.id).where(Run.state.in_(FINISHED), Run.leased_until.is_not(None))).all()
    assert held == []
