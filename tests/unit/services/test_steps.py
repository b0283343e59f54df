"""Run books: steps start in order, alone or together, if their conditions are met; failures stop what follows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from runbook_world import World, a_book, a_library, a_step

from dispatcher.core.permissions import SYSTEM
from dispatcher.core.states import Event
from dispatcher.services.hall import Hall
from dispatcher.services.starting import Starting
from dispatcher.services.steps import NOT_STARTED

Load = Callable[[str], None]


@pytest.fixture
def world(hall: Hall, enrol: Callable[..., UUID], clock: Any) -> World:
    return World(hall, clock, [enrol("one"), enrol("two"), enrol("three")])


def test_parallel_steps_start_together_and_the_next_one_after_all_of_them(world: World, load_library: Load) -> None:
    load_library(
        a_library(a_book(a_step("a"), a_step("b", "parallel: true"), a_step("c", "parallel: true"), a_step("d")))
    )
    world.start()
    assert world.running() == {"a", "b", "c"}
    world.end("b")
    world.end("a")
    assert world.running() == {"c"}
    world.end("c")
    assert world.running() == {"d"}
    world.end("d")
    assert set(world.states().values()) == {"completed"}


def test_a_failure_in_a_group_stops_the_run_book_after_the_others_have_ended(world: World, load_library: Load) -> None:
    load_library(a_library(a_book(a_step("a"), a_step("b", "parallel: true"), a_step("c"))))
    world.start()
    world.end("a", Event.FAIL)
    assert world.running() == {"b"}
    assert world.states() == {"R": "active", "a": "failed", "b": "active"}
    world.end("b")
    assert world.states() == {"R": "stopped", "a": "failed", "b": "completed"}
    assert world.jobs()["R"].reason == "step a: Failed"


def test_every_culprit_is_named(world: World, load_library: Load) -> None:
    load_library(a_library(a_book(a_step("a"), a_step("b", "parallel: true"), a_step("c"))))
    world.start()
    world.end("b", Event.TIME_OUT)
    world.end("a", Event.FAIL)
    assert world.jobs()["R"].reason == "step a: Failed, step b: Timeout"


def test_a_failure_goes_on_where_the_step_says_so(world: World, load_library: Load) -> None:
    load_library(a_library(a_book(a_step("a", "on_error: continue"), a_step("b", "parallel: true"), a_step("c"))))
    world.start()
    world.end("a", Event.FAIL)
    world.end("b")
    world.end("c")
    assert world.states() == {"R": "completed_with_errors", "a": "failed", "b": "completed", "c": "completed"}


def test_aborting_ends_the_run_book_when_all_of_the_group_are_gone(world: World, load_library: Load) -> None:
    load_library(a_library(a_book(a_step("a"), a_step("b", "parallel: true"), a_step("c"))))
    job = world.start()
    world.running()
    world.hall.aborting.abort(job.id, SYSTEM)
    world.end("a", Event.CONFIRM_ABORT)
    assert world.states() == {"R": "aborting", "a": "aborted", "b": "aborting"}
    world.end("b", Event.CONFIRM_ABORT)
    assert world.states() == {"R": "aborted", "a": "aborted", "b": "aborted"}


def test_aborting_a_group_that_nobody_has_fetched_cancels_it_at_once(world: World, load_library: Load) -> None:
    load_library(a_library(a_book(a_step("a"), a_step("b", "parallel: true"), a_step("c"))))
    job = world.start()
    world.hall.aborting.abort(job.id, SYSTEM)
    assert world.states()["R"] == "aborted"
    assert world.running() == set()


def test_a_nested_run_book_may_run_beside_a_step(world: World, load_library: Load) -> None:
    inner = a_book(a_step("x"), a_step("y"), name="Inner", key=UUID(int=7))
    nested = a_step("nested", "parallel: true", what="runbook: Inner")
    load_library(a_library(inner, a_book(a_step("a"), nested, a_step("z"))))
    world.start()
    assert world.running() == {"a", "x"}
    world.end("x")
    world.end("a")
    assert world.running() == {"y"}
    world.end("y")
    world.end("z")
    assert set(world.states().values()) == {"completed"}


def test_a_disabled_first_step_of_a_group_leaves_the_others_where_they_are(world: World, load_library: Load) -> None:
    off = "modules: [{name: Off, enabled: false}]\n"
    load_library(off)
    load_library(
        a_library(
            a_book(
                a_step("a"),
                a_step("b", what="module: Off"),
                a_step("c", "parallel: true"),
                a_step("d", "parallel: true"),
            ).replace("parameters: {Step: 'b'}", "parameters: {}")
        )
    )
    world.start()
    assert world.running() == {"a"}
    world.end("a")
    assert world.running() == {"c", "d"}


def test_many_steps_that_end_at_once_need_no_deep_stack(world: World, load_library: Load) -> None:
    load_library(a_library(a_book(*(a_step(f"s{number}", 'condition: "false"') for number in range(600)))))
    world.start()
    assert world.states()["R"] == "skipped"


@pytest.mark.parametrize(("event", "expected"), [(Event.COMPLETE, {"after success"}), (Event.FAIL, {"after failure"})])
def test_a_step_may_depend_on_how_the_one_before_it_ended(
    world: World, load_library: Load, event: Event, expected: set[str]
) -> None:
    load_library(
        a_library(
            a_book(
                a_step("a", "on_error: continue"),
                a_step("after success", """condition: 'previous == "completed"'"""),
                a_step("after failure", """parallel: true, condition: 'previous == "failed"'"""),
            )
        )
    )
    world.start()
    world.end("a", event)
    assert world.running() == expected


def test_a_condition_sees_the_present_values(world: World, load_library: Load) -> None:
    step = a_step("a", """condition: {if: '$[Ring] == "1"', else: fail}""")
    load_library(a_library(a_book(step, parameters="{name: Ring}")))
    world.start(values={"Ring": "1"})
    assert world.running() == {"a"}
    world.start(values={"Ring": "2"})
    assert world.states() == {"R": "failed", "a": "failed"}
    assert world.jobs()["a"].reason == """condition not met: $[Ring] == "1\""""


