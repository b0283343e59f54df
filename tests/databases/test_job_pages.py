"""Pages of jobs: what is made of a part that many jobs have, once for all, says what each of them says by itself."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson
import pytest
from job_world import BOTH, LIBRARY, LINUX, RINGS, WINDOWS, a_request, on, work_off
from sqlalchemy import event, insert, select
from sqlalchemy.orm import Session

from dispatcher.bindings.ivanti_automation import translate
from dispatcher.bindings.ivanti_automation.binding import build
from dispatcher.bindings.ivanti_automation.contract import JobPage as WirePage
from dispatcher.core import local_time
from dispatcher.core.definitions import to_parameters
from dispatcher.core.jobs import (
    GivenSet,
    Invoker,
    Job,
    ParameterSet,
    Shared,
    Stage,
    What,
    WhatChoice,
    WhatKind,
    When,
    Who,
    WhoKind,
)
from dispatcher.core.parameters import GivenValue, Parameter
from dispatcher.core.permissions import NOBODY, SYSTEM, Caller, Right, everything
from dispatcher.core.schedules import NEVER, RecurrenceRequest
from dispatcher.core.states import State
from dispatcher.datastore import jobs as stored
from dispatcher.datastore.jobs import JOBS
from dispatcher.datastore.transactions import Datastore
from dispatcher.services import kept_parts
from dispatcher.services.hall import Hall, build_hall
from dispatcher.services.plans import Plans
from dispatcher.services.recurring import read_schedules
from dispatcher.services.secrets import Secrets
from dispatcher.wire.http import Request
from dispatcher.wire.json_codec import encode_json
from dispatcher.wire.types import new
from dispatcher.wire.xml_codec import encode_xml, result_encoder

READER = Caller("reader", everything(Right.READ))
MODULES = r"""
modules:
  - name: Tür & <Tor>/öffnen
    id: 00000000-0000-4000-8000-000000000007
    parameters:
      - {name: Ring, type: list, value: '1', choices: ['1', '2', '3'], labels: [first, second, third], hint: Wählen}
      - {name: Flags, type: multiselect, value: 'a;b', choices: [a, b, c]}
      - {name: Account, type: credentials, value: 'corp\patcher'}
      - {name: Lines, type: multiline, value: "one\ntwo"}
      - {name: Inner, value: never asked, input: false, output: true}
    tasks: [{type: command, name: open, settings: {command: 'true'}}]
