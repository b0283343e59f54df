"""Hostile JSON: refused with a page, and nothing is stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hostile_world import AGENT, JOB_JSON, JSON_ADDRESSES, NOBODY, PATCH, REST_JSON, Address, Door
from work import assert_linear

everywhere = pytest.mark.parametrize("address", JSON_ADDRESSES, ids=lambda address: address.name)
#: Deep in a message that is right otherwise.
INSIDE = '{"Description":%s,"What":[{"ID":"' + PATCH + '"}],"Who":[{"ID":"' + AGENT + '"}]}'


def with_ids(body: str) -> str:
    return body.replace("PATCH", PATCH).replace("NOBODY", NOBODY).replace("AGENT", AGENT)


@pytest.fixture(autouse=True)
def _nothing_is_left(door: Door, stored: Callable[[], dict[str, int]]) -> Iterator[None]:
    before = stored()
    yield
    assert stored() == before


@everywhere
@pytest.mark.parametrize(
    "value",
    [
        "[" * 40 + "]" * 40,
        "[" * 200_000 + "]" * 200_000,
        '{"a":' * 40 + "1" + "}" * 40,
        '{"a":' * 200_000 + "1" + "}" * 200_000,
        "[{" * 100_000,
    ],
    ids=["arrays", "many arrays", "objects", "many objects", "open"],
)
def test_depth_bombs(door: Door, address: Address, value: str) -> None:
    assert door.refuses(address, INSIDE % value)
    assert door.refuses(address, value)


@everywhere
@pytest.mark.parametrize(
    "value", ["9" * 4_301, "-" + "9" * 100_000, "9" * 3_000_000, "1e999999999", "0." + "1" * 1_000 + "e9999"]
)
def test_giant_numbers(door: Door, address: Address, value: str) -> None:
    assert door.refuses(address, INSIDE % value)


@everywhere
@pytest.mark.parametrize(
    ("body", "words"),
    [
        (INSIDE % f'"{"x" * 1_100_000}"', "characters of one string, at most 1048576"),
        (INSIDE % f'"{"x" * 5_000_000}"', "larger than 4194304 bytes"),
        ('{"Parameters":[' + "{}," * 50_000 + "{}]}", "objects and arrays, at most 50000"),
        ('{"Parameters":[' + "[]," * 50_000 + "{}]}", "objects and arrays, at most 50000"),
    ],
    ids=["string", "size", "objects", "arrays"],
)
def test_size_bombs(door: Door, address: Address, body: str, words: str) -> None:
    assert words in door.refuses(address, body)


@everywhere
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" \n",
        b"\0",
        b"\xff\xfe",
        b"null",
        b"true",
        b"1",
        b'"{}"',
        b"[]",
        b"[{}]",
        b"NaN",
        b"{",
        b'{"a"}',
        b"{'a':1}",
        b"{a:1}",
        b"{}{}",
        b'{"a":1}x',
        b"/* */{}",
        b'{"a":undefined}',
        b'{"a":+1}',
        b'{"a":01}',
        b'{"a":.5}',
        b'{"a":1,,"b":2}',
        b"<Job/>",
        b"\x1f\x8b\x08\x00\x00\x00\x00\x00",
    ],
)
def test_what_is_no_message(door: Door, address: Address, body: bytes) -> None:
    assert door.refuses(address, body)


@everywhere
@pytest.mark.parametrize(
    "raw",
    [b"\xff", b"\xed\xa0\x80", b"\xc0\xaf", b"\x00", b"\x1f", b"\n", b"\\x41", b"\\u12", b"\\ud800", b"\\udc00\\ud800"],
)
def test_broken_strings(door: Door, address: Address, raw: bytes) -> None:
    body = (INSIDE % '"a?b"').encode().replace(b"?", raw)

    assert door.refuses(address, body, content_type="application/json; charset=utf-8")


@everywhere
@pytest.mark.parametrize(
    ("charset", "encoding"),
    [
        ("utf-7", "utf-7"),
        ("utf-32", "utf-32"),
        ("", "utf-32"),
        ("utf-8", "utf-16"),
        ("utf-16", "utf-8"),
        ("no-such", "utf-8"),
    ],
)
def test_encodings_that_are_foreign_or_do_not_agree(door: Door, address: Address, charset: str, encoding: str) -> None:
    media = "application/json" + (f"; charset={charset}" if charset else "")

    assert door.refuses(address, JOB_JSON.encode(encoding), content_type=media)


@everywhere
@pytest.mark.parametrize(
    "body",
    [
        '{"What":[{"ID":"PATCH"}],"What":[]}',
        '{"What":[{"ID":"PATCH","ID":"NOBODY"}],"Who":[{"ID":"AGENT"}]}',
        '{"What":[],"what":[{"ID":"PATCH"}],"Who":[{"ID":"AGENT"}]}',
        '{"job":{"What":[{"ID":"PATCH"}]},"job":{}}',
    ],
)
def test_of_equal_names_the_last_wins(door: Door, address: Address, body: str) -> None:
    assert door.refuses(address, with_ids(body))


@everywhere
@pytest.mark.parametrize(
    "body",
    [
        '{"What":{"__class__":"x"},"Who":[]}',
        '{"__proto__":{"What":1},"constructor":{}}',
        '{"What":[[]]}',
        '{"What":"x"}',
        '{"What":[{"ID":{}}]}',
        '{"What":[{"ID":"\\u0000"}]}',
        '{"What":[{"ID":"PATCH","Type":7}]}',
        '{"What":[{"ID":"PATCH"}],"Who":[{"ID":"a\\u0000b\\u001b<script>"}]}',
        '{"What":[{"ID":"PATCH"}],"Who":[{"ID":"\'; DROP TABLE job; --"}]}',
        '{"When":{"ScheduledDateTime":"\\/Date(99999999999999999)\\/"}}',
        '{"When":{"ScheduledDateTime":{"value":{"value":"x"}}}}',
        '{"Parameters":[{"JobParameters":[{"Type":"Bomb"}]}]}',
        '{"Type":2147483648}',
        '{"Type":1.5}',
        '{"Type":7}',
    ],
)
def test_values_that_make_no_sense(door: Door, address: Address, body: str) -> None:
    assert len(door.refuses(address, with_ids(body))) < 1_500


@everywhere
def test_every_beginning_of_a_message(door: Door, address: Address) -> None:
    for length in range(len(JOB_JSON)):
        assert door.refuses(address, JOB_JSON[:length])


HOSTILE: dict[str, Callable[[int], str]] = {
    "unknown members": lambda n: "{" + ",".join(f'"a{number}":1' for number in range(n // 12)) + "}",
    "equal members": lambda n: "{" + '"Description":"x",' * (n // 18) + "}",
    "members in other cases": lambda n: (
        "{" + ",".join(f'"dESCRIPTIOn{number % 7}":""' for number in range(n // 17)) + "}"
    ),
    "empty items": lambda n: '{"Parameters":[' + "{}," * (n // 3) + '],"When":{"Immediate":"maybe"}}',
    "nulls": lambda n: '{"What":[' + "null," * (n // 5) + "null]}",
    "escapes": lambda n: '{"Description":"' + "\\u0041" * (n // 6) + '"}',
    "blanks": lambda n: "{" + " " * n + "}",
    "trailing commas": lambda n: '{"Tags":[' + "[1,]," * (n // 5) + "]}",
    "numbers": lambda n: '{"Tags":[' + "1.5," * (n // 4) + "1]}",
    "digits": lambda n: '{"Tags":[' + ("7" * 300 + ",") * (n // 301) + "1]}",
}


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE)
def test_cost_is_linear(door: Door, make: Callable[[int], str]) -> None:
    assert_linear(lambda n: door.refuses(REST_JSON, make(n)), 200_000)
