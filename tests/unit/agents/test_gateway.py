"""The gateway: polls wait without a thread, wake at once, and nobody is let in without a secret."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from dispatcher.agents import protocol
from dispatcher.agents.gateway import Answer, Gateway, _Look
from dispatcher.core.errors import Unavailable
from dispatcher.core.jobs import JobRequest, WhatChoice, WhatKind, When, WhoChoice, WhoKind
from dispatcher.core.parameters import ParameterType
from dispatcher.core.permissions import SYSTEM
from dispatcher.core.states import State
from dispatcher.datastore.agents import Agent
from dispatcher.services.dispatchers import Dispatchers
from dispatcher.services.hall import Hall

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MODULE = UUID("00000000-0000-4000-8000-000000000001")
LIBRARY = f"""
modules:
  - name: Greet
    id: {MODULE}
    parameters: [{{name: Login, type: credentials, value: admin}}]
    tasks: [{{type: command, name: greet, settings: {{command: 'echo "$[Login]"'}}, timeout_s: 5, repeatable: true}}]
"""


class Caller:
    """An agent as far as the gateway can tell."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.authorization = ""
        self.id = UUID(int=0)

    async def enrol(self, token: str, name: str = "one") -> None:
        answer = await self.call("enrol", protocol.Enrol(token=token, name=name))
        identity = protocol.Identity.model_validate_json(answer.body)
        self.id = identity.agent_id
        self.authorization = protocol.credentials(identity.agent_id, identity.secret)

    async def call(
        self, path: str, message: protocol.Message | bytes, gone: asyncio.Future[None] | None = None
    ) -> Answer:
        body = message if isinstance(message, bytes) else protocol.dump(message)
        gone = gone or asyncio.get_running_loop().create_future()
        return await self.gateway.handle(path, self.authorization, body, gone)

    async def poll(self, wait_s: float = 10, **rest: Any) -> protocol.Orders:
        answer = await self.call("poll", protocol.Poll(free=1, wait_s=wait_s, **rest))
        assert answer.status == 200, answer.body
        return protocol.Orders.model_validate_json(answer.body)


@pytest.fixture
def run(hall: Hall, clock: Any, load_library: Callable[[str], None]) -> Callable[..., None]:
    """Run a scenario on a loop, with a started gateway and an enrolled agent."""
    load_library(LIBRARY)

    def run(scenario: Callable[[Caller], Awaitable[None]]) -> None:
        async def main() -> None:
            gateway = Gateway(hall, clock)
            await gateway.start()
            caller = Caller(gateway)
            await caller.enrol(hall.tokens.create_enrol_token(SYSTEM))
            try:
                await asyncio.wait_for(scenario(caller), 20)
            finally:
                gateway.release()
                await gateway.stop()

        asyncio.run(main())

    return run


def submit(hall: Hall, *agents: UUID) -> UUID:
    who = [WhoChoice([agent], WhoKind.AGENT) for agent in agents]
    request = JobRequest([WhatChoice(MODULE, WhatKind.MODULE)], who, When())
    return hall.scheduling.submit(request, SYSTEM).id


async def until_waiting(gateway: Gateway, agent: UUID) -> None:
    while agent not in gateway._waiting:
        await asyncio.sleep(0.001)


def test_work_that_is_there_is_given_at_once(hall: Hall, run: Callable[..., None]) -> None:
    async def scenario(agent: Caller) -> None:
        job = await asyncio.to_thread(submit, hall, agent.id)
        [order] = (await agent.poll()).runs
        assert order.job_id == job
        assert [(task.name, task.timeout_s, task.repeatable) for task in order.tasks] == [("greet", 5.0, True)]
        [value] = order.modules[0].values
        assert (value.name, value.value, value.password) == ("Login", "admin", "")
        assert value.type is ParameterType.CREDENTIALS

    run(scenario)


def test_a_waiting_poll_is_woken_by_work(hall: Hall, run: Callable[..., None]) -> None:
    async def scenario(agent: Caller) -> None:
        polling = asyncio.create_task(agent.poll(wait_s=60))
        await until_waiting(agent.gateway, agent.id)
        await asyncio.to_thread(submit, hall, agent.id)
        agent.gateway.wake([agent.id])
        assert len((await polling).runs) == 1

    run(scenario)


