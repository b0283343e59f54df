"""Loose JSON: what clients write by hand is read, each thing with one meaning, in linear time; errors have a place."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import json5
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from loose_documents import VALUES, loose_texts
from work import assert_linear

from dispatcher.core.errors import BadRequest, QuotaExceeded
from dispatcher.wire.json_reader import Number
from dispatcher.wire.loose_json import read_loose_json
from dispatcher.wire.quotas import Quotas

QUOTAS = Quotas()
#: What JSON5 reads and this does not; see the module. An escape in a name without quotes is one of them.
REFUSED = re.compile(r"""\\([^"'\\/bfnrt]|$)|0[xX]|NaN|Infinity|[eE]\+?[0-9]{3}|\0""", re.DOTALL)


def read(text: str, quotas: Quotas = QUOTAS) -> Any:
    return read_loose_json(text, quotas)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{Name: "x"}', {"Name": "x"}),
        ("{CustomPatchListId : 1}", {"CustomPatchListId": 1}),
        ("{_a1: 1, $: 2, é: 3}", {"_a1": 1, "$": 2, "é": 3}),
        ("{'a b': 1, \"c\": 2}", {"a b": 1, "c": 2}),
        ("{a: [1, 2,], b: {},}", {"a": [1, 2], "b": {}}),
        ('{a: "x\ny\tz\r\n"}', {"a": "x\ny\tz\r\n"}),
        ("\ufeff\r\n{\u00a0a\t:\v1\f}\n", {"a": 1}),
        ("{a: 'say \"x\"', b: 'it\\'s', c: \"it's\"}", {"a": 'say "x"', "b": "it's", "c": "it's"}),
        ("// first\r{a: 1 /* one */, // two\n b /**/ : /***/ 2}// last", {"a": 1, "b": 2}),
        ("{a: '// no /* comment'}", {"a": "// no /* comment"}),
        ("{a: {} b: [] c: {x: [1]} \n d: 1}", {"a": {}, "b": [], "c": {"x": [1]}, "d": 1}),
        ("{a: 1, b: 2, a: 3}", {"b": 2, "a": 3}),
        ("{a: {x: 1}, a: {y: 2}}", {"a": {"y": 2}}),
        ('"\\u00e9\\ud83d\\ude00\\n\\/\\"\\\\"', 'é😀\n/"\\'),
        (
            "[true, false, null, 0, -0, -12, 1234567890123456789012]",
            [True, False, None, 0, 0, -12, 1234567890123456789012],
        ),
        ("'x'", "x"),
        ("{true: 1, null: 2}", {"true": 1, "null": 2}),
    ],
)
def test_what_clients_write_by_hand_is_read(text: str, value: object) -> None:
    assert read(text) == value


def test_the_last_of_a_name_is_the_last_in_order() -> None:
    assert [*read("{Name: 1, name: 2, Name: 3}")] == ["name", "Name"]


@pytest.mark.parametrize(
    ("text", "number"),
    [("+1", 1), ("1.50", 1.5), ("-.5", -0.5), ("5.", 5.0), ("1e3", 1000.0), ("+1.5E-2", 0.015), ("5.e1", 50.0)],
)
def test_numbers(text: str, number: float) -> None:
    found = read(f"[{text}]")[0]
    assert found == number
    assert type(found) is type(number) or (isinstance(found, Number) and found.text == text)


