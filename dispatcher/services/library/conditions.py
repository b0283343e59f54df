"""Library conditions: what files say about when something is done, as definitions have it, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dispatcher.core import conditions, rules
from dispatcher.core.conditions import ConditionDocument
from dispatcher.core.parameters import Parameter
from dispatcher.core.rules import Fields, InvalidRule
from dispatcher.services.library.entries import ConditionEntry
from dispatcher.services.library.items import Item


def check(
    item: Item[Any],
    entry: ConditionEntry | None,
    fields: Fields,
    declared: Mapping[str, Parameter],
    *path: str | int,
) -> None:
    """Note what is wrong with the condition at *path*; it may ask about *fields* and the *declared* parameters."""
    if entry is None:
        return
    try:
        rule = rules.parse(entry.rule, fields)
    except InvalidRule as error:
        item.problem(error.message, *path, "if")
        return
    for problem in conditions.problems(rule, declared):
        item.problem(problem, *path, "if")


def to_row(entry: ConditionEntry | None) -> ConditionDocument | None:
    """Return the condition as it is stored, and as definitions have it."""
    return None if entry is None else {"if": entry.rule, "else": entry.otherwise}


def dump(document: ConditionDocument | None) -> str | ConditionDocument | None:
    """Return the condition as a library file has it: the rule alone, if nothing else is to be said."""
    if document is None or document["else"] != "skip":
        return document
    return document["if"]
