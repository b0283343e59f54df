"""Conditions, further attempts and what projects take from their modules: imported, frozen, exported, refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml
from sqlalchemy import select

from dispatcher.core.jobs import WhatKind
from dispatcher.core.permissions import SYSTEM
from dispatcher.core.ports import Ports
from dispatcher.datastore.definitions import Definition
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.library.catalogue import Library
from dispatcher.services.library.exporting import export
from dispatcher.services.library.importing import ImportReport, import_texts
from dispatcher.services.library.items import Outcome
from dispatcher.services.library.problems import LibraryErrors
from dispatcher.services.secrets import Secrets

Load = Callable[[str], ImportReport]

SAMPLE = """
modules:
  - name: M
    parameters:
      - {name: Level, type: list, value: low, choices: [low, high]}
      - {name: Unused}
      - {name: Line, input: false, output: true}
      - {name: Word, type: password, output: true}
      - {name: Login, type: credentials, output: true}
    tasks:
      - {name: one, type: command, settings: {command: 'true'}, condition: '$[Level] == "high"',
         retry: {times: 3}}
      - {name: two, type: command, settings: {command: 'true'},
         condition: {if: 'previous == "failed" and fact.size > 3', else: fail},
         retry: {times: 1, delay_s: 0.5, factor: 1, max_delay_s: 60}}
      - {name: three, type: command, settings: {command: 'true'}, condition: {if: 'true', else: skip}}
      - {name: four, type: command, settings: {command: 'true'}, enabled: false, condition: 'false'}
projects:
  - name: P
    parameters: [{name: Text}, {name: Mode}]
    modules:
      - {module: M, get: {Line: Text, Word: Word}}
      - module: M
        parameters: {Level: '$[Level]'}
        get: {Line: Line}
        condition: '$[Mode] == "x" or $[Level] == "low"'
