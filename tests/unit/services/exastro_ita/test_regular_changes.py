"""Changes of regular executions: they change what they stand for, and are seen where others have made them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from exastro_world import a_sheet, a_workspace, an_operation, registering, updating
from job_world import LIBRARY, RINGS, a_request, on
from sqlalchemy import select, update
from statements import statements

from dispatcher.core.jobs import GivenSet, WhatKind, When
from dispatcher.core.parameters import GivenValue
from dispatcher.core.permissions import SYSTEM
from dispatcher.core.schedules import Misfire, Overlap, RecurrenceRequest
from dispatcher.core.states import State
from dispatcher.datastore.jobs import JOBS
from dispatcher.datastore.schedules import SCHEDULES
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.exastro_ita.messages import InvalidRecords
from dispatcher.services.exastro_ita.suite import build_exastro_ita
from dispatcher.services.hall import Hall

MENU = "conductor_regularly_execution"
REGULAR = {
    "conductor_name": "Rings",
    "operation_name": "op-1",
    "start_date": "2026/03/02 00:00:00",
    "period": "分",
    "interval": "15",
}
DAILY = "DTSTART;TZID=Europe/Berlin:20260302T030000\nRRULE:FREQ=DAILY"
YEARLY = "DTSTART:20260302T030000Z\nRRULE:FREQ=YEARLY"
HOURLY = "DTSTART:20260302T030000Z\nRRULE:FREQ=HOURLY;INTERVAL=6"


class World:
    """A workspace with an operation that has values for h2, and recurring jobs of others."""

    def __init__(self, hall: Hall, datastore: Datastore) -> None:
        self.hall, self.datastore = hall, datastore
        self.ita = build_exastro_ita(hall)
        a_sheet(datastore)
        self.workspace = a_workspace(datastore)
        self.operation = an_operation(datastore, self.workspace)
        row = registering(host_name="h2", operation_name_select="2031/06/01 02:00_op-1", column_1="x")
        self.ita.maintenance.change(self.workspace, "sheet_a", [row], SYSTEM)

    def foreign(self, rule: str = DAILY, **options: Any) -> UUID:
        """Let another dialect make a recurring job with all that this one knows nothing of."""
        recurrence = RecurrenceRequest(rule, misfire=Misfire.ALL, overlap=Overlap.QUEUE)
        request = a_request(
            RINGS,
            WhatKind.RUNBOOK,
            who=on("h1"),
            when=When(recurrence=recurrence, use_wake_on_lan=True),
            description="my own words",
            parameters=[GivenSet(RINGS, [GivenValue("Name", "mine")])],
            outside_launch_window="wait",
            tags="a;b",
            options={"timeout_s": 77, **options},
        )
        return self.hall.scheduling.submit(request, SYSTEM).id

    def change(self, *records: dict[str, Any]) -> list[UUID]:
        return [*self.ita.maintenance.change(self.workspace, MENU, records, SYSTEM).ids]

    def shown(self, key: UUID) -> dict[str, Any]:
        body = {"regularly_id": {"LIST": [str(key)]}}
        [found] = self.ita.records.filter(self.workspace, MENU, body, SYSTEM)
        return dict(found["parameter"])

    def known(self, key: UUID) -> dict[str, Any]:
        shown = self.shown(key)
        return {name: shown[name] for name in ("regularly_id", "last_update_date_time")}

    def faults(self, *records: dict[str, Any]) -> dict[str, list[str]]:
        with pytest.raises(InvalidRecords) as caught:
            self.change(*records)
        return {name: [one.id for one in some] for name, some in caught.value.faults[0].items()}

    def stored(self, key: UUID) -> dict[str, Any]:
        with self.datastore.read() as session:
            found: dict[str, Any] = {}
            for table, column in ((JOBS, JOBS.c.id), (SCHEDULES, SCHEDULES.c.job_id)):
                found |= dict(session.execute(select(table).where(column == key)).mappings().one())
        return found


@pytest.fixture
def world(hall: Hall, datastore: Datastore, load_library: Callable[[str], None]) -> World:
    load_library(LIBRARY)
    return World(hall, datastore)


@pytest.mark.parametrize("rule", [DAILY, YEARLY, HOURLY, DAILY + ";COUNT=3", HOURLY.replace("=6", "=5000")])
def test_remarks_change_nothing_of_a_job_of_another_dialect(world: World, rule: str) -> None:
    key = world.foreign(rule)
    before = world.stored(key)
    world.change(updating(world.known(key), remarks="x"))
    assert world.stored(key) == before
    assert world.shown(key)["remarks"] == "x"


def test_a_change_of_what_is_known_here_leaves_all_else(world: World) -> None:
    key = world.foreign(HOURLY)
    before = world.stored(key)
    world.change(updating({**world.shown(key), "operation_name": "op-1", "interval": "7"}))
    after = world.stored(key)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"rule", "who", "options"}  # it was, and is, due first at the same moment
    assert after["rule"] == HOURLY.replace("=6", "=7")
    assert [one["name"] for one in after["who"]] == ["h2"]
    assert after["options"] == {
        "timeout_s": 77,
        "stays": True,
        "inputs": {"provider": "exastro_ita", "of": str(world.operation)},
    }


def test_without_a_period_a_part_of_the_schedule_is_refused_by_column(world: World) -> None:
    key = world.foreign(YEARLY)
    before = world.stored(key)
    faults = world.faults(updating(world.known(key), interval="2"))
    assert faults == {"start_date": ["MSG-00030"], "period": ["MSG-00030"]}
    assert world.stored(key) == before
    new = {name: REGULAR[name] for name in ("start_date", "period", "interval")}
    world.change(updating(world.known(key), **new))
    assert world.shown(key)["next_execution_date"] == "2026/03/02 00:00:00"


def test_another_conductor_has_its_own_values(world: World, load_library: Callable[[str], None]) -> None:
    load_library("runbooks: [{name: Other, steps: [{name: one, module: Greet, who: [{ask: true}]}]}]")
    key = world.foreign()
    world.change(updating(world.known(key), conductor_name="Other"))
    after = world.stored(key)
    assert (after["what"][0]["name"], after["parameters"], after["rule"]) == ("Other", [{}], DAILY)
    assert (after["description"], after["options"]) == ("my own words", {"timeout_s": 77})


def test_hosts_are_looked_up_once_for_all_records_of_a_request(world: World) -> None:
    counts = []
    for number in (2, 12):
        with statements(world.datastore) as sent:
            world.change(*[registering(**REGULAR)] * number)
        counts.append(sum("agent_id IS NOT NULL" in one for one in sent))
    assert counts == [1, 1]


def test_what_was_paused_or_changed_elsewhere_is_not_what_was_seen_before(world: World, clock: Any) -> None:
    [key] = world.change(registering(**REGULAR))
    for change in (
        lambda: world.hall.schedules.pause(key, None, SYSTEM),
        lambda: world.hall.schedules.resume(key, SYSTEM),
        lambda: world.hall.aborting.disable(key, SYSTEM),
        lambda: world.hall.scheduling.change(key, rescheduled(world, key), SYSTEM),
    ):
        seen = world.shown(key)
        clock.turn(timedelta(minutes=1))
        change()
        assert "MSG-00005" in world.faults(updating({**seen, "remarks": "mine"}))[""]
        assert world.shown(key)["last_updated_user"] == "system"
    world.change(updating(world.known(key), "Restore", remarks="mine"))


def rescheduled(world: World, key: UUID) -> Any:
    """Return what only gives the job another rule."""
    with world.datastore.read() as session:
        request = world.hall.scheduling.requested(session, key)
    request.when.recurrence = RecurrenceRequest(HOURLY)
    return request


@pytest.mark.parametrize("rule", [DAILY, YEARLY])
def test_what_never_had_an_operation_is_restored_without_one(world: World, rule: str) -> None:
    key = world.foreign(rule)
    world.change(updating(world.known(key), "Discard"))
    world.change(updating(world.known(key), "Restore"))
    assert world.shown(key)["discard"] == "0"


def test_a_job_of_another_dialect_belongs_to_whoever_gives_it_an_operation_only(world: World, clock: Any) -> None:
    key = world.foreign(HOURLY)
    theirs = a_workspace(world.datastore, "ws3", hosts=("h9",))

    def shown_to(workspace: Any) -> list[dict[str, Any]]:
        found = world.ita.records.filter(workspace, MENU, {"regularly_id": {"LIST": [str(key)]}}, SYSTEM)
        return [one["parameter"] for one in found]

    world.change(updating(world.known(key), remarks="ours", interval="7"))
    [seen] = shown_to(theirs)
    assert (seen["remarks"], seen["interval"]) == (None, 7)
    known = {name: seen[name] for name in ("regularly_id", "last_update_date_time")}
    world.ita.maintenance.change(theirs, MENU, [updating(known, remarks="theirs")], SYSTEM)
    assert (world.shown(key)["remarks"], shown_to(theirs)[0]["remarks"]) == ("ours", "theirs")
    clock.turn(timedelta(hours=15))
    assert world.hall.occurrences.fire_due()
    with world.datastore.read() as session:
        assert session.scalars(select(JOBS.c.id).where(JOBS.c.recurring_id == key)).all()
    for workspace in (world.workspace, theirs):
        assert world.ita.records.count(workspace, "conductor_list", {}, SYSTEM) == 0

    world.change(updating(world.known(key), operation_name="op-1"))
    assert shown_to(theirs) == []
    assert world.shown(key)["remarks"] == "ours"
    with pytest.raises(InvalidRecords):
        world.ita.maintenance.change(theirs, MENU, [updating(known, remarks="again")], SYSTEM)


@pytest.mark.parametrize("lasts", [False, True])
def test_what_is_over_elsewhere_is_discarded_and_restored_here(world: World, clock: Any, lasts: bool) -> None:
    rule = HOURLY.replace("INTERVAL=6", "COUNT=1")
    key = world.foreign(rule) if not lasts else world.foreign(rule, ends_as_last=True)
    clock.turn(timedelta(hours=15))
    while world.hall.occurrences.fire_due():
        pass
    assert world.hall.jobs.get(key, SYSTEM).state is (State.ACTIVE if lasts else State.COMPLETED)
    for kind, discard in (("Discard", "1"), ("Restore", "0")):
        world.change(updating(world.known(key), kind))
        assert world.shown(key)["discard"] == discard
    world.change(updating(world.known(key), "Discard"))
    world.change(updating(world.known(key), "Delete"))
    assert world.hall.jobs.get(key, SYSTEM).state in (State.CANCELLED, State.ABORTING)


def test_what_somebody_has_ended_gets_no_other_schedule(world: World) -> None:
    key = world.foreign(HOURLY)
    with world.datastore.begin() as session:
        session.execute(update(JOBS).where(JOBS.c.id == key).values(state=State.FAILED))
    assert world.faults(updating(world.known(key), operation_name="op-1")) == {"": ["499-00814"]}
    world.change(updating(world.known(key), remarks="x"))


PARTS = """
modules: [{name: Late, tasks: [{type: command, name: say, settings: {command: echo said}}]}]
runbooks:
  - {name: Low, steps: [{name: one, module: Late, who: [{ask: true}]}]}
  - {name: Deep, steps: [{name: one, runbook: Low, who: [{ask: true}]}]}
  - {name: Own, steps: [{name: one, module: Greet, who: [{ask: true}], operation: op-2}]}
