"""Errors as the original tells them: one text in ``Message``; token calls have those of OAuth."""

from __future__ import annotations

from http import HTTPStatus

from dispatcher.core.errors import BadRequest, Conflict, DispatcherError, Forbidden, NotFound
from dispatcher.wire.json_api.failures import Failure, NoSuchPath, Reply

#: Seed, "HTTPS response codes"; the wrapper, and the texts of 401 and 500, are contract 2.4.
FORBIDDEN = "You are not authorized to perform this task. Access is denied."
UNAUTHENTICATED = "Authorization has been denied for this request."
FAILED = "An error has occurred."
#: The seed's table of answers has no 404: what is unknown is a bad request.
STATUSES: dict[type[DispatcherError], int] = {NotFound: 400, NoSuchPath: 404, Conflict: 400}
_TEXTS = {401: UNAUTHENTICATED, 500: FAILED}


class UnknownGrant(BadRequest):
    """A token was asked for in a way that there is not."""

    code = "token.unsupported_grant_type"

    def __init__(self) -> None:
        super().__init__("grant_type must be password or refresh_token")


def to_error(failure: Failure) -> Reply:
    """Return how *failure* is told."""
    if failure.path.lower().endswith("/oauth/tokens"):
        return _of_tokens(failure)
    headers = [("WWW-Authenticate", "Bearer")] if failure.status == HTTPStatus.UNAUTHORIZED else []
    return Reply(failure.status, {"Message": _text(failure)}, headers)


def _text(failure: Failure) -> str:
    # What the web layer refuses to browsers has other reasons than rights, which whoever reads it has to know.
    return FORBIDDEN if isinstance(failure.error, Forbidden) else _TEXTS.get(failure.status, failure.message)


def _of_tokens(failure: Failure) -> Reply:
    if failure.status == HTTPStatus.UNAUTHORIZED:
        return Reply(failure.status, {"error": "invalid_grant"})
    if isinstance(failure.error, UnknownGrant):
        return Reply(failure.status, {"error": "unsupported_grant_type", "error_description": failure.message})
    if failure.status == HTTPStatus.BAD_REQUEST:
        return Reply(failure.status, {"error": "invalid_request", "error_description": failure.message})
    return Reply(failure.status, {"Message": _text(failure)})
