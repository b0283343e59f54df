"""WSGI: the same web application as one callable, for tests and for servers that speak no ASGI."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import IO, TYPE_CHECKING

from werkzeug.wsgi import LimitedStream

from dispatcher.core.errors import Unavailable
from dispatcher.web.app import WebApp
from dispatcher.web.receiving import Refused, read_length
from dispatcher.web.sending import headers_of
from dispatcher.web.uploads import PIECE_BYTES
from dispatcher.wire.http import Request, Response

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


def wsgi_application(web: WebApp) -> Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]:
    """Return a WSGI application over *web*. The server has to bound headers and time; the body is bounded here."""

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        response = _respond(web, environ)
        start_response(f"{response.status} {_phrase(response.status)}", headers_of(response))
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else response.body]

    return application


def _respond(web: WebApp, environ: WSGIEnvironment) -> Response:
    request = Request(
        method=environ["REQUEST_METHOD"],
        path=_decoded(environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")),
        query=environ.get("QUERY_STRING", ""),
        headers=_headers(environ),
        scheme=environ["wsgi.url_scheme"],
        host=environ.get("HTTP_HOST") or f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}",
        new_id=web.new_id,
    )
    address, declared = environ.get("REMOTE_ADDR", ""), environ.get("CONTENT_LENGTH") or "0"
    try:
        if web.upload_binding(request) is not None:
            return _upload(web, request, address, environ["wsgi.input"], declared)
        length = read_length(declared, web.max_body_bytes)
    except Refused as refused:
        return web.refuse(request, refused.status, refused.message)
    request.body = LimitedStream(environ["wsgi.input"], length).read()
    return web.respond(request, address)


def _upload(web: WebApp, request: Request, address: str, stream: IO[bytes], declared: str) -> Response:
    admitted = web.admit(request, address)
    if isinstance(admitted, Response):
        return admitted
    body = LimitedStream(stream, read_length(declared, web.uploads.limits.max_bytes))
    if admitted.max_bytes is not None and body.limit > admitted.max_bytes:
        raise Refused(413, admitted.too_large)
    if not admitted.is_kept:
        body.exhaust()
        return web.respond_to_admitted(request, address)
    try:
        with web.uploads.file() as file:
            while piece := body.read(PIECE_BYTES):
                file.write(piece)
            request.content = file.content()
            return web.respond_to_admitted(request, address)
    except Unavailable as error:
        raise Refused(503, error.message) from None


def _decoded(path: str) -> str:
    # WSGI hands paths over as if they were Latin-1 (PEP 3333).
    return path.encode("latin-1").decode("utf-8", "replace")


def _headers(environ: WSGIEnvironment) -> dict[str, str]:
    headers = {
        name.removeprefix("HTTP_").replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }
    for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if environ.get(name):
            headers[name.replace("_", "-").lower()] = environ[name]
    return headers


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
