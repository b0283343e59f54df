"""A model of runs, leases and aborts, and the services held against it: random traces of everything that can happen."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from job_world import orders, reclaim
from sqlalchemy import select

from dispatcher.core.jobs import JobRequest, WhatChoice, WhatKind, When, WhoChoice, WhoKind
from dispatcher.core.permissions import SYSTEM
from dispatcher.core.ports import Now, Ports, Steady
from dispatcher.core.states import FINISHED, Event, State, outcome
from dispatcher.datastore.engines import parse_url
from dispatcher.datastore.jobs import JOBS
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.enrolment import Facts
from dispatcher.services.hall import Hall, build_hall
from dispatcher.services.library.importing import import_texts
from dispatcher.services.reporting import News, RunFinished, RunStarted, TaskFinished, TaskStarted
from dispatcher.services.secrets import Secrets

LEASE = timedelta(seconds=30)
SECRETS = Secrets(b"k" * 32)
ONCE, AGAIN = (UUID(f"00000000-0000-4000-8000-00000000000{number}") for number in (1, 2))
LIBRARY = f"""
modules:
  - {{name: Once, id: {ONCE}, tasks: [{{type: command, name: a, settings: {{command: 'true'}}}}]}}
  - {{name: Again, id: {AGAIN}, tasks: [{{type: command, name: a, repeatable: true, settings: {{command: 'true'}}}}]}}