def test_a_step_whose_condition_is_not_met_is_skipped_and_asks_for_no_agent(world: World, load_library: Load) -> None:
    skipped = a_step("a", 'condition: "false"', who="parameter: Target")
    load_library(a_library(a_book(skipped, a_step("b"), parameters="{name: Target, value: nobody here}")))
    world.start()
    world.end("b")
    assert world.states() == {"R": "completed", "a": "skipped", "b": "completed"}
    assert world.jobs()["a"].reason == "condition not met: false"


def test_previous_is_the_outcome_of_the_whole_group(world: World, load_library: Load) -> None:
    load_library(
        a_library(
            a_book(
                a_step("a", "on_error: continue"),
                a_step("b", "parallel: true"),
                a_step("c", """condition: 'previous == "completed_with_errors"'"""),
            )
        )
    )
    world.start()
    world.end("a", Event.FAIL)
    world.end("b")
    assert world.running() == {"c"}


def test_a_defect_fails_the_step_and_not_the_report_of_the_agent(
    world: World, load_library: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_library(a_library(a_book(a_step("a"), a_step("b", "on_error: continue"), a_step("c"))))
    world.start()
    world.running()
    begin, broken = Starting.begin, iter([True, False])

    def fail_once(self: Starting, session: Any, job: Any) -> Any:
        if next(broken):
            raise KeyError("a defect")
        return begin(self, session, job)

    monkeypatch.setattr(Starting, "begin", fail_once)
    world.end("a")
    assert world.states() == {"R": "active", "a": "completed", "b": "failed", "c": "active"}
    assert world.jobs()["b"].reason == NOT_STARTED
