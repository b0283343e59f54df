"""Team rules say what they mean, refuse everything else with its column, and never take long."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.core.rules import MAX_DEPTH, MAX_LENGTH, InvalidRule
from dispatcher.core.team_rules import FIELDS, parse

AGENT: dict[str, str | bool] = {
    "name": "web-01",
    "os": "linux",
    "address": "10.0.0.7",
    "online": True,
    "primary_team": "Pilot",
    "fact.site": "Basel",
    "fact.Zürich-1.x": "yes",
    "fact.memory_gb": "15",
}


@pytest.mark.parametrize(
    "rule",
    [
        "true",
        'os == "linux"',
        "os == 'LINUX'",
        'OS == "linux" AND Name StartsWith "WEB-"',
        'os != "windows"',
        'name contains "b-0"',
        'address startswith "10.0."',
        "online == true",
        'online == "true"',
        "online != false",
        'primary_team in ["Test", "pilot"]',
        'fact.site == "basel"',
        'fact.Zürich-1.x == "yes"',
        'fact.unknown == ""',
        "fact.memory_gb >= 8 and fact.memory_gb < 16.5",
        "fact.memory_gb in [8, 15.0]",
        "not fact.site > 0",
        'not os == "windows"',
        "not not true",
        'os == "windows" or os == "linux" and online == true',
        '(os == "windows" or os == "linux") and online == true',
        "false or not (false and true)",
        'name != "a\\"b\\\\c"',
        "true and\n  not false",
    ],
)
def test_rule_fits(rule: str) -> None:
    assert parse(rule).fits(AGENT)


@pytest.mark.parametrize(
    "rule",
    [
        "false",
        'os == "windows"',
        'os == "linux" and name == "web-02"',
        'name startswith "eb"',
        "online == false",
        "os in []",
        'os in ["windows"]',
        "not true or false",
        'not (os == "linux" or os == "windows")',
        'fact.Site == "Basel"',  # facts keep the case that the agent gave them
    ],
)
def test_rule_does_not_fit(rule: str) -> None:
    assert not parse(rule).fits(AGENT)


def test_escapes_in_texts() -> None:
    assert parse(r'name == "a\"b\\c\d"').fits({"name": r'a"b\c\d'})
    assert parse(r"name == 'it\'s'").fits({"name": "It's"})


@pytest.mark.parametrize(
    ("rule", "column"),
    [
        ("", 1),
        ("   ", 1),
        ('os = "linux"', 4),
        ('os == "linux', 7),
        ("os == linux", 7),
        ('os == ["linux"]', 7),
        ('os in "linux"', 7),
        ('os in ["a" "b"]', 12),
        ("colour == 'red'", 1),
        ("fact. == 'red'", 1),
        ("os", 3),
        ("(true", 6),
        ("true)", 5),
        ("true false", 6),
        ("true and", 9),
        ("not", 4),
        ('os is "linux"', 4),
        ('$[os] == "linux"', 1),
        ('os < "linux"', 6),
        ('"linux" == os', 1),
        ("\n\n  $", 5),
    ],
)
def test_what_is_no_rule_is_refused_with_its_column(rule: str, column: int) -> None:
    with pytest.raises(InvalidRule) as caught:
        parse(rule)
    assert caught.value.column == column
    assert f"column {column}:" in caught.value.message


@pytest.mark.parametrize("opening", ["(", "not "])
def test_depth_is_limited(opening: str) -> None:
    closing = ")" if opening == "(" else ""
    deep = MAX_DEPTH - 1
    parse(opening * deep + "true" + closing * deep)
    with pytest.raises(InvalidRule, match="nested deeper"):
        parse(opening * MAX_DEPTH + "true" + closing * MAX_DEPTH)


def test_length_is_limited() -> None:
    with pytest.raises(InvalidRule):
        parse("true" + " " * MAX_LENGTH)


@pytest.mark.parametrize("piece", ["(", "not ", "true or ", 'os in ["a",', '"', "\\", 'os == "a" and ', " "])
def test_the_longest_rules_take_no_time(piece: str) -> None:
    text = (piece * MAX_LENGTH)[:MAX_LENGTH]
    start = time.process_time()
    with pytest.raises(InvalidRule):
        parse(text)
    assert time.process_time() - start < 0.5


def test_parsed_rules_are_kept() -> None:
    assert parse('os == "kept"') is parse('os == "kept"')


_SIGNS = ["==", "!=", "<", "<=", ">=", "(", ")", "[", "]", ",", "'", "%"]
_WORDS = st.sampled_from(
    [*sorted(FIELDS.names), *_SIGNS, "fact.x", "in", "contains", "and", "or", "not", "true", "false", '"a"', "'b'", "1"]
)


@given(st.one_of(st.text(max_size=60), st.lists(_WORDS, max_size=14).map(" ".join)))
def test_anything_is_a_rule_or_an_error_of_its_own(text: str) -> None:
    try:
        fits = parse(text).fits(AGENT)
    except InvalidRule as error:
        column = error.column
    else:
        assert fits in (True, False)
        return
    assert 1 <= column <= len(text) + 1


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


_VALUES = st.sampled_from(["", "linux", "LIN", 'a"b', "\\", "ß", "10.0"])
_FIELDS = st.sampled_from(["name", "os", "address", "primary_team", "fact.site"])
_COMPARISONS = st.builds(
    lambda field, operator, value: f"{field} {operator} {_quoted(value)}",
    _FIELDS,
    st.sampled_from(["==", "!=", "contains", "startswith"]),
    _VALUES,
)
_RULES = st.recursive(
    st.one_of(_COMPARISONS, st.sampled_from(["true", "false", "online == true"])),
    lambda inner: st.one_of(
        st.builds("({} and {})".format, inner, inner),
        st.builds("({} or {})".format, inner, inner),
        st.builds("not {}".format, inner),
    ),
    max_leaves=8,
)
_AGENTS = st.dictionaries(_FIELDS, _VALUES).flatmap(
    lambda facts: st.booleans().map(lambda online: {**facts, "online": online})
)


@given(_RULES, _RULES, _AGENTS)
def test_logic_holds(left: str, right: str, agent: dict[str, str | bool]) -> None:
    one, other = parse(left).fits(agent), parse(right).fits(agent)
    assert parse(f"not ({left})").fits(agent) is not one
    assert parse(f"{left} and {right}").fits(agent) is (one and other)
    assert parse(f"{left} or {right}").fits(agent) is (one or other)
    assert parse(f"not ({left} and {right})").fits(agent) is parse(f"not {left} or not {right}").fits(agent)


@given(_FIELDS, _VALUES, _AGENTS)
def test_comparisons_agree_with_each_other(field: str, value: str, agent: dict[str, str | bool]) -> None:
    text = _quoted(value)
    equal = parse(f"{field} == {text}").fits(agent)
    assert parse(f"{field} != {text}").fits(agent) is not equal
    assert parse(f"{field} in [{text}]").fits(agent) is equal
    assert equal is (str(agent.get(field, "")).casefold() == value.casefold())
    if equal:
        assert parse(f"{field} startswith {text} and {field} contains {text}").fits(agent)
