"""Attributes: the grammar of searches, written and read again, and read in a time linear in its length."""

from __future__ import annotations

import re
from contextlib import suppress
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dispatcher.bindings.symantec_ccs import contract
from dispatcher.bindings.symantec_ccs.attributes import read_words, to_terms
from dispatcher.core.errors import InvalidValue
from dispatcher.services.symantec_ccs.terms import Operator, Term, fit

NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9_.-]{0,30}", fullmatch=True)
#: Values without what would be another term, and without blanks at the ends.
VALUES = st.text(st.characters(codec="utf-8", exclude_characters="=(),", exclude_categories=["Cc", "Cs", "Zs"]))
TERMS = st.lists(st.builds(Term, NAMES.map(str.lower), st.sampled_from(Operator), VALUES), min_size=1, max_size=5)


def written(terms: list[Term]) -> str:
    return ", ".join(f"{one.attribute} {one.operator.value} {one.value}" for one in terms)


@given(TERMS)
def test_terms_are_read_as_they_were_written(terms: list[Term]) -> None:
    assert to_terms(written(terms)) == tuple(terms)
    assert to_terms(f"({written(terms)})") == tuple(terms)


@given(TERMS, st.sampled_from([quote, quote_plus]))
def test_queries_are_read_however_they_were_encoded(terms: list[Term], encode: object) -> None:
    text = quote(written(terms)) if encode is quote else quote_plus(written(terms))
    for query in (
        f"Attributes={text}&page=3",
        f"(Attributes={text})&page=3",
        f"(Attributes={text}&page=3)",
        f"(Attributes=({text})&page=3)",
        f"/attributes=({text})&page=3",
    ):
        words = read_words(query)
        assert (to_terms(words["attributes"]), words["page"]) == (tuple(terms), "3")


@pytest.mark.parametrize(
    "query", ["page=0&page=1", "page=0&PAGE=0", "jobname=a&/JobName=b", "(Attributes=&attributes=a)"]
)
def test_a_word_that_is_there_twice_is_refused(query: str) -> None:
    with pytest.raises(InvalidValue, match="is there twice"):
        read_words(query)


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("", []),
        ("()", []),
        ("A1 = v1", [("a1", "=", "v1")]),
        ("a=b,c=d", [("a", "=", "b"), ("c", "=", "d")]),
        ("JobName = a, b, JobType = c", [("jobname", "=", "a, b"), ("jobtype", "=", "c")]),
        ("displayname Contains 10.211.64", [("displayname", "Contains", "10.211.64")]),
        ("displayname contains a=b", [("displayname", "Contains", "a=b")]),
        ("a STARTSWITH (x)", [("a", "StartsWith", "(x)")]),
        ("a = ", [("a", "=", "")]),
        ("a Contains", [("a", "Contains", "")]),
    ],
)
def test_forms(text: str, terms: list[tuple[str, str, str]]) -> None:
    assert to_terms(text) == tuple(Term(name, Operator(operator), value) for name, operator, value in terms)


@pytest.mark.parametrize("text", ["a", "a b", "= b", ", a = b", "a Containsb", "a < b", "aContains b", "((a = b", "é!"])
def test_what_is_no_term(text: str) -> None:
    with pytest.raises(InvalidValue, match="Attributes"):
        to_terms(text)


@given(st.text())
def test_anything_is_a_search_or_refused(text: str) -> None:
    for search in (contract.JobSearch, contract.FolderSearch):
        with suppress(InvalidValue, ValidationError):
            search.model_validate(search.words_of(text))
            search.model_validate(dict.fromkeys(search.model_fields, text))
    with suppress(InvalidValue):
        to_terms(text)


@pytest.mark.parametrize(
    "text", [" " * 300_000, "a" * 300_000, "a = " + "b," * 20_000, ("a " * 150_000) + "=", "(" * 300_000]
)
def test_long_texts_cost_no_more_than_their_length(text: str) -> None:
    try:
        to_terms(text)
    except InvalidValue:
        return


def test_words() -> None:
    query = urlencode({"jobname": "a+b & c", "Page": "1"}) + "&&showmessages"
    assert read_words(query) == {"jobname": "a+b & c", "page": "1", "": "", "showmessages": ""}


def test_parentheses_are_around_a_word_or_around_all_of_them() -> None:
    assert read_words("(Attributes=a = b (c))&page=1") == {"attributes": "a = b (c)", "page": "1"}
    assert read_words("(jobname=a (b)") == {"jobname": "a (b"}
    assert read_words("(jobname=a&page=1)&x=(y)") == {"jobname": "a", "page": "1)", "x": "(y"}


@given(VALUES, VALUES)
def test_what_fits(value: str, text: str) -> None:
    plain = value.replace("*", "")
    assert Term("a", Operator.EQUALS, plain).fits(text) == (plain.casefold() == text.casefold())
    assert Term("a", Operator.CONTAINS, plain).fits(text) == (plain.casefold() in text.casefold())
    assert Term("a", Operator.STARTS_WITH, plain).fits(text) == text.casefold().startswith(plain.casefold())
    assert Term("a", Operator.EQUALS, f"*{plain}*").fits(text) == (plain.casefold() in text.casefold())
    assert Term("a", Operator.EQUALS, f"{plain}*").fits(text) == text.casefold().startswith(plain.casefold())


@given(st.lists(st.sampled_from("ab*"), max_size=8), st.text("ab", max_size=10))
def test_stars_stand_for_anything(pattern: list[str], text: str) -> None:
    expected = re.fullmatch("".join(".*" if one == "*" else one for one in pattern), text) is not None
    assert Term("x", Operator.EQUALS, "".join(pattern)).fits(text) == expected


def test_all_terms_must_fit_some_value() -> None:
    attributes = {"name": ["one"], "tags": ["a", "b"]}
    assert fit([Term("tags", Operator.EQUALS, "b"), Term("name", Operator.EQUALS, "ONE")], attributes)
    assert not fit([Term("tags", Operator.EQUALS, "c")], attributes)
    assert not fit([Term("other", Operator.EQUALS, "*")], attributes)
    assert fit([], attributes)
