"""WebHttp: REST as WCF does it, leniently."""

from __future__ import annotations

import json
from typing import Any

import pytest
from lxml import etree

from dispatcher.core.permissions import Caller
from dispatcher.wire.http import Request, Response
from dispatcher.wire.webhttp import WebHttpEndpoint

JSON = {"content-type": "application/json"}
XML = {"content-type": "application/xml"}


def ask(
    rest: WebHttpEndpoint,
    method: str,
    path: str,
    body: bytes | str = b"",
    headers: dict[str, str] | None = None,
    **members: Any,
) -> Response:
    path, _, query = path.partition("?")
    content = body.encode() if isinstance(body, str) else body
    return rest(Request(method, f"/Echo/{path}", query, headers or {}, content, host="echo.example:81", **members))


def page(response: Response) -> str:
    """Return the text of a page, which must be well-formed."""
    assert response.content_type == "text/html; charset=utf-8"
    root = etree.fromstring(response.body)
    return " ".join("".join(one.itertext()).strip() for one in root.iter("{http://www.w3.org/1999/xhtml}p"))


@pytest.mark.parametrize("path", ["things/first", "THINGS/First", "things/first/", "/things/first"])
def test_literals_match_in_any_case_and_before_variables(rest: WebHttpEndpoint, path: str) -> None:
    assert json.loads(ask(rest, "GET", path, headers=JSON).body) == "the first"


def test_variables_of_the_path(rest: WebHttpEndpoint) -> None:
    assert json.loads(ask(rest, "GET", "things/{1} é", headers=JSON).body) == "{1} é"
    assert json.loads(ask(rest, "GET", "reds/7/name", headers=JSON).body) == "3 7"
    assert json.loads(ask(rest, "GET", "Greens/7/name", headers=JSON).body) == "5 7"


@pytest.mark.parametrize(
    "query", ["colour=red&light=True&count=7", "COLOUR=3&LIGHT=1&Count=7", "x=1&count=1&count=7&light=true&colour=Red"]
)
def test_query_is_read_leniently(rest: WebHttpEndpoint, query: str) -> None:
    found = json.loads(ask(rest, "GET", f"things?{query}", headers=JSON).body)

    assert (found["Colour"], found["Flag"], found["Number"]) == (3, True, 7)


@pytest.mark.parametrize("query", ["", "colour=&light=&count=", "unknown=1"])
def test_empty_query_is_missing(rest: WebHttpEndpoint, query: str) -> None:
    found = json.loads(ask(rest, "GET", f"things?{query}", headers=JSON).body)

    assert (found["Colour"], found["Flag"], found["Number"]) == (None, None, None)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("colour=blue", "colour: 'blue' is none of Red, Green"),
        ("LIGHT=maybe", "light: 'maybe' is neither"),
        ("count=x", "count: 'x' is no"),
    ],
)
def test_wrong_query_is_named(rest: WebHttpEndpoint, query: str, words: str) -> None:
    answer = ask(rest, "GET", f"things?{query}")

    assert answer.status == 400
    assert words in page(answer)


THING = {"Colour": 3, "Data": [1], "Flag": True, "Name": "é", "Number": 7, "When": r"/Date(1760000000000+0000)/"}
THING_XML = (
    '<Thing xmlns="{}"><Colour>Red</Colour><Data>AQ==</Data><Flag>true</Flag><Name>é</Name><Number>7</Number>'
    "<When>2025-10-09T08:53:20</When></Thing>"
)


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (json.dumps(THING), JSON),
        (json.dumps({"thing": THING}), JSON),
        (json.dumps({"Thing": THING}), JSON),
        (json.dumps(THING), {}),
        (json.dumps(THING), {"content-type": "application/x-www-form-urlencoded"}),
        ("\ufeff" + json.dumps(THING), {}),
        (THING_XML.format("urn:x"), XML),
        (THING_XML.format(""), {"content-type": "text/xml"}),
        (f"<Store><thing>{THING_XML.format('')[16:-8]}</thing></Store>", XML),
        (THING_XML.format(""), {}),
        ("  " + THING_XML.format(""), {"content-type": "text/plain"}),
        (THING_XML.format("").encode("utf-16"), {"content-type": "application/octet-stream"}),
    ],
)
def test_body_in_xml_or_json_bare_or_wrapped(rest: WebHttpEndpoint, body: str | bytes, headers: dict[str, str]) -> None:
    answer = ask(rest, "POST", "things", body, {**headers, "accept": "application/json"})

    assert answer.status == 200, answer.body
    assert json.loads(answer.body) == THING


