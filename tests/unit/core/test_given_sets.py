"""Given sets: values find the thing that they are meant for."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.core.given_sets import matched
from dispatcher.core.jobs import GivenSet
from dispatcher.core.parameters import GivenValue

ONE, TWO, FOREIGN = (UUID(int=number) for number in (1, 2, 99))


def a_set(what_id: UUID | None, text: str = "") -> GivenSet:
    return GivenSet(what_id, [GivenValue("Text", text)] if text else [])


def texts(sets: Sequence[GivenSet], what_ids: Sequence[UUID]) -> list[str]:
    """Return what each thing gets, in short."""
    return ["".join(value.value1 or "" for value in values) for values in matched(sets, what_ids)]


@pytest.mark.parametrize(
    ("sets", "what_ids", "expected"),
    [
        ([], [ONE, TWO], ["", ""]),
        ([a_set(TWO, "b"), a_set(ONE, "a")], [ONE, TWO], ["a", "b"]),
        ([a_set(None, "a"), a_set(None, "b")], [ONE, TWO], ["a", "b"]),
        ([a_set(FOREIGN, "a"), a_set(FOREIGN, "b")], [ONE, TWO], ["a", "b"]),
        ([a_set(TWO, "b"), a_set(FOREIGN, "-")], [ONE, TWO], ["", "b"]),
        ([a_set(None), a_set(None, "b")], [ONE, TWO], ["", "b"]),
        ([a_set(None, "a"), a_set(None, "b"), a_set(None, "-")], [ONE, TWO], ["a", "b"]),
        # The same thing again.
        ([a_set(ONE, "a"), a_set(ONE, "b")], [ONE, ONE], ["a", "b"]),
        ([a_set(ONE, "a"), a_set(TWO, "c"), a_set(ONE, "b")], [ONE, TWO, ONE, ONE], ["a", "c", "b", "b"]),
        ([a_set(ONE, "a")], [ONE, ONE], ["a", "a"]),
        ([a_set(None, "a"), a_set(None, "b")], [ONE, ONE], ["a", "b"]),
        # The only thing.
        ([a_set(FOREIGN, "a")], [ONE], ["a"]),
        ([a_set(None), a_set(FOREIGN, "a")], [ONE], ["a"]),
        ([a_set(FOREIGN, "a"), a_set(FOREIGN, "-")], [ONE], ["a"]),
        ([a_set(FOREIGN, "-"), a_set(ONE, "a")], [ONE], ["a"]),
    ],
)
def test_values_find_their_thing(sets: list[GivenSet], what_ids: list[UUID], expected: list[str]) -> None:
    assert texts(sets, what_ids) == expected


IDS = st.sampled_from([ONE, TWO, FOREIGN])


@given(st.lists(st.tuples(st.none() | IDS, st.sampled_from("ab"))), st.lists(IDS, min_size=1))
def test_nothing_gets_the_values_of_something_else(pairs: list[tuple[UUID | None, str]], what_ids: list[UUID]) -> None:
    sets = [a_set(what_id, text) for what_id, text in pairs]
    found = matched(sets, what_ids)

    assert len(found) == len(what_ids)
    owners = {id(one.values): one.what_id for one in sets}
    for what_id, values in zip(what_ids, found, strict=True):
        owner = owners.get(id(values))
        assert owner in (None, what_id) or owner not in what_ids
        if what_id in owners.values():
            assert owner == what_id