"""


@pytest.mark.parametrize(
    ("conductor", "gone"),
    [
        (
            "Deep",
            "modules: [{name: Late, enabled: false, tasks: [{type: command, name: say, settings: {command: x}}]}]",
        ),
        ("Deep", "runbooks: [{name: Low, enabled: false, steps: [{name: one, module: Late, who: [{ask: true}]}]}]"),
        ("Deep", "runbooks: [{name: Deep, enabled: false, steps: [{name: one, runbook: Low, who: [{ask: true}]}]}]"),
        ("Own", "op-2"),
        ("Own", "op-1"),
    ],
)
def test_what_runs_something_discarded_is_not_registered_nor_changed(
    world: World, load_library: Callable[[str], None], conductor: str, gone: str
) -> None:
    operations = {"op-1": world.operation, "op-2": an_operation(world.datastore, world.workspace, "op-2")}
    load_library(PARTS)
    [key] = world.change(registering(**{**REGULAR, "conductor_name": conductor}))
    if gone in operations:
        parameter = {"operation_id": str(operations[gone]), "discard": "1"}
        found = world.ita.records.filter(
            world.workspace, "operation_list", {"operation_id": {"LIST": [parameter["operation_id"]]}}, SYSTEM
        )
        parameter["last_update_date_time"] = found[0]["parameter"]["last_update_date_time"]
        world.ita.maintenance.change(
            world.workspace, "operation_list", [{"type": "Discard", "parameter": parameter}], SYSTEM
        )
    else:
        load_library(gone)
    before = world.stored(key)
    assert world.faults(updating(world.known(key), interval="30")) == {"": ["499-00814"]}
    assert world.stored(key) == before
    is_choice = gone == "op-1" or gone.startswith("runbooks: [{name: Deep")
    with pytest.raises(InvalidRecords) as caught:
        world.change(registering(**{**REGULAR, "conductor_name": conductor}))
    told = [one.id for some in caught.value.faults[0].values() for one in some]
    assert told == (["MSG-00032"] if is_choice else ["499-00814"])
    world.change(updating(world.known(key), remarks="waits"))


def test_conductors_are_looked_at_once_for_all_records_of_a_request(world: World) -> None:
    counts = []
    for number in (2, 12):
        with statements(world.datastore) as sent:
            world.change(*[registering(**REGULAR)] * number)
        counts.append(sum("FROM runbook_step" in one or "runbook_step." in one for one in sent))
    assert counts[0] == counts[1] > 0
