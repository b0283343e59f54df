"""Operations: methods that say by their decorator and their signature where they are found, what they take and answer.

A parameter called like a variable of the path is its value; ``body``, ``query`` and ``form`` are read as their
annotations say, ``request`` is the request itself. What is returned becomes JSON.
"""

from __future__ import annotations

import inspect
import re
import types
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from dispatcher.core.errors import DispatcherError
from dispatcher.wire.http import Response

_DECLARED = "__json_operation__"
_VARIABLE = re.compile("<([^<>]+)>")
_Method = TypeVar("_Method", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Route:
    """A method and a path template such as ``/jobs/<job>``.

    A variable is a whole segment, or a key in parentheses behind a word: ``/jobs(<job>)``.
    """

    verb: str
    path: str

    @property
    def segments(self) -> tuple[str, ...]:
        """The words of the path; variables stand between ``<`` and ``>``."""
        return tuple(self.path.strip("/").split("/"))

    @property
    def variables(self) -> tuple[str, ...]:
        """The names of the variables in the path, from left to right."""
        return tuple(name for word in self.segments for name in _VARIABLE.findall(word))


@dataclass(frozen=True, slots=True)
class Declaration:
    """What the decorator says."""

    routes: tuple[Route, ...]
    summary: str
    is_public: bool  #: whether it is answered without credentials
    status: int  #: the HTTP status of an answer with a body
    empty: int  #: the HTTP status if the method returns None
    is_submit: bool  #: whether it only stores something small, and is answered as soon as that is on the disk
    takes_key: bool  #: whether it heeds an ``Idempotency-Key``
    tag: str  #: under which heading it is described, if that is not the ``TAG`` of its class
    #: The type of the body, if the method reads that of the request by itself: after it knows who may send one.
    takes: Any
    has_files: bool  #: whether such a body may come as a multipart form, with files
    #: Whether the body is the loose JSON text in the member ``value`` of what is sent; see ``envelopes``.
    is_enveloped: bool = False
    #: Where what was made is found, as a path with members of the answer in it: ``/jobs/{id}``. Empty: it is not told.
    location: str = ""
    samples: tuple[DispatcherError, ...] = ()  #: failures that it may have beside those that others have, too


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation of a dialect, bound to the object that carries it out.

    ``body``, ``query`` and ``form`` are the annotated types of these parameters, None where there is none; ``returns``
    is that of the answer, None for an empty one. A body that ``is_read_late`` is read by the method itself.
    """

    name: str
    call: Callable[..., Any]
    declared: Declaration
    body: Any = None
    query: Any = None
    form: Any = None
    returns: Any = None
    is_body_optional: bool = False
    is_read_late: bool = False
    is_answer_optional: bool = False
    tag: str = ""  #: under which heading it is described; empty: none

    @property
    def is_plain(self) -> bool:
        """Whether it makes its own answers, which nothing is known of."""
        return self.returns is Response


def operation(
    *routes: str,
    summary: str,
    public: bool = False,
    status: int = 200,
    empty: int = 204,
    is_submit: bool = False,
    takes_key: bool = False,
    tag: str = "",
    takes: Any = None,
    has_files: bool = False,
    enveloped: bool = False,
    location: str = "",
    samples: tuple[DispatcherError, ...] = (),
) -> Callable[[_Method], _Method]:
    """Declare a method as an operation at *routes*, such as ``GET /jobs/<job>``; for the rest see ``Declaration``."""
    pairs = [route.partition(" ") for route in routes]
    declared = Declaration(
        routes=tuple(Route(verb, path) for verb, _, path in pairs),
        summary=summary,
        is_public=public,
        status=status,
        empty=empty,
        is_submit=is_submit,
        takes_key=takes_key,
        tag=tag,
        takes=takes,
        has_files=has_files,
        is_enveloped=enveloped,
        location=location,
        samples=samples,
    )

    def decorate(method: _Method) -> _Method:
        setattr(method, _DECLARED, declared)
        return method

    return decorate


def operations_of(handlers: Iterable[object]) -> list[Operation]:
    """Return the operations that *handlers* carry out, in the order of their declaration.

    :raises TypeError: if a signature cannot be served.
    """
    return [operation for handler in handlers for operation in _operations_of(handler)]


def _operations_of(handler: object) -> Iterator[Operation]:
    for name, function in vars(type(handler)).items():
        if declared := getattr(function, _DECLARED, None):
            yield _compiled(name, getattr(handler, name), declared, declared.tag or getattr(handler, "TAG", ""))


def _compiled(name: str, method: Callable[..., Any], declared: Declaration, tag: str) -> Operation:
    hints = get_type_hints(method, include_extras=True)
    parameters = list(inspect.signature(method).parameters)
    for route in declared.routes:
        if unserved := set(parameters) ^ {"request", *route.variables, *({"body", "query", "form"} & set(parameters))}:
            raise TypeError(f"{name}: {route.path} and the signature differ in {', '.join(sorted(unserved))}")
    if declared.is_enveloped and "body" not in parameters:
        raise TypeError(f"{name}: an envelope without a body")
    if len([*({"body", "form"} & set(parameters)), *([] if declared.takes is None else ["takes"])]) > 1:
        raise TypeError(f"{name}: a request has one body")
    body, is_body_optional = _without_none(declared.takes or hints.get("body"))
    returns, is_answer_optional = _without_none(hints["return"])
    return Operation(
        name,
        method,
        declared,
        body=body,
        query=hints.get("query"),
        form=hints.get("form"),
        returns=returns,
        is_body_optional=body is not None and is_body_optional,
        is_read_late=declared.takes is not None,
        is_answer_optional=is_answer_optional,
        tag=tag,
    )


def _without_none(hint: Any) -> tuple[Any, bool]:
    """Return *hint* without None, and whether that was one of its choices."""
    if hint in (None, types.NoneType):
        return None, True
    choices = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else ()
    if types.NoneType not in choices:
        return hint, False
    return Union[tuple(one for one in choices if one is not types.NoneType)], True  # noqa: UP007 - made of a list
