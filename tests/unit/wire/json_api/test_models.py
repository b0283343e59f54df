"""Scalars are read as old clients write them, and as nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from dispatcher.wire.json_api.models import AnyCase, Digits, LastWins, LaxBool, LaxText, Model
from dispatcher.wire.json_reader import Number

FLAG: TypeAdapter[Any] = TypeAdapter(LaxBool)
DIGITS: TypeAdapter[Any] = TypeAdapter(Digits)
TEXT: TypeAdapter[Any] = TypeAdapter(LaxText)


@pytest.mark.parametrize("given", [True, "true", "TRUE", " True "])
def test_flags_that_are_set(given: object) -> None:
    assert FLAG.validate_python(given) is True


@pytest.mark.parametrize("given", [False, "false", "False"])
def test_flags_that_are_not(given: object) -> None:
    assert FLAG.validate_python(given) is False


@pytest.mark.parametrize("given", ["", "yes", "1", 1, 0, Number("1.0"), None, [], {}])
def test_what_is_no_flag(given: object) -> None:
    with pytest.raises(ValidationError, match="must be true or false"):
        FLAG.validate_python(given)


@given(st.integers(-(1 << 63), (1 << 63) - 1))
def test_digits_are_numbers_and_texts(number: int) -> None:
    assert DIGITS.validate_python(number) == number
    assert DIGITS.validate_python(str(number)) == number
    assert DIGITS.validate_python(f" {number:+} ") == number


@pytest.mark.parametrize(
    "given", [True, "", "2.0", Number("2.0"), 2.0, "0x10", "1_000", "٣", "9" * 20, 1 << 63, 10**4000, None, ["1"]]
)
def test_what_is_no_number(given: object) -> None:
    with pytest.raises(ValidationError, match=r"must be a whole number|must fit into 64 bits"):
        DIGITS.validate_python(given)


@pytest.mark.parametrize(("given", "text"), [("a", "a"), (3, "3"), (Number("12.50"), "12.50"), (10**30, str(10**30))])
def test_texts_may_be_numbers_as_they_were_written(given: object, text: str) -> None:
    assert TEXT.validate_python(given) == text


@pytest.mark.parametrize("given", [True, None, [], {}])
def test_what_is_no_text(given: object) -> None:
    with pytest.raises(ValidationError, match="must be a text or a number"):
        TEXT.validate_python(given)


def test_a_plain_text_is_no_number() -> None:
    class Named(Model):
        name: str

    for given_name in (1, Number("1.5"), True):
        with pytest.raises(ValidationError):
            Named.model_validate({"name": given_name})


def test_members_that_are_not_known_are_ignored() -> None:
    class Named(Model):
        name: str

    assert Named.model_validate({"name": "a", "other": {"x": 1}}).model_dump() == {"name": "a"}


class Order(AnyCase):
    Name: str = ""
    Count: Digits = 1
    other_names = {"full name": "Name"}


def test_members_are_known_in_any_case_and_by_their_other_names() -> None:
    for name in ("Name", "name", "NAME", "Full Name"):
        assert Order.model_validate({name: "a", "COUNT": "2", "other": 1}) == Order(Name="a", Count=2)


@pytest.mark.parametrize("given", [{"Name": "a", "name": "b"}, {"NAME": "a", "full name": "a"}, {"x": 1, "X": 1}])
def test_what_is_said_twice_is_refused_whatever_its_case(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="is there twice"):
        Order.model_validate(given)


class Latest(LastWins):
    Name: str = ""
    Count: Digits = 1
    other_names = {"full name": "Name"}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"NAME": "a", "count": "2", "other": 1, "OTHER": 2}, Latest(Name="a", Count=2)),
        ({"Name": "a", "name": "b"}, Latest(Name="b")),
        ({"name": "a", "Name": "b", "FULL NAME": "c"}, Latest(Name="c")),
        ({"Count": "x", "COUNT": 3}, Latest(Count=3)),
    ],
)
def test_of_what_is_said_twice_the_last_counts_where_the_dialect_has_it_so(
    given: dict[str, Any], expected: Latest
) -> None:
    assert Latest.model_validate(given) == expected
