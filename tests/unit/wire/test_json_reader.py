"""The JSON reader: forgives what clients get wrong, within the quotas, in linear time."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from work import assert_linear

from dispatcher.core.errors import BadRequest, QuotaExceeded
from dispatcher.wire.json_reader import Number, read_json, read_json_with_controls
from dispatcher.wire.quotas import Quotas

QUOTAS = Quotas()
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


def read(text: str | bytes, quotas: Quotas = QUOTAS, charset: str | None = None) -> Any:
    return read_json(text.encode() if isinstance(text, str) else text, charset, quotas)


@given(PLAIN, st.sampled_from([None, 2]))
def test_json_is_read(value: Any, indent: int | None) -> None:
    assert read(json.dumps(value, indent=indent)) == value
    assert read(json.dumps(value, ensure_ascii=False).encode()) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"Type": 1, }', {"Type": 1}),  # VDI-1
        ('[{"a": 1,},\n]', [{"a": 1}]),
        ('{"a": "x, }", "b": ["\\",]", 2 , ] }', {"a": "x, }", "b": ['",]', 2]}),
        ('{"a": {"b": [1,],},}', {"a": {"b": [1]}}),
    ],
)
def test_trailing_commas_are_ignored_outside_strings(text: str, value: object) -> None:
    assert read(text) == value


@given(PLAIN)
def test_trailing_commas_change_nothing(value: Any) -> None:
    text = json.dumps({"a": value, "b": [value]})

    assert read(text[:-1] + ",\n}") == {"a": value, "b": [value]}


@pytest.mark.parametrize("text", ["[1,,]", '{"a":,}', ",", "[1,", '{"a":1,'])
def test_other_commas_are_not(text: str) -> None:
    with pytest.raises(BadRequest, match="cannot be read"):
        read(text)


def test_of_equal_names_the_last_wins() -> None:
    assert read('{"a": 1, "a": 2}') == {"a": 2}


def test_undeclared_latin_1_is_read_where_it_is_expected() -> None:
    # Windows PowerShell 5.1 posts texts so.
    text = b'{"a": "\xe9"}'
    assert read_json(text, None, Quotas(), latin_1=True) == {"a": "é"}
    for charset, latin_1 in (("utf-8", True), ("utf-8", False), (None, False)):
        with pytest.raises(BadRequest, match="not in UTF-8"):
            read_json(text, charset, Quotas(), latin_1=latin_1)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_unicode_encodings_are_read(encoding: str) -> None:
    assert read('{"a": "é"}'.encode(encoding)) == {"a": "é"}


@pytest.mark.parametrize("text", ["12.50", "-0.10", "1e3", "1E+2", "1234567890123456789012"])
@pytest.mark.parametrize("form", ['{"a": %s}', '{"a":[1,%s]}', '{"a":\n%s,}'])
def test_number_keeps_its_text(form: str, text: str) -> None:
    # VDI-2 sends prices as numbers where texts are expected.
    value = read(form % text)["a"]
    number = value[1] if isinstance(value, list) else value

    assert str(number) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "{",
        "nul",
        "NaN",
        "Infinity",
        "-",
        "01",
        "1e999",
        "'a'",
        "{a: 1}",
        '"\\ud800"',
        '"\x01"',
        "{}{}",
        "\0",
        "//x\n{}",
    ],
)
def test_anything_else_is_an_error(text: str) -> None:
    with pytest.raises(BadRequest):
        read(text)


def test_depth_is_limited() -> None:
    assert read("[" * 32 + "]" * 32)
    for opening, closing in (("[", "]"), ('{"a":', "}")):
        with pytest.raises(QuotaExceeded, match="depth, at most 32"):
            read(opening * 33 + "1" + closing * 33)


@pytest.mark.parametrize("depth", [1_000, 100_000])
@pytest.mark.parametrize("opening", ["[", '{"a":', "[1.5,", "[[1],"])
def test_any_depth_is_an_error_of_the_caller(opening: str, depth: int) -> None:
    with pytest.raises(BadRequest):
        read(opening * depth)


def test_brackets_in_strings_are_no_depth() -> None:
    assert read(json.dumps({"a": "[{" * 100})) == {"a": "[{" * 100}


def test_digits_are_limited_outside_strings() -> None:
    with pytest.raises(QuotaExceeded, match="digits of an integer, at most 4300"):
        read("[" + "7" * 4_301 + "]")
    assert read(json.dumps(["7" * 5_000, '"\\' + "7" * 5_000])) == ["7" * 5_000, '"\\' + "7" * 5_000]


def test_strings_are_limited() -> None:
    small = replace(QUOTAS, string_chars=100)

    assert read(json.dumps({"a": "x" * 100, "b": "x" * 100}), small)
    with pytest.raises(QuotaExceeded, match="characters of one string, at most 100"):
        read(json.dumps({"a": [{"b": "x" * 101}]}), small)


def test_members_and_elements_are_limited_together() -> None:
    small = replace(QUOTAS, json_values=6)
    assert read('{"a": [1, 2, "1,2,3,4,5,6,7\\",8"], "b": {"c": 1,},}', small)
    for text in ('{"a": [1, 2, 3], "b": {"c": 1}, "d": 2}', "[[1, 2], [3, 4], 5]", '[1, 1, 1, 1, 1, 1, 1, 1, "x'):
        with pytest.raises(QuotaExceeded, match="members and elements, at most 6"):
            read(text, small)
        with pytest.raises(QuotaExceeded, match="members and elements, at most 6"):
            read_json_with_controls(text.encode(), None, small)


def test_message_is_limited() -> None:
    with pytest.raises(QuotaExceeded, match="larger than 10 bytes"):
        read("[1,2,3,4,5]", replace(QUOTAS, message_bytes=10))


HOSTILE: dict[str, Callable[[int], bytes]] = {
    "arrays": lambda n: b"[" * n,
    "objects": lambda n: b'{"a":' * n,
    "open quotes": lambda n: b'"' * n,
    "escapes": lambda n: b'{"a":"' + b'\\"' * (n // 2),
    "commas": lambda n: b"," * n,
    "commas and blanks": lambda n: b", " * (n // 2) + b"}",
    "one comma and blanks": lambda n: b"," + b" " * n,
    "trailing commas": lambda n: b"[1,]," * (n // 5),
    "digits": lambda n: b"7" * 4_300 + b"," + b"7," * (n // 2),
    "digits in strings": lambda n: b'"' + b"7" * n,
    "runs of digits": lambda n: (b"7" * 4_299 + b"x") * (n // 4_300),
    "colons and digits": lambda n: b":1" * (n // 2),
    "blanks after colons": lambda n: b":" + b" " * n,
    "numbers": lambda n: b"[" + b"1.5," * (n // 4) + b"1]",
    "small objects": lambda n: b'{"a":[' + b"{}," * (n // 3) + b"1]}",
    "names": lambda n: b"{" + b",".join(b'"a%d":1' % number for number in range(n // 12)) + b"}",
    "equal names": lambda n: b"{" + b'"a":1,' * (n // 6) + b"}",
}


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE)
def test_cost_is_linear(make: Callable[[int], bytes]) -> None:
    def work(body: bytes) -> None:
        try:
            read(body)
        except BadRequest:
            return

    assert_linear(lambda n: work(make(n)))


@given(st.binary(max_size=100))
def test_no_bytes_break_it(body: bytes) -> None:
    try:
        read(body)
    except BadRequest:
        return


@given(
    st.lists(st.sampled_from(['"', "\\", ",", "}", "]", "{", "[", ":", " ", "1", "e", ".", "a", "-"]), max_size=30).map(
        "".join
    )
)
def test_no_arrangement_of_its_characters_breaks_it(text: str) -> None:
    try:
        found = read(text)
    except BadRequest:
        return
    json.dumps(found)


def test_names_may_have_to_be_unique() -> None:
    twice = b'{"x": [{"a": 1, "b": 2, "a": 3}]}'
    assert read_json(twice, None, Quotas()) == {"x": [{"a": 3, "b": 2}]}
    with pytest.raises(BadRequest, match="the member 'a' twice"):
        read_json(twice, None, Quotas(), is_unique=True)
    assert read_json(b'{"a": {"a": 1}, "b": 2,}', None, Quotas(), is_unique=True) == {"a": {"a": 1}, "b": 2}


def test_the_last_of_equal_names_may_have_to_be_the_last_in_order() -> None:
    found = read_json(b'{"a": 1, "A": 2, "a": 3,}', None, Quotas(), is_ordered=True)
    assert [*found.items()] == [("A", 2), ("a", 3)]


def test_numbers_may_stay_numbers_that_know_how_they_were_written() -> None:
    number = read_json(b"[12.50]", None, Quotas(), number=Number)[0]
    assert (number, number.text) == (12.5, "12.50")
    assert not isinstance(number, str)


@given(PLAIN, st.sampled_from([None, 2]))
def test_with_controls_it_is_read_all_the_same(value: Any, indent: int | None) -> None:
    assert read_json_with_controls(json.dumps(value, indent=indent).encode(), None, QUOTAS) == value


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_with_controls_texts_may_hold_them(encoding: str) -> None:
    body = '{"a": "x\r\n\ty\x01", "b": ["\n"]}'
    assert read_json_with_controls(body.encode(encoding), None, QUOTAS) == {"a": "x\r\n\ty\x01", "b": ["\n"]}
    with pytest.raises(BadRequest):
        read(body.encode(encoding))


def test_with_controls_the_last_of_equal_names_counts_and_is_the_last() -> None:
    found = read_json_with_controls(b'{"a": 1, "b": 2, "a": 3}', None, QUOTAS)
    assert [*found.items()] == [("b", 2), ("a", 3)]


@pytest.mark.parametrize(
    "text", ["", "{a: 1}", "[1,]", "NaN", "[-Infinity]", "{}{}", '"\\\n"', "'a'", "//x\n1", '"\\q"', "\xff"]
)
def test_with_controls_anything_else_is_an_error(text: str) -> None:
    with pytest.raises(BadRequest):
        read_json_with_controls(text.encode("latin-1"), None, QUOTAS)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("[" * 33 + "1" + "]" * 33, "depth"),
        ("[" * 100_000, "depth"),
        ('{"a":' * 100_000, "depth"),
        ("[" + "[]," * 50_000 + "1]", "objects and arrays"),
        ("9" * 4_301, "digits of an integer"),
        (" " * ((4 << 20) + 1), "larger than"),
    ],
    ids=["deep", "deeper", "deeper objects", "wide", "digits", "large"],
)
def test_with_controls_quotas_hold(text: str, what: str) -> None:
    with pytest.raises(QuotaExceeded, match=what):
        read_json_with_controls(text.encode(), None, QUOTAS)


@pytest.mark.parametrize("piece", ['"\n', "\n", '"\\', '"a":1,', "[1,", "[]"])
def test_with_controls_it_costs_what_the_message_is_long(piece: str) -> None:
    def work(size: int) -> None:
        with pytest.raises(BadRequest):
            read_json_with_controls(("{" + piece * (size // len(piece))).encode(), None, QUOTAS)

    assert_linear(work)
