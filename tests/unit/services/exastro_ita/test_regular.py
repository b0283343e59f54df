"""Regular executions: recurring jobs of the core, as records; what occurs of them is a conductor run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from exastro_world import NOW, a_record, a_scope, a_workspace, an_operation, changing, hosts_of
from job_world import LIBRARY, RINGS, a_request
from sqlalchemy import insert, select, update
from statements import statements

from dispatcher.core.jobs import WhatKind, When
from dispatcher.core.permissions import SYSTEM, Caller
from dispatcher.core.schedules import RecurrenceRequest
from dispatcher.core.states import State
from dispatcher.datastore.exastro_ita import ITA_DETAILS, ITA_JOURNAL, ITA_RECORDS, ITA_RUNS
from dispatcher.datastore.jobs import JOBS
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.exastro_ita.messages import NO_COLUMN, Message
from dispatcher.services.exastro_ita.records import Action, Change, Found, Record
from dispatcher.services.exastro_ita.regular import RegularExecutions
from dispatcher.services.exastro_ita.regular_occurrences import MENU
from dispatcher.services.exastro_ita.suite import build_exastro_ita
from dispatcher.services.exastro_ita.workspaces import Workspace
from dispatcher.services.hall import Hall
from dispatcher.services.retention import BATCH_ROWS

#: It runs on the hosts that have values.
CONDUCTOR = """
runbooks:
  - name: Nightly
    id: 00000000-0000-4000-8000-0000000000b1
    description: of the night
    steps: [{name: first, module: Greet, who: [{ask: true}]}]
