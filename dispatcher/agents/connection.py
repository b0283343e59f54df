"""The connection of an agent to its dispatchers: the calls of the protocol over HTTP, on the first one that answers."""

from __future__ import annotations

import itertools
import logging
import random
import socket
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import requests
from pydantic import ValidationError
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies
from urllib3 import BaseHTTPResponse, Timeout
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError

from dispatcher.agents.pins import Pin
from dispatcher.agents.protocol import (
    PATH,
    Enrol,
    FindResource,
    FoundResource,
    Identity,
    Message,
    Orders,
    Receipt,
    Refusal,
    credentials,
    dump,
)
from dispatcher.core.errors import DispatcherError, Unavailable

log = logging.getLogger(__name__)

M = TypeVar("M", bound=Message)

#: How much of a content is read at once, in bytes: as much is lost when a connection is cut.
_PART_BYTES = 1 << 16
_CONNECT_TIMEOUT_S = 10.0
#: How long an answer may take beyond the time it was asked to wait, in seconds.
_ANSWER_TIMEOUT_S = 30.0
#: What a dispatcher may answer that only says "not now".
_LATER = frozenset({408, 425, 429})
#: What it answers to a message that it cannot read or that is too large.
_UNREADABLE = frozenset({400, 413})


class Refused(DispatcherError):
    """The dispatcher does not accept this agent: its identity was revoked, or its token is not valid."""

    code = "agent.refused"


class Rejected(DispatcherError):
    """The dispatcher cannot take this message; sending it again would not help."""

    code = "agent.rejected"


class Interrupted(DispatcherError):
    """The call was given up on purpose."""

    code = "agent.interrupted"


