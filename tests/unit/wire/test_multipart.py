"""Multipart forms say the same whatever their parts are kept apart by, and something else as soon as more differs."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from work import assert_linear

from dispatcher.wire.multipart import MOST_PARTS, Uncut, digest_of

#: Name, name and type of the file (None: it is a field), content.
Part = tuple[str, str | None, str, bytes]
PARTS: list[Part] = [("json_parameters", None, "", b"[{}] "), ("0.file", "echo.yml", "text/plain", b"- a\r\n--b\r\n")]


def a_form(parts: list[Part], boundary: str = "B") -> bytes:
    lines = b""
    for name, file, kind, content in parts:
        told = f'form-data; name="{name}"' + ("" if file is None else f'; filename="{file}"')
        head = f"--{boundary}\r\nContent-Disposition: {told}\r\n" + (f"Content-Type: {kind}\r\n" if kind else "")
        lines += head.encode() + b"\r\n" + content + b"\r\n"
    return lines + f"--{boundary}--\r\n".encode()


def said(body: bytes, boundary: str = "B", kind: str = "multipart/form-data") -> bytes | None:
    return digest_of(io.BytesIO(body), f"{kind}; boundary={boundary}")


NAMES = st.text("abc.019", max_size=5)
CONTENTS = st.binary(max_size=40) | st.builds(lambda data: data * 30_000, st.binary(min_size=1, max_size=7))


@settings(max_examples=25)
@given(
    st.lists(st.tuples(NAMES, NAMES | st.none(), st.sampled_from(["", "text/plain"]), CONTENTS), max_size=3),
    st.sampled_from(["x", "----------------------------0123456789abcdef"]),
)
def test_the_same_in_other_words_is_the_same(parts: list[Part], boundary: str) -> None:
    first = said(a_form(parts, "7e2f"), "7e2f")
    assert first is not None
    assert first == said(a_form(parts, boundary), boundary)
    assert first == said(b"preamble\r\n" + a_form(parts, boundary) + b"epilogue", boundary)


@pytest.mark.parametrize(
    "parts",
    [
        PARTS[::-1],
        PARTS[:1],
        [*PARTS, PARTS[1]],
        [PARTS[0], ("1.file", *PARTS[1][1:])],
        [PARTS[0], ("0.file", "other.yml", *PARTS[1][2:])],
        [PARTS[0], ("0.file", None, *PARTS[1][2:])],
        [PARTS[0], (*PARTS[1][:2], "text/html", PARTS[1][3])],
        [PARTS[0], (*PARTS[1][:3], PARTS[1][3] + b"\r")],
        [(*PARTS[0][:3], b"[{}]"), PARTS[1]],
    ],
)
def test_anything_that_differs_makes_a_difference(parts: list[Part]) -> None:
    assert said(a_form(parts)) not in (None, said(a_form(PARTS)))


def test_no_cut_between_pieces_counts() -> None:
    """The two dashes at the end of a form come in two pieces of 64 KiB, or not, as the size of the file has it."""
    size = len(a_form([*PARTS, ("1.file", "f", "", b"")])) - len(b"-\r\n")
    content = b"x" * ((1 << 16) - size)
    at_the_cut = a_form([*PARTS, ("1.file", "f", "", content)])
    assert at_the_cut[: 1 << 16].endswith(b"\r\n--B-")
    longer = [*PARTS, ("1.file", "f", "", content)]
    assert said(at_the_cut) == said(a_form(longer, "other"), "other")
    uncut = Uncut(io.BytesIO(at_the_cut), b"B")
    assert (len(uncut.read(1 << 16)), uncut.read()) == ((1 << 16) + 1, b"\r\n")


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "multipart/form-data; boundary=B"),
        (a_form(PARTS)[:-6], "multipart/form-data; boundary=B"),
        (a_form(PARTS), "multipart/form-data; boundary=C"),
        (a_form(PARTS), 'multipart/form-data; boundary="B\u00e4"'),
        (a_form(PARTS), "multipart/form-data; boundary="),
        (a_form(PARTS), "multipart/form-data"),
        (a_form(PARTS), "multipart/mixed; boundary=B"),
        (a_form(PARTS), ""),
        (b"--B\r\nX: y\r\n\r\n\r\n--B--", "multipart/form-data; boundary=B"),
        (b"--B\r\nContent-Disposition: \xff\r\n\r\n\r\n--B--", "multipart/form-data; boundary=B"),
        (a_form([("a", None, "", b"")] * (MOST_PARTS + 1)), "multipart/form-data; boundary=B"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_what_is_no_form_says_nothing(body: bytes, kind: str) -> None:
    assert digest_of(io.BytesIO(body), kind) is None


@pytest.mark.parametrize(
    "body",
    [
        lambda size: a_form([("a", "f", "", b"\r\n--B " * (size // 6))]),
        lambda size: a_form([("a", "f", "", b"\r" * size)]),
        lambda size: b"--B" * (size // 3),
        lambda size: b"--B\r\n" + b"a: b\r\n" * (size // 6),
    ],
)
def test_it_takes_no_longer_than_its_size_says(body: Any) -> None:
    assert_linear(lambda size: said(body(size)), 500_000)
