"""Re-run: what a job that is run again has of the old one, and on whom it runs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from job_world import BOTH, GREET, LIBRARY, LINUX, RINGS, a_request, lease, on, work_off
from runbook_world import BOOK, World, a_book, a_library, a_step

from dispatcher.core.errors import Forbidden, JobNotFound
from dispatcher.core.jobs import GivenSet, WhatKind, When, WhoKind
from dispatcher.core.parameters import GivenValue
from dispatcher.core.permissions import SYSTEM, Caller, Node, Right
from dispatcher.core.schedules import BOOT, RecurrenceRequest
from dispatcher.core.states import Event, State
from dispatcher.services.hall import Hall
from dispatcher.services.rerun import NotRepeatable


@pytest.fixture(autouse=True)
def library(load_library: Callable[[str], None]) -> None:
    load_library(LIBRARY)


def values(hall: Hall, agent: UUID) -> list[dict[str, str]]:
    """Let the agent fetch one run; return the values that its modules see."""
    [run] = lease(hall, agent, 1)
    return [{one.name: one.value1 for one in module.parameters} for module in run.modules]


def test_a_job_is_run_again_with_its_version_values_and_options(
    hall: Hall, enrol: Callable[..., UUID], clock: Any, load_library: Callable[[str], None]
) -> None:
    agent = enrol("one")
    given = [GivenSet(GREET, [GivenValue("Who", "you"), GivenValue("Password", "hunter2")])]
    request = a_request(who=on(agent), parameters=given, options={"timeout_s": 60.0}, description="old", tags="t")
    old = hall.scheduling.submit(request, SYSTEM)
    work_off(hall, agent, clock())
    load_library(LIBRARY.replace('$[Who]" "$[Password]"', 'later"'))
    clock.turn(timedelta(hours=1))

    new = hall.rerun.rerun(old.id, False, SYSTEM)

    assert (new.id, new.number) != (old.id, old.number)
    assert (new.description, new.tags, new.options, new.state) == ("old", "t", {"timeout_s": 60.0}, State.ACTIVE)
    assert (new.when.immediate, new.when.starts_at) == (True, clock())
    [run] = lease(hall, agent, 1)
    assert [one.value1 for one in run.modules[0].parameters] == ["you", "hunter2"]
    assert "hello $[Who]" in run.modules[0].document["tasks"][0]["settings"]["command"]


def test_it_runs_on_the_present_members_of_its_teams(hall: Hall, enrol: Callable[..., UUID], clock: Any) -> None:
    one = enrol("one")
    old = hall.scheduling.submit(a_request(who=on(LINUX, kind=WhoKind.TEAM)), SYSTEM)
    work_off(hall, one, clock())
    two = enrol("two")

    hall.rerun.rerun(old.id, False, SYSTEM)

    assert hall.leasing.has_orders([one, two]) == {one, two}


def test_only_those_on_which_it_did_not_complete_run_it_again(
    hall: Hall, enrol: Callable[..., UUID], clock: Any
) -> None:
    ends = [Event.COMPLETE, Event.FAIL, Event.TIME_OUT, Event.STOP, Event.COMPLETE_WITH_ERRORS]
    agents = {enrol(event.name): event for event in ends}
    waiting, windows = enrol("WAITING"), enrol("WINDOWS", "windows")
    enrol("LATER")
    old = hall.scheduling.submit(a_request(who=on(LINUX, kind=WhoKind.TEAM)), SYSTEM)
    for agent, event in agents.items():
        work_off(hall, agent, clock(), event)
    hall.aborting.abort(old.id, SYSTEM)
    assert hall.leasing.has_orders([windows]) == set()

    new = hall.rerun.rerun(old.id, True, SYSTEM)

    failed = {agent for agent, event in agents.items() if event is not Event.COMPLETE}
    assert [who.name for who in new.who] == ["COMPLETE_WITH_ERRORS", "FAIL", "LATER", "STOP", "TIME_OUT", "WAITING"]
    assert hall.leasing.has_orders([*agents, waiting, windows]) == failed | {waiting}


def test_it_can_be_run_again_and_again(hall: Hall, enrol: Callable[..., UUID], clock: Any) -> None:
    one, two = enrol("one"), enrol("two")
    job = hall.scheduling.submit(a_request(BOTH, WhatKind.PROJECT, who=on(one, two)), SYSTEM)
    work_off(hall, one, clock(), Event.FAIL)
    work_off(hall, two, clock())
    job = hall.rerun.rerun(job.id, True, SYSTEM)
    assert len(work_off(hall, one, clock(), Event.FAIL)) == 1

    job = hall.rerun.rerun(job.id, True, SYSTEM)

    assert [who.name for who in job.who] == ["one"]
    assert len(work_off(hall, one, clock())) == 1
    with pytest.raises(NotRepeatable, match="failed on no agent"):
        hall.rerun.rerun(job.id, True, SYSTEM)


def test_a_run_book_is_run_again_as_a_whole(hall: Hall, enrol: Callable[..., UUID], clock: Any) -> None:
    one, two = enrol("one"), enrol("two")
    old = hall.scheduling.submit(a_request(RINGS, WhatKind.RUNBOOK, who=on(one)), SYSTEM)
    work_off(hall, one, clock())
    work_off(hall, two, clock(), Event.FAIL)
    with pytest.raises(NotRepeatable, match="as a whole"):
        hall.rerun.rerun(old.id, True, SYSTEM)

    new = hall.rerun.rerun(old.id, False, SYSTEM)

    work_off(hall, one, clock())
    work_off(hall, two, clock())
    assert hall.jobs.get(new.id, SYSTEM).state is State.COMPLETED


def test_a_run_book_starts_again_from_the_values_it_was_scheduled_with(
    hall: Hall, enrol: Callable[..., UUID], clock: Any, load_library: Callable[[str], None]
) -> None:
    declared = "{name: T, value: default}, {name: S, type: password}"
    gets = "get: {Text: T, Secret: S}"
    load_library(
        a_library(a_book(a_step("a", gets, Text="$[T]", Secret="$[S]"), a_step("b", gets), parameters=declared))
    )
    world = World(hall, clock, [enrol("one")])
    job = world.start(values={"T": "given", "S": "s3cret"})
    for again in range(3):
        seen = world.values("a")
        assert (seen["Text"], seen["Secret"]) == ("given", "s3cret"), again
        world.end("a", Text=["changed"], Secret=["other"])
        world.end("b", Text=["again"])
        assert hall.jobs.get(job.id, SYSTEM).parameters[0].parameters[0].value1 == "again"
        job = hall.rerun.rerun(job.id, False, SYSTEM)


def test_a_run_book_that_takes_its_agent_from_its_who_takes_it_anew(
    hall: Hall, enrol: Callable[..., UUID], clock: Any, load_library: Callable[[str], None]
) -> None:
    load_library(a_library(a_book(a_step("a", who="parameter: RunBookWho"), parameters="{name: RunBookWho}")))
    world = World(hall, clock, [enrol("one")])
    job = world.start(what=BOOK, who=on(LINUX, kind=WhoKind.TEAM))
    world.end("a")
    enrol("two")

    again = hall.rerun.rerun(job.id, False, SYSTEM)

    assert again.reason == "RunBookWho: is for one agent, not for 2: one, two"


def test_one_in_local_time_is_run_again_at_once(hall: Hall, enrol: Callable[..., UUID], clock: Any) -> None:
    agent = enrol("one", time_zone="Etc/GMT+12")
    when = When(immediate=False, starts_at=clock(), is_local_time=True)
    old = hall.scheduling.submit(a_request(who=on(agent), when=when), SYSTEM)
    hall.aborting.abort(old.id, SYSTEM)

    new = hall.rerun.rerun(old.id, True, SYSTEM)

    assert not new.when.is_local_time
    assert values(hall, agent) == [{"Who": "world", "Password": "s3cret"}]


def test_what_cannot_be_run_again_is_refused(
    hall: Hall, enrol: Callable[..., UUID], clock: Any, load_library: Callable[[str], None]
) -> None:
    agent = enrol("one")
    active = hall.scheduling.submit(a_request(who=on(agent)), SYSTEM)
    pattern = hall.scheduling.submit(
        a_request(who=on(agent), when=When(immediate=False, recurrence=RecurrenceRequest(BOOT))), SYSTEM
    )
    with pytest.raises(NotRepeatable, match="has not ended"):
        hall.rerun.rerun(active.id, False, SYSTEM)
    with pytest.raises(NotRepeatable, match="recurs"):
        hall.rerun.rerun(pattern.id, False, SYSTEM)
    with pytest.raises(JobNotFound):
        hall.rerun.rerun(uuid4(), False, SYSTEM)
    with pytest.raises(Forbidden):
        hall.rerun.rerun(active.id, False, Caller("nobody", {}))
    work_off(hall, agent, clock())
    load_library(LIBRARY.replace("name: Greet\n", "name: Greet\n    enabled: false\n"))
    with pytest.raises(NotRepeatable, match="module Greet is disabled"):
        hall.rerun.rerun(active.id, False, SYSTEM)


@pytest.mark.parametrize("failed_only", [False, True])
def test_who_may_not_read_what_it_runs_is_not_told_how_it_stands(
    hall: Hall, enrol: Callable[..., UUID], failed_only: bool
) -> None:
    when = When(immediate=False, recurrence=RecurrenceRequest(BOOT))
    agent = enrol("one")
    jobs = [hall.scheduling.submit(a_request(who=on(agent), when=one), SYSTEM) for one in (When(), when)]
    blind = Caller("blind", {Node.SCHEDULING: Right.MODIFY, Node.AGENTS: Right.READ})
    for job in jobs:
        with pytest.raises(Forbidden):
            hall.rerun.rerun(job.id, failed_only, blind)


def test_only_agents_that_the_caller_may_read_run_it_again(hall: Hall, enrol: Callable[..., UUID], clock: Any) -> None:
    agent = enrol("one")
    old = hall.scheduling.submit(a_request(who=on(agent)), SYSTEM)
    work_off(hall, agent, clock(), Event.FAIL)
    with pytest.raises(Forbidden, match="Agents"):
        hall.rerun.rerun(old.id, True, Caller("blind", {Node.SCHEDULING: Right.MODIFY, Node.MODULES: Right.READ}))