class Connection:
    """Calls dispatchers for one thread; ``interrupt`` may come from another.

    *pin* is a PEM file with the only certificate to accept, whatever names, dates and issuer it has; then no proxy is
    asked. It is read for every new connection: the server may have renewed it. If the server has noted in the folder
    *home* which certificate it shows, that one is accepted instead, see ``Pin``.

    :raises Unavailable: from every call, if no dispatcher answers as it should.
    :raises Refused: from every call, if one refuses this agent.
    """

    def __init__(
        self, dispatchers: Sequence[str], ca_file: str | None = None, pin: str = "", home: Path | None = None
    ) -> None:
        self._dispatchers = [url.rstrip("/") for url in dispatchers]
        self._current = 0
        self._ca_file = ca_file
        self._pin = Pin(Path(pin), home) if pin else None
        self._headers = {"Content-Type": "application/json"}
        self._socket: socket.socket | None = None
        self._is_interrupted = False
        self._session = self._new_session()
        self._routes: dict[str, tuple[HTTPConnectionPool, str]] = {}

    def identify(self, agent_id: UUID, secret: str) -> None:
        """Use this identity from now on."""
        self._headers["Authorization"] = credentials(agent_id, secret)

    def enrol(self, message: Enrol) -> Identity:
        """Trade a token for an identity."""
        # One try for each dispatcher: a token for one agent is used up even if its answer is lost.
        return self._call(Identity, "enrol", dump(message), 0, len(self._dispatchers))

    def poll(self, body: bytes, wait_s: float) -> Orders:
        """Ask for orders.

        :raises Interrupted: if ``interrupt`` was called since ``allow``.
        """
        return self._call(Orders, "poll", body, wait_s, len(self._dispatchers) + 1)

    def report(self, body: bytes, within_s: float = _ANSWER_TIMEOUT_S) -> Receipt:
        """Deliver events; a dispatcher that has not answered after *within_s* is given up for the next one.

        :raises Rejected: if the dispatcher cannot take this message and never will.
        """
        # A dispatcher may be there and stand still: the leases must not run out over waiting for it.
        wait_s = min(within_s, _ANSWER_TIMEOUT_S) - _ANSWER_TIMEOUT_S
        return self._call(Receipt, "report", body, wait_s, len(self._dispatchers) + 1)

    def leave(self) -> None:
        """Have the entry of this agent removed."""
        self._call(Receipt, "leave", b"{}", 0, len(self._dispatchers) + 1)

    def find_resource(self, name: str) -> FoundResource:
        """Ask which content the resource *name* has.

        :raises Rejected: if there is no such resource.
        """
        return self._call(FoundResource, "resource", dump(FindResource(name=name)), 0, len(self._dispatchers) + 1)

    def content(self, sha256: str, offset: int) -> Iterator[bytes]:
        """Give the bytes of a content from *offset* on.

        :raises Rejected: if no dispatcher has it.
        """
        problem = "no dispatcher is configured"
        headers = {**self._headers, "Range": f"bytes={offset}-"}
        timeout = (_CONNECT_TIMEOUT_S, _ANSWER_TIMEOUT_S)
        for url in self._dispatchers:
            has_begun = False
            target = f"{url}{PATH}/content/{sha256}"
            try:
                with self._session.get(
                    target, headers=headers, timeout=timeout, allow_redirects=False, stream=True
                ) as answer:
                    if answer.status_code in (206, 416):  # 416: there is nothing from there on
                        has_begun = True
                        yield from answer.iter_content(_PART_BYTES) if answer.status_code == 206 else ()
                        return
                    problem = f"{url}: content answered {answer.status_code} {answer.text[:200]!r}"
                    if _is_final(answer.status_code):
                        raise Rejected(problem)
            except requests.RequestException as error:
                problem = f"{url}: {_cause(error)}"
                if has_begun:
                    break  # the caller goes on where it was cut off
        raise Unavailable(problem)

    def allow(self) -> None:
        """Take back an earlier ``interrupt``."""
        self._is_interrupted = False

    def interrupt(self) -> None:
        """Give up the call that is under way, and every other until ``allow``."""
        # In this order: whatever connects after this line sees it, and what has connected before is cut.
        self._is_interrupted = True
        in_use = self._socket
        if in_use is not None:
            try:
                in_use.shutdown(socket.SHUT_RDWR)
            except OSError:
                return  # not connected any more

    def _call(self, kind: type[M], call: str, body: bytes, wait_s: float, tries: int) -> M:
        content = self._post(call, body, wait_s, tries)
        try:
            return kind.model_validate_json(content)
        except ValidationError as error:
            raise Unavailable(f"{call} answered what no dispatcher says: {error.error_count()} errors") from None

    def _post(self, call: str, body: bytes, wait_s: float, tries: int) -> bytes:
        problem = "no dispatcher is configured"
        for _ in range(tries):
            url = self._dispatchers[self._current]
            try:
                if self._is_interrupted:
                    raise Interrupted(f"{call} given up")
                answer = self._send(f"{url}{PATH}/{call}", body, wait_s)
            except (HTTPError, requests.RequestException) as error:
                if self._is_interrupted:
                    raise Interrupted(f"{call} given up") from None
                problem = f"{url}: {_cause(error)}"
            else:
                if answer.status == 200:
                    return answer.data
                problem = f"{url}: {call} answered {answer.status} {answer.data.decode(errors='replace')[:200]!r}"
                if answer.status in (401, 403) or (call == "enrol" and _is_final(answer.status)):
                    raise Refused(problem)
                if call == "resource" and _is_final(answer.status):
                    raise Rejected(_said(answer))
                if call == "report" and answer.status in _UNREADABLE:
                    raise Rejected(problem)
            self._current = (self._current + 1) % len(self._dispatchers)
        raise Unavailable(problem)

    def _send(self, target: str, body: bytes, wait_s: float) -> BaseHTTPResponse:
        """Post *body* and return the answer, read to its end.

        A session would prepare every call anew, for more than the call itself costs: it is asked once for each target.
        """
        if target not in self._routes:
            self._routes[target] = self._route(target)
        pool, path = self._routes[target]
        timeout = Timeout(connect=_CONNECT_TIMEOUT_S, read=wait_s + _ANSWER_TIMEOUT_S)
        try:
            return pool.urlopen(
                "POST",
                path,
                body=body,
                headers=self._headers,
                timeout=timeout,
                redirect=False,
                retries=False,
                assert_same_host=False,  # a proxy is another one
            )
        finally:
            self._socket = None

    def _route(self, target: str) -> tuple[HTTPConnectionPool, str]:
        """Return the connections to *target*, or to the proxy before it, and what to ask for there."""
        session = self._session
        request = session.prepare_request(requests.Request("POST", target))
        adapter = session.get_adapter(target)
        assert isinstance(adapter, HTTPAdapter)  # noqa: S101 - ours
        pool = adapter.get_connection_with_tls_context(request, session.verify, session.proxies)
        assert isinstance(pool, HTTPConnectionPool)  # noqa: S101 - there is no other
        return pool, adapter.request_url(request, session.proxies)

    def _new_session(self) -> requests.Session:
        session = requests.Session()
        # Otherwise every request reads the environment again, and a netrc file may replace our credentials.
        session.trust_env = False
        if self._dispatchers and self._pin is None:
            session.proxies = dict(get_environ_proxies(self._dispatchers[0]))
        # With a pin the certificate itself is the identity; nobody else vouches for it.
        session.verify = self._pin is None and (self._ca_file or True)
        for scheme in ("http://", "https://"):
            session.mount(scheme, _Adapter(self._use, self._pin, len(self._dispatchers)))
        return session

    def _use(self, used: socket.socket) -> None:
        self._socket = used
        if self._is_interrupted:
            raise OSError("interrupted")


