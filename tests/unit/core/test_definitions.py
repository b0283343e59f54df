"""Values are linked down, taken back and merged, whatever their type."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.core.definitions import MAX_MERGED, link, merge_outputs, outputs_of, take
from dispatcher.core.errors import InvalidValue
from dispatcher.core.parameters import Parameter, ParameterType

TYPES = ParameterType
TEXT, WORD = Parameter("Text", value1="x"), Parameter("Word", TYPES.PASSWORD, "s3cret")
LOGIN = Parameter("Login", TYPES.CREDENTIALS, "me", "s3cret")


def values(parameters: list[Parameter]) -> dict[str, tuple[str, str]]:
    return {one.name: (one.value1, one.value2) for one in parameters}


def test_links_fill_texts_and_leave_the_rest() -> None:
    declared = [Parameter("Line"), Parameter("Level", TYPES.LIST, "low", "low;high"), Parameter("Other", value1="own")]
    linked = link(declared, {"Line": "<$[Text]> $[Lost]", "Level": "high"}, [TEXT])
    assert values(linked) == {"Line": ("<x> $[Lost]", ""), "Level": ("high", "low;high"), "Other": ("own", "")}


def test_only_credentials_become_credentials_as_a_whole() -> None:
    account = Parameter("Account", TYPES.CREDENTIALS, "old", "kept")
    choice = Parameter("Choice", TYPES.LIST, "a", "a;b")
    assert values(link([account], {"Account": "$[Login]"}, [LOGIN])) == {"Account": ("me", "s3cret")}
    assert values(link([account], {"Account": "$[Choice]"}, [choice])) == {"Account": ("a", "kept")}
    assert values(link([TEXT], {"Text": "$[Login]"}, [LOGIN])) == {"Text": ("me", "")}


@pytest.mark.parametrize("taker", [TEXT, LOGIN, Parameter("Many", TYPES.MULTILINE)], ids=lambda one: one.name)
def test_a_password_gives_nothing_to_what_is_none(taker: Parameter) -> None:
    [linked] = link([taker], {taker.name: "<$[Word]>"}, [WORD])
    assert linked.value1 == "<>"
    assert take([taker], {"Word": taker.name}, [WORD])[0].value1 == ""
    assert values(link([Parameter("Key", TYPES.PASSWORD)], {"Key": "<$[Word]>"}, [WORD])) == {"Key": ("<s3cret>", "")}


def test_taking_gives_back_what_linking_gave() -> None:
    outer = [Parameter("A", value1="1"), Parameter("B", TYPES.CREDENTIALS), Parameter("C", TYPES.PASSWORD, "c")]
    taken = take(outer, {"Text": "A", "Login": "B", "Lost": "C"}, [TEXT, LOGIN])
    assert values(taken) == {"A": ("x", ""), "B": ("me", "s3cret"), "C": ("c", "")}


LEVEL = Parameter("Level", TYPES.LIST, "low", "low;high")


@pytest.mark.parametrize("value", ["medium", "", "LOW"])
def test_a_list_takes_its_choices_only(value: str) -> None:
    with pytest.raises(InvalidValue, match="is none of low, high"):
        link([LEVEL], {"Level": "$[Text]"}, [Parameter("Text", value1=value)])
    with pytest.raises(InvalidValue, match="is none of low, high"):
        take([LEVEL], {"Text": "Level"}, [Parameter("Text", value1=value)])


def test_what_no_link_changes_is_not_looked_at() -> None:
    odd = Parameter("Level", TYPES.LIST, "of an earlier version", "low;high")
    assert link([odd], {}, [TEXT]) == take([odd], {"Lost": "Level"}, [TEXT]) == [odd]


def test_values_that_look_like_links_are_not_followed() -> None:
    hostile = Parameter("Text", value1="$[Word]")
    assert values(take([Parameter("A")], {"Text": "A"}, [hostile, WORD])) == {"A": ("$[Word]", "")}


def test_outputs_are_what_says_so() -> None:
    output = Parameter("Out", is_output=True)
    assert outputs_of([TEXT, output, WORD]) == [output]


def merged(kind: ParameterType, *texts: str) -> str:
    return merge_outputs([Parameter("P", kind, text) for text in texts]).value1


def test_different_values_are_joined_once_each_in_order() -> None:
    assert merged(TYPES.TEXT, "b", "", "a;b", "b") == "b;a;b"
    assert merged(TYPES.MULTISELECT, "1;2", "3;2", "") == "1;2;3"
    assert merged(TYPES.MULTILINE, "a\nb", "c", "c") == "a\nb\nc"
    assert merged(TYPES.LIST, "", "") == ""


def test_merged_value_is_not_endless() -> None:
    half = MAX_MERGED // 2
    assert merged(TYPES.TEXT, "a" * half, "b" * (half - 2), "c") == f"{'a' * half};{'b' * (half - 2)}"


def test_of_secrets_the_first_counts() -> None:
    assert merged(TYPES.PASSWORD, "", "one", "two") == "one"
    none = Parameter("Login", TYPES.CREDENTIALS)
    assert merge_outputs([none, LOGIN, Parameter("Login", TYPES.CREDENTIALS, "other", "x")]) == LOGIN
    assert merge_outputs([none, none]) == none


@given(st.sampled_from(list(TYPES)), st.text(max_size=5), st.integers(1, 5))
def test_agents_that_agree_give_what_each_of_them_gives(kind: ParameterType, text: str, agents: int) -> None:
    text = "" if set(text) <= {";"} else text.strip(";")
    once = ";".join(dict.fromkeys(filter(None, text.split(";")))) if kind is TYPES.MULTISELECT else text
    assert merged(kind, *[text] * agents) == once