A_VALUE = "a value, of which texts need quotes and numbers are decimal,"
A_NAME = "a name, which needs quotes unless it is made of letters, digits, '_' and '$',"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "line 1, column 1: expected a value but found the end"),
        ("\n \n", "line 3, column 1: expected a value but found the end"),
        ("{a: 1", "line 1, column 6: expected ',' or '}' but found the end"),
        ("{a: 1 b: 2}", "line 1, column 7: expected ',' or '}' but found a bare word"),
        ("[[] []]", "line 1, column 5: expected ',' or ']' but found '['"),
        ("[1\n2]", "line 2, column 1: expected ',' or ']' but found a number"),
        ("{a: 'x' 'y'}", "line 1, column 9: expected ',' or '}' but found a text"),
        ("{,}", "line 1, column 2: expected a name or '}' but found ','"),
        ("{a: 1,,}", "line 1, column 7: expected a name or '}' but found ','"),
        ("[,]", "line 1, column 2: expected a value or ']' but found ','"),
        ("[1,,2]", "line 1, column 4: expected a value or ']' but found ','"),
        ("{a: , b: 1}", "line 1, column 5: expected a value but found ','"),
        ("{a, : 1}", "line 1, column 3: expected ':' behind a name but found ','"),
        (", 1", "line 1, column 1: expected a value but found ','"),
        ("[1, , ]", "line 1, column 5: expected a value or ']' but found ','"),
        ("[1, /* x ]", "line 1, column 5: a comment that has no end"),
        ("{a 1}", "line 1, column 4: expected ':' behind a name but found a number"),
        ("{a: 1]", "line 1, column 6: expected ',' or '}' but found ']'"),
        ("{a-b: 1}", f"line 1, column 2: expected {A_NAME} but found a bare word"),
        ("{1: 1}", f"line 1, column 2: expected {A_NAME} but found a number"),
        ("{1a: 1}", f"line 1, column 2: expected {A_NAME} but found a bare word"),
        ("{[]: 1}", "line 1, column 2: expected a name or '}' but found '['"),
        ("{} {}", "line 1, column 4: expected the end of the text but found '{'"),
        ("{},", "line 1, column 3: expected the end of the text but found ','"),
        ("{a: True}", f"line 1, column 5: expected {A_VALUE} but found a bare word"),
        ("{\r\n a:\r x}", f"line 3, column 2: expected {A_VALUE} but found a bare word"),
        ("[NaN]", f"line 1, column 2: expected {A_VALUE} but found a bare word"),
        ("[-Infinity]", f"line 1, column 2: expected {A_VALUE} but found a bare word"),
        ("[0x1F]", f"line 1, column 2: expected {A_VALUE} but found a bare word"),
        ("[010]", f"line 1, column 2: expected {A_VALUE} but found a bare word"),
        ("[1.2.3]", f"line 1, column 2: expected {A_VALUE} but found a bare word"),
        ("[1_000]", f"line 1, column 2: expected {A_VALUE} but found a bare word"),
        ("[.]", f"line 1, column 2: expected {A_VALUE} but found a bare word"),
        ("[\u0661]", f"line 1, column 2: expected {A_VALUE} but found a bare word"),
        ("[1e999]", "line 1, column 2: a number that is too large"),
        ("{a:\n 'x}", "line 2, column 2: a text that has no end"),
        ('{a: "x\\"}', "line 1, column 5: a text that has no end"),
        ("{a: 1 /* x }", "line 1, column 7: a comment that has no end"),
        ("{a: /x/}", "line 1, column 5: expected a value but found something else"),
        ("{a: @}", "line 1, column 5: expected a value but found something else"),
        ("{a: “x”}", "line 1, column 5: expected a value but found a curly quote; only straight ones are"),
        ("{a: 'x\\v'}", "line 1, column 7: no escape that there is; a backslash is written as two"),
        ("{\na: 'LAB\\ops'}", "line 2, column 8: no escape that there is; a backslash is written as two"),
        ("['a\\\nb']", "line 1, column 4: no escape that there is; a backslash is written as two"),
        ("['\\u12']", "line 1, column 3: no escape that there is; a backslash is written as two"),
        ("['\\u0000']", "line 1, column 3: a NUL character, or half of a surrogate pair"),
        ("['x\\ud800']", "line 1, column 4: a NUL character, or half of a surrogate pair"),
        ("['\\ude00\\ud83d']", "line 1, column 3: a NUL character, or half of a surrogate pair"),
        ("[\n'\0']", "line 2, column 2: a NUL character, or half of a surrogate pair"),
        ("['\ud83d\\ude00']", "line 1, column 3: a NUL character, or half of a surrogate pair"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(text: str, told: str) -> None:
    with pytest.raises(BadRequest) as caught:
        read(text)
    assert caught.value.message == told


@pytest.mark.parametrize(
    "text", ["{Password: hunter2}", "{Password: 'hun'ter2}", "{a: 1, hunter2}", "{p: 'hunter2\\q'}"]
)
def test_errors_quote_nothing_that_may_be_secret(text: str) -> None:
    with pytest.raises(BadRequest) as caught:
        read(text)
    assert "ter2" not in caught.value.message


def test_depth_is_limited() -> None:
    for opening, innermost, closing in (("[", "[]", "]"), ("{a:", "{}", "}")):
        assert read(opening * 31 + innermost + closing * 31)
        column = 32 * len(opening) + 1
        with pytest.raises(QuotaExceeded, match=f"^line 1, column {column}: .*depth, at most 32$"):
            read(opening * 32 + innermost + closing * 32)


def test_containers_are_limited() -> None:
    small = replace(QUOTAS, json_containers=3)
    assert read("[[], {}]", small) == [[], {}]
    with pytest.raises(QuotaExceeded, match=r"^line 2, column 1: .*objects and arrays, at most 3$"):
        read("[[], {},\n[]]", small)


def test_members_and_elements_are_limited_together() -> None:
    small = replace(QUOTAS, json_values=4)
    assert read("{a: [1, 2], b: 'x, y, z, {}',}", small)
    assert read("{a: [1, 2], /* , , */ b: 'x, \\', //', // , , '\n}", small) == {"a": [1, 2], "b": "x, ', //"}
    for text in ("{a: [1, 2], b: {}\nc: 1}", "['1,,,,', 2, /* , */ 3, 4, 5\n, 6]", "[1, 2, 3, 4,\n,"):
        with pytest.raises(QuotaExceeded, match=r"^line 2, column 1: .*members and elements, at most 4$"):
            read(text, small)


def test_digits_of_numbers_are_limited() -> None:
    assert read("-" + "7" * 4_300) == -int("7" * 4_300)
    for number in ("7" * 4_301, "-" + "7" * 4_301, "1." + "7" * 4_300):
        with pytest.raises(QuotaExceeded, match=r"^line 1, column 2: .*digits of a number, at most 4300$"):
            read(f"[{number}]")
    assert read(f"['{'7' * 5_000}']") == ["7" * 5_000]


def test_texts_and_the_whole_are_limited() -> None:
    small = replace(QUOTAS, string_chars=5, message_bytes=20)
    assert read("{a: 'xxxxx'}", small) == {"a": "xxxxx"}
    for text in ("{a: 'xxxxxx'}", "{a: {'xxxxxx': 1}}"):
        with pytest.raises(QuotaExceeded, match=r"^line 1, column .*characters of one text, at most 5$"):
            read(text, small)
    with pytest.raises(QuotaExceeded, match=r"^line 1, column 1: .*characters, at most 20$"):
        read("{a: 1, b: 2, c: 3, d: 4}", small)


@given(VALUES, st.sampled_from([None, 2]), st.booleans())
def test_strict_json_is_read(value: Any, indent: int | None, ascii_only: bool) -> None:
    assert read(json.dumps(value, indent=indent, ensure_ascii=ascii_only)) == value


@given(st.data(), VALUES)
def test_documents_in_loose_styles_mean_what_they_were_made_of(data: st.DataObject, value: Any) -> None:
    assert read(data.draw(loose_texts(value))) == value


@settings(max_examples=60)
@given(st.data(), VALUES)
def test_documents_that_json5_reads_mean_the_same_there(data: st.DataObject, value: Any) -> None:
    text = data.draw(loose_texts(value, json5=True))
    assert read(text) == json5.loads(text) == value


PIECES = [
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "a",
    "'b'",
    '"c"',
    "1",
    "-0",
    "+",
    ".5",
    "5.",
    "e1",
    "0x1",
    "010",
    "null",
    "true",
]
PIECES += [
    " ",
    "\n",
    "/*",
    "*/",
    "//",
    "\\",
    "'",
    '"',
    "\\u0041",
    "\\x41",
    "\\n",
    "NaN",
    "Infinity",
    "é",
    "\u2028",
    "$_",
]


@settings(max_examples=150)
@given(st.lists(st.sampled_from(PIECES), max_size=8).map("".join) | st.text("{}[]:,a1'\"\\ \n/*.-+", max_size=8))
@example("{a:1,}")
@example("[1,]")
@example("{'b':.5}")
@example("[+.5,5.]")
@example("{é:'\u2028'}")
def test_what_both_read_means_the_same_and_what_json5_reads_is_read(text: str) -> None:
    try:
        theirs = json5.loads(text)
    except (ValueError, RecursionError):
        return
    try:
        ours = read(text)
    except BadRequest:
        assert REFUSED.search(text), "JSON5 reads it, and nothing is in it that is refused"
        return
    assert ours == theirs


@pytest.mark.parametrize(
    ("make", "is_good"),
    [
        (lambda n: "[" + "1," * (n // 2) + "]", True),
        (lambda n: "{" + "a:1," * (n // 4) + "}", True),
        (lambda n: "[" + "1.5," * (n // 4) + "]", True),
        (lambda n: "{" + ",".join(f"a{i}:''" for i in range(n // 9)) + "}", True),
        (lambda n: "'" + "\\n" * (n // 2) + "'", True),
        (lambda n: "'" + "\\ud83d\\ude00" * (n // 12) + "'", True),
        (lambda n: "/**/" * (n // 4) + "1", True),
        (lambda n: "//\n" * (n // 3) + "1", True),
        (lambda n: "[" + " " * n + "]", True),
        (lambda n: "[" + "[]," * (n // 3), False),
        (lambda n: "{a:" * (n // 3), False),
        (lambda n: "/* " * (n // 3), False),
        (lambda n: "/" * n, False),
        (lambda n: "'" + "\\'" * (n // 2), False),
        (lambda n: '"' * n, False),
        (lambda n: "{" + "a" * n, False),
        (lambda n: "1" * n, False),
        (lambda n: "0." + "1" * n, False),
        (lambda n: "-" * n, False),
        (lambda n: "1e" * (n // 2), False),
        (lambda n: "\n" * n + "x", False),
        (lambda n: "\r" * n + "x", False),
        (lambda n: "[" + "1," * (n // 2), False),
        (lambda n: "'" + "\\\\" * (n // 2) + "\\q'", False),
    ],
)
def test_reading_costs_what_the_text_is_long(make: Callable[[int], str], is_good: bool) -> None:
    def work(size: int) -> None:
        text = make(size)
        try:
            read(text, replace(QUOTAS, string_chars=1 << 22, json_values=1 << 22))
        except BadRequest:
            assert not is_good
        else:
            assert is_good

    # What is read token by token in Python costs more than what orjson reads.
    assert_linear(work, size=1 << 20, most_s_per_byte=3e-6)


@pytest.mark.parametrize("piece", ["/*,", "/,", "//,", '",', "',", "*/,", "1,"])
def test_what_is_too_wide_is_found_at_what_the_text_is_long(piece: str) -> None:
    def work(size: int) -> None:
        with pytest.raises(BadRequest):
            read("{a:[" + piece * (size // len(piece)), replace(QUOTAS, string_chars=1 << 22, json_values=1000))

    assert_linear(work, size=1 << 20, most_s_per_byte=3e-6)
