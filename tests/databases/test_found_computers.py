"""Found computers on every database: one row for each, whoever tells of it; agents that were taken away go."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from datetime import timedelta
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest
from job_world import a_request, lease, on, report
from sqlalchemy import select
from statements import statements

from dispatcher.core.computers import AgentChange, FoundComputer, Way, proof
from dispatcher.core.permissions import SYSTEM
from dispatcher.core.states import Event
from dispatcher.datastore.agents import AGENTS
from dispatcher.datastore.found_computers import FOUND_COMPUTERS
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.hall import Hall
from dispatcher.services.reporting import Found, RunFinished, RunStarted
from dispatcher.services.run_orders import LeasedRun

LOOK, SETUP, REMOVAL, LIE = (UUID(f"00000000-0000-4000-8000-00000000000{number}") for number in (1, 2, 3, 4))
LIBRARY = f"""
modules:
  - name: Look
    id: {LOOK}
    tasks: [{{type: discovery, name: look}}]
  - name: Set up
    id: {SETUP}
    tasks: [{{type: discovery, name: look}}, {{type: agent_install, name: install}}]
  - name: Remove
    id: {REMOVAL}
    tasks:
      - {{type: discovery, name: look}}
      - {{type: agent_uninstall, name: uninstall}}
      - {{type: discovery, name: look}}
  - name: Lie
    id: {LIE}
    tasks: [{{type: discovery, name: look}}, {{type: command, name: lie, settings: {{command: 'true'}}}}]
