"""Errors as this dialect tells them (contract 1.5; the shape is OData's, the vendor's own is not public)."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from dispatcher.wire.json_api.failures import Failure, Reply

_CODES: Mapping[int, str] = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    408: "RequestTimeout",
    409: "Conflict",
    413: "PayloadTooLarge",
    415: "UnsupportedMediaType",
    431: "RequestHeaderFieldsTooLarge",
    503: "ServiceUnavailable",
}


def to_error(failure: Failure) -> Reply:
    """Return how *failure* is told."""
    code = _CODES.get(failure.status, "BadRequest" if failure.status < HTTPStatus.INTERNAL_SERVER_ERROR else "Error")
    error: dict[str, Any] = {"code": code, "message": failure.message}
    if failure.problems:
        error["details"] = [{"target": one.path, "message": one.message} for one in failure.problems]
    headers = [("WWW-Authenticate", "Bearer")] if failure.status == HTTPStatus.UNAUTHORIZED else []
    return Reply(failure.status, {"error": error}, headers)
