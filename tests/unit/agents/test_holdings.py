"""Holdings: what the agent answers for, and how much room it has."""

from __future__ import annotations

from uuid import uuid4

from dispatcher.agents.holdings import Holdings
from dispatcher.agents.protocol import Held


def test_room_comes_back_when_a_run_ends_but_it_is_held_until_delivered(an_order) -> None:
    order = an_order("true")
    holdings = Holdings(2, {})
    assert holdings.take([order]) == [order]
    assert holdings.free() == 1
    holdings.ended(order.run_id, order.fence)
    assert holdings.free() == 2
    assert [(one.run_id, one.fence) for one in holdings.held()] == [(order.run_id, 1)]
    holdings.drop(order.run_id, order.fence)
    assert holdings.held() == []


def test_same_order_is_new_only_under_another_fence(an_order) -> None:
    order = an_order("true")
    again = order.model_copy(update={"fence": 2})
    holdings = Holdings(2, {})
    assert holdings.take([order, order]) == [order]
    assert holdings.take([again]) == [again]
    holdings.drop(order.run_id, 1)  # late news of the first lease
    assert [one.fence for one in holdings.held()] == [2]


def test_room_is_never_negative_and_old_runs_take_none(an_order) -> None:
    old = uuid4()
    holdings = Holdings(1, {old: 4})
    assert holdings.free() == 1
    holdings.take([an_order("true"), an_order("true")])
    assert holdings.free() == 0
    assert holdings.held()[0].run_id == old


def test_lost_is_only_what_is_still_held_under_the_fence_that_was_named(an_order) -> None:
    order, other = an_order("true"), an_order("true")
    holdings = Holdings(2, {})
    holdings.take([order, other])
    named = holdings.held()
    assert holdings.lost(named, [order.run_id, uuid4()]) == [Held(run_id=order.run_id, fence=1)]
    holdings.take([order.model_copy(update={"fence": 2})])
    assert holdings.lost(named, [order.run_id]) == []
