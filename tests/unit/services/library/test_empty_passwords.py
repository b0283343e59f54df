"""An empty text of a file means the stored password only where it is certain which one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
import yaml
from job_world import a_request, lease, on

from dispatcher.core.jobs import WhatKind
from dispatcher.core.permissions import SYSTEM
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.hall import Hall
from dispatcher.services.library.exporting import export
from dispatcher.services.library.problems import LibraryErrors

LIBRARY = """
modules:
  - name: M
    parameters: [{name: W, type: password, value: default}, {name: V, type: password}, {name: Text}]
    tasks: [{type: command, name: t, settings: {command: 'echo "$[W]$[V]$[Text]"'}}]
  - {name: N, tasks: [{type: command, name: t, settings: {command: 'true'}}]}
projects:
  - name: P
    id: 00000000-0000-4000-8000-0000000000c0
    modules:
      - {module: M, parameters: {W: for-A, Text: a}}
      - {module: M, parameters: {W: for-B, Text: b}}
runbooks:
  - name: R
    steps:
      - {name: one, module: M, who: [{ask: true}], parameters: {W: pw-one}}
      - {name: two, module: M, who: [{ask: true}], parameters: {Text: none}}
"""
PROJECT = UUID("00000000-0000-4000-8000-0000000000c0")
Load = Callable[[str], None]
Change = Callable[[list[Any], list[Any]], object]
NEW = {"name": "new", "module": "M", "who": [{"ask": True}], "parameters": {"W": ""}}


def changed(datastore: Datastore, change: Change) -> str:
    """Return the export with the modules of the project and the steps of the run book changed."""
    document = yaml.safe_load(export(datastore))
    change(document["projects"][0]["modules"], document["runbooks"][0]["steps"])
    return yaml.safe_dump(document)


def words(hall: Hall, enrol: Callable[..., UUID]) -> list[str]:
    agent = enrol("one")
    hall.scheduling.submit(a_request(PROJECT, WhatKind.PROJECT, who=on(agent)), SYSTEM)
    [run] = lease(hall, agent, 1)
    return [one.value1 for module in run.modules for one in module.parameters if one.name == "W"]


def rename(key: str, modules: list[Any]) -> None:
    for module in modules:
        module["parameters"][key] = module["parameters"].pop("W")


@pytest.mark.parametrize(
    ("change", "paths"),
    [
        (lambda modules, _: modules.pop(0), ["projects[0].modules[0].parameters.W"]),
        (lambda modules, _: modules.reverse(), [f"projects[0].modules[{place}].parameters.W" for place in (0, 1)]),
        (
            lambda modules, _: modules.append({"module": "M", "parameters": {"W": ""}}),
            [f"projects[0].modules[{place}].parameters.W" for place in (0, 1, 2)],
        ),
        (lambda modules, _: modules[1].update(parameters={"W": "", "Text": "c"}),
         [f"projects[0].modules[{place}].parameters.W" for place in (0, 1)]),
        (lambda modules, _: rename("V", modules), [f"projects[0].modules[{place}].parameters.V" for place in (0, 1)]),
        (lambda _, steps: steps[0].update(name="renamed"), ["runbooks[0].steps[0].parameters.W"]),
        (lambda _, steps: steps[1].update(name="one"), ["runbooks[0].steps[0].parameters.W"]),
    ],
    ids=["deleted", "swapped", "added", "changed", "other parameter", "renamed step", "two of one name"],
)  # fmt: skip
def test_what_is_not_certain_is_a_problem_and_changes_nothing(
    datastore: Datastore, hall: Hall, load_library: Load, enrol: Callable[..., UUID], change: Change, paths: list[str]
) -> None:
    load_library(LIBRARY)
    with pytest.raises(LibraryErrors) as caught:
        load_library(changed(datastore, change))
    assert [one.path for one in caught.value.problems] == paths
    assert words(hall, enrol) == ["for-A", "for-B"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda modules, _: modules.insert(1, {"module": "N"}), ["for-A", "for-B"]),
        (lambda modules, _: modules[1]["parameters"].update(W="new"), ["for-A", "new"]),
        (lambda modules, _: [modules.pop(0), modules[0]["parameters"].update(W="only")], ["only"]),
        (lambda modules, _: [one["parameters"].pop("W") for one in modules], ["default", "default"]),
        (lambda _, steps: steps[0].update(on_error="continue", parameters={"W": "", "Text": "x"}), ["for-A", "for-B"]),
        (lambda _, steps: steps.append(NEW), ["for-A", "for-B"]),
        (lambda _, steps: steps.reverse(), ["for-A", "for-B"]),
        (lambda _, steps: [steps[0]["parameters"].update(W="x"), steps[1]["parameters"].update(V="")],
         ["for-A", "for-B"]),
    ],
    ids=["another module", "one given", "all given", "left out", "alone", "new step", "moved", "new beside"],
)  # fmt: skip
def test_what_is_certain_stays(
    datastore: Datastore,
    hall: Hall,
    load_library: Load,
    enrol: Callable[..., UUID],
    change: Change,
    expected: list[str],
) -> None:
    load_library(LIBRARY)
    load_library(changed(datastore, change))
    assert words(hall, enrol) == expected