def test_a_waiting_poll_is_woken_by_an_abort(hall: Hall, run: Callable[..., None]) -> None:
    async def scenario(agent: Caller) -> None:
        job = await asyncio.to_thread(submit, hall, agent.id)
        [order] = (await agent.poll()).runs
        held = protocol.Held(run_id=order.run_id, fence=order.fence)
        polling = asyncio.create_task(agent.poll(wait_s=60, holding=[held]))
        await until_waiting(agent.gateway, agent.id)
        await asyncio.to_thread(hall.aborting.abort, job, SYSTEM)
        agent.gateway.wake([agent.id])
        assert (await polling).aborts == [order.run_id]

    run(scenario)


def test_a_poll_ends_empty_when_its_time_is_over(run: Callable[..., None]) -> None:
    async def scenario(agent: Caller) -> None:
        assert await agent.poll(wait_s=0.05) == protocol.Orders()

    run(scenario)


def sizes_of(monkeypatch: pytest.MonkeyPatch, service: object, name: str) -> list[int]:
    """Return a list that the number of agents is added to whenever the method *name* is called."""
    sizes: list[int] = []
    usual = getattr(service, name)

    def counted(questions: Sequence[Any]) -> Any:
        sizes.append(len(questions))
        return usual(questions)

    monkeypatch.setattr(service, name, counted)
    return sizes


async def enrol_crowd(hall: Hall, gateway: Gateway) -> list[Caller]:
    crowd = [Caller(gateway) for _ in range(20)]
    for number, one in enumerate(crowd):
        await one.enrol(await asyncio.to_thread(hall.tokens.create_enrol_token, SYSTEM, once=True), f"{number}")
    return crowd


