"""Library sources know the line of every value, keep values as written and refuse what YAML can hide."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.services.library.problems import Problems
from dispatcher.services.library.source import MAX_BYTES, MAX_DEPTH, Source, read, show


def a_source(text: str) -> Source:
    problems = Problems()
    source = read("a.yaml", text.encode(), problems)
    problems.refuse()
    assert source is not None
    return source


def problems_of(content: str | bytes) -> list[str]:
    problems = Problems()
    read("a.yaml", content.encode() if isinstance(content, str) else content, problems)
    return [str(problem) for problem in problems.found]


def test_values_stay_as_they_are_written() -> None:
    source = a_source("a: {b: no, c: 007, d: 1.10, e: '', f: 00:11:22:33:44:55, g: ~, h: , i: 2026-01-01}\n")
    assert source.data["a"] == {
        "b": "no", "c": "007", "d": "1.10", "e": "", "f": "00:11:22:33:44:55", "g": None, "h": None, "i": "2026-01-01",
    }  # fmt: skip


def test_every_place_has_its_line() -> None:
    source = a_source("a:\n  - b: 1\n    c:\n      - 2\n      - 3\n")
    assert source.lines["a", 0, "b"] == 2
    assert source.lines["a", 0, "c", 1] == 5
    source.add(("a", 0, "c", 1), "is odd")
    source.add(("a", 0, "missing", "deeper"), "is missing")
    assert [str(problem) for problem in source.problems.found] == [
        "a.yaml:5: a[0].c[1]: is odd",
        "a.yaml:2: a[0].missing.deeper: is missing",
    ]


def test_paths_are_shown_as_people_write_them() -> None:
    assert show(("modules", 2, "tasks", 0, "settings", "command")) == "modules[2].tasks[0].settings.command"


def test_an_empty_file_says_nothing() -> None:
    assert a_source("").data == {}
    assert a_source("# only a comment\n").data == {}


def test_a_byte_order_mark_is_no_problem() -> None:
    assert a_source("\ufeffa: b\n").data == {"a": "b"}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("a: 1\nb: [\n", "a.yaml:3: "),
        ("a: 1\na: 2\n", "a.yaml:2: a: is given twice"),
        ("m:\n  - x: 1\n    x: 2\n", "a.yaml:3: m[0].x: is given twice"),
        ("a: &x 1\n", "a.yaml:1: anchors and aliases are not allowed"),
        ("a: 1\nb: *x\n", "a.yaml:2: anchors and aliases are not allowed"),
        ("a: &x [1]\n", "a.yaml:1: anchors and aliases are not allowed"),
        ("a: !!python/object:os.system 1\n", "a.yaml:1: tags such as"),
        ("a: 1\n---\nb: 2\n", "a.yaml:2: a library file is one YAML document"),
        ("- a\n", "a.yaml:1: a library file holds sections"),
        ("? [a]\n: 1\n", "a.yaml:1: a key must be text"),
        ('a: "x\\0y"\n', "a.yaml:1: a: a character that cannot be stored"),
        ('a: "\\uD800"\n', "a.yaml:1: "),
        (b"a: 1\nb: \xff\n", "a.yaml:2: not UTF-8"),
        ("a: 1\nb: \x01\n", "a.yaml:2: "),
        ("%TAG !a! b\n---\na: 1\n", "a.yaml: %TAG is not allowed"),
        ("[" * (MAX_DEPTH + 1), f"a.yaml:1: nested deeper than {MAX_DEPTH}"),
        (b"#" * (MAX_BYTES + 1), f"a.yaml: larger than {MAX_BYTES} bytes"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_line(content: str | bytes, problem: str) -> None:
    found = problems_of(content)
    assert len(found) == 1
    assert found[0].startswith(problem)


def test_a_bomb_of_aliases_is_refused_before_it_is_built() -> None:
    lines = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    start = time.process_time()
    assert len(problems_of("\n".join(lines))) == 1
    assert time.process_time() - start < 0.5


def test_a_problem_is_one_line_and_moves_no_cursor() -> None:
    (found,) = problems_of('"x\\e[2J\\n": 1\n"x\\e[2J\\n": 2\n')
    assert found == "a.yaml:2: x\\x1b[2J\\n: is given twice"


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    problems = Problems()
    try:
        content = text.encode()
    except UnicodeEncodeError:
        content = text.encode("utf-16", "surrogatepass")
    source = read("a.yaml", content, problems)
    assert source is not None or problems.count
