"""Starting conductor runs: on whom, when, and when not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from exastro_world import NOW, a_scope, a_workspace, hosts_of
from runbook_world import BOOK, a_book, a_library, a_step
from sqlalchemy import insert, select

from dispatcher.core.errors import Forbidden
from dispatcher.core.jobs import Job
from dispatcher.core.permissions import SYSTEM, Caller, Right, everything
from dispatcher.core.states import State
from dispatcher.datastore.exastro_ita import ITA_RECORDS, ITA_RUNS
from dispatcher.datastore.jobs import JOBS
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.exastro_ita.host_groups import HostGroups
from dispatcher.services.exastro_ita.hosts import Hosts
from dispatcher.services.exastro_ita.named_hosts import NamedHosts
from dispatcher.services.exastro_ita.operations import Operation
from dispatcher.services.exastro_ita.starting import Conductor, ConductorRuns, NotStartable, asks
from dispatcher.services.exastro_ita.suite import build_exastro_ita
from dispatcher.services.exastro_ita.workspaces import Workspace
from dispatcher.services.hall import Hall

OPERATION = Operation(UUID(int=7), "op-1")
NIGHTLY = Conductor(BOOK, "nightly")


@pytest.fixture
def workspace(datastore: Datastore, load_library: Callable[[str], None]) -> Workspace:
    load_library(a_library(a_book(a_step("first"), name="nightly")))
    return a_workspace(datastore, hosts=("h1", "h2", "h3"))


@pytest.fixture
def start(hall: Hall, datastore: Datastore, workspace: Workspace) -> Callable[..., Job]:
    hosts = Hosts(hall.topology)
    named = NamedHosts(hosts, HostGroups(hosts))
    runs = ConductorRuns(scheduling=hall.scheduling, library=hall.library, hosts=named)

    def start(booked_for: Any = None, caller: Caller = SYSTEM) -> Job:
        with datastore.begin() as session:
            return runs.start(a_scope(session, workspace, caller), NIGHTLY, OPERATION, booked_for)

    return start


@pytest.fixture
def has_rows(datastore: Datastore, workspace: Workspace) -> Callable[..., None]:
    """Give hosts records for an operation."""

    def has_rows(*names: str, operation: UUID = OPERATION.id, of: Workspace | None = None, live: bool = True) -> None:
        hosts = hosts_of(datastore, workspace)
        place = {"workspace_id": (of or workspace).id, "menu": "sheet_a", "values": {}, "updated_at": NOW}
        rows = [
            {"id": UUID(bytes=key.bytes[::-1]), "agent_id": key, "operation_id": operation, "number": number, **place}
            for number, key in enumerate(hosts[name] for name in names)
        ]
        with datastore.begin() as session:
            more = {"is_discarded": not live, "updated_by": "test"}
            session.execute(insert(ITA_RECORDS), [{**row, **more} for row in rows])

    return has_rows


def test_steps_that_ask_run_on_the_hosts_of_the_operation(
    start: Callable[..., Job], has_rows: Callable[..., None], datastore: Datastore
) -> None:
    has_rows("h3", "h1")
    has_rows("h2", live=False)
    job = start()
    assert ([who.name for who in job.who], job.description, job.state) == (["h1", "h3"], "nightly", State.ACTIVE)
    with datastore.read() as session:
        [row] = session.execute(select(ITA_RUNS)).mappings()
    assert row["job_id"] == job.id
    assert (row["number"], row["operation_id"], row["booked_for"]) == (job.number, OPERATION.id, None)
    assert (row["operation_name"], row["conductor_name"], row["conductor_id"]) == ("op-1", "nightly", BOOK)


def test_hosts_of_other_operations_and_workspaces_are_not_asked(
    start: Callable[..., Job], has_rows: Callable[..., None], datastore: Datastore
) -> None:
    has_rows("h1", operation=UUID(int=8))
    has_rows("h2", of=a_workspace(datastore, "other", hosts=()))
    with pytest.raises(NotStartable, match="no host"):
        start()
    with datastore.read() as session:
        assert session.execute(select(JOBS.c.id)).all() == []


@pytest.mark.parametrize("by", [timedelta(days=-400), timedelta(), timedelta(hours=1)])
def test_a_booked_run_waits_for_its_time(
    hall: Hall,
    clock: Any,
    start: Callable[..., Job],
    has_rows: Callable[..., None],
    datastore: Datastore,
    by: timedelta,
) -> None:
    has_rows("h1")
    job = start(NOW + by)
    assert job.state is State.SCHEDULED
    with datastore.read() as session:
        assert session.scalar(select(ITA_RUNS.c.booked_for)) == NOW + by
    clock.turn(max(by, timedelta(seconds=1)))
    hall.clockwork.activate_due()
    assert hall.jobs.get(job.id, SYSTEM).state is State.ACTIVE


def test_a_booked_run_is_for_the_hosts_of_its_time(
    hall: Hall, clock: Any, workspace: Workspace, start: Callable[..., Job], has_rows: Callable[..., None]
) -> None:
    build_exastro_ita(hall)  # it tells the core who has values
    values = {"operation_name": OPERATION.name, "scheduled_date_for_execution": NOW.isoformat()}
    with hall.datastore.begin() as session:
        place = {"id": OPERATION.id, "workspace_id": workspace.id, "menu": "operation_list", "number": 1}
        stamp = {"is_discarded": False, "updated_at": NOW, "updated_by": "test"}
        session.execute(insert(ITA_RECORDS).values(**place, **stamp, values=values))
    has_rows("h1")
    job = start(NOW + timedelta(hours=1))
    has_rows("h3")
    clock.turn(timedelta(hours=1))
    hall.clockwork.activate_due()
    assert [who.name for who in hall.jobs.get(job.id, SYSTEM).who] == ["h1", "h3"]


def test_without_the_rights_nothing_starts(
    start: Callable[..., Job], has_rows: Callable[..., None], datastore: Datastore
) -> None:
    has_rows("h1")
    with pytest.raises(Forbidden):
        start(caller=Caller("eve", everything(Right.READ)))
    with datastore.read() as session:
        assert session.execute(select(ITA_RUNS)).all() == []


def test_a_disabled_conductor_does_not_start(
    start: Callable[..., Job], has_rows: Callable[..., None], load_library: Callable[[str], None]
) -> None:
    has_rows("h1")
    load_library(a_library(a_book(a_step("first"), name="nightly").replace("    id:", "    enabled: false\n    id:")))
    with pytest.raises(NotStartable):
        start()


ASKING = {"kind": 0, "who": [{"agent": "x"}, {"ask": True}], "what": {}}
NAMING = {"kind": 0, "who": [{"team": "x"}], "what": {}}


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (ASKING, True),
        ({**NAMING, "who": []}, True),
        (NAMING, False),
        ({"kind": 2, "who": [], "what": {"steps": [NAMING]}}, False),
        ({"kind": 2, "who": [], "what": {"steps": [NAMING, ASKING]}}, True),
        ({"kind": 2, "who": [{"team": "x"}], "what": {"steps": [ASKING]}}, False),
        ({"kind": 2, "who": [], "what": {"steps": [ASKING]}, "options": {"operation": "other"}}, False),
    ],
)
def test_who_asks(step: dict[str, Any], expected: bool) -> None:
    assert asks({"steps": [NAMING, step]}) is expected
