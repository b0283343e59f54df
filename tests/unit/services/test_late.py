"""Late: what a job runs is found by its alias when it starts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from dispatcher.core.errors import Forbidden
from dispatcher.core.jobs import GivenSet, JobRequest, WhatChoice, WhatKind, When, WhoChoice, WhoKind
from dispatcher.core.parameters import GivenValue
from dispatcher.core.permissions import SYSTEM, Caller, Node, Right, RoleRights
from dispatcher.core.schedules import DEMAND, RecurrenceRequest
from dispatcher.core.states import State
from dispatcher.datastore.jobs import JOBS
from dispatcher.datastore.transactions import Datastore
from dispatcher.services import resource_uses
from dispatcher.services.hall import Hall
from dispatcher.services.late import NothingBound
from dispatcher.services.plans import Plans
from dispatcher.services.secrets import Secrets

ALIAS = ("opsramp", "job_type", "antivirus")
NOBODY = UUID(int=0)
MODULE = """
modules:
  - name: Scan
    aliases: {opsramp: {job_type: antivirus}}
    parameters: [{name: Depth, value: '3'}]
    tasks: [{type: command, name: scan, settings: {command: 'echo "$[Depth]"'}}]
"""


def request(agent: UUID, **members: Any) -> JobRequest:
    what = WhatChoice(NOBODY, WhatKind.MODULE, ALIAS)
    return JobRequest([what], [WhoChoice([agent], WhoKind.AGENT)], When(), **members)


def test_what_has_the_alias_is_run_with_its_defaults(hall: Hall, enrol: Callable[..., UUID], load_library: Any) -> None:
    load_library(MODULE)
    job = hall.scheduling.submit(request(enrol("one")), SYSTEM)
    stored = hall.jobs.get(job.id, SYSTEM)
    assert (stored.state, [what.name for what in stored.what]) == (State.ACTIVE, ["Scan"])
    (result,) = hall.results.collect(job.id, True, SYSTEM)
    assert [task.name for run in result.runs for task in run.tasks] == ["scan"]


@pytest.mark.parametrize("library", ["", "modules: [{name: Scan, enabled: false}]"])
def test_nothing_that_can_be_run_has_the_alias(
    hall: Hall, enrol: Callable[..., UUID], load_library: Any, library: str
) -> None:
    agent = enrol("one")
    if library:
        load_library(MODULE)
        load_library(library)
    with pytest.raises(NothingBound, match=r"^no module bound to job type antivirus$") as raised:
        hall.scheduling.submit(request(agent), SYSTEM)
    assert raised.value.message == str(raised.value)


def test_only_who_says_so_may_name_nobody(hall: Hall, load_library: Any) -> None:
    load_library(MODULE)
    asked = request(NOBODY, may_name_nobody=True)
    asked.who = []
    job = hall.scheduling.submit(asked, SYSTEM)
    assert (job.state, job.reason) == (State.SKIPPED, "no agent")


def test_resources_of_open_jobs_are_known_beside_one_of_what_is_not_there(hall: Hall, datastore: Datastore) -> None:
    asked = request(NOBODY, may_name_nobody=True, parameters=[GivenSet(None, [GivenValue("Depth", "7")])])
    asked.who, asked.when = [], When(starts_at=datetime(2031, 1, 1, tzinfo=UTC), immediate=False)
    job = hall.scheduling.submit(asked, SYSTEM)
    with datastore.read() as session:
        assert list(resource_uses.of_open_jobs(session)) == []
    (shown,) = hall.jobs.get(job.id, SYSTEM).parameters
    assert [(one.name, one.value1) for one in shown.parameters] == [("Depth", "7")]


def test_values_are_kept_and_defaults_are_not(hall: Hall, datastore: Datastore, load_library: Any) -> None:
    """Defaults are those of what has the alias when the job starts."""
    asked = request(NOBODY, may_name_nobody=True)
    asked.who, asked.when = [], When(starts_at=datetime(2031, 1, 1, tzinfo=UTC), immediate=False)
    asked.parameters = [GivenSet(None, [GivenValue("depth", "7"), GivenValue("More", "1")])]
    load_library(MODULE.replace("[{name: Depth", "[{name: Width, value: '1'}, {name: Depth"))
    job = hall.scheduling.submit(asked, SYSTEM)
    with datastore.read() as session:
        assert session.scalar(select(JOBS.c.parameters)) == [{"Depth": ["7"], "More": ["1"]}]
    (shown,) = hall.jobs.get(job.id, SYSTEM).parameters
    assert {one.name: one.value1 for one in shown.parameters} == {"Width": "1", "Depth": "7"}


def test_rights_on_what_has_the_alias_now_else_on_all(
    hall: Hall, enrol: Callable[..., UUID], load_library: Any
) -> None:
    agent = enrol("one")
    grants: dict[Any, Right] = {(node, None): Right.MODIFY for node in Node if node is not Node.MODULES}
    planner = Caller.of("planner", [RoleRights("planner", {**grants, (Node.MODULES, "here"): Right.READ})])
    with pytest.raises(Forbidden):
        hall.scheduling.submit(request(agent), planner)
    load_library(MODULE.replace("name: Scan", "name: Scan\n    folder: Here"))
    assert hall.scheduling.submit(request(agent), planner).state is State.ACTIVE
    load_library("modules: [{name: Scan, folder: Here, aliases: {}}]")
    load_library(MODULE)
    with pytest.raises(Forbidden):
        hall.scheduling.submit(request(agent), planner)


SECRET = """
modules:
  - name: Scan
    aliases: {{opsramp: {{job_type: antivirus}}}}
    parameters: [{{name: Key, type: {kind}, value: b}}]
    tasks: [{{type: command, name: scan, settings: {{command: a}}}}]