"""
NIGHTLY = UUID("00000000-0000-4000-8000-0000000000b1")
DAY = timedelta(days=1)


class World:
    """A workspace with two hosts and an operation that has values for one of them."""

    def __init__(self, hall: Hall, datastore: Datastore, clock: Any) -> None:
        self.hall, self.datastore, self.clock = hall, datastore, clock
        self.workspace = a_workspace(datastore)
        self.operation = an_operation(datastore, self.workspace)
        menu = build_exastro_ita(hall)
        with datastore.read() as session:
            found = menu.catalogue.menu(session, "conductor_regularly_execution")
        assert found is not None
        assert isinstance(found.source, RegularExecutions)
        self.source = found.source
        self.row = self.give("h1")

    def give(self, host: str) -> UUID:
        """Give the operation a row of a sheet for *host*."""
        return self.give_to(hosts_of(self.datastore, self.workspace)[host])

    def give_to(self, key: UUID) -> UUID:
        """Give the operation a row of a sheet for the host or group with this id."""
        row = a_record(self.datastore, self.workspace, "sheet_a", column_1="x")
        place = {"operation_id": self.operation, "agent_id": key}
        with self.datastore.begin() as session:
            session.execute(update(ITA_RECORDS).where(ITA_RECORDS.c.id == row).values(**place))
        return row

    def discard(self, record: UUID, *, is_discarded: bool = True) -> None:
        with self.datastore.begin() as session:
            changed = update(ITA_RECORDS).where(ITA_RECORDS.c.id == record)
            session.execute(changed.values(is_discarded=is_discarded))

    def values(self, **rest: Any) -> dict[str, Any]:
        return {
            "conductor_name": str(NIGHTLY),
            "operation_name": str(self.operation),
            "start_date": (NOW + timedelta(hours=1)).isoformat(),
            "period": "2",
            "interval": 1,
            "time": "02:00:00",
            **rest,
        }

    def change(
        self,
        action: Action,
        key: UUID,
        values: dict[str, Any],
        before: Record | None = None,
        *,
        language: str = "ja",
        caller: Caller = SYSTEM,
    ) -> Found:
        with changing(self.datastore, self.workspace, caller) as scope:
            there = replace(scope, now=self.clock(), language=language)
            return self.source.write(there, [Change(0, action, key, values, before)])

    def register(self, **values: Any) -> UUID:
        key = uuid4()
        assert self.change(Action.REGISTER, key, self.values(**values)) == {}
        return key

    def records(self, workspace: Workspace | None = None) -> dict[UUID, Record]:
        with self.datastore.read() as session:
            return {one.id: one for one in self.source.read(a_scope(session, workspace or self.workspace))}

    def record(self, key: UUID) -> Record:
        return self.records()[key]

    def turn(self, by: timedelta) -> None:
        self.clock.turn(by)
        while self.hall.occurrences.fire_due():
            pass

    def runs(self) -> Sequence[Any]:
        with self.datastore.read() as session:
            return session.execute(select(ITA_RUNS).order_by(ITA_RUNS.c.number)).all()

    def reasons(self, key: UUID) -> list[str]:
        return [entry.reason for entry in reversed(self.hall.schedules.ledger(key, 1, 100, SYSTEM).items)]


@pytest.fixture
def world(hall: Hall, datastore: Datastore, clock: Any, load_library: Callable[[str], None]) -> World:
    load_library(LIBRARY)
    load_library(CONDUCTOR)
    return World(hall, datastore, clock)


def test_what_is_registered_is_a_recurring_job_and_what_occurs_a_conductor_run(world: World) -> None:
    key = world.register(remarks="every night")
    record = world.record(key)
    shown = {
        name: record.values[name] for name in ("status", "next_execution_date", "time", "remarks", "execution_user")
    }
    assert shown == {
        "status": "2",
        "next_execution_date": "2026-03-02T02:00:00+00:00",
        "time": "02:00:00",
        "remarks": "every night",
        "execution_user": "system",
    }
    job = world.hall.jobs.get(key, SYSTEM)
    assert (job.is_recurring, job.description, job.who[0].name) == (True, "Nightly", "h1")

    world.give("h2")  # it runs on those that have values when it is due
    world.turn(timedelta(hours=14))
    [run] = world.runs()
    assert (run.regular_id, run.operation_name, run.conductor_name) == (key, "op-1", "Nightly")
    assert run.booked_for == datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
    assert run.details == {"remarks": {str(NIGHTLY): "of the night"}}
    occurred = world.hall.jobs.get(run.job_id, SYSTEM)
    assert ([one.name for one in occurred.who], occurred.number) == (["h1", "h2"], run.number)
    assert occurred.options is not None
    assert occurred.options["inputs"] == {"provider": "exastro_ita", "of": str(world.operation)}


def test_what_is_due_together_is_noted_together(world: World) -> None:
    costs = []
    for more, hours in ((1, 14), (2, 24)):
        for _ in range(more):
            world.register()
        with statements(world.datastore) as sent:
            world.turn(timedelta(hours=hours))
        costs.append(sum("FROM runbook_step" in one for one in sent))
    assert (len(world.runs()), costs) == (4, [1, 1])


def test_a_turn_asks_once_which_recurring_jobs_are_regular_executions(world: World) -> None:
    world.register()
    world.clock.turn(timedelta(hours=14))
    with statements(world.datastore) as sent:
        assert world.hall.occurrences.fire_due() == 1
    assert len(world.runs()) == 1
    assert sum("ita_detail JOIN ita_workspace" in one for one in sent) == 1


def test_a_row_for_a_group_of_hosts_counts_for_each_of_them(world: World) -> None:
    world.discard(world.row)
    group = a_record(world.datastore, world.workspace, "hostgroup_management", hostgroup_name="web")
    host = hosts_of(world.datastore, world.workspace)["h2"]
    a_record(world.datastore, world.workspace, "host_link_list", hostgroup_name=str(group), hostname=str(host))
    world.give_to(group)
    key = world.register()
    world.turn(timedelta(hours=14))
    assert world.record(key).values["status"] == "2"
    [run] = world.runs()
    assert [one.name for one in world.hall.jobs.get(run.job_id, SYSTEM).who] == ["h2"]


def test_it_is_changed_discarded_restored_and_deleted(world: World) -> None:
    key = world.register()
    changed = {"period": "7", "interval": 90, "time": None}
    assert world.change(Action.UPDATE, key, changed, world.record(key), caller=replace(SYSTEM, name="ann")) == {}
    assert world.record(key).values["next_execution_date"] == (NOW + timedelta(hours=1)).isoformat()
    world.turn(timedelta(hours=1))
    assert world.record(key).values["next_execution_date"] == (NOW + timedelta(hours=2, minutes=30)).isoformat()
    assert world.hall.jobs.get(world.runs()[0].job_id, SYSTEM).invoker_info == "ann"  # whoever has changed it last

    world.change(Action.DISCARD, key, {}, world.record(key))
    assert world.record(key).is_discarded
    assert world.hall.jobs.get(key, SYSTEM).state is State.DISABLED
    world.turn(timedelta(hours=2))
    world.change(Action.RESTORE, key, {"remarks": "again"}, world.record(key))
    record = world.record(key)
    assert (record.is_discarded, record.values["remarks"], record.values["interval"]) == (False, "again", 90)
    assert len(world.runs()) == 1

    world.change(Action.DELETE, key, {}, record)
    assert world.records() == {}
    assert world.hall.jobs.get(key, SYSTEM).state is State.CANCELLED


def test_what_is_kept_of_it_goes_with_the_job(world: World) -> None:
    keys = [world.register() for _ in range(2)]
    place = {"workspace_id": world.workspace.id, "menu": MENU, "at": NOW, "by": "x"}
    entry = {"action": "Update", "values": {}, "is_discarded": False, **place}
    with world.datastore.begin() as session:
        noted = [{"id": uuid4(), "record_id": key, **entry} for key in keys for _ in range(BATCH_ROWS)]
        session.execute(insert(ITA_JOURNAL), noted)
    world.hall.aborting.end(keys[0], SYSTEM)
    for days in ("jobs", "ledger"):
        world.hall.settings.set(f"retention.{days}_days", "1", SYSTEM)
    world.clock.turn(3 * DAY)
    for _ in range(20):
        world.hall.retention.sweep()
        world.clock.turn(timedelta(minutes=1))
    with world.datastore.read() as session:
        assert session.scalars(select(ITA_DETAILS.c.object_id)).all() == keys[1:]
        assert session.scalars(select(ITA_JOURNAL.c.record_id)).all() == keys[1:] * BATCH_ROWS
        assert session.scalars(select(JOBS.c.id).where(JOBS.c.is_recurring)).all() == keys[1:]


def test_missed_times_are_not_made_up_for(world: World) -> None:
    key = world.register()
    world.turn(3 * DAY)
    assert world.runs() == []
    assert world.record(key).values["next_execution_date"] == "2026-03-05T02:00:00+00:00"


def test_after_its_end_it_is_completed_and_may_get_another_end(world: World) -> None:
    end = NOW + DAY
    key, never = (
        world.register(end_date=end.isoformat()),
        world.register(end_date=(NOW + 2 * timedelta(hours=1)).isoformat()),
    )
    world.turn(timedelta(hours=14))
    for one in (key, never):
        values = world.record(one).values
        assert (values["status"], values["next_execution_date"]) == ("3", None)
        assert values["end_date"] is not None
    assert len(world.runs()) == 1
    world.change(Action.UPDATE, never, {"end_date": None}, world.record(never))
    assert world.record(never).values["status"] == "2"


@pytest.mark.parametrize(
    ("obstacle", "status", "reason"),
    [
        ("row", "5", "no host has values for the operation"),
        ("operation", "8", "the operation is discarded"),
    ],
)
def test_an_obstacle_keeps_it_from_occurring(world: World, obstacle: str, status: str, reason: str) -> None:
    key = world.register()
    record = getattr(world, obstacle)
    world.discard(record)
    assert world.record(key).values["status"] == status
    world.turn(timedelta(hours=14))
    assert (world.runs(), world.reasons(key)) == ([], [reason])
    world.discard(record, is_discarded=False)
    assert world.record(key).values["status"] == "2"
    world.turn(DAY)
    assert len(world.runs()) == 1


def test_a_conductor_that_is_disabled_keeps_it_from_occurring(
    world: World, load_library: Callable[[str], None]
) -> None:
    key = world.register()
    load_library(CONDUCTOR.replace("steps:", "enabled: false\n    steps:"))
    assert world.record(key).values["status"] == "7"
    world.turn(timedelta(hours=14))
    assert world.reasons(key) == ["the conductor is discarded"]


def test_recurring_jobs_of_other_dialects_are_there_with_what_a_period_can_say(world: World) -> None:
    made = []
    for rule in ("FREQ=MONTHLY;BYDAY=-1FR", "FREQ=YEARLY"):
        text = f"DTSTART:20260301T123000Z\nRRULE:{rule}"
        when = When(recurrence=RecurrenceRequest(text))
        made.append(world.hall.scheduling.submit(a_request(RINGS, WhatKind.RUNBOOK, when=when), SYSTEM).id)
    first, second = (world.record(key).values for key in made)
    names = ("period", "week_number", "day_of_week", "time", "operation_name", "conductor_name")
    assert [first[name] for name in names] == ["5", "5", ["5"], "12:30:00", None, str(RINGS)]
    assert (second["period"], second["status"]) == (None, "2")
    key = world.register()
    other = a_workspace(world.datastore, "other", hosts=())
    assert set(world.records(other)) == set(made)  # what was made in a workspace is seen there only
    # Changed by another dialect, the columns say what it is now.
    text = "DTSTART:20260301T000000Z\nRRULE:FREQ=HOURLY;INTERVAL=6"
    request = a_request(NIGHTLY, WhatKind.RUNBOOK, when=When(recurrence=RecurrenceRequest(text)))
    world.hall.scheduling.change(key, request, SYSTEM)
    values = world.record(key).values
    assert (values["period"], values["interval"], values["time"]) == ("1", 6, None)
    world.turn(timedelta(hours=6))  # it is for its operation all the same
    options = world.hall.jobs.get(world.runs()[0].job_id, SYSTEM).options
    assert options is not None
    assert options["inputs"]["of"] == str(world.operation)


def test_a_start_in_another_year_by_other_clocks_is_shown_all_the_same(world: World) -> None:
    rule = "DTSTART:19700101T000000Z\nRRULE:FREQ=DAILY"
    request = a_request(RINGS, WhatKind.RUNBOOK, when=When(recurrence=RecurrenceRequest(rule)))
    key = world.hall.scheduling.submit(request, SYSTEM).id
    assert world.change(Action.DISCARD, key, {}, world.record(key)) == {}
    world.hall.settings.set("webapi.site_time_zone", "Pacific/Honolulu", SYSTEM)
    record = world.record(key)
    assert (record.is_discarded, record.values["start_date"]) == (True, None)  # no period says it by these clocks


@pytest.mark.parametrize(
    ("values", "messages"),
    [
        ({"end_date": "same"}, ["MSG-40029"]),
        ({"end_date": (NOW - DAY).isoformat()}, ["MSG-40030"]),
        ({"interval": 0}, ["MSG-40031"]),
        ({"interval": 1_440}, ["MSG-40031"]),
        ({"period": "5"}, ["MSG-40032", "MSG-40033"]),
        ({"period": "3", "day_of_week": []}, ["MSG-40033"]),
        ({"period": "4"}, ["MSG-40034"]),
        ({"period": "4", "day": 32}, ["MSG-40035"]),
        ({"time": None}, ["MSG-40036"]),
        ({"time": "2:00:00"}, ["MSG-40037"]),
        ({"execution_stop_start_date": NOW.isoformat()}, ["MSG-40041"]),
        (dict.fromkeys(("execution_stop_start_date", "execution_stop_end_date"), NOW.isoformat()), ["MSG-40039"]),
        (
            {"execution_stop_start_date": NOW.isoformat(), "execution_stop_end_date": (NOW - DAY).isoformat()},
            ["MSG-40040"],
        ),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_stored(
    world: World, values: dict[str, Any], messages: list[str]
) -> None:
    if values.get("end_date") == "same":
        values = {"end_date": world.values()["start_date"]}
    found = world.change(Action.REGISTER, uuid4(), world.values(**values))
    assert [message.id for message in found[0][NO_COLUMN]] == messages
    assert world.records() == {}


def test_years_that_no_rule_has_are_told_by_column(world: World) -> None:
    values = world.values(start_date="2500-01-01T00:00:00+00:00", end_date="9999-12-31T23:59:59+00:00")
    world.hall.settings.set("webapi.site_time_zone", "Asia/Tokyo", SYSTEM)
    found = world.change(Action.REGISTER, uuid4(), values)[0]
    limits = ("1970/01/02 00:00:00", "2399/12/30 00:00:00")
    assert found == {
        "start_date": [Message("MSG-00003", (*limits, "2500/01/01 09:00:00"))],
        "end_date": [Message("MSG-00003", (*limits, "9999/12/31 23:59:59"))],
    }


@pytest.mark.parametrize(
    ("language", "text"), [("ja", "週番号,曜日,日,時間"), ("en", "Week number,Day of week,Day,Time")]
)
def test_columns_that_the_period_does_not_take_are_named(world: World, language: str, text: str) -> None:
    values = world.values(period="1", week_number="1", day_of_week=["1"], day=3)
    found = world.change(Action.REGISTER, uuid4(), values, language=language)
    assert found == {0: {NO_COLUMN: [Message("MSG-40038", (text,))]}}
