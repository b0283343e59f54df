"""Targets of steps: whom parameters name, and the run book that is for one agent."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from job_world import a_request, on
from runbook_world import BOOK, TEAM, World, a_book, a_library, a_step

from dispatcher.core.errors import Forbidden, InvalidValue
from dispatcher.core.jobs import GivenSet, WhatKind, When, WhoChoice
from dispatcher.core.parameters import GivenValue
from dispatcher.core.permissions import SYSTEM, Caller, Node, Right
from dispatcher.core.states import State
from dispatcher.services.hall import Hall

Load = Callable[[str], None]


@pytest.fixture
def world(hall: Hall, enrol: Callable[..., UUID], clock: Any) -> World:
    return World(hall, clock, [enrol("one"), enrol("two"), enrol("three")])


def test_a_parameter_may_name_teams(world: World, load_library: Load) -> None:
    teams = "teams: [{name: Some, agents: [one, three]}]\n"
    book = a_book(a_step("a", who="parameter: Target"), parameters="{name: Target, value: Some;two}")
    load_library(teams + a_library(book))
    world.start()
    world.running()
    assert len(world.held["a"]) == 3


def test_a_parameter_without_a_value_names_nobody(world: World, load_library: Load) -> None:
    load_library(a_library(a_book(a_step("a", who="parameter: Target"), parameters="{name: Target}")))
    world.start()
    assert world.states() == {"R": "skipped", "a": "skipped"}
    assert world.jobs()["a"].reason == "no agent: nobody is named"


def test_an_unknown_name_fails_the_step_with_the_reason(world: World, load_library: Load) -> None:
    book = a_book(a_step("a"), a_step("b", who="parameter: Target"), parameters="{name: Target, value: nobody here}")
    load_library(a_library(book))
    world.start()
    world.end("a")
    assert world.states() == {"R": "completed_with_errors", "a": "completed", "b": "failed"}
    assert "nobody here" in world.jobs()["b"].reason


ONE_AGENT = a_library(
    a_book(
        a_step("a", who="parameter: RunBookWho", Text="$[RunBookWho]"),
        a_step("b", who="ask: true"),
        parameters="{name: RunBookWho}",
    )
)


def test_it_is_the_agent_that_the_run_book_is_scheduled_on(world: World, load_library: Load) -> None:
    load_library(ONE_AGENT)
    world.start(world.agents[1])
    assert world.values("a")["Text"] == "two"
    assert [agent for agent, _ in world.held["a"]] == [world.agents[1]]


def test_its_value_comes_before_the_agents_of_the_job(world: World, load_library: Load) -> None:
    load_library(ONE_AGENT)
    world.start(*world.agents, values={"RunBookWho": str(world.agents[2]).upper()})
    world.running()
    assert [agent for agent, _ in world.held["a"]] == [world.agents[2]]


@pytest.mark.parametrize("values", [{}, {"RunBookWho": "one;two"}, {"RunBookWho": "All"}])
def test_more_than_one_agent_cancels_the_job(world: World, load_library: Load, values: dict[str, str]) -> None:
    load_library("teams: [{name: All, rule: 'true'}]\n" + ONE_AGENT)
    job = world.start(*world.agents[:2], values=values)
    assert job.state is State.CANCELLED
    assert job.reason.startswith("RunBookWho: is for one agent, not for ")
    assert world.running() == set()


def test_the_members_of_a_team_count(world: World, load_library: Load) -> None:
    load_library("teams: [{name: All, rule: 'true'}]\n" + ONE_AGENT)
    assert world.start(who=[WhoChoice(["All"], TEAM)]).state is State.CANCELLED


def test_a_job_of_later_is_looked_at_when_it_starts(world: World, load_library: Load, clock: Any) -> None:
    load_library(ONE_AGENT)
    when = When(immediate=False, starts_at=clock() + timedelta(hours=1))
    job = world.start(*world.agents[:2], when=when)
    assert job.state is State.SCHEDULED
    clock.turn(timedelta(hours=1))
    world.hall.clockwork.activate_due()
    assert world.hall.jobs.get(job.id, SYSTEM).state is State.CANCELLED


@pytest.mark.parametrize("value", ["twin", "nobody here"])
def test_a_name_that_fits_several_agents_or_none_is_refused(
    world: World, load_library: Load, enrol: Callable[..., UUID], value: str
) -> None:
    enrol("twin")
    enrol("twin")
    load_library(ONE_AGENT)
    with pytest.raises(InvalidValue, match=r"RunBookWho.*'?(twin|nobody here)"):
        world.start(values={"RunBookWho": value})


def test_it_names_nobody_whom_the_caller_may_not_see(world: World, load_library: Load) -> None:
    load_library(ONE_AGENT)
    may = {Node.SCHEDULING: Right.MODIFY, Node.RUNBOOKS: Right.READ, Node.TEAMS: Right.READ}
    values = [GivenSet(BOOK, [GivenValue("RunBookWho", "two")])]
    request = a_request(BOOK, WhatKind.RUNBOOK, who=[], parameters=values)
    with pytest.raises(Forbidden):
        world.hall.scheduling.submit(request, Caller("somebody", may))


INNER = UUID("00000000-0000-4000-8000-0000000000b1")
NAMED = a_library(
    a_book(
        a_step("a", who="parameter: Ring"),
        a_step("b", what="runbook: Inner", Targets="$[Below]"),
        parameters="{name: Ring, value: one}, {name: Below, value: one}",
    ),
    a_book(a_step("c", who="parameter: Targets"), name="Inner", key=INNER, parameters="{name: Targets}"),
)
SCHEDULER = {Node.SCHEDULING: Right.MODIFY, Node.RUNBOOKS: Right.READ}


@pytest.mark.parametrize("name", ["Ring", "Below"])
@pytest.mark.parametrize(
    ("value", "node"), [("two", Node.AGENTS), ("one;All", Node.TEAMS), ("later", Node.AGENTS), ("later", Node.TEAMS)]
)
def test_no_parameter_names_whom_the_caller_may_not_see(
    world: World, load_library: Load, name: str, value: str, node: Node
) -> None:
    load_library("teams: [{name: All, rule: 'true'}]\n" + NAMED)
    request = a_request(BOOK, WhatKind.RUNBOOK, parameters=[GivenSet(BOOK, [GivenValue(name, value)])])
    may = {**SCHEDULER, Node.AGENTS: Right.READ, Node.TEAMS: Right.READ}
    with pytest.raises(Forbidden):
        world.hall.scheduling.submit(request, Caller("somebody", {**may, node: Right.DENY}))
    world.hall.scheduling.submit(request, Caller("somebody", may))


def test_whom_a_run_book_itself_names_the_caller_need_not_see(world: World, load_library: Load) -> None:
    load_library(NAMED)
    given = [GivenSet(BOOK, [GivenValue("Ring", "one")])]
    request = a_request(BOOK, WhatKind.RUNBOOK, parameters=given)
    assert world.hall.scheduling.submit(request, Caller("somebody", SCHEDULER)).state is State.ACTIVE


def test_an_agent_whose_name_is_not_its_alone_is_told_by_its_id(
    world: World, load_library: Load, enrol: Callable[..., UUID]
) -> None:
    twin, _ = enrol("twin"), enrol("twin")
    world.agents.append(twin)
    load_library(ONE_AGENT)
    world.start(who=on(twin))
    assert world.values("a")["Text"] == str(twin)
