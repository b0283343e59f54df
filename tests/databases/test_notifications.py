"""Dispatchers over one PostgreSQL wake each other."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from queue import Empty, Queue
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import create_engine, text

from dispatcher.datastore.engines import parse_url
from dispatcher.engine.notifications import AGENTS_PER_MESSAGE, Notifications

ONE, TWO = UUID(int=1), UUID(int=2)


class Station:
    """Notifications of one dispatcher, and what they have rung."""

    def __init__(self, url: str, name: str) -> None:
        self.rung: Queue[Any] = Queue()
        self.notifications = Notifications(
            parse_url(url), name, agents=self._agents, engine=self._engine, everybody=self._everybody
        )

    def _agents(self, agent_ids: Collection[UUID]) -> None:
        self.rung.put(set(agent_ids))

    def _engine(self) -> None:
        self.rung.put("engine")

    def _everybody(self) -> None:
        self.rung.put("everybody")

    def next(self, timeout_s: float = 5) -> Any:
        return self.rung.get(timeout=timeout_s)


@pytest.fixture
def open_station(postgresql_database: str) -> Iterator[Callable[[str], Station]]:
    stations = []

    def open_station(name: str) -> Station:
        station = Station(postgresql_database, name)
        stations.append(station)
        station.notifications.start()
        assert station.notifications.wait_until_listening(10)
        # Whatever was said before it listened may have been missed.
        assert station.next() == "everybody"
        return station

    yield open_station
    for station in stations:
        station.notifications.stop()


def test_others_hear_what_one_says_and_it_does_not_hear_itself(open_station: Callable[[str], Station]) -> None:
    here, there = open_station("here"), open_station("there")
    said_at = time.monotonic()
    here.notifications.agents([ONE])
    assert there.next() == {ONE}
    assert time.monotonic() - said_at < 1
    here.notifications.engine()
    assert there.next() == "engine"
    there.notifications.agents([TWO])
    assert here.next() == {TWO}
    assert here.rung.empty()


def test_a_crowd_is_named_whole(open_station: Callable[[str], Station]) -> None:
    here, there = open_station("here"), open_station("there")
    crowd = {UUID(int=number << 64) for number in range(3 * AGENTS_PER_MESSAGE + 1)}
    here.notifications.agents(crowd)
    heard: set[UUID] = set()
    while heard != crowd:
        heard |= there.next()


def test_after_a_lost_connection_everybody_is_woken_and_messages_are_heard_again(
    open_station: Callable[[str], Station], postgresql_database: str
) -> None:
    here, there = open_station("here"), open_station("there")
    here.notifications.agents([ONE])
    assert there.next() == {ONE}
    engine = create_engine(parse_url(postgresql_database), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND datname = current_database()"
            )
        )
    engine.dispose()
    assert there.next(10) == "everybody"
    assert here.next(10) == "everybody"
    here.notifications.agents([TWO])
    assert there.next(10) == {TWO}


@pytest.mark.parametrize(
    "message", ["", "x", "[]", "{}", '{"by": "x", "agents": ["y"]}', '{"by": 1, "agents": 7}', "null"]
)
def test_what_no_dispatcher_says_changes_nothing(
    open_station: Callable[[str], Station], postgresql_database: str, message: str
) -> None:
    here = open_station("here")
    engine = create_engine(parse_url(postgresql_database), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_notify('dispatcher', :message)"), {"message": message})
        connection.execute(text("""SELECT pg_notify('dispatcher', '{"by": "x", "engine": true}')"""))
    engine.dispose()
    assert here.next() == "engine"
    with pytest.raises(Empty):
        here.next(0.01)