"""


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("password", "password", ("c4nary", "")),
        ("password", "text", ("b", "")),
        ("password", "credentials", ("b", "")),
        ("credentials", "text", ("b", "")),
        ("credentials", "password", ("b", "")),
        ("credentials", "credentials", ("c4nary", "secret")),
        ("text", "password", ("c4nary", "")),
        ("text", "credentials", ("c4nary", "")),
        ("text", "multiline", ("c4nary", "")),
        (None, "password", ("c4nary", "")),
        (None, "text", ("c4nary", "")),
    ],
)
def test_values_are_as_secret_as_what_has_the_alias_when_the_job_starts(
    hall: Hall,
    datastore: Datastore,
    secrets: Secrets,
    enrol: Callable[..., UUID],
    load_library: Any,
    before: str | None,
    after: str,
    expected: tuple[str, str],
) -> None:
    if before:
        load_library(SECRET.format(kind=before))
    asked = request(enrol("one"), parameters=[GivenSet(None, [GivenValue("Key", "c4nary", "secret")])])
    asked.when = When(recurrence=RecurrenceRequest(DEMAND))
    job = hall.scheduling.submit(asked, SYSTEM)
    load_library(SECRET.format(kind=after))
    made = hall.on_demand.run(job.id, SYSTEM)
    with datastore.read() as session:
        row = session.execute(select(JOBS.c.what, JOBS.c.parameters).where(JOBS.c.id == made.id)).one()
        plans = Plans(secrets)
        (opened,) = plans.open(plans.document(session, row.what[0]), row.parameters[0])
    assert (opened.value1, opened.value2) == expected
    is_hidden = after == "password"
    assert ("c4nary" in str(row.parameters)) == (expected[0] == "c4nary" and not is_hidden)
    shown = [one.value1 for given in hall.jobs.get(made.id, SYSTEM).parameters for one in given.parameters]
    assert shown == ([] if expected[0] == "b" else [""] if is_hidden else ["c4nary"])
