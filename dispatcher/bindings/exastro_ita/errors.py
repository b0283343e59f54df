"""Errors: failures as Exastro IT Automation tells them, and those of token calls as Keycloak does."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus

from dispatcher.bindings.exastro_ita.envelope import failure as told
from dispatcher.bindings.exastro_ita.envelope import to_status
from dispatcher.bindings.exastro_ita.reasons import reason
from dispatcher.bindings.exastro_ita.texts import JAPANESE, NO_COLUMN, text, text_of_apply
from dispatcher.bindings.exastro_ita.tokens import Refused
from dispatcher.core.errors import (
    BadRequest,
    Conflict,
    DispatcherError,
    Forbidden,
    InvalidValue,
    NotAuthenticated,
    NotFound,
    QuotaExceeded,
    Unavailable,
)
from dispatcher.services.exastro_ita.messages import InvalidRecords, ItaError, Message
from dispatcher.services.exastro_ita.workspaces import NO_WORKSPACE
from dispatcher.wire.json_api.failures import Failure, InvalidMessage, Reply

#: Wrong credentials; behind the log-in the same code means something else.
NOT_AUTHENTICATED = Message("platform-401-00002")
SYSTEM_ERROR = Message("999-99999")
#: What the platform says, which stands before the product: its errors have ``data``.
_OF_PLATFORM = (NOT_AUTHENTICATED.id, NO_WORKSPACE)
#: How many characters a result code has; before it some ids say who tells it.
_LENGTH = 9
#: Codes for what the web layer refuses; those of all others are system errors.
_REFUSALS = {
    HTTPStatus.BAD_REQUEST: "400-00001",
    HTTPStatus.FORBIDDEN: "web-403-00001",
    HTTPStatus.NOT_FOUND: "404-00001",
    HTTPStatus.REQUEST_TIMEOUT: "408-00001",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "413-00001",
    HTTPStatus.SERVICE_UNAVAILABLE: "503-00001",
}
#: What Keycloak says where its token endpoint does not understand a request.
_INVALID, _SERVER_ERROR = "invalid_request", "unknown_error"


class Errors:
    """Tells failures: in the language of the caller's login, in Japanese to whoever is not known.

    So wrong credentials do not tell in which language, and by that whether, there is a login of their name.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now

    def __call__(self, failure: Failure) -> Reply:
        """Return how *failure* is told."""
        if failure.path.startswith("/auth/"):
            return _of_tokens(failure)
        caller = failure.request.caller
        is_nobody = isinstance(failure.error, NotAuthenticated) and not caller.is_first_login_pending
        language = JAPANESE if is_nobody else caller.language
        message = to_message(failure)
        result = message.id[-_LENGTH:]
        words = _words(failure, message, language)
        body = told(result, words, self._now(), is_of_platform=message.id in _OF_PLATFORM)
        # A busy server is no fault in it: those who stand between know by the status that they may ask again.
        is_busy = failure.status == HTTPStatus.SERVICE_UNAVAILABLE
        return Reply(failure.status if is_busy else to_status(result), body)


def to_message(failure: Failure) -> Message:
    """Return the result code of *failure*, with what is put into its text."""
    error = failure.error
    match error:
        case None if failure.status == HTTPStatus.METHOD_NOT_ALLOWED:  # which ones are is told by the header Allow
            return Message("405-00001", (failure.request.method[:20],))
        case None:
            return Message(_REFUSALS.get(HTTPStatus(failure.status), SYSTEM_ERROR.id), (reason(failure.message),))
        case ItaError():
            return Message(error.result, error.values)
        case NotAuthenticated():
            return NOT_AUTHENTICATED
        case Forbidden():
            return _forbidden(failure)
        case QuotaExceeded():
            return Message("400-00002", (reason(failure.message),))
        case InvalidValue():
            return Message("400-00002", (error.member,))
        case InvalidMessage():
            return Message("400-00002", (", ".join(problem.path for problem in error.problems),))
        case BadRequest():
            return Message("400-00002", ("json_format",))
    return _of_core(failure, error)


def _of_core(failure: Failure, error: DispatcherError) -> Message:
    for kind, result in ((NotFound, "404-00001"), (Conflict, "409-00001"), (Unavailable, "503-00001")):
        if isinstance(error, kind):
            return Message(result, (reason(failure.message),))
    return SYSTEM_ERROR


def _forbidden(failure: Failure) -> Message:
    """Return what whoever lacks a right of the core is told: of the menu, or else of the workspace as a whole."""
    match failure.path.split("/"):
        case [_, _, _, _, _, _, "menu", menu, *_]:
            return Message("401-00001", (menu,))
    return Message("401-00001", ("conductor_class_edit",)) if _is_apply(failure) else Message(NO_WORKSPACE)


def _is_apply(failure: Failure) -> bool:
    return failure.path.split("/")[6:] == ["apply"]


def _words(failure: Failure, message: Message, language: str) -> object:
    if isinstance(failure.error, InvalidRecords):
        return _records(failure.error, language, is_apply=_is_apply(failure))
    return text(message, language)


def _records(error: InvalidRecords, language: str, *, is_apply: bool) -> object:
    """Return all that is wrong with records: of apply as an object, of all others as the text of one."""

    def words(message: Message) -> str:
        return text_of_apply(message, language, error.menu) if is_apply else text(message, language)

    found = {
        str(index): {
            column or text(NO_COLUMN, language): [words(message) for message in messages]
            for column, messages in faults.items()
        }
        for index, faults in sorted(error.faults.items())
    }
    return found if is_apply else json.dumps(found, ensure_ascii=False)


def _of_tokens(failure: Failure) -> Reply:
    error = failure.error
    if isinstance(error, Refused):
        described = {"error_description": error.description} if error.description else {}
        return Reply(error.status, {"error": error.error, **described})
    if isinstance(error, InvalidMessage):
        return Reply(HTTPStatus.BAD_REQUEST, _of_form(error))
    if isinstance(error, NotAuthenticated):  # of paths at which there is nothing
        return Reply(HTTPStatus.UNAUTHORIZED, {"error": "HTTP 401 Unauthorized"})
    name = _SERVER_ERROR if failure.status >= HTTPStatus.INTERNAL_SERVER_ERROR else _INVALID
    return Reply(failure.status, {"error": name, "error_description": failure.message})


def _of_form(error: InvalidMessage) -> dict[str, str]:
    for problem in error.problems:
        if problem.path == "grant_type":
            if problem.message == "is missing":
                return {"error": _INVALID, "error_description": "Missing form parameter: grant_type"}
            return {"error": "unsupported_grant_type", "error_description": "Unsupported grant_type"}
    return {"error": _INVALID, "error_description": error.message}
