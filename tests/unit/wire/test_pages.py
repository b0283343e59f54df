"""Pages: well-formed XHTML whatever stands in it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from dispatcher.wire.http import Response
from dispatcher.wire.pages import endpoint_not_found, method_not_allowed, request_error

HELP = "http://host/Service/help"
XHTML = {"x": "http://www.w3.org/1999/xhtml"}


def parsed(response: Response) -> etree._Element:
    assert response.content_type == "text/html; charset=utf-8"
    assert response.body.startswith(b'<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN"')
    return etree.fromstring(response.body)


@pytest.mark.parametrize(
    ("response", "status", "title", "words"),
    [
        (
            request_error(409, "no", HELP),
            409,
            "Request Error",
            "The server encountered an error processing the request.",
        ),
        (endpoint_not_found(HELP), 404, "Service", "Endpoint not found."),
        (method_not_allowed(HELP, ["GET", "PUT"]), 405, "Service", "Method not allowed."),
    ],
)
def test_page_has_what_wcf_shows(response: Response, status: int, title: str, words: str) -> None:
    root = parsed(response)

    assert response.status == status
    assert root.xpath("string(//x:title)", namespaces=XHTML) == title
    assert root.xpath("string(//x:p[@class='heading1'])", namespaces=XHTML) == title
    assert words in root.xpath("string(//x:div[@id='content'])", namespaces=XHTML)
    assert root.xpath("//x:a[@rel='help-page']/@href", namespaces=XHTML) == [HELP]
    assert "service help page for constructing valid requests to the service." in "".join(root.itertext())


def test_allowed_methods_are_in_the_header() -> None:
    assert method_not_allowed(HELP, ["GET", "PUT"]).headers == [("Allow", "GET, PUT")]


@given(st.text(st.characters()), st.text(st.characters()))
def test_no_text_breaks_out_of_the_page(message: str, address: str) -> None:
    root = parsed(request_error(400, f"<b>{message}", f'x"><script>{address}'))

    assert not root.xpath("//x:script | //x:b", namespaces=XHTML)


@pytest.mark.parametrize("character", ["\0", "\x1b", "\ud800", "\uffff"])
def test_what_xml_forbids_is_replaced(character: str) -> None:
    root = parsed(request_error(400, f"a{character}b", HELP))

    assert "The exception message is 'a�b'." in "".join(root.itertext())
