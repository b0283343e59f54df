"""Conditions decide between run, skip and fail, and say which of them it was."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.core import rules
from dispatcher.core.conditions import OF_STEPS, ON_AGENTS, Verdict, judge, parameter_facts, problems
from dispatcher.core.parameters import Parameter, ParameterType
from dispatcher.core.rules import InvalidRule

LEVEL = Parameter("Level", value1="High")
SECRET = Parameter("Word", ParameterType.PASSWORD, "s3cret")
LOGIN = Parameter("My login", ParameterType.CREDENTIALS, "me", "s3cret")


def test_without_a_condition_everything_runs() -> None:
    assert judge(None, ON_AGENTS, {}) == Verdict("run")


@pytest.mark.parametrize("otherwise", ["skip", "fail"])
def test_condition_that_is_not_met_says_what_happens_and_why(otherwise: str) -> None:
    condition = {"if": '$[Level] == "low"', "else": otherwise}
    facts = parameter_facts([LEVEL])
    assert judge(condition, ON_AGENTS, facts) == Verdict(otherwise, 'condition not met: $[Level] == "low"')
    assert judge({**condition, "if": '$[Level] == "high"'}, ON_AGENTS, facts) == Verdict("run")


@pytest.mark.parametrize(
    ("rule", "fields"),
    [
        ("online == true", ON_AGENTS),
        ('os == "linux"', OF_STEPS),
        ('fact.x == "1"', OF_STEPS),
        ("$[a[b] == 1", ON_AGENTS),
    ],
)
def test_what_cannot_be_known_cannot_be_asked(rule: str, fields: rules.Fields) -> None:
    with pytest.raises(InvalidRule):
        judge({"if": rule, "else": "skip"}, fields, {})


def test_secrets_are_no_facts() -> None:
    assert parameter_facts([LEVEL, SECRET, LOGIN]) == {"$[Level]": "High"}


def test_problems_name_what_is_not_declared_and_what_is_secret() -> None:
    rule = rules.parse(
        '$[Level] == "1" or $[Lost] < 3 or $[Word] == "x" or $[My login] in [] or $[Lost] == 1', ON_AGENTS
    )
    assert rule.parameters == ("Level", "Lost", "Word", "My login")
    assert problems(rule, {one.name: one for one in (LEVEL, SECRET, LOGIN)}) == [
        "$[Lost] is not declared",
        "$[Word] is secret: a condition may not ask about it",
        "$[My login] is secret: a condition may not ask about it",
    ]


NUMBERS = st.integers(-10_000, 10_000).map(lambda number: number / 100)


@given(NUMBERS, NUMBERS, st.sampled_from(["", "+", " "]))
def test_numbers_are_compared_as_numbers(value: float, other: float, sign: str) -> None:
    text = f"{sign if value >= 0 else ''}{value:.2f}"
    facts = parameter_facts([Parameter("Size", value1=text)])
    expected = {"<": value < other, "<=": value <= other, ">": value > other, ">=": value >= other}
    expected |= {"==": value == other, "!=": value != other}
    for sign_of_comparison, fits in expected.items():
        assert rules.parse(f"$[Size] {sign_of_comparison} {other:.2f}", ON_AGENTS).fits(facts) is fits
    assert rules.parse(f"$[Size] in [{other:.2f}, 99999]", ON_AGENTS).fits(facts) is (value == other)


@pytest.mark.parametrize("value", ["", "1e3", "one", "1.2.3", "9" * 31, "²", "true"])
def test_what_is_no_number_is_neither_less_nor_more_nor_equal(value: str) -> None:
    facts = parameter_facts([Parameter("Size", value1=value)])
    for rule in ("$[Size] < 5", "$[Size] >= -5", "$[Size] == 0", "$[Size] in [1, 0]"):
        assert not rules.parse(rule, ON_AGENTS).fits(facts)
    assert rules.parse("$[Size] != 0", ON_AGENTS).fits(facts)


@pytest.mark.parametrize(
    ("rule", "column"),
    [('$[Size] < "5"', 11), ("$[Size] contains 5", 18), ("$[Size] >= true", 12), ("$[Size] < ", 10), ("$[] == 1", 1)],
)
def test_comparisons_take_what_they_compare(rule: str, column: int) -> None:
    with pytest.raises(InvalidRule) as caught:
        rules.parse(rule, ON_AGENTS)
    assert caught.value.column == column