def test_member_that_is_called_like_the_argument_is_no_wrapper(rest: WebHttpEndpoint) -> None:
    assert json.loads(ask(rest, "POST", "wrap", '{"Thing": {"Name": "a"}}', JSON).body)["Thing"]["Name"] == "a"


@pytest.mark.parametrize(
    "body",
    [
        "",
        "  ",
        "null",
        "[]",
        "1",
        '"x"',
        "{",
        "<",
        "<a",
        "\0",
        '<Thing xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:nil="true"/>',
    ],
)
@pytest.mark.parametrize("headers", [JSON, XML, {}])
def test_body_that_cannot_be_read_is_400(rest: WebHttpEndpoint, body: str, headers: dict[str, str]) -> None:
    answer = ask(rest, "POST", "things", body, headers)

    assert answer.status == 400
    assert "Request Error" in page(answer)


def test_wrong_member_is_named(rest: WebHttpEndpoint) -> None:
    assert "thing/Colour: 'Blue' is none of" in page(ask(rest, "POST", "things", '{"Colour": "Blue"}', JSON))
    assert "thing/Number: 'x' is no integer" in page(ask(rest, "POST", "things", "<t><Number>x</Number></t>", XML))


@pytest.mark.parametrize(
    ("headers", "media"),
    [
        ({}, "application/xml"),
        ({"accept": "*/*"}, "application/xml"),
        ({"accept": "application/json"}, "application/json"),
        (JSON, "application/json"),  # LUCD and ITM on a GET
        ({"accept": "application/soap+xml"}, "application/soap+xml"),
    ],
)
def test_format_of_the_answer(rest: WebHttpEndpoint, headers: dict[str, str], media: str) -> None:
    answer = ask(rest, "GET", "things/first", headers=headers)

    assert answer.content_type == f"{media}; charset=utf-8"
    assert b"the first" in answer.body


def test_put_has_a_path_and_a_body(rest: WebHttpEndpoint) -> None:
    assert json.loads(ask(rest, "PUT", "things/7", '{"Name": "n"}', JSON).body) == ["7", "n"]


def test_head_is_answered_like_get(rest: WebHttpEndpoint) -> None:
    assert ask(rest, "HEAD", "things/first") == ask(rest, "GET", "things/first")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("DELETE", "things", "GET, HEAD, POST"), ("POST", "things/7", "GET, HEAD, PUT"), ("PATCH", "who", "GET, HEAD")],
)
def test_wrong_method_is_405_and_says_which_are_right(
    rest: WebHttpEndpoint, method: str, path: str, allowed: str
) -> None:
    answer = ask(rest, method, path)

    assert (answer.status, answer.headers) == (405, [("Allow", allowed)])
    assert "Method not allowed." in page(answer)


@pytest.mark.parametrize("path", ["", "nothing", "things/7/8/9", "thing", "../things"])
def test_unknown_path_is_404_and_leads_to_the_help_page(rest: WebHttpEndpoint, path: str) -> None:
    answer = ask(rest, "GET", path)

    assert answer.status == 404
    assert "Endpoint not found." in page(answer)
    assert b'href="http://echo.example:81/Echo/help"' in answer.body


@pytest.mark.parametrize(
    ("kind", "status"),
    [("value", 400), ("forbidden", 403), ("missing", 404), ("conflict", 409), ("busy", 503), ("stranger", 401)],
)
@pytest.mark.parametrize("headers", [JSON, XML])
def test_errors_are_pages_in_every_format(
    rest: WebHttpEndpoint, kind: str, status: int, headers: dict[str, str]
) -> None:
    answer = ask(rest, "GET", f"fail?kind={kind}", headers=headers)

    assert answer.status == status
    assert "The exception message is" in page(answer)


def test_unexpected_error_is_logged_and_not_told(rest: WebHttpEndpoint, logged: list[dict[str, Any]]) -> None:
    answer = ask(rest, "GET", "fail?kind=defect", new_id=lambda: "request-7")

    assert answer.status == 500
    assert "unexpected error request-7" in page(answer)
    assert b"secret" not in answer.body
    assert [entry["request"] for entry in logged] == ["request-7"]


def test_control_characters_leave_the_page_well_formed(rest: WebHttpEndpoint) -> None:
    assert "a�b<script>�&�" in page(ask(rest, "GET", "fail?kind=hostile"))


def test_operation_knows_its_caller(rest: WebHttpEndpoint) -> None:
    assert json.loads(ask(rest, "GET", "who", headers=JSON, caller=Caller("eve")).body) == "eve"


def test_refusals_are_pages(rest: WebHttpEndpoint) -> None:
    answer = rest.refused(Request("POST", "/Echo/things"), 413, "too large")

    assert answer.status == 413
    assert "too large" in page(answer)
