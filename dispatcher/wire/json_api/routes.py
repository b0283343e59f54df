"""Routes: which operation a path belongs to. Nobody is sent elsewhere: many clients do not follow when they post."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.routing import Map, Rule

from dispatcher.wire.json_api.operations import Route

T = TypeVar("T")


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
        self._targets: list[tuple[T, list[tuple[str, int]]]] = []
        rules = []
        for place, (route, target) in enumerate(routes):
            self._targets.append((target, self._places(route)))
            rule = Rule(self._folded(route), methods=[route.verb], endpoint=place)
            # Nobody asks for the head of a message, and some that are got by GET do something.
            rule.methods = {route.verb}
            rules.append(rule)
        urls = Map(rules, strict_slashes=False, merge_slashes=False, redirect_defaults=False)
        self._adapter = urls.bind("localhost")

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
        variables = {name: segments[place] for name, place in places}
        return Found(target, variables) if all(map(_is_text, variables.values())) else None

    def _folded(self, route: Route) -> str:
        words = (word.lower() if self._any_case and word[0] != "<" else word for word in route.segments)
        return "/" + "/".join(words)

    @staticmethod
    def _places(route: Route) -> list[tuple[str, int]]:
        return [(word[1:-1], place) for place, word in enumerate(route.segments) if word[0] == "<"]


def _is_text(value: str) -> bool:
    """Whether *value* is what messages and every database can hold."""
    return "\0" not in value and not any("\ud800" <= character <= "\udfff" for character in value)
