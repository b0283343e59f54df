"""GUIDs: written in one form, read in almost any."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.core.errors import InvalidValue
from dispatcher.wire.guids import NO_GUID, find_guid, format_guid, parse_guid

ID = UUID("5cf59e5a-343c-4d85-a83c-8b18e4731040")


def test_written_in_upper_case_and_braces() -> None:
    assert format_guid(ID) == "{5CF59E5A-343C-4D85-A83C-8B18E4731040}"
    assert format_guid(UUID(int=0)) == NO_GUID


@pytest.mark.parametrize(
    "text",
    [
        "{5CF59E5A-343C-4D85-A83C-8B18E4731040}",
        "5cf59e5a-343c-4d85-a83c-8b18e4731040",  # ITM in URLs
        " {5CF59E5A-343C-4D85-A83C-8B18E4731040} ",  # VDI-1
        "5CF59E5A343C4D85A83C8B18E4731040",
        "(5cf59e5a-343c-4d85-a83c-8b18e4731040)",
        "\t{5cf59e5a-343C-4d85-a83c-8b18e4731040}\r\n",
    ],
)
def test_spellings_of_real_clients(text: str) -> None:
    assert parse_guid(text, "jobId") == ID


@pytest.mark.parametrize("text", [None, "", " \t"])
def test_missing_one_names_the_member(text: str | None) -> None:
    with pytest.raises(InvalidValue, match="What/ID: a GUID is missing"):
        parse_guid(text, "What/ID")


@pytest.mark.parametrize(
    "text",
    ["PC-042", "{}", "5cf59e5a-343c-4d85-a83c-8b18e473104", "{5cf59e5a-343c-4d85-a83c-8b18e4731040}x", "\0", "é" * 36],
)
def test_anything_else_is_none(text: str) -> None:
    assert find_guid(text) is None
    with pytest.raises(InvalidValue, match=r"ID: .* is no GUID"):
        parse_guid(text, "ID")


def test_error_does_not_repeat_a_long_text() -> None:
    with pytest.raises(InvalidValue) as error:
        parse_guid("x" * 10_000, "ID")

    assert len(error.value.message) < 200


@given(st.uuids())
def test_read_back(value: UUID) -> None:
    assert parse_guid(format_guid(value), "ID") == value
    assert format_guid(value) == f"{{{str(value).upper()}}}"


@given(st.text(max_size=50))
def test_no_text_breaks_the_reader(text: str) -> None:
    found = find_guid(text)

    assert found is None or str(found).replace("-", "") in text.lower().replace("-", "")
