"""Run books in library files: what steps may say, where mistakes are told, and that nothing is lost on the way back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
import yaml
from runbook_world import BOOK, a_book, a_library, a_step

from dispatcher.core.jobs import WhatKind
from dispatcher.core.permissions import SYSTEM
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.hall import Hall
from dispatcher.services.library import versions
from dispatcher.services.library.exporting import export
from dispatcher.services.library.problems import LibraryErrors

Load = Callable[[str], None]
EVERYTHING = """get: {Text: T}, parallel: true, timeout_s: 1.5, wake_on_lan: true, offline_agents_next_boot: true,
         launch_window: wait, batch: {share: 0.25}, stop_at_share: 0.5, condition: {if: '$[T] == "x"', else: fail}"""


def steps_of(datastore: Datastore) -> list[dict[str, Any]]:
    with datastore.read() as session:
        row = versions.row_of(session, (WhatKind.RUNBOOK, BOOK))
        assert row is not None
        definition = versions.newest(session, WhatKind.RUNBOOK, BOOK, row.version)
        assert definition is not None
        steps: list[dict[str, Any]] = definition.document["steps"]
        return steps


def test_the_frozen_definition_carries_all_that_a_step_says(load_library: Load, datastore: Datastore) -> None:
    load_library(a_library(a_book(a_step("a"), a_step("b", EVERYTHING), parameters="{name: T}")))
    first, second = steps_of(datastore)
    assert first.keys() == {"name", "who", "on_error", "parameters", "kind", "what"}
    assert second["get"] == {"Text": "T"}
    assert second["condition"] == {"if": '$[T] == "x"', "else": "fail"}
    assert second["options"] == {
        "parallel": True,
        "timeout_s": 1.5,
        "wake_on_lan": True,
        "offline_agents_next_boot": True,
        "launch_window": "wait",
        "batch_share": 0.25,
        "stop_at_share": 0.5,
    }


def test_export_gives_back_all_that_a_step_says_and_no_more(load_library: Load, datastore: Datastore) -> None:
    load_library(a_library(a_book(a_step("a", "condition: 'true'"), a_step("b", EVERYTHING), parameters="{name: T}")))
    text = export(datastore)
    first, second = yaml.safe_load(text)["runbooks"][0]["steps"]
    assert first == {
        "name": "a", "module": "M", "who": [{"ask": True}], "condition": "true", "parameters": {"Step": "a"},
    }  # fmt: skip
    written = yaml.safe_load("{" + EVERYTHING + "}")
    assert {name: second[name] for name in written} == written
    before = steps_of(datastore)
    load_library(text)
    assert steps_of(datastore) == before
    assert export(datastore) == text


def test_an_output_is_handed_up_under_its_own_name(load_library: Load, hall: Hall) -> None:
    load_library(a_library(a_book(a_step("a", "get: {Text: Text, Secret: Secret}"))))
    given = hall.library.outputs(WhatKind.RUNBOOK, BOOK, SYSTEM).parameters
    assert [one.name for one in given] == ["Text", "Secret"]


def test_what_a_condition_asks_about_is_asked_at_scheduling(load_library: Load, hall: Hall) -> None:
    asked = """condition: '$[Ring] == "1"'"""
    load_library(a_library(a_book(a_step("a", asked), parameters="{name: Ring}, {name: Unused}")))
    wanted = hall.library.inputs(WhatKind.RUNBOOK, BOOK, SYSTEM).parameters
    assert [one.name for one in wanted] == ["Ring"]


def test_a_disabled_leader_hands_the_lead_of_its_group_on(load_library: Load, datastore: Datastore) -> None:
    load_library("modules: [{name: Off, enabled: false}]")
    off = a_step("off", what="module: Off").replace("Step: 'off'", "")
    more = [a_step(name, "parallel: true") for name in ("b", "c")]
    load_library(a_library(a_book(a_step("a"), off, *more)))
    assert [step.get("options") for step in steps_of(datastore)] == [None, None, {"parallel": True}]


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ("parallel: true", "steps[0].parallel: there is no step before it to start with"),
        ("timeout_s: 0", "steps[0].timeout_s: should be greater than 0"),
        ("timeout_s: .inf", "steps[0].timeout_s: "),
        ("launch_window: maybe", "steps[0].launch_window: should be 'fail', 'continue' or 'wait'"),
        ("batch: {}", "steps[0].batch: has one of size and share"),
        ("batch: {size: 1, share: 0.5}", "steps[0].batch: has one of size and share"),
        ("batch: {size: 0}", "steps[0].batch.size: should be greater than or equal to 1"),
        ("batch: {share: 1.5}", "steps[0].batch.share: should be less than or equal to 1"),
        ("batch: {share: .nan}", "steps[0].batch.share: "),
        ("batch: {size: 2}, select_one_agent: true", "steps[0].batch: one agent makes no batches"),
        ("stop_at_share: 0.5", "steps[0].stop_at_share: only a step with a batch can stop on the way"),
        ("get: {Step: T}", "steps[0].get.Step: there is no output parameter 'Step'"),
        ("get: {Text: X}", "steps[0].get.Text: "),
        ("get: {Secret: T}", "steps[0].get.Secret: 'Secret' is a password"),
        ("condition: 'os == \"linux\"'", "'os' where one of"),
        ("condition: '$[X] == \"1\"'", "$[X] is not declared"),
        ("condition: '$[S] == \"1\"'", "$[S] is secret"),
        ("condition: {if: 'true', else: stop}", "condition.else: should be 'skip' or 'fail'"),
    ],
)
def test_mistakes_are_told_at_their_place(load_library: Load, more: str, problem: str) -> None:
    book = a_book(a_step("a", more), parameters="{name: T}, {name: S, type: password}")
    with pytest.raises(LibraryErrors) as caught:
        load_library(a_library(book))
    [line] = str(caught.value).splitlines()
    assert line.startswith("library.yaml:")
    assert problem in line


RUN_BOOK_WHO = "parameter: RunBookWho, by: most_recent"


def test_what_chooses_the_agent_is_frozen_and_exported(load_library: Load, datastore: Datastore) -> None:
    steps = a_step("a", who=RUN_BOOK_WHO), a_step("b", who=RUN_BOOK_WHO)
    load_library(a_library(a_book(*steps, parameters="{name: RunBookWho}")))
    who = [{"parameter": "RunBookWho", "by": "most_recent"}]
    assert [step["who"] for step in steps_of(datastore)] == [who, who]
    text = export(datastore)
    assert [step["who"] for step in yaml.safe_load(text)["runbooks"][0]["steps"]] == [who, who]
    load_library(text)
    assert export(datastore) == text


def test_the_computer_chooses_where_nothing_else_is_said(load_library: Load, datastore: Datastore) -> None:
    steps = a_step("a", who="parameter: runbookwho"), a_step("b", who="parameter: runbookwho, by: computer")
    load_library(a_library(a_book(*steps, parameters="{name: runbookwho}")))
    assert [step["who"] for step in steps_of(datastore)] == [[{"parameter": "runbookwho"}]] * 2


@pytest.mark.parametrize(
    ("first", "second", "problem"),
    [
        (
            "ask: true",
            "parameter: RunBookWho, by: somebody",
            "steps[1].who[0].by: should be 'computer', 'console_user'",
        ),
        ("ask: true", "parameter: T, by: console_user", "steps[1].who[0].by: only the parameter RunBookWho has this"),
        ("ask: true", "ask: true, by: console_user", "steps[1].who[0].by: only the parameter RunBookWho has this"),
        (RUN_BOOK_WHO, "parameter: RunBookWho", "steps[1].who[0].by: a step before this one chooses otherwise"),
        ("parameter: RunBookWho", RUN_BOOK_WHO, "steps[1].who[0].by: a step before this one chooses otherwise"),
    ],
)
def test_a_choice_that_means_nothing_is_told_at_its_place(
    load_library: Load, first: str, second: str, problem: str
) -> None:
    book = a_book(a_step("a", who=first), a_step("b", who=second), parameters="{name: RunBookWho}, {name: T}")
    with pytest.raises(LibraryErrors) as caught:
        load_library(a_library(book))
    [line] = str(caught.value).splitlines()
    assert line.startswith("library.yaml:19: ")
    assert problem in line


def test_a_secret_names_no_agents(load_library: Load) -> None:
    book = a_book(a_step("a", who="parameter: S"), parameters="{name: S, type: password}")
    with pytest.raises(LibraryErrors, match=r"who\[0\]\.parameter: parameter 'S' is secret: it names nobody"):
        load_library(a_library(book))


def test_a_nested_run_book_is_checked_as_a_module_is(load_library: Load) -> None:
    inner = a_book(a_step("x"), name="Inner", key=UUID(int=7), parameters="{name: In}")
    with pytest.raises(LibraryErrors, match=r"get\.In: there is no output parameter 'In'"):
        load_library(a_library(inner, a_book(a_step("a", "get: {In: In}", what="runbook: Inner"))))
