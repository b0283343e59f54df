"""Locked rows: what another transaction keeps locked holds up only those who need it, and not for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

import pytest
from device_world import LIBRARY as DEVICES
from device_world import ONE, TWO, show
from job_world import LIBRARY, a_request, lapse, lease, on, report
from sqlalchemy import select, update
from sqlalchemy.orm import Session
from structlog.testing import capture_logs

from dispatcher.agents import combiner, protocol
from dispatcher.agents.gateway import Answer, Gateway
from dispatcher.core.errors import Busy, Unavailable
from dispatcher.core.patience import patience_s, patient_for
from dispatcher.core.permissions import SYSTEM
from dispatcher.core.states import Event, State
from dispatcher.datastore import engines
from dispatcher.datastore.agents import Agent
from dispatcher.datastore.jobs import JOBS
from dispatcher.datastore.runs import CHUNKS, RUNS
from dispatcher.datastore.transactions import Datastore
from dispatcher.services import queues, relief
from dispatcher.services.configuration_keeping import FetchedText
from dispatcher.services.enrolment import Facts
from dispatcher.services.hall import Hall
from dispatcher.services.leasing import Ask
from dispatcher.services.locking import lock_agents
from dispatcher.services.reporting import Fetched, RunFinished, RunStarted, TaskFinished, TaskStarted

AGENTS: Any = Agent.__table__
SAVE = UUID("00000000-0000-4000-8000-00000000005a")
BACKUP = f"""  - name: Save
    id: {SAVE}
    parameters: [{{name: Running, input: false, output: true}}]
    tasks:
      - {{type: ssh_fetch, name: fetch, settings: {{command: show, keep: {{name: running, output: Running}}}}}}
