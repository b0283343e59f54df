"""Negotiation: Accept, then Content-Type, then XML."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.wire.negotiation import Format, answer_format, body_format


@pytest.mark.parametrize(
    ("accept", "content_type", "found"),
    [
        ("", "", Format.XML),
        ("*/*", "", Format.XML),
        ("*/*", "application/json", Format.JSON),
        ("text/html, */*; q=0.2", "application/json", Format.JSON),
        ("application/json", "", Format.JSON),
        ("text/json", "", Format.JSON),
        ("APPLICATION/JSON", "", Format.JSON),
        ("application/json; charset=utf-8", "", Format.JSON),
        ("application/xml", "application/json", Format.XML),
        ("text/xml", "application/json", Format.XML),
        ("application/json;q=0.5, application/xml;q=0.9", "", Format.XML),
        ("application/json;q=0.9, application/xml;q=0.5", "", Format.JSON),
        ("application/json;q=0, */*", "", Format.XML),
        ("application/xml;q=0.1, application/*;q=0.9", "", Format.JSON),
        ("application/json;q=0.1, application/*;q=0.9", "application/json", Format.XML),
        ("text/*, application/json;q=0.1", "", Format.JSON),  # no answer is of such a type
        ("Text/*;q=0.9, application/xml;q=0.3", "application/json", Format.XML),
        ("application/json, application/*", "", Format.JSON),
        ("application/*, application/json", "", Format.JSON),
        ("application/xml;q=0, application/*", "", Format.JSON),
        ("application/json;q=0, application/*", "application/json", Format.XML),
        ("application/json;q=0.2, application/xml;q=0.1, application/*", "", Format.JSON),  # there is nothing else
        ("application/xml;q=0.5, application/*;q=0", "application/json", Format.XML),
        ("application/*", "", Format.XML),
        ("text/*", "application/json", Format.JSON),
        ("application/soap+xml;q=0.1, application/*", "application/json", Format.JSON),
        ("application/json;q=0.1, */*", "", Format.JSON),
        ("application/json;q=0.1, image/*", "", Format.JSON),
        ("", "application/json", Format.JSON),  # LUCD and ITM on a GET
        ("", "application/json; charset=utf-8", Format.JSON),
        ("", "text/xml", Format.XML),
        ("application/soap+xml", "", Format.SOAP),
        ("text/xml; soap", "", Format.SOAP),  # contract section 11
        ("", "application/soap+xml", Format.XML),
        ("nonsense;;;q=x", "also/nonsense", Format.XML),
    ],
)
def test_format_of_the_answer(accept: str, content_type: str, found: Format) -> None:
    assert answer_format(accept, content_type) is found


@pytest.mark.parametrize(
    ("content_type", "found"),
    [
        ("application/json", (Format.JSON, None)),
        ("Application/JSON; Charset=UTF-8", (Format.JSON, "UTF-8")),
        ('text/xml; charset="utf-16"', (Format.XML, "utf-16")),
        ("application/soap+xml; action=x; charset=utf-8", (Format.SOAP, "utf-8")),
        ("text/plain; charset=latin-1", (None, "latin-1")),
        ("", (None, None)),
        (";", (None, None)),
    ],
)
def test_format_of_a_body(content_type: str, found: tuple[Format | None, str | None]) -> None:
    assert body_format(content_type) == found


@given(st.text(max_size=60), st.text(max_size=60))
def test_no_header_breaks_it(accept: str, content_type: str) -> None:
    assert answer_format(accept, content_type) in Format
    assert body_format(content_type)[0] in {*Format, None}
