"""Queries: filters as searches write them, and pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.services.opsramp.queries import Query, paged, parse_filters

FIELDS: Mapping[str, Callable[[tuple[int, str]], str]] = {"id": lambda one: f"{one[0]:03}", "name": lambda one: one[1]}
ITEMS = [(1, "b"), (2, "A"), (3, "c"), (4, "a")]


@pytest.mark.parametrize(
    ("text", "filters"),
    [
        ("", {}),
        ("name:a", {"name": "a"}),
        ("hostName: web one +type:DEVICE", {"hostname": "web one", "type": "DEVICE"}),
        ("plain", {"name": "plain"}),
        ("name:a:b", {"name": "a:b"}),
        ("name:a+name:b", {"name": "b"}),
        ("name:a type:b", {"name": "a", "type": "b"}),
        ("name:a b type:c d", {"name": "a b", "type": "c d"}),
        ("at 10:30", {"at 10": "30"}),
        ("name:at 10:30", {"name": "at 10:30"}),
        ("+ +", {}),
        (":", {"": ""}),
    ],
)
def test_filters(text: str, filters: dict[str, str]) -> None:
    assert parse_filters(text) == filters


@given(st.text())
def test_any_text_is_filters(text: str) -> None:
    assert all(name == name.casefold().strip() for name in parse_filters(text))


@given(
    st.dictionaries(st.sampled_from(("name", "type", "hostname", "ipaddress")), st.sampled_from(("a", "b c", "1:2")))
)
def test_plus_and_blank_join_alike(filters: dict[str, str]) -> None:
    """A ``+`` in an address is read as a blank."""
    parts = [f"{name}:{value}" for name, value in filters.items()]
    assert parse_filters("+".join(parts)) == parse_filters(" ".join(parts)) == filters


def test_many_blanks_take_no_time() -> None:
    assert parse_filters("name:a" + " " * 100_000 + "a" * 100_000)["name"].startswith("a ")


@pytest.mark.parametrize(
    ("filters", "fits"),
    [
        ({}, True),
        ({"name": "EB"}, True),
        ({"name": "x,EB"}, True),
        ({"name": "x"}, False),
        ({"name": "web", "isequals": "true"}, True),
        ({"name": "eb", "isequals": "true"}, False),
        ({"name": "all"}, True),
        ({"color": "blue"}, False),
    ],
)
def test_fits(filters: dict[str, str], fits: bool) -> None:
    assert Query(filters=filters).fits((1, "Web"), FIELDS, ("all",)) is fits


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        (Query(), [4, 3, 2, 1]),
        (Query(descending=False), [1, 2, 3, 4]),
        (Query(sort="NAME", descending=False), [2, 4, 1, 3]),
        (Query(sort="color", descending=False, page=2, page_size=3), [4]),
        (Query(page=9), []),
    ],
)
def test_pages(query: Query, numbers: list[int]) -> None:
    page = paged(ITEMS, query, FIELDS)
    assert [one[0] for one in page.items] == numbers
    assert (page.total, page.page_count) == (4, -(-4 // query.page_size))
    assert page.sort in ("id", "NAME")


def test_no_page_of_nothing() -> None:
    assert paged([], Query(), FIELDS).page_count == 0
