"""Faults: which HTTP status an error has, and how one that nobody foresaw is told without its details."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from dispatcher.core.errors import DispatcherError
from dispatcher.wire.http import Request

#: The status of each error; one that is not in it takes that of its nearest ancestor.
FaultTable = Mapping[type[DispatcherError], int]

#: How much of a message is told: it may quote what the caller sent.
_MOST_CHARS = 1_000


class Log(Protocol):
    """Writes the exception that is being handled to the log, with its stack trace."""

    def __call__(self, event: str, **details: object) -> object:
        """Log *event*, which has failed."""


class Unexpected(DispatcherError):
    """Something failed that nobody foresaw. Only the log knows more."""

    code = "unexpected"

    def __init__(self, request_id: str) -> None:
        super().__init__(f"unexpected error {request_id}", request=request_id)


def status_of(table: FaultTable, error: DispatcherError) -> int:
    """Return the HTTP status of *error* by *table*; 500 if neither it nor an ancestor is there."""
    return next((table[kind] for kind in type(error).__mro__ if kind in table), 500)


def told(error: DispatcherError) -> str:
    """Return the message of *error*, shortened if it is a long one."""
    return error.message if len(error.message) <= _MOST_CHARS else error.message[:_MOST_CHARS] + "…"


def unexpected(log: Log, request: Request) -> Unexpected:
    """Log the exception that is being handled; return the error that the caller is told instead."""
    log("wire.failed", request=request.id, method=request.method, path=request.path)
    return Unexpected(request.id)
