"""Charsets: UTF-8 and UTF-16 where everything agrees, Latin-1 where nothing is said."""

from __future__ import annotations

import codecs
import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.core.errors import BadRequest
from dispatcher.wire.charsets import to_utf_8

TEXT = '{"a": "é €"}'


@pytest.mark.parametrize(
    ("body", "charset"),
    [
        (TEXT.encode(), None),
        (TEXT.encode(), "utf-8"),
        (TEXT.encode(), "UTF-8"),
        (TEXT.encode(), '"utf-8"'),
        (TEXT.encode(), "utf8"),
        (codecs.BOM_UTF8 + TEXT.encode(), None),
        (TEXT.encode("utf-16-le"), None),
        (TEXT.encode("utf-16-be"), None),
        (TEXT.encode("utf-16-le"), "utf-16"),
        (TEXT.encode("utf-16-be"), "utf-16BE"),
        (codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"), "utf-16"),
        (codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"), "utf-16"),
    ],
)
def test_what_is_accepted(body: bytes, charset: str | None) -> None:
    assert to_utf_8(body, charset, latin_1=False).decode() == TEXT


@pytest.mark.parametrize(
    ("body", "charset"),
    [
        (TEXT.encode("utf-16-le"), "utf-8"),
        (TEXT.encode(), "utf-16"),
        (TEXT.encode("utf-7"), "utf-7"),
        (TEXT.encode("utf-32"), "utf-32"),
        (TEXT.replace("€", "").encode("cp500"), "ibm500"),
        (TEXT.encode("latin-1", "replace"), "iso-8859-1"),
        (b'"\xc3\xa9"', "windows-1252"),
        (b'"\xff"', "utf-8"),
        (codecs.BOM_UTF8 + b'"\xff"', None),
        (b'"\xed\xa0\x80"', "utf-8"),  # a surrogate
        (b'"\xc0\xaf"', "utf-8"),  # overlong
        (b'"\0\x00\xd8', None),  # half a pair in UTF-16
        (b'"\0x', None),  # half a character in UTF-16
    ],
)
@pytest.mark.parametrize("latin_1", [True, False])
def test_what_is_refused(body: bytes, charset: str | None, latin_1: bool) -> None:
    with pytest.raises(BadRequest, match=r"encoding|UTF"):
        to_utf_8(body, charset, latin_1=latin_1)


def test_latin_1_where_nothing_is_declared() -> None:
    # Windows PowerShell 5.1 posts texts so.
    assert to_utf_8(b'"\xe9"', None, latin_1=True).decode() == '"é"'
    with pytest.raises(BadRequest, match="not in UTF-8"):
        to_utf_8(b'"\xe9"', None, latin_1=False)


@pytest.mark.parametrize("latin_1", [True, False])
def test_compressed_body_is_told_from_a_wrong_text(latin_1: bool) -> None:
    with pytest.raises(BadRequest, match="the message is compressed"):
        to_utf_8(gzip.compress(b"{}"), None, latin_1=latin_1)


def test_what_the_message_declares_must_agree_too() -> None:
    assert to_utf_8(b"<a/>", "utf-8", latin_1=False, declared=lambda _text: "UTF-8") == b"<a/>"
    with pytest.raises(BadRequest, match="'utf-16' is not supported, or the message is not written in it"):
        to_utf_8(b"<a/>", None, latin_1=False, declared=lambda _text: "utf-16")


@given(st.binary(max_size=60), st.sampled_from([None, "utf-8", "utf-16", "latin-1"]), st.booleans())
def test_no_bytes_break_it(body: bytes, charset: str | None, latin_1: bool) -> None:
    try:
        text = to_utf_8(body, charset, latin_1=latin_1)
    except BadRequest:
        return
    text.decode()
