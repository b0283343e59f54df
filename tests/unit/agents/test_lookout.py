"""The lookout wakes agents that have orders which nobody told this dispatcher of."""

from __future__ import annotations

from collections.abc import Collection
from threading import Event
from uuid import UUID

from dispatcher.agents.lookout import MOST_AT_ONCE, Lookout


class Scene:
    def __init__(self, waiting: Collection[UUID], with_orders: Collection[UUID]) -> None:
        self.waiting = list(waiting)
        self.with_orders = set(with_orders)
        self.asked: list[int] = []
        self.woken: set[UUID] = set()
        self.has_woken = Event()
        self.is_needless = False
        self.failures = 0

    def has_orders(self, agent_ids: Collection[UUID]) -> set[UUID]:
        if self.failures:
            self.failures -= 1
            raise RuntimeError("the datastore is away")
        self.asked.append(len(agent_ids))
        return self.with_orders & set(agent_ids)

    def wake(self, agent_ids: Collection[UUID]) -> None:
        self.woken |= set(agent_ids)
        self.has_woken.set()

    def lookout(self, every_s: float = 0.01) -> Lookout:
        return Lookout(
            every_s,
            waiting=lambda: self.waiting,
            has_orders=self.has_orders,
            wake=self.wake,
            is_needless=lambda: self.is_needless,
        )


ONE, TWO, ELSEWHERE = UUID(int=1), UUID(int=2), UUID(int=3)


def test_those_that_wait_and_have_orders_are_woken() -> None:
    scene = Scene([ONE, TWO], [TWO, ELSEWHERE])
    scene.lookout().look()
    assert scene.woken == {TWO}
    assert scene.asked == [2]


def test_a_crowd_is_asked_for_in_parts() -> None:
    crowd = [UUID(int=number) for number in range(2 * MOST_AT_ONCE + 1)]
    scene = Scene(crowd, [crowd[0], crowd[-1]])
    scene.lookout().look()
    assert scene.woken == {crowd[0], crowd[-1]}
    assert scene.asked == [MOST_AT_ONCE, MOST_AT_ONCE, 1]


def test_without_anybody_waiting_nothing_is_asked() -> None:
    scene = Scene([], [ONE])
    scene.lookout().look()
    assert scene.asked == []


def test_it_goes_on_after_a_failure_and_ends_when_told() -> None:
    scene = Scene([ONE], [ONE])
    scene.failures = 2
    lookout = scene.lookout()
    lookout.start()
    assert scene.has_woken.wait(5)
    lookout.stop()
    asked = len(scene.asked)
    assert asked >= 1
    assert len(scene.asked) == asked


def test_alone_it_asks_nothing() -> None:
    scene = Scene([ONE], [ONE])
    scene.is_needless = True
    lookout = scene.lookout(0.001)
    lookout.start()
    assert not scene.has_woken.wait(0.05)
    lookout.stop()
    assert scene.asked == []
