"""Parameters: defaults, choices, secrets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.core.errors import InvalidValue
from dispatcher.core.parameters import GivenValue, Parameter, ParameterType, merge, values_of

LEVEL = Parameter("Level", ParameterType.LIST, "low", "low;high", "Low;High")
LOGIN = Parameter("Login", ParameterType.CREDENTIALS, "admin", "s3cret")
PASSWORD = Parameter("Password", ParameterType.PASSWORD, "s3cret")


def test_a_value_not_given_keeps_its_default() -> None:
    assert merge([LEVEL, LOGIN], []) == {"Level": ["low"], "Login": ["admin", "s3cret"]}


def test_unknown_names_are_ignored() -> None:
    assert merge([LEVEL], [GivenValue("Other", "x")]) == {"Level": ["low"]}


def test_names_match_without_regard_to_case_when_not_exactly() -> None:
    exact, folded = Parameter("a", value1="1"), Parameter("A", value1="2")
    assert merge([exact, folded], [GivenValue("A", "9")]) == {"a": ["9"], "A": ["9"]}
    assert merge([exact, folded], [GivenValue("a", "8"), GivenValue("A", "9")]) == {"a": ["8"], "A": ["9"]}


@pytest.mark.parametrize(
    ("given_values", "expected"),
    [("Foo=0 Foo=1", "1"), ("foo=0 foo=1", "1"), ("foo=0 Foo=1", "1"), ("FOO=0 foo=1", "1"), ("FOO=0 fOO=1", "0")],
)
def test_of_several_values_for_a_name_one_counts(given_values: str, expected: str) -> None:
    given = [GivenValue(*text.split("=")) for text in given_values.split()]
    assert merge([Parameter("Foo")], given) == {"Foo": [expected]}


def test_a_list_value_must_be_one_of_the_choices() -> None:
    with pytest.raises(InvalidValue, match=r"Parameters/Level.*'medium' is none of low, high"):
        merge([LEVEL], [GivenValue("Level", "medium")])


def test_a_multiselect_value_is_checked_part_by_part() -> None:
    rings = Parameter("Rings", ParameterType.MULTISELECT, "1", "1;2;3")
    assert merge([rings], [GivenValue("Rings", "1;3")]) == {"Rings": ["1;3"]}
    assert merge([rings], [GivenValue("Rings", "")]) == {"Rings": [""]}
    with pytest.raises(InvalidValue, match="'4'"):
        merge([rings], [GivenValue("Rings", "1;4")])


def test_choices_match_without_regard_to_case_when_not_exactly() -> None:
    rings = Parameter("Rings", ParameterType.MULTISELECT, "a", "a;A;Straße")
    for given_value, merged in (("LOW", "low"), ("High", "high"), ("low", "low")):
        assert merge([LEVEL], [GivenValue("Level", given_value)]) == {"Level": [merged]}
    for given_value, merged in (("a;A", "a;A"), ("A", "A"), ("STRASSE;a", "Straße;a")):
        assert merge([rings], [GivenValue("Rings", given_value)]) == {"Rings": [merged]}
    with pytest.raises(InvalidValue, match="'HIGHER'"):
        merge([LEVEL], [GivenValue("Level", "HIGHER")])


def test_a_masked_secret_that_comes_back_keeps_the_default() -> None:
    assert merge([PASSWORD], [GivenValue("Password", "")]) == values_of([PASSWORD])
    assert merge([LOGIN], [GivenValue("Login", "admin", "")]) == values_of([LOGIN])


def test_another_user_does_not_inherit_the_default_password() -> None:
    assert merge([LOGIN], [GivenValue("Login", "other", "")]) == {"Login": ["other", ""]}


def test_masking_leaves_the_user_name_and_nothing_else() -> None:
    assert LOGIN.masked().value1 == "admin"
    assert LOGIN.masked().value2 == ""
    assert PASSWORD.masked().value1 == ""


@given(st.lists(st.builds(GivenValue, st.text(max_size=5), st.text())))
def test_merging_keeps_the_declared_order_and_names(given_values: list[GivenValue]) -> None:
    declared = [Parameter("b"), Parameter("a"), PASSWORD]
    assert [*merge(declared, given_values)] == ["b", "a", "Password"]


_NAMES = st.sampled_from(["a", "A", "b", "B", "c", "ß", "SS"])
_TYPES = st.sampled_from([ParameterType.TEXT, ParameterType.LIST])


@given(
    st.lists(st.builds(Parameter, _NAMES, _TYPES), unique_by=lambda one: one.name),
    st.lists(st.builds(GivenValue, _NAMES, st.none() | st.text(max_size=2))),
)
def test_each_parameter_gets_what_is_meant_for_it(declared: list[Parameter], given_values: list[GivenValue]) -> None:
    assert merge(declared, given_values) == {one.name: [_meant(one, given_values)] for one in declared}


def _meant(parameter: Parameter, given_values: list[GivenValue]) -> str:
    """Return the last value for that very name, else for it in lower case, else the first in any case."""
    folded = parameter.name.casefold()
    ways = (
        [one for one in reversed(given_values) if one.name == parameter.name],
        [one for one in reversed(given_values) if one.name == folded],
        [one for one in given_values if one.name.casefold() == folded],
    )
    meant = next((found[0].value1 for found in ways if found), None)
    return parameter.value1 if meant is None else meant
