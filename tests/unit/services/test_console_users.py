"""Console users: run books that work where a user is, or was last."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from job_world import a_request
from runbook_world import BOOK, World, a_book, a_library, a_step

from dispatcher.core.console import NOBODY, Console
from dispatcher.core.errors import Forbidden, InvalidValue
from dispatcher.core.jobs import GivenSet, WhatKind
from dispatcher.core.parameters import GivenValue
from dispatcher.core.permissions import SYSTEM, Caller, Node, Right
from dispatcher.core.states import State
from dispatcher.services.enrolment import Facts
from dispatcher.services.hall import Hall

Load = Callable[[str], None]
AT = datetime(2026, 3, 1, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def world(hall: Hall, enrol: Callable[..., UUID], clock: Any) -> World:
    return World(hall, clock, [enrol("one"), enrol("two"), enrol("three")])


def sees(world: World, agent: int, user: str, last: str = "", at: datetime | None = None) -> None:
    """Let the agent at this place tell who is at its console, or was."""
    console = Console(user, last or user, at or AT) if user or last else NOBODY
    world.hall.enrolment.note_facts(world.agents[agent], Facts(os="linux", console=console))


def a_run_book(by: str, more: str = "") -> str:
    """Return the library with a run book of two steps that work where RunBookWho says."""
    who = f"parameter: RunBookWho, by: {by}"
    steps = a_step("a", who=who, Text="$[RunBookWho]"), a_step("b", more, who=who)
    return a_library(a_book(*steps, parameters="{name: RunBookWho}"))


def asked(user: str) -> dict[str, str]:
    return {"RunBookWho": user}


def where(world: World, step: str) -> list[int]:
    world.running()
    return [world.agents.index(agent) for agent, _ in world.held[step]]


@pytest.mark.parametrize("user", ["anna", "ANNA", "CORP\\anna", "corp\\Anna", "  anna "])
@pytest.mark.parametrize("by", ["console_user", "last_console_user", "most_recent"])
def test_it_works_where_the_user_is(world: World, load_library: Load, by: str, user: str) -> None:
    sees(world, 0, "ben")
    sees(world, 1, "CORP\\Anna")
    load_library(a_run_book(by))
    world.start(values=asked(user))
    assert where(world, "a") == [1]


def test_whoever_has_left_is_no_console_user_but_the_last_one(world: World, load_library: Load) -> None:
    sees(world, 1, "", "anna")
    load_library(a_run_book("console_user"))
    with pytest.raises(InvalidValue, match=r"RunBookWho.*no agent whose console user is 'anna'"):
        world.start(values=asked("anna"))
    for by in "last_console_user", "most_recent":
        load_library(a_run_book(by))
        world.start(values=asked("anna"))
        assert where(world, "a") == [1]


@pytest.mark.parametrize("user", ["CORP\\", "\\"])
@pytest.mark.parametrize("by", ["console_user", "last_console_user", "most_recent"])
def test_a_domain_alone_is_no_user_of_agents_that_have_seen_nobody(
    world: World, load_library: Load, by: str, user: str
) -> None:
    load_library(a_run_book(by))
    with pytest.raises(InvalidValue, match="no agent whose"):
        world.start(values=asked(user))


def test_most_recent_is_where_the_user_is_now(world: World, load_library: Load) -> None:
    sees(world, 0, "", "anna", AT + HOUR)
    sees(world, 1, "anna", at=AT)
    sees(world, 2, "ben", at=AT + 2 * HOUR)
    load_library(a_run_book("most_recent"))
    world.start(values=asked("anna"))
    assert where(world, "a") == [1]


@pytest.mark.parametrize("is_there", [True, False])
def test_most_recent_of_several_is_the_last(world: World, load_library: Load, is_there: bool) -> None:
    for agent, at in enumerate((AT, AT + 2 * HOUR, AT + HOUR)):
        sees(world, agent, "anna" if is_there else "", "anna", at)
    load_library(a_run_book("most_recent"))
    world.start(values=asked("anna"))
    assert where(world, "a") == [1]


@pytest.mark.parametrize("by", ["console_user", "last_console_user"])
def test_more_than_one_agent_cancels_the_job(world: World, load_library: Load, by: str) -> None:
    sees(world, 0, "anna")
    sees(world, 1, "Anna")
    load_library(a_run_book(by))
    job = world.start(values=asked("anna"))
    assert job.state is State.CANCELLED
    assert job.reason == "RunBookWho: is for one agent, not for 2: one, two"
    assert world.running() == set()


def test_a_user_of_another_domain_is_another_one(world: World, load_library: Load) -> None:
    sees(world, 0, "CORP\\anna")
    sees(world, 1, "LAB\\anna")
    load_library(a_run_book("console_user"))
    world.start(values=asked("LAB\\Anna"))
    assert where(world, "a") == [1]


def test_an_agent_of_that_name_is_not_meant(world: World, load_library: Load) -> None:
    load_library(a_run_book("console_user"))
    with pytest.raises(InvalidValue, match="no agent whose console user is 'two'"):
        world.start(values=asked("two"))
    sees(world, 2, "two")
    world.start(values=asked("two"))
    assert where(world, "a") == [2]


def test_all_steps_work_where_the_first_one_does(world: World, load_library: Load) -> None:
    sees(world, 1, "anna")
    load_library(a_run_book("console_user"))
    world.start(values=asked("anna"))
    assert world.values("a")["Text"] == str(world.agents[1])
    sees(world, 1, "", "anna")
    sees(world, 2, "anna")
    world.end("a")
    assert where(world, "b") == [1]


def test_a_rerun_looks_for_the_user_again(world: World, load_library: Load) -> None:
    sees(world, 1, "anna")
    load_library(a_run_book("console_user"))
    first = world.start(values=asked("anna"))
    world.end("a")
    world.end("b")
    sees(world, 1, "ben")
    sees(world, 2, "anna")
    world.hall.rerun.rerun(first.id, False, SYSTEM)
    assert where(world, "a") == [2]


def test_a_run_book_inside_works_where_the_one_around_it_does(world: World, load_library: Load) -> None:
    inner = a_book(
        a_step("x", who="parameter: RunBookWho, by: most_recent"),
        name="Inner",
        key=UUID(int=7),
        parameters="{name: RunBookWho}",
    )
    outer = a_book(
        a_step("a", who="parameter: RunBookWho, by: console_user"),
        a_step("nested", what="runbook: Inner", RunBookWho="$[RunBookWho]"),
        parameters="{name: RunBookWho}",
    )
    load_library(a_library(inner, outer))
    sees(world, 1, "anna")
    world.start(values=asked("anna"))
    world.end("a")
    sees(world, 2, "anna", at=AT + HOUR)
    assert where(world, "x") == [1]


def test_an_output_may_be_the_user(world: World, load_library: Load) -> None:
    book = a_book(
        a_step("a", "get: {Text: RunBookWho}"),
        a_step("b", who="parameter: RunBookWho, by: console_user"),
        parameters="{name: RunBookWho}",
    )
    load_library(a_library(book))
    sees(world, 2, "anna")
    world.start()
    world.end("a", Text=["anna"])
    assert where(world, "b") == [2]


def test_without_a_value_it_is_the_agent_that_the_run_book_is_scheduled_on(world: World, load_library: Load) -> None:
    load_library(a_run_book("console_user"))
    world.start(world.agents[1])
    assert where(world, "a") == [1]


def test_it_names_nobody_whom_the_caller_may_not_see(world: World, load_library: Load) -> None:
    sees(world, 1, "anna")
    load_library("teams: [{name: anna, rule: 'true'}]\n" + a_run_book("console_user"))
    may = {Node.SCHEDULING: Right.MODIFY, Node.RUNBOOKS: Right.READ, Node.TEAMS: Right.READ}
    request = a_request(BOOK, WhatKind.RUNBOOK, parameters=[GivenSet(BOOK, [GivenValue("RunBookWho", "anna")])])
    with pytest.raises(Forbidden):
        world.hall.scheduling.submit(request, Caller("somebody", may))
    assert world.hall.scheduling.submit(request, Caller("somebody", {**may, Node.AGENTS: Right.READ})).id


def test_team_rules_ask_about_them(world: World, load_library: Load) -> None:
    rule = 'console_user == "anna" or last_console_user startswith "b"'
    load_library(f"teams: [{{name: Some, rule: '{rule}'}}]\n" + a_library(a_book(a_step("a", who="team: Some"))))
    sees(world, 0, "Anna")
    sees(world, 1, "", "ben")
    sees(world, 2, "", "anna")
    world.start()
    assert where(world, "a") == [0, 1]


def test_facts_that_tell_nothing_new_write_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    sees(world, 0, "anna")
    monkeypatch.setattr(world.hall.enrolment, "_note_facts", lambda *_: pytest.fail("nothing is new"))
    sees(world, 0, "anna")


def test_an_agent_that_starts_with_nobody_there_keeps_who_was_the_last(world: World, load_library: Load) -> None:
    sees(world, 0, "anna", at=AT + HOUR)
    sees(world, 1, "anna")
    sees(world, 0, "")
    load_library(a_run_book("console_user"))
    world.start(values=asked("anna"))
    assert where(world, "a") == [1]
    sees(world, 1, "", "anna", AT + 3 * HOUR)
    load_library(a_run_book("most_recent"))
    world.start(values=asked("anna"))
    assert where(world, "a") == [0]  # its user had left when it told so
