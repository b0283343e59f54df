"""Faults: every error has a status, and nobody is told of what nobody foresaw."""

from __future__ import annotations

import sys
from itertools import count

from dispatcher.core.errors import BadRequest, DispatcherError, InvalidValue, NotFound
from dispatcher.wire.faults import Unexpected, status_of, told, unexpected
from dispatcher.wire.http import Request

TABLE: dict[type[DispatcherError], int] = {BadRequest: 400, NotFound: 404}


def test_error_takes_the_status_of_its_nearest_ancestor() -> None:
    assert status_of(TABLE, InvalidValue("a", "b")) == 400
    assert status_of({**TABLE, InvalidValue: 422}, InvalidValue("a", "b")) == 422


def test_error_outside_the_table_is_500() -> None:
    assert status_of(TABLE, Unexpected("7")) == 500
    assert status_of({}, DispatcherError("x")) == 500


def test_unexpected_error_is_logged_with_its_request() -> None:
    logged = []

    def log(event: str, **details: object) -> None:
        logged.append((event, details, sys.exception() if hasattr(sys, "exception") else sys.exc_info()[1]))

    try:
        raise ZeroDivisionError("secret")
    except ZeroDivisionError as error:
        told = unexpected(log, Request("GET", "/a", new_id=lambda: "request-7"))
        assert logged == [("wire.failed", {"request": "request-7", "method": "GET", "path": "/a"}, error)]  # noqa: PT017

    assert (told.code, told.message) == ("unexpected", "unexpected error request-7")


def test_a_request_is_named_once_and_only_if_somebody_asks() -> None:
    numbers = count(1)
    request = Request("GET", "/a", new_id=lambda: next(numbers))

    assert next(numbers) == 1
    assert [request.id, request.id] == ["2", "2"]


def test_long_message_is_shortened() -> None:
    assert told(DispatcherError("x" * 1_000)) == "x" * 1_000
    assert told(DispatcherError("x" * 1_001)) == "x" * 1_000 + "…"
