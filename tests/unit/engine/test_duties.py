"""Duties: the engine looks after all that has to happen whether anybody asks or not."""

from __future__ import annotations

from dispatcher.engine.duties import duties_of
from dispatcher.services.hall import Hall


def test_nothing_waits_for_removed_agents_and_they_are_forgotten(hall: Hall) -> None:
    work = [duty.work for duty in duties_of(hall)]

    assert hall.removals.settle in work
    assert hall.removals.forget in work


def test_devices_need_not_wait_for_a_gateway_that_is_away(hall: Hall) -> None:
    assert hall.relief.relieve in [duty.work for duty in duties_of(hall)]
