"""Change triggers: a device tells that it has changed, and what is for that begins for it, once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
import structlog
from job_world import GREET, LIBRARY, a_request, lease, on, report

from dispatcher.core.errors import Busy
from dispatcher.core.jobs import When, Who
from dispatcher.core.permissions import SYSTEM
from dispatcher.core.schedules import RecurrenceRequest
from dispatcher.core.states import Event
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.change_triggers import ChangeTriggers
from dispatcher.services.hall import Hall
from dispatcher.services.reporting import RunFinished, RunStarted

SWITCH = UUID("00000000-0000-4000-8000-000000000091")
DAILY = When(recurrence=RecurrenceRequest("DTSTART:20360301T120000Z\nRRULE:FREQ=DAILY"))


@pytest.fixture
def agents(load_library: Callable[[str], None], enrol: Callable[..., UUID]) -> list[UUID]:
    load_library(LIBRARY)
    return [enrol(f"agent-{number}", address=f"10.0.0.{number}") for number in range(3)]


@pytest.fixture
def triggers(hall: Hall, datastore: Datastore) -> ChangeTriggers:
    return ChangeTriggers(datastore, topology=hall.topology, on_demand=hall.on_demand)


def schedule(hall: Hall, *agents: UUID) -> UUID:
    """Schedule a job that is for these agents' changes."""
    return hall.scheduling.submit(a_request(GREET, who=on(*agents), options={"on_change": True}, when=DAILY), SYSTEM).id


def begun(hall: Hall, jobs: list[UUID]) -> list[tuple[UUID | None, list[UUID]]]:
    """Return what these jobs are occurrences of, and whom they are for."""
    read = [hall.jobs.get(job, SYSTEM) for job in jobs]
    return [(job.recurring_id, [who.id for who in job.who]) for job in read]


def test_the_jobs_for_it_begin_for_these_devices_alone(
    hall: Hall, agents: list[UUID], triggers: ChangeTriggers
) -> None:
    both = schedule(hall, *agents[:2])
    hall.scheduling.submit(a_request(GREET, who=on(*agents), when=DAILY), SYSTEM)
    assert begun(hall, triggers.changed(["10.0.0.1"])) == [(both, [agents[1]])]
    assert triggers.changed(["10.0.0.2", "192.0.2.1"]) == triggers.changed([]) == []
    one = schedule(hall, agents[0])
    began = begun(hall, triggers.changed(["10.0.0.0", "10.0.0.2"]))
    assert sorted(began, key=str) == sorted([(both, [agents[0]]), (one, [agents[0]])], key=str)


def test_an_address_may_be_written_in_any_way(
    hall: Hall, triggers: ChangeTriggers, agents: list[UUID], enrol: Callable[..., UUID]
) -> None:
    long = enrol("long", address="2001:0DB8:0:0:0:0:0:1")
    enrol("other", address="2001:db8::2")
    job = schedule(hall, *agents, long)
    assert begun(hall, triggers.changed(["2001:db8::1", "10.0.0.1"])) == [(job, [agents[1]]), (job, [long])]


def test_none_begins_while_one_has_yet_to_start_there(
    hall: Hall, agents: list[UUID], triggers: ChangeTriggers, clock: Any
) -> None:
    schedule(hall, *agents)
    (first,) = triggers.changed(["10.0.0.1"])
    assert triggers.changed(["10.0.0.1"]) == []
    assert len(triggers.changed(["10.0.0.1", "10.0.0.2"])) == 1  # nothing waits there
    (run,) = lease(hall, agents[1], 5)
    assert run.job_id == first
    assert triggers.changed(["10.0.0.1"]) == []  # it will see the change
    report(hall, agents[1], run, RunStarted(clock()))
    (second,) = triggers.changed(["10.0.0.1"])  # it may have looked before the change
    report(hall, agents[1], run, RunFinished(clock(), Event.COMPLETE))
    assert triggers.changed(["10.0.0.1"]) == []
    hall.aborting.abort(second, SYSTEM)
    assert len(triggers.changed(["10.0.0.1"])) == 1


def test_the_same_holds_for_devices_without_an_agent(
    hall: Hall, triggers: ChangeTriggers, load_library: Callable[[str], None], enrol: Callable[..., UUID], clock: Any
) -> None:
    load_library(
        f"modules: [{{name: Show, id: {GREET}, tasks: [{{type: ssh_command, name: t, settings: {{text: 'true'}}}}]}}]"
    )
    gateway = enrol("gateway")
    load_library(f"agents: [{{name: sw-1, id: {SWITCH}, address: 10.0.0.1, gateway: gateway}}]")
    load_library("credential_sets: [{name: One, user: backup, password: secret, agents: [sw-1]}]")
    schedule(hall, SWITCH)
    (first,) = triggers.changed(["10.0.0.1"])
    assert triggers.changed(["10.0.0.1"]) == []
    (run,) = lease(hall, gateway, 5)
    assert run.job_id == first
    report(hall, gateway, run, RunStarted(clock()))
    assert len(triggers.changed(["10.0.0.1"])) == 1


def test_one_that_was_disabled_just_now_does_not_keep_the_others(
    hall: Hall, agents: list[UUID], triggers: ChangeTriggers, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, kept = schedule(hall, agents[1]), schedule(hall, agents[1])
    run = hall.on_demand.run

    def disabled_meanwhile(pattern: UUID, *arguments: Any, **options: Any) -> Any:
        if pattern == gone:
            hall.aborting.disable(gone, SYSTEM)
        return run(pattern, *arguments, **options)

    monkeypatch.setattr(hall.on_demand, "run", disabled_meanwhile)
    with structlog.testing.capture_logs() as said:
        assert begun(hall, triggers.changed(["10.0.0.1"])) == [(kept, [agents[1]])]
    assert [one["event"] for one in said if one["log_level"] == "error"] == ["configuration.change_not_heeded"]


def test_who_asks_hears_that_the_datastore_is_out_of_order(
    hall: Hall, agents: list[UUID], triggers: ChangeTriggers, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule(hall, agents[1])

    def busy(*_arguments: Any, on: list[Who]) -> Any:
        raise Busy("another transaction has locked what this needs")

    monkeypatch.setattr(hall.on_demand, "run", busy)
    with pytest.raises(Busy):
        triggers.changed(["10.0.0.1"])


def test_two_dispatchers_that_hear_of_it_begin_one_job(
    hall: Hall, agents: list[UUID], triggers: ChangeTriggers
) -> None:
    schedule(hall, *agents)
    jobs: list[UUID] = []
    together = threading.Barrier(4)

    def hear() -> None:
        together.wait(30)
        jobs.extend(triggers.changed(["10.0.0.1"]))

    threads = [threading.Thread(target=hear) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(jobs) == 1
