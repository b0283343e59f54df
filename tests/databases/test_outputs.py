"""What runs give out, what becomes of tasks that never started, and versions, on every database."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from job_world import a_request, lease, on, report
from sqlalchemy import select

from dispatcher.agents.translate import to_order
from dispatcher.core.jobs import GivenSet, JobRequest, WhatChoice, WhatKind, When
from dispatcher.core.parameters import GivenValue, Parameter, ParameterType
from dispatcher.core.permissions import SYSTEM
from dispatcher.core.states import Event, State
from dispatcher.datastore.jobs import JOBS
from dispatcher.datastore.runs import RUNS
from dispatcher.services import outputs
from dispatcher.services.hall import Hall
from dispatcher.services.reporting import RunFinished, RunStarted, TaskFinished, TaskStarted
from dispatcher.services.run_orders import LeasedRun

LIBRARY = """
modules:
  - name: Give
    id: 00000000-0000-4000-8000-000000000001
    parameters:
      - {name: Text, value: start, output: true}
      - {name: Lines, type: multiline, input: false, output: true}
      - {name: Word, type: password, value: s3cret, output: true}
      - {name: Login, type: credentials, value: me, password: s3cret, output: true}
      - {name: Local}
    tasks:
      - {name: one, type: command, settings: {command: 'echo $[Text]'}, condition: '$[Local] == "x"',
         retry: {times: 2}}
      - {name: two, type: command, settings: {command: 'true'}, enabled: false}
      - {name: three, type: command, settings: {command: 'true'}}
  - name: Quiet
    id: 00000000-0000-4000-8000-000000000002
    parameters: [{name: Text}]
    tasks: [{name: one, type: command, settings: {command: 'true'}}]
  - name: Off
    enabled: false
    tasks: [{name: never, type: command, settings: {command: 'true'}}]
projects:
  - name: Both
    id: 00000000-0000-4000-8000-000000000003
    parameters: [{name: Name, value: all, output: true}]
    modules:
      - {module: Give, parameters: {Text: 'dear $[Name]'}, get: {Text: Name}, condition: 'os == "linux"'}
      - {module: Off}
      - {module: Quiet, parameters: {Text: '$[Name]'}}
