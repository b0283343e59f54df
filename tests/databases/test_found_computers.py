"""Found computers on every database: one row for each, whoever tells of it; agents that were taken away go."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest
from job_world import a_request, lease, on, report
from sqlalchemy import select
from statements import statements

from dispatcher.core.computers import AgentChange, FoundComputer, Way
from dispatcher.core.permissions import SYSTEM
from dispatcher.core.states import Event
from dispatcher.datastore.agents import AGENTS
from dispatcher.datastore.found_computers import FOUND_COMPUTERS
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.hall import Hall
from dispatcher.services.reporting import Found, RunFinished, RunStarted
from dispatcher.services.run_orders import LeasedRun

LOOK, SETUP = UUID("00000000-0000-4000-8000-000000000001"), UUID("00000000-0000-4000-8000-000000000002")
LIBRARY = f"""
modules:
  - name: Look
    id: {LOOK}
    tasks: [{{type: discovery, name: look}}]
  - name: Set up
    id: {SETUP}
    tasks: [{{type: discovery, name: look}}, {{type: agent_install, name: install}}]
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
    tell(hall, scout, run, FoundComputer("127.0.0.5", mac=MAC))
    tell(hall, scout, run, FoundComputer("127.0.0.5", os="linux"))
    (row,) = rows()
    assert (row.name, row.mac, row.os) == ("web", MAC, "linux")

    tell(hall, scout, run, FoundComputer("127.0.0.6", mac=MAC))  # it has moved
    (row,) = rows()
    assert (row.address, row.name) == ("127.0.0.6", "web")

    tell(hall, scout, run, FoundComputer("127.0.0.6", mac="02:00:00:00:00:02"))  # another one has its address
    assert {(one.address, one.mac) for one in rows()} == {("127.0.0.6", MAC), ("127.0.0.6", "02:00:00:00:00:02")}


@pytest.mark.parametrize("last", range(10, 16))  # in whatever order they are stored
def test_one_that_has_moved_and_one_at_its_address_are_two(
    hall: Hall, scout: UUID, clock: Any, rows: Callable[[], Sequence[Any]], last: int
) -> None:
    run = begin(hall, scout, clock)
    tell(hall, scout, run, FoundComputer(f"127.0.0.{last}", mac=MAC))
    tell(hall, scout, run, FoundComputer(f"127.0.0.{last}"), FoundComputer("127.0.0.99", mac=MAC))
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


@pytest.mark.parametrize("mac", ["00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff"])
def test_a_mac_that_many_have_is_none(
    hall: Hall, scout: UUID, clock: Any, rows: Callable[[], Sequence[Any]], mac: str
) -> None:
    run = begin(hall, scout, clock)
    tell(hall, scout, run, FoundComputer("127.0.0.5", mac=mac), FoundComputer("127.0.0.6", mac=mac))
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


def test_an_agent_that_was_uninstalled_goes_and_its_computer_stays(
    hall: Hall, datastore: Datastore, scout: UUID, enrol: Callable[..., UUID], clock: Any, rows: Any
) -> None:
    old = enrol("pc", hostname="pc.example", address="127.0.0.5")
    run = begin(hall, scout, clock, SETUP)
    gone = FoundComputer("127.0.0.5", change=AgentChange.REMOVED, gone_agent_id=old)
    tell(hall, scout, run, gone, position=1)
    assert (hall.gone_agents.remove(), hall.gone_agents.remove()) == (1, 0)
    assert not is_there(datastore, old)
    assert [(row.address, row.agent_id, row.gone_agent_id) for row in rows()] == [("127.0.0.5", None, None)]


@pytest.mark.parametrize("is_replaced", [True, False])
def test_an_agent_loses_its_history_only_if_it_was_replaced(
    hall: Hall, datastore: Datastore, scout: UUID, enrol: Callable[..., UUID], clock: Any, *, is_replaced: bool
) -> None:
    old, new = enrol("pc", address="127.0.0.5"), enrol("pc", address="127.0.0.5")
    run = begin(hall, scout, clock, SETUP)
    change = AgentChange.REPLACED if is_replaced else AgentChange.REMOVED
    told = FoundComputer("127.0.0.5", change=change, agent_id=new if is_replaced else None, gone_agent_id=old)
    tell(hall, scout, run, told, position=1)
    assert hall.gone_agents.remove() == 1
    with datastore.read() as session:
        removed = session.scalar(select(AGENTS.c.history_removed_at).where(AGENTS.c.id == old))
    assert (removed is not None) == is_replaced
    assert is_there(datastore, new)


@pytest.mark.parametrize(
    ("position", "address", "change"),
    [
        (0, "127.0.0.5", AgentChange.REMOVED),  # a discovery takes nothing away
        (7, "127.0.0.5", AgentChange.REMOVED),  # there is no such task
        (1, "127.0.0.9", AgentChange.REMOVED),  # it was not on that computer
        (1, "127.0.0.5", AgentChange.KEPT),
        (1, "127.0.0.5", None),
    ],
)
def test_an_agent_that_was_not_taken_away_there_stays(
    hall: Hall,
    datastore: Datastore,
    scout: UUID,
    enrol: Callable[..., UUID],
    clock: Any,
    position: int,
    address: str,
    change: AgentChange | None,
) -> None:
    old = enrol("pc", hostname="pc", address="127.0.0.5")
    run = begin(hall, scout, clock, SETUP)
    tell(hall, scout, run, FoundComputer(address, change=change, gone_agent_id=old), position=position)
    assert hall.gone_agents.remove() == 0
    assert is_there(datastore, old)


def test_one_that_holds_a_run_waits_until_that_has_ended(
    hall: Hall, datastore: Datastore, scout: UUID, enrol: Callable[..., UUID], clock: Any
) -> None:
    old = enrol("pc", address="127.0.0.5")
    held = begin(hall, old, clock)
    run = begin(hall, scout, clock, SETUP)
    gone = FoundComputer("127.0.0.5", change=AgentChange.REMOVED, gone_agent_id=old)
    tell(hall, scout, run, gone, position=1)
    assert hall.gone_agents.remove() == 0
    report(hall, old, held, RunFinished(clock(), Event.COMPLETE))
    assert hall.gone_agents.remove() == 1
    assert not is_there(datastore, old)
