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
