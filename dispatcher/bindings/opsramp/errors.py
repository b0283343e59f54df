"""Errors: failures as OpsRamp tells them (contract section 4.4)."""

from __future__ import annotations

from dispatcher.core.errors import NotAuthenticated, NotFound
from dispatcher.wire.http import bearer_of
from dispatcher.wire.json_api.failures import Failure, Reply

#: What the codes of v2's neighbouring endpoints say; those of other failures are our own choice.
INVALID, NOT_FOUND, FORBIDDEN, CONFLICT, OTHER = "0002", "0003", "0004", "0005", "0001"
#: What the members are called here that the core names.
_MEMBERS = {
    "What": "script",
    "Who": "entities",
    "When": "schedule",
    "RRULE": "schedule",
    "Parameters": "script.parameters",
}
_CODES = {403: FORBIDDEN, 404: NOT_FOUND, 409: CONFLICT}


def to_error(failure: Failure) -> Reply:
    """Return *failure* in OpsRamp's words."""
    if is_token_call(failure.path):
        return _token_error(failure)
    if isinstance(failure.error, NotAuthenticated):
        described = f"Invalid access token: {bearer_of(failure.request)[:200]}"
        body = {"error": "invalid_token", "error_description": described}
        return Reply(failure.status, body, [("WWW-Authenticate", 'Bearer error="invalid_token"')])
    if failure.status == 400:
        problems = [(problem.path, problem.message) for problem in failure.problems] or [("", failure.message)]
        # Clients try again and again what is refused with 400, unless it is a POST.
        status = 400 if failure.request.method == "POST" else 422
        return Reply(
            status, [{"code": INVALID, "fieldName": _member(path), "message": text} for path, text in problems]
        )
    return Reply(failure.status, {"code": _CODES.get(failure.status, OTHER), "message": _message(failure)})


def _member(path: str) -> str:
    return _MEMBERS.get(path.partition("/")[0].partition("[")[0], path)


def is_token_call(path: str) -> bool:
    """Whether a request to *path* is for a token."""
    return path.endswith("/oauth/token")


def _message(failure: Failure) -> str:
    if isinstance(failure.error, NotFound):
        noun, name = failure.error.kind, failure.error.details.get("name", "")
        return f"No {noun} found with {'id' if noun != 'resource' else 'UUID'} : {name}"
    return failure.message


def _token_error(failure: Failure) -> Reply:
    if isinstance(failure.error, NotAuthenticated):
        return Reply(401, {"error": "unauthorized", "error_description": "Bad API credentials"})
    for problem in failure.problems:
        if problem.path == "grant_type":
            return Reply(400, {"error": "unsupported_grant_type", "error_description": problem.message})
    error = "invalid_request" if failure.status < 500 else "server_error"
    return Reply(failure.status, {"error": error, "error_description": failure.message})
