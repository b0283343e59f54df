"""The endpoint: a JSON dialect as one front door, made of its operations and its way to tell failures."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from io import BytesIO
from typing import BinaryIO

import orjson

from dispatcher.core.errors import DispatcherError, NotAuthenticated
from dispatcher.wire.faults import Log, status_of, told, unexpected
from dispatcher.wire.http import BEARER, RETRY_AFTER, Request, Response, key_of
from dispatcher.wire.json_api.failures import STATUSES, Failure, NoSuchPath, Reply, problems_of
from dispatcher.wire.json_api.forms import FormStyle
from dispatcher.wire.json_api.messages import JSON, Messages
from dispatcher.wire.json_api.operations import Operation, Route, operations_of
from dispatcher.wire.json_api.routes import Found, Routes, WrongMethod
from dispatcher.wire.multipart import digest_of
from dispatcher.wire.quotas import Quotas

#: Tokens and what is stored are in answers: nobody on the way keeps them, and no browser takes them for a page.
_CAUTION = (("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"))


@dataclass(frozen=True, slots=True)
class _Served:
    """An operation with the readers and the writer of its messages."""

    operation: Operation
    messages: Messages

    def __call__(self, request: Request, variables: Mapping[str, str]) -> Response:
        arguments = self.messages.read(request)
        made = self.operation.call(request=request, **variables, **arguments)
        response = self.messages.write(made)
        if location := self.operation.declared.location:
            response.headers.append(("Location", f"{request.root}{location.format_map(dict(made))}"))
        return _cautious(response)


class JsonApi:
    """The front door of a JSON dialect.

    :param dialect: its name, which its access tokens are good for.
    :param version: of the vendor's API; OpenAPI shows it.
    :param prefixes: in lower case, without a trailing slash; everything below them is answered here.
    :param handlers: the objects whose methods are its operations.
    :param to_error: tells a failure in the dialect's words.
    :param omit_none: whether members without a value are left out of answers, or null.
    :param any_case: whether the words of paths and the names in queries match in any letter case.
    :param latin_1: whether bodies of undeclared encoding that are not UTF-8 are Latin-1.
    :param last_wins: whether of members with the same name the last one counts; else the body is refused.
    :param statuses: of errors, where they differ from the usual ones.
    :param schemes: how clients say who they are.
    :param to_example: how descriptions tell a failure, if answers have in them what is another each time.
    :param samples: failures that operations behind a log-in may have beside the usual ones.
    :param public_address: what says which address clients were told to use, if answers have addresses in them.
    """

    port = 0

    def __init__(
        self,
        *,
        dialect: str,
        title: str,
        version: str,
        prefixes: Sequence[str],
        handlers: Sequence[object],
        to_error: Callable[[Failure], Reply],
        log: Log,
        quotas: Quotas,
        omit_none: bool = False,
        any_case: bool = False,
        latin_1: bool = False,
        last_wins: bool = False,
        form_style: FormStyle = FormStyle.STANDARD,
        statuses: Mapping[type[DispatcherError], int] | None = None,
        schemes: tuple[str, ...] = (BEARER,),
        to_example: Callable[[Failure], Reply] | None = None,
        samples: Sequence[DispatcherError] = (),
        public_address: Callable[[], str] | None = None,
    ) -> None:
        self.schemes = schemes
        self.to_example = to_example or to_error
        self.samples = samples
        self.dialect = dialect
        self.title = title
        self.version = version
        self.operations = operations_of(handlers)
        self._prefixes = tuple(prefixes)
        #: How the dialect tells a failure.
        self.reply = to_error
        self._log = log
        self._public_address = public_address
        self._statuses = {**STATUSES, **(statuses or {})}
        written = partial(Messages, any_case=any_case, form_style=form_style, omit_none=omit_none, quotas=quotas)
        messages = partial(written, latin_1=latin_1, last_wins=last_wins)
        pairs = _routed(_Served(one, messages(one)) for one in self.operations)
        self._routes = Routes(pairs, any_case=any_case)
        self._submit_verbs = {route.verb for route, one in pairs if one.operation.declared.is_submit}

    @property
    def prefixes(self) -> tuple[str, ...]:
        """The paths below which it answers."""
        return self._prefixes

    @property
    def home(self) -> str:
        """The path that its operations have in common, or most of them."""
        return self._prefixes[0]

    @property
    def help_path(self) -> str:
        """The page that explains it."""
        return f"/docs/{self.dialect}/"

    def public_address(self) -> str:
        """Return the address that answers show; empty if they show the one that the client used, or none."""
        return "" if self._public_address is None else self._public_address()

    def is_public(self, request: Request) -> bool:
        """Whether *request* is answered without credentials: as a call for a token is."""
        found = self._routes.find(request.method, request.path)
        if isinstance(found, WrongMethod):  # which is what is wrong, not that nobody has logged in
            return all(self.is_public(Request(method, request.path)) for method in found.allowed)
        return isinstance(found, Found) and found.target.operation.declared.is_public

    def is_submit(self, request: Request) -> bool:
        """Whether *request* only stores something small."""
        if request.method not in self._submit_verbs:
            return False
        found = self._routes.find(request.method, request.path)
        return isinstance(found, Found) and found.target.operation.declared.is_submit

    def unauthenticated(self, request: Request) -> Response:
        """Return the answer to a missing, wrong or expired token."""
        return self.failed(request, NotAuthenticated())

    def refused(self, request: Request, status: int, reason: str) -> Response:
        """Return the answer to a request that the web layer refuses."""
        return self._told(Failure(request, status, reason))

    def __call__(self, request: Request) -> Response:
        """Answer *request*; whatever is wrong with it is told as the dialect tells failures."""
        found = self._routes.find(request.method, request.path)
        if found is None:
            return self.failed(request, NoSuchPath(request.path[:200].encode("utf-8", "replace").decode()))
        if isinstance(found, WrongMethod):
            return self._wrong_method(request, found)
        request.key = key_of(request)
        if request.key:
            request.asks = partial(_asked, request, has_files=found.target.operation.declared.has_files)
        try:
            if address := self.public_address():
                request.come_to(address)
            return found.target(request, found.variables)
        except DispatcherError as error:
            return self.failed(request, error)
        except Exception:
            return self.failed(request, unexpected(self._log, request))

    def asked_for(self, request: Request) -> tuple[Operation, Mapping[str, str]] | None:
        """Return the operation that *request* is for, and the variables in its path; None if it is for none."""
        found = self._routes.find(request.method, request.path)
        return (found.target.operation, found.variables) if isinstance(found, Found) else None

    def _wrong_method(self, request: Request, found: WrongMethod) -> Response:
        reason = f"{request.method[:20]} is not possible here, but {', '.join(found.allowed)}"
        response = self._told(Failure(request, HTTPStatus.METHOD_NOT_ALLOWED, reason))
        response.headers.append(("Allow", ", ".join(found.allowed)))
        return response

    def failure_of(self, request: Request, error: DispatcherError) -> Failure:
        """Return why *request* is not obeyed, by the statuses of the dialect."""
        return Failure(request, status_of(self._statuses, error), told(error), error, problems_of(error))

    def failed(self, request: Request, error: DispatcherError) -> Response:
        """Return the answer to *request*, which fails with *error*."""
        return self._told(self.failure_of(request, error))

    def _told(self, failure: Failure) -> Response:
        reply = self.reply(failure)
        headers = list(reply.headers)
        if reply.status == HTTPStatus.SERVICE_UNAVAILABLE:
            headers.append(RETRY_AFTER)
        if reply.body is None:
            return _cautious(Response(reply.status, headers=headers))
        try:
            body = orjson.dumps(reply.body)
        except orjson.JSONEncodeError:  # it quotes characters that there are not in UTF-8
            body = json.dumps(reply.body).encode()
        return _cautious(Response(reply.status, body, JSON, headers))


def _asked(request: Request, *, has_files: bool) -> bytes:
    asked = _form(request) if has_files else None
    if asked is None:
        asked = request.body if request.content is None else request.content.sha256
    return f"{request.method} {request.path}?{request.query}\n".encode() + asked


def _form(request: Request) -> bytes | None:
    """Return what the form in *request* says, for it is written another way each time; None if it is none."""
    stream: BinaryIO = BytesIO(request.body) if request.content is None else request.content.stream
    stream.seek(0)
    digest = digest_of(stream, request.headers.get("content-type", ""))
    return None if digest is None else b"form\n" + digest


def _cautious(response: Response) -> Response:
    response.headers.extend(_CAUTION)
    return response


def _routed(served: Iterable[_Served]) -> list[tuple[Route, _Served]]:
    return [(route, one) for one in served for route in one.operation.declared.routes]
