"""The web application: routes each request to the binding whose prefix it has, with its caller known."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from html import escape
from typing import TypeVar
from urllib.parse import unquote_to_bytes

import structlog

from dispatcher.core.errors import NotAuthenticated, Unavailable
from dispatcher.core.permissions import NOBODY, Caller
from dispatcher.core.ports import NewId
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.access_tokens import AccessTokens
from dispatcher.services.security import Security
from dispatcher.web.health import Health
from dispatcher.web.lane import Lane
from dispatcher.web.origins import is_foreign, is_from_page, is_host, may_be_rebound
from dispatcher.web.receiving import HungUp, Receive, Refused, Scope, Send, read_body, read_headers
from dispatcher.web.sending import send_response
from dispatcher.web.threads import Threads
from dispatcher.web.uploads import AnsweredEarly, UploadLimits, Uploads
from dispatcher.wire.http import (
    BASIC,
    BEARER,
    Admission,
    Binding,
    Request,
    Response,
    SubmitBinding,
    UploadBinding,
    bearer_of,
)

log = structlog.get_logger(__name__)

T = TypeVar("T")

#: How many threads answer where none of them waits for the datastore.
FEW_THREADS = 2
#: How long the body of a request may be that others wait for.
MAX_SUBMIT_BYTES = 64 * 1024
#: What a scope says of the only dialect that its listener serves.
_ONLY = "dispatcher.only"
_SLASHES = re.compile("/+")
#: Where a server says that it lives.
LIVE = "/health/live"


@dataclass(frozen=True, slots=True)
class Limits:
    """What the web layer takes. ``max_waiting`` counts the requests that are received, have a thread or wait for one.

    ``any_host``: without logins too, requests of this machine may call it by any name (``--allow-no-login``).
    """

    max_body_bytes: int = 4 * 1024 * 1024
    deadline_s: float = 30.0
    threads: int = 16
    max_waiting: int = 1024
    any_host: bool = False
    uploads: UploadLimits = field(default_factory=UploadLimits)


class WebApp:
    """An ASGI application over all bindings.

    Before it says that there is nothing at a path it calls *look_again*, by which bindings learn that they have moved.
    With *single_writer*, the datastore if it has one writer at a time, submits are answered one after the other.
    """

    def __init__(
        self,
        bindings: Sequence[Binding],
        security: Security,
        access_tokens: AccessTokens,
        health: Health,
        new_id: NewId,
        limits: Limits,
        *,
        look_again: Callable[[], object] = lambda: None,
        single_writer: Datastore | None = None,
    ) -> None:
        self._look_again = look_again
        self._uploading = [binding for binding in bindings if isinstance(binding, UploadBinding)]
        self._bindings = bindings
        self._security = security
        self._access_tokens = access_tokens
        self._health = health
        #: Makes the ids of requests.
        self.new_id = new_id
        self._limits = limits
        self._threads = Threads(limits.threads if single_writer is None else FEW_THREADS, limits.threads)
        self._submitting = [binding for binding in bindings if isinstance(binding, SubmitBinding)]
        self._lane = None if single_writer is None else Lane(single_writer, self.respond, self.refuse)
        self._waiting = 0
        #: The ports that requests come to; None while nobody has told. A service whose port is not open yet, or cannot
        #: be had, is found at these.
        self.ports: frozenset[int] | None = None
        self.uploads = Uploads(
            limits.uploads, limits.deadline_s, admit=self.admit, respond=self.respond_to_admitted, refuse=self.refuse
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] != "http":
            return
        if scope["path"] == LIVE and scope["method"] in ("GET", "HEAD"):
            await send_response(send, _live())  # by the loop itself: also while all threads are busy for long
            return
        request = _to_request(scope, self.new_id, self.ports)
        request.only = scope.get(_ONLY, "")
        try:
            response = await self._answer(request, scope, receive)
        except HungUp:
            return
        except AnsweredEarly as early:
            await self.uploads.send_early(send, receive, early.response)
            return
        except Unavailable as error:
            response = self.refuse(request, 503, error.message)
        except Refused as refused:
            response = self.refuse(request, refused.status, refused.message)
            response.headers.append(("Connection", "close"))
        await send_response(send, response)

    def only(self, dialect: str) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
        """Return an ASGI application that serves *dialect* as this one does, and besides only how the server is."""

        async def application(scope: Scope, receive: Receive, send: Send) -> None:
            scope[_ONLY] = dialect
            await self(scope, receive, send)

        return application

    @property
    def max_body_bytes(self) -> int:
        """How large a message may be."""
        return self._limits.max_body_bytes

    def refuse(self, request: Request, status: int, reason: str) -> Response:
        """Return the answer to a request that is not looked at, in the shape of the binding it was for."""
        return _refuse(request, self._find(request), status, reason)

    def close(self) -> None:
        """Let the threads end when what they work on is done, but for uploads."""
        self.uploads.close()
        self._threads.close()
        if self._lane is not None:
            self._lane.close()

    def upload_binding(self, request: Request) -> UploadBinding | None:
        """Return the binding of *request*, of which the head is there, if its body belongs into a file."""
        return self._upload_binding(request, self._find(request))

    def _upload_binding(self, request: Request, binding: Binding | None) -> UploadBinding | None:
        for one in self._uploading:
            if one is binding and one.is_upload(request):
                return one
        return None

    def respond(self, request: Request, address: str) -> Response:
        """Answer *request* from *address*, in the calling thread. Never raises."""
        binding = self._find(request)
        return self._guarded(request, lambda: self._meet(request, binding, address) or self._serve(request, binding))

    def admit(self, request: Request, address: str) -> Admission | Response:
        """Return whether the body of an upload from *address* may come, or the answer if not. Never raises."""
        binding = self.upload_binding(request)
        if binding is None:
            return self.refuse(request, 404, "there is no such upload")
        return self._guarded(request, lambda: self._meet(request, binding, address) or binding.admit(request))

    def respond_to_admitted(self, request: Request, address: str) -> Response:
        """Answer *request*, an upload that was admitted and has come, in the calling thread. Never raises.

        Its caller is asked for once more: the login may have been disabled, or lost a right, while the body came.
        """
        request.caller = NOBODY
        return self.respond(request, address)

    def _guarded(self, request: Request, work: Callable[[], T]) -> T | Response:
        try:
            return work()
        except Unavailable as error:
            return self.refuse(request, 503, error.message)
        except Exception:
            log.exception("web.failed", request=request.id, method=request.method, path=request.path)
            return self.refuse(request, 500, f"unexpected error {request.id}")

    def _meet(self, request: Request, binding: Binding | None, address: str) -> Response | None:
        """Find out who sends *request*; return the answer if it goes no further."""
        request.address = address
        if reason := self._suspicion(request, binding, address):
            # The status is for a browser, whatever the dialect's faults have.
            return replace(_refuse(request, binding, 403, reason), status=403)
        if binding is None:
            return None
        try:
            request.caller = self._authenticate(request, binding, address)
        except NotAuthenticated:
            if not binding.is_public(request):
                return binding.unauthenticated(request)
        return None

    def _authenticate(self, request: Request, binding: Binding, address: str) -> Caller:
        """Return who sends *request*, by the credentials that *binding* takes."""
        if BEARER in binding.schemes and (token := bearer_of(request)):
            return self._access_tokens.authenticate(binding.dialect, token, address)
        if BASIC in binding.schemes:
            return self._security.authenticate(request.headers.get("authorization"), address)
        raise NotAuthenticated

    def _serve(self, request: Request, binding: Binding | None) -> Response:
        return self._own_page(request) if binding is None else binding(request)

    async def _answer(self, request: Request, scope: Scope, receive: Receive) -> Response:
        request.headers = headers = read_headers(scope["headers"])
        if not is_host(host := headers.get("host") or request.host):
            raise Refused(400, "the Host header names no host")
        request.host = host
        if self._waiting >= self._limits.max_waiting:
            raise Refused(503, "too many requests are waiting")
        client = scope.get("client")
        self._waiting += 1
        try:
            address = client[0] if client else ""
            binding = self._find(request)
            if binding is None:
                await self._threads.run(self._look)
                binding = self._find(request)
            if self._upload_binding(request, binding) is not None:
                return await self.uploads.answer(request, address, receive, self._threads)
            limits = self._limits
            request.body = await read_body(scope, receive, headers, limits.max_body_bytes, limits.deadline_s)
            if self._lane is not None and self._is_submit(request, binding):
                return await self._lane.answer(request, address)
            return await self._threads.run(self.respond, request, address)
        finally:
            self._waiting -= 1

    def _suspicion(self, request: Request, binding: Binding | None, address: str) -> str:
        """Return why a web page of somebody else may be behind *request*; empty if there is nothing to say so."""
        if is_from_page(request):
            public_address = binding.public_address() if binding is not None and "origin" in request.headers else ""
            if is_foreign(request, public_address):
                return "the request comes from a page of another site"
        if not self._limits.any_host and may_be_rebound(request, address) and not self._security.has_logins():
            return "there is no login: call this machine localhost, add a login or start with --allow-no-login"
        return ""

    def _is_submit(self, request: Request, binding: Binding | None) -> bool:
        """Whether *request* may go by the lane: there nothing may take long, for all that follow wait for it."""
        return (
            len(request.body) <= MAX_SUBMIT_BYTES
            and binding in self._submitting
            and binding.is_submit(request)
            and self._remembers(request, binding)
        )

    def _remembers(self, request: Request, binding: Binding | None) -> bool:
        if binding is not None and BEARER in binding.schemes and (token := bearer_of(request)):
            return self._access_tokens.remembers(binding.dialect, token)
        return self._security.remembers(request.headers.get("authorization"))

    def _look(self) -> None:
        with suppress(Unavailable):  # what is known holds on
            self._look_again()

    def _find(self, request: Request) -> Binding | None:
        """Return whom *request* is for; up to the end of the prefix its path has no doubled slashes then.

        A client has put the prefix behind an address that ends in a slash (contract section 5.4). What follows is left
        as it is: there an empty segment may be a value that is missing.
        """
        folded = request.path.lower()
        is_doubled = "//" in folded
        if is_doubled:
            folded = _SLASHES.sub("/", folded)
        for binding in self._served(request):
            for prefix in binding.prefixes:
                if folded.startswith(prefix) and (len(folded) == len(prefix) or folded[len(prefix)] == "/"):
                    if is_doubled:
                        request.path = _SLASHES.sub("/", request.path, count=prefix.count("/"))
                    return binding
        return None

    def _served(self, request: Request) -> Sequence[Binding]:
        if not request.only:
            return self._bindings
        return [binding for binding in self._bindings if binding.dialect in ("", request.only)]

    def _own_page(self, request: Request) -> Response:
        path = request.path.rstrip("/").lower()
        if path == LIVE:
            return _live()
        if path == "/health/ready":
            return self._health.ready()
        if path == "":
            return Response(200, _index(request, self._served(request)).encode(), "text/html; charset=utf-8")
        return Response(404, b"not found\n", "text/plain; charset=utf-8")


def _to_request(scope: Scope, new_id: NewId, ports: frozenset[int] | None) -> Request:
    raw = (scope.get("raw_path") or scope["path"].encode()).partition(b"?")[0]
    path = (unquote_to_bytes(raw) if b"%" in raw else raw).decode("utf-8", "replace")
    request = Request(scope["method"], path, scope["query_string"].decode("latin-1"))
    request.scheme = scope.get("scheme", "http")
    request.port = (scope.get("server") or ("", 0))[1] or 0
    request.ports = ports
    request.new_id = new_id
    return request


def _live() -> Response:
    return Response(200, b"live\n", "text/plain; charset=utf-8")


def _refuse(request: Request, binding: Binding | None, status: int, reason: str) -> Response:
    if binding is not None:
        return binding.refused(request, status, reason)
    return Response(status, reason.encode() + b"\n", "text/plain; charset=utf-8")


def _index(request: Request, bindings: Sequence[Binding]) -> str:
    rows = "".join(
        f'<li><a href="{escape(_elsewhere(request, binding.port) + binding.help_path)}">{escape(binding.home)}</a>: '
        f"{escape(binding.title)}</li>"
        for binding in bindings
        if binding.home and (binding.dialect or not request.only)
    )
    return _INDEX.format(rows=rows or "<li>nothing: all services are switched off</li>")


def _elsewhere(request: Request, port: int) -> str:
    """Return what stands before a path that only *port* answers (0: any); nothing if *request* came there."""
    if port in (0, request.port) or (request.ports is not None and port not in request.ports):
        return ""
    return f"{request.scheme}://{re.sub(':[0-9]*$', '', request.host)}:{port}"


_INDEX = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Dispatcher</title>
<style>body {{ font: 16px/1.5 system-ui, sans-serif; margin: 3rem auto; max-width: 44rem; padding: 0 1rem }}</style>
</head><body><h1>Dispatcher</h1>
<p>An open job dispatcher that legacy automation clients talk to unchanged. Served here:</p>
<ul>{rows}</ul>
<p><a href="/health/ready">Is the server ready?</a></p>
</body></html>
"""