def test_agents_that_are_woken_at_once_are_served_together_each_with_its_own(
    hall: Hall, run: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = sizes_of(monkeypatch, hall.leasing, "orders_of")

    async def scenario(agent: Caller) -> None:
        crowd = await enrol_crowd(hall, agent.gateway)
        polls = [asyncio.create_task(one.poll(wait_s=60)) for one in crowd]
        for one in crowd:
            await until_waiting(agent.gateway, one.id)
        job = await asyncio.to_thread(submit, hall, *(one.id for one in crowd))
        agent.gateway.wake([one.id for one in crowd])
        orders = [(await poll).runs for poll in polls]
        assert [[order.job_id for order in runs] for runs in orders] == [[job]] * len(crowd)
        assert len({runs[0].run_id for runs in orders}) == len(crowd)
        assert len(batches) < len(crowd) == sum(batches)

    run(scenario)


def test_reports_that_come_at_once_are_stored_together_and_refused_one_by_one(
    hall: Hall, run: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = sizes_of(monkeypatch, hall.reporting, "report_all")

    async def scenario(agent: Caller) -> None:
        crowd = await enrol_crowd(hall, agent.gateway)
        job = await asyncio.to_thread(submit, hall, *(one.id for one in crowd))
        orders = [(await one.poll()).runs[0] for one in crowd]
        done = [protocol.RunFinished(run_id=one.run_id, fence=1, at=NOW, state="completed") for one in orders]
        right, crowd[7].authorization = crowd[7].authorization, "Agent nonsense"
        answers = await asyncio.gather(
            *(one.call("report", protocol.Report(events=[event])) for one, event in zip(crowd, done, strict=True)),
            crowd[0].call("report", b"{"),
        )
        assert [answer.status for answer in answers] == [200] * 7 + [401] + [200] * 12 + [400]
        assert len(batches) < sum(batches) == len(crowd) - 1
        assert (await asyncio.to_thread(hall.jobs.get, job, SYSTEM)).state is State.ACTIVE
        crowd[7].authorization = right
        assert (await crowd[7].call("report", protocol.Report(events=[done[7]]))).status == 200
        assert (await asyncio.to_thread(hall.jobs.get, job, SYSTEM)).state is State.COMPLETED

    run(scenario)


def test_a_second_poll_of_the_same_agent_lets_the_first_one_go(hall: Hall, run: Callable[..., None]) -> None:
    async def scenario(agent: Caller) -> None:
        first = asyncio.create_task(agent.poll(wait_s=60))
        await until_waiting(agent.gateway, agent.id)
        second = asyncio.create_task(agent.poll(wait_s=60))
        assert await first == protocol.Orders()
        await asyncio.to_thread(submit, hall, agent.id)
        agent.gateway.wake([agent.id])
        assert len((await second).runs) == 1

    run(scenario)


def test_an_agent_is_online_while_it_polls_and_offline_after_it_hung_up(
    hall: Hall, run: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dispatcher.agents.contacts.RECONNECT_S", 0.01)

    def online() -> list[bool | None]:
        return [who.is_online for who in hall.topology.who(True, False, False, False, "", SYSTEM)]

    async def until(expected: list[bool | None]) -> None:
        while await asyncio.to_thread(online) != expected:
            await asyncio.sleep(0.01)

    async def scenario(agent: Caller) -> None:
        gone = asyncio.get_running_loop().create_future()
        polling = asyncio.create_task(agent.call("poll", protocol.Poll(free=1, wait_s=60), gone))
        await until([True])
        await until_waiting(agent.gateway, agent.id)
        gone.set_result(None)
        assert (await polling).status == 499
        await until([False])

    run(scenario)


def test_an_agent_that_falls_silent_at_work_goes_offline(
    hall: Hall, clock: Any, run: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dispatcher.agents.contacts.STORE_EVERY_S", 0.02)

    async def until(expected: bool) -> None:
        def online() -> bool | None:
            with hall.topology._datastore.read() as session:
                return session.scalar(select(Agent.online))

        while await asyncio.to_thread(online) is not expected:
            await asyncio.sleep(0.01)

    async def scenario(agent: Caller) -> None:
        await agent.call("report", protocol.Report())
        await until(True)
        clock.turn(timedelta(minutes=2))
        await until(False)

    run(scenario)


@pytest.mark.parametrize("authorization", ["", "Basic eDp5", "Agent nonsense", f"Agent {UUID(int=1)}:x"])
def test_nobody_is_let_in_without_a_secret(run: Callable[..., None], authorization: str) -> None:
    async def scenario(agent: Caller) -> None:
        agent.authorization = authorization
        for path in ("poll", "report", "leave"):
            answer = await agent.call(path, b"{}")
            assert answer.status == 401
            assert protocol.Refusal.model_validate_json(answer.body).error == "security.not_authenticated"

    run(scenario)


def test_an_agent_that_leaves_is_removed_unless_a_run_of_it_has_not_ended(hall: Hall, run: Callable[..., None]) -> None:
    async def scenario(agent: Caller) -> None:
        await asyncio.to_thread(submit, hall, agent.id)
        [order] = (await agent.poll()).runs
        assert (await agent.call("leave", b"{}")).status == 503
        finished = protocol.RunFinished(run_id=order.run_id, fence=order.fence, at=NOW, state="completed")
        assert (await agent.call("report", protocol.Report(events=[finished]))).status == 200
        assert (await agent.call("leave", b"{}")).status == 200
        assert (await agent.call("leave", b"{}")).status == 401
        assert hall.topology.who(True, False, False, False, "", SYSTEM) == []

    run(scenario)


def test_a_token_that_is_spent_or_unknown_enrols_nobody(hall: Hall, run: Callable[..., None]) -> None:
    async def scenario(agent: Caller) -> None:
        token = await asyncio.to_thread(hall.tokens.create_enrol_token, SYSTEM, once=True)
        assert (await agent.call("enrol", protocol.Enrol(token=token, name="a"))).status == 200
        assert (await agent.call("enrol", protocol.Enrol(token=token, name="b"))).status == 401
        assert (await agent.call("enrol", protocol.Enrol(token="guess", name="c"))).status == 401

    run(scenario)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"free": -1}', b'{"free": 1, "holding": [{}]}', b"\xff", b"[" * 100_000]
)
def test_malformed_messages_are_refused_with_the_member(run: Callable[..., None], body: bytes) -> None:
    async def scenario(agent: Caller) -> None:
        answer = await agent.call("poll", body)
        assert answer.status == 400
        assert protocol.Refusal.model_validate_json(answer.body).error == "request.bad"

    run(scenario)


@pytest.mark.parametrize(
    ("member", "value"), [("position", 1 << 31), ("position", -1), ("exit_code", 1 << 63), ("attempts", 1 << 31)]
)
def test_a_number_that_no_database_holds_is_refused(run: Callable[..., None], member: str, value: int) -> None:
    said = protocol.TaskFinished(run_id=MODULE, fence=1, position=0, at=NOW, state="failed")

    async def scenario(agent: Caller) -> None:
        wrong = protocol.Report(events=[said.model_copy(update={member: value})])
        answer = await agent.call("report", wrong)
        assert answer.status == 400
        assert member in protocol.Refusal.model_validate_json(answer.body).message
        assert (await agent.call("report", protocol.Report(events=[said]))).status == 200

    run(scenario)


def test_unknown_calls_are_not_found(run: Callable[..., None]) -> None:
    async def scenario(agent: Caller) -> None:
        assert (await agent.call("elsewhere", b"{}")).status == 404

    run(scenario)


def test_every_answer_says_how_long_a_lease_is(hall: Hall, run: Callable[..., None]) -> None:
    hall.leasing._lease = timedelta(seconds=7)

    async def scenario(agent: Caller) -> None:
        assert (await agent.poll(wait_s=0)).lease_s == 7
        receipt = protocol.Receipt.model_validate_json((await agent.call("report", protocol.Report())).body)
        assert receipt.lease_s == 7
        await asyncio.to_thread(submit, hall, agent.id)
        assert (await agent.poll()).lease_s == 7

    run(scenario)


def test_a_poll_that_a_later_one_has_overtaken_takes_nothing_back(hall: Hall, run: Callable[..., None]) -> None:
    async def scenario(agent: Caller) -> None:
        await asyncio.to_thread(submit, hall, agent.id)
        [order] = (await agent.poll(process="a", number=2)).runs
        assert (await agent.poll(process="a", number=1)).runs == []
        held = protocol.Held(run_id=order.run_id, fence=order.fence)
        assert (await agent.poll(process="a", number=3, wait_s=0, holding=[held])).lost == []
        # Another process holds what it says it holds: the first one is dead.
        assert len((await agent.poll(process="b", number=1)).runs) == 1

    run(scenario)


def test_two_polls_of_one_agent_in_one_batch_give_its_work_once(hall: Hall, run: Callable[..., None]) -> None:
    async def scenario(agent: Caller) -> None:
        for _ in range(2):
            await asyncio.to_thread(submit, hall, agent.id)
        looks = [_Look(agent.id, 1, [], None, None) for _ in range(2)]
        older, newer = await asyncio.to_thread(agent.gateway._look_all, looks)
        assert older is None
        assert len(protocol.Orders.model_validate_json(newer).runs) == 1

    run(scenario)


def test_waiting_agent_is_told_whom_to_wake(hall: Hall, run: Callable[..., None]) -> None:
    mac = "00:11:22:33:44:55"

    async def scenario(agent: Caller) -> None:
        polling = asyncio.create_task(agent.poll(wait_s=60))
        await until_waiting(agent.gateway, agent.id)
        hall.waking._macs = {agent.id: {mac}}
        agent.gateway.wake([agent.id])
        assert (await polling).wakes == [mac]
        assert (await agent.poll(wait_s=0)).wakes == []

    run(scenario)


def test_whom_to_wake_is_told_though_a_look_failed_and_only_so_many_at_once(
    hall: Hall, run: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    macs = [f"{number:012x}" for number in range(protocol.MOST_WAKES + 1)]

    def broken(_asks: object) -> None:
        raise Unavailable("gone")

    async def scenario(agent: Caller) -> None:
        hall.waking._macs = {agent.id: set(macs)}
        with monkeypatch.context() as patch:
            patch.setattr(hall.leasing, "orders_of", broken)
            poll = protocol.dump(protocol.Poll(free=1, wait_s=0))
            assert (await agent.call("poll", poll)).status == 503
        told = [(await agent.poll(wait_s=0)).wakes for _ in range(3)]
        assert told == [macs[:-1], macs[-1:], []]

    run(scenario)


def test_a_gateway_that_ends_gives_no_work_but_still_tells_of_aborts(hall: Hall, run: Callable[..., None]) -> None:
    async def scenario(agent: Caller) -> None:
        job = await asyncio.to_thread(submit, hall, agent.id)
        [order] = (await agent.poll()).runs
        await asyncio.to_thread(submit, hall, agent.id)
        holding = [protocol.Held(run_id=order.run_id, fence=order.fence)]
        agent.gateway.release()
        assert (await agent.poll(holding=holding)).runs == []
        await asyncio.to_thread(hall.aborting.abort, job, SYSTEM)
        orders = await agent.poll(holding=holding)
        assert (orders.runs, orders.aborts) == ([], [order.run_id])

    run(scenario)


def test_a_gateway_that_ends_sends_agents_to_another_dispatcher(
    hall: Hall, run: Callable[..., None], datastore: Any, ports: Any
) -> None:
    async def scenario(agent: Caller) -> None:
        await asyncio.to_thread(hall.dispatchers.announce, "this", "here", 1, "1.0")
        await asyncio.to_thread(Dispatchers(datastore, ports).announce, "another", "there", 1, "1.0")
        await asyncio.to_thread(hall.dispatchers.drain)
        polling = asyncio.create_task(agent.poll(wait_s=60))
        await until_waiting(agent.gateway, agent.id)
        agent.gateway.release()
        assert (await polling).runs == []
        answer = await agent.call("poll", protocol.Poll(free=1, wait_s=60))
        assert answer.status == 503
        # What it has done is still taken.
        assert (await agent.call("report", protocol.Report())).status == 200

    run(scenario)