"""
DOOR = UUID("00000000-0000-4000-8000-000000000007")
TEXTS = ["", "plain", "Größe <&> \"'/\\ %s {0}", "line\nand\ttab\r\n", "\N{PILE OF POO} \x7f\x85\u2028", "x" * 9_000]
MOMENTS = [
    datetime(2026, 7, 1, 0, 30, 0, 1, tzinfo=UTC),
    datetime(2026, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(1971, 1, 1, tzinfo=UTC),
    datetime(9998, 12, 31, 1, 2, 3, 120_000, tzinfo=UTC),
]
OPTIONS: list[Any] = [
    {"boot": "next", "timeout_s": 1.5},
    {"batch_share": 0.3, "stop_at_share": 0.5, "select_one": True},
    {"launch_timeout_s": 60, "local_time": "2026-07-01T08:00:00+02:00"},
]


@pytest.fixture
def agent(enrol: Callable[..., UUID], load_library: Callable[[str], None]) -> UUID:
    load_library(LIBRARY)
    load_library(MODULES)
    return enrol("Zürich <1>")


@pytest.fixture
def jobs(hall: Hall, datastore: Datastore, agent: UUID, clock: Any, new_id: Callable[[], UUID]) -> list[Job]:
    """Jobs of every kind and in every state, as they are stored one by one, the latest start first."""
    _submit(hall, agent, clock)
    chance = random.Random(1)
    with datastore.begin() as session:
        patterns = [
            dict(row) for row in session.connection().execute(select(JOBS)).mappings() if not row["is_recurring"]
        ]
        for state in State:
            for pattern in patterns:
                changed = _changed(pattern, chance) | {"id": new_id(), "state": state}
                del changed["number"]
                session.connection().execute(insert(JOBS), changed)
    with datastore.read() as session:
        rows = session.scalars(select(stored.Job).order_by(JOBS.c.sorted_at.desc(), JOBS.c.id.desc())).all()
        return [_by_itself(session, row) for row in rows]


def _submit(hall: Hall, agent: UUID, clock: Any) -> None:
    later = When(immediate=False, starts_at=clock() + timedelta(days=1), is_local_time=True, use_wake_on_lan=True)
    who = on(agent)

    def given(what: UUID, **values: str) -> list[GivenSet]:
        return [GivenSet(what, [GivenValue(name, value) for name, value in values.items()])]

    requests = [
        a_request(who=who),
        a_request(who=who),
        a_request(who=on(LINUX, kind=WhoKind.TEAM), when=later),
        a_request(BOTH, WhatKind.PROJECT, who=[*who, *on(LINUX, kind=WhoKind.TEAM)], in_parallel=True),
        a_request(DOOR, who=who, parameters=given(DOOR, Ring="2", Flags="c", Lines="<a>\r\n&")),
        replace(a_request(who=who), what=[WhatChoice(one, WhatKind.MODULE) for one in (DOOR, WINDOWS)]),
        a_request(RINGS, WhatKind.RUNBOOK, who=who),
        a_request(who=who, when=When(recurrence=RecurrenceRequest("DTSTART:20300101T000000Z\nRRULE:FREQ=WEEKLY"))),
    ]
    for request in requests:
        hall.scheduling.submit(request, SYSTEM)
    work_off(hall, agent, clock())


def _changed(pattern: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    def one_of(*choices: Any) -> Any:
        return chance.choice(choices)

    return pattern | {
        "description": one_of(*TEXTS),
        "reason": one_of(*TEXTS),
        "tags": one_of(None, *TEXTS),
        "outside_launch_window": one_of(None, "wait"),
        "invoker": one_of(*Invoker),
        "invoker_info": one_of(*TEXTS[:-1]),
        "starts_at": one_of(NEVER, *MOMENTS),
        "sorted_at": one_of(*MOMENTS),
        "stopped_at": one_of(None, *MOMENTS),
        "recurring_id": one_of(None, None, UUID(int=chance.getrandbits(128))),
        "options": one_of(None, *OPTIONS),
        "outputs": one_of(None, [{"Inner": ["<out>"], "Who": ["me"], "Password": ["v1:?"]}]),
        **{name: one_of(True, False) for name in ("immediate", "is_local_time", "use_wake_on_lan", "in_parallel")},
    }


def _by_itself(session: Session, row: stored.Job) -> Job:
    """Return the job that is stored in *row*, without anything that is kept."""
    what = [What(UUID(one["id"]), one["name"], WhatKind(one["kind"])) for one in row.what]
    plans = Plans(Secrets(b"k" * 32))  # nothing is opened
    declared = [to_parameters(plans.document(session, one)["parameters"], str) for one in row.what]
    return Job(
        id=row.id,
        number=row.number,
        description=row.description,
        state=State(row.state),
        invoker=Invoker(row.invoker),
        invoker_info=row.invoker_info,
        started_at=row.sorted_at,
        stopped_at=row.stopped_at,
        when=_when(session, row),
        what=what,
        who=[Who(UUID(one["id"]), one["name"], WhoKind(one["kind"])) for one in row.who],
        parameters=[
            _shown(one, [each for each in known if each.is_input], values)
            for one, known, values in zip(what, declared, row.parameters, strict=False)
            if values
        ],
        in_parallel=row.in_parallel,
        outside_launch_window=row.outside_launch_window,
        tags=row.tags,
        is_recurring=row.is_recurring,
        is_runbook=row.is_runbook,
        reason=row.reason,
        recurring_id=row.recurring_id,
        options=row.options,  # type: ignore[arg-type]
        outputs=[
            _shown(one, [each for each in known if each.name in values], values, row.id, row.description)
            for one, known, values in zip(what, declared, row.outputs or [], strict=False)
            if values
        ],
    )


def _shown(what: What, declared: list[Parameter], stored: Any, *of_job: Any) -> ParameterSet:
    given = [one.with_value(stored[one.name][0]) if one.name in stored else one for one in declared]
    masked = [one.masked() for one in declared]
    return ParameterSet(what, masked, [one.masked().value1 for one in given], *of_job)


def _when(session: Session, row: stored.Job) -> When:
    local = (row.options or {}).get("local_time")
    asked_for = local_time.asked_for(local) if local else row.starts_at
    starts_at = None if row.starts_at == NEVER else asked_for
    recurrence = read_schedules(session, [row.id]).get(row.id)
    return When(row.immediate, starts_at, row.is_local_time, row.use_wake_on_lan, recurrence)


@pytest.fixture
def fresh(datastore: Datastore, ports: Any, secrets: Secrets) -> Hall:
    """Services that have shown nothing yet."""
    return build_hall(datastore, ports, secrets, lease=timedelta(seconds=30))


def _pages(hall: Hall, size: int, total: int) -> Iterator[list[Job]]:
    for number in range(1, -(-total // size) + 1):
        yield hall.jobs.page(Stage.ALL, True, True, number, size, READER).items


def test_pages_show_what_is_stored(fresh: Hall, jobs: list[Job]) -> None:
    assert {job.state for job in jobs} == set(State)
    for size in (7, len(jobs), 7):
        assert [job for page in _pages(fresh, size, len(jobs)) for job in page] == jobs
    assert all(isinstance(part, Shared) for job in jobs for part in _parts(fresh.jobs.get(job.id, READER)))


def _parts(job: Job) -> tuple[Any, ...]:
    return job.what, job.who, job.parameters


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
def test_answers_are_written_as_if_each_job_were_alone(fresh: Hall, jobs: list[Job], zone: str) -> None:
    fresh.settings.set("webapi.site_time_zone", zone, SYSTEM)
    binding, size = build(fresh, log=lambda *_, **__: None), 50
    path, query = "/Dispatcher/SchedulingService/jobs", f"runbookjobs=true&recurringjobs=true&pagesize={size}&page="
    for number in (1, 2, 1):
        page = new(
            WirePage,
            CurrentPage=number,
            Items=[translate.to_wire_job(job) for job in jobs[(number - 1) * size : number * size]],
            PageCount=-(-len(jobs) // size),
            PageSize=size,
            TotalCount=len(jobs),
        )
        for accept, expected in _written(page, ZoneInfo(zone) if zone != "UTC" else UTC).items():
            request = Request("GET", path, f"{query}{number}", {"accept": accept}, caller=READER)
            assert expected in binding(request).body, (accept, number)


def _written(page: Any, zone: tzinfo) -> dict[str, bytes]:
    return {
        "application/json": encode_json(WirePage, page, zone),
        "application/xml": encode_xml(WirePage, page),
        "application/soap+xml": result_encoder(WirePage, "GetJobsResult")(page).encode(),
    }


def test_the_contract_has_of_shared_parts_what_it_has_of_others(fresh: Hall, jobs: list[Job]) -> None:
    for alone in jobs[:20]:
        job = fresh.jobs.get(alone.id, READER)
        theirs = replace(job, what=[*job.what], who=[*job.who], parameters=[*job.parameters])
        for shared, plain in zip(
            _written(new(WirePage, Items=[translate.to_wire_job(job)]), UTC).values(),
            _written(new(WirePage, Items=[translate.to_wire_job(theirs)]), UTC).values(),
            strict=True,
        ):
            assert shared == plain


def test_jobs_that_are_stored_alike_share_their_parts(fresh: Hall, agent: UUID) -> None:
    for _ in range(2):
        fresh.scheduling.submit(a_request(WINDOWS, who=on(agent)), SYSTEM)
    other = fresh.scheduling.submit(a_request(BOTH, WhatKind.PROJECT, who=on(agent)), SYSTEM)
    one, two = [job for page in _pages(fresh, 100, 1) for job in page if job.id != other.id]
    third = fresh.jobs.get(other.id, READER)

    assert all(mine is yours for mine, yours in zip(_parts(one), _parts(two), strict=True))
    assert third.who is one.who
    assert third.what is not one.what


def test_long_values_are_shown_whole(fresh: Hall, agent: UUID) -> None:
    lines = "ä" * 70_000
    given = [GivenSet(DOOR, [GivenValue("Lines", lines)])]
    for _ in range(2):
        fresh.scheduling.submit(a_request(DOOR, who=on(agent), parameters=given), SYSTEM)
    for job in next(_pages(fresh, 2, 2)):
        assert {one.name: one.value1 for one in job.parameters[0].parameters}["Lines"] == lines


def test_no_secret_is_shown_on_a_page(fresh: Hall, jobs: list[Job]) -> None:
    for page in _pages(fresh, 50, len(jobs)):
        secret = [one for job in page for each in job.parameters for one in each.parameters if one.type.is_secret]
        assert secret
        assert {one.value2 for one in secret} == {""}
        assert {one.value1 for one in secret} <= {"", "corp\\patcher"}


def test_who_may_not_read_gets_no_page_that_was_shown_to_others(fresh: Hall, jobs: list[Job]) -> None:
    assert fresh.jobs.page(Stage.ALL, True, True, 1, 50, READER).items == jobs[:50]
    assert fresh.jobs.page(Stage.ALL, True, True, 1, 50, NOBODY).items == []


@pytest.mark.parametrize("recurring", [False, True])
@pytest.mark.parametrize("steps", [False, True])
def test_jobs_before_the_page_are_counted_in_the_index(
    datastore: Datastore, agent: UUID, hall: Hall, new_id: Callable[[], UUID], steps: bool, recurring: bool
) -> None:
    hall.scheduling.submit(a_request(who=on(agent)), SYSTEM)
    _store_many(datastore, 3_000, new_id)
    sent: list[tuple[str, Any]] = []
    with _noting(datastore, sent):
        hall.jobs.page(Stage.ALL, steps, recurring, 290, 10, READER)
    ((query, values),) = (one for one in sent if "LIMIT" in one[0])
    explain, expected = _EXPLAINED[datastore.engine.dialect.name]
    with datastore.read() as session:
        plan = session.connection().exec_driver_sql(f"{explain} {query}", values).all()

    lines = [" ".join(map(str, row)) for row in plan]
    assert any(re.search(expected, line) for line in lines), lines


#: How a database explains a query, and what it says of one that reads an index and nothing else.
_EXPLAINED = {
    "sqlite": ("EXPLAIN QUERY PLAN", "COVERING INDEX ix_job_sorted_at_id_parent_id_recurring_id"),
    "postgresql": ("EXPLAIN", "Index Only Scan Backward using ix_job_sorted_at_id_parent_id_recurring_id"),
    "mysql": ("EXPLAIN", "DERIVED job index .*ix_job_sorted_at_id_parent_id_recurring_id .*Using index$"),
}
_EXPLAINED["mariadb"] = _EXPLAINED["mysql"]


def _store_many(datastore: Datastore, count: int, new_id: Callable[[], UUID]) -> None:
    """Store *count* more jobs like the one that there is, each a second later, and count them for the planner.

    A third are steps and a third occurrences: MariaDB takes an index that finds the others for the better one.
    """
    with datastore.begin() as session:
        pattern = dict(session.connection().execute(select(JOBS)).mappings().one())
        del pattern["number"]
        recurring_id = new_id()
        rows = [
            pattern
            | {"id": new_id(), "state": State.COMPLETED, "sorted_at": pattern["sorted_at"] + timedelta(seconds=n)}
            | {"parent_id": pattern["id"] if n % 3 == 0 else None, "recurring_id": recurring_id if n % 3 == 1 else None}
            for n in range(count)
        ]
        session.connection().execute(insert(JOBS), rows)
    analyze = {"postgresql": "VACUUM ANALYZE job", "mysql": "ANALYZE TABLE job", "mariadb": "ANALYZE TABLE job"}
    if statement := analyze.get(datastore.engine.dialect.name):
        with datastore.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql(statement)


@contextmanager
def _noting(datastore: Datastore, sent: list[tuple[str, Any]]) -> Iterator[None]:
    """Gather what is sent meanwhile, each with its values."""

    def note(_connection: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        sent.append((statement, values))

    event.listen(datastore.engine, "before_cursor_execute", note)
    yield
    event.remove(datastore.engine, "before_cursor_execute", note)


def test_parts_are_kept_only_so_many_and_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_parts, "KEPT", 2)
    monkeypatch.setattr(kept_parts, "LONGEST", 4)
    parts, made = kept_parts.KeptParts(), []

    def get(*texts: str) -> object:
        return parts.get(texts, lambda: made.append(texts) or [[orjson.dumps(texts)]])

    for texts in (("a",), ("a", "b"), ("a",), ("long", "er"), ("long", "er"), ("c",), ("a",)):
        assert get(*texts) == [[orjson.dumps(texts)]]
    assert made == [("a",), ("a", "b"), ("long", "er"), ("long", "er"), ("c",), ("a",)]


def test_parts_with_many_parameters_are_not_kept(
    fresh: Hall, agent: UUID, load_library: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def two_alike() -> list[Job]:
        return [fresh.jobs.get(fresh.scheduling.submit(a_request(who=on(agent)), SYSTEM).id, READER) for _ in range(2)]

    load_library("modules:\n  - name: Greet\n    parameters:\n" + "      - {name: P0}\n      - {name: P1}\n")
    stored_text = 500  # more than there is of these jobs
    monkeypatch.setattr(kept_parts, "LONGEST", stored_text + 2 * kept_parts.PER_PARAMETER)
    one, two = two_alike()
    assert all(mine is yours for mine, yours in zip(_parts(one), _parts(two), strict=True))

    load_library(
        "modules:\n  - name: Greet\n    parameters:\n" + "".join(f"      - {{name: Q{n}}}\n" for n in range(8))
    )
    one, two = two_alike()
    assert one.who is two.who
    assert one.what is two.what
    assert one.parameters is not two.parameters
    # What is written of them would be kept with the job.
    assert not isinstance(one.parameters, Shared)
    assert len(one.parameters[0].parameters) == 8
