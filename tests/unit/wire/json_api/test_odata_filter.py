"""Filters have the few conditions that the dialect knows; everything else is told, in linear time."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from work import assert_linear

from dispatcher.core.errors import InvalidValue
from dispatcher.wire.json_api.odata_filter import MAX_TERMS, Kind, Operator, Term, parse_filter

FIELDS = {
    "Name": Kind.TEXT,
    "Id": Kind.NUMBER,
    "Enabled": Kind.FLAG,
    "StartTime": Kind.MOMENT,
    "Guid": Kind.GUID,
    "Ports": Kind.OTHER,
}
GUID = UUID("9e317d51-07ac-4c17-8a1f-3111d385bc7e")
EQ, CONTAINS = Operator.EQUALS, Operator.CONTAINS


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("", []),
        ("  ", []),
        ("Name eq 'lab'", [Term("Name", EQ, "lab")]),
        ("  NAME   EQ\t'it''s (x, y) and z' ", [Term("Name", EQ, "it's (x, y) and z")]),
        ("Name eq ''", [Term("Name", EQ, "")]),
        ("Name eq null", [Term("Name", EQ, None)]),
        ("contains(name,'lab')", [Term("Name", CONTAINS, "lab")]),
        (
            "Contains ( Name , '''' ) AND id eq -12 and Id eq 1.5",
            [Term("Name", CONTAINS, "'"), Term("Id", EQ, -12), Term("Id", EQ, 1.5)],
        ),
        ("Enabled eq True and Enabled eq false", [Term("Enabled", EQ, True), Term("Enabled", EQ, False)]),
        ("StartTime eq 2031-05-01T06:00:00Z", [Term("StartTime", EQ, datetime(2031, 5, 1, 6, tzinfo=UTC))]),
        ("StartTime eq 2031-05-01T08:00:00.000+02:00", [Term("StartTime", EQ, datetime(2031, 5, 1, 6, tzinfo=UTC))]),
        ("StartTime eq '2031-05-01'", [Term("StartTime", EQ, datetime(2031, 5, 1, tzinfo=UTC))]),
        (f"Guid eq {str(GUID).upper()}", [Term("Guid", EQ, GUID)]),
        (f"Guid eq '{GUID}'", [Term("Guid", EQ, GUID)]),
        ("Ports eq null", [Term("Ports", EQ, None)]),
    ],
)
def test_conditions_are_read(text: str, terms: list[Term]) -> None:
    assert parse_filter(text, FIELDS) == tuple(terms)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Name", "expected 'eq'"),
        ("Name eq", "Name is compared with a text in single quotes or null only"),
        ("Name ne 'x'", "expected 'eq'"),
        ("Id gt 3", "expected 'eq'"),
        ("Name eq 'x' or Id eq 1", "expected 'and' or the end"),
        ("Name eq 'x' and", "expected a field or contains("),
        ("Name eq 'x' Id eq 1", "expected 'and' or the end"),
        ("not contains(Name,'x')", "there is no field 'not'"),
        ("(Name eq 'x')", "expected a field or contains("),
        ("'x' eq Name", "expected a field or contains("),
        ("Nothing eq 'x'", "there is no field 'Nothing'"),
        ("Name eq 'x", "Name is compared with"),
        ("Name eq 'it's'", "expected 'and' or the end"),
        ("Name eq x", "Name is compared with a text in single quotes"),
        ("Name eq 1", "Name is compared with a text in single quotes"),
        ("Id eq '1'", "Id is compared with a number"),
        ("Id eq 1e3", "Id is compared with a number"),
        ("Id eq " + "1" * 31, "Id is compared with a number"),
        ("Id eq NaN", "Id is compared with a number"),
        ("Id eq \u0661", "Id is compared with a number"),
        ("Enabled eq 1", "Enabled is compared with true, false"),
        ("StartTime eq 2031-13-01T00:00:00Z", "StartTime is compared with a date"),
        ("StartTime eq 20310501", "StartTime is compared with a date"),
        ("StartTime eq 0001-01-01T00:00:00+14:00", "StartTime is compared with a date"),
        ("Guid eq 9e317d51", "Guid is compared with a GUID"),
        ("Guid eq guid'9e317d51-07ac-4c17-8a1f-3111d385bc7e'", "Guid is compared with a GUID"),
        ("Ports eq 1", "Ports is compared with nothing"),
        ("contains(Id,'1')", "contains(): Id is no text"),
        ("contains(Name,1)", "expected a text in single quotes"),
        ("contains(Name 'x')", "expected ','"),
        ("contains('x',Name)", "expected a field"),
        ("contains Name", "expected '('"),
        ("contains(Name,'x'", "expected ')'"),
        ("startswith(Name,'x')", "there is no field 'startswith'"),
        ("contains(Name,'x') eq true", "expected 'and' or the end"),
        (" and ".join(["Id eq 1"] * (MAX_TERMS + 1)), f"has more than {MAX_TERMS} conditions"),
    ],
)
def test_everything_else_is_told(text: str, told: str) -> None:
    with pytest.raises(InvalidValue, match=re.escape(told)) as caught:
        parse_filter(text, FIELDS)
    assert caught.value.member == "$filter"
    assert len(caught.value.message) < 300


def test_as_many_conditions_as_there_may_be() -> None:
    assert len(parse_filter(" and ".join(["Id eq 1"] * MAX_TERMS), FIELDS)) == MAX_TERMS


@pytest.mark.parametrize(
    ("term", "fitting", "others"),
    [
        (Term("Name", EQ, "Straße"), ["straße", "STRASSE"], ["Strasse 1", "", None]),
        (Term("Name", CONTAINS, "Lab"), ["lab", "my LAB 1"], ["la", "", None]),
        (Term("Name", CONTAINS, ""), ["", "x"], [None]),
        (Term("Name", EQ, None), [None], ["", "null"]),
        (Term("Id", EQ, 3), [3, 3.0], [4, None, "3"]),
        (Term("Id", EQ, 1.5), [1.5], [1, None]),
        (Term("Guid", EQ, GUID), [GUID, str(GUID), str(GUID).upper()], [UUID(int=1), None]),
        (
            Term("StartTime", EQ, datetime(2031, 5, 1, 6, tzinfo=UTC)),
            [datetime(2031, 5, 1, 8, tzinfo=timezone(timedelta(hours=2)))],
            [datetime(2031, 5, 1, 6, 1, tzinfo=UTC), None],
        ),
        (Term("Enabled", EQ, False), [False], [True, None]),
    ],
)
def test_values_fit_or_not(term: Term, fitting: list[Any], others: list[Any]) -> None:
    assert [term.fits(value) for value in fitting] == [True] * len(fitting)
    assert [term.fits(value) for value in others] == [False] * len(others)


@given(st.text())
def test_any_text_can_be_asked_for(text: str) -> None:
    quoted = text.replace("'", "''")
    found = parse_filter(f"contains(Name,'{quoted}') and Name eq '{quoted}'", FIELDS)
    assert found == (Term("Name", CONTAINS, text), Term("Name", EQ, text))
    assert all(term.fits(text) for term in found)


@given(st.text("Name eq'and()contains,Id 1.-TZ:", max_size=30) | st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        terms = parse_filter(text, FIELDS)
    except InvalidValue:
        return
    assert all(term.field in FIELDS for term in terms)


@pytest.mark.parametrize("piece", ["'", "''", "(", " ", "a", "Id eq 1 and ", "Name eq 'x' ", "contains(", "9"])
def test_reading_costs_what_the_text_is_long(piece: str) -> None:
    def work(size: int) -> None:
        for before in ("", "Name eq '", "contains(Name,'"):
            with pytest.raises(InvalidValue):
                parse_filter(before + piece * (size // len(piece)) + "\x01(", FIELDS)

    assert_linear(work)