"""


@pytest.fixture(params=["postgresql", "mariadb"])
def database(request: pytest.FixtureRequest) -> str:
    """The name of a database; SQLite has no locked rows."""
    return str(request.param)


@pytest.fixture(autouse=True)
def little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(combiner, "PATIENCE_S", 0.1)
    monkeypatch.setattr(combiner, "WARY_S", 1_000.0)


@contextmanager
def locked(datastore: Datastore, table: Any, key: UUID) -> Iterator[None]:
    """Keep a row locked, as somebody does who has forgotten to commit."""
    with datastore.engine.connect() as connection:
        connection.execute(select(table.c.id).where(table.c.id == key).with_for_update()).one()
        yield
        connection.rollback()


class Member:
    """An agent with a run that it was lent."""

    def __init__(self, hall: Hall, name: str, at: Any) -> None:
        self.id, secret = hall.enrolment.enrol(hall.tokens.create_enrol_token(SYSTEM), name, None, Facts(os="linux"))
        self.authorization = protocol.credentials(self.id, secret)
        self.job_id = hall.scheduling.submit(a_request(who=on(self.id)), SYSTEM).id
        [([self.run], _)] = hall.leasing.orders_of([Ask(self.id, 1, [])])
        self.at = at

    @property
    def held(self) -> protocol.Held:
        return protocol.Held(run_id=self.run.id, fence=self.run.fence)

    async def call(self, gateway: Gateway, path: str, message: protocol.Message) -> Answer:
        gone = asyncio.get_running_loop().create_future()
        return await gateway.handle(path, self.authorization, protocol.dump(message), gone)

    async def report(self, gateway: Gateway) -> int:
        """Tell the whole story of the run; return the status of the answer."""
        events = [
            {"kind": "task_started", "position": 0, "at": self.at},
            {"kind": "output", "position": 0, "offset": 0, "data": b"hello"},
            {"kind": "run_finished", "at": self.at, "state": "completed"},
        ]
        told = [{"run_id": self.run.id, "fence": self.run.fence, **event} for event in events]
        return (await self.call(gateway, "report", protocol.Report.model_validate({"events": told}))).status


@pytest.fixture
def members(hall: Hall, load_library: Callable[[str], None], clock: Any) -> list[Member]:
    load_library(LIBRARY)
    return [Member(hall, name, clock()) for name in ("first", "locked", "last")]


def run(hall: Hall, clock: Any, scenario: Callable[[Gateway], Awaitable[None]]) -> None:
    async def main() -> None:
        gateway = Gateway(hall, clock)
        await gateway.start()
        try:
            await asyncio.wait_for(scenario(gateway), 20)
        finally:
            gateway.release()
            await gateway.stop()

    asyncio.run(main())


def ends(datastore: Datastore, members: list[Member]) -> list[tuple[Any, ...]]:
    """How the job of each of *members* stands, and how much output of it is stored."""
    with datastore.read() as session:
        return [
            (
                session.execute(select(JOBS.c.state).where(JOBS.c.id == one.job_id)).scalar_one(),
                [bytes(data) for data in session.scalars(select(CHUNKS.c.data).where(CHUNKS.c.run_id == one.run.id))],
            )
            for one in members
        ]


def online(datastore: Datastore, members: list[Member]) -> list[bool]:
    with datastore.read() as session:
        found = dict(session.execute(select(AGENTS.c.id, AGENTS.c.online)).tuples().all())
    return [found[one.id] for one in members]


DONE, OPEN = (State.COMPLETED, [b"hello"]), (State.ACTIVE, [])


@pytest.mark.parametrize("table", [RUNS, JOBS], ids=["run", "job"])
def test_reports_are_stored_while_one_that_needs_a_locked_row_is_refused_until_it_is_free(
    hall: Hall, datastore: Datastore, members: list[Member], clock: Any, table: Any
) -> None:
    async def scenario(gateway: Gateway) -> None:
        _, stuck, _ = members
        with locked(datastore, table, stuck.run.id if table is RUNS else stuck.job_id):
            for _ in range(2):  # what is repeated is stored once
                assert await asyncio.gather(*(one.report(gateway) for one in members)) == [200, 503, 200]
                assert ends(datastore, members) == [DONE, OPEN, DONE]
        for _ in range(2):
            assert await stuck.report(gateway) == 200
        assert ends(datastore, members) == [DONE] * 3

    run(hall, clock, scenario)


def test_after_one_has_waited_in_vain_the_next_ones_do_not_wait(
    hall: Hall, datastore: Datastore, members: list[Member], clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(gateway: Gateway) -> None:
        with locked(datastore, RUNS, members[1].run.id):
            assert await members[1].report(gateway) == 503
            monkeypatch.setattr(combiner, "PATIENCE_S", 60.0)
            assert await asyncio.gather(*(one.report(gateway) for one in members)) == [200, 503, 200]

    run(hall, clock, scenario)


def test_a_poll_waits_for_no_run_and_what_is_locked_is_not_lost(
    hall: Hall, datastore: Datastore, members: list[Member], clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(combiner, "PATIENCE_S", 60.0)
    clock.turn(timedelta(seconds=10))

    async def scenario(gateway: Gateway) -> None:
        with locked(datastore, RUNS, members[1].run.id):
            polls = [one.call(gateway, "poll", protocol.Poll(free=0, wait_s=0, holding=[one.held])) for one in members]
            for answer in await asyncio.gather(*polls):
                assert protocol.Orders.model_validate_json(answer.body) == protocol.Orders()

    run(hall, clock, scenario)
    with datastore.read() as session:
        until = dict(session.execute(select(RUNS.c.id, RUNS.c.leased_until)).tuples().all())
    assert [(until[one.run.id] - clock()).total_seconds() for one in members] == [30, 20, 30]


def test_a_poll_that_needs_a_locked_agent_is_refused_and_the_others_get_their_work(
    hall: Hall, datastore: Datastore, members: list[Member], clock: Any
) -> None:
    jobs = [hall.scheduling.submit(a_request(who=on(one.id)), SYSTEM).id for one in members]

    async def scenario(gateway: Gateway) -> None:
        async def poll(one: Member) -> tuple[int, list[UUID]]:
            answer = await one.call(gateway, "poll", protocol.Poll(free=1, wait_s=0, holding=[one.held]))
            return answer.status, [
                order.job_id for order in protocol.Orders.model_validate_json(answer.body).runs
            ] if answer.status == 200 else []

        for one in members:  # their first contact is stored, so that nobody else locks them
            await one.call(gateway, "poll", protocol.Poll(free=0, wait_s=0, holding=[one.held]))
        while not all(online(datastore, members)):
            await asyncio.sleep(0.01)
        with locked(datastore, AGENTS, members[1].id):
            given = await asyncio.gather(*map(poll, members))
            assert given == [(200, [jobs[0]]), (503, []), (200, [jobs[2]])]
        assert await poll(members[1]) == (200, [jobs[1]])

    run(hall, clock, scenario)


def test_contacts_of_agents_that_are_not_locked_are_stored_and_the_others_are_told(
    hall: Hall, datastore: Datastore, members: list[Member], clock: Any
) -> None:
    keys = [one.id for one in members]
    with locked(datastore, AGENTS, keys[1]):
        assert hall.enrolment.note_contacts(dict.fromkeys(keys, clock()), {}) == {keys[1]}
    assert online(datastore, members) == [True, False, True]
    assert hall.enrolment.note_contacts({}, dict.fromkeys(keys, clock())) == set()
    assert online(datastore, members) == [False, False, False]


def test_a_transaction_waits_no_longer_than_it_has_patience(datastore: Datastore, members: list[Member]) -> None:
    rename = update(AGENTS).where(AGENTS.c.id == members[0].id).values(name="renamed")
    with locked(datastore, AGENTS, members[0].id), patient_for(0), pytest.raises(Busy), datastore.begin() as session:
        session.execute(rename)
    for _ in range(datastore.engine.pool.size()):  # whichever connection is taken: none stays impatient
        with datastore.begin() as session:
            wait_s = session.connection().exec_driver_sql(
                "SELECT current_setting('lock_timeout')"
                if datastore.engine.dialect.name == "postgresql"
                else "SELECT @@innodb_lock_wait_timeout"
            )
            assert wait_s.scalar_one() in ("10s", 10)


def test_a_transaction_that_stands_still_loses_its_locks(
    datastore: Datastore, members: list[Member], monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = update(AGENTS).where(AGENTS.c.id == members[0].id)
    monkeypatch.setattr(engines, "STANDSTILL_S", 1)
    paused = Datastore(datastore.url)
    try:
        with pytest.raises(Unavailable), paused.begin() as session:
            session.execute(rename.values(name="by the one that was paused"))
            with datastore.begin() as other:  # waits until the first one's is over
                other.execute(rename.values(name="by the other one"))
        with paused.begin() as session:  # it goes on with another connection
            assert session.scalar(select(AGENTS.c.name).where(AGENTS.c.id == members[0].id)) == "by the other one"
    finally:
        paused.close()


def test_a_locked_job_keeps_no_other_run_from_being_taken_back(
    hall: Hall, datastore: Datastore, members: list[Member], clock: Any
) -> None:
    both = hall.scheduling.submit(a_request(who=on(members[0].id, members[1].id)), SYSTEM).id
    hall.leasing.orders_of([Ask(one.id, 1, []) for one in members[:2]])
    with locked(datastore, JOBS, both):
        assert lapse(hall, clock) == 3
        assert hall.recovery.take_back() == 0
    clock.turn(timedelta(seconds=15))
    assert hall.recovery.take_back() == 2


@pytest.mark.parametrize("table", [AGENTS, RUNS], ids=["agent", "run"])
def test_a_queue_in_which_something_is_locked_keeps_no_other_waiting(
    hall: Hall, datastore: Datastore, members: list[Member], monkeypatch: pytest.MonkeyPatch, table: Any
) -> None:
    monkeypatch.setattr(queues, "PATIENCE_S", 0.1)
    jobs = [
        hall.scheduling.submit(a_request(who=on(one.id), options={"queued": True}), SYSTEM).id
        for one in (members[0], *members)
    ]
    with datastore.read() as session:
        first = session.scalars(select(RUNS.c.id).where(RUNS.c.job_id == jobs[0])).one()
    with locked(datastore, table, members[0].id if table is AGENTS else first):
        assert hall.queues.advance() == 2
        assert lent(hall, members[1:]) == {jobs[2], jobs[3]}
    assert hall.queues.advance() == 1
    assert lent(hall, members) == {jobs[0]}  # not the second one, which was free


def test_many_locked_queues_are_waited_for_once(
    hall: Hall, datastore: Datastore, members: list[Member], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queues, "PATIENCE_S", 0.1)
    jobs = [hall.scheduling.submit(a_request(who=on(one.id), options={"queued": True}), SYSTEM).id for one in members]
    with locked(datastore, AGENTS, members[0].id), locked(datastore, AGENTS, members[1].id):
        with capture_logs() as logged:
            assert hall.queues.advance() == 1
        assert lent(hall, members[2:]) == {jobs[2]}
        with capture_logs() as again:
            assert hall.queues.advance() == 0
    waited = [[one["resource"] for one in seen if one["event"] == "queue.not_advanced_yet"] for seen in (logged, again)]
    assert [len(one) for one in waited] == [1, 1]
    assert waited[0] != waited[1]  # the other one comes first then
    assert hall.queues.advance() == 2


def lent(hall: Hall, members: list[Member]) -> set[UUID]:
    """Lend all that may be lent; return the jobs that it is of."""
    return {run.job_id for runs, _ in hall.leasing.orders_of([Ask(one.id, 5, []) for one in members]) for run in runs}


def test_a_locked_gateway_keeps_no_other_from_being_relieved(
    hall: Hall,
    datastore: Datastore,
    load_library: Callable[[str], None],
    enrol: Callable[..., UUID],
    clock: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    patience: list[float] = []

    def lock(session: Session, agent_ids: Collection[UUID]) -> None:
        patience.append(patience_s())
        lock_agents(session, agent_ids)

    monkeypatch.setattr(relief, "lock_agents", lock)
    load_library(DEVICES)
    jobs = []
    for name, device in (("first", ONE), ("second", TWO)):  # each is the only one, and offline when the next one is
        gateway = enrol(name)
        load_library(f"agents: [{{name: {name}, primary_team: Switches}}]")
        hall.enrolment.note_contacts({gateway: clock()}, {})
        jobs.append((gateway, hall.scheduling.submit(show(device), SYSTEM).id))
        hall.enrolment.note_contacts({}, {gateway: clock()})
        clock.turn(timedelta(seconds=91))
    third = enrol("third")
    load_library("agents: [{name: third, primary_team: Switches}]")
    hall.enrolment.note_contacts({third: clock()}, {})

    with locked(datastore, AGENTS, jobs[0][0]), capture_logs() as logged:
        assert hall.relief.relieve() == 1
    waited = [one["agent"] for one in logged if one["event"] == "gateway.not_relieved_yet"]
    assert (waited, set(patience)) == ([str(jobs[0][0])], {relief.PATIENCE_S})
    assert hall.relief.relieve() == 1
    assert {run.job_id for run in lease(hall, third, 5)} == {job for _, job in jobs}


def test_a_locked_device_raises_no_alert_but_is_told_of_again(
    hall: Hall, datastore: Datastore, load_library: Callable[[str], None], enrol: Callable[..., UUID], clock: Any
) -> None:
    gateway = enrol("gateway")
    load_library(DEVICES.replace("teams:", f"{BACKUP}teams:"))
    content = b"hostname sw-1"
    digest = sha256(content).digest()
    load_library("agents: [{name: gateway, primary_team: Switches}]")
    job = hall.scheduling.submit(show(ONE, what=SAVE), SYSTEM)
    (run,) = lease(hall, gateway, 1)
    report(hall, gateway, run, RunStarted(clock()), TaskStarted(0, clock()), Fetched(0, 0, content))
    fetched = [FetchedText(0, "running", len(content), digest, digest)]
    end = [TaskFinished(0, clock(), Event.COMPLETE), RunFinished(clock(), Event.COMPLETE, fetched=fetched)]
    with locked(datastore, AGENTS, ONE), patient_for(0.1), pytest.raises(Busy):
        report(hall, gateway, run, *end)
    assert (hall.alerts.list(SYSTEM), hall.configurations.versions(ONE, SYSTEM)) == ([], [])

    report(hall, gateway, run, *end)
    (version,) = hall.configurations.versions(ONE, SYSTEM)
    assert hall.configurations.content(version.id, SYSTEM) == content
    assert hall.alerts.list(SYSTEM) == []
    assert hall.jobs.get(job.id, SYSTEM).state is State.COMPLETED
