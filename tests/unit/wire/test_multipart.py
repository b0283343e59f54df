"""Multipart forms say the same whatever their parts are kept apart by, and something else as soon as more differs."""

from __future__ import annotations

import io
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from work import assert_linear

from dispatcher.wire import multipart
from dispatcher.wire.multipart import MOST_BOUNDARY, MOST_HEAD_BYTES, MOST_HEAD_LINES, MOST_PARTS, digest_of

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


ANOTHER = b'\r\n--B \r\nContent-Disposition: form-data; name="y"; filename="f"\r\n\r\n'
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


@settings(max_examples=40)
@given(
    st.lists(
        st.sampled_from([b"\r\n", b"\n", b"\r", b"-", b" ", b"a", b"--B", b"\r\n--B--", b"\r\n--B  \r\n", ANOTHER]),
        max_size=9,
    ),
    st.integers(1, 7),
)
def test_no_cut_between_pieces_counts(contents: list[bytes], piece: int) -> None:
    """Neither in a boundary, nor in the blanks behind it, nor in what looks like one."""
    form = a_form([("x", None, "", b"".join(contents))])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(multipart, "_PIECE_BYTES", piece)
        cut = said(form)
    assert cut == said(form)


def test_blanks_behind_a_boundary_do_not_count_where_a_file_is_cut() -> None:
    size = len(a_form([("f", "f", "", b"")]).removesuffix(b"\r\n--B--\r\n"))
    content = b"x" * ((1 << 16) - size - len(b"\r\n--B "))
    padded = a_form([("f", "f", "", content), PARTS[0]]).replace(b"\r\n--B\r\n", b"\r\n--B   \r\n")
    assert padded[: 1 << 16].endswith(b"x\r\n--B ")
    assert said(padded) == said(a_form([("f", "f", "", content), PARTS[0]]))


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
        (a_form(PARTS, "b" * (MOST_BOUNDARY + 1)), f"multipart/form-data; boundary={'b' * (MOST_BOUNDARY + 1)}"),
        (a_form([("a", None, "b" * MOST_HEAD_BYTES, b"")]), "multipart/form-data; boundary=B"),
        (a_form([("a", None, "b" + "\r\nX: y" * MOST_HEAD_LINES, b"")]), "multipart/form-data; boundary=B"),
        (b"--B\r\nX: y\r\n\r\n\r\n--B--", "multipart/form-data; boundary=B"),
        (b"--B\r\nContent-Disposition: \xff\r\n\r\n\r\n--B--", "multipart/form-data; boundary=B"),
        (a_form([("a", None, "", b"")] * (MOST_PARTS + 1)), "multipart/form-data; boundary=B"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_what_is_no_form_says_nothing(body: bytes, kind: str) -> None:
    assert digest_of(io.BytesIO(body), kind) is None


def test_a_boundary_may_be_as_long_as_the_standard_says() -> None:
    longest = "b" * MOST_BOUNDARY
    assert said(a_form(PARTS, longest), longest) == said(a_form(PARTS))
    near = b"-" * (MOST_BOUNDARY - 1) + b"z"
    assert_linear(lambda size: said(near * (size // MOST_BOUNDARY), "-" * (MOST_BOUNDARY - 1) + "y"), 500_000)


@pytest.mark.parametrize(
    "body",
    [
        b"p" * 3_000_000 + a_form(PARTS),
        a_form(PARTS) + b"e" * 3_000_000,
        a_form([("a", None, "b" * 3_000_000, b"")]),
        b"--B\r\n" + b"a\r\n" * 1_000_000,
        a_form([("a", None, "", b"c" * 3_000_000)]),
    ],
    ids=["preamble", "epilogue", "head", "head without end", "content"],
)
def test_little_of_a_form_is_kept_at_a_time(body: bytes) -> None:
    stream = io.BytesIO(body)
    tracemalloc.start()
    try:
        digest_of(stream, "multipart/form-data; boundary=B")
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "body",
    [
        lambda size: a_form([("a", "f", "", b"\r\n--B " * (size // 6))]),
        lambda size: a_form([("a", "f", "", b"\r\n--B" + b" " * size + b"x")]),
        lambda size: a_form([("a", "f", "", b"\r" * size)]),
        lambda size: b"--B" * (size // 3),
        lambda size: b"--B\r\n" + b"a: b\r\n" * (size // 6),
    ],
)
def test_it_takes_no_longer_than_its_size_says(body: Any) -> None:
    assert_linear(lambda size: said(body(size)), 500_000)
