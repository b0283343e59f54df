"""Traps: what is heard, what is dropped, and when a device has come to rest."""

from __future__ import annotations

import itertools
import queue
import socket
import time
from collections.abc import Callable, Collection, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from job_world import GREET, a_request, on
from pysnmp.proto import api
from real_server import Server, dispatcher
from snmp_messages import CHANGED, LINK_UP, V2C, v1, v2c
from sqlalchemy import make_url, select

from dispatcher import traps
from dispatcher.core.errors import Unavailable
from dispatcher.core.jobs import When
from dispatcher.core.permissions import SYSTEM
from dispatcher.core.ports import Ports
from dispatcher.core.schedules import RecurrenceRequest
from dispatcher.datastore.jobs import JOBS
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.hall import build_hall
from dispatcher.services.secrets import Secrets
from dispatcher.snmp import read
from dispatcher.traps import Rest, Traps

SWITCH = UUID("00000000-0000-4000-8000-000000000091")
INFORM = api.PROTOCOL_MODULES[V2C].InformRequestPDU
LOOPBACK = "127.0.0.1"


def test_a_device_is_at_rest_after_a_while_and_in_any_case_in_the_end() -> None:
    rest = Rest(quiet_s=10, longest_s=60)
    assert rest.next_at() is None
    rest.note("a", 0)
    rest.note("b", 5)
    assert (rest.take(9), rest.next_at()) == ([], 10)
    rest.note("a", 9)
    assert rest.take(15) == ["b"]
    for now in range(10, 60, 5):
        rest.note("a", now)
        assert rest.take(now) == []
    assert rest.take(60) == ["a"]
    assert rest.take(100) == []


@given(st.lists(st.tuples(st.sampled_from("abcde"), st.integers(0, 8), st.booleans())))
def test_devices_come_to_rest_each_at_its_time(told: list[tuple[str, int, bool]]) -> None:
    rest, now = Rest(quiet_s=10, longest_s=25), 0
    since: dict[str, tuple[int, int]] = {}
    for address, later, is_looked_at in told:
        now += later
        rest.note(address, now)
        since[address] = (since.get(address, (now, now))[0], now)
        due = {one: min(last + 10, first + 25) for one, (first, last) in since.items()}
        assert rest.next_at() == min(due.values())
        if is_looked_at:
            assert sorted(rest.take(now)) == sorted(one for one, moment in due.items() if moment <= now)
            since = {one: times for one, times in since.items() if due[one] > now}


def test_no_more_devices_than_that_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traps, "MOST", 3)
    rest = Rest(quiet_s=10, longest_s=60)
    for address in ("a", "b", "c", "d", "a"):
        rest.note(address, 0)
    assert sorted(rest.take(10)) == ["a", "b", "c"]


class Ear:
    """Traps that are listened for, and what came of it."""

    def __init__(self, rest: Rest | None = None, **options: Any) -> None:
        self.heard: queue.Queue[list[str]] = queue.Queue()
        self.failing: list[Exception] = []
        self.traps = Traps(
            LOOPBACK,
            0,
            communities=["other", "secret"],
            ids=[CHANGED],
            changed=self._changed,
            steady=options.pop("steady", time.monotonic),
            rest=rest or Rest(quiet_s=0, longest_s=0),
            **options,
        )

    def _changed(self, addresses: Collection[str]) -> None:
        self.heard.put(sorted(addresses))
        if self.failing:
            raise self.failing.pop()

    def tell(self, *packets: bytes) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as device:
            for data in packets:
                device.sendto(data, (LOOPBACK, self.traps.port))

    def hears(self) -> bool:
        """Whether somebody has told of a change: what was sent before that has been looked at by then."""
        return self.heard.get(timeout=10) == [LOOPBACK]


