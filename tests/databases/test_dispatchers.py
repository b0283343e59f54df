"""Several dispatchers over one datastore know of each other, on every database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from dispatcher.core.errors import Forbidden, Unavailable
from dispatcher.core.permissions import NOBODY, SYSTEM
from dispatcher.core.ports import Ports
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.dispatchers import Dispatchers
from dispatcher.services.hall import Hall


@pytest.fixture
def arrive(datastore: Datastore, ports: Ports) -> Callable[..., Dispatchers]:
    def arrive(host: str = "here", pid: int = 1) -> Dispatchers:
        one = Dispatchers(datastore, ports)
        one.announce("main", host, pid, "1.0")
        return one

    return arrive


def hosts(one: Dispatchers) -> list[str]:
    return [view.host for view in one.list(SYSTEM)]


def test_dispatchers_see_each_other_from_their_next_heartbeat_on(arrive: Callable[..., Dispatchers]) -> None:
    first = arrive("first")
    assert first.is_alone
    second = arrive("second")
    assert not second.is_alone
    first.beat()
    assert not first.is_alone
    assert hosts(first) == ["first", "second"]


def test_one_that_leaves_is_gone_at_once(arrive: Callable[..., Dispatchers]) -> None:
    first, second = arrive("first"), arrive("second")
    first.leave()
    first.leave()
    first.beat()
    second.beat()
    assert second.is_alone
    assert hosts(second) == ["second"]


def test_a_silent_one_counts_as_dead_and_is_forgotten_later(arrive: Callable[..., Dispatchers], clock: Any) -> None:
    first, second = arrive("first"), arrive("second")
    clock.turn(timedelta(seconds=7))
    second.beat()
    assert not second.is_alone
    clock.turn(timedelta(seconds=1))
    second.beat()
    assert second.is_alone
    assert [view.is_alive for view in second.list(SYSTEM)] == [False, True]
    clock.turn(timedelta(seconds=53))
    second.beat()
    assert hosts(second) == ["second"]
    # It was only paused.
    first.beat()
    assert hosts(second) == ["first", "second"]


def test_one_of_the_same_host_counts_only_while_its_process_runs(
    arrive: Callable[..., Dispatchers], datastore: Datastore, ports: Ports, clock: Any
) -> None:
    newcomer = Dispatchers(datastore, ports)
    assert not newcomer.are_others_alive("here", lambda _: True)
    arrive("here", pid=7)
    assert newcomer.are_others_alive("here", lambda pid: pid == 7)
    assert not newcomer.are_others_alive("here", lambda pid: pid != 7)
    assert newcomer.are_others_alive("elsewhere", lambda _: False)
    clock.turn(timedelta(seconds=8))
    assert not newcomer.are_others_alive("elsewhere", lambda _: True)


def test_a_draining_one_takes_nothing_new_and_says_so(arrive: Callable[..., Dispatchers]) -> None:
    first, second = arrive("first"), arrive("second")
    first.require_open()
    first.drain()
    with pytest.raises(Unavailable, match="about to end"):
        first.require_open()
    second.require_open()
    assert [view.is_draining for view in second.list(SYSTEM)] == [True, False]


def test_an_agent_that_moved_on_is_not_gone_because_the_dispatcher_it_left_says_so(
    hall: Hall, enrol: Callable[..., UUID], clock: Any
) -> None:
    agent = enrol("one")
    left_at = clock()
    clock.turn(timedelta(seconds=5))
    hall.enrolment.note_contacts({agent: clock()}, {})

    def is_online() -> bool:
        return [who.is_online for who in hall.topology.who(True, False, False, False, "", SYSTEM)] == [True]

    hall.enrolment.note_contacts({}, {agent: left_at})
    assert is_online()
    hall.enrolment.note_contacts({}, {agent: clock()})
    assert not is_online()


def test_only_who_may_read_settings_sees_dispatchers(arrive: Callable[..., Dispatchers]) -> None:
    with pytest.raises(Forbidden):
        arrive().list(NOBODY)
