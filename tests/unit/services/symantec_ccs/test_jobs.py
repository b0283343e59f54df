"""Jobs: the first run of a job is that of its creation; looking for names reads little."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest
from ccs_world import GROUP, STANDARD
from job_world import a_request, on
from statements import statements

from dispatcher.core.errors import JobNotFound
from dispatcher.core.jobs import When
from dispatcher.core.permissions import SYSTEM
from dispatcher.core.schedules import DEMAND, RecurrenceRequest
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.hall import Hall
from dispatcher.services.submits import SubmitKey
from dispatcher.services.symantec_ccs.orders import JobOrder
from dispatcher.services.symantec_ccs.suite import SymantecCcs

ORDER = JobOrder("Nightly", "CollectionJob", [STANDARD], [GROUP])


def test_a_repeated_create_shows_the_run_that_it_made(ccs: SymantecCcs, agent: UUID) -> None:
    key = SubmitKey.of("k", b"asked")
    job, first = ccs.jobs.create(replace(ORDER, runs_now=True), SYSTEM, key)
    ccs.runs.execute(job.id, SYSTEM)
    assert first is not None
    again, run = ccs.jobs.create(replace(ORDER, runs_now=True), SYSTEM, key)
    assert (again.id, run and run.id) == (job.id, first.id)
    ccs.jobs.delete(job.id, SYSTEM, keeps_job=True)
    assert ccs.jobs.create(replace(ORDER, runs_now=True), SYSTEM, key)[1] == first


def test_who_asks_for_a_name_again_and_again_costs_little(
    ccs: SymantecCcs, hall: Hall, agent: UUID, datastore: Datastore
) -> None:
    for number in range(20):
        ccs.jobs.create(replace(ORDER, name=f"J{number}"), SYSTEM)
    when = When(immediate=False, recurrence=RecurrenceRequest(DEMAND))
    theirs = hall.scheduling.submit(a_request(UUID(STANDARD), who=on(agent), when=when, description="Theirs"), SYSTEM)
    with statements(datastore) as sent, pytest.raises(JobNotFound, match="nobody"):
        ccs.jobs.named("nobody", SYSTEM)
    assert [one.partition(" \nFROM")[0] for one in sent if "job.description" in one and "coalesce" not in one] == [
        "SELECT job.id, job.description"
    ]
    assert ccs.jobs.named(" THEIRS", SYSTEM).id == theirs.id


def test_standards_and_targets_are_looked_up_together(ccs: SymantecCcs, agent: UUID, datastore: Datastore) -> None:
    def cost(order: JobOrder) -> int:
        with statements(datastore) as sent:
            ccs.jobs.create(order, SYSTEM)
        return sum("FROM alias" in one for one in sent)

    few = cost(replace(ORDER, name="few"))
    assert cost(replace(ORDER, name="many", targets=[GROUP, str(agent)] * 100)) == few
