"""Failures: what went wrong with a request, ready to be told in a dialect's own words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from dispatcher.core.errors import (
    BadRequest,
    Conflict,
    DispatcherError,
    Forbidden,
    InvalidValue,
    NotAuthenticated,
    NotFound,
    Unavailable,
)
from dispatcher.wire.http import Request

#: The status of each error unless a dialect says another; one that is not here takes that of its nearest ancestor.
STATUSES: Mapping[type[DispatcherError], int] = {
    BadRequest: 400,
    NotAuthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    Unavailable: 503,
    DispatcherError: 500,
}
#: How many problems of one message are told.
_MOST = 20
#: What is told of pydantic's kinds of errors where its own words are Python's.
_WORDS = {
    "missing": "is missing",
    "string_type": "must be a text",
    "list_type": "must be an array",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "too_short": "has too few entries",
    "too_long": "may have at most {max_length} entries",
    "string_too_short": "is too short",
    "string_too_long": "may have at most {max_length} characters",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one member of a message. ``path`` leads to it, as in ``entities[0].resource.id``."""

    path: str
    message: str


class InvalidMessage(BadRequest):
    """Members of the message are missing, malformed or impossible."""

    code = "request.invalid_message"

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(f"{problem.path}: {problem.message}" for problem in problems))
        self.problems = tuple(problems)


class NoSuchPath(NotFound):
    """Nothing is served at this path."""

    code = "request.no_such_path"
    kind = "path"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a request is not obeyed. ``error`` is None for what the web layer refuses, and for a wrong method."""

    request: Request
    status: int
    message: str
    error: DispatcherError | None = None
    problems: tuple[Problem, ...] = ()

    @property
    def path(self) -> str:
        """The path of the request as routes see it: without empty segments."""
        return "/" + "/".join(filter(None, self.request.path.split("/")))


@dataclass(frozen=True, slots=True)
class Reply:
    """How a dialect tells a failure. ``body`` becomes JSON; None is an empty one."""

    status: int
    body: Any = None
    headers: Sequence[tuple[str, str]] = field(default_factory=tuple)


def problems_of(error: DispatcherError) -> tuple[Problem, ...]:
    """Return which members *error* is about."""
    if isinstance(error, InvalidMessage):
        return error.problems
    if isinstance(error, InvalidValue):
        return (Problem(error.member, error.message.removeprefix(f"{error.member}: ")),)
    return ()


def invalid_message(error: ValidationError) -> InvalidMessage:
    """Return what pydantic found, without what was sent: that may be a secret."""
    found = error.errors(include_url=False, include_input=False)
    return InvalidMessage([Problem(_path(one["loc"]), _words(one)) for one in found[:_MOST]])


def _words(found: ErrorDetails) -> str:
    words = _WORDS.get(found["type"])
    return _told(found["msg"]) if words is None else words.format_map(found.get("ctx", {}))


def _path(location: tuple[int | str, ...]) -> str:
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location)
    return text.removeprefix(".")[:200] or "message"


def _told(message: str) -> str:
    return message.removeprefix("Value error, ").replace("Input should be ", "must be ", 1)
