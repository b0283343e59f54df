"""Listings: a database and values answer the same question alike."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import BigInteger, Column, Integer, MetaData, String, Table, create_engine, insert, select

from dispatcher.services.ivanti_endpoint_security.listing import Term, conditions, fitting, sortable

ROWS = Table(
    "rows", MetaData(), Column("place", Integer, primary_key=True), Column("name", String), Column("number", BigInteger)
)
COLUMNS = {"name": ROWS.c.name, "number": ROWS.c.number}
#: With what means something to LIKE.
LETTERS = "aAäÄßSẞ%_/\\"
NAMES = st.none() | st.text(LETTERS, max_size=4)
NUMBERS = st.none() | st.integers(-3, 3)
TERMS = st.one_of(
    st.builds(Term, st.just("name"), NAMES),
    st.builds(Term, st.just("name"), st.text(LETTERS, max_size=2), st.just(True)),
    st.builds(Term, st.just("number"), NUMBERS | st.sampled_from([1.0, 0.5, 1 << 63, -(10**30)])),
)


def of_database(rows: list[tuple[Any, Any]], terms: list[Term]) -> list[int]:
    """Return the places of the *rows* that *terms* fit, as a database says."""
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        ROWS.metadata.create_all(connection)
        named = [
            {"place": place, "name": None if name is None else name.casefold(), "number": number}
            for place, (name, number) in enumerate(rows)
        ]
        connection.execute(insert(ROWS), named)
        found = connection.scalars(select(ROWS.c.place).where(*conditions(terms, COLUMNS)).order_by(ROWS.c.place))
        places = list(found)
    engine.dispose()
    return places


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(NAMES, NUMBERS), min_size=1, max_size=6), st.lists(TERMS, min_size=1, max_size=2))
def test_a_database_finds_what_fits(rows: list[tuple[Any, Any]], terms: list[Term]) -> None:
    checks = [(0 if term.name == "name" else 1, fitting(term)) for term in terms]
    fit = [place for place, row in enumerate(rows) if all(fits(row[column]) for column, fits in checks)]
    assert of_database(rows, terms) == fit


def test_one_of_several_values_is_enough() -> None:
    assert of_database([("a", 1), ("b", 2), ("c", None)], [Term("number", [2, 3])]) == [1]
    assert of_database([("a", 1)], [Term("number", [])]) == []


@pytest.mark.parametrize(("value", "wanted", "is_part"), [("STRASSE", "straße", False), ("Großtadt", "SST", True)])
def test_case_is_that_of_all_letters_among_values(value: str, wanted: str, is_part: bool) -> None:
    assert fitting(Term("name", wanted, is_part))(value)


def test_what_is_missing_comes_first_and_case_does_not_count() -> None:
    assert sorted(["b", None, "A", "a", "B"], key=sortable) == [None, "A", "a", "b", "B"]
    assert sorted([2, None, 1], key=sortable) == [None, 1, 2]
