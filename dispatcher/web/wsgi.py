"""WSGI: the same web application as one callable, for tests and for servers that speak no ASGI."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING

from werkzeug.wsgi import LimitedStream

from dispatcher.web.app import WebApp
from dispatcher.wire.http import Request, Response

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


def wsgi_application(web: WebApp) -> Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]:
    """Return a WSGI application over *web*. The server has to bound headers and time; the body is bounded here."""

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        response = _respond(web, environ)
        headers = [("Content-Length", str(len(response.body))), *response.headers]
        if response.content_type:
            headers.append(("Content-Type", response.content_type))
        start_response(f"{response.status} {_phrase(response.status)}", headers)
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else response.body]

    return application


def _respond(web: WebApp, environ: WSGIEnvironment) -> Response:
    request = Request(
        method=environ["REQUEST_METHOD"],
        path=(environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", ""))
        .encode("latin-1")
        .decode("utf-8", "replace"),
        query=environ.get("QUERY_STRING", ""),
        headers=_headers(environ),
        scheme=environ["wsgi.url_scheme"],
        host=environ.get("HTTP_HOST") or f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}",
        id=web.new_request_id(),
    )
    length = environ.get("CONTENT_LENGTH") or "0"
    if not length.isdigit() or int(length) > web.max_body_bytes:
        return web.refuse(request, 413, f"the message is larger than {web.max_body_bytes} bytes")
    request.body = LimitedStream(environ["wsgi.input"], int(length)).read()
    return web.respond(request, environ.get("REMOTE_ADDR", ""))


def _decoded(path: str) -> str:
    # WSGI hands paths over as if they were Latin-1 (PEP 3333).
    return path.encode("latin-1").decode("utf-8", "replace")


def _headers(environ: WSGIEnvironment) -> dict[str, str]:
    headers = {
        name.removeprefix("HTTP_").replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }
    if environ.get("CONTENT_TYPE"):
        headers["content-type"] = environ["CONTENT_TYPE"]
    return headers


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
