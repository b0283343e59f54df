"""Links of steps: values go down into steps and their outputs come back, secrets sealed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from runbook_world import World, a_book, a_library, a_step, rows

from dispatcher.core.permissions import SYSTEM
from dispatcher.datastore.jobs import JOBS
from dispatcher.services.hall import Hall

Load = Callable[[str], None]


@pytest.fixture
def world(hall: Hall, enrol: Callable[..., UUID], clock: Any) -> World:
    return World(hall, clock, [enrol("one"), enrol("two"), enrol("three")])


OUTPUTS = {
    "Text": ["two"],
    "Choice": ["b"],
    "Account": ["user", "s3cret"],
    "Secret": ["pass;word"],
    "Lines": ["x\ny"],
    "Several": ["a;c"],
}
ALL_TYPES = """{name: T, output: true}, {name: C, type: list, value: a, choices: [a, b]},
      {name: A, type: credentials, value: before, password: old}, {name: S, type: password, output: true},
      {name: L, type: multiline}, {name: V, type: multiselect, choices: [a, b, c]}"""
GETS = "get: {Text: T, Choice: C, Account: A, Secret: S, Lines: L, Several: V}"
LINKS = {"Text": "$[T]", "Choice": "$[C]", "Account": "$[A]", "Secret": "$[S]", "Lines": "$[L]", "Several": "$[V]"}


def test_outputs_of_all_types_reach_the_next_step(world: World, load_library: Load) -> None:
    load_library(a_library(a_book(a_step("a", GETS), a_step("b", "", **LINKS), parameters=ALL_TYPES)))
    world.start()
    assert world.values("a")["Text"] == ""
    world.end("a", **OUTPUTS)
    seen = world.values("b")
    assert seen == {"Step": "b", **{name: " ".join(given) for name, given in OUTPUTS.items()}}


def test_secrets_are_sealed_wherever_they_are_stored(world: World, load_library: Load, datastore: Any) -> None:
    load_library(a_library(a_book(a_step("a", GETS), a_step("b", "", **LINKS), parameters=ALL_TYPES)))
    world.start()
    world.end("a", **OUTPUTS)
    world.end("b")
    stored = rows(datastore)
    assert stored["R"]["outputs"][0].keys() == {"T", "S"}
    for row in stored.values():
        assert "pass;word" not in str(dict(row))
        assert "s3cret" not in str(dict(row))


def test_the_caller_gets_the_outputs_of_the_run_book_without_its_secrets(world: World, load_library: Load) -> None:
    load_library(a_library(a_book(a_step("a", GETS), parameters=ALL_TYPES)))
    job = world.start()
    world.end("a", **OUTPUTS)
    [given] = world.hall.results.collect(job.id, False, SYSTEM)[0].job.outputs
    assert {one.name: one.value1 for one in given.parameters} == {"T": "two", "S": ""}


def test_the_run_book_shows_what_its_parameters_are_now(world: World, load_library: Load) -> None:
    book = a_book(
        a_step("a", "get: {Text: T}"), a_step("b"), parameters="{name: T, value: before}, {name: S, type: password}"
    )
    load_library(a_library(book))
    world.start()
    world.end("a", Text=["after"])
    [shown] = world.jobs()["R"].parameters
    assert {one.name: one.value1 for one in shown.parameters} == {"T": "after", "S": ""}


def test_a_step_that_set_nothing_gives_the_value_that_it_began_with(world: World, load_library: Load) -> None:
    book = a_book(
        a_step("a", "get: {Text: T}", Text="$[T] it"),
        a_step("b", Text="$[T]"),
        parameters="{name: T, value: before}",
    )
    load_library(a_library(book))
    world.start()
    world.end("a")
    assert world.values("b")["Text"] == "before it"


@pytest.mark.parametrize(("type_", "value"), [("list", "c"), ("multiselect", "a;c"), ("list", "")])
def test_a_value_that_is_no_choice_of_what_takes_it_fails_the_run_book(
    world: World, load_library: Load, type_: str, value: str
) -> None:
    parameters = f"{{name: C, type: {type_}, value: a, choices: [a, b]}}"
    load_library(a_library(a_book(a_step("a", "get: {Text: C}"), a_step("b"), parameters=parameters)))
    world.start()
    world.end("a", Text=[value])
    assert world.states() == {"R": "failed", "a": "completed"}
    problem = "c" if value else ""
    assert world.jobs()["R"].reason == f"step a: Parameters/C: {problem!r} is none of a, b"
    assert [one.value1 for one in world.jobs()["R"].parameters[0].parameters] == ["a"]


@pytest.mark.parametrize(("link", "value"), [("Choice", "c"), ("Several", "a;d"), ("Choice", "")])
def test_a_value_that_is_no_choice_of_what_it_is_linked_to_fails_the_step(
    world: World, load_library: Load, link: str, value: str
) -> None:
    steps = a_step("a", "on_error: continue", **{link: "$[T]"}), a_step("b")
    load_library(a_library(a_book(*steps, parameters="{name: T}")))
    world.start(values={"T": value})
    world.end("b")
    assert world.states() == {"R": "completed_with_errors", "a": "failed", "b": "completed"}
    wrong, choices = value.split(";")[-1], "a, b, c" if link == "Several" else "a, b"
    assert world.jobs()["a"].reason == f"Parameters/{link}: {wrong!r} is none of {choices}"


def test_a_step_that_is_skipped_needs_no_right_value(world: World, load_library: Load) -> None:
    step = a_step("a", "condition: '$[T] == \"a\"'", Choice="$[T]")
    load_library(a_library(a_book(step, parameters="{name: T, value: c}")))
    world.start()
    assert world.states() == {"R": "skipped", "a": "skipped"}


def test_a_step_that_was_skipped_gives_nothing(world: World, load_library: Load) -> None:
    book = a_book(
        a_step("a", "get: {Text: T}, condition: 'false'"),
        a_step("b", Text="$[T]"),
        parameters="{name: T, value: before}",
    )
    load_library(a_library(book))
    world.start()
    assert world.values("b")["Text"] == "before"


def test_outputs_of_a_group_are_taken_in_the_order_of_its_steps(world: World, load_library: Load) -> None:
    book = a_book(
        a_step("a", "get: {Text: T}"),
        a_step("b", "parallel: true, get: {Text: T}"),
        a_step("c", Text="$[T]"),
        parameters="{name: T}",
    )
    load_library(a_library(book))
    world.start()
    world.end("b", Text=["of b"])
    world.end("a", Text=["of a"])
    assert world.values("c")["Text"] == "of b"


def test_nested_run_books_pass_parameters_down_and_outputs_up(world: World, load_library: Load) -> None:
    inner = a_book(
        a_step("x", "get: {Text: Given}", Text="$[Wanted]"),
        name="Inner",
        key=UUID(int=7),
        parameters="{name: Wanted}, {name: Given, input: false, output: true}",
    )
    nested = a_step("nested", "get: {Given: T}", what="runbook: Inner", Wanted="from $[T]")
    load_library(a_library(inner, a_book(nested, a_step("b", Text="$[T]"), parameters="{name: T, value: above}")))
    world.start()
    assert world.values("x")["Text"] == "from above"
    world.end("x", Text=["from below"])
    assert world.values("b")["Text"] == "from below"


def test_an_output_may_name_the_agents_of_a_later_step(world: World, load_library: Load) -> None:
    book = a_book(a_step("a", "get: {Text: Target}"), a_step("b", who="parameter: Target"), parameters="{name: Target}")
    load_library(a_library(book))
    world.start()
    world.end("a", Text=["two; three"])
    world.running()
    assert [agent for agent, _ in world.held["b"]] == world.agents[1:]


def test_a_step_whose_secrets_cannot_be_opened_fails_and_says_so(
    world: World, load_library: Load, datastore: Any
) -> None:
    load_library(
        a_library(a_book(a_step("a"), a_step("b", "", Secret="$[S]"), parameters="{name: S, type: password, value: x}"))
    )
    world.start()
    world.running()
    with datastore.begin() as session:
        broken = {"S": ["sealed by another key"]}
        session.execute(JOBS.update().where(JOBS.c.id == world.job).values(parameters=[broken]))
    world.end("a")
    assert world.states() == {"R": "completed_with_errors", "a": "completed", "b": "failed"}
    assert world.jobs()["b"].reason != ""


def test_a_run_book_whose_values_cannot_be_opened_fails_when_it_takes_an_output(
    world: World, load_library: Load, datastore: Any
) -> None:
    load_library(
        a_library(a_book(a_step("a", "get: {Secret: S}"), a_step("b"), parameters="{name: S, type: password}"))
    )
    world.start()
    world.running()
    with datastore.begin() as session:
        broken = {"S": ["sealed by another key"]}
        session.execute(JOBS.update().where(JOBS.c.id == world.job).values(parameters=[broken]))
    world.end("a", Secret=["x"])
    assert world.states() == {"R": "failed", "a": "completed"}
    assert world.jobs()["R"].reason != ""