"""


@dataclass
class Held:
    """A run as its agent knows it."""

    fence: int
    has_begun: bool = False
    is_over: bool = False


@dataclass
class Agent:
    """An agent as the protocol describes it: it names what it holds, and reports in order, at least once."""

    id: UUID
    held: dict[UUID, Held] = field(default_factory=dict)
    spool: list[News] = field(default_factory=list)
    polls: list[tuple[list[tuple[UUID, int]], float]] = field(default_factory=list)  #: what it named, and when
    said: list[News] = field(default_factory=list)  #: what may be delivered again

    def naming(self) -> list[tuple[UUID, int]]:
        return [(run_id, one.fence) for run_id, one in self.held.items()]

    def lose(self, run_ids: list[UUID]) -> None:
        for run_id in run_ids:
            self.held.pop(run_id, None)


class Machine(RuleBasedStateMachine):
    """Two agents and any number of jobs. ``effects`` is what really happened; the invariants are what was promised."""

    template = b""
    folder = Path()
    agent_ids: tuple[UUID, ...] = ()

    def __init__(self) -> None:
        super().__init__()
        self.now = datetime(2026, 3, 1, tzinfo=UTC)
        self.seconds = 0.0
        self.file = tempfile.NamedTemporaryFile(dir=self.folder, suffix=".db")  # noqa: SIM115 - teardown closes it
        Path(self.file.name).write_bytes(self.template)
        self.datastore = Datastore(parse_url(f"sqlite:///{self.file.name}"))
        self.ports = ports(lambda: self.now, lambda: self.seconds, first_id=1_000)
        self.hall = self.open()
        self.agents = [Agent(agent_id) for agent_id in self.agent_ids]
        self.jobs: dict[UUID, UUID] = {}
        self.ends: dict[UUID, State] = {}
        self.aborted: set[UUID] = set()
        self.effects: Counter[UUID] = Counter()
        self.module_of: dict[UUID, UUID] = {}

    def open(self) -> Hall:
        return build_hall(self.datastore, self.ports, SECRETS, lease=LEASE)

    @rule(module=st.sampled_from([ONCE, AGAIN]), who=st.sampled_from([(0,), (1,), (0, 1)]))
    def submit(self, module: UUID, who: tuple[int, ...]) -> None:
        choices = [WhoChoice([self.agents[number].id], WhoKind.AGENT) for number in who]
        request = JobRequest([WhatChoice(module, WhatKind.MODULE)], choices, When())
        self.jobs[self.hall.scheduling.submit(request, SYSTEM).id] = module

    @precondition(lambda self: self.jobs)
    @rule(data=st.data())
    def abort(self, data: st.DataObject) -> None:
        job_id = data.draw(st.sampled_from(sorted(self.jobs)))
        if self.hall.aborting.abort(job_id, SYSTEM).state in (State.ABORTING, State.ABORTED):
            self.aborted.add(job_id)

    @rule(number=st.integers(0, 1), free=st.integers(0, 3), is_heard=st.booleans())
    def poll(self, number: int, free: int, is_heard: bool) -> None:
        """An agent polls; the answer may be lost on its way."""
        agent = self.agents[number]
        held = agent.naming()
        agent.polls.append((held, self.seconds))
        self.now += timedelta(milliseconds=1)
        self.seconds += 0.001
        reclaim(self.hall, agent.id, held)
        runs, standing = orders(self.hall, agent.id, free, held)
        if is_heard:
            agent.lose(standing.lost)
            for run in runs:
                self.module_of[run.id] = self.jobs[run.job_id]
                agent.held[run.id] = Held(run.fence)
                agent.spool.append(News(run.id, run.fence, RunStarted(self.now)))
            self.heed(agent, standing.aborts)

    @rule(number=st.integers(0, 1), data=st.data())
    def reclaim_late(self, number: int, data: st.DataObject) -> None:
        """A dispatcher that stood still goes on with an old poll."""
        agent = self.agents[number]
        if agent.polls:
            held, asked_at = data.draw(st.sampled_from(agent.polls[-3:]))
            reclaim(self.hall, agent.id, held, asked_at)

    def heed(self, agent: Agent, aborts: list[UUID]) -> None:
        for run_id in aborts:
            held = agent.held.get(run_id)
            if held is not None and not held.is_over:
                held.is_over = True
                agent.spool.append(News(run_id, held.fence, RunFinished(self.now, Event.CONFIRM_ABORT)))
            elif held is None:
                # It knows nothing of the run: it is not left running there.
                fence = self.fence_of(agent, run_id)
                agent.spool.append(News(run_id, fence, RunFinished(self.now, Event.CONFIRM_ABORT)))

    def fence_of(self, agent: Agent, run_id: UUID) -> int:
        return next((one.fence for one in reversed(agent.said) if one.run_id == run_id), 0)

    @rule(number=st.integers(0, 1), how=st.sampled_from([Event.COMPLETE, Event.FAIL, None]))
    def work(self, number: int, how: Event | None) -> None:
        """An agent takes one of its runs a step further: begins it, or ends it."""
        agent = self.agents[number]
        for run_id, held in agent.held.items():
            if held.is_over:
                continue
            if not held.has_begun:
                held.has_begun = True
                self.effects[run_id] += 1
                agent.spool.append(News(run_id, held.fence, TaskStarted(0, self.now)))
            elif how is not None:
                held.is_over = True
                agent.spool.append(News(run_id, held.fence, TaskFinished(0, self.now, how)))
                agent.spool.append(News(run_id, held.fence, RunFinished(self.now, how)))
            return

    @rule(number=st.integers(0, 1), most=st.integers(0, 5), is_heard=st.booleans())
    def report(self, number: int, most: int, is_heard: bool) -> None:
        """An agent reports the oldest of its news; without the receipt it will do so again."""
        agent = self.agents[number]
        news = agent.spool[:most]
        standing = self.hall.reporting.report(agent.id, news, agent.naming())
        agent.said += news
        if is_heard:
            del agent.spool[:most]
            for one in news:
                if isinstance(one.event, RunFinished) and self.holds(agent, one):
                    del agent.held[one.run_id]
            agent.lose(standing.lost)
            self.heed(agent, standing.aborts)

    def holds(self, agent: Agent, news: News) -> bool:
        held = agent.held.get(news.run_id)
        return held is not None and held.fence == news.fence

    @rule(number=st.integers(0, 1), data=st.data())
    def deliver_again(self, number: int, data: st.DataObject) -> None:
        """The network delivers something old once more."""
        agent = self.agents[number]
        if agent.said:
            news = data.draw(st.lists(st.sampled_from(agent.said), max_size=3))
            self.hall.reporting.report(agent.id, news, [])

    @rule(number=st.integers(0, 1))
    def die(self, number: int) -> None:
        """An agent is killed and comes back: what had begun has failed, unless it may be done again."""
        agent = self.agents[number]
        for run_id, held in list(agent.held.items()):
            if held.is_over:
                continue
            if held.has_begun and self.module_of[run_id] == ONCE:
                held.is_over = True
                agent.spool.append(News(run_id, held.fence, RunFinished(self.now, Event.FAIL, "outcome unknown")))
            else:
                del agent.held[run_id]
                agent.spool = [one for one in agent.spool if one.run_id != run_id]

    @rule(seconds=st.sampled_from([1, 20, 31, 100]))
    def wait(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)
        self.seconds += seconds
        self.hall.recovery.take_back()

    @rule(hours=st.sampled_from([-24, -1, 1, 24]), is_noticed=st.booleans())
    def set_clock(self, hours: int, is_noticed: bool) -> None:
        """Somebody sets the clock of the server, which may take a moment to notice."""
        self.now += timedelta(hours=hours)
        self.seconds += 5  # nobody does it twice in the second for which polls count as new
        self.hall.recovery.take_back()
        if is_noticed:
            self.hall.recovery.extend_all(2 * LEASE)

    @rule()
    def restart(self) -> None:
        """The server is killed and started again."""
        self.hall = self.open()
        self.hall.recovery.extend_all(2 * LEASE)

    @invariant()
    def nothing_is_done_twice(self) -> None:
        twice = [run for run, count in self.effects.items() if count > 1 and self.module_of[run] == ONCE]
        assert twice == []

    @invariant()
    def what_has_ended_stays_so(self) -> None:
        with self.datastore.read() as session:
            states = session.execute(select(JOBS.c.id, JOBS.c.state)).all()
        for job_id, number in states:
            state = State(number)
            assert self.ends.get(job_id, state) is state
            if state in FINISHED and job_id not in self.ends:
                self.ends[job_id] = state
                runs = self.hall.results.collect(job_id, False, SYSTEM)[0].runs
                assert all(run.state in FINISHED for run in runs)
                expected = outcome(run.state for run in runs)
                assert state is (State.ABORTED if job_id in self.aborted else expected)

    def teardown(self) -> None:
        """Let it all settle: then everything has ended, and what is completed was done."""
        try:
            self.hall.recovery.extend_all(2 * LEASE)
            for _ in range(8 * (len(self.jobs) + 1)):
                self.what_has_ended_stays_so()
                if len(self.ends) == len(self.jobs):
                    break
                for number in (0, 1):
                    self.poll(number, 3, True)
                    self.work(number, Event.COMPLETE)
                    self.work(number, Event.COMPLETE)
                    self.report(number, 1_000, True)
                self.wait(31)
            self.nothing_is_done_twice()
            assert set(self.ends) == set(self.jobs)
        finally:
            self.datastore.close()
            self.file.close()


def ports(now: Now, steady: Steady, first_id: int) -> Ports:
    numbers = iter(range(first_id, 1_000_000))
    return Ports(now, steady, lambda: UUID(int=(7 << 76) | (2 << 62) | next(numbers)), Silence())


def prepare(empty_database: bytes, file: Path) -> tuple[bytes, tuple[UUID, ...]]:
    """Return a datastore with the library and two agents, and those."""
    file.write_bytes(empty_database)
    datastore = Datastore(parse_url(f"sqlite:///{file}"))
    own = ports(lambda: datetime(2026, 3, 1, tzinfo=UTC), lambda: 0.0, first_id=1)
    hall = build_hall(datastore, own, SECRETS, lease=LEASE)
    import_texts(datastore, own, SECRETS, {"library.yaml": LIBRARY.encode()})
    tokens = [hall.tokens.create_enrol_token(SYSTEM, once=True) for _ in range(2)]
    agents = tuple(hall.enrolment.enrol(token, token[:8], None, Facts(os="linux"))[0] for token in tokens)
    datastore.close()
    return file.read_bytes(), agents


class Silence:
    """A wake-up that wakes nobody: here everybody polls by chance."""

    def agents(self, agent_ids: Any) -> None: ...

    def slot(self, agent_id: Any) -> None: ...

    def engine(self) -> None: ...


@contextmanager
def quick_folder() -> Iterator[Path]:
    """A folder in memory where there is one: durability is not what this is about."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


@pytest.mark.promise("P2")
@pytest.mark.promise("P3")
@pytest.mark.timeout(10_800)
def test_services_do_what_the_model_says(empty_database: bytes, times: Any) -> None:
    with quick_folder() as folder:
        Machine.template, Machine.agent_ids = prepare(empty_database, folder / "template.db")
        Machine.folder = folder
        run_state_machine_as_test(
            Machine,
            settings=settings(
                max_examples=times(300, 10_000),
                stateful_step_count=40,
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
