"""Results of jobs of Ivanti Endpoint Security on every database: one for each target, also where these are many."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from job_world import lease, report
from sqlalchemy import delete

from dispatcher.bindings.ivanti_endpoint_security.translate import to_wire_entity
from dispatcher.core.permissions import SYSTEM
from dispatcher.core.ports import Ports
from dispatcher.core.states import Event, State
from dispatcher.datastore.runs import CHUNKS
from dispatcher.datastore.transactions import Datastore
from dispatcher.services import builtin
from dispatcher.services.hall import Hall
from dispatcher.services.ivanti_endpoint_security import job_output
from dispatcher.services.ivanti_endpoint_security.jobs import ShownJob
from dispatcher.services.ivanti_endpoint_security.orders import JobOrder, Kind, Options, RangeTarget
from dispatcher.services.ivanti_endpoint_security.suite import build_ivanti_endpoint_security
from dispatcher.services.reporting import Output, RunFinished, RunStarted, TaskFinished, TaskStarted
from dispatcher.services.secrets import Secrets

PIECE = 64 * 1024
LOST = "results are missing: {} of {} bytes of the output are not read, or not kept"


class Scan:
    """A job that looks at a range, whose agent has written *lines*."""

    def __init__(self, hall: Hall, agent: UUID, clock: Any) -> None:
        self.hall = hall
        self.ies = build_ivanti_endpoint_security(hall)
        targets = (RangeTarget(start="127.1.0.0", end="127.1.255.255"),)
        order = JobOrder(
            name="Look around", kind=Kind.DISCOVER, starts_at=clock(), options=Options(icmp=True), targets=targets
        )
        self.number = self.ies.jobs.create(order, SYSTEM).record.number
        (self.run,) = lease(hall, agent, 1)
        report(hall, agent, self.run, RunStarted(clock()), TaskStarted(0, clock()))
        self.agent = agent

    def write(self, output: bytes) -> None:
        events = [Output(0, begin, output[begin : begin + PIECE]) for begin in range(0, len(output), PIECE)]
        report(self.hall, self.agent, self.run, *events)

    def shown(self) -> ShownJob:
        return self.ies.jobs.get(self.number, SYSTEM)


@pytest.fixture
def scan(
    hall: Hall, datastore: Datastore, ports: Ports, secrets: Secrets, enrol: Callable[..., UUID], clock: Any
) -> Scan:
    builtin.install(datastore, ports, secrets)
    agent = enrol("local")
    hall.local_agent.found_by(lambda: agent)
    return Scan(hall, agent, clock)


def lines(count: int) -> bytes:
    return b"".join(b"127.1.%d.%d\tFound\tby icmp\n" % divmod(number, 256) for number in range(count))


def test_each_of_many_targets_has_its_result(scan: Scan) -> None:
    output = lines(20_000) + b"# 20000 computers found\n"
    assert len(output) > 4 * PIECE
    scan.write(output)
    shown = scan.shown()
    assert [one.target for one in shown.results] == [f"127.1.{n // 256}.{n % 256}" for n in range(20_000)]
    assert shown.remarks == ["20000 computers found"]


def test_what_is_not_kept_any_more_is_told(scan: Scan, datastore: Datastore) -> None:
    output = lines(6_000)
    scan.write(output)
    with datastore.begin() as session:
        session.execute(delete(CHUNKS).where(CHUNKS.c.run_id == scan.run.id, CHUNKS.c.offset < PIECE))
    shown = scan.shown()
    kept = output[PIECE:].partition(b"\n")[2].decode().splitlines()
    assert [one.target for one in shown.results] == [one.partition("\t")[0] for one in kept]
    assert shown.remarks == [LOST.format(PIECE, len(output))]


def test_of_too_much_the_beginning_and_the_end_are_read(scan: Scan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_output, "MOST_BYTES", 50)
    monkeypatch.setattr(job_output, "END_BYTES", 40)
    output = lines(100) + b"# 100 computers found\n"
    scan.write(output)
    shown = scan.shown()
    assert [one.target for one in shown.results] == ["127.1.0.0", "127.1.0.1"]
    assert shown.remarks == [LOST.format(len(output) - 90, len(output)), "100 computers found"]


def test_why_a_task_failed_that_has_written_nothing_is_told(scan: Scan, clock: Any) -> None:
    assert scan.shown().failure == ""
    end = TaskFinished(0, clock(), Event.FAIL, message="the order makes no sense")
    report(scan.hall, scan.agent, scan.run, end, RunFinished(clock(), Event.FAIL))
    shown = scan.shown()
    assert (shown.record.state, shown.failure) == (State.FAILED, "Discover computers: the order makes no sense")
    assert to_wire_entity(shown, "").StatusDetail == shown.failure
