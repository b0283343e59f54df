"""Routes: which operation a path belongs to. Nobody is sent elsewhere: many clients do not follow when they post."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Generic, TypeVar

from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.routing import Map, MapAdapter, Rule

from dispatcher.wire.json_api.operations import Route

T = TypeVar("T")
#: A segment with a variable.
_SEGMENT = re.compile(r"(?:(?P<before>[^<>()]+)\()?<(?P<name>[^<>]+)>(?(before)\))")
#: What is no variable.
_WORD = re.compile("(?:^|(?<=>))[^<>]+")


@dataclass(frozen=True, slots=True)
class Found(Generic[T]):
    """What is at a path: the variables in the path by name, as they were sent."""

    target: T
    variables: dict[str, str]


@dataclass(frozen=True, slots=True)
class WrongMethod:
    """Something is at a path, but for other methods only."""

    allowed: tuple[str, ...]


class Routes(Generic[T]):
    """The *routes*, ready to be searched. Empty segments of a path do not count; neither does case in *any_case*."""

    def __init__(self, routes: Iterable[tuple[Route, T]], *, any_case: bool) -> None:
        self._any_case = any_case
        routes = list(routes)
        self._targets = [(target, _places(route)) for route, target in routes]
        self._adapter = _adapter(tuple((self._folded(route), route.verb) for route, _ in routes))

    def find(self, method: str, path: str) -> Found[T] | WrongMethod | None:
        """Return what *method* asks for at *path*, which is decoded; None if nothing is there."""
        segments = [segment for segment in path.split("/") if segment]
        joined = "/" + "/".join(segments)
        try:
            place, _ = self._adapter.match(joined.lower() if self._any_case else joined, method)
        except MethodNotAllowed as error:
            return WrongMethod(tuple(sorted(error.valid_methods or ())))
        except NotFound:
            return None
        target, places = self._targets[place]
        # Their values are not those of the rule, which are folded.
        variables = {one.name: one.value_in(segments[one.segment]) for one in places}
        return Found(target, variables) if all(map(_is_text, variables.values())) else None

    def _folded(self, route: Route) -> str:
        path = "/" + "/".join(route.segments)
        return _WORD.sub(lambda word: word[0].lower(), path) if self._any_case else path


@cache  # making it takes a millisecond for two routes: each dialect has its own, once in a process
def _adapter(paths: tuple[tuple[str, str], ...]) -> MapAdapter:
    """Return what tells which of *paths*, each with its verb, is asked for: by their places."""
    rules = []
    for place, (path, verb) in enumerate(paths):
        rule = Rule(path, methods=[verb], endpoint=place)
        # Nobody asks for the head of a message, and some that are got by GET do something.
        rule.methods = {verb}
        rules.append(rule)
    return Map(rules, strict_slashes=False, merge_slashes=False, redirect_defaults=False).bind("localhost")


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the variable *name* is: in the *segment* of a path, behind a word of so many characters and ``(``."""

    name: str
    segment: int
    is_key: bool
    begin: int

    def value_in(self, segment: str) -> str:
        """Return its value; a key may stand in single quotes, in which two stand for one (OData 4, 5.1.1.6.2)."""
        if not self.is_key:
            return segment
        value = segment[self.begin : -1]
        is_quoted = len(value) > 1 and value[0] == value[-1] == "'"
        return value[1:-1].replace("''", "'") if is_quoted else value


def _places(route: Route) -> list[_Place]:
    found = []
    for number, word in enumerate(route.segments):
        if match := _SEGMENT.fullmatch(word):
            found.append(_Place(match["name"], number, match["before"] is not None, match.start("name") - 1))
        elif "<" in word:
            raise ValueError(f"{route.path}: a variable is a segment, or a key in parentheses at its end")
    return found


def _is_text(value: str) -> bool:
    """Whether *value* is what messages and every database can hold, and not empty."""
    return value != "" and "\0" not in value and not any("\ud800" <= character <= "\udfff" for character in value)
