"""References: names in texts and the environment variables that hold their values."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.core import references
from dispatcher.core.errors import InvalidValue
from dispatcher.core.references import Kind, Reference, variable_name

NAMES = st.text(st.characters(exclude_characters="[]\r\n", exclude_categories=["Cs"]), min_size=1, max_size=30)


@dataclass
class Named:
    name: str
    value: str
    password: str | None = None


def test_finds_the_three_kinds_in_order() -> None:
    found = references.find("a $[My name] ^[Site] $[x] @[os] $[] $ [no] [no]")
    assert [str(one) for one in found] == ["$[My name]", "^[Site]", "$[x]", "@[os]"]
    assert [one.variable for one in found] == ["PARAM_My_0x20_name", "VAR_Site", "PARAM_x", "FACT_os"]


def test_plain_names_stay_readable() -> None:
    assert variable_name(Kind.PARAMETER, "DB_Password_2") == "PARAM_DB_Password_2"


@given(NAMES)
def test_variables_are_names_that_every_shell_takes(name: str) -> None:
    assert re.fullmatch(r"PARAM_[A-Za-z0-9_]+", variable_name(Kind.PARAMETER, name))


@given(st.text("_0x2 5fa", min_size=1, max_size=12), st.text("_0x2 5fa", min_size=1, max_size=12))
def test_different_names_give_different_variables(one: str, other: str) -> None:
    same = variable_name(Kind.PARAMETER, one) == variable_name(Kind.PARAMETER, other)
    assert same == (one == other)


def test_environment_names_all_values() -> None:
    made = references.environment([Named("Line", "a"), Named("Login", "me", "secret")], {"Site": "x"}, {"os": "linux"})
    assert made == {
        "PARAM_Line": "a",
        "PARAM_Login": "me",
        "PARAM_Login_PASSWORD": "secret",
        "VAR_Site": "x",
        "FACT_os": "linux",
    }


def test_environment_refuses_a_parameter_called_like_a_password() -> None:
    with pytest.raises(InvalidValue, match="PARAM_Login_PASSWORD"):
        references.environment([Named("Login", "me", "secret"), Named("Login_PASSWORD", "x")], {}, {})


def test_environment_refuses_nul() -> None:
    with pytest.raises(InvalidValue, match="NUL"):
        references.environment([Named("Line", "a\0b")], {}, {})


def test_fill_replaces_once_and_follows_nothing() -> None:
    values = {"PARAM_a": "$[b]", "PARAM_b": "no"}
    assert references.fill("/tmp/$[a]/$[b]", values) == "/tmp/$[b]/no"


def test_fill_refuses_what_has_no_value() -> None:
    with pytest.raises(InvalidValue, match=r"@\[os\]"):
        references.fill("@[os]", {})


@given(st.lists(st.tuples(st.sampled_from(Kind), NAMES)))
def test_every_reference_written_is_found(wanted: list[tuple[Kind, str]]) -> None:
    written = [Reference(kind, name) for kind, name in wanted]
    assert references.find(" and ".join(map(str, written))) == written
