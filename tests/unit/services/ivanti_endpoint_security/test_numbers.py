"""Numbers: groups and patch lists are found by what they are shown with."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select

from dispatcher.datastore.settings import Alias
from dispatcher.datastore.teams import Team
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.ivanti_endpoint_security.numbers import (
    DIALECT,
    GROUP,
    PATCH_LIST,
    find,
    number_of,
    numbers_of,
    settle,
)

LIBRARY = "teams: [{name: a}, {name: b}, {name: c}, {name: d}]\nprojects: [{name: p}]"


@pytest.fixture
def teams(load_library: Callable[[str], None]) -> None:
    load_library(LIBRARY)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.sampled_from(["0", "1", "2", "3", "007", "5", "77", "x", "-1", "1.0", "9" * 30]), st.integers(0, 3)
    )
)
def test_what_is_shown_is_found(datastore: Datastore, teams: None, aliases: dict[str, int]) -> None:
    with datastore.begin() as session:
        keys = list(session.scalars(select(Team.id).order_by(Team.number)))
        session.execute(delete(Alias))
        rows = [
            {"dialect": DIALECT, "kind": GROUP, "external_id": text, "object_id": keys[place]}
            for text, place in aliases.items()
        ]
        if rows:
            session.execute(insert(Alias), rows)
        shown = numbers_of(session, GROUP)
        assert {key: number_of(session, GROUP, key) for key in keys} == {key: shown.get(key) for key in keys}
        named = {int(text): keys[place] for text, place in aliases.items() if text in ("0", "1", "2", "3", "5", "77")}
        assert len(set(shown.values())) == len(shown)
        for key, number in shown.items():
            assert find(session, GROUP, [number]) == {number: key}
        # Whose own number is the alias of somebody else is known by none.
        hidden = {key for number, key in enumerate(keys, 1) if named.get(number, key) != key} - set(named.values())
        assert set(keys) - shown.keys() == hidden
        asked = [-1, 0, 1, 2, 3, 4, 5, 7, 77, 10**30]
        own = {number: key for number, key in enumerate(keys, 1) if key not in named.values()}
        assert find(session, GROUP, asked) == {**own, **named}
        for key in keys:
            settle(session, GROUP, key)
        settled = numbers_of(session, GROUP)
        assert settled.keys() == set(keys)
        assert settled | shown == settled
        assert find(session, GROUP, settled.values()) == {number: key for key, number in settled.items()}


def test_kinds_are_apart_and_nothing_has_no_number(datastore: Datastore, teams: None) -> None:
    with datastore.read() as session:
        assert find(session, PATCH_LIST, [1, 2]).keys() == {1}
        assert find(session, GROUP, []) == {}
        (project,) = numbers_of(session, PATCH_LIST)
        assert number_of(session, GROUP, project) is None
