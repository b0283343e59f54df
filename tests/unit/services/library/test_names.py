"""Objects are found by id, path and name, and the shortest text for one always finds it again."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.services.library.names import Names


def an_id(number: int) -> UUID:
    return UUID(int=number)


@pytest.fixture
def names() -> Names:
    return Names("module", [(an_id(1), "Demo/Files", "Copy"), (an_id(2), "Demo", "Move"), (an_id(3), "", "Copy")])


def test_id_path_and_name_find(names: Names) -> None:
    assert names.find(str(an_id(2))) == an_id(2)
    assert names.find("demo/files/COPY") == an_id(1)
    assert names.find("Move") == an_id(2)
    assert names.find("Copy") == an_id(3)  # the path of the one in the root


@pytest.mark.parametrize("text", ["", "Paste", "Files/Copy", str(an_id(9))])
def test_what_is_not_there_is_not_found(names: Names, text: str) -> None:
    with pytest.raises(LookupError, match="no module is called"):
        names.find(text)


def test_a_name_that_fits_several_is_refused(names: Names) -> None:
    names.put(an_id(3), "Other", "Copy")
    with pytest.raises(LookupError, match="several modules"):
        names.find("Copy")


def test_a_moved_object_is_no_longer_where_it_was(names: Names) -> None:
    names.put(an_id(1), "New", "Renamed")
    assert names.at("Demo/Files", "Copy") == []
    assert names.at("new", "renamed") == [an_id(1)]


def test_broken_entries_are_known_by_name_and_path(names: Names) -> None:
    names.broken.add("bad")
    assert names.is_broken("Bad")
    assert names.is_broken("Demo/bad")
    assert not names.is_broken("good")


_PLACES = st.tuples(st.sampled_from(["", "A", "A/B", "b"]), st.sampled_from(["A", "B", "B/C", "C", "c"]))


@given(st.lists(_PLACES, max_size=8))
def test_the_shortest_text_finds_the_object(places: list[tuple[str, str]]) -> None:
    names = Names("module", [(an_id(number), *place) for number, place in enumerate(places, 1)])
    for number in range(1, len(places) + 1):
        assert names.find(names.shortest(an_id(number))) == an_id(number)
        assert an_id(number) in names.at(*places[number - 1])
