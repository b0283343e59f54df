"""The HTTP client of tasks: every connection, of redirects too, goes to an allowed address."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from dispatcher.core.networks import Networks
from dispatcher.tasks import targets
from dispatcher.tasks.work import TaskFailed

MAX_REDIRECTS = 10


class Session(requests.Session):
    """A session that obeys *networks*. No proxy, no ``netrc``: what a task calls is what its settings say.

    A redirect to another site takes nothing private along, neither credentials nor the headers called *private*; with a
    body it is not followed at all. A site is scheme, host and port; from http to https of a host, it is the same.

    :raises RefusedByPolicy: from every call, for an address that is not allowed.
    :raises TaskFailed: from every call that would have to take its body to another site.
    """

    def __init__(self, networks: Networks, private: Iterable[str] = ()) -> None:
        super().__init__()
        self._private = frozenset(private)
        self.trust_env = False
        self.max_redirects = MAX_REDIRECTS
        for scheme in ("http://", "https://"):
            self.mount(scheme, _Adapter(networks))

    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        """Take what is private off a request that is redirected to another site.

        :raises TaskFailed: if it has a body still (after 307 and 308): a secret may be in that, and without it the
            request would be another one.
        """
        super().rebuild_auth(prepared_request, response)  # type: ignore[no-untyped-call]
        was, now = str(response.request.url), str(prepared_request.url)
        if self.should_strip_auth(was, now):  # type: ignore[no-untyped-call]
            if prepared_request.body:
                raise TaskFailed(f"redirected to another site ({_site(now)}), and a body is sent to none but its own")
            for name in self._private:
                prepared_request.headers.pop(name, None)


def problem(error: BaseException) -> str:
    """Return the innermost reason of *error* in words. The outer ones repeat the URL, and secrets may be in that."""
    while error.__cause__ is not None or error.__context__ is not None:
        error = error.__cause__ or error.__context__  # type: ignore[assignment]
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _site(url: str) -> str:
    """Return scheme, host and port of *url*: no login, path or query, where secrets may be."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


class _Adapter(HTTPAdapter):
    def __init__(self, networks: Networks) -> None:
        self._networks = networks
        super().__init__()

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {
            "http": _guarded(HTTPConnectionPool, HTTPConnection, self._networks),
            "https": _guarded(HTTPSConnectionPool, HTTPSConnection, self._networks),
        }


def _guarded(
    pool: type[HTTPConnectionPool], connection: type[HTTPConnection], networks: Networks
) -> type[HTTPConnectionPool]:
    """Return *pool* with connections that go to addresses in *networks* only; certificates are for the name still."""

    class Guarded(connection):  # type: ignore[misc, valid-type]
        def _new_conn(self) -> socket.socket:
            timeout_s = self.timeout if isinstance(self.timeout, int | float) else None
            try:
                connected = targets.connect(networks, self._dns_host, self.port, timeout_s)
            except TimeoutError as error:
                raise ConnectTimeoutError(self, "no connection in time") from error
            except OSError as error:
                raise NewConnectionError(self, str(error)) from error
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return connected

    return type(f"Guarded{pool.__name__}", (pool,), {"ConnectionCls": Guarded})
