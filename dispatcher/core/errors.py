"""Errors: one root; every subclass has a stable code and builds its message from what it names."""

from __future__ import annotations

from uuid import UUID


class DispatcherError(Exception):
    """The root of every error that Dispatcher raises on purpose.

    ``code`` is stable and may be shown on any wire; the message is safe to show to the caller.
    """

    code = "error"

    def __init__(self, message: str, **details: object) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class BadRequest(DispatcherError):
    """The caller sent something that cannot be understood or obeyed."""

    code = "request.bad"


class InvalidValue(BadRequest):
    """A named member of the request has a missing, malformed or impossible value."""

    code = "request.invalid_value"

    def __init__(self, member: str, problem: str) -> None:
        super().__init__(f"{member}: {problem}", member=member)
        self.member = member


class QuotaExceeded(BadRequest):
    """The message is larger, deeper or wider than the published quotas allow."""

    code = "request.quota_exceeded"


class NotAuthenticated(DispatcherError):
    """The request carries no credentials, or wrong ones."""

    code = "security.not_authenticated"

    def __init__(self) -> None:
        super().__init__("valid credentials are required")


class Forbidden(DispatcherError):
    """The caller is known but lacks the right."""

    code = "security.forbidden"

    def __init__(self, login: str, right: str, node: str) -> None:
        super().__init__(f"login {login} has no {right} right on {node}", login=login, node=node)


class NotFound(DispatcherError):
    """Something named by the caller does not exist."""

    code = "not_found"
    kind = "object"

    def __init__(self, name: UUID | str) -> None:
        super().__init__(f"no {self.kind} {name}", name=str(name))


class JobNotFound(NotFound):
    """No job has this id."""

    code = "job.not_found"
    kind = "job"


class WhatNotFound(NotFound):
    """No module, project or run book has this id."""

    code = "library.not_found"
    kind = "module, project or run book"


class AgentNotFound(NotFound):
    """No agent has this id or name."""

    code = "agent.not_found"
    kind = "agent"


class LoginNotFound(NotFound):
    """No login has this name."""

    code = "login.not_found"
    kind = "login"


class SettingNotFound(NotFound):
    """No setting has this name."""

    code = "setting.not_found"
    kind = "setting"


class Conflict(DispatcherError):
    """The request contradicts what is stored."""

    code = "conflict"


class InvalidMove(Conflict):
    """A job or run cannot go from its state by this event (see ``core.states``)."""

    code = "state.invalid_move"


class KeyReused(Conflict):
    """The key by which a request is told from others was given for another one before."""

    code = "request.key_reused"

    def __init__(self) -> None:
        super().__init__("the idempotency key (or MessageID) was given for another request before")


class Unavailable(DispatcherError):
    """The datastore or another part is out of order for now; the caller may try again."""

    code = "unavailable"


class Deadlock(Unavailable):
    """Two transactions waited for each other, and the database ended this one: done again, it succeeds."""

    code = "datastore.deadlock"


class Busy(Unavailable):
    """What this needs has been locked by another transaction for too long: once that one ends, it succeeds."""

    code = "datastore.busy"
