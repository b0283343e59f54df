"""The documentation of the JSON APIs is served to anybody, from here alone, and made of what is served."""

from __future__ import annotations

import re
from typing import Any

import orjson
import pytest
from letters_api import letters_api

from dispatcher.web.api_docs import ApiDocs
from dispatcher.wire.http import Request, Response
from dispatcher.wire.json_api.openapi import document

DOCS = ApiDocs([letters_api()])


def get(path: str, method: str = "GET") -> Response:
    return DOCS(Request(method, path))


def test_the_description_is_that_of_the_dialect() -> None:
    answer = get("/openapi/letters.json")
    assert (answer.status, answer.content_type) == (200, "application/json; charset=utf-8")
    assert orjson.loads(answer.body) == document(letters_api())
    assert get("/OpenAPI//Letters.JSON/").body == answer.body


def test_every_file_that_the_page_needs_is_here() -> None:
    page = get("/docs/letters/")
    assert (page.status, page.content_type) == (200, "text/html; charset=utf-8")
    names = re.findall(rb'(?:src|href)="([^"]+)"', page.body)
    assert len(names) == 4
    for name in names:
        answer = get(f"/docs/letters/{name.decode()}")
        assert answer.status == 200
        assert answer.body
        assert ("X-Content-Type-Options", "nosniff") in answer.headers
    assert get("/docs/letters/swagger-ui-bundle.js").content_type == "text/javascript; charset=utf-8"
    assert b'"../../openapi/letters.json"' in get("/docs/letters/start.js").body


def test_nothing_is_loaded_from_elsewhere_and_no_script_stands_in_the_page() -> None:
    page = get("/docs/letters/")
    assert b"//" not in page.body
    assert not re.search(rb"<script>|\son\w+=", page.body)
    policy = dict(page.headers)["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy


def test_the_index_leads_to_each_page() -> None:
    assert b'<a href="/docs/letters/">Letters</a>' in get("/docs").body
    assert b"<style>body { font:" in get("/docs").body


def test_without_a_slash_the_links_would_lead_astray() -> None:
    answer = get("/docs/letters")
    assert (answer.status, answer.headers) == (301, [("Location", "letters/")])


@pytest.mark.parametrize(
    "path",
    [
        "/openapi",
        "/openapi/letters",
        "/openapi/other.json",
        "/docs/other/",
        "/docs/letters/index.html",
        "/docs/letters/swagger-editor.js",
        "/docs/letters/../letters_api.py",
        "/docs/letters/..",
        "/docs/letters/%2e%2e/x",
        "/docs/letters/swagger-ui.css/x",
        "/docs/\0/",
        "/docs/\ud800",
    ],
)
def test_there_is_nothing_else(path: str) -> None:
    assert get(path).status == 404


def test_other_methods() -> None:
    answer = get("/docs/letters/", "POST")
    assert (answer.status, ("Allow", "GET, HEAD") in answer.headers) == (405, True)
    head: Any = get("/docs/letters/", "HEAD")
    assert head.status == 200


def test_anybody_may_read_it() -> None:
    assert DOCS.is_public(Request("GET", "/docs/letters/"))
    assert DOCS.refused(Request("GET", "/docs"), 413, "too large").body == b"too large\n"
