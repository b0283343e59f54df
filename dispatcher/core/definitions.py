"""Definitions: what a version of a module, project or run book says, and the plan of a run made from it.

A definition holds everything it refers to, so that a job can run the version it was scheduled with whatever happens
to the library meanwhile. Ids are lower-case hyphenated text.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NotRequired, TypedDict, cast

from dispatcher.core.conditions import ConditionDocument
from dispatcher.core.jobs import WhatKind
from dispatcher.core.parameters import Parameter, ParameterType, check_choice

#: How long a value may be that is made of those of many agents, in characters.
MAX_MERGED = 1_000_000


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


class RetryDocument(TypedDict):
    """How a task is tried again after a failure or a time-out: at most ``times`` more often.

    Before the first of them is a pause of ``delay_s``; each pause is ``factor`` times as long as the one before it, and
    none is longer than ``max_delay_s``.
    """

    times: int
    delay_s: float
    factor: float
    max_delay_s: float


class TaskDocument(TypedDict):
    """A task. ``on_error`` is ``stop`` or ``continue``."""

    id: str
    name: str
    type: str
    settings: dict[str, Any]
    timeout_s: float | None
    on_error: str
    repeatable: bool
    condition: NotRequired[ConditionDocument]
    retry: NotRequired[RetryDocument]


class ModuleDocument(TypedDict):
    """A module; disabled tasks are left out."""

    id: str
    name: str
    platforms: list[str]
    parameters: list[ParameterDocument]
    tasks: list[TaskDocument]


class SealedText(TypedDict):
    """A text that gives a password its value, sealed, and the names of the ``$[links]`` in it."""

    sealed: str
    links: list[str]


class LinkedModule(TypedDict):
    """A module of a project.

    ``parameters`` maps its parameters to values or texts with ``$[links]`` to those of the project, ``get`` its output
    parameters to the parameters of the project that take them. ``condition`` is one for all its tasks.
    """

    module: ModuleDocument
    parameters: dict[str, str | SealedText]
    get: NotRequired[dict[str, str]]
    condition: NotRequired[ConditionDocument]


class ProjectDocument(TypedDict):
    """A project with its modules in order."""

    id: str
    name: str
    parameters: list[ParameterDocument]
    modules: list[LinkedModule]


class StepOptions(TypedDict, total=False):
    """What few steps have. ``batch_share`` and ``stop_at_share`` are shares of the agents, above 0 and up to 1."""

    parallel: bool  #: it starts together with the step before it
    timeout_s: float
    wake_on_lan: bool
    select_one_agent: bool
    offline_agents_next_boot: bool
    launch_window: str  #: ``fail``, ``continue`` or ``wait``
    wait_for_approval: bool  #: it begins when somebody has approved it
    batch_size: int
    batch_share: float
    stop_at_share: float
    operation: str  #: by this name it takes other inputs than the run book has (``services.job_inputs``)


class StepDocument(TypedDict):
    """A step of a run book: ``what`` is a document of kind ``kind`` (``core.jobs.WhatKind``).

    ``who`` lists ``{"agent": id}``, ``{"team": id}``, ``{"parameter": name}`` or ``{"ask": true}``; ``RunBookWho`` may
    have ``by`` (``core.console.By``; ``computer`` without). ``parameters`` maps parameters of ``what`` to values or
    texts with ``$[links]`` to those of the run book, ``get`` outputs of ``what`` to the parameters of the run book that
    take them.
    """

    name: str
    kind: int
    what: dict[str, Any]
    who: list[dict[str, Any]]
    on_error: str
    parameters: dict[str, str | SealedText]
    get: NotRequired[dict[str, str]]
    condition: NotRequired[ConditionDocument]
    options: NotRequired[StepOptions]


class RunBookDocument(TypedDict):
    """A run book with its steps in order."""

    id: str
    name: str
    parameters: list[ParameterDocument]
    steps: list[StepDocument]


@dataclass(slots=True)
class PlannedModule:
    """A module of a run with the values that its tasks see unless a module before it changes them.

    ``links`` say which of them follow the project that the module belongs to; that is number ``what`` of its job.
    """

    document: ModuleDocument
    parameters: list[Parameter]
    what: int = 0
    links: Mapping[str, str] = field(default_factory=dict)
    get: Mapping[str, str] = field(default_factory=dict)
    condition: ConditionDocument | None = None


@dataclass(slots=True)
class PlannedRun:
    """What a run does: its modules in order, and by object of the job the values of a project (None: a module)."""

    modules: list[PlannedModule]
    scopes: list[list[Parameter] | None]


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
    kind: WhatKind,
    document: Mapping[str, Any],
    values: Sequence[Parameter],
    unseal: Callable[[str], str],
    what: int = 0,
) -> list[PlannedModule]:
    """Return the modules that a run of *document*, number *what* of its job, does, in order, with *values* linked down.

    *values* are the parameters of the module or project itself, secrets open. Choices are not checked: the agent links
    anew when a module begins, with the values of then.
    """
    if kind is WhatKind.MODULE:
        return [PlannedModule(cast("ModuleDocument", document), list(values), what)]
    return [_plan_linked(linked, values, unseal, what) for linked in cast("ProjectDocument", document)["modules"]]


def _plan_linked(
    linked: LinkedModule, values: Sequence[Parameter], unseal: Callable[[str], str], what: int
) -> PlannedModule:
    declared = to_parameters(linked["module"]["parameters"], unseal)
    links = unlocked(linked["parameters"], declared, unseal)
    parameters = _link(declared, links, values)
    return PlannedModule(linked["module"], parameters, what, links, linked.get("get", {}), linked.get("condition"))


def unlocked(
    texts: Mapping[str, str | SealedText], declared: Iterable[Parameter], unseal: Callable[[str], str]
) -> dict[str, str]:
    """Return the *texts* that give *declared* parameters their values, secrets unsealed.

    A sealed one is left out that is for what is no password any more: it would be stored and shown in the clear.
    """
    passwords = {parameter.name for parameter in declared if parameter.type is ParameterType.PASSWORD}
    return {
        name: text if isinstance(text, str) else unseal(text["sealed"])
        for name, text in texts.items()
        if isinstance(text, str) or name in passwords
    }


def link(declared: Sequence[Parameter], links: Mapping[str, str], outer: Sequence[Parameter]) -> list[Parameter]:
    """Return *declared* with the texts of *links* in place, each ``$[Name]`` in them replaced from *outer*.

    A link that is one reference and nothing else carries a credential's password along. A password gives an empty text
    to anything but a password, where it would be stored and shown in the clear.

    :raises InvalidValue: if a value is none of the choices of the parameter that takes it.
    """
    linked = _link(declared, links, outer)
    for before, after in zip(declared, linked, strict=True):
        if after is not before:
            check_choice(after, after.value1)
    return linked


def _link(declared: Sequence[Parameter], links: Mapping[str, str], outer: Sequence[Parameter]) -> list[Parameter]:
    by_name = {parameter.name: parameter for parameter in outer}
    return [
        _linked(parameter, links[parameter.name], by_name) if parameter.name in links else parameter
        for parameter in declared
    ]


def _linked(parameter: Parameter, text: str, outer: Mapping[str, Parameter]) -> Parameter:
    whole = _LINK.fullmatch(text)
    source = outer.get(whole[1]) if whole else None
    if source is not None and parameter.type is source.type is ParameterType.CREDENTIALS:
        return parameter.with_value(source.value1, source.value2)
    named = {name: outer[name] for name in links_in(text) if name in outer}
    return parameter.with_value(fill(text, {name: _shared(source, parameter) for name, source in named.items()}))


def _shared(source: Parameter, taker: Parameter) -> str:
    """Return what *taker* may have of the value of *source*."""
    is_hidden = source.type is ParameterType.PASSWORD and taker.type is not ParameterType.PASSWORD
    return "" if is_hidden else source.value1


def take(outer: Sequence[Parameter], get: Mapping[str, str], inner: Sequence[Parameter]) -> list[Parameter]:
    """Return *outer* with the values that *get* takes from *inner*: ``{name in inner: name in outer}``.

    Credentials are taken as a whole. What *inner* does not have changes nothing.

    :raises InvalidValue: as ``link``.
    """
    names = {parameter.name for parameter in inner}
    return link(outer, {taker: f"$[{name}]" for name, taker in get.items() if name in names}, inner)


def outputs_of(parameters: Iterable[Parameter]) -> list[Parameter]:
    """Return those of *parameters* that leave what declares them."""
    return [parameter for parameter in parameters if parameter.is_output]


def merge_outputs(values: Sequence[Parameter]) -> Parameter:
    """Return one output parameter for all of *values*: the same parameter as it came from each agent, by agent name.

    Different values are joined, each once, by ``;``, those of several lines by a line break; empty ones say nothing,
    and what goes beyond ``MAX_MERGED`` characters is left out. Of secrets the first counts that is not empty.
    """
    first = values[0]
    if first.type.is_secret:
        return next((one for one in values if one.value1), first)
    texts = [one.value1 for one in values]
    if first.type is ParameterType.MULTISELECT:
        texts = [choice for text in texts for choice in text.split(";")]
    separator = "\n" if first.type is ParameterType.MULTILINE else ";"
    different = dict.fromkeys(filter(None, texts))
    lengths = itertools.accumulate(len(text) + len(separator) for text in different)
    fitting = [text for text, length in zip(different, lengths, strict=True) if length <= MAX_MERGED]
    return first.with_value(separator.join(fitting))


def fill(text: str, values: Mapping[str, str]) -> str:
    """Return *text* with every ``$[Name]`` replaced by its value; names without a value stay as they are.

    This is for values only. Commands and scripts never have values put into their text (``core.references``).
    """
    return _LINK.sub(lambda match: values.get(match[1], match[0]), text)


def links_in(text: str | SealedText) -> list[str]:
    """Return the names that *text* refers to, in order."""
    return _LINK.findall(text) if isinstance(text, str) else text["links"]


def is_all_links(text: str) -> bool:
    """Whether *text* says nothing but what it refers to; an empty one says nothing."""
    return not _LINK.sub("", text)
