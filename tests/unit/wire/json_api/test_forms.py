"""Forms are read as their clients write them, whatever they call them."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.core.errors import BadRequest
from dispatcher.wire.json_api.forms import MAX_FIELDS, FormStyle, read_form
from dispatcher.wire.quotas import Quotas

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


def read(body: bytes, style: FormStyle = FormStyle.STANDARD, charset: str | None = None) -> dict[str, object]:
    return read_form(body, charset, style, Quotas())


@given(st.dictionaries(TEXTS.filter(bool), TEXTS, max_size=5))
def test_what_a_browser_writes(fields: dict[str, str]) -> None:
    assert read(urlencode(fields).encode()) == fields


# contract/symantec-ccs.md section 2.2
@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (b"grant_type=password&username=CORP\\ann&password=a+b=c==", ("password", "CORP\\ann", "a+b=c==")),
        (b"grant_type=password&amp;username=ann&amp;password=%41", ("password", "ann", "%41")),
        (b"\r\ngrant_type=password&username=&password= a \r\n", ("password", "", " a ")),
    ],
)
def test_what_is_put_together_without_encoding(body: bytes, fields: tuple[str, ...]) -> None:
    assert tuple(read(body, FormStyle.RAW).values()) == fields


@pytest.mark.parametrize("body", [b"a=1&a=2&b", b"a=1&a=1", b"a=1&amp;b=2&b=3"])
def test_a_field_that_is_there_twice_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest, match=r"the form has the field '[ab]' twice"):
        read(body, FormStyle.RAW)


def test_and_so_it_is_as_a_browser_writes_it() -> None:
    with pytest.raises(BadRequest, match="the form has the field 'a' twice"):
        read(b"a=1&%61=2")


@pytest.mark.parametrize("style", FormStyle)
def test_json_is_taken_too(style: FormStyle) -> None:
    assert read(b' {"grant_type": "password", "password": "a+b"}', style) == {
        "grant_type": "password",
        "password": "a+b",
    }


def test_encodings() -> None:
    assert read("a=ä".encode(), FormStyle.RAW) == {"a": "ä"}
    latin_1 = "a=ä".encode("latin-1")
    assert read_form(latin_1, None, FormStyle.RAW, Quotas(), latin_1=True) == {"a": "ä"}
    with pytest.raises(BadRequest, match="not in UTF-8"):
        read(latin_1, FormStyle.RAW)
    assert read("a=ä".encode("utf-8-sig"), FormStyle.RAW) == {"a": "ä"}


@pytest.mark.parametrize(
    "body", [b"[]", b'["a"]', b'{"a": 1', b'{"a": 1, "a": 2}', b"{" * 100_000, b"&" * MAX_FIELDS, b"a=b&" * 1_000_000]
)
def test_what_cannot_be_read(body: bytes) -> None:
    with pytest.raises(BadRequest):
        read(body)


@given(st.binary())
def test_any_bytes_are_fields_or_refused(body: bytes) -> None:
    for style in FormStyle:
        try:
            fields = read(body, style)
        except BadRequest:
            continue
        assert all(isinstance(name, str) for name in fields)
