"""Definitions: what a version of a module, project or run book says, and the plan of a run made from it.

A definition holds everything it refers to, so that a job can run the version it was scheduled with whatever happens
to the library meanwhile. Ids are lower-case hyphenated text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypedDict, cast

from dispatcher.core.jobs import WhatKind
from dispatcher.core.parameters import Parameter, ParameterType


class ParameterDocument(TypedDict):
    """A declared parameter with its default; values of secret types are sealed."""

    name: str
    type: int
    value1: str
    value2: str
    value3: str
    description: str
    hint: str
    is_input: bool
    is_output: bool


class TaskDocument(TypedDict):
    """A task. ``on_error`` is ``stop`` or ``continue``."""

    id: str
    name: str
    type: str
    settings: dict[str, Any]
    timeout_s: float | None
    on_error: str
    repeatable: bool


class ModuleDocument(TypedDict):
    """A module; disabled tasks are left out."""

    id: str
    name: str
    platforms: list[str]
    parameters: list[ParameterDocument]
    tasks: list[TaskDocument]


class LinkedModule(TypedDict):
    """A module of a project. ``parameters`` maps its parameter names to values or texts with ``$[links]``."""

    module: ModuleDocument
    parameters: dict[str, str]


class ProjectDocument(TypedDict):
    """A project with its modules in order."""

    id: str
    name: str
    parameters: list[ParameterDocument]
    modules: list[LinkedModule]


class StepDocument(TypedDict):
    """A step of a run book: ``what`` is a document of kind ``kind`` (``core.jobs.WhatKind``).

    ``who`` lists ``{"agent": id}``, ``{"team": id}``, ``{"parameter": name}`` or ``{"ask": true}``.
    """

    name: str
    kind: int
    what: dict[str, Any]
    who: list[dict[str, Any]]
    on_error: str
    parameters: dict[str, str]


class RunBookDocument(TypedDict):
    """A run book with its steps in order."""

    id: str
    name: str
    parameters: list[ParameterDocument]
    steps: list[StepDocument]


@dataclass(slots=True)
class PlannedModule:
    """A module of a run with the values its tasks see."""

    document: ModuleDocument
    parameters: list[Parameter]


_LINK = re.compile(r"\$\[([^\]\[]{1,255})\]")


def to_parameters(documents: Iterable[ParameterDocument], unseal: Callable[[str], str]) -> list[Parameter]:
    """Return the declared parameters in order, secrets unsealed."""
    return [_to_parameter(document, unseal) for document in documents]


def _to_parameter(document: ParameterDocument, unseal: Callable[[str], str]) -> Parameter:
    parameter = Parameter(
        name=document["name"],
        type=ParameterType(document["type"]),
        value1=document["value1"],
        value2=document["value2"],
        value3=document["value3"],
        description=document["description"],
        hint=document["hint"],
        is_input=document["is_input"],
        is_output=document["is_output"],
    )
    if parameter.type is ParameterType.PASSWORD:
        parameter.value1 = unseal(parameter.value1)
    elif parameter.type is ParameterType.CREDENTIALS:
        parameter.value2 = unseal(parameter.value2)
    return parameter


def plan(
    kind: WhatKind, document: Mapping[str, Any], values: Sequence[Parameter], unseal: Callable[[str], str]
) -> list[PlannedModule]:
    """Return the modules that a run of *document* does, in order, with *values* linked down to each.

    *values* are the parameters of the module or project itself, secrets open.
    """
    if kind is WhatKind.MODULE:
        return [PlannedModule(cast("ModuleDocument", document), list(values))]
    return [
        PlannedModule(
            linked["module"], link(to_parameters(linked["module"]["parameters"], unseal), linked["parameters"], values)
        )
        for linked in cast("ProjectDocument", document)["modules"]
    ]


def link(declared: Sequence[Parameter], links: Mapping[str, str], outer: Sequence[Parameter]) -> list[Parameter]:
    """Return *declared* with the texts of *links* in place, each ``$[Name]`` in them replaced from *outer*.

    A link that is one reference and nothing else carries a credential's password along.
    """
    by_name = {parameter.name: parameter for parameter in outer}
    return [
        _linked(parameter, links[parameter.name], by_name) if parameter.name in links else parameter
        for parameter in declared
    ]


def _linked(parameter: Parameter, text: str, outer: Mapping[str, Parameter]) -> Parameter:
    whole = _LINK.fullmatch(text)
    if whole and parameter.type is ParameterType.CREDENTIALS and whole[1] in outer:
        source = outer[whole[1]]
        return replace(parameter, value1=source.value1, value2=source.value2)
    return replace(parameter, value1=fill(text, {name: source.value1 for name, source in outer.items()}))


def fill(text: str, values: Mapping[str, str]) -> str:
    """Return *text* with every ``$[Name]`` replaced by its value; names without a value stay as they are.

    This is for values only. Commands and scripts never have values put into their text (``core.references``).
    """
    return _LINK.sub(lambda match: values.get(match[1], match[0]), text)


def links_in(text: str) -> list[str]:
    """Return the names that *text* refers to, in order."""
    return _LINK.findall(text)