class Backoff:
    """Waiting times between tries: growing, and random so that a crowd of agents does not come back at once."""

    def __init__(self, first_s: float = 0.2, most_s: float = 10.0) -> None:
        self._first_s = first_s
        self._most_s = most_s
        self._tries = itertools.count()

    def next_s(self) -> float:
        """Return how long to wait now, in seconds."""
        most = min(self._most_s, self._first_s * 2 ** min(next(self._tries), 30))
        return random.uniform(most / 4, most)  # noqa: S311 - no secret

    def reset(self) -> None:
        """Begin again: a try has succeeded."""
        self._tries = itertools.count()


class _Adapter(HTTPAdapter):
    """Keeps connections alive while they wait, and tells of the socket that each call uses."""

    def __init__(self, use: Callable[[socket.socket], None], pin: Pin | None, dispatchers: int) -> None:
        self._use = use
        self._pin = pin
        # One for each, at least: the connection keeps them, and one too many would be closed.
        super().__init__(pool_connections=dispatchers + 1, pool_maxsize=1)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Make the pools."""
        super().init_poolmanager(*args, socket_options=_socket_options(), **options)
        self.poolmanager.pool_classes_by_scheme = {
            "http": _telling(HTTPConnectionPool, self._use),
            "https": _telling(HTTPSConnectionPool, self._use, self._pin),
        }


def _telling(
    pool: type[HTTPConnectionPool], use: Callable[[socket.socket], None], pin: Pin | None = None
) -> type[HTTPConnectionPool]:
    """Return *pool* with connections that call *use* with their socket, when it is new and before it is used again.

    With *pin* they are made only to who shows that one.
    """

    class Telling(pool.ConnectionCls):  # type: ignore[misc, name-defined]
        def connect(self) -> None:
            if pin is not None:
                self.assert_fingerprint = _accepted(pin)
            super().connect()
            use(self.sock)

        def request(self, *args: Any, **options: Any) -> None:
            if self.sock is not None:
                use(self.sock)
            super().request(*args, **options)

    return type(f"Telling{pool.__name__}", (pool,), {"ConnectionCls": Telling})


def _accepted(pin: Pin) -> str:
    try:
        return pin.fingerprint()
    except ValueError as error:
        raise OSError(str(error)) from None


def _socket_options() -> list[tuple[int, int, int]]:
    options = [*HTTPConnection.default_socket_options, (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
    # A dispatcher that vanished without a word is noticed within 30 seconds, and without waking this process.
    for name, value in (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, name):
            options.append((socket.IPPROTO_TCP, getattr(socket, name), value))
    return options


def _said(answer: BaseHTTPResponse) -> str:
    """Return what a refusal says."""
    try:
        return Refusal.model_validate_json(answer.data).message
    except ValidationError:
        return f"refused: {answer.status}"


def _is_final(status: int) -> bool:
    return 400 <= status < 500 and status not in _LATER


def _cause(error: BaseException) -> str:
    """Return the innermost reason in words; the outer ones repeat it."""
    while error.__cause__ is not None or error.__context__ is not None:
        error = error.__cause__ or error.__context__  # type: ignore[assignment]
    return f"{type(error).__name__}: {error}"
