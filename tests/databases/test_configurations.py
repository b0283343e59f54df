"""Kept configurations, on every database: what was fetched is kept to the byte, sealed, and for who may read it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from job_world import a_request, lease, on, report
from sqlalchemy import func, select, text
from statements import statements

from dispatcher.core.errors import Forbidden
from dispatcher.core.jobs import WhatKind
from dispatcher.core.parameters import Parameter, ParameterType
from dispatcher.core.permissions import SYSTEM, Caller, Node, Right, RoleRights
from dispatcher.core.ports import Ports
from dispatcher.core.states import Event, State
from dispatcher.datastore.configurations import CONFIGURATION_PARTS, FETCHED_PARTS
from dispatcher.datastore.transactions import Datastore
from dispatcher.services import alerts as alerts_of
from dispatcher.services.alerts import Alerts
from dispatcher.services.configuration_keeping import MAX_BYTES, FetchedText
from dispatcher.services.hall import Hall, build_hall
from dispatcher.services.library.importing import import_texts
from dispatcher.services.reporting import Fetched, News, RunFinished, RunStarted, TaskFinished, TaskStarted
from dispatcher.services.run_orders import LeasedRun
from dispatcher.services.secrets import Secrets, SecretUnreadable

BACKUP, ONE, TWO, PLAIN = (UUID(f"00000000-0000-4000-8000-{number:012}") for number in range(1, 5))
LIBRARY = f"""
modules:
  - name: Plain
    id: {PLAIN}
    tasks: [{{type: ssh_command, name: t, settings: {{text: 'true'}}}}]
  - name: Backup
    id: {BACKUP}
    parameters:
      - {{name: Alert, value: 'true'}}
      - {{name: Versions, value: VERSION_WITH_CHANGES}}
      - {{name: Running, input: false, output: true}}
    tasks:
      - type: ssh_fetch
        name: fetch
        repeatable: true
        settings:
          command: show
          keep: {{name: running, versions: '$[Versions]', alert: '$[Alert]', output: Running}}
agents:
  - {{name: sw-1, id: {ONE}, address: 10.0.0.1, gateway: gateway}}
  - {{name: sw-2, id: {TWO}, address: 10.0.0.2, gateway: gateway}}