@pytest.fixture
def ear() -> Iterator[Ear]:
    ear = Ear()
    ear.traps.start()
    yield ear
    ear.traps.stop()


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What is logged, in any thread."""
    entries = structlog.testing.LogCapture()
    monkeypatch.setattr(traps, "log", structlog.wrap_logger(None, processors=[entries]))
    return entries.entries


DROPPED = {"event": "trap.dropped", "log_level": "warning", "last": LOOPBACK}
REFUSED = [b"", b"\x00", b"\x30\x80", v2c(CHANGED)[:-3], v2c(CHANGED, kind=api.PROTOCOL_MODULES[V2C].GetRequestPDU)]


def test_only_the_right_traps_are_heeded(ear: Ear) -> None:
    ear.tell(*REFUSED, v2c(CHANGED, "guess"), v2c(CHANGED, "secret2"), v2c(CHANGED, ""), v2c(LINK_UP))
    for packet in (v2c(CHANGED), v1("1.3.6.1.4.1.9.9.43.2", 1), v2c(CHANGED, "other"), v2c(CHANGED, kind=INFORM)):
        ear.tell(packet)
        assert ear.hears()
    assert ear.heard.empty()


def test_the_log_tells_what_was_dropped_but_not_each_time(said: list[dict[str, Any]]) -> None:
    now = 0.0
    ear = Ear(steady=lambda: now)
    ear.traps.start()
    try:
        ear.tell(*REFUSED, v2c(CHANGED, "guess"), v2c(CHANGED))
        assert ear.hears()
        now = traps.TELL_EVERY_S
        ear.tell(v2c(CHANGED, "guess"), v2c(CHANGED))
        assert ear.hears()
    finally:
        ear.traps.stop()
    assert said == [
        {**DROPPED, "malformed": 1},
        {**DROPPED, "malformed": len(REFUSED) - 1, "wrong_community": 2},
    ]


def test_informs_are_acknowledged_also_those_that_tell_of_something_else(ear: Ear) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as device:
        device.settimeout(10)
        device.connect((LOOPBACK, ear.traps.port))
        device.send(v2c(LINK_UP, "guess", kind=INFORM))  # not this one
        device.send(v2c(CHANGED))
        for inform in (v2c(LINK_UP, kind=INFORM), v2c(CHANGED, "other", kind=INFORM)):
            device.send(inform)
            assert device.recv(65_535) == read(inform).answer


def test_what_fails_is_logged_and_what_could_not_be_stored_is_tried_again(ear: Ear) -> None:
    ear.failing = [Unavailable("out of order"), Unavailable("out of order"), OSError("a defect")]
    ear.tell(v2c(CHANGED))
    assert ear.hears()  # the defect
    assert ear.heard.empty()
    ear.tell(v2c(CHANGED))
    assert [ear.hears() for _ in range(3)] == [True] * 3
    assert ear.failing == []


def test_a_network_that_is_down_does_not_end_it(said: list[dict[str, Any]]) -> None:
    class Down:
        """A socket that fails a few times."""

        def __init__(self, real: socket.socket) -> None:
            self.times = itertools.count()
            self._real = real

        def recvfrom(self, size: int) -> Any:
            if next(self.times) < 2:
                raise OSError("the network is down")
            return self._real.recvfrom(size)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._real, name)

    ear = Ear()
    ear.traps._socket = Down(ear.traps._socket)  # type: ignore[assignment]
    ear.traps.start()
    ear.tell(v2c(CHANGED))
    assert ear.hears()
    ear.traps.stop()
    assert [(one["event"], one["last"]) for one in said] == [("trap.dropped", "the network is down")]


def test_who_is_not_at_rest_when_it_ends_is_not_forgotten() -> None:
    ear = Ear(Rest(quiet_s=1_000, longest_s=1_000))
    ear.traps.start()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as device:
        device.settimeout(10)
        device.connect((LOOPBACK, ear.traps.port))
        device.send(v2c(CHANGED, kind=INFORM))
        device.recv(65_535)  # it has been told
    ear.traps.stop()
    assert ear.hears()


@pytest.mark.skipif(not hasattr(socket, "SO_REUSEPORT"), reason="needs shared ports")
def test_each_of_several_that_share_a_port_ends() -> None:
    first = Ear(shared=True)
    others = [
        Traps(
            LOOPBACK,
            first.traps.port,
            communities=["secret"],
            ids=[CHANGED],
            changed=print,
            steady=time.monotonic,
            shared=True,
        )
        for _ in range(2)
    ]
    each = [first.traps, *others]
    for one in each:
        one.start()
    for one in each:
        one.stop()
        assert not one._thread.is_alive()


def test_no_more_packets_a_second_are_looked_at_than_that(
    monkeypatch: pytest.MonkeyPatch, said: list[dict[str, Any]]
) -> None:
    monkeypatch.setattr(traps, "MOST_PACKETS", 4)
    clock = Clock()
    ear = Ear(steady=clock.steady)
    ear.traps._stopping.wait = clock.wait  # type: ignore[method-assign, assignment]
    ear.tell(*[b"junk"] * 10, v2c(CHANGED))
    ear.traps.start()
    assert ear.hears()
    clock.now += traps.TELL_EVERY_S
    ear.tell(b"junk", v2c(CHANGED))
    assert ear.hears()
    ear.traps.stop()
    assert clock.waited == [1.0, 1.0]
    assert said == [{**DROPPED, "malformed": 1}, {**DROPPED, "malformed": 10, "seconds_with_too_many": 2}]


class Clock:
    """Time that goes by only where somebody waits."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waited: list[float] = []

    def steady(self) -> float:
        return self.now

    def wait(self, seconds: float) -> bool:
        self.waited.append(seconds)
        self.now += seconds
        return False


