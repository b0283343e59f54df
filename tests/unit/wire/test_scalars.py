"""Scalars: single values, read as leniently as real clients need, and no further."""

from __future__ import annotations

from datetime import UTC
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.bindings.ivanti_automation.contract import JobStatusType
from dispatcher.wire.scalars import (
    WrongValue,
    read_bytes,
    read_flag,
    read_long,
    read_moment,
    read_number,
    shown,
    text_reader,
)
from dispatcher.wire.types import Bytes, Flag, MaybeNumber, Moment, Number, Text


@pytest.mark.parametrize("text", ["true", "True", "TRUE", "1", " true "])
def test_true_in_any_case(text: str) -> None:
    assert read_flag(text) is True


@pytest.mark.parametrize("text", ["false", "False", "FALSE", "0", "\tfalse\n"])
def test_false_in_any_case(text: str) -> None:
    assert read_flag(text) is False


@pytest.mark.parametrize("read", [read_flag, read_number, text_reader(JobStatusType), text_reader(Moment)])
@pytest.mark.parametrize("text", ["", "  "])
def test_empty_text_is_no_value(read: Any, text: str) -> None:
    assert read(text, UTC) is None


@pytest.mark.parametrize("text", ["yes", "2", "-1", "truth", "on"])
def test_other_flags_are_wrong(text: str) -> None:
    with pytest.raises(WrongValue, match="neither true nor false"):
        read_flag(text)


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("-2147483648", -(2**31)), (" +7 ", 7), ("007", 7)])
def test_numbers(text: str, number: int) -> None:
    assert read_number(text) == number


@pytest.mark.parametrize(
    "text", ["1.0", "1e3", "0x1f", "1_000", "\N{ARABIC-INDIC DIGIT ONE}", "one", "--1", "9" * 5_000]
)
def test_other_numbers_are_wrong(text: str) -> None:
    with pytest.raises(WrongValue, match="no integer"):
        read_number(text)


@pytest.mark.parametrize("number", [2**31, -(2**31) - 1, 2**63])
def test_number_must_fit_into_32_bits(number: int) -> None:
    with pytest.raises(WrongValue, match="32 bits"):
        read_number(str(number))


@given(st.integers(-(2**63), 2**63 - 1))
def test_a_long_has_64_bits(number: int) -> None:
    assert read_long(str(number)) == number
    with pytest.raises(WrongValue, match="64 bits"):
        read_long(str(number + 2**64 if number >= 0 else number - 2**64))


def test_enumeration_by_name_in_any_case_or_by_number() -> None:
    read = text_reader(JobStatusType)

    assert [read(text, UTC) for text in ("Aborting", "aborting", " ABORTING ", "2", "-1")] == [2, 2, 2, 2, -1]


@pytest.mark.parametrize("text", ["Unknown", "-2", "12", "1.0", "true"])
def test_other_members_are_wrong(text: str) -> None:
    with pytest.raises(WrongValue, match="none of Disabled, Scheduled"):
        text_reader(JobStatusType)(text, UTC)


def test_base64_with_line_breaks() -> None:
    assert read_bytes("PAA/\r\n AHgA") == b"<\0?\0x\0"


@pytest.mark.parametrize("text", ["PAA", "PAA_", "PA=A", "é"])
def test_other_base64_is_wrong(text: str) -> None:
    with pytest.raises(WrongValue, match="not base64"):
        read_bytes(text)


def test_wrong_date_is_quoted() -> None:
    with pytest.raises(WrongValue, match="'tomorrow' is no date"):
        read_moment("tomorrow", UTC)


def test_path_of_a_wrong_value() -> None:
    wrong = WrongValue("is wrong").inside("ID").inside("[2]").inside("What").inside("job")

    assert wrong.named().message == "job/What[2]/ID: is wrong"
    assert WrongValue("is wrong").named().member == "message"


@given(st.text())
def test_quoted_value_is_short_and_on_one_line(text: str) -> None:
    quoted = shown(text)

    assert len(quoted) <= 101
    assert quoted.isprintable()


@pytest.mark.parametrize("spyne_type", [Text, Flag, Number, MaybeNumber, Moment, Bytes, JobStatusType])
@given(text=st.text(max_size=30))
def test_no_text_breaks_a_reader(spyne_type: Any, text: str) -> None:
    try:
        text_reader(spyne_type)(text, UTC)
    except WrongValue as wrong:
        assert wrong.named().message.isprintable()  # noqa: PT017 - the error is one of two good outcomes
