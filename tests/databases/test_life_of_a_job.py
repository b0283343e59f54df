"""The life of a job, from the submit to its outcome, as callers and agents see it, on every database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from job_world import (
    GREET,
    LIBRARY,
    LINUX,
    NOBODY,
    RINGS,
    WINDOWS,
    a_request,
    lease,
    on,
    report,
    standing,
    texts,
    work_off,
)

from dispatcher.core.errors import Forbidden, InvalidValue, JobNotFound
from dispatcher.core.jobs import GivenSet, Job, JobRequest, Stage, WhatKind, When, WhoKind
from dispatcher.core.parameters import GivenValue
from dispatcher.core.permissions import SYSTEM, Caller, Right, everything
from dispatcher.core.states import Event, State
from dispatcher.services.hall import Hall
from dispatcher.services.reporting import Output, RunFinished, RunStarted, TaskFinished, TaskStarted


@pytest.fixture(autouse=True)
def library(load_library: Callable[[str], None]) -> None:
    load_library(LIBRARY)


def test_text_may_be_of_any_language(hall: Hall, enrol: Callable[..., UUID], clock: Any) -> None:
    text = "Größe 高さ \N{ROCKET}"
    agent = enrol(text)
    given = [GivenSet(GREET, [GivenValue("Who", text)])]
    job = hall.scheduling.submit(a_request(who=on(agent), parameters=given, description=text), SYSTEM)
    [run] = lease(hall, agent, 1)
    report(hall, agent, run, RunStarted(clock()), RunFinished(clock(), Event.FAIL, text))
    [result] = hall.results.collect(job.id, True, SYSTEM)
    assert (result.job.description, result.runs[0].agent.name, result.runs[0].reason) == (text, text, text)


def test_a_module_runs_on_an_agent_with_its_values(
    hall: Hall, enrol: Callable[..., UUID], clock: Any, wakeup: Any
) -> None:
    agent = enrol("one")
    given = [GivenSet(GREET, [GivenValue("Who", "moon")])]
    job = hall.scheduling.submit(a_request(who=on(agent), parameters=given, description="try"), SYSTEM)
    assert (job.state, job.description, job.invoker_info) == (State.ACTIVE, "try", "system")
    assert wakeup.agent_ids == [agent]
    assert hall.leasing.has_orders([agent]) == {agent}

    [run] = lease(hall, agent, 5)
    assert texts(run) == [("Greet", {"Who": "moon", "Password": "s3cret"})]
    assert lease(hall, agent, 5) == []
    clock.turn(timedelta(seconds=5))
    report(hall, agent, run, RunStarted(clock()), TaskStarted(0, clock()), Output(0, 0, b"hello "))
    report(hall, agent, run, Output(0, 0, b"hello moon\n"), TaskFinished(0, clock(), Event.COMPLETE, 0))
    report(hall, agent, run, TaskStarted(1, clock()), TaskFinished(1, clock(), Event.COMPLETE, 0))
    assert hall.jobs.get(job.id, SYSTEM).state is State.ACTIVE
    report(hall, agent, run, RunFinished(clock(), Event.COMPLETE))

    done = hall.jobs.get(job.id, SYSTEM)
    assert (done.state, done.stopped_at) == (State.COMPLETED, clock())
    [result] = hall.results.collect(job.id, True, SYSTEM)
    assert [(run.agent.name, run.state) for run in result.runs] == [("one", State.COMPLETED)]
    assert [(task.name, task.state, task.output) for task in result.runs[0].tasks] == [
        ("greet", State.COMPLETED, "hello moon\n"),
        ("part", State.COMPLETED, ""),
    ]


def test_secrets_are_masked_for_callers_and_sealed_in_the_datastore(
    hall: Hall, enrol: Callable[..., UUID], datastore: Any
) -> None:
    agent = enrol("one")
    given = [GivenSet(GREET, [GivenValue("Password", "hunter2")])]
    job = hall.scheduling.submit(a_request(who=on(agent), parameters=given), SYSTEM)
    assert {p.name: p.value1 for p in job.parameters[0].parameters} == {"Who": "world", "Password": ""}
    with datastore.engine.connect() as connection:
        stored = str(connection.exec_driver_sql("SELECT parameters FROM job").all())
        frozen = str(connection.exec_driver_sql("SELECT document FROM definition").all())
    assert "hunter2" not in stored
    assert "s3cret" not in frozen
    [run] = lease(hall, agent, 1)
    assert texts(run)[0][1]["Password"] == "hunter2"


def test_a_team_by_rule_and_an_agent_by_name_run_once_each(hall: Hall, enrol: Callable[..., UUID], clock: Any) -> None:
    one, two = enrol("one"), enrol("two")
    enrol("three", os="windows")
    job = hall.scheduling.submit(a_request(who=[*on(LINUX, kind=WhoKind.TEAM), *on("one")]), SYSTEM)
    work_off(hall, one, clock())
    assert hall.jobs.get(job.id, SYSTEM).state is State.ACTIVE
    work_off(hall, two, clock(), Event.FAIL)
    assert hall.jobs.get(job.id, SYSTEM).state is State.COMPLETED_WITH_ERRORS


def test_a_team_without_members_is_skipped_with_its_reason(hall: Hall) -> None:
    job = hall.scheduling.submit(a_request(who=on(NOBODY, kind=WhoKind.TEAM)), SYSTEM)
    assert job.state is State.SKIPPED
    assert job.reason == "no agent: Nobody has no members"


def test_what_is_for_another_platform_is_skipped(hall: Hall, enrol: Callable[..., UUID]) -> None:
    agent = enrol("one")
    job = hall.scheduling.submit(a_request(WINDOWS, who=on(agent)), SYSTEM)
    assert job.state is State.SKIPPED
    [result] = hall.results.collect(job.id, False, SYSTEM)
    assert result.runs[0].reason == "nothing in this job is for linux"


def test_a_dated_job_waits_for_its_time(hall: Hall, enrol: Callable[..., UUID], clock: Any, wakeup: Any) -> None:
    agent = enrol("one")
    when = When(immediate=False, starts_at=clock() + timedelta(hours=1))
    job = hall.scheduling.submit(a_request(who=on(agent), when=when), SYSTEM)
    assert job.state is State.SCHEDULED
    assert job.started_at == when.starts_at
    assert wakeup.engine_calls == 1
    assert hall.clockwork.next_moment() == when.starts_at
    assert hall.clockwork.activate_due() == 0
    clock.turn(timedelta(hours=1))
    assert hall.clockwork.activate_due() == 1
    assert hall.clockwork.activate_due() == 0
    assert len(work_off(hall, agent, clock())) == 1
    assert hall.jobs.get(job.id, SYSTEM).state is State.COMPLETED


def test_a_job_runs_the_version_it_was_scheduled_with(
    hall: Hall, enrol: Callable[..., UUID], load_library: Callable[[str], None]
) -> None:
    agent = enrol("one")
    hall.scheduling.submit(a_request(who=on(agent)), SYSTEM)
    load_library(LIBRARY.replace("name: part", "name: other"))
    hall.scheduling.submit(a_request(who=on(agent)), SYSTEM)
    first, second = lease(hall, agent, 2)
    assert [task["name"] for task in first.modules[0].document["tasks"]] == ["greet", "part"]
    assert [task["name"] for task in second.modules[0].document["tasks"]] == ["greet", "other"]


def test_the_steps_of_a_run_book_come_one_after_the_other(hall: Hall, enrol: Callable[..., UUID], clock: Any) -> None:
    one, two = enrol("one"), enrol("two")
    job = hall.scheduling.submit(a_request(RINGS, WhatKind.RUNBOOK, who=on(one)), SYSTEM)
    assert lease(hall, two, 5) == []
    [run] = work_off(hall, one, clock())
    assert texts(run)[0][1]["Who"] == "ring one"
    [run] = work_off(hall, two, clock())
    assert texts(run) == [("Greet", {"Who": "dear ring two", "Password": "s3cret"})]
    assert hall.jobs.get(job.id, SYSTEM).state is State.COMPLETED
    results = hall.results.collect(job.id, False, SYSTEM)
    assert [result.job.description for result in results] == ["Rings", "first", "second"]


def test_a_failed_step_stops_the_run_book(hall: Hall, enrol: Callable[..., UUID], clock: Any) -> None:
    one, two = enrol("one"), enrol("two")
    job = hall.scheduling.submit(a_request(RINGS, WhatKind.RUNBOOK, who=on(one)), SYSTEM)
    work_off(hall, one, clock(), Event.FAIL)
    assert lease(hall, two, 5) == []
    stopped = hall.jobs.get(job.id, SYSTEM)
    assert (stopped.state, stopped.reason) == (State.STOPPED, "step first: Failed")


def test_a_step_whose_parameter_names_nobody_fails_with_the_reason(
    hall: Hall, enrol: Callable[..., UUID], clock: Any
) -> None:
    one = enrol("one")
    given = [GivenSet(RINGS, [GivenValue("Target", "nobody here")])]
    job = hall.scheduling.submit(a_request(RINGS, WhatKind.RUNBOOK, who=on(one), parameters=given), SYSTEM)
    work_off(hall, one, clock())
    assert hall.jobs.get(job.id, SYSTEM).state is State.COMPLETED_WITH_ERRORS
    assert "nobody here" in hall.results.collect(job.id, False, SYSTEM)[-1].job.reason


def test_aborting_cancels_what_waits_and_tells_who_works(
    hall: Hall, enrol: Callable[..., UUID], clock: Any, wakeup: Any
) -> None:
    one, two = enrol("one"), enrol("two")
    job = hall.scheduling.submit(a_request(who=on(one, two)), SYSTEM)
    [run] = lease(hall, one, 1)
    report(hall, one, run, RunStarted(clock()), TaskStarted(0, clock()))
    wakeup.agent_ids.clear()
    assert hall.aborting.abort(job.id, SYSTEM).state is State.ABORTING
    assert wakeup.agent_ids == [one]
    assert lease(hall, two, 1) == []
    assert standing(hall, one, [(run.id, run.fence)]).aborts == [run.id]
    report(hall, one, run, TaskFinished(0, clock(), Event.CONFIRM_ABORT), RunFinished(clock(), Event.CONFIRM_ABORT))
    aborted = hall.jobs.get(job.id, SYSTEM)
    assert (aborted.state, aborted.reason) == (State.ABORTED, "aborted by system")
    [result] = hall.results.collect(job.id, True, SYSTEM)
    assert [run.state for run in result.runs] == [State.ABORTED, State.CANCELLED]
    assert [task.state for task in result.runs[0].tasks] == [State.ABORTED, State.SKIPPED]


def test_aborting_a_run_book_ends_its_step_and_starts_no_other(
    hall: Hall, enrol: Callable[..., UUID], clock: Any
) -> None:
    one, two = enrol("one"), enrol("two")
    job = hall.scheduling.submit(a_request(RINGS, WhatKind.RUNBOOK, who=on(one)), SYSTEM)
    [run] = lease(hall, one, 1)
    report(hall, one, run, RunStarted(clock()))
    assert hall.aborting.abort(job.id, SYSTEM).state is State.ABORTING
    report(hall, one, run, RunFinished(clock(), Event.CONFIRM_ABORT))
    assert hall.jobs.get(job.id, SYSTEM).state is State.ABORTED
    assert lease(hall, two, 1) == []


def test_pages_are_in_order_and_never_loop(hall: Hall, enrol: Callable[..., UUID], clock: Any) -> None:
    agent = enrol("one")
    jobs: list[Job] = []
    for _ in range(5):
        clock.turn(timedelta(seconds=1))
        jobs.append(hall.scheduling.submit(a_request(who=on(agent)), SYSTEM))
    hall.scheduling.submit(a_request(RINGS, WhatKind.RUNBOOK, who=on(agent)), SYSTEM)
    page = hall.jobs.page(Stage.ALL, False, False, 1, 4, SYSTEM)
    assert (page.total, page.page_count) == (6, 2)
    assert [job.id for job in page.items[1:]] == [job.id for job in jobs[:1:-1]]
    assert hall.jobs.page(Stage.ALL, False, False, 9, 4, SYSTEM).items == []
    assert hall.jobs.page(Stage.ALL, False, False, 9, 4, SYSTEM).page == 9
    assert hall.jobs.page(Stage.ALL, True, False, 1, 99, SYSTEM).total == 7
    assert hall.jobs.page(Stage.HISTORY, True, False, 1, 99, SYSTEM).total == 0
    assert hall.jobs.page(Stage.ACTIVE, True, False, 1, 99, SYSTEM).total == 7
    assert hall.jobs.page(Stage.SCHEDULED, True, False, 1, 99, SYSTEM).total == 0


@pytest.mark.parametrize(
    ("request_", "member"),
    [
        (a_request(who=[]), "Who"),
        (a_request(what=UUID(int=9), who=on("one")), r"What\[0\]/ID"),
        (a_request(what=GREET, kind=WhatKind.PROJECT, who=on("one")), r"What\[0\]/ID"),
        (a_request(who=on("nobody")), r"Who\[0\]/ID"),
        (a_request(who=on(UUID(int=9))), r"Who\[0\]/ID"),
        (a_request(who=on("one"), when=When(immediate=False)), "When/ScheduledDateTime"),
        (JobRequest([], on("one"), When()), "What"),
        (a_request(who=on("twin")), "fits several agents"),
    ],
)
def test_bad_requests_are_refused_by_name_and_leave_nothing(
    hall: Hall, enrol: Callable[..., UUID], request_: JobRequest, member: str
) -> None:
    for name in ("one", "twin", "twin"):
        enrol(name)
    with pytest.raises(InvalidValue, match=member):
        hall.scheduling.submit(request_, SYSTEM)
    assert hall.jobs.page(Stage.ALL, True, True, 1, 10, SYSTEM).total == 0


def test_rights_are_checked(hall: Hall, enrol: Callable[..., UUID]) -> None:
    agent = enrol("one")
    reader = Caller("reader", everything(Right.READ))
    nobody = Caller("nobody")
    job = hall.scheduling.submit(a_request(who=on(agent)), SYSTEM)
    assert hall.jobs.get(job.id, reader).id == job.id
    for call in (
        lambda: hall.scheduling.submit(a_request(who=on(agent)), reader),
        lambda: hall.aborting.abort(job.id, reader),
        lambda: hall.jobs.get(job.id, nobody),
        lambda: hall.results.collect(job.id, True, nobody),
    ):
        with pytest.raises(Forbidden):
            call()
    assert hall.jobs.page(Stage.ALL, True, True, 1, 10, nobody).items == []
    assert hall.topology.who(True, True, False, False, "", nobody) == []


def test_unknown_jobs_are_not_found(hall: Hall) -> None:
    for call in (
        lambda: hall.jobs.get(UUID(int=1), SYSTEM),
        lambda: hall.aborting.abort(UUID(int=1), SYSTEM),
        lambda: hall.results.collect(UUID(int=1), True, SYSTEM),
    ):
        with pytest.raises(JobNotFound):
            call()


def test_who_lists_agents_then_teams_by_name(hall: Hall, enrol: Callable[..., UUID], clock: Any) -> None:
    two, one = enrol("web-02"), enrol("WEB-01")
    enrol("db-01")
    hall.enrolment.note_contacts({one: clock()}, {})

    def names(**options: Any) -> Sequence[str]:
        wanted = {"agents": True, "teams": True, "online": False, "licensed": False, "search": "", **options}
        return [who.name for who in hall.topology.who(**wanted, caller=SYSTEM)]

    assert names(teams=False, search="web") == sorted(["web-02", "WEB-01"])
    assert names(agents=False) == ["Linux", "Nobody"]
    assert names(search="w?b-*") == sorted(["web-02", "WEB-01"])
    assert names(online=True, teams=False) == ["WEB-01"]
    clock.turn(timedelta(minutes=5))
    assert names(online=True, teams=False) == []
    hall.enrolment.note_contacts({}, {two: clock()})
    assert len(names()) == 5
