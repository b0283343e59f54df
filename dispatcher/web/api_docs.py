"""API documentation: the OpenAPI description of each JSON dialect, and pages on which it can be read and tried out.

Pages, scripts and styles come from this server alone; Swagger UI is the one of the package ``swagger-ui-py``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from html import escape
from importlib.util import find_spec
from pathlib import Path

import orjson

from dispatcher.wire.http import Request, Response
from dispatcher.wire.json_api.endpoint import JsonApi
from dispatcher.wire.json_api.openapi import document

#: What of Swagger UI is served, with its type.
_ASSETS = {
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "swagger-ui.css": "text/css; charset=utf-8",
    "favicon-32x32.png": "image/png",
}
_HTML = "text/html; charset=utf-8"
_TEXT = "text/plain; charset=utf-8"
#: What the pages may load: nothing from elsewhere, and no script that stands in a page. Swagger UI draws its icons from
#: ``data:``, and sets styles by itself.
_POLICY = (
    "Content-Security-Policy",
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
)
_CAUTION = [("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer")]
_KEPT = ("Cache-Control", "max-age=86400")


class ApiDocs:
    """Answers ``/openapi/<dialect>.json`` and ``/docs/<dialect>/``, to anybody: nothing of what is stored is there."""

    title = "the JSON APIs in OpenAPI"
    dialect = ""
    schemes: tuple[str, ...] = ()
    prefixes = ("/openapi", "/docs")
    home = "/docs"
    help_path = "/docs/"
    port = 0

    def __init__(self, apis: Iterable[JsonApi]) -> None:
        self._apis = {api.dialect: api for api in apis}
        self._documents: dict[str, bytes] = {}

    def public_address(self) -> str:
        """Return nothing: all links are relative."""
        return ""

    def is_public(self, request: Request) -> bool:  # noqa: ARG002
        """Everything is."""
        return True

    def unauthenticated(self, request: Request) -> Response:
        """Return what is never needed."""
        return self.refused(request, 401, "credentials are needed")

    def refused(self, request: Request, status: int, reason: str) -> Response:  # noqa: ARG002
        """Return *reason* as a text."""
        return Response(status, reason.encode() + b"\n", _TEXT, [*_CAUTION])

    def __call__(self, request: Request) -> Response:
        """Answer *request*."""
        if request.method not in ("GET", "HEAD"):
            response = self.refused(request, 405, "only GET is possible here")
            response.headers.append(("Allow", "GET, HEAD"))
            return response
        apis = {name: api for name, api in self._apis.items() if request.only in ("", name)}
        match [part for part in request.path.lower().split("/") if part]:
            case ["docs"]:
                return _index(apis)
            case ["docs", name, *rest] if (api := apis.get(name)) and (page := self._page(request, api, rest)):
                return page
            case ["openapi", file] if file.endswith(".json") and (api := apis.get(file.removesuffix(".json"))):
                return Response(200, self._document(api), "application/json; charset=utf-8", [*_CAUTION])
        return self.refused(request, 404, "there is nothing here")

    def _page(self, request: Request, api: JsonApi, rest: list[str]) -> Response | None:
        """Return what is at *rest* below the pages of *api*; None if there is nothing."""
        match rest:
            case [] if request.path.endswith("/"):
                return _page(_PAGE.format(title=escape(api.title)))
            case []:  # the links of the page are relative
                return Response(301, headers=[("Location", f"{api.dialect}/")])
            case ["start.js"]:
                script = _START.replace("DIALECT", api.dialect).encode()
                return Response(200, script, _ASSETS["swagger-ui-bundle.js"], [*_CAUTION])
            case [file] if file in _ASSETS:
                return Response(200, _asset(file), _ASSETS[file], [*_CAUTION, _KEPT])
        return None

    def _document(self, api: JsonApi) -> bytes:
        if api.dialect not in self._documents:
            self._documents[api.dialect] = orjson.dumps(document(api))
        return self._documents[api.dialect]


def _index(apis: Mapping[str, JsonApi]) -> Response:
    rows = "".join(f'<li><a href="/docs/{name}/">{escape(api.title)}</a></li>' for name, api in apis.items())
    return _page(_INDEX.format(rows=rows))


def _page(text: str) -> Response:
    return Response(200, text.encode(), _HTML, [*_CAUTION, _POLICY])


@cache
def _asset(name: str) -> bytes:
    # The package is found, not imported: it would load a web framework, if there is one.
    package = find_spec("swagger_ui")
    assert package is not None  # noqa: S101 - it is installed with this one
    return (Path(str(package.origin)).parent / "static" / name).read_bytes()


_INDEX = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Dispatcher: APIs</title>
<style>body {{ font: 16px/1.6 sans-serif; margin: 3em auto; max-width: 40em; padding: 0 1em }}</style></head>
<body><h1>APIs</h1><ul>{rows}</ul></body></html>
"""
_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Dispatcher: {title}</title>
<link rel="icon" type="image/png" href="favicon-32x32.png"><link rel="stylesheet" href="swagger-ui.css">
</head><body><div id="swagger-ui"></div>
<script src="swagger-ui-bundle.js"></script><script src="start.js"></script></body></html>
"""
_START = """window.onload = () => SwaggerUIBundle({
  url: "../../openapi/DIALECT.json", dom_id: "#swagger-ui", deepLinking: true, validatorUrl: null
});
"""