def test_wrong_ids_are_refused_at_once() -> None:
    with pytest.raises(ValueError, match="no id of an object"):
        Traps(LOOPBACK, 0, communities=["a"], ids=["ciscoConfigManEvent"], changed=print, steady=time.monotonic)


def test_a_server_that_ends_begins_what_informs_that_it_has_acknowledged_are_for(
    tmp_path: Path, ports: Ports, secrets: Secrets, start_server: Callable[..., Server]
) -> None:
    url, library = f"sqlite:///{tmp_path / 'server.db'}", tmp_path / "library.yaml"
    module = f"{{name: Look, id: {GREET}, tasks: [{{type: command, name: look, settings: {{command: 'true'}}}}]}}"
    switch = f"agents: [{{name: sw-1, id: {SWITCH}, address: {LOOPBACK}}}]"
    library.write_text(f"modules: [{module}]\n{switch}", encoding="utf-8")
    dispatcher("library", "import", str(library), datastore=url)
    datastore = Datastore(make_url(url))
    try:
        hall = build_hall(datastore, ports, secrets, lease=timedelta(seconds=30))
        when = When(recurrence=RecurrenceRequest("DTSTART:20360301T120000Z\nRRULE:FREQ=DAILY"))
        request = a_request(GREET, who=on(SWITCH), options={"on_change": True}, when=when)
        pattern = hall.scheduling.submit(request, SYSTEM).id
    finally:
        datastore.close()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind((LOOPBACK, 0))
        port = taken.getsockname()[1]
    listen = {"DISPATCHER_SNMP__LISTEN": f"{LOOPBACK}:{port}", "DISPATCHER_SNMP__COMMUNITIES": "other,secret"}
    server = start_server("--no-local-agent", **listen)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as device:
        device.settimeout(10)
        device.connect((LOOPBACK, port))
        device.send(v2c(CHANGED, kind=INFORM))
        assert device.recv(65_535)
    assert server.process.stop() == 0
    datastore = Datastore(make_url(url))
    try:
        with datastore.read() as session:
            begun = session.execute(select(JOBS.c.who).where(JOBS.c.recurring_id == pattern)).scalars().all()
    finally:
        datastore.close()
    assert [who["id"] for (who,) in begun] == [str(SWITCH)]