"""


@pytest.fixture
def gateway(load_library: Callable[[str], None], enrol: Callable[..., UUID]) -> UUID:
    agent = enrol("gateway")
    load_library(LIBRARY)
    return agent


@pytest.fixture
def begun(hall: Hall, gateway: UUID, clock: Any) -> Callable[..., LeasedRun]:
    """Has a run for a device begin."""

    def begin(device: UUID = ONE, what: UUID = BACKUP) -> LeasedRun:
        hall.scheduling.submit(a_request(what, who=on(device)), SYSTEM)
        (run,) = lease(hall, gateway, 1)
        report(hall, gateway, run, RunStarted(clock()), TaskStarted(0, clock()))
        return run

    return begin


def end(clock: Any, content: bytes, position: int = 0, name: str = "running") -> list[Any]:
    """Return the end of a run that has fetched *content*."""
    digest = hashlib.sha256(content).digest()
    text = FetchedText(position, name, len(content), digest, digest)
    running = Parameter(name="Running", type=ParameterType.TEXT, value1=digest.hex())
    return [
        TaskFinished(0, clock(), Event.COMPLETE),
        RunFinished(clock(), Event.COMPLETE, outputs=[[running]], fetched=[text]),
    ]


def contents(hall: Hall, device: UUID = ONE) -> list[bytes]:
    return [hall.configurations.content(one.id, SYSTEM) for one in hall.configurations.versions(device, SYSTEM)]


def held(datastore: Datastore) -> int:
    with datastore.read() as session:
        return session.scalar(select(func.count()).select_from(FETCHED_PARTS)) or 0


def alerts(hall: Hall, caller: Caller = SYSTEM) -> list[tuple[str, str]]:
    return [(one.kind, one.message) for one in hall.alerts.list(caller)]


def test_what_comes_in_parts_and_twice_is_kept_once_and_to_the_byte(
    hall: Hall, gateway: UUID, clock: Any, datastore: Datastore, begun: Callable[..., LeasedRun]
) -> None:
    parts = [b"hostname cisco-sw1\r\n" * 3, b"\xff\x00password cisco\r\n"]
    run = begun()
    first, second = Fetched(0, 0, parts[0]), Fetched(0, len(parts[0]), parts[1])
    report(hall, gateway, run, first)
    report(hall, gateway, run, first, second)
    report(hall, gateway, run, first)  # late
    report(hall, gateway, run, *end(clock, b"".join(parts)))
    assert contents(hall) == [b"".join(parts)]
    (version,) = hall.configurations.versions(ONE, SYSTEM)
    assert (version.name, version.sha256) == ("running", hashlib.sha256(b"".join(parts)).hexdigest())
    assert hall.jobs.get(run.job_id, SYSTEM).state is State.COMPLETED
    with datastore.read() as session:
        sealed = session.scalars(select(CONFIGURATION_PARTS.c.data)).all()
        assert len(sealed) == 2
        assert b"cisco" not in b"".join(sealed)
        assert session.scalar(select(func.count()).select_from(FETCHED_PARTS)) == 0
        assert session.scalar(text("SELECT COUNT(*) FROM output_chunk")) == 0


def test_a_change_is_told_with_its_extent(
    hall: Hall, gateway: UUID, clock: Any, begun: Callable[..., LeasedRun]
) -> None:
    for content in (b"a\nb\n", b"a\nb\n", b"a\nc\nd\n"):
        report(hall, gateway, begun(), Fetched(0, 0, content), *end(clock, content))
    assert contents(hall) == [b"a\nc\nd\n", b"a\nb\n"]
    changed = "the running configuration of sw-1 has changed: 2 lines are new, 1 gone"
    assert alerts(hall) == [("configuration.changed", changed)]


def test_a_text_that_is_not_whole_is_not_kept(
    hall: Hall, gateway: UUID, clock: Any, begun: Callable[..., LeasedRun]
) -> None:
    run = begun()
    report(hall, gateway, run, Fetched(0, 2, b"cd"), *end(clock, b"abcd"))
    assert contents(hall) == []
    lost = "the running configuration of sw-1 was not kept: a part of it was lost"
    assert alerts(hall) == [("configuration.incomplete", lost)]
    assert hall.jobs.get(run.job_id, SYSTEM).state is State.COMPLETED


def test_what_cannot_be_kept_is_told_and_the_run_ends_all_the_same(
    hall: Hall, gateway: UUID, clock: Any, begun: Callable[..., LeasedRun]
) -> None:
    run = begun()
    report(hall, gateway, run, Fetched(7, 0, b"x"), *end(clock, b"x", position=7))  # there is no such task
    assert hall.jobs.get(run.job_id, SYSTEM).state is State.COMPLETED
    assert alerts(hall) == [("configuration.not_kept", "what was fetched from sw-1 could not be kept")]


def test_no_text_is_kept_as_another_configuration(
    hall: Hall, gateway: UUID, clock: Any, begun: Callable[..., LeasedRun]
) -> None:
    report(hall, gateway, begun(), Fetched(0, 0, b"x"), *end(clock, b"x", name="startup"))
    assert contents(hall) == []
    assert [kind for kind, _ in alerts(hall)] == ["configuration.not_kept"]


def test_what_could_not_be_kept_is_not_held_on_to(
    hall: Hall, gateway: UUID, clock: Any, datastore: Datastore, begun: Callable[..., LeasedRun]
) -> None:
    report(hall, gateway, begun(), Fetched(0, 0, b"x"), *end(clock, b"x", position=7))
    assert [kind for kind, _ in alerts(hall)] == ["configuration.not_kept"]
    assert held(datastore) == 0


def test_what_a_run_says_nothing_of_when_it_ends_goes_soon(
    hall: Hall, gateway: UUID, clock: Any, datastore: Datastore, begun: Callable[..., LeasedRun]
) -> None:
    failing, running = begun(ONE), begun(TWO)
    report(hall, gateway, failing, Fetched(0, 0, b"x"))
    report(hall, gateway, running, Fetched(0, 0, b"y"))
    report(hall, gateway, failing, TaskFinished(0, clock(), Event.FAIL), RunFinished(clock(), Event.FAIL))
    hall.retention.sweep()
    assert held(datastore) == 1
    report(hall, gateway, running, *end(clock, b"y"))
    assert contents(hall, TWO) == [b"y"]


def test_what_a_lost_attempt_has_fetched_goes_with_it(
    hall: Hall, gateway: UUID, clock: Any, datastore: Datastore, begun: Callable[..., LeasedRun]
) -> None:
    run = begun()
    report(hall, gateway, run, Fetched(0, 0, b"x"))
    report(hall, gateway, run, RunFinished(clock(), Event.CONFIRM_ABORT))  # its agent was stopped
    assert held(datastore) == 0


def test_what_no_task_keeps_and_what_is_too_much_is_dropped(
    hall: Hall, gateway: UUID, clock: Any, datastore: Datastore, begun: Callable[..., LeasedRun]
) -> None:
    plain, run = begun(ONE, PLAIN), begun(TWO)
    report(hall, gateway, plain, Fetched(0, 0, b"x"), Fetched(5, 0, b"x"))
    report(hall, gateway, run, Fetched(1, 0, b"x"), Fetched(0, MAX_BYTES - 1, b"xx"), Fetched(0, 0, b""))
    assert held(datastore) == 0
    report(hall, gateway, run, Fetched(0, 0, b"xyz"), *(Fetched(0, place, b"xyz") for place in range(3)))
    report(hall, gateway, run, Fetched(0, MAX_BYTES - 2, b"xx"), Fetched(0, MAX_BYTES, b"x"))
    assert held(datastore) == 2


def test_nothing_is_kept_with_a_key_that_does_not_fit(
    hall: Hall, gateway: UUID, clock: Any, datastore: Datastore, ports: Ports, begun: Callable[..., LeasedRun]
) -> None:
    run = begun()
    other = build_hall(datastore, ports, Secrets(b"o" * 32), lease=timedelta(seconds=30))
    report(other, gateway, run, Fetched(0, 0, b"x"), *end(clock, b"x"))
    assert hall.jobs.get(run.job_id, SYSTEM).state is State.COMPLETED
    assert contents(hall) == []
    assert [kind for kind, _ in alerts(hall)] == ["configuration.not_kept"]


def test_a_version_of_a_lost_key_is_followed_all_the_same(
    hall: Hall, gateway: UUID, clock: Any, datastore: Datastore, ports: Ports, begun: Callable[..., LeasedRun]
) -> None:
    report(hall, gateway, begun(), Fetched(0, 0, b"a"), *end(clock, b"a"))
    secrets = Secrets(b"o" * 32)
    import_texts(datastore, ports, secrets, {"library.yaml": LIBRARY.encode()}, new_key=True)
    other = build_hall(datastore, ports, secrets, lease=timedelta(seconds=30))
    report(other, gateway, begun(), Fetched(0, 0, b"b"), *end(clock, b"b"))
    newest, oldest = other.configurations.versions(ONE, SYSTEM)
    assert other.configurations.content(newest.id, SYSTEM) == b"b"
    with pytest.raises(SecretUnreadable):
        other.configurations.content(oldest.id, SYSTEM)
    assert alerts(hall) == [("configuration.changed", "the running configuration of sw-1 has changed")]


def test_parts_of_a_lost_lease_are_not_mixed_in(
    hall: Hall, gateway: UUID, clock: Any, datastore: Datastore, begun: Callable[..., LeasedRun]
) -> None:
    run = begun()
    report(hall, gateway, run, Fetched(0, 0, b"old"), Fetched(0, 3, b"est"))
    report(hall, gateway, run, RunFinished(clock(), Event.CONFIRM_ABORT))  # its agent was stopped: it is repeatable
    (again,) = lease(hall, gateway, 1)
    assert (again.id, again.fence > run.fence) == (run.id, True)
    report(hall, gateway, run, Fetched(0, 6, b"late"))  # of the lost one
    report(
        hall,
        gateway,
        again,
        RunStarted(clock()),
        TaskStarted(0, clock()),
        Fetched(0, 0, b"new"),
        *end(clock, b"new"),
    )
    assert contents(hall) == [b"new"]
    with datastore.read() as session:
        assert session.scalar(select(func.count()).select_from(FETCHED_PARTS)) == 0


def test_one_report_of_several_devices_keeps_all(
    hall: Hall, gateway: UUID, clock: Any, begun: Callable[..., LeasedRun]
) -> None:
    runs = [begun(ONE), begun(TWO)]
    events = [
        News(run.id, run.fence, event)
        for run, content in zip(runs, (b"one", b"two"), strict=True)
        for event in (Fetched(0, 0, content), *end(clock, content))
    ]
    hall.reporting.report(gateway, events, [(run.id, run.fence) for run in runs])
    assert (contents(hall, ONE), contents(hall, TWO)) == ([b"one"], [b"two"])


def test_versions_and_alerts_are_for_who_may_read_the_agent(
    hall: Hall, gateway: UUID, clock: Any, begun: Callable[..., LeasedRun]
) -> None:
    for content in (b"a", b"b"):
        report(hall, gateway, begun(ONE), Fetched(0, 0, content), *end(clock, content))
    grants = {(Node.RESULTS, None): Right.READ, (Node.AGENTS, None): Right.DENY, (Node.AGENTS, TWO): Right.READ}
    of_two = Caller.of("of two", [RoleRights("role", grants)])
    grants = {(Node.RESULTS, None): Right.READ, (Node.AGENTS, None): Right.DENY, (Node.AGENTS, ONE): Right.READ}
    of_one = Caller.of("of one", [RoleRights("role", grants)])
    (newest, _) = hall.configurations.versions(ONE, of_one)
    assert hall.configurations.content(newest.id, of_one) == b"b"
    assert len(alerts(hall, of_one)) == 1
    assert alerts(hall, of_two) == []
    assert hall.configurations.versions(TWO, of_two) == []
    for attempt in (
        lambda: hall.configurations.versions(ONE, of_two),
        lambda: hall.configurations.content(newest.id, of_two),
    ):
        with pytest.raises(Forbidden):
            attempt()


def test_alerts_are_read_on_until_there_are_enough_that_may_be_seen(
    hall: Hall, ports: Ports, datastore: Datastore, gateway: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerts_of, "MAX_PAGE_SIZE", 2)
    kept = Alerts(datastore, ports)
    with datastore.begin() as session:
        for number, about in enumerate([ONE, None, ONE, TWO, TWO, TWO, TWO]):  # at the same moment
            kept.put(session, "kind", str(number), about)
    grants = {(Node.RESULTS, None): Right.READ, (Node.AGENTS, None): Right.DENY, (Node.AGENTS, ONE): Right.READ}
    of_one = Caller.of("of one", [RoleRights("role", grants)])
    with statements(datastore) as sent:
        assert [message for _, message in alerts(hall, of_one)] == ["2", "1"]
    assert "distinct" not in " ".join(sent).lower()  # not all agents that there are alerts about
    assert [one.message for one in hall.alerts.list(of_one, agent_id=ONE)] == ["2", "0"]
    assert [one.message for one in hall.alerts.list(SYSTEM, limit=1)] == ["6"]


def test_the_end_of_a_run_with_outputs_costs_nothing_for_configurations(
    hall: Hall, gateway: UUID, clock: Any, datastore: Datastore, load_library: Callable[[str], None]
) -> None:
    load_library(
        f"modules: [{{name: Out, id: {TWO}, parameters: [{{name: P, output: true}}],"
        " tasks: [{type: command, name: t, settings: {command: 'true'}}]}]"
    )
    hall.scheduling.submit(a_request(TWO, WhatKind.MODULE, who=on(gateway)), SYSTEM)
    (run,) = lease(hall, gateway, 1)
    given = [[Parameter(name="P", type=ParameterType.TEXT, value1="x")]]
    report(hall, gateway, run, RunStarted(clock()), TaskStarted(0, clock()))
    with statements(datastore) as sent:
        report(hall, gateway, run, TaskFinished(0, clock(), Event.COMPLETE))
        report(hall, gateway, run, RunFinished(clock(), Event.COMPLETE, outputs=given))
    seen = " ".join(sent).lower()
    assert "savepoint" not in seen
    assert "configuration" not in seen
    assert "fetched_part" not in seen
