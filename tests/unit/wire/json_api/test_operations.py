"""A signature that cannot be served is noticed when the dialect is made, not when it is asked."""

from __future__ import annotations

from typing import Any

import pytest
from letters_api import Letter, Letters

from dispatcher.wire.http import Request
from dispatcher.wire.json_api.operations import operation, operations_of


def test_operations_are_what_their_signatures_say() -> None:
    found = {one.name: one for one in operations_of([Letters()])}
    assert list(found) == ["write", "search", "read", "burn", "send", "key", "fail"]
    assert (found["write"].body, found["write"].is_body_optional) == (Letter, False)
    assert (found["send"].body, found["send"].is_body_optional) == (Letter, True)
    assert (found["burn"].returns, found["burn"].is_answer_optional) == (None, True)
    assert (found["send"].returns, found["send"].is_answer_optional) == (Letter, True)
    assert [route.verb for route in found["send"].declared.routes] == ["GET", "POST"]


def test_variable_that_nobody_takes() -> None:
    class Wrong:
        @operation("GET /of/<owner>", summary="")
        def get(self, request: Request) -> None: ...

    with pytest.raises(TypeError, match="owner"):
        operations_of([Wrong()])


def test_argument_that_nobody_gives() -> None:
    class Wrong:
        @operation("GET /of", summary="")
        def get(self, request: Request, owner: str) -> None: ...

    with pytest.raises(TypeError, match="owner"):
        operations_of([Wrong()])


def test_two_bodies() -> None:
    class Wrong:
        @operation("POST /of", summary="")
        def get(self, request: Request, body: dict[str, Any], form: dict[str, Any]) -> None: ...

    with pytest.raises(TypeError, match="one body"):
        operations_of([Wrong()])


def test_a_body_that_is_read_by_the_method_itself() -> None:
    class Late:
        @operation("POST /of", summary="", takes=Letter | None, has_files=True)
        def send(self, request: Request) -> None: ...

    class Twice:
        @operation("POST /of", summary="", takes=Letter)
        def send(self, request: Request, body: Letter) -> None: ...

    [found] = operations_of([Late()])
    assert (found.body, found.is_body_optional, found.is_read_late) == (Letter, True, True)
    with pytest.raises(TypeError, match="one body"):
        operations_of([Twice()])


def test_an_envelope_holds_a_body() -> None:
    class Wrapped:
        @operation("POST /of", summary="", enveloped=True)
        def send(self, request: Request, body: Letter) -> None: ...

    class Empty:
        @operation("POST /of", summary="", enveloped=True)
        def send(self, request: Request) -> None: ...

    [found] = operations_of([Wrapped()])
    assert found.declared.is_enveloped
    with pytest.raises(TypeError, match="an envelope without a body"):
        operations_of([Empty()])


def test_variables_are_segments_or_keys() -> None:
    class Keyed:
        @operation("GET /of/<owner>/letters(<letter>)", "GET /of/<owner>/letters/<letter>", summary="")
        def get(self, request: Request, owner: str, letter: str) -> None: ...

    [found] = operations_of([Keyed()])
    assert [route.variables for route in found.declared.routes] == [("owner", "letter")] * 2
