"""Masking: no secret gets through, wherever the chunks end, and nothing else is lost."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.agents.masking import MASK, Masker


def masked(secrets: list[str], chunks: list[bytes]) -> bytes:
    masker = Masker(secrets)
    return b"".join([masker.feed(chunk) for chunk in chunks]) + masker.finish()


def expected(secrets: list[str], text: bytes) -> bytes:
    """What a simple look at the whole text gives: one mask for each stretch of bytes that belong to secrets."""
    covered = [False] * len(text)
    for secret in {secret.encode() for secret in secrets if secret}:
        for start in range(len(text) - len(secret) + 1):
            if text.startswith(secret, start):
                covered[start : start + len(secret)] = [True] * len(secret)
    result = b""
    for position, byte in enumerate(text):
        if not covered[position]:
            result += bytes([byte])
        elif position == 0 or not covered[position - 1]:
            result += MASK
    return result


@given(
    st.lists(st.text("ab", max_size=4), max_size=3), st.lists(st.text("abc", max_size=6).map(str.encode), max_size=6)
)
def test_stream_is_masked_as_if_it_came_in_one_piece(secrets: list[str], chunks: list[bytes]) -> None:
    text = b"".join(chunks)
    result = masked(secrets, chunks)
    # Secrets that touch may share a mask or have one each.
    assert result.replace(MASK + MASK, MASK) == expected(secrets, text) or MASK + MASK in result
    assert [part for part in result.split(MASK) if part] == [
        part for part in expected(secrets, text).split(MASK) if part
    ]


def test_output_is_not_delayed_without_need() -> None:
    masker = Masker(["password"])
    assert masker.feed(b"enter ") == b"enter "
    assert masker.feed(b"pass") == b""
    assert masker.feed(b"age ") == b"passage "


def test_overlapping_and_contained_secrets() -> None:
    assert masked(["abc", "abcdef"], [b"xabc", b"defx"]) == b"x********x"
    assert masked(["abc", "cde"], [b"ab", b"cd", b"e!"]) == b"********!"
    assert masked(["aa"], [b"a" * 1000] * 10) == MASK


def test_holding_back_is_bounded() -> None:
    masker = Masker(["aaa"])
    for _ in range(100):
        masker.feed(b"a" * 1000)
    assert len(masker._held) < 3


def test_text_and_empty_secrets() -> None:
    assert Masker(["", "geheim"]).text("no file /tmp/geheim") == "no file /tmp/********"
    assert Masker([]).text("plain") == "plain"
    assert Masker(["größe"]).feed("die größe".encode()) == b"die ********"


@pytest.mark.parametrize("write", [json.dumps, repr, lambda text: json.dumps(text, ensure_ascii=False)])
def test_secrets_are_found_as_programs_quote_them(write: Callable[[str], str]) -> None:
    secret = "p\\w\"d'é\n\t😀"
    assert masked([secret], [f"ok: {write(secret)[1:-1]}!".encode()]) == b"ok: ********!"
    assert masked(["one\ntwo"], [b"one\r\n", b"two"]) == MASK
    assert Masker([secret]).text(f"[{write(secret)[1:-1]}]") == "[********]"


def test_long_secrets_with_the_same_beginning_are_told_apart() -> None:
    assert masked(["same beginning, one", "same beginning", "same begin"], [b"same beginning, two"]) == MASK + b", two"
    assert masked(["same beginning, one"], [b"same beginning, two"]) == b"same beginning, two"


def test_texts_are_masked_apart_from_the_stream() -> None:
    masker = Masker(["secret"])
    assert masker.feed(b"sec") == b""
    assert masker.text("ret secret") == "ret ********"
    assert masker.feed(b"ret") + masker.finish() == MASK


def test_many_secrets_take_no_more_time_than_their_number_asks_for() -> None:
    secrets = [f'it\'s "{number}" & pä$$ {number * 7919}' for number in range(1000)]
    data = b"".join(b"%x: nothing to see here\n" % number for number in range(5000))
    started = time.process_time()
    assert masked(secrets, [data]) == data
    assert time.process_time() - started < 2  # a look at each of the forms at each place takes more than that
