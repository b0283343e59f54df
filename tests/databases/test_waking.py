"""Waking: who sleeps and has work is woken by who is awake nearby, on every database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from dispatcher.core.jobs import JobRequest, WhatChoice, WhatKind, When, WhoChoice, WhoKind
from dispatcher.core.permissions import SYSTEM
from dispatcher.services.enrolment import Facts
from dispatcher.services.hall import Hall
from dispatcher.services.waking import FIRST_PAUSE, PEERS, Waking, network_of

MODULE = UUID(int=1)
LIBRARY = f"""
modules: [{{name: M, id: {MODULE}, tasks: [{{type: command, name: t, settings: {{command: 'true'}}}}]}}]
"""
MAC = "00:11:22:33:44:55"


@pytest.fixture
def enrol(hall: Hall, load_library: Callable[[str], None]) -> Callable[..., UUID]:
    load_library(LIBRARY)

    def enrol(name: str, address: str = "", macs: tuple[str, ...] = ()) -> UUID:
        token = hall.tokens.create_enrol_token(SYSTEM, once=True)
        return hall.enrolment.enrol(token, name, None, Facts(os="linux", address=address, macs=macs))[0]

    return enrol


@pytest.fixture
def online(hall: Hall, clock: Any) -> Callable[..., None]:
    return lambda *agents: hall.enrolment.note_contacts(dict.fromkeys(agents, clock()), {})


def submit(hall: Hall, *agents: UUID, wakes: bool = True) -> UUID:
    who = [WhoChoice(list(agents), WhoKind.AGENT)]
    when = When(use_wake_on_lan=wakes)
    return hall.scheduling.submit(JobRequest([WhatChoice(MODULE, WhatKind.MODULE)], who, when), SYSTEM).id


def asleep(hall: Hall, clock: Any, *agents: UUID) -> None:
    hall.enrolment.note_contacts({}, dict.fromkeys(agents, clock()))


def test_neighbour_is_asked_once(hall: Hall, clock: Any, wakeup: Any, enrol: Any, online: Any) -> None:
    sleeper, near, far = enrol("s", "10.0.0.5", (MAC,)), enrol("n", "10.0.0.9"), enrol("f", "10.0.1.9")
    online(near, far)
    asleep(hall, clock, sleeper)
    submit(hall, sleeper)
    wakeup.agent_ids.clear()
    assert hall.waking.look() == 1
    assert wakeup.agent_ids == [near]
    assert [hall.waking.take(agent, 10) for agent in (far, near, near, sleeper)] == [[], [MAC], [], []]


def test_anybody_is_asked_where_no_neighbour_is_awake(hall: Hall, clock: Any, enrol: Any, online: Any) -> None:
    sleeper = enrol("s", "10.0.0.5", (MAC,))
    others = [enrol(f"o{number}", f"10.0.{number + 1}.9") for number in range(4)]
    online(*others)
    asleep(hall, clock, sleeper)
    submit(hall, sleeper)
    # Another dispatcher comes to the same answer: whoever of them the agent polls has it for it.
    elsewhere = Waking(hall.waking._datastore, hall.waking._ports)
    found = []
    for waking in (hall.waking, elsewhere):
        waking.look()
        found.append([agent for agent in others if waking.take(agent, 10) == [MAC]])
    assert found[0] == found[1]
    assert len(found[0]) == PEERS


def test_nobody_is_woken_without_need(hall: Hall, clock: Any, enrol: Any, online: Any) -> None:
    sleeper, awake, peer = enrol("s", "", (MAC,)), enrol("a", "", (MAC,)), enrol("p")
    nameless = enrol("n")  # its MAC address is not known
    online(awake, peer)
    asleep(hall, clock, sleeper, nameless)
    submit(hall, sleeper, wakes=False)
    submit(hall, awake)
    submit(hall, nameless)
    assert hall.waking.look() == 0
    assert hall.waking.take(peer, 10) == []


def test_woken_again_less_and_less_often_until_it_calls_in(hall: Hall, clock: Any, enrol: Any, online: Any) -> None:
    sleeper, peer = enrol("s", "", (MAC,)), enrol("p")
    asleep(hall, clock, sleeper)
    submit(hall, sleeper)
    sent = []
    for second in range(0, 300, 15):
        online(peer)
        hall.waking.look()
        if hall.waking.take(peer, 10):
            sent.append(second)
        clock.turn(timedelta(seconds=15))
    assert sent == [0, 30, 90, 210]
    online(sleeper, peer)
    assert hall.waking.look() == 0
    clock.turn(FIRST_PAUSE)
    asleep(hall, clock, sleeper)
    online(peer)
    assert hall.waking.look() == 1
    assert hall.waking.take(peer, 10) == [MAC]


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("10.1.2.3", "10.1.2.0/24"),
        ("fd00:1:2:3:4::5", "fd00:1:2:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("pc-1", ""),
    ],
)
def test_network(address: str, network: str) -> None:
    assert network_of(address) == network