"""


@pytest.fixture
def load(datastore: Datastore, ports: Ports, secrets: Secrets) -> Load:
    return lambda text: import_texts(datastore, ports, secrets, {"a.yaml": text.encode()})


def document(datastore: Datastore, kind: WhatKind) -> dict[str, Any]:
    """Return the newest definition of the only object of a kind."""
    with datastore.read() as session:
        query = select(Definition.document).where(Definition.kind == int(kind)).order_by(Definition.version.desc())
        return session.scalars(query).first() or {}


def problem_in(load: Load, text: str) -> str:
    with pytest.raises(LibraryErrors) as caught:
        load(text)
    [problem] = caught.value.problems
    return str(problem)


def test_definitions_carry_conditions_and_retries_of_what_has_them(datastore: Datastore, load: Load) -> None:
    load(SAMPLE)
    one, two, three = document(datastore, WhatKind.MODULE)["tasks"]  # the disabled one is left out
    assert one["condition"] == {"if": '$[Level] == "high"', "else": "skip"}
    assert one["retry"] == {"times": 3, "delay_s": 5, "factor": 2, "max_delay_s": 300}
    assert two["condition"] == {"if": 'previous == "failed" and fact.size > 3', "else": "fail"}
    assert two["retry"] == {"times": 1, "delay_s": 0.5, "factor": 1, "max_delay_s": 60}
    assert "retry" not in three


def test_definitions_of_projects_carry_what_they_take(datastore: Datastore, load: Load) -> None:
    load(SAMPLE)
    project = document(datastore, WhatKind.PROJECT)
    first, second = project["modules"]
    assert (first["get"], "condition" in first) == ({"Line": "Text", "Word": "Word"}, False)
    assert second["condition"] == {"if": '$[Mode] == "x" or $[Level] == "low"', "else": "skip"}
    # What a module gives out under the same name is handed up as it is declared there.
    outputs = {one["name"]: (one["is_input"], one["is_output"]) for one in project["parameters"]}
    assert outputs == {
        "Text": (True, False),
        "Mode": (True, False),
        "Word": (True, True),
        "Level": (True, False),
        "Line": (False, True),
    }


def test_every_change_of_them_is_a_new_version(datastore: Datastore, load: Load) -> None:
    load(SAMPLE)
    assert load(SAMPLE).count(Outcome.UNCHANGED) == 2
    for old, new in [("times: 3", "times: 4"), ('== "high"', '== "low"'), ("Line: Text", "Line: Mode")]:
        before = document(datastore, WhatKind.PROJECT)
        changed = SAMPLE.replace(old, new, 1)
        assert load(changed).count(Outcome.UPDATED) == 1
        assert document(datastore, WhatKind.PROJECT) != before
        load(SAMPLE)


def test_export_says_the_same_again(datastore: Datastore, load: Load, ports: Ports, secrets: Secrets) -> None:
    load(SAMPLE)
    text = export(datastore)
    data = yaml.safe_load(text)
    tasks = data["modules"][0]["tasks"]
    assert [task["condition"] for task in tasks] == [
        '$[Level] == "high"',
        {"if": 'previous == "failed" and fact.size > 3', "else": "fail"},
        "true",
        "false",
    ]
    assert tasks[1]["retry"] == {"times": 1, "delay_s": 0.5, "factor": 1, "max_delay_s": 60}
    assert data["projects"][0]["modules"][0]["get"] == {"Line": "Text", "Word": "Word"}
    assert import_texts(datastore, ports, secrets, {"b.yaml": text.encode()}).count(Outcome.UNCHANGED) == 2
    assert export(datastore) == text


def test_callers_are_asked_for_what_conditions_ask_about(datastore: Datastore, load: Load, secrets: Secrets) -> None:
    load(SAMPLE)
    library = Library(datastore, secrets)
    for kind, wanted in [(WhatKind.MODULE, ["Level"]), (WhatKind.PROJECT, ["Mode", "Level"])]:
        [what] = library.whats(kind, SYSTEM)
        assert [one.name for one in library.inputs(kind, what.id, SYSTEM).parameters] == wanted


MODULE = (
    "modules:\n  - name: M\n    parameters: [{name: Line, output: true}, {name: Word, type: password, output: true}]\n"
)
TASK = MODULE + "    tasks:\n      - name: t\n        type: command\n        settings: {command: x}\n"
PROJECT = MODULE + "projects:\n  - name: P\n    parameters: [{name: Text}]\n    modules:\n      - module: M\n"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            f"{TASK}        condition: colour == 1",
            "8: modules[0].tasks[0].condition.if: rule: column 1: 'colour' where one of",
        ),
        (f"{TASK}        condition: $[Lost] == 1", "8: modules[0].tasks[0].condition.if: $[Lost] is not declared"),
        (
            f"{TASK}        condition:\n          if: $[Word] != 1\n          else: fail",
            "9: modules[0].tasks[0].condition.if: $[Word] is secret",
        ),
        (f"{TASK}        condition: {{else: fail}}", "8: modules[0].tasks[0].condition.if: is missing"),
        (f"{TASK}        condition: {{if: 'true', else: x}}", "8: modules[0].tasks[0].condition.else: "),
        (
            f"{TASK}        condition: {{if: 'true', then: x}}",
            "8: modules[0].tasks[0].condition.then: is not known here",
        ),
        (f"{TASK}        retry: {{times: 0}}", "8: modules[0].tasks[0].retry.times: "),
        (f"{TASK}        retry: {{delay_s: 5}}", "8: modules[0].tasks[0].retry.times: is missing"),
        (f"{TASK}        retry: {{times: 1, delay_s: inf}}", "8: modules[0].tasks[0].retry.delay_s: "),
        (f"{TASK}        retry: {{times: 1, factor: 0.5}}", "8: modules[0].tasks[0].retry.factor: "),
        (f"{PROJECT}        get: {{Lost: Text}}", "9: projects[0].modules[0].get.Lost: there is no output parameter"),
        (f"{PROJECT}        get: {{Line: Lost}}", "9: projects[0].modules[0].get.Line: there is no parameter 'Lost'"),
        (f"{PROJECT}        get: {{Word: Text}}", "9: projects[0].modules[0].get.Word: 'Word' is a password"),
        (
            f"{PROJECT}        condition: $[Line] == 1",
            "9: projects[0].modules[0].condition.if: $[Line] is not declared",
        ),
    ],
)
def test_problems_are_told_with_their_place(load: Load, text: str, problem: str) -> None:
    assert problem in problem_in(load, text).removeprefix("a.yaml:")


def test_two_outputs_have_no_place_in_one_parameter(load: Load) -> None:
    text = PROJECT.replace("{name: Word, type: password", "{name: Word") + "        get: {Line: Text, Word: Text}"
    with pytest.raises(LibraryErrors) as caught:
        load(text)
    assert [str(one).endswith("'Text' takes more than one value") for one in caught.value.problems] == [True, True]
