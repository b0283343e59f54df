"""Picking: taking one value out of a text, by pattern, line or JSON path."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import AfterValidator, Field, model_validator

from dispatcher.tasks.types import TaskSettings, Text
from dispatcher.tasks.work import TaskFailed

#: One step of a JSON path: ``.name`` (the first needs no dot), ``['any name']`` or ``[0]``.
_STEP = re.compile(r"\.?([A-Za-z_][\w-]*)|\['([^']*)'\]|\[(\d{1,9})\]")


def _is_pattern(text: str) -> str:
    try:
        re.compile(text)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"is no pattern: {error}") from None
    return text


def _is_json_path(text: str) -> str:
    parse_json_path(text)
    return text


Pattern = Annotated[Text, AfterValidator(_is_pattern)]
ParameterName = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f\[\]=]+$")]


class Pick(TaskSettings):
    """What is taken: at most one of ``regex``, ``line`` and ``json_path``; none of them takes the text, trimmed."""

    #: The first group of the first match; the whole match if the pattern has no group. ``^`` and ``$`` are at lines.
    regex: Pattern | None = None
    line: Annotated[int, Field(ge=-1_000_000, le=1_000_000)] | None = None  #: 1 is the first line, -1 the last
    json_path: Annotated[Text, AfterValidator(_is_json_path)] | None = None  #: such as ``items[0].name``
    default: Text | None = None  #: what is taken if there is nothing; may hold references

    @model_validator(mode="after")
    def _at_most_one(self) -> Pick:
        if sum(way is not None for way in (self.regex, self.line, self.json_path)) > 1:
            raise ValueError("at most one of regex, line and json_path")
        return self

    def take(self, text: str, fill: Callable[[str], str] = str) -> str:
        """Return the value; *fill* fills in the references of the default.

        :raises TaskFailed: if there is nothing and no default.
        """
        found, wanted = self._find(text)
        if found is not None:
            return found
        if self.default is not None:
            return fill(self.default)
        raise TaskFailed(f"there is no {wanted}")

    def _find(self, text: str) -> tuple[str | None, str]:
        if self.regex is not None:
            match = re.search(self.regex, text, re.MULTILINE)
            value = None if match is None else match[1] if match.re.groups else match[0]
            return value, f"match of {self.regex}"
        if self.line is not None:
            lines = text.splitlines()
            place = self.line - 1 if self.line > 0 else self.line
            inside = self.line != 0 and -len(lines) <= place < len(lines)
            return lines[place] if inside else None, f"line {self.line}"
        if self.json_path is not None:
            return _at(text, self.json_path), f"value at {self.json_path}"
        return text.strip(), "text"


class SavedPick(Pick):
    """A value that goes to an output parameter."""

    parameter: ParameterName


def parse_json_path(text: str) -> list[str | int]:
    """Return the names and places that lead to a value: ``$.items[0]['a b']`` gives ``["items", 0, "a b"]``.

    :raises ValueError: if *text* is no such path.
    """
    rest = text.removeprefix("$")
    steps: list[str | int] = []
    position = 0
    while position < len(rest):
        match = _STEP.match(rest, position)
        if match is None:
            raise ValueError("is no JSON path, such as items[0].name")
        name, quoted, place = match.groups()
        steps.append(int(place) if place is not None else quoted if quoted is not None else name)
        position = match.end()
    return steps


def _at(text: str, path: str) -> str | None:
    try:
        value: Any = json.loads(text)
    except (ValueError, RecursionError):
        raise TaskFailed("the text is no JSON") from None
    for step in parse_json_path(path):
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
