"""Paths lead to operations, whatever slashes they have, and nobody is sent elsewhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.wire.json_api.operations import Route
from dispatcher.wire.json_api.routes import Found, Routes, WrongMethod

ROUTES = [
    (Route("GET", "/api/v2/of/<owner>/jobs/<job>"), "get"),
    (Route("GET", "/api/v2/of/<owner>/jobs/Search"), "search"),
    (Route("POST", "/api/v2/of/<owner>/jobs"), "create"),
    (Route("PATCH", "/api/v2/Jobs"), "patch"),
]
EXACT = Routes(ROUTES, any_case=False)
FOLDED = Routes(ROUTES, any_case=True)


@pytest.mark.parametrize(
    "path", ["/api/v2/of/me/jobs", "/api/v2/of/me/jobs/", "//api//v2/of///me/jobs//", "api/v2/of/me/jobs"]
)
def test_slashes_do_not_count(path: str) -> None:
    assert EXACT.find("POST", path) == Found("create", {"owner": "me"})


def test_words_win_over_variables() -> None:
    assert EXACT.find("GET", "/api/v2/of/me/jobs/Search") == Found("search", {"owner": "me"})
    assert EXACT.find("GET", "/api/v2/of/me/jobs/search") == Found("get", {"owner": "me", "job": "search"})


def test_a_word_that_leads_nowhere_may_be_a_value() -> None:
    routes = Routes(
        [(Route("GET", "/of/<owner>/jobs"), "jobs"), (Route("PUT", "/of/me/<part>"), "own")], any_case=False
    )
    assert routes.find("GET", "/of/me/jobs") == Found("jobs", {"owner": "me"})
    assert routes.find("PUT", "/of/me/jobs") == Found("own", {"part": "jobs"})
    assert routes.find("POST", "/of/me/jobs") == WrongMethod(("GET", "PUT"))
    assert routes.find("PUT", "/of/you/jobs") == WrongMethod(("GET",))


def test_case_counts_unless_it_does_not() -> None:
    assert EXACT.find("PATCH", "/api/v2/jobs") is None
    assert FOLDED.find("PATCH", "/API/v2/jOBS") == Found("patch", {})
    assert FOLDED.find("GET", "/Api/V2/OF/Me/JOBS/seARCH") == Found("search", {"owner": "Me"})


def test_values_keep_their_case() -> None:
    assert FOLDED.find("GET", "/api/v2/of/McX/jobs/ÄbC") == Found("get", {"owner": "McX", "job": "ÄbC"})


def test_the_head_of_a_message_is_nothing_to_ask_for() -> None:
    assert EXACT.find("HEAD", "/api/v2/of/me/jobs/1") == WrongMethod(("GET",))


def test_other_methods_are_told_which_there_are() -> None:
    assert EXACT.find("DELETE", "/api/v2/of/me/jobs/1") == WrongMethod(("GET",))
    assert EXACT.find("OPTIONS", "/api/v2/of/me/jobs") == WrongMethod(("POST",))
    assert EXACT.find("get", "/api/v2/of/me/jobs/1") == Found("get", {"owner": "me", "job": "1"})


@pytest.mark.parametrize("value", ["\0", "a\0b", "\ud800"])
def test_what_no_database_can_hold_is_nowhere(value: str) -> None:
    assert EXACT.find("GET", f"/api/v2/of/me/jobs/{value}") is None


@given(st.text())
def test_any_value_is_given_as_it_is(value: str) -> None:
    found = FOLDED.find("GET", f"/api/v2/of/me/jobs/{value}")
    if "/" in value or "\0" in value or not value:
        return
    expected = "search" if value.lower() == "search" else "get"
    assert isinstance(found, Found)
    assert found.target == expected
    assert found.variables == {"owner": "me"} | ({} if expected == "search" else {"job": value})


@given(st.text(), st.text())
def test_any_path_is_answered(method: str, path: str) -> None:
    FOLDED.find(method, path)


KEYS = Routes(
    [
        (Route("GET", "/api/v2/Jobs"), "list"),
        (Route("POST", "/api/v2/Jobs"), "create"),
        (Route("GET", "/api/v2/Jobs(<job>)"), "get"),
        (Route("GET", "/api/v2/Jobs/<job>"), "get"),
        (Route("GET", "/api/v2/Ends(<end>)/Modules(<module>)"), "module"),
    ],
    any_case=True,
)


@pytest.mark.parametrize(
    "path",
    ["/api/v2/Jobs(AbC)", "/api/v2/Jobs('AbC')", "/API/V2/jobs(AbC)/", "//api//v2/JOBS('AbC')//", "/api/v2/jobs/AbC"],
)
def test_a_key_stands_in_parentheses_or_is_a_segment(path: str) -> None:
    assert KEYS.find("GET", path) == Found("get", {"job": "AbC"})


def test_keys_may_be_in_the_middle_and_many() -> None:
    found = KEYS.find("GET", "/api/v2/ends(A)/MODULES('it''s')")
    assert found == Found("module", {"end": "A", "module": "it's"})


@pytest.mark.parametrize(
    "path",
    ["/api/v2/Jobs()", "/api/v2/Jobs('')", "/api/v2/Jobs(1", "/api/v2/Jobs(1)x", "/api/v2/Jobs 1)", "/api/v2/J(1)"],
)
def test_what_is_no_key_is_nowhere(path: str) -> None:
    assert KEYS.find("GET", path) is None


def test_a_key_is_nothing_to_post_to() -> None:
    assert KEYS.find("POST", "/api/v2/Jobs(1)") == WrongMethod(("GET",))
    assert KEYS.find("POST", "/api/v2/jobs") == Found("create", {})


@given(st.text(min_size=1))
def test_any_key_is_given_as_it_is(value: str) -> None:
    quoted = value.replace("'", "''")
    found = KEYS.find("GET", f"/api/v2/jObS('{quoted}')")
    if "/" in value or "\0" in value:
        return
    assert found == Found("get", {"job": value})


@pytest.mark.parametrize("path", ["/jobs<job>", "/a<b>c", "/(<a>)", "/a(<b>", "/a(<b>)c", "/<a>-<b>"])
def test_a_variable_elsewhere_in_a_segment_is_noticed_when_the_dialect_is_made(path: str) -> None:
    with pytest.raises(ValueError, match="a variable is a segment, or a key"):
        Routes([(Route("GET", path), "x")], any_case=False)
