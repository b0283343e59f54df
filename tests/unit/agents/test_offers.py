"""Offers: a poll that waits with a free slot is answered with the run that it was lent as that was made."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any
from uuid import UUID

import pytest
from job_world import LIBRARY, a_request, on
from sqlalchemy import select

from dispatcher.agents import protocol
from dispatcher.agents.gateway import Gateway
from dispatcher.core.permissions import SYSTEM
from dispatcher.datastore.runs import RUNS
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.enrolment import Facts
from dispatcher.services.hall import Hall

Polls = Callable[..., Awaitable[protocol.Orders]]
Scenario = Callable[[Gateway, UUID, Polls], Awaitable[None]]


@pytest.fixture
def run(hall: Hall, clock: Any, wakeup: Any, load_library: Callable[[str], None]) -> Callable[[Scenario], None]:
    """Run a scenario on a loop, with a gateway that is woken, an agent, and how it polls."""
    load_library(LIBRARY)

    async def main(scenario: Scenario) -> None:
        gateway = Gateway(hall, clock)
        wakeup.agents, wakeup.slot = gateway.wake, gateway.slot
        await gateway.start()
        token = hall.tokens.create_enrol_token(SYSTEM)
        agent, secret = await asyncio.to_thread(hall.enrolment.enrol, token, "one", None, Facts(os="linux"))
        authorization = protocol.credentials(agent, secret)

        async def poll(free: int = 1, wait_s: float = 20, gone: Any = None) -> protocol.Orders:
            gone = gone or asyncio.get_running_loop().create_future()
            body = protocol.dump(protocol.Poll(free=free, wait_s=wait_s))
            answer = await gateway.handle("poll", authorization, body, gone)
            return protocol.Orders.model_validate_json(answer.body)

        try:
            await asyncio.wait_for(scenario(gateway, agent, poll), 30)
        finally:
            gateway.release()
            await gateway.stop()

    return lambda scenario: asyncio.run(main(scenario))


async def until_offered(gateway: Gateway, agent: UUID) -> None:
    while agent not in gateway._offers._open:
        await asyncio.sleep(0.001)


def submit(hall: Hall, agent: UUID) -> UUID:
    return hall.scheduling.submit(a_request(who=on(agent)), SYSTEM).id


def fences(datastore: Datastore) -> list[int]:
    with datastore.read() as session:
        return list(session.scalars(select(RUNS.c.fence).order_by(RUNS.c.id)))


def test_poll_that_waits_is_answered_without_another_transaction(
    hall: Hall, run: Callable[[Scenario], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(gateway: Gateway, agent: UUID, poll: Polls) -> None:
        polling = asyncio.create_task(poll())
        await until_offered(gateway, agent)
        monkeypatch.setattr(hall.leasing, "orders_of", None)
        job = await asyncio.to_thread(submit, hall, agent)
        [order] = (await polling).runs
        assert (order.job_id, order.fence, order.modules[0].name) == (job, 1, "Greet")

    run(scenario)


def test_offer_ends_with_its_poll_also_when_a_newer_one_without_a_slot_takes_its_place(
    hall: Hall, run: Callable[[Scenario], None], datastore: Datastore
) -> None:
    async def scenario(gateway: Gateway, agent: UUID, poll: Polls) -> None:
        older = asyncio.create_task(poll())
        await until_offered(gateway, agent)
        newer = asyncio.create_task(poll(free=0))
        await older
        assert gateway.slot(agent) is None
        await asyncio.to_thread(submit, hall, agent)
        assert fences(datastore) == [0]
        newer.cancel()

    run(scenario)


def test_poll_that_was_replaced_during_its_first_look_offers_nothing(
    hall: Hall, run: Callable[[Scenario], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(gateway: Gateway, agent: UUID, poll: Polls) -> None:
        looked, go_on = asyncio.Event(), asyncio.Event()
        answer = gateway._looking.answer

        async def slowly(look: Any, size: int) -> Any:
            orders = await answer(look, size)
            if look.free:
                looked.set()
                await go_on.wait()
            return orders

        monkeypatch.setattr(gateway._looking, "answer", slowly)
        older = asyncio.create_task(poll())
        await looked.wait()
        waiting = gateway._waiting[agent]
        newer = asyncio.create_task(poll(free=0))
        while gateway._waiting[agent] is waiting:
            await asyncio.sleep(0.001)
        go_on.set()
        await older
        assert gateway.slot(agent) is None
        newer.cancel()

    run(scenario)


def test_slot_is_taken_once(hall: Hall, run: Callable[[Scenario], None]) -> None:
    async def scenario(gateway: Gateway, agent: UUID, poll: Polls) -> None:
        polling = asyncio.create_task(poll())
        await until_offered(gateway, agent)
        assert gateway.slot(agent) is not None
        assert gateway.slot(agent) is None
        gateway.wake([agent])
        # Whoever has taken it may have failed: what is made now goes the usual way.
        job = await asyncio.to_thread(submit, hall, agent)
        assert [order.job_id for order in (await polling).runs] == [job]
        assert gateway.slot(agent) is None

    run(scenario)


def test_agent_without_a_free_slot_offers_none(run: Callable[[Scenario], None]) -> None:
    async def scenario(gateway: Gateway, agent: UUID, poll: Polls) -> None:
        polling = asyncio.create_task(poll(free=0, wait_s=0.2))
        while not gateway.is_waiting(agent):
            await asyncio.sleep(0.001)
        await polling
        assert gateway.slot(agent) is None

    run(scenario)


def test_offer_ends_with_its_poll(run: Callable[[Scenario], None]) -> None:
    async def scenario(gateway: Gateway, agent: UUID, poll: Polls) -> None:
        gone = asyncio.get_running_loop().create_future()
        polling = asyncio.create_task(poll(gone=gone))
        await until_offered(gateway, agent)
        gone.set_result(None)
        with suppress(ValueError):  # it is answered with nothing
            await polling
        assert gateway.slot(agent) is None

    run(scenario)


def test_next_poll_takes_along_what_the_last_one_missed(
    hall: Hall, wakeup: Any, datastore: Datastore, run: Callable[[Scenario], None]
) -> None:
    async def scenario(gateway: Gateway, agent: UUID, poll: Polls) -> None:
        polling = asyncio.create_task(poll())
        await until_offered(gateway, agent)
        tell = gateway.slot(agent)
        gateway._waiting[agent].set_result(False)  # the poll is over before the commit
        assert (await polling).runs == []
        wakeup.slot = lambda _: tell
        job = await asyncio.to_thread(submit, hall, agent)
        [order] = (await poll()).runs
        assert (order.job_id, order.fence) == (job, 1)

    run(scenario)
    assert fences(datastore) == [1]


def test_agent_whose_slots_are_full_by_then_has_it_lent_again_later(
    hall: Hall, wakeup: Any, datastore: Datastore, run: Callable[[Scenario], None]
) -> None:
    async def scenario(gateway: Gateway, agent: UUID, poll: Polls) -> None:
        wakeup.slot = lambda _: lambda run_id: gateway._offers.fill(agent, run_id)
        job = await asyncio.to_thread(submit, hall, agent)
        assert (await poll(free=0, wait_s=0)).runs == []
        assert [order.job_id for order in (await poll(wait_s=0)).runs] == [job]

    run(scenario)
    assert fences(datastore) == [3]