"""
MAC = "02:00:00:00:00:01"


@pytest.fixture
def scout(load_library: Callable[[str], None], enrol: Callable[..., UUID]) -> UUID:
    load_library(LIBRARY)
    return enrol("scout")


@pytest.fixture
def rows(datastore: Datastore) -> Callable[[], Sequence[Any]]:
    """Returns what is known, by address and name."""

    def rows() -> Sequence[Any]:
        query = select(FOUND_COMPUTERS).order_by(FOUND_COMPUTERS.c.address, FOUND_COMPUTERS.c.name)
        with datastore.read() as session:
            return session.execute(query).all()

    return rows


def begin(hall: Hall, scout: UUID, clock: Any, what: UUID = LOOK) -> LeasedRun:
    hall.scheduling.submit(a_request(what, who=on(scout)), SYSTEM)
    run: LeasedRun
    (run,) = lease(hall, scout, 1)
    report(hall, scout, run, RunStarted(clock()))
    return run


def tell(hall: Hall, scout: UUID, run: LeasedRun, *computers: FoundComputer, position: int = 0) -> None:
    report(hall, scout, run, Found(position, list(computers)))


def with_card(address: str, mac: str = MAC) -> FoundComputer:
    """Return a computer whose MAC address the system of whoever has found it knows."""
    return FoundComputer(address, mac=mac, ways=(Way.MAC,))


def test_what_was_found_is_stored_and_what_was_not_asked_for_stays(
    hall: Hall, scout: UUID, clock: Any, rows: Callable[[], Sequence[Any]]
) -> None:
    run = begin(hall, scout, clock)
    full = FoundComputer("127.0.0.5", "web", "web.example", ports=(22, 80), ways=(Way.PORTS, Way.DNS), os="linux")
    tell(hall, scout, run, full)
    first = clock()
    clock.turn(timedelta(seconds=1))
    tell(hall, scout, run, FoundComputer("127.0.0.5", ways=(Way.ICMP,)))
    (row,) = rows()
    assert (row.address, row.name, row.dns_name, row.os, row.ports) == (
        "127.0.0.5",
        "web",
        "web.example",
        "linux",
        [22, 80],
    )
    assert (row.ways, row.first_found_at, row.found_at) == (["icmp"], first, first + timedelta(seconds=1))
    assert row.job_id == run.job_id

    tell(hall, scout, run, FoundComputer("127.0.0.5", ways=(Way.PORTS,)))  # asked for, and there is none
    assert rows()[0].ports == []


def test_one_that_is_known_by_its_address_is_the_same_when_its_mac_is_known(
    hall: Hall, scout: UUID, clock: Any, rows: Callable[[], Sequence[Any]]
) -> None:
    run = begin(hall, scout, clock)
    tell(hall, scout, run, FoundComputer("127.0.0.5", "web"))
    tell(hall, scout, run, with_card("127.0.0.5"))
    tell(hall, scout, run, FoundComputer("127.0.0.5", os="linux"))
    (row,) = rows()
    assert (row.name, row.mac, row.os) == ("web", MAC, "linux")

    tell(hall, scout, run, with_card("127.0.0.6"))  # it has moved
    (row,) = rows()
    assert (row.address, row.name) == ("127.0.0.6", "web")

    tell(hall, scout, run, with_card("127.0.0.6", "02:00:00:00:00:02"))  # another one has its address
    assert {(one.address, one.mac) for one in rows()} == {("127.0.0.6", MAC), ("127.0.0.6", "02:00:00:00:00:02")}


def test_a_computer_that_says_another_ones_mac_is_that_one_nowhere(
    hall: Hall, scout: UUID, clock: Any, rows: Callable[[], Sequence[Any]]
) -> None:
    run = begin(hall, scout, clock)
    tell(hall, scout, run, with_card("127.0.0.5"))
    says = (Way.NETBIOS,)
    tell(hall, scout, run, *(FoundComputer(f"127.0.0.{last}", mac=MAC, ways=says) for last in (6, 7)))
    assert [(one.address, one.mac) for one in rows()] == [(f"127.0.0.{last}", MAC) for last in (5, 6, 7)]

    # Nor does it become another one than it is known for, or another one where it is.
    tell(hall, scout, run, FoundComputer("127.0.0.5", mac="02:00:00:00:00:09", ways=says))
    tell(hall, scout, run, FoundComputer("127.0.0.7", "pc", ways=says))
    assert [(one.address, one.mac, one.name) for one in rows()] == [
        ("127.0.0.5", MAC, ""),
        ("127.0.0.6", MAC, ""),
        ("127.0.0.7", MAC, "pc"),
    ]


@pytest.mark.parametrize("last", range(10, 16))  # in whatever order they are stored
def test_one_that_has_moved_and_one_at_its_address_are_two(
    hall: Hall, scout: UUID, clock: Any, rows: Callable[[], Sequence[Any]], last: int
) -> None:
    run = begin(hall, scout, clock)
    tell(hall, scout, run, with_card(f"127.0.0.{last}"))
    tell(hall, scout, run, FoundComputer(f"127.0.0.{last}"), with_card("127.0.0.99"))
    assert [(row.address, row.mac) for row in rows()] == [(f"127.0.0.{last}", ""), ("127.0.0.99", MAC)]


def test_what_several_tell_of_at_the_same_time_is_stored_once(
    hall: Hall, scout: UUID, enrol: Callable[..., UUID], clock: Any, rows: Callable[[], Sequence[Any]]
) -> None:
    scouts = [scout, enrol("second"), enrol("third")]
    runs = [begin(hall, one, clock) for one in scouts]
    barrier = Barrier(len(scouts))

    def at_once(place: int) -> None:
        barrier.wait()
        for _ in range(2):
            found = [FoundComputer(f"127.0.0.{last}", ways=(Way.ICMP,)) for last in range(10, 40)]
            tell(hall, scouts[place], runs[place], *(found[::-1] if place else found))

    with ThreadPoolExecutor(len(scouts)) as pool:
        list(pool.map(at_once, range(len(scouts))))
    assert [row.address for row in rows()] == [f"127.0.0.{last}" for last in range(10, 40)]


def test_two_who_learn_at_once_that_two_addresses_are_one_computer_are_both_heard(
    hall: Hall, datastore: Datastore, scout: UUID, enrol: Callable[..., UUID], clock: Any, rows: Any
) -> None:
    second = enrol("second")
    run, other = begin(hall, scout, clock), begin(hall, second, clock)
    tell(hall, scout, run, *(FoundComputer(f"127.0.0.{last}", f"pc-{last}") for last in (5, 6)))
    with ThreadPoolExecutor(1) as pool:
        with datastore.begin():  # the first one is not stored yet
            tell(hall, scout, run, with_card("127.0.0.5"))
            later = with_card("127.0.0.6"), FoundComputer("127.0.0.7", os="linux")
            told = pool.submit(tell, hall, second, other, *later)
            assert wait([told], timeout=0.3).not_done
        told.result(timeout=20)
    assert [(row.address, row.name, row.mac, row.os) for row in rows()] == [
        ("127.0.0.6", "pc-5", MAC, ""),  # it has moved there
        ("127.0.0.6", "pc-6", "", ""),
        ("127.0.0.7", "", "", "linux"),
    ]


@pytest.mark.parametrize("mac", ["00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff"])
def test_a_mac_that_many_have_is_none(
    hall: Hall, scout: UUID, clock: Any, rows: Callable[[], Sequence[Any]], mac: str
) -> None:
    run = begin(hall, scout, clock)
    tell(hall, scout, run, with_card("127.0.0.5", mac), with_card("127.0.0.6", mac))
    assert [(one.address, one.mac) for one in rows()] == [("127.0.0.5", ""), ("127.0.0.6", "")]


def test_one_without_an_address_goes_by_its_name_and_one_without_anything_is_not_stored(
    hall: Hall, scout: UUID, clock: Any, rows: Callable[[], Sequence[Any]]
) -> None:
    run = begin(hall, scout, clock)
    tell(hall, scout, run, FoundComputer(name="DB.example"), FoundComputer(os="linux"))
    tell(hall, scout, run, FoundComputer(name="db.example", description="from the directory"))
    (row,) = rows()
    assert (row.name, row.description) == ("db.example", "from the directory")


def test_two_events_of_one_report_are_both_stored(
    hall: Hall, scout: UUID, clock: Any, rows: Callable[[], Sequence[Any]]
) -> None:
    run = begin(hall, scout, clock)
    both, one = FoundComputer("127.0.0.5", "web"), FoundComputer("127.0.0.6")
    report(hall, scout, run, Found(0, [both]), Found(0, [one, FoundComputer("127.0.0.5", os="linux")]))
    assert [(row.address, row.name, row.os) for row in rows()] == [("127.0.0.5", "web", "linux"), ("127.0.0.6", "", "")]


def test_500_computers_cost_no_more_statements_than_two(
    hall: Hall, datastore: Datastore, scout: UUID, clock: Any, rows: Callable[[], Sequence[Any]]
) -> None:
    run = begin(hall, scout, clock)

    def cost(count: int, network: int) -> int:
        found = [FoundComputer(f"127.{network}.{place >> 8}.{place & 255}", f"pc-{place}") for place in range(count)]
        with statements(datastore) as sent:
            tell(hall, scout, run, *found)
        return len(sent)

    few, few_again = cost(2, 1), cost(2, 1)
    assert (cost(500, 2), cost(500, 2)) == (few, few_again)
    assert len(rows()) == 502


def test_news_of_a_run_that_is_over_changes_nothing(
    hall: Hall, scout: UUID, clock: Any, rows: Callable[[], Sequence[Any]]
) -> None:
    run = begin(hall, scout, clock)
    report(hall, scout, run, RunFinished(clock(), Event.COMPLETE))
    tell(hall, scout, run, FoundComputer("127.0.0.5"))
    assert rows() == []


def is_there(datastore: Datastore, agent: UUID) -> bool:
    with datastore.read() as session:
        return session.scalar(select(AGENTS.c.id).where(AGENTS.c.id == agent, AGENTS.c.removed_at.is_(None))) == agent


@pytest.fixture
def shown(datastore: Datastore) -> Callable[[UUID], str]:
    """Returns what a computer shows that has the secret of an agent."""

    def shown(agent: UUID) -> str:
        with datastore.read() as session:
            return proof(session.scalars(select(AGENTS.c.secret_hash).where(AGENTS.c.id == agent)).one())

    return shown


def without(agent: UUID, shown: str, address: str = "127.0.0.5") -> FoundComputer:
    """Return a computer that *agent* was taken away from."""
    return FoundComputer(address, change=AgentChange.REMOVED, gone_agent_id=agent, gone_agent_proof=shown)


def test_an_agent_that_was_uninstalled_goes_and_its_computer_stays(
    hall: Hall, datastore: Datastore, scout: UUID, enrol: Callable[..., UUID], clock: Any, rows: Any, shown: Any
) -> None:
    old = enrol("pc", hostname="pc.example", address="10.0.0.5")  # it is found by another address than it knows
    begun = begin(hall, scout, clock, SETUP)
    here = FoundComputer("127.0.0.5", change=AgentChange.INSTALLED, agent_id=old, agent_proof=shown(old))
    tell(hall, scout, begun, here, position=1)
    assert [row.agent_id for row in rows()] == [old]
    report(hall, scout, begun, RunFinished(clock(), Event.COMPLETE))

    run = begin(hall, scout, clock, REMOVAL)
    tell(hall, scout, run, without(old, shown(old)), position=2)  # a discovery after it takes nothing away
    assert hall.gone_agents.remove() == 0
    tell(hall, scout, run, without(old, shown(old)), position=1)
    assert (hall.gone_agents.remove(), hall.gone_agents.remove()) == (1, 0)
    assert not is_there(datastore, old)
    assert [(row.address, row.agent_id) for row in rows()] == [("127.0.0.5", None)]


def test_of_two_that_were_taken_away_one_after_the_other_both_go(
    hall: Hall, datastore: Datastore, scout: UUID, enrol: Callable[..., UUID], clock: Any, shown: Any
) -> None:
    first, second = enrol("pc"), enrol("pc-2")
    run = begin(hall, scout, clock, SETUP)
    for old in (first, second):  # before the duty has looked at the first
        tell(hall, scout, run, without(old, shown(old)), position=1)
    assert hall.gone_agents.remove() == 2
    assert (is_there(datastore, first), is_there(datastore, second)) == (False, False)


def test_a_computer_that_says_it_is_an_agents_without_its_secret_is_not_believed(
    hall: Hall, datastore: Datastore, scout: UUID, enrol: Callable[..., UUID], clock: Any, rows: Any, shown: Any
) -> None:
    victim = enrol("pc", hostname="pc.example", address="127.0.0.5", macs=(MAC,))
    itself = FoundComputer("127.0.0.5", "pc", "pc.example", "PC", MAC, ways=(Way.MAC, Way.DNS))
    for what, change in ((REMOVAL, AgentChange.REMOVED), (SETUP, AgentChange.REPLACED)):
        run = begin(hall, scout, clock, what)
        for text in ("", "0" * 64, shown(scout)):
            told = replace(itself, change=change, agent_id=victim, agent_proof=text)
            tell(hall, scout, run, replace(told, gone_agent_id=victim, gone_agent_proof=text), position=1)
        # Another computer of the same report that has it helps nobody.
        right = FoundComputer("127.0.0.9", agent_id=victim, agent_proof=shown(victim))
        tell(hall, scout, run, replace(itself, agent_id=victim, agent_proof="0" * 64), right, position=1)
        assert hall.gone_agents.remove() == 0
        assert [(row.address, row.agent_id) for row in rows()] == [("127.0.0.5", None), ("127.0.0.9", victim)]
        report(hall, scout, run, RunFinished(clock(), Event.COMPLETE))
    assert is_there(datastore, victim)


@pytest.mark.parametrize("is_replaced", [True, False])
def test_an_agent_loses_its_history_only_if_it_was_replaced(
    hall: Hall,
    datastore: Datastore,
    scout: UUID,
    enrol: Callable[..., UUID],
    clock: Any,
    shown: Any,
    *,
    is_replaced: bool,
) -> None:
    old, new = enrol("pc", address="127.0.0.5"), enrol("pc", address="127.0.0.5")
    run = begin(hall, scout, clock, SETUP)
    told = without(old, shown(old))
    if is_replaced:
        told = replace(told, change=AgentChange.REPLACED, agent_id=new, agent_proof=shown(new))
    tell(hall, scout, run, told, position=1)
    assert hall.gone_agents.remove() == 1
    with datastore.read() as session:
        removed = session.scalar(select(AGENTS.c.history_removed_at).where(AGENTS.c.id == old))
    assert (removed is not None) == is_replaced
    assert is_there(datastore, new)


@pytest.mark.parametrize("what", [SETUP, REMOVAL])
@pytest.mark.parametrize(
    ("position", "change"),
    [
        (0, AgentChange.REMOVED),  # a discovery takes nothing away
        (7, AgentChange.REMOVED),  # there is no such task
        (1, AgentChange.KEPT),
        (1, None),
    ],
)
def test_an_agent_that_was_not_taken_away_there_stays(
    hall: Hall,
    datastore: Datastore,
    scout: UUID,
    enrol: Callable[..., UUID],
    clock: Any,
    shown: Any,
    what: UUID,
    position: int,
    change: AgentChange | None,
) -> None:
    old = enrol("pc", hostname="pc", address="127.0.0.5")
    run = begin(hall, scout, clock, what)
    tell(hall, scout, run, replace(without(old, shown(old)), change=change), position=position)
    assert hall.gone_agents.remove() == 0
    assert is_there(datastore, old)


@pytest.mark.parametrize("position", [1, 7])
def test_a_task_that_looks_for_no_computers_tells_of_none(
    hall: Hall, scout: UUID, clock: Any, rows: Callable[[], Sequence[Any]], shown: Any, position: int
) -> None:
    run = begin(hall, scout, clock, LIE)
    told = FoundComputer("127.0.0.5", "pc", agent_id=scout, agent_proof=shown(scout), change=AgentChange.KEPT)
    tell(hall, scout, run, told, position=position)
    assert rows() == []
    tell(hall, scout, run, told)  # a discovery does, but not of agents
    assert [(row.address, row.agent_id) for row in rows()] == [("127.0.0.5", None)]


def test_one_that_holds_a_run_waits_until_that_has_ended(
    hall: Hall, datastore: Datastore, scout: UUID, enrol: Callable[..., UUID], clock: Any, shown: Any
) -> None:
    old = enrol("pc", address="127.0.0.5")
    held = begin(hall, old, clock)
    run = begin(hall, scout, clock, SETUP)
    tell(hall, scout, run, without(old, shown(old)), position=1)
    assert hall.gone_agents.remove() == 0
    report(hall, old, held, RunFinished(clock(), Event.COMPLETE))
    assert hall.gone_agents.remove() == 1
    assert not is_there(datastore, old)
