"""Results: the versions of a standard are asked for once each, however many runs there are."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from ccs_world import STANDARD
from job_world import work_off
from statements import statements

from dispatcher.core.permissions import SYSTEM
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.hall import Hall
from dispatcher.services.symantec_ccs.orders import JobOrder
from dispatcher.services.symantec_ccs.results import ResultNotFound
from dispatcher.services.symantec_ccs.suite import SymantecCcs


@pytest.fixture
def runs(ccs: SymantecCcs, hall: Hall, agent: UUID, clock: Any) -> list[UUID]:
    """Five runs of a standard on the agent, oldest first."""
    job, _ = ccs.jobs.create(JobOrder("J", "CollectionJob", [STANDARD], [str(agent)]), SYSTEM)
    made = []
    for _ in range(5):
        made.append(ccs.runs.execute(job.id, SYSTEM).id)
        work_off(hall, agent, clock())
    return made


def test_the_latest_run_counts_unless_one_is_named(ccs: SymantecCcs, agent: UUID, runs: list[UUID]) -> None:
    assert ccs.evaluations.get(str(agent), STANDARD, SYSTEM).run_id == runs[-1]
    assert ccs.evaluations.get(str(agent), STANDARD, SYSTEM, run_id=runs[1]).run_id == runs[1]
    assert ccs.evaluations.get(str(agent), STANDARD, SYSTEM, version=1).run_id == runs[-1]


def test_a_version_that_never_ran_costs_one_statement_a_version(
    ccs: SymantecCcs, agent: UUID, runs: list[UUID], datastore: Datastore
) -> None:
    with statements(datastore) as sent, pytest.raises(ResultNotFound):
        ccs.evaluations.get(str(agent), STANDARD, SYSTEM, version=7)
    assert sum("FROM definition" in one for one in sent) == 1
