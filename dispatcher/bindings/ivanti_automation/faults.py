"""Faults: the HTTP status that this dialect answers each error with (contract sections 10 and 12)."""

from __future__ import annotations

from collections.abc import Mapping

from dispatcher.core.errors import (
    BadRequest,
    Conflict,
    DispatcherError,
    Forbidden,
    NotAuthenticated,
    NotFound,
    Unavailable,
)

#: An error takes the status of its nearest ancestor in this table.
STATUSES: Mapping[type[DispatcherError], int] = {
    BadRequest: 400,
    NotAuthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    Unavailable: 503,
    DispatcherError: 500,
}