"""
GIVE, QUIET, BOTH = (UUID(f"00000000-0000-4000-8000-{number:012}") for number in range(1, 4))
TYPES = ParameterType


@pytest.fixture(autouse=True)
def library(load_library: Callable[[str], None]) -> None:
    load_library(LIBRARY)


@pytest.fixture
def start(hall: Hall, enrol: Callable[..., UUID]) -> Callable[..., tuple[UUID, list[tuple[UUID, LeasedRun]]]]:
    """Starts a job on agents of these names; returns its id, and agent and run of each."""

    def start(*names: str, what: UUID = GIVE, kind: WhatKind = WhatKind.MODULE, **more: Any) -> Any:
        agents = [enrol(name) for name in names]
        job = hall.scheduling.submit(a_request(what, kind, who=on(*agents), **more), SYSTEM)
        return job.id, [(agent, lease(hall, agent, 1)[0]) for agent in agents]

    return start


def column(datastore: Any, table: Any, name: str) -> list[Any]:
    with datastore.read() as session:
        return list(session.scalars(select(table.c[name])))


def finish(
    hall: Hall, agent: UUID, run: LeasedRun, now: Any, *outputs: Parameter, event: Event = Event.COMPLETE
) -> None:
    report(hall, agent, run, RunStarted(now), RunFinished(now, event, "", [list(outputs)]))


def shown(hall: Hall, job_id: UUID) -> list[tuple[str, dict[str, tuple[str, str]]]]:
    [result] = hall.results.collect(job_id, False, SYSTEM)
    return [
        (one.what.name, {parameter.name: (parameter.value1, parameter.value2) for parameter in one.parameters})
        for one in result.job.outputs
    ]


def test_outputs_of_all_agents_are_merged_by_name_and_masked(
    hall: Hall, start: Any, clock: Any, datastore: Any
) -> None:
    job_id, [(second, of_second), (first, of_first), (third, of_third)] = start("b", "a", "c")
    secret = Parameter("Word", TYPES.PASSWORD, "hunter2")
    finish(hall, second, of_second, clock(), Parameter("Text", value1="two"), Parameter("Lines", value1="x\ny"), secret)
    assert shown(hall, job_id) == []
    account = Parameter("Login", TYPES.CREDENTIALS, "you", "hunter3")
    finish(hall, first, of_first, clock(), Parameter("Text", value1="one"), Parameter("Lines", value1="x\ny"), account)
    finish(hall, third, of_third, clock())
    assert shown(hall, job_id) == [
        ("Give", {"Text": ("one;two;start", ""), "Lines": ("x\ny", ""), "Word": ("", ""), "Login": ("you", "")})
    ]
    stored = repr(column(datastore, RUNS, "outputs") + column(datastore, JOBS, "outputs"))
    assert "hunter" not in stored
    assert "one;two;start" in stored


def test_outputs_of_many_agents_are_not_in_memory_all_at_once(
    hall: Hall, start: Any, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outputs, "_MANY", 2, raising=False)
    size, agents = 300_000, 40
    job_id, runs = start(*(f"a{number:02}" for number in range(agents)))
    for number, (agent, run) in enumerate(runs[:-1]):
        finish(hall, agent, run, clock(), Parameter("Text", value1=f"{number:02}" * (size // 2)))
    tracemalloc.start()
    try:
        finish(hall, *runs[-1], clock(), Parameter("Text", value1="last"))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < agents * size
    [(_, given)] = shown(hall, job_id)
    assert given["Text"][0] == ";".join(f"{number:02}" * (size // 2) for number in range(3))


def test_choices_of_all_agents_are_merged_each_once() -> None:
    declared = Parameter("Several", TYPES.MULTISELECT, "", "a;b;c")
    found = outputs._Values(declared)
    for text in ("b;a", "", "a;c", "b;a"):
        found.add(declared.with_value(text))
    assert found.merged().value1 == "b;a;c"


@pytest.mark.parametrize(
    ("given", "merged"),
    [([], "start"), ([""], ""), (["", "one", "two"], "one"), (["one", ""], "one"), (["", ""], "")],
)
def test_of_secrets_the_first_counts_that_is_not_empty(given: list[str], merged: str) -> None:
    declared = Parameter("Word", TYPES.PASSWORD, "start")
    found = outputs._Values(declared)
    for text in given:
        found.add(declared.with_value(text))
    assert found.merged().value1 == merged


def test_secrets_are_stored_so_that_they_can_be_opened(
    hall: Hall, start: Any, clock: Any, datastore: Any, secrets: Any
) -> None:
    _, [(agent, run)] = start("a")
    account = Parameter("Login", TYPES.CREDENTIALS, "you", "hunter3")
    finish(hall, agent, run, clock(), Parameter("Word", TYPES.PASSWORD, "hunter2"), account)
    [[given]] = column(datastore, JOBS, "outputs")
    assert secrets.open(given["Word"][0]) == "hunter2"
    assert (given["Login"][0], secrets.open(given["Login"][1])) == ("you", "hunter3")


def test_what_is_no_output_is_not_stored(hall: Hall, start: Any, clock: Any, datastore: Any) -> None:
    _, [(agent, run)] = start("a")
    # The type counts that is declared, whatever the agent says: a password is no text.
    as_text = Parameter("Word", value1="hunter2")
    finish(hall, agent, run, clock(), Parameter("Local", value1="x"), Parameter("Lost", value1="x"), as_text)
    [[given]] = column(datastore, RUNS, "outputs")
    assert list(given) == ["Word"]
    assert "hunter2" not in repr(given)


def test_job_that_declares_no_outputs_has_none(hall: Hall, start: Any, clock: Any, datastore: Any) -> None:
    job_id, [(agent, run)] = start("a", what=QUIET)
    finish(hall, agent, run, clock())
    assert column(datastore, JOBS, "outputs") == [None]
    assert shown(hall, job_id) == []


def test_each_object_of_a_job_has_outputs_of_its_own(hall: Hall, enrol: Callable[..., UUID], clock: Any) -> None:
    what = [WhatChoice(QUIET, WhatKind.MODULE), WhatChoice(GIVE, WhatKind.MODULE), WhatChoice(BOTH, WhatKind.PROJECT)]
    agent = enrol("a")
    job_id = hall.scheduling.submit(JobRequest(what, on(agent), When()), SYSTEM).id
    [run] = lease(hall, agent, 1)
    assert [one.what for one in run.modules] == [0, 1, 2, 2]
    assert [scope and [one.name for one in scope] for scope in run.scopes] == [None, None, ["Name"]]
    outputs = [[], [Parameter("Text", value1="mine")], [Parameter("Name", value1="ours")]]
    report(hall, agent, run, RunStarted(clock()), RunFinished(clock(), Event.COMPLETE, "", outputs))
    [(first, given), (second, taken)] = shown(hall, job_id)
    assert (first, given["Text"], second, taken) == ("Give", ("mine", ""), "Both", {"Name": ("ours", "")})


def test_order_carries_links_conditions_and_retries(start: Any) -> None:
    given = [GivenSet(BOTH, [GivenValue("Name", "you")])]
    _, [(_, run)] = start("a", what=BOTH, kind=WhatKind.PROJECT, parameters=given)
    order = to_order(run)
    give, quiet = order.modules
    assert {one.name: one.value for one in give.values}["Text"] == "dear you"
    assert (give.links, give.get, quiet.get) == ({"Text": "dear $[Name]"}, {"Text": "Name"}, {})
    assert give.condition is not None
    assert (give.condition.rule, give.condition.otherwise) == ('os == "linux"', "skip")
    assert [[one.name for one in scope or []] for scope in order.scopes] == [["Name"]]
    assert [(task.name, task.module) for task in order.tasks] == [("one", 0), ("three", 0), ("one", 1)]
    assert order.tasks[0].condition is not None
    assert order.tasks[0].retry is not None
    assert (order.tasks[0].retry.times, order.tasks[0].retry.delay_s, order.tasks[1].retry) == (2, 5, None)


def test_job_runs_the_version_it_was_scheduled_with(
    hall: Hall, enrol: Callable[..., UUID], load_library: Callable[[str], None]
) -> None:
    agent = enrol("a")
    old = hall.scheduling.submit(a_request(BOTH, WhatKind.PROJECT, who=on(agent)), SYSTEM)
    load_library(
        LIBRARY.replace("times: 2", "times: 9")
        .replace("condition: 'os == \"linux\"'", "condition: 'false'")
        .replace("get: {Text: Name}", "get: {Lines: Name}")
    )
    new = hall.scheduling.submit(a_request(BOTH, WhatKind.PROJECT, who=on(agent)), SYSTEM)
    runs = {run.job_id: to_order(run) for run in lease(hall, agent, 2)}
    found = {}
    for job_id, order in runs.items():
        retry, condition = order.tasks[0].retry, order.modules[0].condition
        found[job_id] = (retry and retry.times, condition and condition.rule, order.modules[0].get)
    assert found == {
        old.id: (2, 'os == "linux"', {"Text": "Name"}),
        new.id: (9, "false", {"Lines": "Name"}),
    }


def test_task_that_a_condition_kept_from_starting_is_shown(hall: Hall, start: Any, clock: Any) -> None:
    job_id, [(agent, run)] = start("a")
    skipped = TaskFinished(0, clock(), Event.SKIP, message="condition not met")
    failed = TaskFinished(1, clock(), Event.FAIL, message="condition not met")
    report(hall, agent, run, RunStarted(clock()), skipped, failed)
    report(hall, agent, run, skipped, failed, RunFinished(clock(), Event.FAIL))
    [result] = hall.results.collect(job_id, True, SYSTEM)
    assert [(one.state, one.message, one.started_at, one.stopped_at) for one in result.runs[0].tasks] == [
        (State.SKIPPED, "condition not met", None, clock()),
        (State.FAILED, "condition not met", None, clock()),
    ]
    assert (result.runs[0].state, result.job.state) == (State.FAILED, State.FAILED)


def test_attempts_are_counted(hall: Hall, start: Any, clock: Any) -> None:
    job_id, [(agent, run)] = start("a")
    tried = TaskFinished(0, clock(), Event.COMPLETE, 0, "attempt 3 of 3", attempts=3)
    report(hall, agent, run, RunStarted(clock()), TaskStarted(0, clock()), tried, TaskStarted(1, clock()))
    [result] = hall.results.collect(job_id, True, SYSTEM)
    assert [(one.state, one.attempts) for one in result.runs[0].tasks] == [(State.COMPLETED, 3), (State.ACTIVE, 1)]


def test_run_in_which_everything_was_skipped_is_skipped(hall: Hall, start: Any, clock: Any) -> None:
    job_id, [(agent, run)] = start("a")
    finish(hall, agent, run, clock(), event=Event.SKIP)
    [result] = hall.results.collect(job_id, False, SYSTEM)
    assert (result.runs[0].state, result.job.state) == (State.SKIPPED, State.SKIPPED)


def test_run_that_skipped_everything_while_it_was_aborted_is_aborted(hall: Hall, start: Any, clock: Any) -> None:
    job_id, [(agent, run)] = start("a")
    report(hall, agent, run, RunStarted(clock()))
    hall.aborting.abort(job_id, SYSTEM)
    finish(hall, agent, run, clock(), event=Event.SKIP)
    assert hall.jobs.get(job_id, SYSTEM).state is State.ABORTED
